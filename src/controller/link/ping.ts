import { AirEvent } from "../../air/index.ts";
import { AuthenticatedPayloadTimeoutExpired } from "../../hci/index.ts";
import type { ControlContext, LinkControl } from "./control.ts";
import { LlPingReq, LlPingRsp } from "./control-pdus.ts";

/** Default of authenticatedPayloadTO in units of 10 ms: 30 s (Vol 4 Part E 7.3.94). */
const DEFAULT_TIMEOUT = 0x0bb8;
/** The peer is pinged when there is time left for so many events that it attends. */
const EVENTS_FOR_PING = 6;
const NAME = "le ping";

/** What pings read of a connection. */
export interface PingedLink {
  /** Whether what comes from the peer is encrypted. */
  readonly isEncrypted: boolean;
  /** The longest time between two connection events that the peripheral attends. */
  readonly attendedUs: number;
}

/**
 * Whether packets with a valid MIC keep coming: authenticated payload timeout and LE Ping (Vol 6 Part B 5.1.8, 5.4). An encrypted link on
 * which nothing is said is pinged in time; where the peer does not answer, the host is told each time that the timeout has passed.
 */
export class LinkPing {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #link: PingedLink;
  readonly #isSupported: boolean;
  /** Units of 10 ms. */
  #timeout = DEFAULT_TIMEOUT;
  #sinceUs = 0;
  readonly #due: AirEvent;

  /** @param isSupported LE Ping, of which a peer is not told (Vol 6 Part B 4.6) */
  constructor(control: LinkControl, link: PingedLink, isSupported: boolean) {
    this.#control = control;
    this.#context = control.context;
    this.#link = link;
    this.#isSupported = isSupported;
    this.#due = new AirEvent(() => this.#onDue());
    if (!isSupported) return;
    control.on(LlPingReq, () => control.send(LlPingRsp, {}));
    control.on(LlPingRsp, () => {
      const { active } = control;
      if (active?.name === NAME) control.finish(active);
    });
  }

  /** Authenticated_Payload_Timeout, units of 10 ms. */
  get timeout(): number {
    return this.#timeout;
  }

  /** Sets it, and begins to count anew. False where it is shorter than the peripheral may be silent. */
  setTimeout(timeout: number): boolean {
    if (timeout === 0 || timeout * 10_000 < this.#link.attendedUs) return false;
    this.#timeout = timeout;
    if (this.#due.isSet) this.#restart();
    return true;
  }

  /** A packet with a valid MIC came. */
  heard(): void {
    if (!this.#isSupported) return;
    // The timer is left alone: it looks when it fires.
    if (this.#due.isSet) this.#sinceUs = this.#context.scheduler.nowUs;
    else this.#restart();
  }

  close(): void {
    this.#context.scheduler.clear(this.#due);
  }

  #restart(): void {
    this.#sinceUs = this.#context.scheduler.nowUs;
    this.#arm(this.#pingUs);
  }

  get #timeoutUs(): number {
    return this.#timeout * 10_000;
  }

  /** After so long without such a packet the peer is pinged. */
  get #pingUs(): number {
    const neededUs = EVENTS_FOR_PING * this.#link.attendedUs;
    return Math.max(this.#timeoutUs / 2, this.#timeoutUs - neededUs);
  }

  #arm(afterUs: number): void {
    this.#context.scheduler.set(this.#due, Math.round(this.#sinceUs + afterUs));
  }

  #onDue(): void {
    if (!this.#link.isEncrypted) return; // paused: the first packet of the new key begins anew
    const silentUs = this.#context.scheduler.nowUs - this.#sinceUs;
    if (silentUs >= this.#timeoutUs) {
      this.#context.host.event(AuthenticatedPayloadTimeoutExpired, { connectionHandle: this.#context.handle });
      this.#restart();
    } else if (silentUs >= this.#pingUs) {
      this.#ping();
      this.#arm(this.#timeoutUs);
    } else this.#arm(this.#pingUs);
  }

  #ping(): void {
    const control = this.#control;
    if (control.has(NAME)) return;
    control.start({
      name: NAME,
      requestOpcode: LlPingReq.opcode,
      hasInstant: false,
      begin: () => {
        control.send(LlPingReq, {});
        control.awaitResponse();
      },
      onRejected: () => {}, // that it does not know it came with a valid MIC, too
    });
  }
}
