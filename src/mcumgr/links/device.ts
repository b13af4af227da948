import { callOut } from "../../async/call-out.ts";
import { delay } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { AttError, AttErrorCode } from "../../att/index.ts";
import { checkBoolean, checkChoice, checkOperation, optionNames } from "../../core/arguments.ts";
import { BleError, ClosedError, StateError } from "../../core/error.ts";
import type { Connection } from "../../device/index.ts";
import { GattNotFoundError, type RemoteCharacteristic, type ValueSubscription } from "../../gatt/index.ts";
import { HciError } from "../../hci/index.ts";
import { NotMcumgrServerError } from "../protocol/error.ts";
import { BleLink, type BleMcumgrPort, fillingLength, MCUMGR_CHARACTERISTIC, MCUMGR_SERVICE } from "./ble.ts";
import { Ending } from "./ending.ts";
import type { McumgrLink } from "./link.ts";

export const DEFAULT_OPEN_TIMEOUT_MS = 30_000;
const PHY_ATTEMPTS = 4;
const PHY_PAUSE_MS = 300;
/** Refusals that a pairing may help against, Vol 3 Part F 3.4.1.1. */
const LACK_OF_SECURITY: readonly number[] = [
  AttErrorCode.InsufficientAuthentication,
  AttErrorCode.InsufficientEncryption,
  AttErrorCode.EncryptionKeySizeTooShort,
];

export interface ConnectionLinkOptions extends OperationOptions {
  /** "2M" (default) asks for the faster physical layer where both can; "keep" leaves it as it is. */
  readonly phy?: "2M" | "keep" | undefined;
  /**
   * "when-demanded" (default): the server refuses for lack of security, and the device pairs, as its agent can; a server as it is built by
   * default wants protection against a man in the middle. "never" leaves it at the refusal.
   */
  readonly pair?: "when-demanded" | "never" | undefined;
  /** Closing the link disconnects. False by default. */
  readonly ownsConnection?: boolean | undefined;
}

const CONNECTION_LINK = optionNames<ConnectionLinkOptions>({ signal: true, timeoutMs: true, phy: true, pair: true, ownsConnection: true });

/**
 * The mcumgr server at the other end of a connection. Asks for the longer MTU where the connection's policy lets it, and for LE 2M behind the
 * caller's back.
 *
 * @throws {NotMcumgrServerError} it lacks the service, or its characteristic cannot be used
 * @throws {AttError} it refuses · {PairingError} a pairing that it demands fails
 * @throws {DisconnectedError} · {TimeoutError} not ready in `timeoutMs`, 30 s by default
 */
export async function openConnectionLink(connection: Connection, options: ConnectionLinkOptions = {}): Promise<McumgrLink> {
  checkOperation("openConnectionLink", options, CONNECTION_LINK);
  const { phy = "2M", pair = "when-demanded", ownsConnection = false, signal, timeoutMs = DEFAULT_OPEN_TIMEOUT_MS } = options;
  checkChoice("openConnectionLink: phy", phy, ["2M", "keep"]);
  checkChoice("openConnectionLink: pair", pair, ["when-demanded", "never"]);
  checkBoolean("openConnectionLink: ownsConnection", ownsConnection);
  return await openOn(connection, `${connection.peerIdentity}`, { phy, pair, ownsConnection, signal, timeoutMs });
}

export async function openOn(
  connection: Connection,
  target: string,
  { phy, pair, ownsConnection, ...rest }: ConnectionLinkOptions & { ownsConnection: boolean },
): Promise<McumgrLink> {
  const { clock } = connection.att;
  using deadline = new Deadline({ clock, operation: `opening the mcumgr link to ${target}`, ...rest });
  const { signal } = deadline;
  const { gatt } = connection;
  if (phy === "2M" && connection.phy.tx !== "2M") void askFor2M(connection); // behind the caller's back: it works without
  await gatt.exchangeMtu({ signal }).catch((error: unknown) => {
    // A policy against it, or a server without: 23 then.
    if (!(error instanceof StateError || error instanceof AttError)) throw error;
  });
  const characteristic = await find(connection, target, signal);
  const port = new ConnectionPort(connection, characteristic, target, ownsConnection);
  try {
    try {
      await port.subscribe({ signal });
    } catch (error) {
      if (pair === "never" || !(error instanceof AttError) || !LACK_OF_SECURITY.includes(error.errorCode)) throw error;
      await connection.pair({ signal, policy: { mitm: true } });
      await port.subscribe({ signal });
    }
    if (connection.ended) throw connection.ended;
    return new BleLink(port, { clock });
  } catch (error) {
    port.abandon();
    throw error;
  }
}

