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
import { DEVICE } from "./options.ts";

/** Nocturne takes a value for the same within so long of an equal one, both ends included. */
const NOCTURNE_SAME_MS = 5 * 60_000;
/** Two suffice where readings are five minutes apart. */
const DEVICES = [DEVICE, `${DEVICE}/2`, `${DEVICE}/3`];

/** API v1: arrays. What every site has. */
export class NightscoutV1 implements NightscoutApi {
  readonly name = "v1";
  /** Sites have failed at a thousand where a hundred passed. */
  readonly largestBatch = 50;
  readonly #http: HttpClient;
  readonly #now: () => number;
  #isNocturne = false;

  constructor(http: HttpClient, now: () => number) {
    this.#http = http;
    this.#now = now;
  }

  async #get(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    const headers = { accept: "application/json", "api-secret": this.#http.site.apiSecret };
    return (await this.#http.request({ method: "GET", path, headers, signal })).json;
  }

  async #post(path: string, body: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const headers = {
      accept: "application/json",
      "content-type": "application/json",
      "api-secret": this.#http.site.apiSecret,
    };
    return (await this.#http.request({ method: "POST", path, headers, body: JSON.stringify(body), signal })).json;
  }

  async look(signal: AbortSignal | undefined): Promise<SiteFacts> {
    // First whether the credentials are known: from then on 401 means that a right is missing, and costs nobody anything.
    const isAdmin = await this.#isAdmin(signal);
    const status = await this.#status(signal);
    const answeredMs = this.#now();
    const name = textOf(status?.name);
    const version = textOf(status?.version);
    this.#isNocturne = /nocturne/i.test(`${name ?? ""} ${version ?? ""}`);
    const siteMs = epochOf(status?.serverTimeEpoch);
    if (!isAdmin) await this.#tryPreview(signal);
    const known = isAdmin ? true : undefined;
    return {
      server: this.#isNocturne ? "nocturne" : "nightscout",
      name,
      version,
      clockAheadMs: siteMs === undefined ? undefined : siteMs - answeredMs,
      canWrite: { entries: true, treatments: status?.careportalEnabled === false ? false : known, devicestatus: known },
      canUpdate: true, // whoever may create may replace
      foreignDevices: await this.#foreignDevices(answeredMs, signal),
    };
  }

  /** Whether everything may be written. A narrow token is told that it may not. @throws {NightscoutError} 401: wrong credentials */
  async #isAdmin(signal: AbortSignal | undefined): Promise<boolean> {
    const path = "/api/v1/verifyauth";
    const { message } = objectWith("message", await this.#get(path, signal), path);
    return (message as { canWrite?: unknown } | null)?.canWrite === true;
  }

  /** undefined where the token has no right to it. */
  async #status(signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>> | undefined> {
    const path = "/api/v1/status.json";
    try {
      return objectWith("status", await this.#get(path, signal), path);
    } catch (error) {
      if (error instanceof NightscoutError && error.status === 401) return undefined;
      throw error;
    }
  }

  /** Asks whether entries may be created, which stores nothing. */
  async #tryPreview(signal: AbortSignal | undefined): Promise<void> {
    const date = this.#now();
    const entry = { type: "sgv", sgv: 100, date, dateString: isoUtc(date), device: DEVICE };
    try {
      await this.#post("/api/v1/entries/preview", [entry], signal);
    } catch (error) {
      if (!(error instanceof NightscoutError && error.status === 404)) throw error; // a server without it shows when it is written to
    }
  }

  async #foreignDevices(nowMs: number, signal: AbortSignal | undefined): Promise<string[]> {
    const query = `find[type]=sgv&find[date][$gte]=${nowMs - HOUR_MS}&count=50`;
    return foreignDevicesOf(arrayOf(await this.#get(`/api/v1/entries.json?${query}`, signal), "/api/v1/entries.json"), DEVICE);
  }

  requestOf(collection: NightscoutCollection, documents: readonly SentDocument[]): NightscoutRequest {
    return { method: "POST", path: `/api/v1/${collection}`, body: documents.map(({ document }) => document) };
  }

  async send(collection: NightscoutCollection, documents: readonly SentDocument[], signal: AbortSignal | undefined): Promise<void> {
    const { path, body } = this.requestOf(collection, documents);
    const answer = await this.#post(path, body, signal);
    const stored = Array.isArray(answer) ? answer.length : undefined;
    if (stored === documents.length) return;
    if (this.#isNocturne && collection === "entries" && stored !== undefined) return await this.#sendSkipped(documents, signal);
    throw new NightscoutError(
      "ERR_NIGHTSCOUT_ANSWER",
      `POST ${path}: ${documents.length} documents were sent, and the answer has ${stored ?? "no list of them"}`,
      { isUnclear: true },
    );
  }

  /**
   * Nocturne takes equal values of one device within five minutes for one, both ends included, and leaves the later one out: a flat curve would have
   * holes. What is not there goes by the name of another device.
   */
  async #sendSkipped(documents: readonly SentDocument[], signal: AbortSignal | undefined): Promise<void> {
    const entries = (documents as readonly SentEntry[]).map(({ document }) => document).sort((a, b) => a.date - b.date);
    const [first, last] = [entries[0]!.date, entries.at(-1)!.date];
    const stored = await this.#storedEntries(first - NOCTURNE_SAME_MS, last + NOCTURNE_SAME_MS, signal);
    const again: object[] = [];
    for (const entry of entries) {
      if (stored.some((one) => isSame(one, entry))) continue;
      const device = DEVICES.find((name) => !stored.some((one) => isTakenForOne(one, entry, name))) ?? DEVICE;
      stored.push({ ...entry, device });
      again.push({ ...entry, device });
    }
    if (again.length === 0) return;
    const answer = await this.#post("/api/v1/entries", again, signal);
    if (Array.isArray(answer) && answer.length === again.length) return;
    throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", "POST /api/v1/entries: values were left out", { isUnclear: true });
  }

  async #storedEntries(fromMs: number, toMs: number, signal: AbortSignal | undefined): Promise<StoredEntry[]> {
    const query = `find[date][$gte]=${fromMs}&find[date][$lte]=${toMs}&count=1000`;
    const answer = await this.#get(`/api/v1/entries.json?${query}`, signal);
    return Array.isArray(answer)
      ? answer.filter((one): one is StoredEntry => epochOf((one as StoredEntry | null)?.date) !== undefined)
      : [];
  }

  async present(
    collection: "entries" | "treatments",
    documents: readonly SentDocument[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    const fromMs = Math.min(...documents.map(({ atMs }) => atMs));
    const toMs = Math.max(...documents.map(({ atMs }) => atMs));
    const [field, from, to] = collection === "entries" ? ["date", fromMs, toMs] : ["created_at", isoUtc(fromMs), isoUtc(toMs)];
    const query = `find[${field}][$gte]=${from}&find[${field}][$lte]=${to}&count=1000`;
    const path = `/api/v1/${collection}.json`;
    const known = new Set<unknown>();
    for (const one of arrayOf(await this.#get(`${path}?${query}`, signal), path)) {
      const { identifier, syncIdentifier } = (one ?? {}) as { identifier?: unknown; syncIdentifier?: unknown };
      known.add(identifier).add(syncIdentifier);
    }
    return new Set(documents.map(({ identifier }) => identifier).filter((identifier) => known.has(identifier)));
  }
}

interface StoredEntry {
  readonly device?: unknown;
  readonly sgv?: number | undefined;
  readonly date: number;
}
type SentEntry = SentDocument & { readonly document: { readonly sgv?: number; readonly date: number } };

function isSame({ device, sgv, date }: StoredEntry, entry: SentEntry["document"]): boolean {
  return date === entry.date && sgv === entry.sgv && typeof device === "string" && device.startsWith(DEVICE);
}

function isTakenForOne({ device, sgv, date }: StoredEntry, entry: SentEntry["document"], name: string): boolean {
  return device === name && sgv === entry.sgv && Math.abs(date - entry.date) <= NOCTURNE_SAME_MS;
}
