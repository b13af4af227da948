import { TransportError } from "../../hci/transport.ts";

export const SERIAL_FORM =
  "serial:PORT[@BAUD][,h4|,h5][,flow=none|hardware|software][,parity=none|even|odd], for example serial:/dev/ttyACM0@1000000";

/** What a serial controller is asked for where its spec does not say otherwise: what most have when they are switched on. */
const BAUD_RATE = 115_200;
const HIGHEST_BAUD_RATE = 100_000_000;

export interface Framing {
  readonly framing: "h4" | "h5";
}

export interface SerialSpec extends Framing {
  /** "/dev/ttyACM0", "/dev/serial/by-id/…", "COM3". */
  readonly path: string;
  readonly baudRate: number;
  /** Software flow control is part of H5; in H4 it would damage the packets. */
  readonly flow: "none" | "hardware" | "software";
  readonly parity: "none" | "even" | "odd";
}

const FLOWS = ["none", "hardware", "software"] as const;
const PARITIES = ["none", "even", "odd"] as const;

/**
 * H4 has 8 data bits, no parity and hardware flow control (Vol 4 Part A 3), H5 even parity and needs no flow control (Vol 4 Part D 9).
 *
 * @throws {TransportError} with one sentence
 */
export function parseSerialSpec(spec: string, text: string): SerialSpec {
  const [port = "", ...words] = text.split(",");
  const [, path = "", baud] = /^(.*?)(?:@(\d+))?$/.exec(port) ?? [];
  const baudRate = baud === undefined ? BAUD_RATE : Number(baud);
  const malformed = (problem: string): TransportError =>
    new TransportError("unknown-spec", `transport "${spec}": ${problem}: expected ${SERIAL_FORM}`);
  if (path === "") throw malformed("no port");
  if (baudRate < 1 || baudRate > HIGHEST_BAUD_RATE) throw malformed(`${baud} baud cannot be`);
  let framing: SerialSpec["framing"] | undefined;
  let flow: SerialSpec["flow"] | undefined;
  let parity: SerialSpec["parity"] | undefined;
  for (const word of words) {
    if ((word === "h4" || word === "h5") && framing === undefined) framing = word;
    else if (word.startsWith("flow=") && flow === undefined) flow = FLOWS.find((name) => word === `flow=${name}`) ?? fail(word);
    else if (word.startsWith("parity=") && parity === undefined) parity = PARITIES.find((name) => word === `parity=${name}`) ?? fail(word);
    else fail(word);
  }
  function fail(word: string): never {
    throw malformed(`"${word}" says nothing`);
  }
  framing ??= "h4";
  if (framing === "h4" && flow === "software") throw malformed("H4 has no software flow control, its packets hold any octet");
  return {
    path,
    baudRate,
    framing,
    flow: flow ?? (framing === "h4" ? "hardware" : "none"),
    parity: parity ?? (framing === "h4" ? "none" : "even"),
  };
}

/** What follows the path of "pty:". @throws {TransportError} with one sentence */
export function parsePtySpec(spec: string, text: string): Framing & { readonly path: string | undefined } {
  const match = /^(\/[^,]*)?(?:,(h4|h5))?$/.exec(text);
  if (!match) throw new TransportError("unknown-spec", `transport "${spec}": expected pty:[/LINK/PATH][,h4|,h5]`);
  return { path: match[1], framing: match[2] === "h5" ? "h5" : "h4" };
}
