import type { Clock } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { type BleError, StateError } from "../core/error.ts";
import { type Advertisement, type BondBook, type ConnectOptions, type Connector, DEFAULT_CONNECT_TIMEOUT_MS } from "../gap/index.ts";
import { HciErrorCode } from "../hci/index.ts";
import type { Connection } from "./connection.ts";
import type { DeviceLinks } from "./device-links.ts";
import { established, untilEstablished } from "./establishment.ts";
import type { ConnectionPolicy } from "./policy.ts";

export interface ConnectingParts {
  readonly clock: Clock;
  readonly connector: Connector<Connection, ConnectionPolicy>;
  readonly links: DeviceLinks;
  readonly bonds: BondBook;
  /** How many peers the controller tells apart by itself. */
  readonly acceptListSize: number;
  /** Whether the controller tells a peer with private addresses by itself. */
  resolves(identity: Address): boolean;
  /** Why the device is closed. */
  ended(): BleError | undefined;
}

/** Makes links as central, and hands them out when the peer is known to be there and, where it is bonded, to be who it says. */
export class Connecting {
  readonly #at: ConnectingParts;

  constructor(at: ConnectingParts) {
    this.#at = at;
  }

  /** As `Device.connect`, of options that are checked. */
  async connect(peers: readonly Address[], options: ConnectOptions, policy: ConnectionPolicy): Promise<Connection> {
    const { timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, signal } = options;
    signal?.throwIfAborted();
    const once = (within: AbortSignal): Promise<Connection> =>
      this.#connectOnce(peers, { ...options, signal: within, timeoutMs: Number.POSITIVE_INFINITY }, policy);
    const bounds = { clock: this.#at.clock, operation: `connecting to ${peers.join(" or ")}`, signal, timeoutMs };
    return await untilEstablished(once, bounds, () => this.#throwIfEnded());
  }

  async #connectOnce(
    peers: readonly Address[],
    options: ConnectOptions & { signal: AbortSignal },
    policy: ConnectionPolicy,
  ): Promise<Connection> {
    const check = (): void => {
      const linked = peers.find((peer) => this.#at.links.find(peer));
      if (linked) throw new StateError(`there is a link to ${linked} already`);
    };
    check();
    const { signal } = options;
    const connection = await this.#at.connector.connect(peers, options, policy, { isPeer: this.#lookFor(peers), check });
    try {
      // Handed out when the peer is known to be there, and a bonded one when the link is encrypted.
      const trusted = connection.whenTrusted({ signal });
      trusted.catch(() => undefined); // awaited in its turn
      await established(connection, this.#at.clock, signal);
      await trusted;
      if (connection.ended) throw connection.ended;
    } catch (error) {
      const reason = signal.aborted ? HciErrorCode.RemoteUserTerminatedConnection : HciErrorCode.AuthenticationFailure;
      const gone = connection.disconnect(reason).catch(() => undefined); // the device keeps it among its links until it is gone
      if (!signal.aborted) await gone; // it is gone before the failure is told
      throw this.#at.ended() ?? error;
    }
    return connection;
  }

  /**
   * How to tell peers by their advertisements: where one has private addresses that the controller cannot resolve, or where the controller's list
   * does not hold them all.
   */
  #lookFor(peers: readonly Address[]): ((advertisement: Advertisement) => boolean) | undefined {
    const { acceptListSize, bonds } = this.#at;
    const isDirect = peers.length <= Math.max(1, acceptListSize);
    if (isDirect && !peers.some((peer) => bonds.get(peer)?.peerIrk && !this.#at.resolves(peer))) return undefined;
    return ({ identity, address, isResolved }) =>
      (isResolved || bonds.isBelieved(address)) && peers.some((peer) => peer.equals(address) || (identity?.equals(peer) ?? false));
  }

  #throwIfEnded(): void {
    const ended = this.#at.ended();
    if (ended) throw ended;
  }
}
