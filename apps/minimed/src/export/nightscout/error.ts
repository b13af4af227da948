import { BleError } from "jelling/core";

export type NightscoutErrorCode =
  /** 401: the secret or token is wrong. Nothing is asked of the site any more, since every try makes it slower for everybody. */
  | "ERR_NIGHTSCOUT_UNAUTHORIZED"
  /** 403: the token has not the right for it. */
  | "ERR_NIGHTSCOUT_FORBIDDEN"
  /** The site does not take the request, and will not another time either. */
  | "ERR_NIGHTSCOUT_REFUSED"
  /** 413: more than the site, or a proxy before it, takes at once. */
  | "ERR_NIGHTSCOUT_TOO_LARGE"
  /** The site cannot be reached, has too much to do, or did not answer in time. */
  | "ERR_NIGHTSCOUT_UNAVAILABLE"
  /** What came is no answer of a Nightscout site, or says that nothing was stored. */
  | "ERR_NIGHTSCOUT_ANSWER"
  /** The site sends elsewhere, where credentials are not for. */
  | "ERR_NIGHTSCOUT_REDIRECT";

export interface NightscoutErrorFacts {
  /** HTTP status, where there was an answer. */
  readonly status?: number | undefined;
  /** So long the site wants to be left alone. */
  readonly retryAfterMs?: number | undefined;
  /** The site may have stored what was sent. */
  readonly isUnclear?: boolean | undefined;
  /** What the site says of it, without credentials. */
  readonly reason?: string | undefined;
}

/** A site did not do what was asked. Neither the message nor a field holds a secret, a token or a query. */
export class NightscoutError extends BleError {
  readonly code: NightscoutErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly isUnclear: boolean;
  readonly reason: string | undefined;
  constructor(code: NightscoutErrorCode, message: string, facts: NightscoutErrorFacts = {}) {
    super(message);
    this.code = code;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
    this.isUnclear = facts.isUnclear ?? false;
    this.reason = facts.reason;
  }

  /** Whether the same may be asked again later. */
  get isRetryable(): boolean {
    return this.code === "ERR_NIGHTSCOUT_UNAVAILABLE" || this.code === "ERR_NIGHTSCOUT_ANSWER";
  }
}
