import { rethrowLater } from "../../async/call-out.ts";
import { type Clock, delay } from "../../async/clock.ts";
import { DecodeError } from "../../bytes/decode-error.ts";
import type { McumgrLink } from "../../mcumgr/links/link.ts";
import { encodeAnswer } from "../../mcumgr/protocol/answer.ts";
import { type CborMap, decodeCbor } from "../../mcumgr/protocol/cbor.ts";
import { McumgrReturnCode } from "../../mcumgr/protocol/codes.ts";
import { decodeHeader, MCUMGR_HEADER_LENGTH, type McumgrHeader } from "../../mcumgr/protocol/header.ts";
import { splitMessages } from "../../mcumgr/protocol/message.ts";
import { type McumgrFault, type McumgrFaults, type SeenRequest, tamperingOf, withWrongOffset } from "./faults.ts";
import { FlashFailure, PowerLost, type PowerSession } from "./flash.ts";
import type { McumgrCounters, McumgrRecord } from "./record.ts";
import { Refusal, refusalPayload, type Served, type ServedGroup } from "./service.ts";

/** A peer that does not read what it asked for holds up the others no longer than this. */
const SENDING_TIMEOUT_MS = 5000;

/** A record without its time. */
export type McumgrRecordEntry = McumgrRecord extends infer R ? (R extends unknown ? Omit<R, "atMs"> : never) : never;

export interface ServerRunOptions {
  readonly clock: Clock;
  readonly power: PowerSession;
  readonly groups: () => readonly ServedGroup[];
  readonly bufSize: number;
  readonly bufCount: number;
  /** Milliseconds between taking a request up and doing it. */
  readonly processingMs: number;
  /** Codes of groups only where the second version was asked for, or never. */
  readonly errors: "by-version" | "first-only";
  readonly refusesFirstVersion: boolean;
  /** `rc` 0 stands in every success. */
  readonly alwaysRc: boolean;
  readonly faults: McumgrFaults;
  readonly counters: McumgrCounters;
  record(entry: McumgrRecordEntry): void;
  onRequest(request: SeenRequest): void;
  /** A fault of the device itself. */
  strike(fault: McumgrFault): void;
  /** The memory takes what is written again. */
  relieve(): void;
}

interface Job {
  readonly link: McumgrLink;
  readonly packet: Uint8Array;
  /** The buffer of its first answer is taken already. */
  hasAnswerBuffer: boolean;
}

/**
 * The server of one run of the device: a pool of buffers, which requests and answers of all links share, and one work queue. A packet that finds
 * no free buffer is lost; a request whose answer finds none is answered with rc 2.
 */
export class ServerRun {
  readonly #options: ServerRunOptions;
  readonly #queue: Job[] = [];
  #inUse = 0;
  #working = false;

  constructor(options: ServerRunOptions) {
    this.#options = options;
  }

  /** A packet has arrived; it may hold several messages. @param frameOctets what else of it a buffer holds */
  receive(link: McumgrLink, packet: Uint8Array, frameOctets = 0): void {
    const { bufSize, record, counters } = this.#options;
    const why =
      packet.length + frameOctets > bufSize
        ? "too-long"
        : packet.length < MCUMGR_HEADER_LENGTH
          ? "too-short"
          : !this.#isFull() && this.#take()
            ? undefined
            : "no-buffer";
    if (why !== undefined) {
      counters.lost++;
      record({ kind: "lost", why, length: packet.length });
      return;
    }
    // A datagram's server takes the request up at once, and the answer's buffer with it; lines of a burst have all arrived before.
    const hasAnswerBuffer = link.info.kind === "udp" && !this.#working && this.#take();
    this.#queue.push({ link, packet, hasAnswerBuffer });
    if (!this.#working) void this.#work();
  }

  #take(): boolean {
    const { counters } = this.#options;
    if (this.#inUse >= this.#pool) return false;
    this.#inUse++;
    counters.peakBuffers = Math.max(counters.peakBuffers, this.#inUse);
    return true;
  }

  /** With a single buffer the answer is made where the request was, and nothing else is taken meanwhile. */
  get #pool(): number {
    return Math.max(2, this.#options.bufCount);
  }
  #isFull(): boolean {
    return this.#options.bufCount === 1 && this.#inUse > 0;
  }

  #give(): void {
    this.#inUse--;
  }

