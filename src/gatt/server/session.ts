import type { OperationOptions } from "../../async/pending.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { checkOctets } from "../../core/arguments.ts";
import { ArgumentError, type BleError } from "../../core/error.ts";
import { ClientFeature } from "../client-feature.ts";
import { BearerServer } from "./bearer-server.ts";
import { ChangeAwareness } from "./caching.ts";
import { ChangeNotice } from "./change-notice.ts";
import { ClientConfiguration } from "./client-configuration.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";
import type { ServedClient } from "./served-request.ts";
import { SessionSender } from "./session-sender.ts";
import { Turns } from "./turns.ts";

/**
 * The server's side of one connection: answers one client from the database, and sends it what it subscribed to. A client has one bearer, or
 * enhanced ones beside it: what it configured and what it knows holds on all of them (Vol 3 Part G 2.5.2.1, 3.3.3.3, 7.2).
 */
export class GattServerSession {
  /** The unenhanced one. */
  readonly bearer: AttBearer;
  readonly peer: GattPeer;
  readonly #awareness = new ChangeAwareness();
  readonly #sender: SessionSender;
  readonly #configuration: ClientConfiguration;
  readonly #change: ChangeNotice;
  readonly #client: ServedClient & { turns: Turns | undefined };
  readonly #listeners: Disposable[];
  readonly #onClosed: (session: GattServerSession) => void;
  /** The unenhanced one first. */
  #servers: readonly BearerServer[];
  #paused: boolean;
  #closed: BleError | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(
    database: AttributeDatabase,
    at: { bearer: AttBearer; peer: GattPeer; paused: boolean; onClosed: (session: GattServerSession) => void },
  ) {
    const { bearer, peer } = at;
    const awareness = this.#awareness;
    this.bearer = bearer;
    this.peer = peer;
    this.#paused = at.paused;
    this.#onClosed = at.onClosed;
    this.#sender = new SessionSender(bearer, peer, awareness);
    this.#configuration = new ClientConfiguration({ bearer, peer, database, awareness, subscriber: this.#sender });
    const parts = { bearer, peer, database, awareness, configuration: this.#configuration };
    this.#change = new ChangeNotice(parts);
    this.#client = { ...parts, change: this.#change, held: this.#sender.held, turns: undefined };
    this.#servers = [new BearerServer(this.#client, { bearer, paused: at.paused })];
    this.#listeners = [bearer.on("closed", (reason) => this.close(reason)), bearer.on("security", () => this.#change.onSecurity())];
    this.#change.onSecurity();
  }

  /** What this client knows and supports. */
  get clientFeatures(): number {
    return this.#awareness.features;
  }

  /**
   * Serves the same client on an enhanced bearer too, until that bearer or the session is closed.
   *
   * @param isOwn this side opened it: nothing is sent there unasked before the client says that it knows such bearers (Vol 3 Part G 7.2)
   * @throws {ArgumentError} the bearer is served already, or is not an enhanced one @internal
   */
  serve(bearer: AttBearer, { isOwn }: { isOwn: boolean }): void {
    if (bearer.server || !bearer.isEnhanced) throw new ArgumentError("expected an enhanced bearer that has no server yet");
    if (this.#closed || bearer.ended) return;
    this.#client.turns ??= new Turns();
    const server = new BearerServer(this.#client, { bearer, paused: this.#paused });
    this.#servers = [...this.#servers, server];
    this.#sender.add(bearer, isOwn);
    bearer.on("closed", (reason) => this.#leave(server, reason));
  }

  #leave(server: BearerServer, reason: BleError): void {
    if (!this.#servers.includes(server)) return;
    this.#servers = this.#servers.filter((other) => other !== server);
    this.#sender.remove(server.bearer);
    server.close(reason);
    if (this.#servers.length === 1) this.#client.turns = undefined;
  }

  /**
   * Sends several values as one PDU where this client understands that and they fit (Vol 3 Part F 3.4.7.4), else one after the other.
   * Characteristics whose notifications it has not enabled are left out.
   */
  async notifyMultiple(
    values: readonly { characteristic: LocalCharacteristic; value: Uint8Array }[],
    options: OperationOptions = {},
  ): Promise<void> {
    for (const { value } of values) checkOctets("notifyMultiple: value", value, { maxLength: MAX_VALUE_LENGTH });
    const wanted = values.filter(({ characteristic }) => characteristic.isNotifiable(this.#sender));
    const together =
      this.clientFeatures & ClientFeature.MultipleHandleValueNotifications ? this.#sender.notifyMultiple(wanted, options) : undefined;
    if (together) await together;
    else await Promise.all(wanted.map(({ characteristic, value }) => characteristic.notify(value, { ...options, to: this.peer })));
  }

  /** Attributes between these handles came or went (Vol 3 Part G 7.1). */
  onDatabaseChanged(start: number, end: number): void {
    for (const server of this.#servers) server.onDatabaseChanged();
    this.#change.onChanged(start, end);
  }

  /** While paused, requests are taken and not answered. */
  set paused(paused: boolean) {
    this.#paused = paused;
    for (const server of this.#servers) server.paused = paused;
  }

  /** Ends the session: requests under way are refused, and its bearers answer without a server from then on. */
  close(reason: BleError): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    this.#configuration.close();
    this.#sender.held.close(reason);
    const servers = this.#servers;
    this.#servers = [];
    for (const server of servers) server.close(reason);
    this.#onClosed(this);
  }
}
