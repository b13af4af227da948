import { uuidV5 } from "../../src/export/nightscout/identifier.ts";
import { type Caller, may } from "./auth.ts";
import { Answered, type Document, json, type ServerAnswer, type ServerRequest } from "./http.ts";
import { COLLECTIONS, type ServerState } from "./state.ts";
import { iso, readTime } from "./v1.ts";

const NAMESPACE = new TextEncoder().encode("NightscoutRocks!");
const FIRST_MS = 946_684_800_000;
const IMMUTABLE = [
  "identifier",
  "date",
  "utcOffset",
  "eventType",
  "device",
  "app",
  "srvCreated",
  "subject",
  "srvModified",
  "modifiedBy",
  "isValid",
];
const FALLBACK: Readonly<Record<string, readonly string[]>> = {
  entries: ["date", "type"],
  treatments: ["created_at", "eventType"],
  devicestatus: ["created_at", "device"],
  food: ["created_at"],
  profile: ["created_at"],
};
const LETTERS = [
  ["c", "create"],
  ["r", "read"],
  ["u", "update"],
  ["d", "delete"],
] as const;
const NOCTURNE_SAME_MS = 60_000;

const failed = (status: number, message?: string): Answered =>
  new Answered(json(status, message === undefined ? { status } : { status, message }));

/** A date of v3: also seconds, digits in text, and texts of other forms. */
export function dateOfV3(value: unknown): { readonly ms: number; readonly utcOffset: number } | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number === "number") {
    const ms = number < FIRST_MS ? number * 1000 : number;
    return ms >= FIRST_MS ? { ms, utcOffset: 0 } : undefined;
  }
  if (typeof value !== "string") return undefined;
  const time = readTime(value);
  if (time) return time;
  const ms = /^[A-Z][a-z]{2},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : { ms, utcOffset: 0 };
}

export function identifierOfV3({ device, date, eventType }: Document): string {
  const parts = [device, date, ...(eventType ? [eventType] : [])].map(String);
  return uuidV5(parts.join("_"), NAMESPACE);
}

/** API v3 below `/api/v3`. */
export function answerV3(state: ServerState, request: ServerRequest, path: string, caller: () => Caller): ServerAnswer {
  const parts = path.split("/").filter((part) => part !== "");
  const [first, second, third] = parts;
  const nowMs = state.siteNow();
  const version = { version: "15.0.7", apiVersion: "3.0.3-alpha", srvDate: nowMs, storage: { storage: "mongodb", version: "6" } };
  if (first === "version") return json(200, { status: 200, result: version });
  const who = caller();
  if (first === "status") {
    const apiPermissions = Object.fromEntries(
      COLLECTIONS.map((name) => [name, LETTERS.flatMap(([letter, right]) => (may(who, `api:${name}:${right}`) ? letter : [])).join("")]),
    );
    return json(200, { status: 200, result: { ...version, ...(state.options.nocturne && { name: "Nocturne" }), apiPermissions } });
  }
  if (first === "lastModified") {
    const collections = Object.fromEntries(
      COLLECTIONS.map((name) => [name, Math.max(0, ...state.all(name).map(({ srvModified }) => Number(srvModified ?? 0)))]),
    );
    return json(200, { status: 200, result: { srvDate: nowMs, collections } });
  }
  if (first === undefined || !(COLLECTIONS as readonly string[]).includes(first)) throw failed(404, "Bad operation or collection");
  const collection = first;
  const demand = (right: string): void => {
    if (!may(who, `api:${collection}:${right}`)) throw failed(403, `Missing permission api:${collection}:${right}`);
  };
  const body = (): Document => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(request.body);
    } catch {
      throw failed(500, "Internal Server Error");
    }
    if (Array.isArray(parsed)) throw failed(400, "Bad or missing date field");
    if (typeof parsed !== "object" || parsed === null || Object.keys(parsed).length === 0) throw failed(400, "Bad or missing request body");
    return parsed as Document;
  };
  switch (request.method) {
    case "GET":
      demand("read");
      if (second === "history") return history(state, request, collection, third);
      return second === undefined ? search(state, request, collection) : readOne(state, request, collection, second);
    case "POST":
      return post(state, collection, body(), who, demand, path);
    case "PUT":
      return put(state, request, collection, second!, body(), who, demand, path);
    case "PATCH":
      return patch(state, request, collection, second!, body(), who, demand);
    case "DELETE": {
      demand("delete");
      const stored = state.all(collection).find(({ identifier }) => identifier === second);
      if (!stored) throw failed(404);
      if (request.query.get("permanent") === "true") state.remove(collection, [stored]);
      else state.replace(collection, stored, { ...stored, isValid: false, srvModified: nowMs });
      return json(200, { status: 200 });
    }
    default:
      throw failed(404, "Bad operation or collection");
  }
}