  async #work(): Promise<void> {
    const { clock, power, processingMs } = this.#options;
    this.#working = true;
    try {
      while (this.#queue.length > 0) {
        if (processingMs > 0) await delay(clock, processingMs, { signal: power.signal, name: "mcumgr server" });
        else await Promise.resolve();
        power.check();
        await this.#do(this.#queue.shift()!);
      }
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
    } finally {
      this.#working = false;
    }
  }

  async #do(job: Job): Promise<void> {
    try {
      for (const message of splitMessages(job.packet)) await this.#serve(job, message);
    } catch (error) {
      if (error instanceof PowerLost) throw error;
      rethrowLater(error); // of a fault's own function; the server goes on
    } finally {
      if (job.hasAnswerBuffer) this.#give();
      this.#give();
    }
  }

  async #serve(job: Job, message: Uint8Array): Promise<void> {
    if (message.length < MCUMGR_HEADER_LENGTH) return;
    const { counters } = this.#options;
    const hasBuffer = job.hasAnswerBuffer || this.#take();
    job.hasAnswerBuffer = false;
    let isHeld = false;
    try {
      const header = decodeHeader(message);
      const request = this.#read(header, message);
      if (!hasBuffer) {
        counters.noBuffer++;
        const payload = { rc: McumgrReturnCode.NoMemory };
        await this.#send(job.link, this.#encode(header, payload), request, payload);
        return;
      }
      isHeld = await this.#answer(job.link, header, request);
    } finally {
      if (hasBuffer && !isHeld) this.#give();
    }
  }

  /** What was asked; with `problem` where the server refuses before it asks who serves it. */
  #read(header: McumgrHeader, message: Uint8Array): SeenRequest & { served?: Served; problem?: number } {
    const { group, command, op, sequence, version } = header;
    const served = this.#options
      .groups()
      .find(({ id }) => id === group)
      ?.find(command, op);
    const title = served?.title ?? `group ${group} command ${command} op ${op}`;
    const request = { title, group, command, op, sequence, version, payload: {} };
    if (version > 1) return { ...request, problem: McumgrReturnCode.TooNew };
    if (version === 0 && this.#options.refusesFirstVersion) return { ...request, problem: McumgrReturnCode.TooOld };
    if (message.length < MCUMGR_HEADER_LENGTH + header.length) return { ...request, problem: McumgrReturnCode.Corrupt };
    if (served === undefined) return { ...request, problem: McumgrReturnCode.NotSupported };
    if (header.length === 0) return served.takesNothing ? { ...request, served } : { ...request, problem: McumgrReturnCode.Invalid };
    try {
      return { ...request, served, payload: decodeCbor(message, MCUMGR_HEADER_LENGTH) };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return { ...request, problem: McumgrReturnCode.Invalid };
    }
  }

  /** True where the answer goes out later and its buffer with it. */
  async #answer(link: McumgrLink, header: McumgrHeader, request: SeenRequest & { served?: Served; problem?: number }): Promise<boolean> {
    const { counters, record, clock, power, onRequest, strike } = this.#options;
    const off = typeof request.payload.off === "number" ? { off: request.payload.off } : {};
    counters.requests++;
    record({ kind: "request", title: request.title, sequence: request.sequence, ...off, length: MCUMGR_HEADER_LENGTH + header.length });
    onRequest(request);
    const faults = this.#options.faults.take(request);
    for (const fault of faults) {
      if (fault.kind === "slow") await delay(clock, fault.ms, { signal: power.signal, name: "mcumgr server" });
      if ((fault.kind === "reset" || fault.kind === "power-cut") && !fault.after) {
        strike(fault);
        power.check();
      }
      if (fault.kind === "full" || fault.kind === "noise") strike(fault);
      if (fault.kind === "lose-request") {
        counters.lost++;
        record({ kind: "lost", why: "fault", length: MCUMGR_HEADER_LENGTH + header.length });
        return false;
      }
    }
    const payload = withWrongOffset(await this.#handle(link, request, faults), faults);
    if (faults.some(({ kind }) => kind === "full")) this.#options.relieve();
    for (const fault of faults) {
      if (fault.kind !== "reset" && fault.kind !== "power-cut") continue;
      strike(fault);
      power.check();
    }
    const packets = this.#packets(header, payload, faults);
    const late = faults.find((fault) => fault.kind === "late-answer");
    if (late === undefined) {
      for (const packet of packets) await this.#send(link, packet, request, payload);
      return false;
    }
    clock.setTimer(late.ms, "late answer", () => {
      this.#give();
      if (power.isOn) for (const packet of packets) void this.#send(link, packet, request, payload).catch(() => undefined);
    });
    return true;
  }

  async #handle(
    link: McumgrLink,
    request: SeenRequest & { served?: Served; problem?: number },
    faults: readonly McumgrFault[],
  ): Promise<CborMap> {
    const { power, alwaysRc, errors } = this.#options;
    if (request.problem !== undefined) return { rc: request.problem };
    const version = errors === "first-only" ? 0 : request.version;
    try {
      const forced = faults.find((fault) => fault.kind === "error");
      if (forced !== undefined) throw new Refusal(forced.group, forced.rc);
      if (faults.some((fault) => fault.kind === "full") && request.group === 8) throw new Refusal(8, 10);
      const context = { power, link, version, tampering: tamperingOf(faults) };
      const payload = await request.served!.handle(request.payload, context);
      power.check();
      return alwaysRc ? { rc: 0, ...payload } : payload;
    } catch (error) {
      if (error instanceof Refusal) return refusalPayload(error, version);
      if (error instanceof PowerLost) throw error;
      if (error instanceof FlashFailure)
        return refusalPayload(request.group === 1 ? new Refusal(1, 12) : new Refusal(undefined, 1), version);
      rethrowLater(error);
      return { rc: McumgrReturnCode.Unknown };
    }
  }

  #packets(header: McumgrHeader, payload: CborMap, faults: readonly McumgrFault[]): Uint8Array[] {
    let packets = [this.#encode(header, payload)];
    for (const fault of faults) {
      if (fault.kind === "lose-answer") packets = [];
      if (fault.kind === "duplicate-answer") packets = packets.flatMap((packet) => [packet, packet.slice()]);
      if (fault.kind === "wrong-sequence") {
        for (const packet of packets) packet[6] = (packet[6]! + fault.by) & 0xff;
      }
      if (fault.kind === "mangle") {
        packets = packets.flatMap((packet) => {
          const made = fault.mangle(packet);
          return made === undefined ? [] : made instanceof Uint8Array ? [made] : [...made];
        });
      }
    }
    return packets;
  }

  /** An answer that no buffer holds becomes rc 7. */
  #encode(request: McumgrHeader, payload: CborMap): Uint8Array {
    const packet = encodeAnswer(request, payload);
    return packet.length <= this.#options.bufSize ? packet : encodeAnswer(request, { rc: McumgrReturnCode.MessageSize });
  }

  async #send(link: McumgrLink, packet: Uint8Array, { title, sequence }: SeenRequest, { rc, off }: CborMap): Promise<void> {
    const { power, record, counters } = this.#options;
    try {
      await link.send(packet, { signal: power.signal, timeoutMs: SENDING_TIMEOUT_MS });
    } catch {
      power.check();
      return; // whoever asked is gone; the others are served
    }
    counters.answers++;
    const numbers = { ...(typeof rc === "number" ? { rc } : {}), ...(typeof off === "number" ? { off } : {}) };
    record({ kind: "answer", title, sequence, ...numbers, length: packet.length });
  }
}
