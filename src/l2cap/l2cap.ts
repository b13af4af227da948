import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/index.ts";
import { checkChoice, checkInteger, checkOptions, optionNames } from "../core/arguments.ts";
import type { BleError, Logger } from "../core/index.ts";
import { type AclLink, DisconnectedError, type Hci, HciErrorCode } from "../hci/index.ts";
import type { PduChannel } from "./channel.ts";
import { type LinkChannels, type LinkChannelsControl, openLinkChannels } from "./channels/link-channels.ts";
import { L2capListeners } from "./channels/listeners.ts";
import type { LinkOwner } from "./channels/owner.ts";
import { FixedChannel, FixedChannelId } from "./fixed-channel.ts";
import { HeldPdus } from "./held-pdus.ts";
import { LinkGate } from "./link-gate.ts";
import { ParameterUpdate } from "./parameter-update.ts";
import { Signalling } from "./signalling.ts";

const HEADER = 4;
/** How long those who have paused a link may keep its end from being told: the limit of an ATT transaction (Vol 3 Part F 3.3.3). */
const REST_MS = 30_000;

export interface L2capLinkOptions {
  /** Connection_Handle of the connection complete event. */
  handle: number;
  role: "central" | "peripheral";
}

/** What a link is made with. */
interface LinkParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly listeners: L2capListeners;
  readonly packetLength: () => number;
}

const LINK_OPTIONS = optionNames<L2capLinkOptions>({ handle: true, role: true });

/** The logical link of one connection: its fixed channels. */
export class L2capLink {
  readonly handle: number;
  readonly role: "central" | "peripheral";
  /** Attribute Protocol, channel 0x0004. */
  readonly att: PduChannel;
  /** Security Manager Protocol, channel 0x0006. */
  readonly smp: PduChannel;
  /** LE signalling, channel 0x0005. */
  readonly signalling: Signalling;
  /** Connection parameters that the peripheral asks for over the signalling channel. */
  readonly parameterUpdate: ParameterUpdate;
  /** Credit based channels. */
  readonly channels: LinkChannels;
  readonly #acl: AclLink;
  readonly #logger: Logger;
  readonly #att: FixedChannel;
  readonly #smp: FixedChannel;
  readonly #signals: FixedChannel;
  /** PDUs that wait for the event of an encryption. */
  readonly #held: HeldPdus;
  readonly #gate: LinkGate;
  readonly #channels: LinkChannelsControl;
  #finished = false;
  /** The link is gone, and what had arrived is still being delivered: the time for it. */
  #leaving: Disposable | undefined;
  /** Who waits for the last of it. */
  #onRest: (() => void) | undefined;

