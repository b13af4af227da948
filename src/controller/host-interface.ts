import { type Air, AirEvent } from "../air/index.ts";
import { ArgumentError, SeededRandom } from "../core/index.ts";
import { allocateFrame, DataBufferOverflow, type EventDeclaration, encodeEvent, HardwareError, PacketType } from "../hci/index.ts";
import { CompletedPackets } from "./completed-packets.ts";
import { type HciFault, HciPath, type HciPathOptions } from "./hci-path.ts";
import { copyInto } from "./link/acl-queue.ts";

/** A packet between a host and its controller, as fault hooks see it. */
export interface HciPacket {
  /** Counts the packets of this direction, from 0. */
  readonly index: number;
  readonly direction: "to-controller" | "to-host";
  /** The whole H4 packet. Not to be changed: answer with other octets instead. */
  readonly packet: Uint8Array;
}

/**
 * `"drop"`: the packet is not delivered. Octets: they are delivered in its place. `delayMs`: it is delivered after so many milliseconds;
 * those behind it on its way (commands, events, ACL data either way) wait for it, or pass it with `isOvertaken`.
 */
export type HciHook = (packet: HciPacket) => "drop" | Uint8Array | { readonly delayMs: number; readonly isOvertaken?: boolean } | undefined;

/** Default masks, Vol 4 Part E 7.3.1 and 7.8.1. LE Meta events are off until the host asks for them. */
const DEFAULT_EVENT_MASK = 0x0000_1fff_ffff_ffffn;
const DEFAULT_LE_EVENT_MASK = 0x1fn;
/** Events from here on have their bit in the second page, off until the host asks for them (Vol 4 Part E 7.3.69). */
const FIRST_OF_PAGE_2 = 0x40;
/** Events that no mask can stop: Command Complete, Command Status, Number Of Completed Packets. */
const UNMASKABLE = new Set([0x0e, 0x0f, 0x13]);
const LE_META = 0x3e;
const ACL_LINK = 0x01;
/** How long a completed packet may wait for others, so that one event tells of several. */
const COMPLETED_US = 1000;
const LONGEST_ACL_DATA = 0xffff;

export interface HostInterfaceOptions {
  /** Each packet takes 0 to so many microseconds on its way. */
  readonly skewUs: number;
  /** So many completed packets of a connection are told at once, so that the host does not run dry. */
  readonly completedTogether: number;
  /** A packet of the host arrived at the controller. */
  readonly onPacket: (packet: Uint8Array) => void;
  /** A command of the host is under way no more: it arrived, or was lost. */
  readonly onCommandTaken: (packet: Uint8Array) => void;
}

/** The controller's side of HCI: what it tells its host, through masks, flow control, faults and the trace. */
export class HostInterface {
  readonly #air: Air;
  readonly #name: string;
  readonly #hooks = new Set<HciHook>();
  readonly #sent = { "to-controller": 0, "to-host": 0 };
  /** Where packets go; absent while no host is there. */
  sink: ((packet: Uint8Array) => void) | undefined;
  /** Whether the way to the host has room. */
  isWritable: () => boolean = () => true;
  #eventMask: boolean[] = [];
  #eventMaskPage2: boolean[] = [];
  #leEventMask: boolean[] = [];
  /** Controller to host flow control of ACL data: credits left, or no flow control. */
  #hostCredits: number | undefined;
  #hostBuffers = 0;
  /** Packets of each connection that the host has not reported as completed. */
  readonly #hostHolds = new Map<number, number>();
  /** Packets of each connection that are done, and not told yet. */
  readonly #completed = new CompletedPackets();
  readonly #completedDue = new AirEvent(() => this.#tellCompleted());
  /** Longest ACL data that the host takes, Host Buffer Size. */
  maxAclOctets = LONGEST_ACL_DATA;

