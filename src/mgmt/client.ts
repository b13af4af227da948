import { type Clock, Emitter, type OperationOptions, Subscription, SystemClock } from "../async/index.ts";
import { ArgumentError, ClosedError, checkFunction, checkInteger, checkOptions, kindOf, Logger, optionNames } from "../core/index.ts";
import {
  type AnyMgmtCommand,
  checkLimits,
  commands,
  type DecodedBy,
  encodeCommand,
  type GivenTo,
  type MgmtEventName,
  type MgmtReplyPacket,
  NO_CONTROLLER,
  Status,
} from "../mgmt-protocol/index.ts";
import { type KernelSocket, openKernelSocket } from "../transport/index.ts";
import { checkEventName, checkIndex, checkTimeout, EVENT_NAMES, isCommand, MOST_CAPACITY, SIGNAL_NAMES, usualTimeoutMs } from "./checks.ts";
import { MgmtError, MgmtWriteError } from "./error.ts";
import { argumentsOf } from "./method-arguments.ts";
import { readReceived } from "./received.ts";
import { type Request, Requests } from "./requests.ts";
import { type MgmtResponse, responseOf, valuesByPosition } from "./response.ts";
import type { MgmtEvent, MgmtEventOf, MgmtMethods, MgmtSignals } from "./types.ts";

/** Events that wait for a reader; the oldest are dropped and counted. */
const EVENT_CAPACITY = 1024;
export interface MgmtOptions {
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
  /** How long a command may take that says nothing of its own. Default 10 s; Set Powered 30 s, Disconnect 40 s, Pair Device 120 s. */
  readonly timeoutMs?: number | undefined;
  /** The kernel; another one in tests. It is closed with the client. */
  readonly socket?: KernelSocket | undefined;
}

export interface RequestOptions extends OperationOptions {
  /** Sends values outside the limits that the declaration states, as long as their fields can hold them: to see what the kernel says. */
  readonly unchecked?: boolean | undefined;
}

export interface EventOptions {
  /** Only events of this controller. */
  readonly index?: number | undefined;
  /** Events that may wait. Default 1024; a reader further behind loses the oldest, and `dropped` of what `events` returns counts them. */
  readonly capacity?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const mgmtOptions = optionNames<MgmtOptions>({ clock: true, logger: true, signal: true, timeoutMs: true, socket: true });
const requestOptions = optionNames<RequestOptions>({ signal: true, timeoutMs: true, unchecked: true });
const eventOptions = optionNames<EventOptions>({ index: true, capacity: true, signal: true });

/** A client with a method for each command. */
export type Mgmt = MgmtClient & MgmtMethods;

/**
 * Opens the management socket of this machine's kernel.
 *
 * No capability is needed to open it: without CAP_NET_ADMIN the kernel answers questions and refuses changes (MgmtError PermissionDenied).
 *
 * @throws {TransportError} not Linux, a kernel without Bluetooth, a container with a network of its own, koffi missing
 */
export async function openMgmt(options: MgmtOptions = {}): Promise<Mgmt> {
  checkOptions("openMgmt", options, mgmtOptions);
  checkTimeout("openMgmt", options.timeoutMs);
  options.signal?.throwIfAborted();
  const socket = options.socket ?? (await openKernelSocket("control", { signal: options.signal }));
  return new MgmtClient(socket, options) as Mgmt;
}

/** What a reader of events wants. */
interface Wanted {
  readonly names: ReadonlySet<string> | undefined;
  readonly index: number | undefined;
}

/** The management socket's commands, replies and events. `openMgmt` makes one. */
export class MgmtClient implements AsyncDisposable {
  readonly #socket: KernelSocket;
  readonly #logger: Logger;
  readonly #timeoutMs: number | undefined;
  readonly #requests: Requests;
  readonly #readers = new Map<Subscription<MgmtEvent>, Wanted>();
  readonly #emitter = new Emitter<MgmtSignals>();
  #closed: Error | undefined;
  readonly clock: Clock;

