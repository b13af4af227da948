import { Deadline, type OperationOptions } from "../async/index.ts";
import { checkInteger, checkMilliseconds, checkOptions, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, UnsupportedError } from "../core/error.ts";
import type { LinkParameters } from "../gap/index.ts";
import { type Hci, HciError, HciErrorCode, LeFeature, type LeSubrateChange, LeSubrateRequest } from "../hci/index.ts";
import type { L2capLink } from "../l2cap/index.ts";
import { LinkRequests } from "./link-requests.ts";

/** Subrating as it is wanted. */
export interface SubrateOptions {
  /** Of so many connection events at least one is used, 1 to `factorMax`; 1 by default. */
  readonly factorMin?: number | undefined;
  /** The same at most, 1 to 500; 1 uses them all. */
  readonly factorMax: number;
  /** Used events that the peripheral may skip, 0 to 499 and `factorMax` · (`maxLatency` + 1) at most 500; 0 by default. */
  readonly maxLatency?: number | undefined;
  /** How many events in a row are used once there was data, 0 to `factorMax` - 1; 0 by default. */
  readonly continuation?: number | undefined;
  /** Without a packet for so long the link is lost; 100 to 32,000 ms in steps of 10 ms. The link's own by default, for a device 32,000 ms. */
  readonly supervisionTimeoutMs?: number | undefined;
}

/** Subrating in force. */
export interface LinkSubrate {
  /** Of so many connection events one is used; 1 without subrating. */
  readonly factor: number;
  /** How many events in a row are used once there was data. */
  readonly continuation: number;
  /** Used events that the peripheral may skip. */
  readonly latency: number;
  readonly supervisionTimeoutMs: number;
}

/** The fields of the two commands, in their units. */
interface SubrateParameters {
  readonly subrateMin: number;
  readonly subrateMax: number;
  readonly maxLatency: number;
  readonly continuationNumber: number;
  readonly supervisionTimeout: number;
}

const OPTIONS = optionNames<SubrateOptions>({
  factorMin: true,
  factorMax: true,
  maxLatency: true,
  continuation: true,
  supervisionTimeoutMs: true,
});
const OPERATION = "subrating";
const TIMEOUT_UNIT_MS = 10;
/** Greatest factor, and greatest product of factor and latency + 1. */
const MOST_EVENTS = 500;

/**
 * What is wanted, in the units of the commands.
 *
 * @param at of the link that it is for; its interval is looked at
 * @throws {ArgumentError} what Vol 4 Part E 7.8.123 and 7.8.124 do not permit
 */
export function subrateParameters(what: string, options: SubrateOptions, at?: LinkParameters): SubrateParameters {
  checkOptions(what, options ?? null, OPTIONS);
  const { factorMin = 1, factorMax, maxLatency = 0, continuation = 0 } = options;
  const { supervisionTimeoutMs = at?.supervisionTimeoutMs ?? 32_000 } = options;
  checkInteger(`${what}: factorMax`, factorMax, 1, MOST_EVENTS);
  checkInteger(`${what}: factorMin`, factorMin, 1, factorMax);
  checkInteger(`${what}: maxLatency`, maxLatency, 0, MOST_EVENTS - 1);
  checkInteger(`${what}: continuation`, continuation, 0, factorMax - 1);
  checkMilliseconds(`${what}: supervision timeout`, supervisionTimeoutMs, 100, 32_000);
  const events = factorMax * (maxLatency + 1);
  if (events > MOST_EVENTS)
    throw new ArgumentError(
      `${what}: factorMax ${factorMax} with maxLatency ${maxLatency}: expected at most 500 events in a row without one`,
    );
  if (at && supervisionTimeoutMs <= 2 * at.intervalMs * events)
    throw new ArgumentError(
      `${what}: supervision timeout ${supervisionTimeoutMs} ms: expected more than ${2 * at.intervalMs * events} ms, twice the longest time between events`,
    );
  return {
    subrateMin: factorMin,
    subrateMax: factorMax,
    maxLatency,
    continuationNumber: continuation,
    supervisionTimeout: Math.round(supervisionTimeoutMs / TIMEOUT_UNIT_MS),
  };
}

