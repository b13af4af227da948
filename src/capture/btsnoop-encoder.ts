import { ArgumentError } from "../core/error.ts";
import { BtsnoopDatalink, encodeBtsnoopHeader, encodeBtsnoopMonitorRecord, encodeBtsnoopRecord } from "./btsnoop.ts";
import type { CaptureEncoder } from "./encoder.ts";
import type { CaptureRecord } from "./record.ts";

/** btsnoop: HCI packets of one adapter, or the Linux monitor. */
export class BtsnoopEncoder implements CaptureEncoder {
  readonly #content: "hci" | "monitor";
  #adapter: { readonly index: number | undefined } | undefined;

  constructor(content: "hci" | "monitor") {
    this.#content = content;
  }

  header(): Uint8Array {
    return encodeBtsnoopHeader(this.#content === "monitor" ? BtsnoopDatalink.LinuxMonitor : BtsnoopDatalink.HciUart);
  }

  /** Handles are an adapter's own: packets of two in one stream would be taken for one link that never was. */
  packet(record: CaptureRecord): Uint8Array {
    this.#adapter ??= { index: record.index };
    const { index } = this.#adapter;
    if (record.index !== index)
      throw new ArgumentError(
        `a packet of ${nameOf(record.index)} behind those of ${nameOf(index)}: btsnoop holds HCI packets of one adapter; write pcapng, or content "monitor"`,
      );
    return encodeBtsnoopRecord(record);
  }

  monitor = encodeBtsnoopMonitorRecord;

  /** Every record says what is missing before it. */
  trailer(): undefined {
    return undefined;
  }
}

const nameOf = (index: number | undefined): string => (index === undefined ? "an adapter without a number" : `hci${index}`);
