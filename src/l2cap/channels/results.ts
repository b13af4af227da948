import { BleError } from "../../core/error.ts";

/**
 * Results of a connection request, Vol 3 Part A 4.23 and 4.26. Of an enhanced request the ones marked "all" refuse all of its channels, and
 * the others those whose destination CID is 0.
 */
export const ConnectionResult = Object.freeze({
  Success: 0x0000,
  SpsmNotSupported: 0x0002, // all
  NoResources: 0x0004,
  InsufficientAuthentication: 0x0005, // all
  InsufficientAuthorization: 0x0006, // all
  EncryptionKeySizeTooShort: 0x0007, // all
  InsufficientEncryption: 0x0008, // all
  InvalidSourceCid: 0x0009,
  SourceCidAlreadyAllocated: 0x000a,
  UnacceptableParameters: 0x000b, // all
  InvalidParameters: 0x000c, // all; enhanced only, as those below
  Pending: 0x000d,
  AuthenticationPending: 0x000e,
  AuthorizationPending: 0x000f,
});

/** Results of a reconfigure request, Vol 3 Part A 4.28. */
export const ReconfigureResult = Object.freeze({
  Success: 0x0000,
  MtuReduced: 0x0001,
  MpsOfSeveralReduced: 0x0002,
  InvalidDestinationCid: 0x0003,
  UnacceptableParameters: 0x0004,
});

const CONNECTION_TEXTS: Readonly<Record<number, string>> = {
  2: "it does not support this SPSM",
  4: "it has no resources",
  5: "insufficient authentication",
  6: "insufficient authorization",
  7: "the encryption key is too short",
  8: "insufficient encryption",
  9: "invalid source CID",
  10: "the source CID is allocated already",
  11: "unacceptable parameters",
  12: "invalid parameters",
};
const RECONFIGURE_TEXTS: Readonly<Record<number, string>> = {
  1: "an MTU must not become smaller",
  2: "the MPS of several channels must not become smaller",
  3: "invalid destination CID",
  4: "unacceptable parameters",
};

/** These concern every channel of an enhanced request, whatever its CIDs. */
const REFUSES_ALL: ReadonlySet<number> = new Set([0x0002, 0x0005, 0x0006, 0x0007, 0x0008, 0x000b, 0x000c]);
export function refusesAll(result: number): boolean {
  return REFUSES_ALL.has(result);
}

/** The answer is still to come, 4.26. */
export function isPending(result: number): boolean {
  return result >= ConnectionResult.Pending && result <= ConnectionResult.AuthorizationPending;
}

function nameOf(results: Readonly<Record<string, number>>, result: number): string {
  return Object.entries(results).find(([, value]) => value === result)?.[0] ?? `0x${result.toString(16).padStart(4, "0")}`;
}

/** The peer refused a channel, or its reconfiguration. */
export class L2capRefusedError extends BleError {
  readonly code = "ERR_L2CAP_REFUSED";
  readonly request: "connection" | "reconfiguration";
  /** A value of ConnectionResult, or of ReconfigureResult. */
  readonly result: number;
  /** Its name there, or the number where it has none. */
  readonly resultName: string;
  readonly spsm: number;
  constructor(at: { request: "connection" | "reconfiguration"; result: number; spsm: number }) {
    const isConnection = at.request === "connection";
    const name = nameOf(isConnection ? ConnectionResult : ReconfigureResult, at.result);
    const text = (isConnection ? CONNECTION_TEXTS : RECONFIGURE_TEXTS)[at.result] ?? `result ${name}`;
    const what = isConnection ? "a channel" : "the reconfiguration of a channel";
    super(`the peer refused ${what} of SPSM 0x${at.spsm.toString(16).padStart(2, "0")}: ${text}`);
    this.request = at.request;
    this.result = at.result;
    this.resultName = name;
    this.spsm = at.spsm;
  }
}

/** A channel is closed; the link below it may be there. */
export class ChannelClosedError extends BleError {
  readonly code = "ERR_L2CAP_CHANNEL_CLOSED";
  /** Who closed it: the "peer", its "owner", or this side since the peer broke a rule ("violation"). */
  readonly by: "peer" | "owner" | "violation";
  /** What the peer did, of a violation. */
  readonly problem: string | undefined;
  constructor(by: "peer" | "owner" | "violation", problem?: string, options?: ErrorOptions) {
    const texts = {
      peer: "the peer closed the channel",
      owner: "the channel was closed by its owner",
      violation: `the channel was closed since the peer broke a rule: ${problem}`,
    };
    super(texts[by], options);
    this.by = by;
    this.problem = problem;
  }
}