  /** A packet arrives at the host. */
  readonly #deliver: HciPathOptions["deliver"] = (packet, fault) => {
    if (!this.sink) return;
    this.#trace("to-host", packet, fault);
    this.#air.medium.scheduler.wake();
    this.sink(packet);
  };

  readonly #events: HciPath;
  readonly #aclToHost: HciPath;
  readonly #commands: HciPath;
  readonly #aclToController: HciPath;

  readonly #completedTogether: number;
  readonly #onCommandTaken: (packet: Uint8Array) => void;

  constructor(air: Air, name: string, { skewUs, completedTogether, onPacket, onCommandTaken }: HostInterfaceOptions) {
    this.#completedTogether = completedTogether;
    this.#onCommandTaken = onCommandTaken;
    this.#air = air;
    this.#name = name;
    const { scheduler } = air.medium;
    const path = (label: string, deliver: HciPathOptions["deliver"]): HciPath =>
      new HciPath({ scheduler, skewUs, deliver, random: new SeededRandom(air.seed, `${label} of ${name}`) });
    this.#events = path("events", this.#deliver);
    this.#aclToHost = path("data to the host", this.#deliver);
    this.#commands = path("commands", (packet) => {
      onCommandTaken(packet);
      onPacket(packet);
    });
    this.#aclToController = path("data to the controller", onPacket);
    this.reset();
  }

  reset(): void {
    this.setEventMask(DEFAULT_EVENT_MASK);
    this.setEventMaskPage2(0n);
    this.setLeEventMask(DEFAULT_LE_EVENT_MASK);
    this.#hostCredits = undefined;
    this.#hostBuffers = 0;
    this.#hostHolds.clear();
    this.#completed.clear();
    this.#air.medium.scheduler.clear(this.#completedDue);
    this.maxAclOctets = LONGEST_ACL_DATA;
  }

  setEventMask(mask: bigint): void {
    this.#eventMask = bits(mask);
  }
  setEventMaskPage2(mask: bigint): void {
    this.#eventMaskPage2 = bits(mask);
  }
  setLeEventMask(mask: bigint): void {
    this.#leEventMask = bits(mask);
  }

  /** Whether the host wants this event. */
  wants({ eventCode, subeventCode }: Pick<EventDeclaration, "eventCode" | "subeventCode">): boolean {
    if (UNMASKABLE.has(eventCode)) return true;
    if (eventCode >= FIRST_OF_PAGE_2) return this.#eventMaskPage2[eventCode - FIRST_OF_PAGE_2] === true;
    if (!this.#eventMask[eventCode - 1]) return false;
    return eventCode !== LE_META || this.#leEventMask[subeventCode! - 1] === true;
  }

  event<P>(declaration: EventDeclaration<P>, parameters: P): void {
    if (this.wants(declaration)) this.send(encodeEvent(declaration, parameters));
  }

  /**
   * A packet of the host is done. In radio time it is told with others: when some have come together, or the connection event has closed
   * (see `tellCompleted`).
   */
  completed(connectionHandle: number): void {
    const count = this.#completed.add(connectionHandle);
    if (count >= this.#completedTogether || this.#air.mode === "instant") this.#tellCompleted();
  }

  /** What is done is told now; with `mayWait` within a millisecond, together with what other connections have by then. */
  tellCompleted(mayWait: boolean): void {
    if (this.#completed.size === 0) return;
    const { scheduler } = this.#air.medium;
    if (!mayWait) this.#tellCompleted();
    else if (!this.#completedDue.isSet) scheduler.set(this.#completedDue, scheduler.nowUs + COMPLETED_US);
  }

  #tellCompleted(): void {
    const packet = this.#completed.event();
    this.#completed.clear();
    this.#air.medium.scheduler.clear(this.#completedDue);
    this.send(packet);
  }

  /** The host broke a rule of HCI; with its packet, where that was not taken. */
  violation(packet: Uint8Array | undefined, hardwareCode: number): void {
    if (packet) this.#trace("to-controller", packet, "dropped");
    this.event(HardwareError, { hardwareCode });
  }

  overflow(): void {
    this.event(DataBufferOverflow, { linkType: ACL_LINK });
  }

  /** One ACL packet with `bytes` from `offset` to `end` to the host; `start` says whether an L2CAP PDU begins in it. */
  acl(handle: number, start: boolean, bytes: Uint8Array, offset: number, end: number): void {
    const length = end - offset;
    const packet = allocateFrame(5 + length);
    packet[0] = PacketType.AclData;
    packet[1] = handle;
    packet[2] = (handle >> 8) | (start ? 0x20 : 0x10); // PB flag 0b10 or 0b01, Vol 4 Part E 5.4.2
    packet[3] = length;
    packet[4] = length >> 8;
    copyInto(bytes, offset, length, packet, 5);
    if (this.#hostCredits !== undefined) {
      this.#hostCredits--;
      this.#hostHolds.set(handle, (this.#hostHolds.get(handle) ?? 0) + 1);
    }
    this.send(packet);
  }

  /** Whether the host takes another ACL packet. */
  get acceptsAcl(): boolean {
    return this.hasAclCredit && !this.#aclToHost.isFull && this.isWritable();
  }
  get hasAclCredit(): boolean {
    return this.#hostCredits === undefined || this.#hostCredits > 0;
  }
  /** Whether the host takes an event that may as well be left out. */
  get acceptsEvent(): boolean {
    return !this.#events.isFull && this.isWritable();
  }

  setHostBuffers(count: number, maxOctets: number): void {
    this.#hostBuffers = count;
    this.maxAclOctets = maxOctets;
    if (this.#hostCredits === undefined) return;
    this.#hostCredits = count;
    for (const held of this.#hostHolds.values()) this.#hostCredits -= held;
  }
  setFlowControl(isOn: boolean): void {
    this.#hostCredits = isOn ? this.#hostBuffers : undefined;
  }
  /** False where the host reports more than it has. Of a connection that ended meanwhile there is nothing left to report. */
  hostCompleted(handle: number, count: number): boolean {
    const held = this.#hostHolds.get(handle);
    if (this.#hostCredits === undefined || held === undefined) return true;
    if (count > held) return false;
    this.#hostHolds.set(handle, held - count);
    this.#hostCredits += count;
    return true;
  }

  /** What the host has of this connection counts as completed (Vol 4 Part E 4.2). */
  connectionEnded(handle: number): void {
    if (this.#hostCredits !== undefined) this.#hostCredits += this.#hostHolds.get(handle) ?? 0;
    this.#hostHolds.delete(handle);
    // The other way round it is the same: what the controller had of it is flushed, and not reported any more (Vol 4 Part E 4.3).
    this.#completed.forget(handle);
    if (this.#completed.size === 0) this.#air.medium.scheduler.clear(this.#completedDue);
  }

  /** A packet to the host. */
  send(packet: Uint8Array): void {
    if (!this.sink) return;
    const index = this.#sent["to-host"]++;
    const path = packet[0] === PacketType.AclData ? this.#aclToHost : this.#events;
    if (this.#hooks.size === 0) path.push(packet);
    else this.#pass({ direction: "to-host", index, packet }, path);
  }

  /** A packet of the host. The trace has it as the host sent it, now. */
  receive(packet: Uint8Array): void {
    const index = this.#sent["to-controller"]++;
    const path = packet[0] === PacketType.AclData ? this.#aclToController : this.#commands;
    if (this.#hooks.size > 0) this.#pass({ direction: "to-controller", index, packet }, path);
    else {
      this.#trace("to-controller", packet, undefined);
      path.push(packet);
    }
  }

  /** The host is gone, and with it what was on its way. */
  disconnect(): void {
    this.sink = undefined;
    for (const path of [this.#events, this.#aclToHost, this.#commands, this.#aclToController]) path.clear();
  }

  addHook(hook: HciHook): Disposable {
    const entry: HciHook = (packet) => hook(packet);
    this.#hooks.add(entry);
    return { [Symbol.dispose]: () => void this.#hooks.delete(entry) };
  }

  /** A packet's way past the hooks. */
  #pass(asked: HciPacket, path: HciPath): void {
    const { direction, packet } = asked;
    this.#air.medium.scheduler.wake(); // a hook may settle what a program waits for
    let answer: ReturnType<HciHook>;
    for (const hook of this.#hooks) {
      answer = hook(asked);
      if (answer !== undefined) break;
    }
    const toController = direction === "to-controller";
    if (answer === "drop") {
      this.#trace(direction, packet, "dropped");
      if (path === this.#commands) this.#onCommandTaken(packet);
      return;
    }
    if (answer === undefined || answer instanceof Uint8Array) {
      const fault = answer && "corrupted";
      if (toController) this.#trace(direction, answer ?? packet, fault);
      path.push(answer ?? packet, fault);
      return;
    }
    const { delayMs, isOvertaken = false } = answer;
    if (!(typeof delayMs === "number" && delayMs >= 0 && delayMs < Number.POSITIVE_INFINITY))
      throw new ArgumentError(`a fault hook's answer: expected "drop", octets or a delayMs from 0 on`);
    if (toController) this.#trace(direction, packet, "delayed");
    if (isOvertaken) path.pushAside(packet, delayMs);
    else path.push(packet, "delayed", delayMs);
  }

  #trace(direction: HciPacket["direction"], packet: Uint8Array, fault: HciFault | undefined): void {
    const { trace } = this.#air;
    if (trace.isOn) trace.add({ kind: "hci", timeUs: this.#air.nowUs, controller: this.#name, direction, packet, fault });
  }
}

function bits(mask: bigint): boolean[] {
  return Array.from({ length: 64 }, (_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}