export interface SubratingParts {
  readonly hci: Hci;
  readonly link: L2capLink;
  /** In force now. */
  readonly parameters: () => LinkParameters;
  /** A controller takes no request before it knows what the peer's can. */
  readonly remoteFeatures: (options: OperationOptions) => Promise<bigint>;
  /** Something is in force that was not before. */
  readonly onChange: (subrate: LinkSubrate) => void;
}

/**
 * Subrating of one link (Vol 6 Part B 4.5.1): most of its connection events are left out while there is nothing to say, without the delay of a
 * change of parameters. HCI_LE_Subrate_Change does not say whose change it tells of, so an event answers what was asked for if its values
 * are among those.
 */
export class Subrating {
  readonly #parts: SubratingParts;
  readonly #requests: LinkRequests<SubrateParameters, LinkSubrate>;
  #factor = 1;
  #continuation = 0;

  constructor(parts: SubratingParts) {
    this.#parts = parts;
    this.#requests = new LinkRequests({ clock: parts.hci.clock, operation: OPERATION, explain: refusal });
  }

  get current(): LinkSubrate {
    const { latency, supervisionTimeoutMs } = this.#parts.parameters();
    return Object.freeze({ factor: this.#factor, continuation: this.#continuation, latency, supervisionTimeoutMs });
  }

  async request(wanted: SubrateOptions, { signal, timeoutMs }: OperationOptions): Promise<LinkSubrate> {
    const { hci, link, remoteFeatures } = this.#parts;
    const parameters = subrateParameters("subrate", wanted, this.#parts.parameters());
    if (!hci.hasLeFeature(LeFeature.ConnectionSubrating)) throw new UnsupportedError("the controller has no connection subrating");
    using deadline = new Deadline({ clock: hci.clock, operation: OPERATION, signal, timeoutMs });
    const within = { signal: deadline.signal };
    // Not everybody can ask for the features; then the controller has to know by itself.
    await remoteFeatures(within).catch((error: unknown) => {
      if (!(error instanceof HciError)) throw error;
    });
    const send = (): Promise<void> => hci.send(LeSubrateRequest, { connectionHandle: link.handle, ...parameters });
    return await this.#requests.run(parameters, send, within);
  }

  /** The event, after its latency and supervision timeout are in force. */
  onEvent({ status, subrateFactor, peripheralLatency, continuationNumber, supervisionTimeout }: LeSubrateChange): void {
    if (status !== HciErrorCode.Success) {
      // Told to who asked only (7.7.65.35).
      this.#requests.reject(new HciError({ status, command: "LeSubrateRequest" }));
      return;
    }
    this.#factor = subrateFactor;
    this.#continuation = continuationNumber;
    const { wanted } = this.#requests;
    const { current } = this;
    this.#parts.onChange(current);
    if (!wanted || subrateFactor < wanted.subrateMin || subrateFactor > wanted.subrateMax || peripheralLatency > wanted.maxLatency) return;
    // The central has its timeout; a peripheral gets the shorter one of its own and the central's (Vol 6 Part B 5.1.20).
    const isCentral = this.#parts.link.role === "central";
    if (isCentral ? supervisionTimeout === wanted.supervisionTimeout : supervisionTimeout <= wanted.supervisionTimeout)
      this.#requests.resolve(current);
  }

  /** Another interval is in force: all of its events are used (Vol 6 Part B 5.1.1). */
  onInterval(): void {
    if (this.#factor === 1) return;
    this.#factor = 1;
    this.#continuation = 0;
    this.#parts.onChange(this.current);
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#requests.close(reason);
  }
}

function refusal(error: unknown): unknown {
  if (!(error instanceof HciError) || error.status !== HciErrorCode.UnsupportedRemoteFeature) return error;
  return new UnsupportedError("the peer has no connection subrating", { cause: error });
}
