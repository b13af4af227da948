import { checkInteger, checkOctets } from "../../core/arguments.ts";
import { MessageTooLongError } from "../protocol/error.ts";
import { base64Length, decodeBase64, encodeBase64 } from "./base64.ts";

const FRAME_START = [0x06, 0x09] as const;
const FRAME_CONTINUED = [0x04, 0x14] as const;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** Marker and line feed. */
const LINE_OVERHEAD = 3;
/** Length before the message and checksum behind it. */
const FRAME_OVERHEAD = 4;
/** The length field counts the checksum. */
export const LONGEST_FRAMED_MESSAGE = 0xffff - 2;
/** A whole frame could come on one line. */
const LONGEST_LINE = base64Length(LONGEST_FRAMED_MESSAGE + FRAME_OVERHEAD) + LINE_OVERHEAD + 1;
/** Line length of the servers' own buffers, and octets that their lines hold: the first, and each that follows. */
const SERVER_LINE_OCTETS = { first: 93, following: 90 } as const;
/** What a server's last line holds at least: its checksum, and an octet before. */
const SERVER_LEAST_REST = 3;

/** CRC-16/XMODEM: polynomial 0x1021, from 0, nothing reflected. */
export function crc16(octets: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < octets.length; i++) crc = ((crc << 8) ^ CRC_TABLE[((crc >> 8) ^ octets[i]!) & 0xff]!) & 0xffff;
  return crc;
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export interface ConsoleFrameOptions {
  /**
   * Room of a line in the receiver's buffers, in octets; a line has at most one less. From 8; 128 by default. With the layout "server" it is
   * one's own room, and a longer line that comes is dropped.
   */
  readonly lineLength?: number | undefined;
  /** "client" fills each line; "server" cuts the lines as a Zephyr server does, at most 127 octets whatever `lineLength` is. */
  readonly layout?: "client" | "server" | undefined;
}

/**
 * A message as lines for a console, each with marker and line feed.
 *
 * @throws {MessageTooLongError} over 65,533 octets
 * @throws {ArgumentError}
 */
export function encodeConsoleFrame(message: Uint8Array, { lineLength = 128, layout = "client" }: ConsoleFrameOptions = {}): Uint8Array[] {
  checkOctets("encodeConsoleFrame: message", message);
  checkInteger("encodeConsoleFrame: lineLength", lineLength, 8, LONGEST_LINE);
  if (message.length > LONGEST_FRAMED_MESSAGE) throw new MessageTooLongError(message.length, LONGEST_FRAMED_MESSAGE);
  const body = new Uint8Array(message.length + FRAME_OVERHEAD);
  const view = new DataView(body.buffer);
  view.setUint16(0, message.length + 2);
  body.set(message, 2);
  view.setUint16(message.length + 2, crc16(message));
  const perLine = Math.floor((lineLength - LINE_OVERHEAD - 1) / 4) * 3;
  const lines: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    let take = Math.min(left, layout === "client" ? perLine : at === 0 ? SERVER_LINE_OCTETS.first : SERVER_LINE_OCTETS.following);
    if (layout === "server" && take < left && left - take < SERVER_LEAST_REST) take -= 3;
    const line = new Uint8Array(LINE_OVERHEAD + base64Length(take));
    line.set(at === 0 ? FRAME_START : FRAME_CONTINUED);
    line[encodeBase64(body.subarray(at, at + take), line, 2)] = LINE_FEED;
    lines.push(line);
    at += take;
  }
  return lines;
}

/** Why lines with markers came to nothing. */
export type ConsoleFault =
  /** The checksum does not fit the message, or the announced length has no room for one. */
  | "bad-crc"
  | "bad-base64"
  /** The first line of a frame has no room for the length. */
  | "short-start"
  /** A line that goes on with a frame, and none is open. */
  | "orphan-continuation"
  /** A new frame began before the last one was whole. */
  | "restart"
  /** More came than the frame announced. */
  | "overrun"
  /** A marker in the midst of a line. */
  | "cut-line"
  | "line-too-long";

export interface ConsoleDecoderHandlers {
  onMessage: (message: Uint8Array) => void;
  /** Octets outside frames, in order; valid during the call. */
  onText?: ((text: Uint8Array) => void) | undefined;
  onFault?: ((fault: ConsoleFault) => void) | undefined;
}

/**
 * Takes what a console sends apart: messages, and everything else. A frame that is damaged is dropped; the next one is found whatever came
 * before. Holds one line and one frame at most, some 160 KB.
 */
export class ConsoleDecoder {
  readonly #handlers: ConsoleDecoderHandlers;
  readonly #longestLine: number;
  /** Outside of lines with markers, within one of that kind, or behind one that was too long. */
  #in: "text" | "start" | "continued" | "skipped" = "text";
  /** The first octet of a marker that came last. */
  #half = 0;
  #line = new Uint8Array(256);
  #lineLength = 0;
  /** The octets that the open frame announced behind its length; 0 while none is open. */
  #announced = 0;
  /** What has come of it. Grows with what comes, not with what is announced. */
  #frame = new Uint8Array(256);
  #filled = 0;

