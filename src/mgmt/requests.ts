import { type Clock, Pending } from "../async/index.ts";
import { StateError, TimeoutError } from "../core/index.ts";
import { type AnyMgmtCommand, answeredAs, type MgmtReplyPacket } from "../mgmt-protocol/index.ts";
import { commandText } from "./error.ts";

/** Identical commands that wait for the first of them. More are refused: nobody reads that many answers. */
const LANE_CAPACITY = 64;
/**
 * How long identical commands wait for the reply of one that was given up. The kernel gives a controller two seconds to answer an HCI
 * command, so that a reply that has not come by then most likely never does.
 */
const LATE_REPLY_MS = 2_000;

/** A command on its way. */
export interface Request {
  readonly command: AnyMgmtCommand;
  readonly index: number;
  readonly packet: Uint8Array;
  readonly pending: Pending<MgmtReplyPacket>;
}

/** Requests of one opcode and one controller: the kernel's replies do not tell one from another. */
interface Lane {
  active: Request | undefined;
  readonly waiting: Request[];
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
    const lane = this.#lanes.get(key) ?? { active: undefined, waiting: [], late: undefined };
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

  /** The request that a reply answers; undefined when nobody waits for it. */
  take(opcode: number, index: number): Request | undefined {
    const lane = this.#lanes.get(keyOf(opcode, index));
    if (!lane) return undefined;
    if (lane.active) return lane.active;
    if (lane.late) {
      lane.late[Symbol.dispose]();
      lane.late = undefined;
      this.#next(keyOf(opcode, index), lane);
    }
    return undefined;
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
    if (!lane.active && !lane.late && lane.waiting.length === 0 && this.#lanes.get(key) === lane) this.#lanes.delete(key);
  }
}

/** Commands that are answered alike share a lane: the answer is for the one that is on its way. */
function keyOf(opcode: number, index: number): number {
  return answeredAs(opcode) * 0x1_0000 + index;
}