/** Controllers that are busy with another procedure, of a new link there are some, are asked again. */
async function askFor2M(connection: Connection): Promise<void> {
  for (let attempt = 0; attempt < PHY_ATTEMPTS; attempt++) {
    try {
      await connection.setPhy({ tx: "2M", rx: "2M" });
      return;
    } catch (error) {
      if (!(error instanceof HciError)) return; // not to be had, or the link is gone
    }
    await delay(connection.att.clock, PHY_PAUSE_MS, { name: "another try for LE 2M" });
  }
}

async function find(connection: Connection, target: string, signal: AbortSignal): Promise<RemoteCharacteristic> {
  let characteristic: RemoteCharacteristic;
  try {
    characteristic = await connection.gatt.characteristic(MCUMGR_SERVICE, MCUMGR_CHARACTERISTIC, { signal });
  } catch (error) {
    if (!(error instanceof GattNotFoundError)) throw error;
    throw new NotMcumgrServerError(`${target} is no mcumgr server: it lacks the service ${MCUMGR_SERVICE} or its characteristic`, {
      cause: error,
    });
  }
  const canWrite = characteristic.has("write-without-response") || characteristic.has("write");
  if (canWrite && characteristic.has("notify")) return characteristic;
  throw new NotMcumgrServerError(`${target} is no mcumgr server: its characteristic cannot be ${canWrite ? "subscribed to" : "written"}`);
}

/** The characteristic of a peer on our own host. */
class ConnectionPort extends Ending implements BleMcumgrPort {
  readonly target: string;
  onValue: ((value: Uint8Array) => void) | undefined;
  readonly #connection: Connection;
  readonly #characteristic: RemoteCharacteristic;
  readonly #ownsConnection: boolean;
  readonly #hasCommands: boolean;
  readonly #listener: Disposable;
  #subscription: ValueSubscription | undefined;

  constructor(connection: Connection, characteristic: RemoteCharacteristic, target: string, ownsConnection: boolean) {
    super();
    this.target = target;
    this.#connection = connection;
    this.#characteristic = characteristic;
    this.#ownsConnection = ownsConnection;
    this.#hasCommands = characteristic.has("write-without-response");
    this.#listener = connection.on("disconnected", (error) => this.#ended(error));
  }

  get maxWriteLength(): number {
    return this.#connection.gatt.maxValueLength;
  }
  get fragmentLength(): number {
    return fillingLength(this.maxWriteLength, this.#connection.dataLength.txOctets);
  }

  async subscribe({ signal }: { signal: AbortSignal }): Promise<void> {
    this.#subscription = await this.#characteristic.subscribe((value) => callOut(this.onValue, value), {
      signal,
      kind: "notify",
      onEnd: (reason) => this.#ended(reason),
    });
  }

  async write(value: Uint8Array): Promise<void> {
    if (this.reason) throw this.reason;
    if (!this.#hasCommands) await this.#characteristic.write(value);
    else if (!this.#characteristic.tryWriteWithoutResponse(value)) await this.#characteristic.writeWithoutResponse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`the link to ${this.target} was closed`));
    if (this.#ownsConnection) await this.#connection[Symbol.asyncDispose]();
  }

  /** Hears nothing more; nobody is waited for. */
  abandon(): void {
    this.close(new ClosedError(`the link to ${this.target} was not opened`));
  }

  protected leave(): void {
    this.#listener[Symbol.dispose]();
    Promise.resolve(this.#subscription?.[Symbol.asyncDispose]()).catch(() => undefined); // the peer is told where it can be
    this.#subscription = undefined;
  }

  #ended(reason: unknown): void {
    const { ended } = this.#connection;
    // The end of the link is heard of as the end of the subscription too.
    this.end(
      ended ?? (reason instanceof BleError ? reason : new ClosedError(`${this.target}: the characteristic is gone`, { cause: reason })),
    );
  }
}
