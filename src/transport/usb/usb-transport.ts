import type { Clock } from "../../async/clock.ts";
import { ownTerms } from "../../async/own-terms.ts";
import { Pending } from "../../async/pending.ts";
import type { Logger } from "../../core/logger.ts";
import { INBOX_MARK, TransportBase } from "../../hci/base-transport.ts";
import { type HciTransport, PacketType, TransportClosed } from "../../hci/transport.ts";
import { CommandPipe } from "./command-pipe.ts";
import type { HciInterface } from "./find-interface.ts";
import { InPipe } from "./in-pipe.ts";
import { OutPipe } from "./out-pipe.ts";
import { PacketJoiner } from "./packet-joiner.ts";
import type { WebUsbDevice } from "./web-usb.ts";

/** Octets that may wait for the device; past the mark the transport is not writable, past the end it is over. */
const QUEUE_MARK = 16 * 1024;
const LONGEST_QUEUE = 1024 * 1024;
/** Commands that may wait: a host has one under way for each credit. */
const MOST_COMMANDS = 64;
/** How long closing waits for what was sent before, and for each of its steps, in milliseconds. */
const FLUSH_MS = 500;
const STEP_MS = 2000;
/** Longest ACL data packet of controllers, with its header: what a transfer of the bulk endpoint asks for at once. */
const ACL_OCTETS = 1028;
/** Longest HCI event. */
const EVENT_OCTETS = 257;
const TRANSFERS = 2;
/** Of Intel: a part of the firmware, which the bootloader takes by the bulk endpoint. */
const SECURE_SEND = 0xfc09;

export interface UsbTransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The device is free for another one. */
  readonly onReleased: () => void;
}

/**
 * HCI over USB (Vol 4 Part B) on a device that is open and whose interface is claimed. Commands go to endpoint 0, events come by the
 * interrupt endpoint, ACL data by the bulk endpoints - so nothing is said about the order of an event and ACL data.
 */
export class UsbTransport extends TransportBase {
  readonly #device: WebUsbDevice;
  readonly #hci: HciInterface;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #commands: CommandPipe;
  readonly #out: OutPipe;
  readonly #events: InPipe;
  readonly #data: InPipe;
  readonly #onReleased: () => void;
  /**
   * The controller is Intel's bootloader: it takes firmware by the bulk endpoint, and sends events by either. Set while it is given its
   * firmware, and by nobody else.
   */
  isBootloader = false;
  #isPaused = false;
  #onIdle: (() => void) | undefined;

  constructor(device: WebUsbDevice, hci: HciInterface, info: HciTransport["info"], { clock, logger, onReleased }: UsbTransportOptions) {
    super(info);
    this.#onReleased = onReleased;
    this.#device = device;
    this.#hci = hci;
    this.#clock = clock;
    this.#logger = logger;
    const onEnd = (what: string, cause?: unknown): void => this.#endWith(what, cause);
    const onIdle = (): void => {
      if (this.#isIdle) this.#onIdle?.();
    };
    const { interfaceNumber, isComposite } = hci;
    this.#commands = new CommandPipe(device, { interfaceNumber, isComposite, onIdle, onEnd });
    this.#out = new OutPipe(device, hci.bulkOut, { onIdle, onTaken: () => this.#tellWritable(), onEnd });
    this.#events = this.#pipe(PacketType.Event, 2, hci.interruptIn, EVENT_OCTETS, onEnd);
    this.#data = this.#pipe(PacketType.AclData, 4, hci.bulkIn, ACL_OCTETS, onEnd);
  }

  #pipe(
    packetType: number,
    headerLength: 2 | 4,
    endpoint: HciInterface["bulkIn"],
    transferOctets: number,
    onEnd: (what: string, cause?: unknown) => void,
  ): InPipe {
    const dropped = (octets: number): void =>
      this.#logger.warn(`${this.info.spec}: ${octets} octets of a packet that did not end were dropped`);
    const joinerOf = (type: number, length: 2 | 4): PacketJoiner =>
      new PacketJoiner(type, length, (packet) => this.deliver(packet), this.#clock, dropped);
    const joiner = joinerOf(packetType, headerLength);
    const bootloader = joinerOf(PacketType.Event, 2);
    const onOctets = (octets: Uint8Array): void => {
      (this.isBootloader ? bootloader : joiner).push(octets);
      if (this.waitingPackets < INBOX_MARK) return;
      this.#events.pause();
      this.#data.pause();
    };
    return new InPipe(this.#device, endpoint, { transferOctets, transfers: TRANSFERS, onOctets, onEnd });
  }

  send(packet: Uint8Array): void {
    if (this.isOver) return;
    const octets = packet.subarray(1);
    switch (packet[0]) {
      case PacketType.Command:
        if (this.isBootloader && (octets[0]! | (octets[1]! << 8)) === SECURE_SEND) this.#out.send(octets);
        else this.#commands.send(octets);
        break;
      case PacketType.AclData:
        this.#out.send(octets);
        break;
      default:
        // Voice has endpoints of its own, which this does not use.
        this.#logger.warn(() => `${this.info.spec}: a packet of type ${packet[0]} was not sent: USB carries commands and ACL data here`);
        return;
    }
    if (this.#out.waitingOctets > LONGEST_QUEUE || this.#commands.waitingPackets > MOST_COMMANDS)
      this.#endWith("ended: it does not take what is sent");
    else if (!this.writable) this.#isPaused = true;
  }

  get writable(): boolean {
    return !this.isOver && this.#out.waitingOctets < QUEUE_MARK;
  }

  #tellWritable(): void {
    if (!this.#isPaused || !this.writable) return;
    this.#isPaused = false;
    this.onWritable?.();
  }

  protected override onDrained(): void {
    this.#events.resume();
    this.#data.resume();
  }

  get #isIdle(): boolean {
    return this.#commands.isIdle && this.#out.isIdle;
  }

  #endWith(what: string, cause?: unknown): void {
    this.end(new TransportClosed(`transport "${this.info.spec}" ${what}`, cause === undefined ? {} : { cause }));
  }

  protected async release(): Promise<void> {
    this.#events.stop();
    this.#data.stop();
    if (!this.#isIdle) {
      const flushed = new Pending<void>({ clock: this.#clock, operation: "flushing a USB device", timeoutMs: FLUSH_MS });
      this.#onIdle = () => flushed.resolve();
      await flushed.promise.catch(() => undefined);
    }
    this.#commands.stop();
    this.#out.stop();
    const { interfaceNumber } = this.#hci;
    // Neither has to be possible any more.
    await this.#step("releasing its interface", () => this.#device.releaseInterface(interfaceNumber));
    await this.#step("closing", () => this.#device.close());
    this.#onReleased();
  }

  async #step(what: string, act: () => Promise<void>): Promise<void> {
    const acting = (async () => await act())();
    await ownTerms(this.#clock, what, acting, { timeoutMs: STEP_MS }).catch((error: unknown) =>
      this.#logger.debug(() => `${this.info.spec}: ${what} failed: ${String(error)}`),
    );
  }
}