/** Normalises dates and checks what is needed. @throws {Answered} 400 */
function validated(given: Document): Document {
  const document = { ...given };
  const time = dateOfV3(document.date) ?? dateOfV3(document.created_at);
  if (time) document.date = time.ms;
  if (typeof document.date !== "number" || !(document.date > FIRST_MS)) throw failed(400, "Bad or missing date field");
  if (document.utcOffset === undefined) document.utcOffset = time?.utcOffset ?? 0;
  if (typeof document.utcOffset !== "number" || Math.abs(document.utcOffset) > 1440) throw failed(400, "Bad or missing utcOffset field");
  if (typeof document.app !== "string" || document.app.trim() === "") throw failed(400, "Bad or missing app field");
  document.created_at = iso(document.date);
  document.identifier ??= identifierOfV3(document);
  if (typeof document.identifier !== "string" || document.identifier.trim() === "") throw failed(400, "Bad or missing identifier field");
  return withDurations(document);
}

function withDurations(document: Document): Document {
  if (typeof document.duration === "number") {
    document.durationInMilliseconds = document.duration * 60_000;
    document.endmills = Number(document.date) + document.duration * 60_000;
  } else if (typeof document.durationInMilliseconds === "number") {
    document.duration = Math.round(document.durationInMilliseconds / 60_000);
    document.endmills = Number(document.date) + document.durationInMilliseconds;
  }
  return document;
}

function existingOf(state: ServerState, collection: string, document: Document): Document | undefined {
  const all = state.all(collection);
  const byIdentifier = all.find(
    ({ identifier, _id }) =>
      identifier === document.identifier || (/^[0-9a-f]{24}$/.test(String(document.identifier)) && _id === document.identifier),
  );
  const fields = FALLBACK[collection];
  return (
    byIdentifier ?? (fields && all.find((other) => other.app === undefined && fields.every((field) => other[field] === document[field])))
  );
}

/** @throws {Answered} 400 · 422 */
function checkImmutable(stored: Document, document: Document, isDeduplication: boolean): void {
  if (stored.isReadOnly || stored.readOnly || stored.readonly) throw failed(422, "Trying to modify read-only document");
  for (const field of IMMUTABLE) {
    if (field === "identifier" && isDeduplication) continue;
    if (field in document && document[field] !== stored[field]) throw failed(400, `Field ${field} cannot be modified by the client`);
  }
}

const modifiedHeaders = (ms: number): Record<string, string> => ({ "last-modified": new Date(ms).toUTCString() });

function post(
  state: ServerState,
  collection: string,
  given: Document,
  who: Caller,
  demand: (right: string) => void,
  path: string,
): ServerAnswer {
  const nowMs = state.siteNow();
  if (state.options.isStrict) state.check(collection, given);
  const document = validated(given);
  const existing =
    existingOf(state, collection, document) ?? (state.options.nocturne && collection === "entries" ? nearOf(state, document) : undefined);
  if (!existing) {
    demand("create");
    const stored = state.insert(collection, { ...document, srvCreated: nowMs, srvModified: nowMs, subject: who.name });
    if (state.options.nocturne) return json(201, { ...stored });
    const { identifier } = stored;
    return json(201, { status: 201, identifier, lastModified: nowMs }, { location: `${path}/${identifier}`, ...modifiedHeaders(nowMs) });
  }
  demand("update");
  if (existing.isValid !== false) checkImmutable(existing, document, true);
  const { isValid: _, ...kept } = existing;
  state.replace(collection, existing, {
    ...document,
    _id: kept._id,
    srvCreated: kept.srvCreated ?? nowMs,
    srvModified: nowMs,
    subject: who.name,
  });
  if (state.options.nocturne) return json(200, { ...document, isDeduplication: true });
  return json(200, {
    status: 200,
    lastModified: nowMs,
    identifier: document.identifier,
    isDeduplication: true,
    ...(existing.identifier !== document.identifier && { deduplicatedIdentifier: existing.identifier }),
  });
}

function nearOf(state: ServerState, document: Document): Document | undefined {
  return state
    .alive("entries")
    .find(
      (other) =>
        other.device === document.device &&
        other.type === document.type &&
        other.sgv === document.sgv &&
        Math.abs(Number(other.date) - Number(document.date)) <= NOCTURNE_SAME_MS,
    );
}

