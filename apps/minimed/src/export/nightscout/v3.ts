import { isoUtc } from "../rows.ts";
import {
  arrayOf,
  epochOf,
  foreignDevicesOf,
  HOUR_MS,
  type NightscoutApi,
  type NightscoutCollection,
  type NightscoutRequest,
  objectWith,
  type SentDocument,
  type SiteFacts,
  textOf,
} from "./api.ts";
import { NightscoutError } from "./error.ts";
import type { HttpClient } from "./http.ts";
import { DEVICE, ENTERED_BY } from "./options.ts";

/** Before a token ends by itself a new one is fetched. */
const JWT_SPARE_MS = 5 * 60_000;

/** API v3: one document a request, with a token that lasts some hours. */
export class NightscoutV3 implements NightscoutApi {
  readonly name = "v3";
  readonly largestBatch = 1;
  readonly #http: HttpClient;
  readonly #now: () => number;
  #jwt: { readonly text: string; readonly expiresMs: number } | undefined;

  constructor(http: HttpClient, now: () => number) {
    this.#http = http;
    this.#now = now;
  }

  async look(signal: AbortSignal | undefined): Promise<SiteFacts> {
    const status = await this.#status(signal);
    const answeredMs = this.#now();
    const permissions = status?.apiPermissions as Readonly<Record<string, unknown>> | null | undefined;
    const may = (collection: string, letter: string): boolean | undefined => {
      if (!permissions) return undefined;
      const letters = permissions[collection];
      return typeof letters === "string" && letters.includes(letter);
    };
    const siteMs = epochOf(status?.srvDate);
    const name = textOf(status?.name);
    const version = textOf(status?.version);
    return {
      server: /nocturne/i.test(`${name ?? ""} ${version ?? ""}`) ? "nocturne" : "nightscout",
      name,
      version,
      clockAheadMs: siteMs === undefined ? undefined : siteMs - answeredMs,
      canWrite: { entries: may("entries", "c"), treatments: may("treatments", "c"), devicestatus: may("devicestatus", "c") },
      canUpdate: may("entries", "u") !== false && may("treatments", "u") !== false,
      foreignDevices: may("entries", "r") ? await this.#foreignDevices(answeredMs, signal) : [],
    };
  }

  /** undefined where the token has no right to it. */
  async #status(signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>> | undefined> {
    const path = "/api/v3/status";
    try {
      return objectWith("apiPermissions", resultOf(await this.#request("GET", path, undefined, signal)), path);
    } catch (error) {
      if (error instanceof NightscoutError && error.code === "ERR_NIGHTSCOUT_FORBIDDEN") return undefined;
      throw error;
    }
  }

  async #foreignDevices(nowMs: number, signal: AbortSignal | undefined): Promise<string[]> {
    const answer = await this.#request("GET", `/api/v3/entries?type=sgv&date$gte=${nowMs - HOUR_MS}&limit=50`, undefined, signal);
    return foreignDevicesOf(listOf(answer), DEVICE);
  }

  requestOf(collection: NightscoutCollection, documents: readonly SentDocument[]): NightscoutRequest {
    const { identifier, atMs, document } = documents[0]!;
    // Zero, always: a site refuses a document that comes again with another offset.
    return { method: "POST", path: `/api/v3/${collection}`, body: { ...document, identifier, date: atMs, utcOffset: 0, app: ENTERED_BY } };
  }

  async send(collection: NightscoutCollection, documents: readonly SentDocument[], signal: AbortSignal | undefined): Promise<void> {
    for (const document of documents) await this.#sendOne(collection, document, signal);
  }