  static {
    for (const [name, command] of Object.entries<AnyMgmtCommand>(commands)) {
      Object.defineProperty(MgmtClient.prototype, name, {
        configurable: true,
        value(this: MgmtClient, ...args: unknown[]) {
          return this.#call(command, args);
        },
      });
    }
  }

  constructor(socket: KernelSocket, { clock = new SystemClock(), logger = Logger.silent, timeoutMs }: MgmtOptions = {}) {
    this.#socket = socket;
    this.clock = clock;
    this.#logger = logger.child("mgmt");
    this.#timeoutMs = timeoutMs;
    this.#requests = new Requests(clock, (request) => this.#send(request));
    socket.onClose = (reason) => this.#end(reason);
    socket.onPacket = (packet) => this.#receive(packet);
  }

  /** Why it is over; undefined while it is not. */
  get ended(): Error | undefined {
    return this.#closed;
  }

  /** Packets, events mostly, that the kernel threw away because this process did not take them in time; 0 where it does not tell. */
  get droppedByKernel(): number {
    return this.#socket.droppedPackets ?? 0;
  }

  /**
   * Sends a command and returns what it returns. Different commands are on their way together; identical ones, of the same opcode and
   * controller, one after the other.
   *
   * An aborted or timed out command is forgotten here, not in the kernel: a pairing goes on until Cancel Pair Device.
   *
   * @throws {MgmtError} the kernel's answer is a status other than Success
   * @throws {MgmtWriteError} the kernel did not take the command
   * @throws {ArgumentError} a value its field cannot hold, or out of its limits; nothing was sent
   * @throws {TimeoutError} no reply in time
   * @throws `signal.reason` once `signal` aborts
   */
  async request<C extends AnyMgmtCommand>(
    command: C,
    index: number,
    parameters: GivenTo<C["parameters"]>,
    options: RequestOptions = {},
  ): Promise<DecodedBy<C["returns"]>> {
    const { returns } = await this.#request(command, index, parameters, options);
    return (returns ?? {}) as DecodedBy<C["returns"]>;
  }

