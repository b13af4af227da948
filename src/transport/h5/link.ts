import { callOut } from "../../async/call-out.ts";
import type { Clock } from "../../async/clock.ts";
import { PacketType } from "../../hci/transport.ts";
import { decodePacket, encodePacket, H5PacketType, isSentReliably, LONGEST_PACKET, LONGEST_PAYLOAD } from "./packet.ts";
import { encodeSlip, SlipDecoder, XOFF, XON } from "./slip.ts";

/** Between two SYNC or two CONFIG messages, in milliseconds (Vol 4 Part D 8.1). */
const REPEAT_MS = 250;
/** Between two WAKEUP messages, in milliseconds. */
const WAKEUP_MS = 50;
/** Least time for an acknowledgment, in milliseconds; on a slow line the time that the packets need is added. */
const ACKNOWLEDGE_MS = 250;
/** Repetitions without an answer, after which the peer is given up. */
const LAST_REPETITION = 20;
/** Start bit, eight bits, parity, stop bit (Vol 4 Part D 9). */
const BITS_PER_OCTET = 11;
const DEFAULT_BAUD_RATE = 115_200;
const SEQUENCE_NUMBERS = 8;
const LARGEST_WINDOW = 7;

/** Link control messages, Vol 4 Part D 8: a number and its check. */
const Message = Object.freeze({
  sync: [0x01, 0x7e],
  syncResponse: [0x02, 0x7d],
  config: [0x03, 0xfc],
  configResponse: [0x04, 0x7b],
  wakeup: [0x05, 0xfa],
  woken: [0x06, 0xf9],
  sleep: [0x07, 0x78],
} as const);
type Message = keyof typeof Message;

/** What both ends agree on, Vol 4 Part D 8.2 (Configuration Field). */
export interface H5Configuration {
  /** Packets under way that are not acknowledged yet, 1 to 7. */
  readonly windowSize: number;
  /** Out of frame software flow control: XON and XOFF between the octets. */
  readonly flowControl: boolean;
  /** A check over each packet, so that no damaged one gets through. */
  readonly integrityCheck: boolean;
}

/** For a peer that tells nothing. */
const LEAST: H5Configuration = { windowSize: 1, flowControl: false, integrityCheck: false };

export interface H5LinkOptions {
  readonly clock: Clock;
  /** The host proposes a configuration, the controller chooses from it. */
  readonly role: "host" | "controller";
  /** Hands octets to the line. */
  readonly write: (octets: Uint8Array) => void;
  /** Gets each HCI packet, H4 packet type first. */
  readonly onPacket: (packet: Uint8Array) => void;
  /** HCI packets come and go from here on; after a reset of the peer once more. */
  readonly onActive?: ((agreed: H5Configuration) => void) | undefined;
  /** The peer was reset: nothing of what it knew is true any more. The link is established anew by itself, unless it is closed now. */
  readonly onPeerReset?: (() => void) | undefined;
  /** The peer does not answer; the link is closed. */
  readonly onSilent: (what: string) => void;
  /** The queue of packets is short again. */
  readonly onWritable?: (() => void) | undefined;
  /** Bits a second of the line, by which the time for an acknowledgment is reckoned; 115,200 by default. */
  readonly baudRate?: number | undefined;
  /** What this end can do; a window of 7, no flow control and the integrity check by default. */
  readonly offer?: Partial<H5Configuration> | undefined;
  /** Octets that came wrong, packets out of turn: for a log. */
  readonly onFault?: ((what: string) => void) | undefined;
}

interface Outgoing {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Packets that wait before the sender is told so. */
const QUEUE_MARK = 64;

/**
 * One end of a three-wire link (Vol 4 Part D): octets and time in, octets and packets out. Packets get through once and in order, whatever
 * the line loses or damages, as long as the integrity check is agreed on; synchronous and isochronous data may be lost.
 */
export class H5Link {
  readonly #options: H5LinkOptions;
  readonly #clock: Clock;
  readonly #offer: H5Configuration;
  readonly #decoder: SlipDecoder;
  #state: "uninitialized" | "initialized" | "active" | "closed" = "uninitialized";
  #agreed = LEAST;
  /** Reliable packets that wait, the first `#inFlight` of them sent already. */
  #reliable: Outgoing[] = [];
  #unreliable: Outgoing[] = [];
  #inFlight = 0;
  /** Sequence number of the first reliable packet that is not acknowledged. */
  #firstSequence = 0;
  #expected = 0;
  #owesAcknowledgment = false;
  #isReceiving = false;
  #isHeld = false;
  #isPeerAsleep = false;
  #isPaused = false;
  #timer: Disposable | undefined;
  #repetitions = 0;
  #waking: Disposable | undefined;
  #wakeups = 0;

