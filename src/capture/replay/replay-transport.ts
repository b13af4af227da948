import { type Clock, turn } from "../../async/index.ts";
import { ArgumentError, checkChoice, checkInteger, checkOptions, kindOf, optionNames } from "../../core/index.ts";
import { TransportBase } from "../../hci/base-transport.ts";
import { EventCode, PacketType, TransportClosed } from "../../hci/index.ts";
import type { DecodedPacket } from "../decoded-packet.ts";
import { CaptureDecoder } from "../decoder.ts";
import type { AnyCaptureRecord, CaptureRecord } from "../record.ts";
import { ReplayError } from "./error.ts";
import { Matcher } from "./matcher.ts";
import { type Script, type Step, scriptOf } from "./script.ts";

export interface ReplayOptions {
  /**
   * "strict", the default: the host sends the same packets in the same order. "lenient": those of things that go on side by side may come in
   * another order, and what chance gives - random addresses, random numbers, keys - may be other.
   */
  readonly mode?: "strict" | "lenient" | undefined;
  /** Fields of the host's packets that may be other: by their names, "randomAddress", or of one packet, "LeSetRandomAddress.randomAddress". */
  readonly ignore?: readonly string[] | undefined;
  /** The host's clock. With it events come when they came in the capture, counted from the packet before. */
  readonly clock?: Clock | undefined;
  /** "captured", the default where there is a clock; "at-once": events come as soon as what they followed has happened. */
  readonly timing?: "captured" | "at-once" | undefined;
  /** Number of the adapter, where the capture has several. */
  readonly index?: number | undefined;
}

const OPTIONS = optionNames<ReplayOptions>({ mode: true, ignore: true, clock: true, timing: true, index: true });

/** What is another every time, unless chance is seeded. */
const LENIENT_FIELDS: readonly string[] = [
  "LeSetRandomAddress.randomAddress",
  "LeSetAdvertisingSetRandomAddress.randomAddress",
  "LeEnableEncryption.randomNumber",
  "LeEnableEncryption.encryptedDiversifier",
  "longTermKey",
  "localIrk",
  "peerIrk",
  "LeEncrypt.key",
  "LeEncrypt.plaintextData",
];

/**
 * A captured session as a controller: what the host sends is compared with what the captured host sent, and what the captured controller
 * said comes in the same order, each packet after those that it followed. Where the host does something else the transport closes, with a
 * ReplayError as cause.
 */
export class ReplayTransport extends TransportBase {
  readonly #steps: readonly Step[];
  readonly #matcher: Matcher;
  readonly #isStrict: boolean;
  readonly #clock: Clock | undefined;
  readonly #isTimed: boolean;
  /** What was said here, for telling what went wrong. */
  readonly #said: CaptureRecord[] = [];
  /** The first step that is not played, and the first of the host's. */
  #at = 0;
  #hostAt = 0;
  /** When the last packet was played, by the clock and by the capture. */
  #anchor: { nowMs: number; timeMs: number };
  #awaited: Disposable | undefined;
  #error: ReplayError | undefined;

  constructor(script: Script, options: ReplayOptions) {
    super({ spec: "replay:" });
    const { mode = "strict", ignore = [], clock, timing = clock ? "captured" : "at-once" } = options;
    this.#steps = script.steps;
    this.#isStrict = mode === "strict";
    this.#matcher = new Matcher(script, this.#isStrict ? ignore : [...LENIENT_FIELDS, ...ignore]);
    this.#clock = clock;
    this.#isTimed = timing === "captured";
    this.#anchor = { nowMs: clock?.now() ?? 0, timeMs: script.steps[0]!.record.timeMs };
    this.#goOn();
  }

  readonly writable = true;

  /** What the host did that the captured one did not. */
  get error(): ReplayError | undefined {
    return this.#error;
  }

  /** Packets of the capture that were not played yet. */
  get remaining(): number {
    return this.#steps.reduce((sum, { isPlayed }) => sum + (isPlayed ? 0 : 1), 0);
  }

