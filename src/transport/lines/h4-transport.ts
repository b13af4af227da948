import type { Clock } from "../../async/clock.ts";
import { DecodeError } from "../../bytes/decode-error.ts";
import type { Logger } from "../../core/logger.ts";
import { EventCode } from "../../hci/declare.ts";
import { type HciTransport, PacketType } from "../../hci/transport.ts";
import { H4Framer } from "../h4.ts";
import { LineTransport } from "./line-transport.ts";
import type { OctetLine } from "./octet-line.ts";
import { RESET, ResetSearch } from "./reset-search.ts";

/** How long the controller may take for a Reset by which the line is to be understood again, in milliseconds. */
const RESET_MS = 1000;
const RESETS = 3;
/** A packet of which nothing has come for so long is no packet any more: who sent it is gone. In milliseconds. */
const STALE_MS = 1000;
/** Hardware Error, Vol 4 Part E 7.7.16, with a Hardware_Code of this library's own: packets were lost on the line. */
const HARDWARE_ERROR = Uint8Array.of(PacketType.Event, EventCode.HardwareError, 1, 0);

export interface H4TransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly role: "host" | "controller";
}

/**
 * H4 over a line that may lose octets. Once an octet begins no packet, nobody knows where the next one begins (Vol 4 Part A 4): a host sends
 * HCI_Reset and looks for its answer, a controller reports a Hardware Error and looks for HCI_Reset. The host's side is told by a Hardware
 * Error event too, since its controller has forgotten everything.
 *
 * The first Reset of a host begins with such a search: the line may hold the rest of what a program before it has not read.
 */
export class H4LineTransport extends LineTransport {
  readonly #options: H4TransportOptions;
  #framer: H4Framer;
  #search: ResetSearch | undefined;
  /** Set while the transport itself resets the controller. */
  #resetting: Disposable | undefined;
  #isFirst = true;
  #lastMs = 0;

  constructor(line: OctetLine, info: HciTransport["info"], options: H4TransportOptions) {
    super(line, info);
    this.#options = options;
    this.#framer = this.#newFramer();
  }

  #newFramer(): H4Framer {
    return new H4Framer((packet) => this.deliver(packet), { from: this.#options.role === "host" ? "controller" : "host" });
  }

  send(packet: Uint8Array): void {
    if (this.isOver || this.#resetting) return; // a controller that is being reset takes nothing, and its host will begin anew
    if (this.#isFirst && this.#options.role === "host" && packet.length === RESET.length && RESET.every((octet, i) => packet[i] === octet))
      this.#search = new ResetSearch("answer");
    this.#isFirst = false;
    this.write(packet);
  }

  get writable(): boolean {
    return !this.isOver && this.line.writable;
  }

  protected receive(octets: Uint8Array): void {
    if (this.#search) {
      this.#look(this.#search, octets);
      return;
    }
    const nowMs = this.#options.clock.now();
    if (this.#framer.isInPacket && nowMs - this.#lastMs > STALE_MS) {
      this.#options.logger.warn(`${this.info.spec}: a packet that did not end was dropped`);
      this.#framer = this.#newFramer();
    }
    this.#lastMs = nowMs;
    try {
      this.#framer.push(octets);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#lost(error);
    }
  }

  #look(search: ResetSearch, octets: Uint8Array): void {
    const found = search.push(octets);
    if (!found) return;
    this.#search = undefined;
    this.#framer = this.#newFramer();
    if (this.#resetting) {
      this.#resetting[Symbol.dispose]();
      this.#resetting = undefined;
      this.#options.logger.warn(`${this.info.spec}: the controller was reset, its packets are understood again`);
      this.deliver(HARDWARE_ERROR.slice());
    } else this.deliver(found.packet);
    if (found.rest.length > 0) this.receive(found.rest);
  }

  #lost(error: DecodeError): void {
    const { logger, role } = this.#options;
    logger.warn(`${this.info.spec}: octets were lost, ${error.problem}`);
    if (role === "host") this.#reset(1, error);
    else {
      this.#search = new ResetSearch("command");
      this.write(HARDWARE_ERROR);
    }
    if (this.#search && error.packet) this.#look(this.#search, error.packet);
  }

  #reset(attempt: number, error: DecodeError): void {
    if (attempt > RESETS) {
      this.endWith("ended: what comes is not H4 (is the baud rate right?)", error);
      return;
    }
    this.#search ??= new ResetSearch("answer");
    this.#resetting = this.#options.clock.setTimer(RESET_MS, "the answer to a Reset", () => this.#reset(attempt + 1, error));
    this.write(Uint8Array.from(RESET));
  }

  protected override async release(): Promise<void> {
    this.#resetting?.[Symbol.dispose]();
    await super.release();
  }
}