  constructor(acl: AclLink, { handle, role, clock, logger, listeners, packetLength }: L2capLinkOptions & LinkParts) {
    this.handle = handle;
    this.role = role;
    this.#acl = acl;
    this.#logger = logger;
    this.att = this.#att = new FixedChannel(acl, FixedChannelId.Attribute);
    this.smp = this.#smp = new FixedChannel(acl, FixedChannelId.SecurityManager);
    this.#signals = new FixedChannel(acl, FixedChannelId.LeSignalling);
    this.signalling = new Signalling(this.#signals, { logger });
    this.parameterUpdate = new ParameterUpdate(this.signalling, { role, clock, logger });
    const { channels, control } = openLinkChannels({ acl, signalling: this.signalling, clock, logger, listeners, packetLength });
    this.channels = channels;
    this.#channels = control;
    const deliverHeld = (pdu: Uint8Array): void => callOut(this.#receive, pdu, 0, pdu.length);
    this.#held = new HeldPdus(clock, (pdu) => {
      if (this.#gate.isShut) this.#gate.keepHeld(pdu);
      else deliverHeld(pdu);
    });
    this.#gate = new LinkGate({
      deliver: (pdu) => callOut(this.#receiveOrHold, pdu, 0, pdu.length),
      deliverHeld,
      onChange: () => this.#onGateChange(),
      onOverflow: (problem) => acl.giveUp(problem),
    });
    this.#route();
    acl.onClose = (reason) => {
      this.#held.clear();
      if (!this.#gate.hasWaiting || isOwn(reason)) this.#finish(reason);
      else this.#leaving = clock.setTimer(REST_MS, "what had arrived on a link that is gone", () => this.#leave(reason));
    };
  }

  /** Whose link it is: what its channels show, and what they ask about security. */
  bind(owner: LinkOwner): void {
    this.#channels.bind(owner);
  }

  /** Octets of a link layer packet, which K-frames are to fill: 27 until the controllers have agreed on more. */
  setTxOctets(txOctets: number): void {
    this.#channels.setTxOctets(txOctets);
  }

  /** Why the link is gone. */
  get ended(): BleError | undefined {
    return this.#acl.ended;
  }

  /**
   * The peer may send encrypted from now on, while the event that says so is still to come, and may come after what was sent. PDUs wait for
   * `encryptionSettled`, each for 20 ms at most, so that they are judged by the security that they were sent with; those of the Security Manager
   * do not.
   *
   * Call it when nothing is sent in the clear any more: as peripheral with the key that the controller asks for, since the central's link
   * layer has paused its data before (Vol 6 Part B 5.1.3.1); as central with LE Enable Encryption.
   */
  expectEncryption(): void {
    if (this.ended) return;
    this.#held.expect();
    this.#route();
  }

  /** The event of the encryption has been dealt with, or there will be none: what waited is delivered. */
  encryptionSettled(): void {
    this.#held.release();
    this.#route();
  }

  /**
   * Nothing of the peer is delivered on any channel until the result is disposed; then all of it is, in order. Several pauses add up. For who
   * has to finish with one PDU before it can look at the next. A link on which more than 1 MiB or 1024 PDUs wait is disconnected. What waits
   * when the link is lost, or ended by the peer, is still delivered, and the channels end after it (`afterRest`).
   */
  pause(): Disposable {
    return this.#gate.pause();
  }

  /**
   * The controller has said that the link is gone: calls `act` when everything that had arrived is delivered, which is now unless the link
   * is paused. Who keeps it paused has 30 s; then the rest is dropped. Where this side ended the link nothing is waited for.
   */
  afterRest(act: () => void): void {
    if (this.#leaving) this.#onRest = act;
    else act();
  }

  /** Ends all channels with `reason`; the connection itself is ended by HCI Disconnect. A disconnection closes by itself. */
  close(reason: BleError): void {
    this.#acl.close(reason);
    this.#finish(reason);
  }

  #finish(reason: BleError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#leaving?.[Symbol.dispose]();
    this.#leaving = undefined;
    this.#onRest = undefined;
    this.#gate.close();
    for (const channel of [this.#att, this.#smp, this.#signals]) callOut(() => channel.close(reason));
    this.#channels.close(reason);
  }

  #onGateChange(): void {
    this.#route();
    if (this.#leaving && !this.#gate.hasWaiting) this.#leave(this.ended!);
  }

  /** All that had arrived is delivered, or its time is over. */
  #leave(reason: BleError): void {
    const onRest = this.#onRest;
    this.#onRest = undefined;
    onRest?.();
    this.#finish(reason);
  }

  /** Sets where PDUs go from here, so that one asks whether it has to wait only while some may have to. */
  #route(): void {
    if (this.ended) return;
    if (this.#gate.isActive) this.#acl.onPdu = this.#keep;
    else this.#acl.onPdu = this.#held.isActive ? this.#receiveOrHold : this.#receive;
  }

  readonly #keep = (bytes: Uint8Array, offset: number, end: number): void => this.#gate.keep(bytes, offset, end);

  readonly #receiveOrHold = (bytes: Uint8Array, offset: number, end: number): void => {
    // The Security Manager goes on without: the encryption may be a part of what it does.
    if ((bytes[offset + 2]! | (bytes[offset + 3]! << 8)) !== FixedChannelId.SecurityManager) {
      if (this.#held.hold(bytes, offset, end)) return;
      if (this.#gate.isShut) {
        // One of those that were delivered in front of it has closed the gate.
        this.#gate.keepHeld(bytes.slice(offset, end));
        return;
      }
    }
    this.#route(); // the last of them may have been delivered
    this.#receive(bytes, offset, end);
  };

  readonly #receive = (bytes: Uint8Array, offset: number, end: number): void => {
    const channelId = bytes[offset + 2]! | (bytes[offset + 3]! << 8);
    switch (channelId) {
      case FixedChannelId.Attribute:
        this.#att.onPdu?.(bytes, offset + HEADER, end);
        break;
      case FixedChannelId.SecurityManager:
        this.#smp.onPdu?.(bytes, offset + HEADER, end);
        break;
      case FixedChannelId.LeSignalling:
        this.#signals.onPdu?.(bytes, offset + HEADER, end);
        break;
      default:
        if (this.#channels.receive(channelId, bytes, offset + HEADER, end)) return;
        // Channels that do not exist are not answered, their PDUs are dropped.
        this.#logger.debug("a PDU for an unknown channel was dropped");
    }
  };
}

/** This side has ended the link, or the whole controller. */
function isOwn(reason: BleError): boolean {
  return !(reason instanceof DisconnectedError) || reason.reason === HciErrorCode.ConnectionTerminatedByLocalHost;
}

/** L2CAP of one controller. */
export class L2cap {
  /** What is listened to, on all links. */
  readonly listeners: L2capListeners;
  readonly #hci: Hci;
  readonly #logger: Logger;

  constructor(hci: Hci, { logger = hci.logger }: { logger?: Logger } = {}) {
    this.#hci = hci;
    this.listeners = new L2capListeners(hci.clock);
    this.#logger = logger.child("l2cap");
  }

  /** The link of a new connection. To be called inside the handler of the connection complete event: data may follow at once. */
  open(options: L2capLinkOptions): L2capLink {
    checkOptions("L2cap.open", options ?? {}, LINK_OPTIONS);
    const { handle, role } = options ?? {};
    checkInteger("L2cap.open: handle", handle, 0, 0x0eff);
    checkChoice("L2cap.open: role", role, ["central", "peripheral"]);
    const { acl, clock } = this.#hci;
    const { listeners } = this;
    return new L2capLink(acl.open(handle), { handle, role, clock, logger: this.#logger, listeners, packetLength: () => acl.packetLength });
  }
}
