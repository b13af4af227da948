import { concat } from "../bytes/index.ts";
import { ArgumentError } from "../core/error.ts";
import type { CaptureEncoder } from "./encoder.ts";
import {
  encodePcapngHeader,
  encodePcapngInterface,
  encodePcapngMonitorRecord,
  encodePcapngRecord,
  encodePcapngStatistics,
  MOST_INTERFACES,
} from "./pcapng.ts";
import { PcapngLinkType } from "./pcapng-blocks.ts";
import type { CaptureRecord } from "./record.ts";

/** pcapng: the first interface is of no numbered adapter, and each numbered one has an interface with its name. */
export class PcapngEncoder implements CaptureEncoder {
  readonly #linkType: number;
  readonly #interfaces = new Map<number | undefined, number>([[undefined, 0]]);

  constructor(content: "hci" | "monitor") {
    this.#linkType = content === "monitor" ? PcapngLinkType.LinuxMonitor : PcapngLinkType.HciH4WithPhdr;
  }

  header(): Uint8Array {
    return encodePcapngHeader(this.#linkType);
  }

  packet(record: CaptureRecord): Uint8Array {
    const { index } = record;
    const known = this.#interfaces.get(index);
    if (known !== undefined) return encodePcapngRecord(record, known);
    const added = this.#interfaces.size;
    if (added === MOST_INTERFACES) throw new ArgumentError(`a packet of hci${index}: a capture holds at most ${MOST_INTERFACES} adapters`);
    return concat(encodePcapngInterface(this.#linkType, `hci${index}`), encodePcapngRecord(record, added));
  }

  accepted({ index }: Pick<CaptureRecord, "index">): void {
    const isHci = this.#linkType === PcapngLinkType.HciH4WithPhdr;
    if (isHci && !this.#interfaces.has(index)) this.#interfaces.set(index, this.#interfaces.size);
  }

  monitor = encodePcapngMonitorRecord;
  trailer = encodePcapngStatistics;
}