  constructor(options: H5LinkOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const { windowSize = LARGEST_WINDOW, flowControl = false, integrityCheck = true } = options.offer ?? {};
    this.#offer = { windowSize, flowControl, integrityCheck };
    this.#decoder = new SlipDecoder(LONGEST_PACKET, (packet) => this.#receivePacket(packet));
  }

  get isActive(): boolean {
    return this.#state === "active";
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  get isWritable(): boolean {
    return !this.#isClosed && this.#reliable.length + this.#unreliable.length < QUEUE_MARK;
  }

  /** Packets that have not been acknowledged, or not been sent. */
  get waiting(): number {
    return this.#reliable.length + this.#unreliable.length;
  }

  /** Begins to look for the peer. A host gives up after five seconds; a controller waits as long as it takes. */
  start(): void {
    this.#establish();
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.[Symbol.dispose]();
    this.#forget();
  }

  #forget(): void {
    this.#waking?.[Symbol.dispose]();
    this.#waking = undefined;
    this.#reliable = [];
    this.#unreliable = [];
    this.#inFlight = 0;
  }

  /** Sends an HCI packet, H4 packet type first; one that comes before the link is active waits for it. @returns false where it is too long */
  send(packet: Uint8Array): boolean {
    if (this.#state === "closed") return true;
    if (packet.length - 1 > LONGEST_PAYLOAD) return false;
    const outgoing = { type: packet[0]!, payload: packet.subarray(1) };
    if (isSentReliably(outgoing.type)) this.#reliable.push(outgoing);
    else if (this.#state === "active") {
      if (this.#unreliable.length >= QUEUE_MARK) this.#unreliable.shift(); // the older, the less use
      this.#unreliable.push(outgoing);
    }
    if (!this.isWritable) this.#isPaused = true;
    this.#flush();
    return true;
  }

  /** Tells the peer that this end sleeps: it will be woken before it is sent anything. Any packet that comes, or is sent, ends the sleep. */
  sleep(): void {
    if (this.#state === "active") this.#sendMessage("sleep");
  }

  receive(octets: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#isReceiving = true;
    this.#decoder.push(this.#agreed.flowControl && this.#state === "active" ? this.#withoutFlowControl(octets) : octets);
    this.#isReceiving = false;
    this.#flush();
  }

  #withoutFlowControl(octets: Uint8Array): Uint8Array {
    return octets.filter((octet) => {
      if (octet !== XON && octet !== XOFF) return true;
      this.#isHeld = octet === XOFF;
      return false;
    });
  }

  // --- establishment, Vol 4 Part D 8.1 --------------------------------------------------------------------------------------------

  #establish(): void {
    this.#state = "uninitialized";
    this.#agreed = LEAST;
    this.#firstSequence = 0;
    this.#expected = 0;
    this.#owesAcknowledgment = false;
    this.#isHeld = false;
    this.#isPeerAsleep = false;
    this.#repeat("sync");
  }

  /** Sends a message again and again, until an answer changes the state. */
  #repeat(message: "sync" | "config"): void {
    this.#repetitions = 0;
    const send = (): void => {
      if (this.#options.role === "host" && this.#repetitions++ > LAST_REPETITION) {
        this.#silent(message === "sync" ? "nobody answers at the other end" : "the other end does not agree on a configuration");
        return;
      }
      this.#setTimer(REPEAT_MS, message, send); // before it is sent: on a line without delay the answer is here at once
      this.#sendMessage(message, message === "config" && this.#options.role === "host" ? this.#offer : undefined);
    };
    send();
  }

