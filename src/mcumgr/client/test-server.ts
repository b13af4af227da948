import { sha256 } from "@noble/hashes/sha2.js";
import type { VirtualClock } from "../../async/virtual-clock.ts";
import { crc32 } from "../../bytes/crc32.ts";
import { concat, equalBytes } from "../../bytes/hex.ts";
import type { McumgrLink } from "../links/link.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { decodeMessage, encodeMessage, type McumgrMessage } from "../protocol/message.ts";

export interface TestServerOptions {
  readonly bufSize?: number;
  readonly bufCount?: number;
  /** No answer to "parameters" but NotSupported. */
  readonly secretive?: boolean;
  readonly processMs?: number;
  readonly eraseMs?: number;
  /** As MCUboot's serial recovery: no digest, `rc` in every answer. */
  readonly recovery?: boolean;
  /** Flash is written in units of so many octets: chunks are cut. */
  readonly unit?: number;
  /** Compares the digest at the end. */
  readonly checks?: boolean;
  /** Takes only this version of the protocol. */
  readonly version?: number;
  /** Errors of groups in the first version's form. */
  readonly folds?: boolean;
  readonly noHash?: boolean;
  /** "crc32" by default; "none" answers that it knows no such type. */
  readonly hashType?: "crc32" | "sha256" | "adler" | "none";
  /** Octets of a file in one answer. */
  readonly piece?: number;
}

/** A small server that keeps the rules of spec 4, 5 and 9.2, for tests of the client. */
export class TestServer {
  readonly clock: VirtualClock;
  readonly options: TestServerOptions;
  readonly files = new Map<string, Uint8Array>();
  /** Every request that was handled. */
  readonly handled: McumgrMessage[] = [];
  image: Uint8Array = new Uint8Array(0);
  complete = false;
  erases = 0;
  mostAtOnce = 0;
  /** Requests that found no buffer. */
  overrun = 0;
  /** What becomes of a request: "lost" before or "mute" after it was handled, answered "twice", or as a function says. */
  fault: ((message: McumgrMessage, index: number) => "lost" | "mute" | "twice" | number | CborMap | undefined) | undefined;
  onHandled: ((index: number) => void) | undefined;
  #index = 0;
  #queue: { link: McumgrLink; message: McumgrMessage }[] = [];
  #busy = false;
  #upload: { sha: Uint8Array | undefined; length: number; off: number; data: Uint8Array } | undefined;

  constructor(clock: VirtualClock, options: TestServerOptions = {}) {
    this.clock = clock;
    this.options = options;
  }

  attach(link: McumgrLink): void {
    link.onMessage = (octets) => this.#receive(link, octets);
  }

  /** The power was cut. */
  reboot(): void {
    this.#upload = undefined;
    this.#queue = [];
  }

