import { TimeoutError } from "../../core/error.ts";
import type { McumgrLink, ServerBuffers } from "../links/link.ts";
import { readAnswer } from "../protocol/answer.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { McumgrReturnCode } from "../protocol/codes.ts";
import { errorOf, McumgrError, type McumgrErrorNames, McumgrResponseError } from "../protocol/error.ts";
import { OsGroup } from "../protocol/groups/os.ts";
import { dataRoom } from "../transfer/chunk.ts";
import { requestOf, type TransferAskOptions, type TransferRequest } from "../transfer/host.ts";
import { SLOWEST_MS_PER_OCTET } from "../transfer/patience.ts";
import { troubleOf } from "../transfer/trouble.ts";

/** More are of no use on any link, whatever the server claims. */
const LARGEST_WINDOW = 8;
const PARAMETERS_TIMEOUT_MS = 2000;
const PROBE_TIMEOUT_MS = 1500;
/** Octets of the narrowest link's messages, those of BLE with the smallest MTU: a server that takes no more could not be managed. */
export const LEAST_MESSAGE = 20;
/** Where messages may be lost, one that is lost proves nothing yet. */
const PROBES_LOSSY = 2;

export type Ask = (request: TransferRequest, options: TransferAskOptions) => Promise<CborMap>;

/**
 * Asks the server for its buffers. One that does not tell, or says nonsense, is undefined, and so is one that does not answer at all:
 * `isUndecided`, where another question may have another answer.
 *
 * @throws {TimeoutError} only with `mustAnswer` · the link's reason · `signal.reason`
 */
export async function readBuffers(
  ask: Ask,
  link: McumgrLink,
  names: McumgrErrorNames,
  { signal, timeoutMs, mustAnswer = false }: { signal: AbortSignal | undefined; timeoutMs: number; mustAnswer?: boolean },
): Promise<{ buffers: ServerBuffers | undefined; why: string; isUndecided?: boolean }> {
  const limitMs = Math.min(timeoutMs, PARAMETERS_TIMEOUT_MS);
  // It may be asked twice. Where the link loses nothing, the server may: it has few buffers, and may have just started.
  const resendAfterMs = link.isLossy ? [limitMs / 3, (2 * limitMs) / 3] : [limitMs / 2];
  const { parameters } = OsGroup.commands;
  try {
    const payload = await ask(requestOf(OsGroup, parameters, {}), { signal, timeoutMs: limitMs, resendAfterMs });
    const { bufSize, bufCount } = readAnswer(OsGroup, parameters, payload, names);
    if (bufCount === 0 || link.messageLimit({ bufSize, bufCount }) < LEAST_MESSAGE)
      return { buffers: undefined, why: `the server claims ${bufferText(bufSize, bufCount)}` };
    return { buffers: { bufSize, bufCount }, why: `the server has ${bufferText(bufSize, bufCount)}` };
  } catch (error) {
    if (error instanceof TimeoutError && !mustAnswer) return { buffers: undefined, why: "the server does not answer", isUndecided: true };
    if (error instanceof McumgrError || error instanceof McumgrResponseError) {
      // Busy, short of memory, or an answer in pieces: it may well tell later.
      const isUndecided = troubleOf(error, false) !== undefined;
      return { buffers: undefined, why: `the server does not tell its buffers (${error.message})`, isUndecided };
    }
    throw error;
  }
}

const bufferText = (octets: number, count: number) => `${count} ${count === 1 ? "buffer" : "buffers"} of ${octets} octets`;

/** Each request needs a buffer, and so does each answer while it is made: one less than there are. */
export function windowOf(buffers: ServerBuffers | undefined): number {
  return Math.max(1, Math.min(LARGEST_WINDOW, (buffers?.bufCount ?? 2) - 1));
}

/**
 * Whether a message of `goal` octets gets through: an echo whose answer is as long. Every answer shows that it did, but for those of a server
 * that got a part of it.
 *
 * @throws the link's reason · `signal.reason`
 */
export async function probe(ask: Ask, link: McumgrLink, goal: number, signal: AbortSignal | undefined): Promise<boolean> {
  // `d` is three octets shorter than `data`; the answer has one octet more than the request, the end of its map.
  const timeoutMs = PROBE_TIMEOUT_MS + goal * SLOWEST_MS_PER_OCTET;
  const d = "x".repeat(Math.max(0, dataRoom(goal + 3 - 1, {})));
  for (let i = 0; i < (link.isLossy ? PROBES_LOSSY : 1); i++) {
    try {
      const payload = await ask(requestOf(OsGroup, OsGroup.commands.echo, { d }), { signal, timeoutMs });
      const failure = errorOf(payload);
      if (failure === undefined) return true;
      return failure.rc !== McumgrReturnCode.Corrupt && failure.rc !== McumgrReturnCode.Invalid;
    } catch (error) {
      if (error instanceof McumgrResponseError) return false;
      if (!(error instanceof TimeoutError)) throw error;
    }
  }
  return false;
}
