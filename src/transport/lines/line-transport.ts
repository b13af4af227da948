import { INBOX_MARK, TransportBase } from "../../hci/base-transport.ts";
import { type HciTransport, TransportClosed } from "../../hci/transport.ts";
import type { OctetLine } from "./octet-line.ts";

/** Octets that may wait for a line that does not take them; at more the transport is ended. */
const LONGEST_QUEUE = 1024 * 1024;

/** What the framings over a line have in common. */
export abstract class LineTransport extends TransportBase {
  protected readonly line: OctetLine;

  constructor(line: OctetLine, info: HciTransport["info"]) {
    super(info);
    this.line = line;
    line.onEnd = (error) => this.endWith(error ? `is gone: ${error.message}` : "is gone: it was unplugged or closed", error);
    line.onDrain = () => {
      if (!this.isOver) this.onWritable?.();
    };
    line.onOctets = (octets) => {
      if (this.isOver) return;
      this.receive(octets);
      if (this.waitingPackets >= INBOX_MARK) line.pause();
    };
  }

  protected abstract receive(octets: Uint8Array): void;

  protected override onDrained(): void {
    this.line.resume();
  }

  protected write(octets: Uint8Array): void {
    this.line.write(octets);
    if (this.line.waitingOctets > LONGEST_QUEUE) this.endWith("ended: the line does not take what is sent");
  }

  /** @param what completes the sentence that begins with the transport's name */
  protected endWith(what: string, cause?: unknown): void {
    this.end(new TransportClosed(`transport "${this.info.spec}" ${what}`, cause === undefined ? {} : { cause }));
  }

  protected async release(): Promise<void> {
    await this.line.close();
  }
}
