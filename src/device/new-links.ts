import type { Address } from "../core/address.ts";
import type { Advertiser, AdvertisingSession, Connector, Radio } from "../gap/index.ts";
import { type GattServer, GattUuid } from "../gatt/index.ts";
import { ControllerError, DisconnectedError, HciError, HciErrorCode, hciErrorText } from "../hci/index.ts";
import type { L2cap } from "../l2cap/index.ts";
import { PairingAttempts } from "../smp/index.ts";
import type { Advertising } from "./advertising.ts";
import { type Connection, createConnection } from "./connection.ts";
import type { DeviceLinks } from "./device-links.ts";
import type { DiscardedLinks } from "./discarded-links.ts";
import type { NewLink } from "./events.ts";
import type { Stack } from "./opening.ts";
import type { DeviceOutOfBand } from "./out-of-band.ts";
import type { DevicePeriodic } from "./periodic.ts";
import type { PhyName } from "./phy-updates.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** Connection handles, Vol 4 Part E 5.3. */
const LAST_HANDLE = 0x0eff;

export interface NewLinksParts {
  readonly stack: Stack;
  readonly l2cap: L2cap;
  readonly links: DeviceLinks;
  readonly discarded: DiscardedLinks;
  readonly radio: Radio;
  readonly connector: Connector<Connection, ConnectionPolicy>;
  readonly advertiser: Advertiser;
  readonly periodic: DevicePeriodic;
  readonly gattServer: GattServer;
  localOutOfBand(): DeviceOutOfBand["current"];
  isPairable(): boolean;
  isClosed(): boolean;
  /** The controller does what its host cannot end. */
  onStuck(error: ControllerError): void;
  /** A link is there; called before anything of the peer is looked at. */
  onConnection(connection: Connection): void;
}

/** What is to be known when an advertisement is answered. */
interface Answer {
  readonly policy: ConnectionPolicy;
  readonly advertising: Advertising;
}

/** Where a link comes from: the own address, unless the controller names one that it has made, and what it was begun with. */
interface Origin {
  readonly address: Address;
  readonly policy: ConnectionPolicy;
  readonly phy: PhyName | undefined;
}

/** What becomes of links that the controller reports: each belongs to the attempt, the advertisement or the train that it answers. */
export class NewLinks {
  readonly #at: NewLinksParts;
  readonly #attempts: PairingAttempts;
  readonly #expected = new WeakMap<AdvertisingSession, Answer>();
  /** The advertisement that a link answers. */
  readonly #answered = new WeakMap<Connection, AdvertisingSession>();

  constructor(at: NewLinksParts) {
    this.#at = at;
    this.#attempts = new PairingAttempts({ clock: at.stack.hci.clock });
  }

  /** Links that answer this advertisement belong to it. */
  expect(session: AdvertisingSession, answer: Answer): void {
    this.#expected.set(session, answer);
  }

  onLink(link: NewLink): void {
    const { discarded, links, connector, advertiser, periodic, stack } = this.#at;
    if (link.handle > LAST_HANDLE) {
      this.#at.onStuck(new ControllerError(`the controller reports a link of handle ${link.handle}, which none may have; it is reset`));
      return;
    }
    // Left over where an event was lost: the controller would not give a handle twice.
    discarded.onGone(link.handle);
    links.get(link.handle)?.end(new DisconnectedError(HciErrorCode.UnspecifiedError));
    const discard = (): Promise<void> => discarded.discard(link.handle, link.parameters.supervisionTimeoutMs);
    const peer = link.peerIdentity ?? link.peerAddress;
    if (link.role === "central") {
      const attempt = connector.connected(peer, discard);
      if (attempt) attempt.outcome.resolve(this.#open(link, { address: attempt.address!, policy: attempt.context, phy: attempt.linkPhy }));
      return;
    }
    if (link.syncHandle !== undefined) {
      const terms = this.#at.isClosed() ? undefined : periodic.linkTerms(link.syncHandle);
      if (terms) this.#open(link, { address: stack.own.current(stack.own.defaultKind), ...terms });
      else void discard(); // nobody takes links through this train
      return;
    }
    advertiser.assign(peer, link.handle, (session) => {
      const known = session && this.#expected.get(session);
      if (!session || !known || this.#at.isClosed()) {
        void discard();
        return;
      }
      const connection = this.#open(link, { address: session.address!, policy: known.policy, phy: session.linkPhy });
      this.#answered.set(connection, session);
      known.advertising.publish(connection);
    });
  }

  #open({ handle, role, peerAddress, localAddress, parameters }: NewLink, { address, policy, phy }: Origin): Connection {
    const { stack, links, periodic, gattServer } = this.#at;
    const { hci, bonds, logger, own } = stack;
    const connection = createConnection({
      hci,
      link: this.#at.l2cap.open({ handle, role }),
      bonds,
      gattCache: stack.options.gattCache,
      logger,
      policy,
      parameters,
      phy,
      localAddress: localAddress ?? address,
      peerAddress,
      periodic,
      isPairable: () => this.#at.isPairable(),
      isOnAnotherLink: (identity) => links.isOnAnother(handle, identity),
      security: {
        identity: { address: own.identity, irk: own.irk },
        random: stack.random,
        attempts: this.#attempts,
        localOutOfBand: () => this.#at.localOutOfBand(),
      },
      server: {
        isServed: () => gattServer.service(GattUuid.GattService) !== undefined,
        serve: (att, bearer, isOwn) => gattServer.sessions.find((session) => session.bearer === att)?.serve(bearer, { isOwn }),
      },
      onEnd: (ended) => this.#onEnd(ended),
    });
    links.add(connection);
    gattServer.attach(connection.att, connection.gattPeer);
    logger.info(() => `connected as ${role} to ${peerAddress}`);
    stack.calls?.watchConnection(connection);
    this.#at.onConnection(connection);
    connection.begin();
    if (!bonds.isBelieved(peerAddress)) {
      logger.warn(() => `${peerAddress} shows its identity address, and its bond says that the device does not; it is disconnected`);
      void connection.disconnect(HciErrorCode.AuthenticationFailure).catch(() => undefined); // it is a stranger all the same
    }
    return connection;
  }

  #onEnd(connection: Connection): void {
    const { links, stack, advertiser, radio } = this.#at;
    links.delete(connection);
    stack.logger.info(() => `disconnected from ${connection.peerAddress}: ${connection.ended!.message}`);
    const session = this.#answered.get(connection);
    if (session) advertiser.disconnected(session);
    void radio.update(); // a private address may have waited for this
  }

  onNoLink(status: number, peer: Address): void {
    const { advertiser, connector, stack } = this.#at;
    // Only high duty cycle directed advertising ends so; everything else is about a connection that was asked for.
    const isKnown =
      status === HciErrorCode.AdvertisingTimeout
        ? advertiser.timedOut(new HciError({ status, command: "LeSetAdvertisingEnable" }))
        : connector.ended(status, peer);
    if (!isKnown) stack.logger.info(() => `a failed connection that nobody asked for: ${hciErrorText(status)}`);
  }
}