  #receive(link: McumgrLink, octets: Uint8Array): void {
    const message = decodeMessage(octets);
    const index = this.#index++;
    const fault = this.fault?.(message, index);
    if (fault === "lost") return;
    const held = this.#queue.length + (this.#busy ? 2 : 0);
    if (held >= (this.options.bufCount ?? 4)) {
      this.overrun++;
      return;
    }
    this.#queue.push({ link, message: fault === undefined ? message : (Object.assign(message, { fault }) as McumgrMessage) });
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#queue.length + (this.#busy ? 1 : 0));
    this.#next();
  }

  #next(): void {
    const first = this.#busy ? undefined : this.#queue.shift();
    if (!first) return;
    this.#busy = true;
    const { processMs = 1 } = this.options;
    const erases = this.erases;
    const { fault } = first.message as McumgrMessage & { fault?: "mute" | "twice" | number | CborMap };
    this.handled.push(first.message);
    const payload = typeof fault === "object" ? fault : this.#handle(first.message);
    const ms = processMs + (this.erases > erases ? (this.options.eraseMs ?? 0) : 0) + (typeof fault === "number" ? fault : 0);
    this.clock.setTimer(ms, "test server", () => {
      this.#busy = false;
      const { header } = first.message;
      const answer = encodeMessage({ ...header, op: header.op + 1 }, payload, "indefinite");
      for (let i = fault === "mute" ? 1 : fault === "twice" ? -1 : 0; i < 1; i++) first.link.send(answer).catch(() => undefined);
      this.onHandled?.(this.handled.length - 1);
      this.#next();
    });
  }

  #handle({ header, payload }: McumgrMessage): CborMap {
    const { version, folds } = this.options;
    if (version !== undefined && header.version !== version) return { rc: header.version > version ? 13 : 12 };
    const fail = (rc: number, more: CborMap = {}): CborMap =>
      header.version === 0 || folds ? { rc: rc === 8 ? 8 : 1, ...more } : { err: { group: header.group, rc }, ...more };
    switch (`${header.group}/${header.command}/${header.op}`) {
      case "0/0/2":
        return { r: payload.d as string };
      case "0/6/0":
        return this.options.secretive ? { rc: 8 } : { buf_size: this.options.bufSize ?? 1024, buf_count: this.options.bufCount ?? 4 };
      case "0/5/2":
        return {};
      case "1/1/2":
      case "64/1/2":
        return { ...(this.options.recovery && { rc: 0 }), ...this.#chunk(payload, fail) };
      case "8/0/2":
        return this.#write(payload, fail);
      case "8/0/0":
        return this.#read(payload, fail);
      case "8/1/0": {
        const file = this.files.get(payload.name as string);
        return file ? { len: file.length } : fail(3);
      }
      case "8/2/0":
        return this.#hash(payload, fail);
      default:
        return { rc: 8 };
    }
  }

  #chunk(payload: CborMap, fail: (rc: number) => CborMap): CborMap {
    const off = payload.off as number;
    const data = payload.data as Uint8Array;
    const { recovery, unit = 1, checks } = this.options;
    const upload = this.#upload;
    if (off === 0) {
      const sha = payload.sha as Uint8Array | undefined;
      if (!recovery && upload?.sha && sha && equalBytes(sha, upload.sha)) return { off: upload.off };
      const length = payload.len as number;
      if (length === undefined) return fail(21);
      if (checks && sha && this.complete && equalBytes(sha, sha256(this.image))) return { off: length, match: true };
      this.erases++;
      this.complete = false;
      this.#upload = { sha, length, off: 0, data: new Uint8Array(length) };
    } else if (off !== (upload?.off ?? 0)) return { off: upload?.off ?? 0 };
    const now = this.#upload!;
    const end = off + data.length;
    if (end > now.length) return fail(31);
    const taken = end === now.length ? data.length : data.length - (end % unit);
    now.data.set(data.subarray(0, taken), off);
    now.off = off + taken;
    if (now.off < now.length) return { off: now.off };
    this.image = now.data;
    this.complete = true;
    this.#upload = undefined;
    return { off: now.length, ...(checks && now.sha && { match: equalBytes(now.sha, sha256(now.data)) }) };
  }

  #write({ off, name, len, data }: CborMap, fail: (rc: number, more?: CborMap) => CborMap): CborMap {
    if (off === 0 && len === undefined) return { rc: 3 };
    const file = off === 0 ? new Uint8Array(0) : (this.files.get(name as string) ?? new Uint8Array(0));
    if (off !== file.length) return fail(11, this.options.folds ? {} : { len: file.length });
    this.files.set(name as string, concat(file, data as Uint8Array));
    return { off: file.length + (data as Uint8Array).length };
  }

  #read({ off, name }: CborMap, fail: (rc: number) => CborMap): CborMap {
    const file = this.files.get(name as string);
    if (!file) return fail(3);
    const at = off as number;
    return { off: at, data: file.slice(at, at + (this.options.piece ?? 500)), ...(at === 0 && { len: file.length }) };
  }

  #hash({ name, len }: CborMap, fail: (rc: number) => CborMap): CborMap {
    const file = this.files.get(name as string);
    if (this.options.noHash) return { rc: 8 };
    if (!file) return fail(3);
    if (file.length === 0) return fail(16);
    const part = file.subarray(0, (len as number | undefined) ?? file.length);
    const { hashType = "crc32" } = this.options;
    if (hashType === "none") return fail(13);
    return { type: hashType, len: part.length, output: hashType === "sha256" ? sha256(part) : crc32(part) };
  }
}