  /** @throws {ReplayError} the host did something else, or has not sent all that the captured one sent */
  verify(): void {
    if (this.#error) throw this.#error;
    const missing = this.#nextOfHost();
    if (missing) throw new ReplayError("unfinished", { expected: this.#expected(missing) });
  }

  send(packet: Uint8Array): void {
    if (this.isOver) return;
    const first = this.#nextOfHost();
    const record = this.#recordOf(first, packet);
    const sent = this.#matcher.read(record);
    const candidates = this.#isStrict ? [first] : this.#steps.slice(this.#hostAt).filter((candidate) => isOfHost(candidate));
    const step = candidates.find((candidate) => candidate?.isPlayed === false && this.#matcher.isMatch(candidate, sent));
    if (!step) {
      const [got, expected] = [this.#got(record), first && this.#expected(first)];
      this.#fail(new ReplayError(first ? "mismatch" : "unexpected", { expected, got }));
      return;
    }
    this.#said.push(record);
    this.#matcher.matched(step, sent);
    step.isPlayed = true;
    // A command that overtook others is answered, or its sender would not go on to send those.
    const answer = step === first ? undefined : this.#answerTo(step);
    if (answer) void this.#soon(() => this.#deliver(answer));
    this.#goOn();
  }

  protected release(): void {
    this.#awaited?.[Symbol.dispose]();
    this.#awaited = undefined;
  }

  #nextOfHost(): Step | undefined {
    for (;;) {
      const step = this.#steps[this.#hostAt];
      if (!step || (!step.isPlayed && isOfHost(step))) return step;
      this.#hostAt++;
    }
  }

  #answerTo(command: Step): Step | undefined {
    const { packet } = command.record;
    if (packet[0] !== PacketType.Command) return undefined;
    return this.#steps.find(
      (step) => step.number > command.number && !step.isPlayed && answers(step.record.packet, packet[1]!, packet[2]!),
    );
  }

  /** Sets out to deliver what comes next, unless that is the host's to send. */
  #goOn(): void {
    for (; this.#steps[this.#at]?.isPlayed; this.#at++) {
      const played = this.#steps[this.#at]!;
      // What was sent early counts from when it would have been sent.
      if (isOfHost(played)) this.#anchorAt(played);
    }
    const step = this.#steps[this.#at];
    if (!step || isOfHost(step) || this.#awaited || this.isOver) return;
    const then = (): void => {
      this.#awaited = undefined;
      if (!step.isPlayed) this.#deliver(step);
      this.#goOn();
    };
    if (this.#isTimed) {
      // Files keep microseconds; the difference of two times since 1970 has less to say.
      const passedMs = Math.round((step.record.timeMs - this.#anchor.timeMs) * 1000) / 1000;
      const dueMs = this.#anchor.nowMs + Math.max(0, passedMs);
      this.#awaited = this.#clock!.setTimer(dueMs - this.#clock!.now(), "replay", then);
    } else this.#awaited = this.#soon(then);
  }

  /** In a turn of its own, as packets of a controller come, and before simulated time passes. */
  #soon(act: () => void): Disposable {
    const held = this.#clock?.hold?.();
    let isWanted = true;
    const end = (): void => {
      isWanted = false;
      held?.[Symbol.dispose]();
    };
    void turn().then(() => {
      const isDue = isWanted;
      end();
      if (isDue) act();
    });
    return { [Symbol.dispose]: end };
  }

  #deliver(step: Step): void {
    if (this.isOver || step.isPlayed) return;
    step.isPlayed = true;
    this.#anchorAt(step);
    this.#matcher.delivered(step.record);
    this.#said.push(step.record);
    this.deliver(step.record.packet.slice());
  }

  #anchorAt({ record }: Step): void {
    this.#anchor = { nowMs: this.#clock?.now() ?? 0, timeMs: record.timeMs };
  }

  #recordOf(step: Step | undefined, packet: Uint8Array): CaptureRecord {
    const timeMs = step?.record.timeMs ?? this.#anchor.timeMs;
    return { direction: "host-to-controller", packet, timeMs, originalLength: packet.length, drops: 0 };
  }

  #fail(error: ReplayError): void {
    this.#error = error;
    this.end(new TransportClosed(error.message, { cause: error }));
  }

  /** A captured packet, with what was said before it in the capture; keys are left out. */
  #expected({ number }: Step): DecodedPacket {
    const before = this.#steps.filter((step) => step.number <= number).map(({ record }) => record);
    return { ...lastOf(before), number };
  }

  #got(record: CaptureRecord): DecodedPacket {
    return lastOf([...this.#said, record]);
  }
}

const isOfHost = ({ record }: Step): boolean => record.direction === "host-to-controller";

/** Command Complete and Command Status, Vol 4 Part E 7.7.14 and 7.7.15. */
function answers(event: Uint8Array, low: number, high: number): boolean {
  if (event[0] !== PacketType.Event) return false;
  if (event[1] === EventCode.CommandComplete) return event[4] === low && event[5] === high;
  return event[1] === EventCode.CommandStatus && event[5] === low && event[6] === high;
}

function lastOf(records: readonly CaptureRecord[]): DecodedPacket {
  const decoder = new CaptureDecoder();
  let last: DecodedPacket | undefined;
  for (const record of records) last = decoder.decode(record);
  return last!;
}

/**
 * Plays a captured session to a host: `Device.open(replayTransport(file))`. Same results as then, with no radio and no air.
 *
 * @param capture a capture file of any kind, or its records
 * @throws {ArgumentError} there is nothing to play, packets are missing, or unknown options
 * @throws {CaptureError} the file is damaged
 */
export function replayTransport(capture: Uint8Array | Iterable<AnyCaptureRecord>, options: ReplayOptions = {}): ReplayTransport {
  checkOptions("replayTransport", options, OPTIONS);
  const { mode = "strict", ignore = [], timing, clock, index } = options;
  checkChoice("replayTransport: mode", mode, ["strict", "lenient"]);
  if (timing !== undefined) checkChoice("replayTransport: timing", timing, ["captured", "at-once"]);
  if (timing === "captured" && !clock) throw new ArgumentError('replayTransport: timing "captured" needs a clock');
  if (index !== undefined) checkInteger("replayTransport: index", index, 0, 0xfffe);
  if (!Array.isArray(ignore) || ignore.some((name) => typeof name !== "string"))
    throw new ArgumentError(`replayTransport: ignore: expected names of fields, got ${kindOf(ignore)}`);
  if (typeof capture !== "object" || capture === null || !(Symbol.iterator in capture))
    throw new ArgumentError(`replayTransport: capture: expected a file or its records, got ${kindOf(capture)}`);
  return new ReplayTransport(scriptOf(capture, { index, isStrict: mode === "strict" }), options);
}