  /** @param longestLine octets of a line that are taken, marker and line feed included; a longer one is dropped */
  constructor(handlers: ConsoleDecoderHandlers, longestLine = LONGEST_LINE) {
    this.#handlers = handlers;
    this.#longestLine = longestLine - LINE_OVERHEAD;
  }

  /** A frame has begun that is not whole yet, or a line. */
  get isPending(): boolean {
    return this.#announced > 0 || this.#in === "start" || this.#in === "continued";
  }

  push(octets: Uint8Array): void {
    let textFrom = 0;
    const giveText = (to: number): void => {
      if (to > textFrom) this.#handlers.onText?.(octets.subarray(textFrom, to));
    };
    for (let at = 0; at < octets.length; at++) {
      const octet = octets[at]!;
      if (this.#half !== 0) {
        const isStart = this.#half === FRAME_START[0] && octet === FRAME_START[1];
        if (isStart || (this.#half === FRAME_CONTINUED[0] && octet === FRAME_CONTINUED[1])) {
          this.#half = 0;
          if (this.#in === "text") giveText(at - 1);
          this.#beginLine(isStart ? "start" : "continued");
          textFrom = at + 1;
          continue;
        }
        const half = this.#half;
        this.#half = 0;
        if (this.#in !== "text") this.#keep(half);
        // Held back from the piece before, where it was the last octet.
        else if (at === 0) this.#handlers.onText?.(Uint8Array.of(half));
      }
      if (octet === FRAME_START[0] || octet === FRAME_CONTINUED[0]) this.#half = octet;
      else if (this.#in === "text") continue;
      else if (octet !== LINE_FEED) this.#keep(octet);
      else {
        this.#endLine();
        textFrom = at + 1;
      }
    }
    if (this.#in === "text") giveText(octets.length - (this.#half === 0 ? 0 : 1));
  }

  /** Forgets what has begun. */
  reset(): void {
    if (this.#in === "text" && this.#half !== 0) this.#handlers.onText?.(Uint8Array.of(this.#half));
    this.#in = "text";
    this.#half = 0;
    this.#dropFrame();
  }

  #beginLine(kind: "start" | "continued"): void {
    if (this.#in === "start" || this.#in === "continued") {
      // The line lost its end, and something of the next one perhaps: what is open cannot become whole.
      this.#dropFrame();
      this.#handlers.onFault?.("cut-line");
    }
    this.#in = kind;
    this.#lineLength = 0;
  }

  #keep(octet: number): void {
    if (this.#in === "skipped") return;
    if (this.#lineLength === this.#longestLine) {
      this.#in = "skipped";
      this.#dropFrame();
      this.#handlers.onFault?.("line-too-long");
      return;
    }
    if (this.#lineLength === this.#line.length) this.#line = grown(this.#line, this.#lineLength + 1);
    this.#line[this.#lineLength++] = octet;
  }

  #endLine(): void {
    const kind = this.#in;
    this.#in = "text";
    if (kind === "skipped") return;
    let end = this.#lineLength;
    while (end > 0 && this.#line[end - 1] === CARRIAGE_RETURN) end--;
    const fault = this.#takeLine(kind === "start", this.#line.subarray(0, end));
    if (fault === undefined) return;
    this.#dropFrame();
    this.#handlers.onFault?.(fault);
  }

  /** @returns what is wrong with it */
  #takeLine(isStart: boolean, characters: Uint8Array): ConsoleFault | undefined {
    if (isStart && this.#announced > 0) {
      this.#dropFrame();
      this.#handlers.onFault?.("restart");
    }
    if (!isStart && this.#announced === 0) return "orphan-continuation";
    let octets = decodeBase64(characters);
    if (!octets) return "bad-base64";
    if (isStart) {
      if (octets.length < 2) return "short-start";
      const announced = (octets[0]! << 8) | octets[1]!;
      octets = octets.subarray(2);
      if (announced < 2) return "bad-crc";
      this.#announced = announced;
    }
    const filled = this.#filled + octets.length;
    if (filled > this.#announced) return "overrun";
    if (filled > this.#frame.length) this.#frame = grown(this.#frame, filled);
    this.#frame.set(octets, this.#filled);
    this.#filled = filled;
    if (filled < this.#announced) return undefined;
    const message = this.#frame.slice(0, filled - 2);
    if (crc16(message) !== ((this.#frame[filled - 2]! << 8) | this.#frame[filled - 1]!)) return "bad-crc";
    this.#dropFrame();
    this.#handlers.onMessage(message);
    return undefined;
  }

  #dropFrame(): void {
    this.#announced = 0;
    this.#filled = 0;
  }
}

function grown(octets: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(Math.max(length, octets.length * 2));
  longer.set(octets);
  return longer;
}
