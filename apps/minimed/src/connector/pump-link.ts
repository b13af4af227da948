import type { Clock } from "jelling/async";
import { type BleError, ClosedError, type Logger, type RandomSource, StateError } from "jelling/core";
import type { Connection } from "jelling/device";
import type { GattPeer } from "jelling/gatt";
import type { DisconnectedError } from "jelling/hci";
import { BondLostError } from "jelling/smp";
import { SakeDeviceType } from "../sake/device-type.ts";
import { SakeHandshakeError } from "../sake/handshake.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import type { SakeSession } from "../sake/session.ts";
import type { PumpEventDetail } from "./events.ts";
import { PumpChannel } from "./pump-channel.ts";
import { SakePort } from "./sake-port.ts";
import type { WriteGate } from "./write-gate.ts";

/** A first connection takes 30 to 40 s from connecting to a session. */
const AUTHENTICATE_TIMEOUT_MS = 120_000;

export interface PumpLinkOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly keyDatabase: SakeKeyDatabase;
  readonly notify: (value: Uint8Array) => Promise<void>;
  readonly emit: (detail: PumpEventDetail) => void;
  readonly warn: (message: string, hint?: string) => void;
  readonly gate: WriteGate;
  readonly onChannel: (channel: PumpChannel) => void;
  /** The other side is authenticated, on a link that is encrypted with its bond. Called once. */
  readonly onProved: () => void;
}

/** One connection with a pump: what its security, its SAKE handshake and its session are at. */
export class PumpLink implements Disposable {
  readonly #connection: Connection;
  readonly #options: PumpLinkOptions;
  readonly #sake: SakePort;
  readonly #listeners: Disposable[];
  #deadline: Disposable;
  /** When the link is gone. @throws it cannot be taken down */
  readonly over: Promise<DisconnectedError>;
  #onStuck!: (error: unknown) => void;
  #channel: PumpChannel | undefined;
  #restored = false;
  #reads = new Set<string>();
  #isProved = false;
  encrypted = false;
  authenticated = false;
  /** The handshake was refused, on a link that was encrypted with a bond: its owner is no pump. A link that is lost, or silence, shows nothing. */
  disproved = false;
  /** The other side asked for a key that is not that of its bond. */
  keyRefused = false;

  constructor(connection: Connection, options: PumpLinkOptions) {
    this.#connection = connection;
    this.#options = options;
    const stuck = new Promise<never>((_, reject) => {
      this.#onStuck = reject;
    });
    this.over = Promise.race([connection.closed, stuck]);
    const { clock, random, logger, keyDatabase, notify, emit, warn } = options;
    this.#sake = new SakePort({
      keyDatabase,
      peerType: SakeDeviceType.InsulinPump,
      clock,
      random,
      logger,
      notify,
      onStage: (stage) => emit({ type: "sake", stage }),
      onAuthenticated: (session) => this.#onAuthenticated(session),
      onRestart: () => {
        this.#channel?.end(new StateError("the pump began a new handshake"));
        // One that it begins and gives up again would leave a link of which nothing comes.
        this.#deadline = this.#awaitAuthentication();
      },
      onFailure: (error) => {
        warn(`SAKE failed: ${error.message}.`, hintFor(error));
        if (error instanceof SakeHandshakeError && connection.security.bonded) this.disproved = true;
        this.drop();
      },
    });
    this.#listeners = [
      connection.on("paired", (report) => {
        const { method, authenticated, keySize, localKeys, peerKeys, refused } = report;
        emit({ type: "paired", method, authenticated, keySize, localKeys, peerKeys, refused });
      }),
      connection.on("security", (security) => this.#onSecurity(security.encrypted)),
      connection.on("securityFailure", (error) => {
        if (error instanceof BondLostError && error.side === "local") this.keyRefused = true;
        warn(`Pairing or encryption failed: ${error.message}.`);
      }),
    ];
    this.#deadline = this.#awaitAuthentication();
    if (connection.security.encrypted) this.#onSecurity(true);
  }

  #awaitAuthentication(): Disposable {
    this.#deadline?.[Symbol.dispose]();
    const { clock, warn } = this.#options;
    return clock.setTimer(AUTHENTICATE_TIMEOUT_MS, "authentication of the pump", () => {
      warn("The pump did not authenticate itself in two minutes.", "Go back to the paired devices on the pump and start again.");
      this.drop();
    });
  }

  is(peer: GattPeer): boolean {
    return peer.address.equals(this.#connection.peerIdentity) || peer.address.equals(this.#connection.peerAddress);
  }

  onRead(what: string): void {
    if (this.#reads.has(what)) return;
    this.#reads.add(what);
    this.#options.emit({ type: "discovery", reads: what });
  }

  onSubscription(subscribed: boolean, restored: boolean): void {
    if (!restored) {
      this.#sake.onSubscription(subscribed);
      return;
    }
    this.#restored = subscribed;
    if (this.encrypted) this.#sake.onEncrypted(subscribed);
  }

  onWrite(value: Uint8Array): void {
    this.#sake.onWrite(value);
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.#sake[Symbol.dispose]();
    this.#channel?.end(new ClosedError("the link to the pump is over"));
  }

  #onSecurity(encrypted: boolean): void {
    this.#tellProved(); // the store may have taken the bond only now
    if (!encrypted || this.encrypted) return;
    this.encrypted = true;
    this.#options.emit({ type: "encrypted", bonded: this.#connection.security.bonded });
    if (this.#restored) this.#sake.onEncrypted(true);
  }

  #tellProved(): void {
    if (this.#isProved || !this.authenticated || !this.#connection.security.bonded) return;
    this.#isProved = true;
    this.#options.onProved();
  }

  #onAuthenticated(sake: SakeSession): void {
    this.authenticated = true;
    this.#tellProved();
    this.#deadline[Symbol.dispose]();
    const { clock, logger, emit, gate, onChannel } = this.#options;
    emit({ type: "authenticated" });
    this.#channel = new PumpChannel({ connection: this.#connection, sake, gate, clock, logger, hangUp: () => this.#hangUp() });
    onChannel(this.#channel);
  }

  /** Takes the link down. */
  drop(): void {
    this.#hangUp().catch((error: unknown) => this.#options.logger.warn(() => `disconnecting: ${String(error)}`));
  }

  /** A controller that does not do it when it is asked twice is beyond help, and with it the connector. */
  async #hangUp(): Promise<void> {
    try {
      await this.#connection.disconnect();
    } catch {
      try {
        await this.#connection.disconnect();
      } catch (error) {
        this.#onStuck(error);
        throw error;
      }
    }
  }
}

/** What may help after a failed handshake. */
function hintFor(error: BleError): string | undefined {
  const failure = (error as { failure?: string }).failure;
  if (failure === "challenge-response-invalid" || failure === "session-key-invalid" || failure?.startsWith("permit"))
    return "The key database does not fit this pump.";
  return undefined;
}
