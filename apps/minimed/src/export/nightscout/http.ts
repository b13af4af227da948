import { type Clock, Deadline, onAbort } from "jelling/async";
import { type Logger, TimeoutError } from "jelling/core";
import { NightscoutError, type NightscoutErrorCode } from "./error.ts";
import type { NightscoutSite } from "./site.ts";

/** What stands between a program and the network; the platform's `fetch` is one. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** From "/api" on. */
  readonly path: string;
  /** What is logged in place of `path`, where that holds a token. */
  readonly shownPath?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal | undefined;
}

/** An answer with status 2xx and JSON. */
export interface HttpAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** An answer to a batch repeats the batch; more than this is none. */
const LARGEST_BODY = 4 * 1024 * 1024;
const MOST_REDIRECTS = 3;
const LONGEST_RETRY_AFTER_MS = 24 * 3_600_000;
/** Errors that say that nothing left this computer. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "CERT_HAS_EXPIRED"]);

export interface HttpOptions {
  readonly site: NightscoutSite;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly now: () => number;
  readonly logger: Logger;
  readonly timeoutMs: number;
}

/** Asks a site: one request at a time, each within a time limit, with answers of bounded size. Nothing is asked of another host. */
export class HttpClient {
  readonly site: NightscoutSite;
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.site = options.site;
    this.#options = options;
  }

  /** @throws {NightscoutError} · `signal.reason` */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const { clock, timeoutMs, logger } = this.#options;
    const label = `${request.method} ${(request.shownPath ?? request.path).split("?")[0]}`;
    using deadline = new Deadline({ clock, operation: label, signal: request.signal, timeoutMs });
    try {
      const response = await this.#follow(request, label, deadline.signal);
      const text = await bodyOf(response, label, deadline.signal);
      logger.debug(() => `${label}: ${response.status}, ${text.length} characters`);
      return this.#judge(response, text, label);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      const told = error instanceof NightscoutError ? error : unreachable(label, error);
      logger.info(() => told.message);
      throw told;
    }
  }

  /** Follows the site from http to https, and nowhere else. */
  async #follow(request: HttpRequest, label: string, signal: AbortSignal): Promise<Response> {
    const { site } = this;
    for (let redirects = 0; ; redirects++) {
      const url = site.url(request.path);
      const response = await raced(
        this.#options.fetch(url, {
          method: request.method,
          headers: request.headers,
          ...(request.body !== undefined && { body: request.body }),
          redirect: "manual",
          signal,
        }),
        signal,
      );
      if (response.status < 300 || response.status > 399 || response.status === 304) return response;
      discard(response);
      const target = targetOf(url, response);
      const keepsMethod = response.status === 307 || response.status === 308 || request.method === "GET";
      const isSame = target?.hostname === url.hostname && target.pathname === url.pathname;
      // From http to https the port is another one; else another port is another program, which is not told who we are.
      const isSafe = isSame && (target.protocol === url.protocol ? target.port === url.port : target.protocol === "https:");
      if (!keepsMethod || !isSafe || redirects >= MOST_REDIRECTS)
        throw new NightscoutError(
          "ERR_NIGHTSCOUT_REDIRECT",
          `${label}: ${site.host} sends elsewhere (${response.status}), where credentials are not sent: check the site's address`,
          { status: response.status },
        );
      site.moveTo(target);
    }
  }

  #judge(response: Response, text: string, label: string): HttpAnswer {
    const { status } = response;
    const isJson = /\bjson\b/i.test(response.headers.get("content-type") ?? "");
    const json = isJson ? parsedJson(text) : undefined;
    if (response.ok) {
      if (json !== undefined) return { status, json };
      // A page of a proxy that wants to see a person, perhaps.
      throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", `${label}: the answer (${status}) is no JSON`, { status, isUnclear: true });
    }
    const reason = this.#reasonOf(json);
    const retryAfterMs = this.#retryAfter(response);
    const code = codeOf(status, json !== undefined);
    const isUnclear = code === "ERR_NIGHTSCOUT_UNAVAILABLE" && status !== 429 && status !== 503 && status !== 425;
    const message = `${label}: ${this.site.host} answered ${status}${reason === undefined ? "" : ` (${reason})`}`;
    throw new NightscoutError(code, message, { status, retryAfterMs, isUnclear, reason });
  }

  #reasonOf(json: unknown): string | undefined {
    const message = (json as { message?: unknown } | null | undefined)?.message;
    return typeof message === "string" && message !== "" ? this.site.redact(message) : undefined;
  }

  /** Seconds, or a date. */
  #retryAfter(response: Response): number | undefined {
    const value = response.headers.get("retry-after") ?? undefined;
    if (value === undefined || value === "") return undefined;
    // Of a date its month has letters: without them `Date.parse` takes nearly anything for one, "-5" too.
    const ms = /^\d+$/.test(value) ? 1000 * Number(value) : /[a-z]{3}/i.test(value) ? Date.parse(value) - this.#options.now() : Number.NaN;
    return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : undefined;
  }
}

function codeOf(status: number, isJson: boolean): NightscoutErrorCode {
  if (status === 401) return "ERR_NIGHTSCOUT_UNAUTHORIZED";
  // No site answers 403 with a page; what protects it does.
  if (status === 403) return isJson ? "ERR_NIGHTSCOUT_FORBIDDEN" : "ERR_NIGHTSCOUT_UNAVAILABLE";
  if (status === 413) return "ERR_NIGHTSCOUT_TOO_LARGE";
  if (status === 408 || status === 425 || status === 429 || status >= 500) return "ERR_NIGHTSCOUT_UNAVAILABLE";
  return "ERR_NIGHTSCOUT_REFUSED";
}

function unreachable(label: string, error: unknown): NightscoutError {
  if (error instanceof TimeoutError)
    return new NightscoutError("ERR_NIGHTSCOUT_UNAVAILABLE", `${label}: no answer within ${error.timeoutMs} ms`, { isUnclear: true });
  // What `fetch` throws may have the address in it, and headers: of it nothing is shown but a code of the system.
  const codes = [error, (error as { cause?: unknown } | null)?.cause].map((one) => (one as { code?: unknown } | null | undefined)?.code);
  const code = codes.find((one) => typeof one === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(one)) as string | undefined;
  return new NightscoutError(
    "ERR_NIGHTSCOUT_UNAVAILABLE",
    `${label}: the site cannot be reached${code === undefined ? "" : ` (${code})`}`,
    {
      isUnclear: code === undefined || !NEVER_SENT.has(code),
    },
  );
}

function targetOf(from: URL, response: Response): URL | undefined {
  const location = response.headers.get("location") ?? "";
  try {
    return location === "" ? undefined : new URL(location, from);
  } catch {
    return undefined;
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** @throws {NightscoutError} more than there can be */
async function bodyOf(response: Response, label: string, signal: AbortSignal): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let octets = 0;
  try {
    for (;;) {
      const { done, value } = await raced(reader.read(), signal);
      if (done) return text + decoder.decode();
      octets += value.length;
      if (octets > LARGEST_BODY)
        throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", `${label}: the answer is longer than ${LARGEST_BODY} octets`, {
          status: response.status,
          isUnclear: true,
        });
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    reader.cancel().catch(() => undefined); // behind our back: the site may never end it
    throw error;
  }
}

/** A `fetch` of the program's own may not mind the signal. */
function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => undefined);
      return reject(signal.reason);
    }
    const listener = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(() => listener[Symbol.dispose]());
  });
}
