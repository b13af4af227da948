import { type Clock, Pending } from "../async/index.ts";
import { Address, StateError, TimeoutError } from "../core/index.ts";
import {
  AddressType,
  type AnyMgmtCommand,
  answeredAs,
  commands,
  decodeCommand,
  type MgmtReplyPacket,
  namedBy,
  saysWhatItIsAbout,
} from "../mgmt-protocol/index.ts";
import { commandText } from "./error.ts";

/** Identical commands that wait for the first of them. More are refused: nobody reads that many answers. */
const LANE_CAPACITY = 64;
/**
 * How long identical commands wait for the reply of one that was given up. The kernel gives a controller two seconds to answer an HCI
 * command, so that a reply that has not come by then most likely never does.
 */
export const LATE_REPLY_MS = 2_000;

/** Requests that were given up and whose reply may still come, for each lane. */
const FORGOTTEN_CAPACITY = 16;

/** A command on its way. */
export interface Request {
  readonly command: AnyMgmtCommand;
  readonly index: number;
  readonly packet: Uint8Array;
  readonly pending: Pending<MgmtReplyPacket>;
}

/** A device's name, as replies have it. */
interface DeviceName {
  readonly address: string;
  readonly addressType: number;
}

/** The part of a reply that tells whose it is. */
export type Answer = Pick<MgmtReplyPacket, "opcode" | "index" | "status" | "returns">;

/** Requests of one opcode and one controller: the kernel's replies do not tell one from another. */
interface Lane {
  active: Request | undefined;
  readonly waiting: Request[];
  /** Given up without a reply: one that names what they were about is theirs, however late it comes. */
  readonly forgotten: Request[];
  /** Runs while a reply may still come for a request that was given up. */
  late: Disposable | undefined;
}

/**
 * Matches replies to requests by opcode and controller index, which is all the kernel gives. Different requests are on their way together;
 * identical ones one after the other.
 */
export class Requests {
  readonly #clock: Clock;
  readonly #send: (request: Request) => void;
  readonly #lanes = new Map<number, Lane>();
  /** Who a device turned out to be while it was being paired with. */
  readonly #identities = new WeakMap<Request, DeviceName>();

  /** @param send hands a request to the kernel; a failure rejects the request */
  constructor(clock: Clock, send: (request: Request) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Sends the command, at once or after the identical ones before it. @returns its reply, whatever its status */
  submit(
    command: AnyMgmtCommand,
    index: number,
    packet: Uint8Array,
    { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs: number },
  ): Promise<MgmtReplyPacket> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const key = keyOf(command.opcode, index);
    const lane = this.#lanes.get(key) ?? { active: undefined, waiting: [], forgotten: [], late: undefined };
    if (lane.waiting.length >= LANE_CAPACITY)
      return Promise.reject(new StateError(`${commandText(command, index)}: ${LANE_CAPACITY} of them wait for an answer already`));
    this.#lanes.set(key, lane);
    const operation = commandText(command, index);
    const timedOut = new TimeoutError(operation, timeoutMs); // made here so that its stack shows who asked
    const pending = new Pending<MgmtReplyPacket>({
      clock: this.#clock,
      operation,
      signal,
      timeoutMs,
      timeoutError: () => timedOut,
      onSettled: (outcome) => this.#settled(key, lane, request, outcome),
    });
    const request: Request = { command, index, packet, pending };
    lane.waiting.push(request);
    this.#next(key, lane);
    return pending.promise;
  }

