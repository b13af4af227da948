import { type Clock, Pending } from "../../src/async/index.ts";
import {
  type CommandDeclaration,
  type DecodedEvent,
  decodeEvent,
  EventCode,
  type EventDeclaration,
  encodeCommand,
  type HciTransport,
  LeRemoteConnectionParameterRequest,
  LeRemoteConnectionParameterRequestReply,
  LeSetEventMask,
  PacketType,
  Reset,
  SetEventMask,
  type TransportClosed,
} from "../../src/hci/index.ts";

type EventParameters = typeof LeRemoteConnectionParameterRequest extends EventDeclaration<infer P> ? P : never;

interface Waiter {
  matches: (event: DecodedEvent) => boolean;
  pending: Pending<DecodedEvent>;
}

/** A host that knows nothing but packets: sends commands, keeps events and data. */
export class RawHost {
  readonly transport: HciTransport;
  readonly clock: Clock;
  readonly events: DecodedEvent[] = [];
  /** ACL packets received. */
  readonly acl: { handle: number; start: boolean; data: Uint8Array; timeMs: number }[] = [];
  /** Packets of each connection that the controller reported as completed. */
  readonly completed = new Map<number, number>();
  closed: TransportClosed | undefined;
  onAcl: ((handle: number, data: Uint8Array) => void) | undefined;
  /** Whether it accepts what a peer asks for with the Connection Parameters Request procedure. */
  acceptsParameters = true;
  /** Told of each event once it is kept. */
  onEvent: ((event: DecodedEvent) => void) | undefined;
  onCompleted: ((handle: number, count: number) => void) | undefined;
  #waiters: Waiter[] = [];

  constructor(transport: HciTransport, clock: Clock) {
    this.transport = transport;
    this.clock = clock;
    transport.onPacket = (packet) => this.#onPacket(packet);
    transport.onClose = (reason) => {
      this.closed = reason;
    };
  }

  /** Resets and opens the masks. */
  async start(): Promise<this> {
    await this.command(Reset, {});
    await this.command(SetEventMask, { eventMask: 0x3fff_ffff_ffff_ffffn });
    await this.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffff_ffffn });
    return this;
  }

  /** The return parameters, or for a command without any the status of Command Status as `{ status }`. */
  async command<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R & { status: number }> {
    return (await this.raw(encodeCommand(declaration, parameters), declaration.opcode)) as R & { status: number };
  }

  async raw(packet: Uint8Array, opcode: number): Promise<{ status: number }> {
    const answered = this.#wait(
      (event) => {
        const { commandOpcode } = event.parameters as { commandOpcode?: number };
        const isAnswer = event.eventCode === EventCode.CommandComplete || event.eventCode === EventCode.CommandStatus;
        return isAnswer && commandOpcode === opcode;
      },
      `command 0x${opcode.toString(16)}`,
    );
    this.transport.send(packet);
    const event = await answered;
    if (event.eventCode === EventCode.CommandStatus) return { status: (event.parameters as { status: number }).status };
    const returns = event.answers?.returns;
    return returns instanceof Uint8Array ? { status: returns[0]! } : (returns as { status: number });
  }

  /** The next event of this kind. */
  async event<P>(declaration: EventDeclaration<P>, where: (parameters: P) => boolean = () => true): Promise<P> {
    const event = await this.#wait(
      (candidate) => candidate.declaration === declaration && where(candidate.parameters as P),
      declaration.name,
    );
    return event.parameters as P;
  }

  /** Those of this kind that came so far. */
  all<P>(declaration: EventDeclaration<P>): P[] {
    return this.events.filter((event) => event.declaration === declaration).map((event) => event.parameters as P);
  }

  sendAcl(handle: number, data: Uint8Array, isStart = true): void {
    const packet = new Uint8Array(5 + data.length);
    packet.set([PacketType.AclData, handle & 0xff, (handle >> 8) | (isStart ? 0 : 0x10), data.length & 0xff, data.length >> 8]);
    packet.set(data, 5);
    this.transport.send(packet);
  }

  #wait(matches: (event: DecodedEvent) => boolean, operation: string): Promise<DecodedEvent> {
    const waiter: Waiter = { matches, pending: new Pending<DecodedEvent>({ clock: this.clock, operation, timeoutMs: 600_000 }) };
    this.#waiters.push(waiter);
    return waiter.pending.promise;
  }

  #onPacket(packet: Uint8Array): void {
    if (packet[0] === PacketType.AclData) {
      const handle = (packet[1]! | (packet[2]! << 8)) & 0xfff;
      const data = packet.slice(5);
      this.acl.push({ handle, start: (packet[2]! & 0x30) === 0x20, data, timeMs: this.clock.now() });
      this.onAcl?.(handle, data);
      return;
    }
    const event = decodeEvent(packet);
    this.events.push(event);
    this.onEvent?.(event);
    if (event.eventCode === EventCode.NumberOfCompletedPackets) {
      const { handles } = event.parameters as { handles: { connectionHandle: number; numCompletedPackets: number }[] };
      for (const { connectionHandle, numCompletedPackets } of handles) {
        this.completed.set(connectionHandle, (this.completed.get(connectionHandle) ?? 0) + numCompletedPackets);
        this.onCompleted?.(connectionHandle, numCompletedPackets);
      }
    }
    if (event.declaration === LeRemoteConnectionParameterRequest && this.acceptsParameters) {
      const asked = event.parameters as EventParameters;
      void this.command(LeRemoteConnectionParameterRequestReply, { ...asked, minCeLength: 0, maxCeLength: 0 });
    }
    const at = this.#waiters.findIndex(({ matches }) => matches(event));
    if (at >= 0) this.#waiters.splice(at, 1)[0]!.pending.resolve(event);
  }
}
