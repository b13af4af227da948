import type { Clock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import type { CborMap } from "../protocol/cbor.ts";
import type { AnyMcumgrGroup } from "../protocol/declare.ts";
import type { McumgrErrorNames } from "../protocol/error.ts";
import type { TransferProgress } from "./progress.ts";

/** What a client has learned of how much the server takes. */
export interface McumgrLimits {
  /** Longest message in octets, header included. */
  readonly messageLimit: number;
  /** So many requests may be outstanding. */
  readonly window: number;
  /** The server's packet buffers, where it tells them. */
  readonly buffers: { readonly bufSize: number; readonly bufCount: number } | undefined;
  /** Where the numbers come from. */
  readonly why: string;
}

/** The client went on in a more careful way than it had meant to. */
export interface McumgrFallback {
  /** `version`: of the protocol. `messageLimit`: octets. `window`: requests outstanding. `resume`: a transfer cannot go on where it was. */
  readonly what: "version" | "messageLimit" | "window" | "resume";
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface TransferRequest {
  /** "image.upload", for errors. */
  readonly title: string;
  readonly group: number;
  readonly command: number;
  readonly op: 0 | 2;
  readonly payload: CborMap;
}

export interface TransferAskOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the answer once the link has taken the request. */
  readonly timeoutMs: number;
  /** When to send the same message again, in milliseconds after it was sent first; for requests that may come twice, on links that lose some. */
  readonly resendAfterMs?: readonly number[] | undefined;
  /** The request leaves its queue: from here on the server may have it. */
  readonly onSent?: (() => void) | undefined;
}

/** What transfers need of the client. */
export interface TransferHost {
  readonly clock: Clock;
  /** Whether the link may lose messages and stay. */
  readonly isLossy: boolean;
  /** The link stands. */
  readonly isConnected: boolean;
  /** Whether an error came since a link was lost, be there a new one or not. */
  isLost(error: unknown): boolean;
  /** Longest message that the link proves to work. */
  readonly provenLimit: number;
  readonly names: McumgrErrorNames;
  /** What is known of the server; asks it where that has not been tried. */
  limits(signal: AbortSignal | undefined): Promise<McumgrLimits>;
  /** Sends a request; gives the payload of its answer, errors of the server included. */
  ask(request: TransferRequest, options: TransferAskOptions): Promise<CborMap>;
  reconnect(options: OperationOptions): Promise<void>;
  tell(fallback: McumgrFallback): void;
}

/** Declared commands as transfers ask them. */
export function requestOf(
  group: Pick<AnyMcumgrGroup, "id" | "name">,
  command: { readonly id: number; readonly name: string; readonly op: 0 | 2 },
  payload: CborMap,
): TransferRequest {
  return { title: `${group.name}.${command.name}`, group: group.id, command: command.id, op: command.op, payload };
}

/** What every transfer takes. */
export interface TransferOptions {
  /**
   * At most so many requests outstanding. By default as many as the server has buffers for; one for the upload of a file where messages may be
   * lost.
   */
  readonly window?: number | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For the whole, in milliseconds; no limit by default. */
  readonly timeoutMs?: number | undefined;
}
