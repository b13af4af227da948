import { ArgumentError, checkOctets } from "../../core/index.ts";
import { Redactor } from "../../hci/index.ts";
import { readCapture } from "../capture-reader.ts";
import { type AnyCaptureRecord, type CaptureRecord, isMonitorRecord } from "../record.ts";

/** One packet of the session that is played. */
export interface Step {
  readonly record: CaptureRecord;
  /** Place in the capture, from 1. */
  readonly number: number;
  isPlayed: boolean;
}

/** A session of one adapter, as a capture has it. */
export interface Script {
  readonly steps: readonly Step[];
  /** Zeros stand in place of the keys: what a host sends is compared without its own. */
  readonly isRedacted: boolean;
}

/**
 * @param capture a file, or its records
 * @param options.index the adapter, where the capture tells several apart
 * @param options.isStrict refuses captures that lack packets
 * @throws {CaptureError} the file is damaged
 * @throws {ArgumentError} there is nothing to play, or it is not known which adapter, or something is missing
 */
export function scriptOf(
  capture: Uint8Array | Iterable<AnyCaptureRecord>,
  { index, isStrict }: { index: number | undefined; isStrict: boolean },
): Script {
  const records = capture instanceof Uint8Array ? readCapture(checkOctets("replayTransport: capture", capture)) : [...capture];
  const steps: Step[] = [];
  let adapter = index;
  records.forEach((record, at) => {
    if (isMonitorRecord(record)) return;
    if (steps.length === 0) adapter ??= record.index;
    if (record.index !== adapter) {
      if (index !== undefined) return;
      throw new ArgumentError("replayTransport: the capture has packets of several adapters: choose one by `index`");
    }
    if (isStrict && record.drops > 0)
      throw new ArgumentError(
        `replayTransport: the capture lacks ${record.drops} packets before number ${at + 1}: only "lenient" plays it`,
      );
    if (record.originalLength > record.packet.length)
      throw new ArgumentError(
        `replayTransport: packet ${at + 1} is cut: ${record.packet.length} of ${record.originalLength} octets are in the capture`,
      );
    steps.push({ record, number: at + 1, isPlayed: false });
  });
  if (steps.length === 0) throw new ArgumentError("replayTransport: there is no HCI packet in the capture");
  return { steps, isRedacted: isRedacted(steps) };
}

/** Whether there are places for secrets, and all of them hold zeros. */
function isRedacted(steps: readonly Step[]): boolean {
  const redactor = new Redactor();
  let has = false;
  for (const { record } of steps) {
    const { packet, direction } = record;
    const redacted = redactor.redact(direction, packet);
    if (redacted === packet) continue;
    has = true;
    if (!sameOctets(redacted, packet)) return false;
  }
  return has;
}

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
