import { TimeoutError } from "../core/index.ts";
import type { Connection } from "../device/index.ts";
import { DisconnectedError } from "../hci/index.ts";
import {
  ChannelClosedError,
  type ChannelRequest,
  ConnectionResult,
  type CreditBasedChannel,
  type L2capListener,
  L2capRefusedError,
} from "../l2cap/index.ts";
import type { Activation } from "./activation.ts";
import { ChannelBuffer } from "./channel-buffer.ts";
import { Status } from "./constants.ts";
import type { IrqResult } from "./event-queue.ts";
import { createEvent } from "./events.ts";
import type { LinkPart } from "./links.ts";

type Channel = CreditBasedChannel<Connection>;

/** What is taken on a channel, in octets. */
const LEAST_MTU = 32;
const MOST_MTU = 0xffff;
/** As at MicroPython's host. */
const MPS = 284;
/** Own CIDs of a link, Vol 3 Part A 2.1. */
const MOST_CHANNELS = 64;
/** A handler has 30 s for its answer, and has accepted if it says nothing. */
const DECISION_MS = 35_000;
/** `cid` of an attempt that came to nothing. */
const NO_CHANNEL = 0;

/** What a handler's answer to `l2capAccept` is at the peer: codes of MicroPython's host, and results of Vol 3 Part A 4.23. */
const RESULTS: ReadonlyMap<number, number> = new Map([
  [3, ConnectionResult.UnacceptableParameters],
  [8, ConnectionResult.SpsmNotSupported],
  [23, ConnectionResult.InsufficientAuthentication],
  [24, ConnectionResult.InsufficientAuthorization],
  [25, ConnectionResult.InsufficientEncryption],
  [26, ConnectionResult.EncryptionKeySizeTooShort],
]);
/** The other way: `status` where the peer refused. */
const STATUSES: ReadonlyMap<number, number> = new Map([
  [ConnectionResult.SpsmNotSupported, 8],
  [ConnectionResult.NoResources, 6],
  [ConnectionResult.InsufficientAuthentication, 23],
  [ConnectionResult.InsufficientAuthorization, 24],
  [ConnectionResult.EncryptionKeySizeTooShort, 26],
  [ConnectionResult.InsufficientEncryption, 25],
  [ConnectionResult.InvalidSourceCid, 16],
  [ConnectionResult.SourceCidAlreadyAllocated, 2],
  [ConnectionResult.UnacceptableParameters, 3],
]);
const OTHER_STATUS = 17;

interface Entry {
  readonly channel: Channel;
  readonly received: ChannelBuffer;
  /** An SDU was taken and has not gone completely: the program hears of the end of it. */
  isStalled: boolean;
  /** The program closes it. */
  isClosing: boolean;
}

interface LinkState {
  readonly channels: Map<number, Entry>;
  /** PSMs of attempts whose outcome the program has not heard. */
  readonly attempts: Set<{ readonly psm: number }>;
}

/** `l2cap_*`: credit based channels by their numbers. */
export class Channels implements LinkPart {
  readonly #activation: Activation;
  readonly #links = new Map<Connection, LinkState>();
  readonly #listeners = new Map<number, L2capListener<Connection>>();

  constructor(activation: Activation) {
    this.#activation = activation;
    activation.links.add(this);
  }

  onLink(connection: Connection): void {
    this.#links.set(connection, { channels: new Map(), attempts: new Set() });
  }

  onLinkEnd(connection: Connection): void {
    const state = this.#links.get(connection);
    this.#links.delete(connection);
    for (const { psm } of state?.attempts ?? []) this.#raiseEnd(connection, NO_CHANNEL, psm, Status.NotConnected);
    for (const { channel } of state?.channels.values() ?? []) this.#raiseEnd(connection, channel.localCid, channel.spsm, Status.Success);
  }

