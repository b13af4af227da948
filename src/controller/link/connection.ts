import { type Link, type LinkChange, type LinkEnd, type LinkRole, octetsInTime, Phy, type Radio, type Scheduler } from "../../air/index.ts";
import type { Address, SeededRandom } from "../../core/index.ts";
import { DisconnectionComplete, HciErrorCode, LeFeature } from "../../hci/index.ts";
import type { HostInterface } from "../host-interface.ts";
import { hasFeature } from "../options.ts";
import type { SyncTransfer } from "../periodic/transfer.ts";
import { AclQueue } from "./acl-queue.ts";
import { type LinkCipher, MIC_OCTETS } from "./cipher.ts";
import { type ClassifiedLink, LinkClassification } from "./classification.ts";
import type { ConnectionParameters } from "./connection-parameters.ts";
import { type ControlContext, LinkControl } from "./control.ts";
import { LlTerminateInd } from "./control-pdus.ts";
import { type EncryptionState, LinkEncryption } from "./encryption.ts";
import { type DataLength, LinkExchanges } from "./exchanges.ts";
import { type MeasuredLink, PathLossMonitor } from "./path-loss.ts";
import { LinkPing, type PingedLink } from "./ping.ts";
import { LinkPower, type PoweredLink, type PowerRange } from "./power.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { LinkSubrating, type SubratedLink, type SubrateRange } from "./subrating.ts";
import { LinkUpdates, type UpdatableLink } from "./updates.ts";

/** What a connection is made of. */
export interface ConnectionSetup {
  readonly handle: number;
  readonly role: LinkRole;
  readonly peerAddress: Address;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly features: bigint;
  readonly pings: boolean;
  readonly parameters: ConnectionParameters;
  readonly channelMap: Uint8Array;
  /** The data channels that the host leaves at the time, 5 octets. */
  readonly hostChannels: () => Uint8Array;
  /** What this controller sends and takes at most. */
  readonly dataLength: DataLength;
  /** The PHY that the link begins on, both ways. */
  readonly phy: Phy;
  readonly txPhys: number;
  readonly rxPhys: number;
  readonly power: PowerRange;
  /** What this controller takes of a peripheral that asks for another subrate. */
  readonly subrate: SubrateRange;
  /** The connection is over; its handle and buffers are free. */
  readonly onClosed: (connection: Connection) => void;
}

const LLID_CONTROL = 3;
const LLID_START = 2;