  /**
   * Sends a command by the name it has in the protocol description, with its parameters by position or as one object, for those who come
   * from btsocket. Counts and lengths are computed. What comes back has that library's shape, with names in place of numbers.
   *
   * @param name "SetPowered", "Set Powered", in any case
   * @param index the controller; null or undefined for none
   * @throws as `request`
   */
  async send(name: string, index: number | null | undefined, ...values: unknown[]): Promise<MgmtResponse> {
    const { command, parameters } = valuesByPosition(name, values);
    return responseOf(await this.#request(command, index ?? NO_CONTROLLER, parameters, {}));
  }

  /** Events one after the other, from now on: of one name, of several, or all. The loop ends by `break`, by `signal`, or with the socket. */
  events(options?: EventOptions): Subscription<MgmtEvent>;
  events<N extends MgmtEventName>(name: N | readonly N[], options?: EventOptions): Subscription<MgmtEventOf<N>>;
  events(first?: MgmtEventName | readonly MgmtEventName[] | EventOptions, second?: EventOptions): Subscription<MgmtEvent> {
    const named = typeof first === "string" || Array.isArray(first);
    const names = named ? new Set([first].flat() as MgmtEventName[]) : undefined;
    for (const name of names ?? []) checkEventName(name, EVENT_NAMES);
    const options = named ? second : (first as EventOptions | undefined);
    checkOptions("events", options, eventOptions);
    const { index, capacity = EVENT_CAPACITY, signal } = options ?? {};
    if (index !== undefined) checkInteger("events: index", index, 0, NO_CONTROLLER);
    checkInteger("events: capacity", capacity, 1, MOST_CAPACITY);
    const queue = new Subscription<MgmtEvent>({ capacity, signal, leave: (left) => this.#readers.delete(left) });
    if (this.#closed) queue.end(this.#closed);
    else if (!signal?.aborted) this.#readers.set(queue, { names, index });
    return queue;
  }

  /**
   * Calls `listener` at every event of that name, at every packet, or when the socket is gone. Dispose the result to stop.
   *
   * @throws {ArgumentError} no such name
   */
  on<K extends keyof MgmtSignals>(name: K, listener: (signal: MgmtSignals[K]) => void): Disposable {
    checkEventName(name, SIGNAL_NAMES);
    if (listener === undefined) throw new ArgumentError(`on("${name}"): expected a function, got undefined`);
    checkFunction(`on("${name}")`, listener);
    return this.#emitter.on(name, listener);
  }

  /** Closes the socket; commands on their way are rejected. Settings, advertising and a running discovery stay with the kernel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new ClosedError("the management client was closed"));
    await this.#socket[Symbol.asyncDispose]();
  }

  async #call(command: AnyMgmtCommand, args: unknown[]): Promise<unknown> {
    const { index, parameters, options } = argumentsOf(command, args);
    return this.request(command, index, parameters, options);
  }

  async #request(command: AnyMgmtCommand, index: number, parameters: Readonly<Record<string, unknown>>, options: RequestOptions) {
    if (!isCommand(command)) throw new ArgumentError(`a management command: expected one of \`commands\`, got ${kindOf(command)}`);
    checkOptions(command.name, options, requestOptions);
    checkTimeout(command.name, options.timeoutMs);
    options.signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    checkIndex(command, index);
    const packet = encodeCommand(command, index, parameters);
    if (!options.unchecked) checkLimits(command.parameters.fields, parameters, `${command.name}.`);
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs ?? usualTimeoutMs(command);
    const reply = await this.#requests.submit(command, index, packet, { signal: options.signal, timeoutMs });
    if (reply.status === Status.Success) return reply;
    const returns = reply.returns instanceof Uint8Array ? undefined : reply.returns;
    throw new MgmtError({ command, index, status: reply.status, returns, remedy: this.#socket.info.remedy });
  }

  #send({ command, index, packet, pending }: Request): void {
    this.#logger.debug(() => `> ${command.name} ${index}, ${packet.length - 6} octets`);
    if (this.#emitter.count("packet") > 0) this.#emitter.emit("packet", { direction: "sent", packet });
    const fault = this.#socket.write(packet);
    if (fault) pending.reject(new MgmtWriteError(command, index, fault));
  }

  #receive(packet: Uint8Array): void {
    if (this.#closed) return;
    if (this.#emitter.count("packet") > 0) this.#emitter.emit("packet", { direction: "received", packet });
    const received = readReceived(packet);
    switch (received.kind) {
      case "event":
        if (received.error) this.#warn(received.error);
        this.#publish(received.event);
        break;
      case "reply":
        this.#replied(received.reply);
        break;
      case "brokenReply": // still ends its command
        this.#warn(received.error);
        this.#requests.take({ ...received, returns: undefined })?.pending.reject(received.error);
        break;
      case "nothing":
        this.#warn(received.error);
        break;
    }
  }

  #replied(reply: MgmtReplyPacket): void {
    if (this.#emitter.count("reply") > 0) this.#emitter.emit("reply", reply);
    // Command Status Success would say that the command goes on; Linux never sends it.
    if (reply.kind === "status" && reply.status === Status.Success) return;
    const request = this.#requests.take(reply);
    if (request) request.pending.resolve(reply);
    else this.#logger.debug(() => `a reply nobody waits for: opcode 0x${reply.opcode.toString(16)}, status ${reply.status}`);
  }

  #warn(error: Error): void {
    this.#logger.warn(() => `a packet that cannot be decoded: ${error.message}`);
  }

  #publish(event: MgmtEvent): void {
    if (event.event === "newIdentityResolvingKey") this.#requests.identified(event.index, event.randomAddress, event.key);
    for (const [queue, { names, index }] of this.#readers) {
      if ((names === undefined || names.has(event.event)) && (index === undefined || index === event.index)) queue.push(event);
    }
    this.#emitter.emit("event", event);
    this.#emitter.emit(event.event, event as never);
  }

  #end(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#requests.close(reason);
    for (const queue of [...this.#readers.keys()]) queue.end(reason instanceof ClosedError ? undefined : reason);
    this.#emitter.emit("close", reason);
  }
}