function put(
  state: ServerState,
  request: ServerRequest,
  collection: string,
  identifier: string,
  given: Document,
  who: Caller,
  demand: (right: string) => void,
  path: string,
): ServerAnswer {
  const nowMs = state.siteNow();
  const stored = state.all(collection).find((one) => one.identifier === identifier);
  if (stored?.isValid === false) throw failed(410);
  const document = validated({ ...given, identifier });
  if (!stored) {
    demand("create");
    state.insert(collection, { ...document, srvCreated: nowMs, srvModified: nowMs, subject: who.name });
    return json(201, { status: 201, identifier, lastModified: nowMs }, { location: `${path}/${identifier}` });
  }
  demand("update");
  checkUnmodified(request, stored);
  checkImmutable(stored, document, false);
  state.replace(collection, stored, { ...document, _id: stored._id, srvCreated: stored.srvCreated, srvModified: nowMs, subject: who.name });
  return json(200, { status: 200, lastModified: nowMs });
}

function patch(
  state: ServerState,
  request: ServerRequest,
  collection: string,
  identifier: string,
  given: Document,
  who: Caller,
  demand: (right: string) => void,
): ServerAnswer {
  demand("update");
  const stored = state.all(collection).find((one) => one.identifier === identifier);
  if (!stored) throw failed(404);
  if (stored.isValid === false) throw failed(410);
  checkUnmodified(request, stored);
  checkImmutable(stored, given, false);
  state.replace(collection, stored, withDurations({ ...stored, ...given, modifiedBy: who.name, srvModified: state.siteNow() }));
  return json(200, { status: 200 });
}

function checkUnmodified(request: ServerRequest, stored: Document): void {
  const since = Date.parse(request.headers["if-unmodified-since"] ?? "");
  if (!Number.isNaN(since) && Math.floor(Number(stored.srvModified) / 1000) > Math.floor(since / 1000)) throw failed(412);
}

function readOne(state: ServerState, request: ServerRequest, collection: string, identifier: string): ServerAnswer {
  const stored = state.all(collection).find((one) => one.identifier === identifier);
  if (!stored) throw failed(404);
  if (stored.isValid === false) throw failed(410);
  const since = Date.parse(request.headers["if-modified-since"] ?? "");
  if (!Number.isNaN(since) && Number(stored.srvModified) <= since) return { status: 304, headers: {}, body: "" };
  return json(200, { status: 200, result: shownOf(stored) });
}

function shownOf(document: Document): Document {
  const shown = { ...document };
  delete shown._id;
  return shown;
}

function history(state: ServerState, request: ServerRequest, collection: string, after: string | undefined): ServerAnswer {
  const since = after === undefined ? Date.parse(request.headers["last-modified"] ?? "") : /^\d+$/.test(after) ? Number(after) : Number.NaN;
  if (Number.isNaN(since)) throw failed(400, "Bad or missing Last-Modified header/parameter");
  const found = state
    .all(collection)
    .filter(({ srvModified }) => Number(srvModified) > since)
    .sort((a, b) => Number(a.srvModified) - Number(b.srvModified));
  return json(200, { status: 200, result: found.map(shownOf) });
}

const OPERATORS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "re"];

function search(state: ServerState, request: ServerRequest, collection: string): ServerAnswer {
  const { query } = request;
  const limit = Number(query.get("limit") ?? (state.options.nocturne ? 100 : 1000));
  const skip = Number(query.get("skip") ?? 0);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw failed(400, "Parameter limit out of tolerance");
  if (!Number.isInteger(skip) || skip < 0) throw failed(400, "Parameter skip out of tolerance");
  if (query.has("sort") && query.has("sort$desc")) throw failed(400, "Parameters sort and sort_desc cannot be combined");
  let found = state.alive(collection);
  for (const [name, value] of query) {
    if (["limit", "skip", "fields", "sort", "sort$desc", "token"].includes(name)) continue;
    const [field, op = "eq"] = name.split("$") as [string, string?];
    if (!OPERATORS.includes(op)) throw failed(400, `Unsupported filter operator ${op}`);
    found = found.filter((document) => matches(document[field], op, value));
  }
  const sort = query.get("sort$desc") ?? query.get("sort");
  if (sort !== null) {
    const sign = query.has("sort$desc") ? -1 : 1;
    found.sort((a, b) => sign * (Number(a[sort] ?? 0) - Number(b[sort] ?? 0)));
  }
  return json(200, { status: 200, result: found.slice(skip, skip + limit).map(shownOf) });
}

function matches(own: unknown, op: string, text: string): boolean {
  const value = typeof own === "number" ? Number(text) : text;
  const mine = own as string | number;
  switch (op) {
    case "eq":
      return own === value;
    case "ne":
      return own !== value;
    case "gt":
      return mine > value;
    case "gte":
      return mine >= value;
    case "lt":
      return mine < value;
    case "lte":
      return mine <= value;
    case "in":
      return text.split("|").includes(String(own));
    case "nin":
      return !text.split("|").includes(String(own));
    default:
      return typeof own === "string" && new RegExp(text).test(own);
  }
}
