import type { Clock } from "jelling/async";
import { BleError, type Logger, type RandomSource, TimeoutError } from "jelling/core";
import { PumpError } from "../error.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import { SakeServer } from "../sake/server.ts";
import type { SakeSession } from "../sake/session.ts";

/**
 * Between the response to the subscription and the wake-up. The order on air is what counts, and the transmit queue keeps it; a pump that
 * still handles the response is given a moment all the same.
 */
const WAKE_UP_DELAY_MS = 20;
/** A bonded pump whose subscription was restored with the bond may not write it again; after so long on an encrypted link we begin. */
const RESTORED_SUBSCRIPTION_MS = 5_000;
/** A handshake takes about a second. */
const HANDSHAKE_TIMEOUT_MS = 20_000;

export interface SakePortOptions {
  readonly keyDatabase: SakeKeyDatabase;
  /** The device type the other side must have: 1, a pump. */
  readonly peerType: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Queues a notification to the pump, behind whatever response is on its way. */
  readonly notify: (value: Uint8Array) => Promise<void>;
  /** Stages 0 (awake), 1, 3, 5, 6 of the server. */
  readonly onStage: (stage: number) => void;
  /** The session belongs to the receiver, who disposes it. */
  readonly onAuthenticated: (session: SakeSession) => void;
  /** A new subscription while a session was up: that session is over. */
  readonly onRestart: () => void;
  /** The handshake failed, which is final: the link is to be dropped, and nothing said. */
  readonly onFailure: (error: BleError) => void;
}

/** The SAKE characteristic of one connection: what happens on subscriptions and writes. Only this notifies; nothing is echoed. */
export class SakePort implements Disposable {
  readonly #options: SakePortOptions;
  #server: SakeServer | undefined;
  #wakeUp: Disposable | undefined;
  #restored: Disposable | undefined;
  #deadline: Disposable | undefined;
  #authenticated = false;
  #closed = false;

  constructor(options: SakePortOptions) {
    this.#options = options;
  }

  /** The pump wrote the Client Characteristic Configuration. Every subscription begins a handshake from the start. */
  onSubscription(enabled: boolean): void {
    if (this.#closed) return;
    this.#stopWaiting();
    if (enabled) this.#start();
    else if (!this.#authenticated) this.#drop();
  }

  /** The link is encrypted with a bond. @param subscribed whether the subscription was restored with it */
  onEncrypted(subscribed: boolean): void {
    if (this.#closed || !subscribed || this.#server || this.#restored) return;
    this.#restored = this.#options.clock.setTimer(RESTORED_SUBSCRIPTION_MS, "restored SAKE subscription", () => {
      this.#restored = undefined;
      this.#options.logger.info("no subscription was written since the link was encrypted; the restored one starts the handshake");
      this.#start();
    });
  }

  /** The pump wrote the characteristic; its write response is queued already. */
  onWrite(value: Uint8Array): void {
    const { logger } = this.#options;
    if (this.#closed) return;
    if (!this.#server || this.#authenticated) {
      logger.warn(`unexpected write of ${value.length} octets ${this.#authenticated ? "after" : "outside"} a handshake, ignored`);
      return;
    }
    if (this.#wakeUp) this.#sendWakeUp();
    let reply: Uint8Array | undefined;
    try {
      reply = this.#server.receive(value);
    } catch (error) {
      if (!(error instanceof BleError)) throw error;
      this.#fail(error);
      return;
    }
    if (reply) this.#notify(reply);
    const { session, stage } = this.#server;
    if (session) {
      this.#authenticated = true;
      this.#deadline?.[Symbol.dispose]();
    }
    this.#options.onStage(stage);
    if (session) this.#options.onAuthenticated(session);
  }

  /** The connection is over. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#stopWaiting();
    this.#drop();
  }

  #start(): void {
    const { keyDatabase, peerType, random, clock } = this.#options;
    const restarted = this.#authenticated;
    this.#drop();
    if (restarted) this.#options.onRestart();
    this.#server = new SakeServer({ keyDatabase, peerType, random });
    this.#deadline = clock.setTimer(HANDSHAKE_TIMEOUT_MS, "SAKE handshake", () =>
      this.#fail(new TimeoutError("SAKE handshake", HANDSHAKE_TIMEOUT_MS)),
    );
    this.#wakeUp = clock.setTimer(WAKE_UP_DELAY_MS, "SAKE wake-up", () => this.#sendWakeUp());
  }

  #sendWakeUp(): void {
    this.#wakeUp?.[Symbol.dispose]();
    this.#wakeUp = undefined;
    this.#notify(this.#server!.wakeUp);
    this.#options.onStage(0);
  }

  #notify(value: Uint8Array): void {
    this.#options.notify(value).catch((error: unknown) => {
      if (!this.#closed)
        this.#fail(
          error instanceof BleError ? error : new PumpError("ERR_PUMP_PROTOCOL", "A SAKE message could not be sent.", { cause: error }),
        );
    });
  }

  #fail(error: BleError): void {
    this.#drop();
    this.#options.onFailure(error);
  }

  #stopWaiting(): void {
    this.#restored?.[Symbol.dispose]();
    this.#restored = undefined;
  }

  #drop(): void {
    this.#wakeUp?.[Symbol.dispose]();
    this.#wakeUp = undefined;
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
    this.#server?.[Symbol.dispose]();
    this.#server = undefined;
    this.#authenticated = false;
  }
}
