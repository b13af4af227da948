import { onAbort } from "../async/index.ts";
import { Address } from "../core/address.ts";
import type { Connection, ConnectionPolicy } from "../device/index.ts";
import { DisconnectedError, HciError, HciErrorCode } from "../hci/index.ts";
import {
  BondLostError,
  KeyDistribution,
  type PairingAgent,
  PairingError,
  PairingFailedReason,
  type PairingPolicy,
  PairingTimeoutError,
} from "../smp/index.ts";
import type { Activation } from "./activation.ts";
import { PasskeyAction } from "./constants.ts";
import { createEvent } from "./events.ts";
import type { LinkPart } from "./links.ts";
import type { Secrets } from "./secrets.ts";

const MOST_PASSKEY = 999_999;
const LEAST_KEY_OCTETS = 7;
const MOST_KEY_OCTETS = 16;
const EVERY_KEY = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey;

/** What an `encryptionUpdate` tells of a link. */
interface Told {
  readonly encrypted: boolean;
  readonly authenticated: boolean;
  readonly bonded: boolean;
  readonly keySize: number;
}

const NOTHING: Told = { encrypted: false, authenticated: false, bonded: false, keySize: 0 };

/** A `passkeyAction` that a pairing under way has brought. */
interface Question {
  readonly action: number;
  readonly resolve: (passkey: number | undefined) => void;
  isAnswered: boolean;
}

interface LinkState {
  /** What the program was told last. */
  told: Told;
  question: Question | undefined;
  /** A `gapPair` of which the program has not heard the outcome. */
  request: AbortController | undefined;
}

/** `gap_pair`, `gap_passkey` and what they bring about. */
export class Pairing implements LinkPart {
  readonly #activation: Activation;
  /** Where the program keeps its keys; nothing where another store does. */
  readonly #secrets: Secrets | undefined;
  readonly #secureConnectionsOnly: boolean;
  readonly #links = new Map<Connection, LinkState>();
  readonly #agent: PairingAgent;

  constructor(
    activation: Activation,
    { secrets, secureConnectionsOnly }: { secrets: Secrets | undefined; secureConnectionsOnly: boolean },
  ) {
    this.#activation = activation;
    this.#secureConnectionsOnly = secureConnectionsOnly;
    this.#secrets = secrets;
    this.#agent = {
      confirm: () => Promise.resolve(true),
      compare: async ({ peer, value, signal }) => Boolean(await this.#ask(peer, PasskeyAction.NumericComparison, value, signal)),
      enterPasskey: ({ peer, signal }) => this.#ask(peer, PasskeyAction.Input, 0, signal),
      choosePasskey: ({ peer, signal }) => this.#ask(peer, PasskeyAction.Display, 0, signal),
      // Who pairs again has lost its keys: the old ones go, as at MicroPython's host.
      replaceBond: async ({ bond }) => {
        await this.#activation.device.bonds.delete(Address.from(bond.identity));
        return true;
      },
    };
    activation.links.add(this);
  }

