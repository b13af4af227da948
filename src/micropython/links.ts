import type { Address, Logger } from "../core/index.ts";
import type { Connection, LinkPhy } from "../device/index.ts";
import type { DisconnectedError } from "../hci/index.ts";
import { addressFields } from "./addresses.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { OsErrors } from "./errors.ts";
import { createEvent } from "./events.ts";

/** What a part of the API has to do with links. */
export interface LinkPart {
  /** There is a link, of which the program may not know yet: listeners are set here. */
  onLink?(connection: Connection): void;
  /** The link is gone: what is still owed to the program on it is raised now, in this call; the event of the disconnection follows. */
  onLinkEnd?(connection: Connection, reason: DisconnectedError): void;
}

interface Entry {
  readonly connection: Connection;
  /** The program knows of it. */
  isAnnounced: boolean;
  /** The program is going to hear of it: of an earlier link with its handle it has not heard all yet. */
  isWaiting: boolean;
  isLeaving: boolean;
}

const PHY_NUMBERS: Readonly<Record<LinkPhy["tx"], number>> = { "1M": 1, "2M": 2, coded: 3 };

/** The links of one activation, by their handles; raises what happens to them. */
export class Links {
  readonly #dispatcher: Dispatcher;
  readonly #errors: OsErrors;
  readonly #logger: Logger;
  readonly #isExpected: (connection: Connection) => boolean;
  readonly #parts: LinkPart[] = [];
  readonly #entries = new Map<number, Entry>();
  /** Those that are gone, and of whose end the program has still to hear. */
  readonly #farewells = new Map<number, Connection>();
  #closed = false;

  /** @param isExpected whether a link is one that `announce` will be called for, if it lasts */
  constructor(
    { dispatcher, errors, logger }: { dispatcher: Dispatcher; errors: OsErrors; logger: Logger },
    { isExpected }: { isExpected: (connection: Connection) => boolean },
  ) {
    this.#isExpected = isExpected;
    this.#dispatcher = dispatcher;
    this.#errors = errors;
    this.#logger = logger;
  }

  /** Parts are asked in the order in which they were added. */
  add(part: LinkPart): void {
    this.#parts.push(part);
  }