  #receiveMessage(payload: Uint8Array): void {
    const message = (Object.keys(Message) as Message[]).find((name) => Message[name][0] === payload[0] && Message[name][1] === payload[1]);
    const isActive = this.#state === "active";
    switch (message) {
      case "sync":
        if (isActive) {
          this.#timer?.[Symbol.dispose]();
          callOut(() => this.#options.onPeerReset?.());
          if (this.#isClosed) return;
          this.#forget();
          this.#agreed = LEAST;
          this.#sendMessage("syncResponse");
          this.#establish();
        } else this.#sendMessage("syncResponse");
        return;
      case "syncResponse":
        if (this.#state !== "uninitialized") return;
        this.#state = "initialized";
        this.#repeat("config");
        return;
      case "config":
        if (this.#state === "uninitialized") return;
        this.#receiveConfig(payload);
        return;
      case "configResponse":
        if (this.#state !== "initialized") return;
        if (this.#options.role === "host") this.#agreed = common(this.#offer, fieldOf(payload) ?? LEAST);
        this.#activate();
        return;
      case "wakeup":
        if (isActive) this.#sendMessage("woken");
        return;
      case "woken":
        this.#wake();
        return;
      case "sleep":
        if (isActive) this.#isPeerAsleep = true;
        return;
      case undefined:
        this.#options.onFault?.("a link control message that is not known was dropped");
        return;
      default:
        message satisfies never;
    }
  }

  #receiveConfig(payload: Uint8Array): void {
    const field = fieldOf(payload);
    // A host's has a configuration, from which the controller chooses; a controller's has none, and is answered without one.
    if (this.#options.role === "controller") this.#agreed = common(this.#offer, field ?? LEAST);
    this.#sendMessage("configResponse", field && (this.#options.role === "controller" ? this.#agreed : common(this.#offer, field)));
  }

  #activate(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#state = "active";
    this.#repetitions = 0;
    const { onActive } = this.#options;
    if (onActive) callOut(onActive, this.#agreed);
  }

  // --- packets, Vol 4 Part D 4 and 5 ----------------------------------------------------------------------------------------------

  #receivePacket(octets: Uint8Array): void {
    if (this.#isClosed) return; // by what came before it
    const packet = decodePacket(octets);
    if (!packet) {
      this.#options.onFault?.("a damaged packet was dropped");
      return;
    }
    const { type, payload } = packet;
    if (type === H5PacketType.LinkControl) {
      if (!packet.isReliable) this.#receiveMessage(payload);
      return;
    }
    if (this.#state !== "active") return;
    this.#wake(); // one that sends does not sleep
    this.#acknowledged(packet.acknowledgment);
    if (packet.isReliable) {
      this.#owesAcknowledgment = true;
      if (packet.sequence !== this.#expected) {
        this.#options.onFault?.(`a packet out of turn was dropped: ${packet.sequence}, expected ${this.#expected}`);
        return;
      }
      this.#expected = (this.#expected + 1) % SEQUENCE_NUMBERS;
    }
    if (type < PacketType.Command || type > PacketType.IsoData) return; // an acknowledgment only, or somebody's own
    const delivered = new Uint8Array(1 + payload.length);
    delivered[0] = type;
    delivered.set(payload, 1);
    callOut(this.#options.onPacket, delivered);
  }

  /** `next` is what the peer expects next: all before it has arrived. */
  #acknowledged(next: number): void {
    const count = (next - this.#firstSequence + SEQUENCE_NUMBERS) % SEQUENCE_NUMBERS;
    if (count === 0 || count > this.#inFlight) return;
    this.#reliable.splice(0, count);
    this.#inFlight -= count;
    this.#firstSequence = next;
    this.#repetitions = 0;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#inFlight > 0) this.#awaitAcknowledgment();
    this.#tellWritable();
  }

  #tellWritable(): void {
    const { onWritable } = this.#options;
    if (!this.#isPaused || !this.isWritable) return;
    this.#isPaused = false;
    if (onWritable) callOut(onWritable);
  }

  /** Sends what may leave now; an acknowledgment of its own only where no packet carries it. */
  #flush(): void {
    if (this.#state !== "active" || this.#isReceiving || this.#isHeld) return;
    if (this.#isPeerAsleep && (this.#owesAcknowledgment || this.#inFlight < this.#reliable.length || this.#unreliable.length > 0)) {
      this.#wakePeer();
      return;
    }
    while (this.#unreliable.length > 0) this.#transmit({ ...this.#unreliable.shift()!, sequence: 0, isReliable: false });
    while (this.#inFlight < Math.min(this.#agreed.windowSize, this.#reliable.length)) {
      this.#transmitReliable(this.#inFlight++);
      if (!this.#timer) this.#awaitAcknowledgment();
    }
    if (this.#owesAcknowledgment)
      this.#transmit({ type: H5PacketType.Acknowledgment, payload: new Uint8Array(0), sequence: 0, isReliable: false });
    this.#tellWritable();
  }

  #transmitReliable(index: number): void {
    const sequence = (this.#firstSequence + index) % SEQUENCE_NUMBERS;
    this.#transmit({ ...this.#reliable[index]!, sequence, isReliable: true });
  }

  #transmit(packet: Outgoing & { sequence: number; isReliable: boolean }): void {
    this.#owesAcknowledgment = false;
    this.#write(encodePacket({ ...packet, acknowledgment: this.#expected }, this.#agreed.integrityCheck));
  }

  /** A packet that is not acknowledged in time is sent again, and all after it: the peer has not taken those either. */
  #awaitAcknowledgment(): void {
    if (this.#inFlight === 0) return;
    let octets = 0;
    for (let i = 0; i < this.#inFlight; i++) octets += 2 * (this.#reliable[i]!.payload.length + 8); // each of them may be escaped
    const lineMs = (octets * BITS_PER_OCTET * 1000) / (this.#options.baudRate ?? DEFAULT_BAUD_RATE);
    this.#setTimer(ACKNOWLEDGE_MS + lineMs, "an acknowledgment", () => {
      this.#timer = undefined;
      if (++this.#repetitions > LAST_REPETITION) {
        this.#silent("the other end does not acknowledge");
        return;
      }
      if (!this.#isHeld && !this.#isPeerAsleep) for (let i = 0; i < this.#inFlight; i++) this.#transmitReliable(i);
      else if (this.#isPeerAsleep) this.#sendMessage("wakeup");
      this.#awaitAcknowledgment();
    });
  }

  // --- low power, Vol 4 Part D 8.4 ------------------------------------------------------------------------------------------------

  #wakePeer(): void {
    if (this.#waking) return;
    this.#wakeups = 0;
    const send = (): void => {
      if (this.#state !== "active" || !this.#isPeerAsleep) return;
      if (this.#wakeups++ > LAST_REPETITION) {
        this.#silent("the other end does not wake up");
        return;
      }
      this.#sendMessage("wakeup");
      this.#waking = this.#clock.setTimer(WAKEUP_MS, "waking the other end", send);
    };
    send();
  }

  #wake(): void {
    this.#isPeerAsleep = false;
    this.#waking?.[Symbol.dispose]();
    this.#waking = undefined;
  }

  #sendMessage(message: Message, configuration?: H5Configuration): void {
    const payload = Uint8Array.from(configuration ? [...Message[message], octetOf(configuration)] : Message[message]);
    // Link control is never acknowledged and carries no acknowledgment.
    this.#write(encodePacket({ sequence: 0, acknowledgment: 0, isReliable: false, type: H5PacketType.LinkControl, payload }, false));
  }

  #write(packet: Uint8Array): void {
    this.#options.write(encodeSlip(packet, this.#agreed.flowControl));
  }

  #setTimer(delayMs: number, name: string, fire: () => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.setTimer(delayMs, name, fire);
  }

  #silent(what: string): void {
    this.close();
    callOut(this.#options.onSilent, what);
  }
}

/** The third octet of CONFIG and CONFIG RSP; some have none. */
function fieldOf(payload: Uint8Array): H5Configuration | undefined {
  const field = payload[2];
  if (field === undefined) return undefined;
  return { windowSize: Math.max(1, field & 7), flowControl: (field & 0x08) !== 0, integrityCheck: (field & 0x10) !== 0 };
}

function octetOf({ windowSize, flowControl, integrityCheck }: H5Configuration): number {
  return windowSize | (flowControl ? 0x08 : 0) | (integrityCheck ? 0x10 : 0); // version 1.0 is 0
}

function common(a: H5Configuration, b: H5Configuration): H5Configuration {
  return {
    windowSize: Math.min(a.windowSize, b.windowSize),
    flowControl: a.flowControl && b.flowControl,
    integrityCheck: a.integrityCheck && b.integrityCheck,
  };
}