/** One end of a link: data of the host out and in, control procedures, encryption. */
export class Connection
  implements LinkEnd, ControlContext, EncryptionState, UpdatableLink, PoweredLink, MeasuredLink, SubratedLink, PingedLink, ClassifiedLink
{
  readonly handle: number;
  readonly role: LinkRole;
  readonly peerAddress: Address;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly features: bigint;
  readonly acl = new AclQueue();
  readonly #received: ReceiveQueue;
  readonly control: LinkControl;
  readonly encryption: LinkEncryption;
  readonly updates: LinkUpdates;
  readonly exchanges: LinkExchanges;
  readonly subrating: LinkSubrating;
  readonly ping: LinkPing;
  readonly classification: LinkClassification;
  readonly power: LinkPower;
  readonly pathLoss: PathLossMonitor;
  /** Trains told to the peer and by it. */
  transfer: SyncTransfer | undefined;
  gainDb = 0;
  parameters: ConnectionParameters;
  channelMap: Uint8Array;
  tx: LinkCipher | undefined;
  rx: LinkCipher | undefined;
  holdsData = false;
  txPhy: Phy;
  rxPhy: Phy;
  txPhys: number;
  rxPhys: number;
  coding: Phy = Phy.LeCodedS8;
  readonly #hostChannels: () => Uint8Array;
  readonly #onClosed: (connection: Connection) => void;
  #link: Link | undefined;
  #maxTxOctets = 27;
  #isClosed = false;
  /** What to do when the PDU on its way is acknowledged. */
  #onAcknowledged: (() => void) | undefined;
  readonly #onPacketSent = (): void => {
    this.acl.size--;
    this.host.completed(this.handle);
  };

  constructor(setup: ConnectionSetup) {
    this.handle = setup.handle;
    this.role = setup.role;
    this.peerAddress = setup.peerAddress;
    this.radio = setup.radio;
    this.host = setup.host;
    this.scheduler = setup.scheduler;
    this.random = setup.random;
    this.features = setup.features;
    this.parameters = setup.parameters;
    this.channelMap = setup.channelMap;
    this.txPhy = setup.phy;
    this.rxPhy = setup.phy;
    if (setup.phy > Phy.Le2M) this.coding = setup.phy;
    this.txPhys = setup.txPhys;
    this.rxPhys = setup.rxPhys;
    this.#hostChannels = setup.hostChannels;
    this.#onClosed = setup.onClosed;
    this.#received = new ReceiveQueue(setup.host, setup.handle);
    this.control = new LinkControl(this);
    this.encryption = new LinkEncryption(this.control, this, (reason) => this.disconnect(reason, reason));
    this.updates = new LinkUpdates(this.control, this);
    this.exchanges = new LinkExchanges(this.control, setup.dataLength, () => this.#fitPdus());
    this.subrating = new LinkSubrating(this.control, this, this.exchanges, setup.subrate);
    this.classification = new LinkClassification(this.control, this);
    this.ping = new LinkPing(this.control, this, setup.pings);
    this.power = new LinkPower(this.control, this, setup.power, () => this.#onRemotePower());
    this.pathLoss = new PathLossMonitor(this, this);
    this.control.on(LlTerminateInd, ({ errorCode }) => this.#onTerminateInd(errorCode));
  }

  get link(): Link {
    return this.#link!;
  }
  /** The link this end sits on, known once it is made. */
  set link(link: Link) {
    this.#link = link;
  }

  /** The link is up: what the controller does of itself. */
  begin(): void {
    // Data PDUs longer than at first have to be agreed on (Vol 6 Part B 4.5.10).
    if (hasFeature(this.features, LeFeature.LeDataPacketLengthExtension) && this.exchanges.wantsMore) this.exchanges.requestLength();
    this.classification.begin(this.exchanges);
  }

  /** An ACL packet of the host. False when nothing of it has to be kept. */
  sendAcl(packet: Uint8Array): boolean {
    if (packet.length === 5 || this.control.isTerminating) return false;
    this.acl.push(packet);
    if (!this.holdsData) this.link.wake(this.role);
    return true;
  }

  get nextOctets(): number {
    if (this.#isClosed) return 0;
    const octets = this.control.nextOctets || (this.holdsData ? 0 : this.acl.nextOctets(this.#maxTxOctets));
    return octets > 0 && this.tx ? octets + MIC_OCTETS : octets;
  }

  takePdu(): Uint8Array | undefined {
    if (this.#isClosed) return undefined;
    const control = this.control.take();
    if (control) {
      const pdu = this.#seal(LLID_CONTROL, control.payload);
      control.onTaken?.();
      this.#onAcknowledged = control.onAcknowledged;
      return pdu;
    }
    const pdu = this.holdsData ? undefined : this.acl.take(this.#maxTxOctets);
    if (!pdu) return undefined;
    this.#onAcknowledged = this.acl.isLast ? this.#onPacketSent : undefined;
    return this.tx ? this.tx.encrypt(pdu[0]!, pdu.subarray(2)) : pdu;
  }

  onAcknowledged(): void {
    const then = this.#onAcknowledged;
    this.#onAcknowledged = undefined;
    if (!this.#isClosed) then?.();
  }

  accepts(pdu: Uint8Array): boolean {
    return !this.#received.isFull || (pdu[0]! & 3) === LLID_CONTROL;
  }

  /** The host takes data again. */
  onHostReady(): void {
    this.#received.drain();
    this.link.wake(this.role);
  }

  onPdu(pdu: Uint8Array): void {
    if (this.#isClosed) return;
    const llid = pdu[0]! & 3;
    const payload = this.rx?.decrypt(pdu);
    if (payload) this.ping.heard();
    // Where encryption begins nothing else may come (Vol 6 Part B 5.1.3.1, 5.1.3.2).
    const isStray =
      this.holdsData && llid !== 0 && !this.encryption.permits(llid === LLID_CONTROL ? (payload ?? pdu.subarray(2))[0] : undefined);
    if ((this.rx && !payload) || isStray) this.lose(HciErrorCode.ConnectionTerminatedDueToMicFailure);
    else if (llid === LLID_CONTROL) this.control.receive(payload ?? pdu.subarray(2));
    else if (llid !== 0 && !this.control.isTerminating) {
      if (payload) this.#received.push(llid === LLID_START, payload, 0);
      else this.#received.push(llid === LLID_START, pdu, 2);
    }
  }

  onEventClosed(): void {
    this.host.tellCompleted(this.radio.uses.length > 1);
    if (this.#isClosed) return;
    this.power.regulate();
    if (this.pathLoss.isEnabled) this.pathLoss.measure();
  }

  onInstant(change: LinkChange): void {
    if (!this.#isClosed) this.updates.onInstant(change);
  }

  peerLacks(bit: number): boolean {
    return this.exchanges.peerLacks(bit);
  }

  get subrateFactor(): number {
    return this.subrating.factor;
  }

  onIntervalChange(): void {
    this.subrating.reset();
  }

  onPhyChange(): void {
    this.#fitPdus();
    this.onPowerChange();
    this.power.onPhyChange();
  }

  onPowerChange(): void {
    this.gainDb = this.power.level(this.txPhy) - this.radio.txPowerDbm;
  }

  get hostChannels(): Uint8Array {
    return this.#hostChannels();
  }

  useChannels(channelMap: Uint8Array): void {
    this.updates.updateChannels(channelMap);
  }

  get isEncrypted(): boolean {
    return this.rx !== undefined;
  }

  get attendedUs(): number {
    return this.intervalUs * this.subrateFactor * (1 + this.parameters.latency);
  }

  get intervalUs(): number {
    return this.parameters.interval * 1250;
  }

  get pathLossDb(): number | undefined {
    const remoteDbm = this.power.remoteDbm(this.rxPhy);
    const meanDbm = this.link.meanDbm(this.role);
    if (remoteDbm === undefined || meanDbm === undefined) return undefined;
    return Math.max(0, Math.min(254, Math.round(remoteDbm - meanDbm)));
  }

  #onRemotePower(): void {
    if (this.power.remoteDbm(this.rxPhy) === undefined) this.pathLoss.giveUp();
    else this.pathLoss.measure();
  }

  onLost(reason: number): void {
    // To the host that asked for the end it is the end it asked for.
    this.#close(this.control.isTerminating ? HciErrorCode.ConnectionTerminatedByLocalHost : reason);
  }

  lose(reason: number): void {
    this.link.leave(this.role);
    this.#close(reason);
  }

  /** Says goodbye; `hostReason` is what the own host hears once the peer knows. */
  disconnect(reason: number, hostReason: number = HciErrorCode.ConnectionTerminatedByLocalHost): void {
    if (this.control.isTerminating) return;
    this.control.terminate(reason, this.parameters.timeout * 10_000, () => this.lose(hostReason));
  }

  /** The controller is reset or gone: nobody is told, the peer finds out by itself. */
  abandon(): void {
    this.link.leave(this.role);
    this.#end();
  }

  #onTerminateInd(errorCode: number): void {
    const reason = this.control.isTerminating ? HciErrorCode.ConnectionTerminatedByLocalHost : errorCode;
    this.link.leave(this.role, { afterNextPdu: true }); // the peer waits for the acknowledgement
    this.#close(reason);
  }

  #close(reason: number): void {
    if (this.#isClosed) return;
    this.#received.drain({ isLast: true });
    this.#end();
    this.host.event(DisconnectionComplete, { status: 0, connectionHandle: this.handle, reason });
  }

  #end(): void {
    this.#isClosed = true;
    this.control.close();
    this.pathLoss.close();
    this.ping.close();
    this.classification.close();
    this.acl.clear();
    this.#received.clear();
    this.host.connectionEnded(this.handle);
    this.#onClosed(this);
  }

  #fitPdus(): void {
    const { maxTxOctets, maxTxTime } = this.exchanges.effective;
    this.#maxTxOctets = Math.min(maxTxOctets, octetsInTime(this.txPhy, maxTxTime));
  }

  #seal(llid: number, payload: Uint8Array): Uint8Array {
    if (this.tx) return this.tx.encrypt(llid, payload);
    const pdu = new Uint8Array(2 + payload.length);
    pdu[0] = llid;
    pdu[1] = payload.length;
    pdu.set(payload, 2);
    return pdu;
  }
}