  async #sendOne(collection: NightscoutCollection, document: SentDocument, signal: AbortSignal | undefined): Promise<void> {
    const { path, body } = this.requestOf(collection, [document]);
    let answer: unknown;
    try {
      answer = await this.#request("POST", path, body, signal);
    } catch (error) {
      if (await this.#isThereAlready(collection, document, error, signal)) return;
      throw error;
    }
    // Nocturne answers with the document, without a status.
    if (typeof answer !== "object" || answer === null || Array.isArray(answer))
      throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", `POST ${path}: the answer does not say that the document was stored`, {
        isUnclear: true,
      });
  }

  /**
   * Whether a refusal means that the document is there: from before, and this token may not replace it; or from API v1, whose documents have
   * not the fields that v3 holds fast.
   */
  async #isThereAlready(
    collection: NightscoutCollection,
    document: SentDocument,
    error: unknown,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!(error instanceof NightscoutError) || collection === "devicestatus") return false;
    const reason = error.reason ?? "";
    if (error.code === "ERR_NIGHTSCOUT_FORBIDDEN" && reason.endsWith(":update")) return true;
    if (error.status !== 400 || !/^Field \w+ cannot be modified/.test(reason)) return false;
    return (await this.present(collection, [document], signal)).has(document.identifier);
  }

  async present(
    collection: "entries" | "treatments",
    documents: readonly SentDocument[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    const present = new Set<string>();
    for (const { identifier, atMs, document } of documents) {
      const { type, eventType } = document as { type?: string; eventType?: string };
      // By the fields by which the site itself knows documents without an identifier.
      const query =
        collection === "entries"
          ? `date=${atMs}&type=${encodeURIComponent(type ?? "")}`
          : `created_at=${encodeURIComponent(isoUtc(atMs))}&eventType=${encodeURIComponent(eventType ?? "")}`;
      const byIdentifier = await this.#request("GET", `/api/v3/${collection}?identifier=${identifier}&limit=1`, undefined, signal);
      const isThere =
        listOf(byIdentifier).length > 0 ||
        listOf(await this.#request("GET", `/api/v3/${collection}?${query}&limit=1`, undefined, signal)).length > 0;
      if (isThere) present.add(identifier);
    }
    return present;
  }

  /** With a token of the site's; one that was refused is fetched anew once, since the site's key may have changed. */
  async #request(method: "GET" | "POST", path: string, body: object | undefined, signal: AbortSignal | undefined): Promise<unknown> {
    const text = body && JSON.stringify(body);
    const ask = async (jwt: string): Promise<unknown> => {
      const headers = {
        accept: "application/json",
        authorization: `Bearer ${jwt}`,
        ...(text !== undefined && { "content-type": "application/json" }),
      };
      return (await this.#http.request({ method, path, headers, ...(text !== undefined && { body: text }), signal })).json;
    };
    const isFresh = !this.#jwt || this.#jwt.expiresMs - JWT_SPARE_MS <= this.#now();
    const jwt = isFresh ? await this.#login(signal) : this.#jwt!.text;
    try {
      return await ask(jwt);
    } catch (error) {
      if (!(error instanceof NightscoutError && error.status === 401)) throw error;
      this.#jwt = undefined;
      if (isFresh) throw error;
      return await ask(await this.#login(signal));
    }
  }

  async #login(signal: AbortSignal | undefined): Promise<string> {
    const { json } = await this.#http.request({
      method: "GET",
      path: `/api/v2/authorization/request/${encodeURIComponent(this.#http.site.token ?? "")}`,
      shownPath: "/api/v2/authorization/request",
      headers: { accept: "application/json" },
      signal,
    });
    const { token, exp } = (json ?? {}) as { token?: unknown; exp?: unknown };
    if (typeof token !== "string" || !/^[\w.~+/=-]+$/.test(token))
      throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", "GET /api/v2/authorization/request: the answer has no token");
    this.#jwt = { text: token, expiresMs: typeof exp === "number" ? exp * 1000 : this.#now() + HOUR_MS };
    return token;
  }
}

/** v3 puts what it reads into `result`; Nocturne does not always. */
function resultOf(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "result" in answer ? answer.result : answer;
}

/** @throws {NightscoutError} */
function listOf(answer: unknown): readonly unknown[] {
  return arrayOf(resultOf(answer), "/api/v3");
}