  /** @throws {BleOsError} EALREADY: listening · EINVAL: no such PSM */
  listen(psm: number, mtu: number): void {
    const { errors, device } = this.#activation;
    if (this.#listeners.has(psm)) throw errors.create("EALREADY", `l2capListen: PSM ${psm} is listened to already`);
    try {
      const listener = device.l2cap.listen(psm, {
        ...optionsOf(mtu),
        mode: "credit",
        accept: (request) => this.#accept(request),
        timeoutMs: DECISION_MS,
      });
      listener.onChannel = (channel) => this.#open(channel);
      this.#listeners.set(psm, listener);
    } catch (error) {
      throw errors.of("l2capListen", error);
    }
  }

  /** @throws {BleOsError} EINVAL: nobody listens there */
  unlisten(psm: number): void {
    const listener = this.#listeners.get(psm);
    if (!listener) throw this.#activation.errors.create("EINVAL", `l2capUnlisten: PSM ${psm} is not listened to`);
    this.#listeners.delete(psm);
    listener[Symbol.dispose]();
  }

  /** @throws {BleOsError} ENOTCONN · EINVAL: no such PSM · ENOMEM: no room for another channel */
  connect(connHandle: number, psm: number, mtu: number): void {
    const { errors } = this.#activation;
    const connection = this.#activation.link(connHandle);
    const state = this.#links.get(connection)!;
    if (psm < 1 || psm > 0xff) throw errors.create("EINVAL", `l2capConnect: PSM ${psm}: expected 1 to 255`);
    if (connection.l2cap.channels.length + state.attempts.size >= MOST_CHANNELS)
      throw errors.create("ENOMEM", `l2capConnect: connection ${connHandle} has ${MOST_CHANNELS} channels`);
    const attempt = { psm };
    state.attempts.add(attempt);
    connection.l2cap.connect(psm, optionsOf(mtu)).then(
      (channel) => {
        if (state.attempts.delete(attempt) && this.#links.has(connection)) this.#open(channel);
      },
      (error: unknown) => {
        if (state.attempts.delete(attempt) && this.#links.has(connection)) this.#raiseEnd(connection, NO_CHANNEL, psm, statusOf(error));
      },
    );
  }

  /** @throws {BleOsError} EINVAL: no such channel */
  disconnect(connHandle: number, cid: number): void {
    const entry = this.#get("l2capDisconnect", connHandle, cid);
    if (entry.isClosing) return;
    entry.isClosing = true;
    const { channel } = entry;
    // What was sent before goes first; the peer has then answered, or says nothing.
    void channel.close().then(() => this.#ended(entry));
  }

  /** @throws {BleOsError} EINVAL: no such channel, or longer than the peer takes · EBUSY: the one before has not gone yet */
  send(connHandle: number, cid: number, sdu: Uint8Array): boolean {
    const { errors } = this.#activation;
    const entry = this.#get("l2capSend", connHandle, cid);
    const { channel } = entry;
    if (entry.isClosing) throw errors.create("EINVAL", `l2capSend: channel ${cid} is being closed`);
    if (sdu.length > channel.peerMtu)
      throw errors.create("EINVAL", `l2capSend: an SDU of ${sdu.length} octets: the peer takes at most ${channel.peerMtu}`);
    if (entry.isStalled || !channel.trySend(sdu)) throw errors.create("EBUSY", "l2capSend: the SDU before has not gone yet");
    if (channel.waiting === 0) return true;
    entry.isStalled = true;
    channel.whenWritable().then(
      () => {
        entry.isStalled = false;
        this.#raise(channel, createEvent("l2capSendReady", { connHandle, cid, status: Status.Success }));
      },
      () => undefined, // the channel has ended, which is told
    );
    return false;
  }

  /** @param into nothing: only asks how much there is @throws {BleOsError} EINVAL: no such channel */
  receive(connHandle: number, cid: number, into: Uint8Array | undefined): number {
    const { received } = this.#get("l2capRecvInto", connHandle, cid);
    return into ? received.read(into) : received.available;
  }

  #get(method: string, connHandle: number, cid: number): Entry {
    const connection = this.#activation.links.find(connHandle);
    const entry = connection && this.#links.get(connection)?.channels.get(cid);
    if (!entry) throw this.#activation.errors.create("EINVAL", `${method}: connection ${connHandle} has no channel ${cid}`);
    return entry;
  }

  #accept(request: ChannelRequest<Connection>): boolean | number | Promise<boolean | number> {
    const { connection, localCid, spsm, mtu, peerMtu } = request;
    const { handle: connHandle } = connection;
    const event = createEvent("l2capAccept", { connHandle, cid: localCid, psm: spsm, ourMtu: mtu, peerMtu });
    const answer = this.#activation.dispatcher.ask(event, connection);
    return answer instanceof Promise ? answer.then(resultOf) : resultOf(answer);
  }

  /** A channel is there, whoever asked for it. */
  #open(channel: Channel): void {
    const { connection, localCid: cid, spsm: psm, mtu: ourMtu, peerMtu } = channel;
    const { handle: connHandle } = connection;
    const state = this.#links.get(connection);
    if (!state) return;
    const received = new ChannelBuffer({
      consumed: (sdus) => channel.consumed(sdus),
      tell: () => this.#activation.dispatcher.ask(createEvent("l2capRecv", { connHandle, cid }), connection),
    });
    const entry: Entry = { channel, received, isStalled: false, isClosing: false };
    state.channels.set(cid, entry);
    this.#raise(channel, createEvent("l2capConnect", { connHandle, cid, psm, ourMtu, peerMtu }));
    if (channel.ended) {
      this.#onClosed(entry, channel.ended);
      return;
    }
    channel.on("closed", (reason) => this.#onClosed(entry, reason));
    channel.onSdu = (sdu) => received.push(sdu);
  }

  /** The end of one that the program closes is told when the peer has answered, and of those of a link in their turn. */
  #onClosed(entry: Entry, reason: Error): void {
    const isOfLink = !(reason instanceof ChannelClosedError);
    if (!isOfLink && !(entry.isClosing && reason.by === "owner")) this.#ended(entry);
  }

  #ended(entry: Entry): void {
    const { connection, localCid, spsm } = entry.channel;
    const channels = this.#links.get(connection)?.channels;
    if (channels?.get(localCid) !== entry) return; // told already
    channels.delete(localCid);
    this.#raiseEnd(connection, localCid, spsm, Status.Success);
  }