  /** How a connection that is made now pairs. */
  get policy(): Pick<ConnectionPolicy, "pairing" | "agent" | "beforeKey"> {
    const beforeKey: ConnectionPolicy["beforeKey"] = ({ peerIdentity, role }) =>
      this.#refresh(peerIdentity, role === "central" ? "peers" : "ours");
    return { pairing: this.#features, agent: this.#agent, ...(this.#secrets && { beforeKey }) };
  }

  /** The features were configured anew: that holds for the next pairing of every link. */
  onSettings(): void {
    for (const connection of this.#links.keys()) connection.pairing = this.#features;
  }

  get #features(): Partial<PairingPolicy> {
    const { bond, mitm, io, leSecure } = this.#activation.settings;
    return {
      ioCapability: io as PairingPolicy["ioCapability"],
      bonding: bond,
      mitm,
      requireAuthentication: false,
      secureConnections: leSecure || this.#secureConnectionsOnly,
      secureConnectionsOnly: this.#secureConnectionsOnly,
      minKeySize: LEAST_KEY_OCTETS,
      maxKeySize: MOST_KEY_OCTETS,
      localKeys: EVERY_KEY,
      peerKeys: EVERY_KEY,
      allowDowngrade: true,
      allowEqualReplacement: true,
      allowUnstored: true,
    };
  }

  onLink(connection: Connection): void {
    const state: LinkState = { told: NOTHING, question: undefined, request: undefined };
    this.#links.set(connection, state);
    connection.pairing = this.#features; // it may have been advertised before they were configured
    connection.on("security", (security) => {
      // What a pairing brings is told when it is over.
      if (!connection.isPairing && differs(security, state.told)) this.#tell(connection, state, security);
    });
    connection.on("exchanged", (report) => this.#tell(connection, state, { ...report, encrypted: true }));
    connection.on("paired", ({ bonded }) => {
      state.told = { ...state.told, bonded };
    });
    connection.on("securityFailure", (error) => this.#fail(connection, state, error));
  }

  onLinkEnd(connection: Connection, reason: DisconnectedError): void {
    const state = this.#links.get(connection);
    if (state?.request) this.#fail(connection, state, reason);
    this.#links.delete(connection);
    this.#secrets?.flush(connection.peerIdentity);
  }

  /** Everything is taken down. */
  close(): void {
    for (const { peerIdentity } of this.#links.keys()) this.#secrets?.flush(peerIdentity);
  }

  /**
   * Begins; `encryptionUpdate` tells of the end. A central encrypts with the key that it has of the peer, or pairs; a peripheral asks for it.
   *
   * @throws {BleOsError} ENOTCONN · EALREADY: a pairing is under way
   */
  start(connHandle: number): void {
    const { errors } = this.#activation;
    const connection = this.#activation.link(connHandle);
    const state = this.#links.get(connection)!;
    if (state.request || connection.isPairing) throw errors.create("EALREADY", `gapPair: connection ${connHandle} is being paired already`);
    const request = new AbortController();
    state.request = request;
    void this.#run(connection, request.signal).then(
      () => {
        if (state.request === request) this.#tell(connection, state, connection.security);
      },
      (error: unknown) => {
        if (state.request === request) this.#fail(connection, state, error);
      },
    );
  }

  async #run(connection: Connection, signal: AbortSignal): Promise<void> {
    const { device } = this.#activation;
    if (connection.role === "central" && !connection.security.encrypted) {
      await this.#refresh(connection.peerIdentity, "peers");
      if ((await device.bonds.load(connection.peerIdentity))?.peerLtk) return await connection.encrypt({ signal });
    } else if (connection.role === "central" && connection.security.bonded) return;
    await connection.pair({ signal });
  }

  /**
   * Answers a `passkeyAction`.
   *
   * @throws {BleOsError} ENOTCONN · EINVAL: no such action, or not the one that was asked for, or a number with more than six digits · ENOENT:
   * no pairing waits · EALREADY: it was answered
   */
  answer(connHandle: number, action: number, passkey: number): void {
    const { errors } = this.#activation;
    const state = this.#links.get(this.#activation.link(connHandle));
    const { Input, Display, NumericComparison } = PasskeyAction;
    if (action !== Input && action !== Display && action !== NumericComparison)
      throw errors.create("EINVAL", `gapPasskey: action ${action}: expected ${Input}, ${Display} or ${NumericComparison}`);
    if (passkey < 0 || passkey > MOST_PASSKEY) throw errors.create("EINVAL", `gapPasskey: a passkey of more than six digits`);
    const question = state?.question;
    if (!question) throw errors.create("ENOENT", `gapPasskey: no pairing of connection ${connHandle} waits for an answer`);
    if (question.action !== action) throw errors.create("EINVAL", `gapPasskey: action ${action}: the pairing asks for ${question.action}`);
    if (question.isAnswered) throw errors.create("EALREADY", "gapPasskey: the pairing has its answer already");
    question.isAnswered = true;
    question.resolve(passkey);
  }

  #ask(peer: Address, action: number, passkey: number, signal: AbortSignal): Promise<number | undefined> {
    const connection = this.#find(peer);
    const state = connection && this.#links.get(connection);
    if (!connection || !state || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const question: Question = { action, resolve, isAnswered: false };
      state.question = question;
      onAbort(signal, () => {
        if (state.question === question) state.question = undefined;
        resolve(undefined);
      });
      this.#activation.dispatcher.raise(createEvent("passkeyAction", { connHandle: connection.handle, action, passkey }), connection);
    });
  }

  /** The link to whom a pairing is with. */
  #find(peer: Address): Connection | undefined {
    for (const connection of this.#links.keys())
      if (connection.peerAddress.equals(peer) || connection.peerIdentity.equals(peer)) return connection;
    return undefined;
  }

  async #refresh(identity: Address, first: "ours" | "peers"): Promise<void> {
    const { device, logger } = this.#activation;
    try {
      await this.#secrets?.refresh(identity, device.bonds, first);
    } catch (error) {
      logger.warn(() => `what the program has kept of ${identity} could not be used: ${String(error)}`);
    }
  }

  #tell(connection: Connection, state: LinkState, told: Told, failure: Failure = {}): void {
    const { encrypted, authenticated, bonded, keySize } = told;
    state.told = { encrypted, authenticated, bonded, keySize };
    state.request = undefined;
    const event = createEvent("encryptionUpdate", { connHandle: connection.handle, ...state.told, ...failure });
    let isBegun = false;
    let begin: (() => void) | undefined;
    this.#activation.dispatcher.raise(event, connection, () => {
      isBegun = true;
      begin?.();
    });
    // The keys are given to the program after the news of them.
    if (!isBegun) this.#secrets?.after(new Promise((resolve) => (begin = resolve)));
  }

  /** A pairing or an encryption has come to nothing: the link is what it was before. */
  #fail(connection: Connection, state: LinkState, error: unknown): void {
    const { request, told } = state;
    const { security } = connection;
    this.#tell(connection, state, told.encrypted && security.encrypted ? security : NOTHING, failureOf(error));
    request?.abort(error);
  }
}

interface Failure {
  readonly reason?: number;
  readonly hciStatus?: number;
}

function failureOf(error: unknown): Failure {
  if (error instanceof PairingError) return { reason: error.reason };
  if (error instanceof PairingTimeoutError) return { reason: PairingFailedReason.UnspecifiedReason };
  if (error instanceof DisconnectedError) return { hciStatus: error.reason };
  const cause = error instanceof BondLostError ? error.cause : error;
  if (cause instanceof HciError) return { hciStatus: cause.status };
  return error instanceof BondLostError ? { hciStatus: HciErrorCode.PinOrKeyMissing } : {};
}

const differs = (one: Told, other: Told): boolean =>
  one.encrypted !== other.encrypted || one.authenticated !== other.authenticated || one.keySize !== other.keySize;
