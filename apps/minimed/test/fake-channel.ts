import { type OperationOptions, VirtualClock } from "jelling/async";
import { AttError, AttErrorCode } from "jelling/att";
import { fromHex, toHex } from "jelling/bytes";
import { Logger, LogLevel, TimeoutError } from "jelling/core";
import { DeliveryProtection } from "../src/connector/delivery-protection.ts";
import type { PumpChannel } from "../src/connector/pump-channel.ts";
import { StatusPush } from "../src/connector/status-push.ts";
import type { PumpError } from "../src/error.ts";

type Answer = string | Error | undefined;
interface Request {
  readonly name: string;
  readonly hex: string;
  readonly e2eCrc: boolean;
}
/** What a pump does with a request: it may send, and gives the indications that it answers with. `undefined` is silence. */
export type PumpAnswer = (request: Request, pump: FakeChannel) => Answer | readonly Answer[] | Promise<Answer | readonly Answer[]>;

/**
 * A channel to a pump of which each answer is the test's: what readers make of them, without a link. Values and answers are plaintext in
 * hexadecimal; an error is thrown.
 */
export class FakeChannel implements Disposable {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly logger = new Logger("", LogLevel.Info, (_level, _scope, message) => void this.log.push(message));
  readonly push = new StatusPush();
  readonly delivery = new DeliveryProtection();
  readonly asked: string[] = [];
  readonly values: Record<string, Answer> = {};
  readonly missing = new Set<string>();
  readonly #ending = new AbortController();
  answer: PumpAnswer = () => undefined;
  largestPlaintext = 178;
  heardAtMs = 0;
  identity = undefined;
  ended: PumpError | undefined;
  onMeasurement: ((plaintext: Uint8Array) => void) | undefined;
  onHistoryData: ((plaintext: Uint8Array) => void) | undefined;
  onCommandData: ((plaintext: Uint8Array) => void) | undefined;
  onLoss: (() => void) | undefined;
  /** Whether another operation waits. */
  isWanted = false;
  readonly signal = this.#ending.signal;

  /** As the readers take it. */
  get channel(): PumpChannel {
    return this as unknown as PumpChannel;
  }

  has(name: string): boolean {
    return !this.missing.has(name);
  }
  exclusively<T>(_operation: string, { signal }: OperationOptions, run: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    return run();
  }
  readPlain(name: string): Promise<Uint8Array> {
    this.asked.push(name);
    const value = this.values[name] ?? new AttError({ requestOpcode: 0x0a, attributeHandle: 1, errorCode: AttErrorCode.ReadNotPermitted });
    return value instanceof Error ? Promise.reject(value) : Promise.resolve(fromHex(value));
  }
  readSealed(name: string): Promise<Uint8Array> {
    return this.readPlain(name);
  }
  async optional<T>(name: string, read: () => Promise<T>): Promise<T | undefined> {
    if (!this.has(name)) return undefined;
    try {
      return await read();
    } catch (error) {
      if (error instanceof AttError) return undefined;
      throw error;
    }
  }

  async exchange<T>(
    name: string,
    { opcode, operand, e2eCrc }: { opcode: number; operand: Uint8Array; e2eCrc: boolean },
    onResponse: (plaintext: Uint8Array) => T | undefined,
    { signal, onTaken }: { signal?: AbortSignal; onTaken?: () => void } = {},
  ): Promise<T> {
    const wide = name === "iddStatusReader" || name === "iddCommand" ? [opcode & 0xff, opcode >> 8] : [opcode];
    const hex = toHex(Uint8Array.of(...wide, ...operand));
    this.asked.push(hex);
    onTaken?.();
    const given = await this.answer({ name, hex, e2eCrc }, this);
    const answers = Array.isArray(given) ? (given as readonly Answer[]) : [given as Answer];
    for (const answer of answers) {
      if (signal?.aborted) throw signal.reason;
      if (answer instanceof Error) throw answer;
      const result = answer === undefined ? undefined : onResponse(fromHex(answer));
      if (result !== undefined) return result;
    }
    if (signal?.aborted) throw signal.reason;
    throw new TimeoutError(`request ${hex}`, 10_000);
  }

  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]();
  }
}