  #raise({ connection }: Channel, event: Parameters<Activation["dispatcher"]["raise"]>[0]): void {
    this.#activation.dispatcher.raise(event, connection);
  }

  #raiseEnd(connection: Connection, cid: number, psm: number, status: number): void {
    const { handle: connHandle } = connection;
    this.#activation.dispatcher.raise(createEvent("l2capDisconnect", { connHandle, cid, psm, status }), connection);
  }
}

/** Credits as MicroPython's host gives them: for one SDU at a time, and back when it was read. */
function optionsOf(mtu: number) {
  return {
    mtu: Math.min(Math.max(mtu, LEAST_MTU), MOST_MTU),
    mps: MPS,
    receiveWindow: 1,
    credits: "manual",
    sendQueue: 1,
  } as const;
}

/** A number that is not zero refuses; everything else accepts. */
function resultOf(answer: IrqResult): boolean | number {
  if (typeof answer !== "number" || answer === 0) return true;
  return RESULTS.get(answer) ?? ConnectionResult.NoResources;
}

function statusOf(error: unknown): number {
  if (error instanceof L2capRefusedError) return STATUSES.get(error.result) ?? OTHER_STATUS;
  if (error instanceof TimeoutError) return Status.TimedOut;
  if (error instanceof DisconnectedError) return Status.NotConnected;
  return OTHER_STATUS;
}