  /**
   * The request that a reply answers; undefined when nobody waits for it. Where a reply names a device, an instance or a handle, that has to
   * be the one that was asked for: an answer to what was given up is nobody's.
   */
  take(reply: Answer): Request | undefined {
    const key = keyOf(reply.opcode, reply.index);
    const lane = this.#lanes.get(key);
    if (!lane) return undefined;
    const { active, forgotten } = lane;
    const named = active && this.#namedBy(reply, active);
    if (active && named !== "other") return active;
    const theirs = forgotten.findIndex((request) => this.#namedBy(reply, request) === "same");
    if (theirs >= 0) forgotten.splice(theirs, 1);
    else if (active) return forgotten.length === 0 || this.#mayBeIdentityOf(active, forgotten) ? active : undefined;
    else if (lane.late) forgotten.pop(); // it does not say: the one that was given up last
    if (!active) {
      lane.late?.[Symbol.dispose]();
      lane.late = undefined;
    }
    this.#next(key, lane);
    return undefined;
  }

  /** New Identity Resolving Key: from here on the kernel calls a device by its identity. @param before the private address; zeros for none */
  identified(index: number, before: string, identity: DeviceName): void {
    const lane = this.#lanes.get(keyOf(commands.pairDevice.opcode, index));
    if (!lane) return;
    for (const request of [...(lane.active ? [lane.active] : []), ...lane.forgotten]) {
      const isOf = deviceOf(request).address === before || (before === NO_ADDRESS && request === lane.active);
      if (isOf) this.#identities.set(request, identity);
    }
  }

  /** A pairing is answered in the name of the identity that the device has told. */
  #namedBy(reply: Answer, request: Request): ReturnType<typeof namedBy> {
    const named = namedBy(reply, decodeCommand(request.packet));
    if (named !== "other" || request.command !== commands.pairDevice) return named;
    const identity = this.#identities.get(request);
    const { address, addressType } = reply.returns as unknown as DeviceName;
    return identity?.address === address && identity.addressType === addressType ? "same" : named;
  }

  /** A device with a private address that the kernel had the key for is answered under an identity that nobody here has heard of. */
  #mayBeIdentityOf(active: Request, forgotten: readonly Request[]): boolean {
    const isPrivate = (request: Request): boolean => {
      const { address, addressType } = deviceOf(request);
      return addressType === AddressType.LERandom && Address.from(address, "random").isResolvablePrivate;
    };
    return active.command === commands.pairDevice && isPrivate(active) && !forgotten.some(isPrivate);
  }

  /** Rejects every request. */
  close(reason: Error): void {
    for (const lane of [...this.#lanes.values()]) {
      lane.late?.[Symbol.dispose]();
      lane.late = undefined;
      for (const request of [...lane.waiting, ...(lane.active ? [lane.active] : [])]) request.pending.reject(reason);
    }
    this.#lanes.clear();
  }

  #settled(key: number, lane: Lane, request: Request, outcome: "resolved" | "rejected" | "timeout" | "aborted"): void {
    if (lane.active !== request) {
      const at = lane.waiting.indexOf(request);
      if (at >= 0) lane.waiting.splice(at, 1);
      this.#release(key, lane);
      return;
    }
    lane.active = undefined;
    if (outcome === "timeout" || outcome === "aborted") {
      if (saysWhatItIsAbout(request.command)) lane.forgotten.push(request);
      if (lane.forgotten.length > FORGOTTEN_CAPACITY) lane.forgotten.shift();
      lane.late = this.#clock.setTimer(LATE_REPLY_MS, "late management reply", () => {
        lane.late = undefined;
        this.#next(key, lane);
      });
      return;
    }
    this.#next(key, lane);
  }

  #next(key: number, lane: Lane): void {
    while (!lane.active && !lane.late) {
      const request = lane.waiting.shift();
      if (!request) break;
      lane.active = request;
      this.#send(request);
    }
    this.#release(key, lane);
  }

  #release(key: number, lane: Lane): void {
    const isIdle = !lane.active && !lane.late && lane.waiting.length === 0 && lane.forgotten.length === 0;
    if (isIdle && this.#lanes.get(key) === lane) this.#lanes.delete(key);
  }
}

const NO_ADDRESS = "00:00:00:00:00:00";

function deviceOf({ packet }: Request): DeviceName {
  return decodeCommand(packet).parameters as unknown as DeviceName;
}

/** Commands that are answered alike share a lane: the answer is for the one that is on its way. */
function keyOf(opcode: number, index: number): number {
  return answeredAs(opcode) * 0x1_0000 + index;
}