  /** Those that the program knows of. */
  get all(): Connection[] {
    return [...this.#entries.values()].filter(({ isAnnounced }) => isAnnounced).map(({ connection }) => connection);
  }

  /** The link with this handle, of which the program knows. */
  find(connHandle: number): Connection | undefined {
    const entry = this.#entries.get(connHandle);
    return entry?.isAnnounced ? entry.connection : undefined;
  }

  /** @throws {BleOsError} ENOTCONN */
  get(connHandle: number): Connection {
    const connection = this.find(connHandle);
    if (!connection) throw this.#errors.create("ENOTCONN", `there is no connection ${connHandle}`);
    return connection;
  }

  /** A link to this peer, under either of its addresses. */
  findPeer(peer: Address): Connection | undefined {
    return this.all.find(({ peerAddress, peerIdentity }) => peerAddress.equals(peer) || peerIdentity.equals(peer));
  }

  /** A link that was made for `gapConnect` and is not known to last yet. */
  get coming(): Connection | undefined {
    for (const { connection, isAnnounced } of this.#entries.values()) if (!isAnnounced) return connection;
    return undefined;
  }

  /**
   * A link is there, before anything of the peer is looked at. One that `gapConnect` made is announced when it is known to last; one that the
   * program made with the device itself, at once.
   */
  onConnection(connection: Connection): void {
    const { handle: connHandle, role } = connection;
    const raise = (event: Parameters<Dispatcher["raise"]>[0]): void => this.#dispatcher.raise(event, connection);
    // A link that is gone keeps its end back until the program has heard of what came before.
    const leaving = this.#entries.get(connHandle);
    if (leaving) this.#farewell(leaving.connection);
    const entry: Entry = { connection, isAnnounced: false, isWaiting: false, isLeaving: false };
    this.#entries.set(connHandle, entry);
    const isComing = role === "central" && this.#isExpected(connection);
    if (isComing || this.#farewells.has(connHandle)) this.#dispatcher.hold(connection);
    connection.on("disconnected", (reason) => this.#onEnd(entry, reason));
    connection.on("mtu", (mtu) => raise(createEvent("mtuExchanged", { connHandle, mtu })));
    connection.on("parameters", () => raise(this.#updated(connection, 0)));
    connection.on("parametersFailure", ({ status }) => raise(this.#updated(connection, status)));
    connection.on("phy", ({ tx, rx }) => raise(createEvent("phyUpdate", { connHandle, txPhy: PHY_NUMBERS[tx], rxPhy: PHY_NUMBERS[rx] })));
    connection.on("dataLength", (lengths) => raise(createEvent("dataLengthUpdate", { connHandle, ...lengths })));
    for (const part of this.#parts) part.onLink?.(connection);
    if (!isComing) this.announce(connection);
  }

  /**
   * The link is to be known to the program: now, or when it has heard the last of an earlier one with the same handle.
   *
   * @returns false: the link is gone already
   */
  announce(connection: Connection): boolean {
    const { handle: connHandle, peerIdentity, role } = connection;
    const entry = this.#entries.get(connHandle);
    if (entry?.connection !== connection) return false;
    const type = role === "central" ? "peripheralConnect" : "centralConnect";
    const event = createEvent(type, { connHandle, ...addressFields(peerIdentity) });
    const tell = (): void => {
      if (this.#closed) return;
      entry.isWaiting = false;
      entry.isAnnounced = true;
      this.#dispatcher.open(connection, event);
    };
    const earlier = this.#farewells.get(connHandle);
    entry.isWaiting = earlier !== undefined;
    if (earlier) this.#dispatcher.whenDone(earlier, tell);
    else tell();
    return true;
  }

  /**
   * Begins to end a link.
   *
   * @returns whether there was one
   * @throws {BleOsError} EALREADY: it is being ended; with `compat: "strict"` only
   */
  disconnect(connHandle: number): boolean {
    const connection = this.find(connHandle);
    const entry = connection && this.#entries.get(connHandle);
    if (!entry) return false;
    if (entry.isLeaving && this.#errors.isStrict) throw this.#errors.create("EALREADY", `connection ${connHandle} is being ended`);
    if (entry.isLeaving) return true;
    entry.isLeaving = true;
    connection.disconnect().catch((error: unknown) => {
      entry.isLeaving = false; // it is there still, and can be ended again
      this.#logger.warn(() => `connection ${connHandle} could not be ended: ${String(error)}`);
    });
    return true;
  }

  /** The program ends everything: it hears nothing more of any link. */
  close(): void {
    this.#closed = true;
    for (const { connection } of this.#entries.values()) this.#dispatcher.drop(connection);
    for (const connection of this.#farewells.values()) this.#dispatcher.drop(connection);
    this.#entries.clear();
    this.#farewells.clear();
  }

  #updated(connection: Connection, hciStatus: number) {
    const { handle: connHandle, parameters } = connection;
    return createEvent("connectionUpdate", {
      connHandle,
      connInterval: Math.round(parameters.intervalMs / 1.25),
      connLatency: parameters.latency,
      supervisionTimeout: Math.round(parameters.supervisionTimeoutMs / 10),
      status: hciStatus === 0 ? 0 : 1,
      hciStatus,
    });
  }

  #onEnd(entry: Entry, error: DisconnectedError): void {
    const { connection } = entry;
    const { handle: connHandle } = connection;
    if (this.#closed) return;
    const isLast = this.#entries.get(connHandle) === entry;
    if (isLast) this.#entries.delete(connHandle);
    if (!entry.isAnnounced && !entry.isWaiting) {
      this.#dispatcher.drop(connection);
      return;
    }
    for (const part of this.#parts) part.onLinkEnd?.(connection, error);
    const type = connection.role === "central" ? "peripheralDisconnect" : "centralDisconnect";
    this.#dispatcher.raise(createEvent(type, { connHandle, ...addressFields(connection.peerIdentity), reason: error.reason }), connection);
    this.#dispatcher.seal(connection);
    if (isLast) this.#farewell(connection);
  }

  /** The next link with this handle is announced after the last event of this one. */
  #farewell(connection: Connection): void {
    const { handle } = connection;
    this.#farewells.set(handle, connection);
    this.#dispatcher.whenDone(connection, () => {
      if (this.#farewells.get(handle) === connection) this.#farewells.delete(handle);
    });
  }
}
