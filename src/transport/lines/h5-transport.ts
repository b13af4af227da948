import type { Clock } from "../../async/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { HciTransport } from "../../hci/transport.ts";
import { type H5Configuration, H5Link } from "../h5/link.ts";
import { LineTransport } from "./line-transport.ts";
import type { OctetLine } from "./octet-line.ts";

/** Packets that may wait to be acknowledged; at more the transport is ended. */
const LONGEST_QUEUE = 4096;

export interface H5TransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly role: "host" | "controller";
  readonly baudRate?: number | undefined;
  readonly offer?: Partial<H5Configuration> | undefined;
  readonly onActive?: (() => void) | undefined;
}

/** Three-wire H5 (Vol 4 Part D) over a line. A peer that is reset, or falls silent, is the end of the transport. */
export class H5Transport extends LineTransport {
  readonly #link: H5Link;

  constructor(line: OctetLine, info: HciTransport["info"], { clock, logger, role, baudRate, offer, onActive }: H5TransportOptions) {
    super(line, info);
    this.#link = new H5Link({
      clock,
      role,
      baudRate,
      offer,
      write: (octets) => this.write(octets),
      onPacket: (packet) => this.deliver(packet),
      onActive: (agreed) => {
        logger.debug(
          () => `${info.spec}: H5 link with a window of ${agreed.windowSize}, ${agreed.integrityCheck ? "" : "no "}integrity check`,
        );
        onActive?.();
      },
      onPeerReset: () => this.endWith("ended: the other side was reset"),
      onSilent: (what) => this.endWith(`ended: ${what}`),
      onWritable: () => this.onWritable?.(),
      onFault: (what) => logger.debug(() => `${info.spec}: ${what}`),
    });
    this.#link.start();
  }

  send(packet: Uint8Array): void {
    if (this.isOver) return;
    if (!this.#link.send(packet)) this.endWith(`ended: a packet of ${packet.length} octets is longer than H5 can carry`);
    else if (this.#link.waiting > LONGEST_QUEUE) this.endWith("ended: the other side does not read");
  }

  get writable(): boolean {
    return !this.isOver && this.#link.isWritable && this.line.writable;
  }

  protected receive(octets: Uint8Array): void {
    this.#link.receive(octets);
  }

  protected override async release(): Promise<void> {
    this.#link.close();
    await super.release();
  }
}
