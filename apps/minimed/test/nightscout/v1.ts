import { type Caller, may, unauthorized } from "./auth.ts";
import { Answered, type Document, html, json, plain, type ServerAnswer, type ServerRequest } from "./http.ts";
import type { ServerState } from "./state.ts";

const V1_COLLECTIONS = ["entries", "treatments", "devicestatus", "profile"];
const FOUR_DAYS_MS = 4 * 86_400_000;
const NOCTURNE_SAME_MS = 5 * 60_000;

/** API v1 below `/api/v1`. */
export function answerV1(state: ServerState, request: ServerRequest, path: string, caller: Caller, body: unknown): ServerAnswer {
  const [, extension] = /\.(json|csv|tsv|txt|html|png|svg)$/.exec(path) ?? [];
  const parts = path
    .replace(/\.(json|csv|tsv|txt|html|png|svg)$/, "")
    .split("/")
    .filter((part) => part !== "");
  const [first, second] = parts;
  const { method } = request;
  if (first === "status" && method === "GET") return status(state, request, caller, extension);
  if (first === "verifyauth" && method === "GET") return verifyAuth(caller);
  const collection = first === "profiles" ? "profile" : first;
  if (collection === undefined || !V1_COLLECTIONS.includes(collection)) return html(404, "Cannot find it");
  if (collection === "treatments" && method !== "GET" && !state.options.careportal) return html(404, `Cannot ${method} /api/v1/treatments`);
  // Read comes first, also for who wants to write.
  demand(caller, `api:${collection}:read`);
  if (method === "GET") return read(state, request, collection, second, extension);
  if (method === "POST" && collection === "entries" && second === "preview") {
    demand(caller, "api:entries:create");
    return json(
      200,
      listOf(body).map(({ ...document }) => document),
    );
  }
  if (method === "POST" && second === undefined) {
    demand(caller, `api:${collection}:create`);
    return create(state, collection, body);
  }
  if (method === "PUT") {
    demand(caller, `api:${collection}:update`);
    const document = body as Document;
    const id = state.options.nocturne ? second : document._id;
    const stored = state.all(collection).find(({ _id }) => _id === id);
    if (stored) state.replace(collection, stored, { ...document, _id: stored._id });
    else state.insert(collection, document);
    return json(200, document);
  }
  if (method === "DELETE") {
    demand(caller, `api:${collection}:delete`);
    const found = state.all(collection).filter((document) => second === "*" || document._id === second || document.type === second);
    state.remove(collection, found);
    return json(200, { acknowledged: true, deletedCount: found.length });
  }
  return html(404, "Cannot do it");
}

function demand(caller: Caller, permission: string): void {
  if (!may(caller, permission)) throw unauthorized();
}

function status(state: ServerState, request: ServerRequest, caller: Caller, extension: string | undefined): ServerAnswer {
  demand(caller, "api:status:read");
  const wants = request.headers.accept ?? "*/*";
  if (extension === undefined && /text\/plain/.test(wants)) return plain(200, "STATUS OK");
  if (extension === undefined && /text\/html/.test(wants)) return html(200, "STATUS OK");
  const nowMs = state.siteNow();
  return json(200, {
    status: "ok",
    name: state.options.nocturne ? "Nocturne" : "nightscout",
    version: "15.0.7",
    serverTime: new Date(nowMs).toISOString(),
    serverTimeEpoch: nowMs,
    apiEnabled: true,
    careportalEnabled: state.options.careportal,
    boluscalcEnabled: true,
    settings: { units: "mg/dl", enable: ["careportal", "pump", "iob"], thresholds: {} },
    extendedSettings: {},
    authorized: null,
    runtimeState: "loaded",
  });
}

function verifyAuth(caller: Caller): ServerAnswer {
  const canWrite = may(caller, "*:*:write");
  return json(200, {
    status: 200,
    message: {
      canRead: may(caller, "*:*:read"),
      canWrite,
      isAdmin: may(caller, "*:*:admin"),
      message: canWrite ? "OK" : "UNAUTHORIZED",
      rolefound: caller.isKnown && !caller.isSecret ? "FOUND" : "NOTFOUND",
      permissions: caller.isKnown ? "ROLE" : "DEFAULT",
    },
  });
}

const listOf = (body: unknown): Document[] => (Array.isArray(body) ? body : [body]) as Document[];

function create(state: ServerState, collection: string, body: unknown): ServerAnswer {
  if (state.options.nocturne && (listOf(body).length === 0 || !listOf(body).every((one) => one && typeof one === "object")))
    return json(400, { status: 400, message: "Invalid data", type: "client" });
  // A single entry counts only with a date.
  if (collection === "entries" && !Array.isArray(body) && !(body && typeof body === "object" && "date" in body)) return json(200, []);
  const answers: Document[] = [];
  for (const [i, given] of listOf(body).entries()) {
    if (state.failAfter !== undefined && i >= state.failAfter) {
      state.failAfter = undefined;
      throw new Answered(json(500, { status: 500, message: "Mongo Error", description: "quota" }));
    }
    if (state.options.isStrict) state.check(collection, given);
    const document = sanitised(given) as Document;
    if (collection === "entries") answers.push(...storeEntry(state, document));
    else if (collection === "treatments") answers.push(...storeTreatment(state, document));
    else answers.push(storeOther(state, collection, document));
  }
  return json(state.options.nocturne && collection === "entries" ? 201 : 200, answers);
}

/** Markup goes, in every text. */
function sanitised(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/<[^>]*>/g, "");
  if (Array.isArray(value)) return value.map(sanitised);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, sanitised(member)]));
  return value;
}

/** A time as the server reads it: text without a zone is UTC, digits in text are none. */
export function readTime(value: unknown): { readonly ms: number; readonly utcOffset: number } | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? { ms: value, utcOffset: 0 } : undefined;
  if (typeof value !== "string") return undefined;
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:?\d\d)?$/.exec(value);
  if (!match) return undefined;
  const [, date, time = "00:00", zone = "Z"] = match;
  const utcOffset = zone === "Z" ? 0 : (zone.startsWith("-") ? -1 : 1) * (60 * Number(zone.slice(1, 3)) + Number(zone.slice(-2)));
  const ms = Date.parse(`${date}T${time}Z`) - utcOffset * 60_000;
  return Number.isNaN(ms) ? undefined : { ms, utcOffset };
}

export const iso = (ms: number): string => new Date(ms).toISOString();

function storeEntry(state: ServerState, given: Document): Document[] {
  const { sysTime: _s, utcOffset: _u, ...document } = given;
  if (state.options.nocturne) {
    document.type ??= "sgv";
    const same = state
      .all("entries")
      .some(
        (other) =>
          other.device === document.device &&
          other.type === document.type &&
          other.sgv === document.sgv &&
          Math.abs(Number(other.date) - Number(document.date)) <= NOCTURNE_SAME_MS,
      );
    if (same) return [];
  }
  const source = document.dateString ?? document.date;
  const time = source === undefined ? { ms: state.siteNow(), utcOffset: 0 } : readTime(source);
  const stored: Document = { ...document, utcOffset: time ? time.utcOffset : null, sysTime: time ? iso(time.ms) : null };
  if ("dateString" in document) stored.dateString = stored.sysTime;
  const isKeyed = time !== undefined && typeof document.type === "string";
  const existing = isKeyed
    ? state.all("entries").find((other) => other.sysTime === stored.sysTime && other.type === stored.type)
    : state.all("entries").find((other) => Object.entries(stored).every(([name, value]) => other[name] === value));
  if (existing) {
    state.replace("entries", existing, { ...existing, ...stored });
    return [stored];
  }
  return [state.insert("entries", stored)];
}

const NUMBERS = ["insulin", "carbs", "protein", "fat"];
const REMOVED_WHEN_ZERO = ["percent", "relative", "targetTop", "targetBottom"];

/** As v1 stores a treatment: what it cannot read it drops, without a word. @throws what the server's code throws */
export function normaliseTreatment(given: Document, nowMs: number): Document {
  const document: Document = { ...given };
  const created = readTime(document.created_at) ?? { ms: nowMs, utcOffset: 0 };
  let { ms } = created;
  if ("eventTime" in document) {
    const time = readTime(document.eventTime);
    if (!time) throw new Answered(html(500, "RangeError: Invalid time value"));
    ms = time.ms;
    delete document.eventTime;
  }
  document.created_at = iso(ms);
  document.utcOffset = created.utcOffset;
  if (typeof document._id === "string" && !/^[0-9a-f]{24}$/.test(document._id)) {
    document.identifier ??= document._id;
    delete document._id;
  }
  for (const name of NUMBERS) {
    if (!(name in document)) continue;
    const value = Number(document[name]);
    if (value) document[name] = value;
    else delete document[name];
  }
  if ("glucose" in document) {
    const value = Number(document.glucose);
    if (value) document.glucose = value;
    else for (const name of ["glucose", "glucoseType", "units"]) delete document[name];
  }
  for (const name of ["duration", "absolute"]) {
    if (!(name in document)) continue;
    const value = Number(document[name]); // of null it is 0
    if (Number.isNaN(value)) delete document[name];
    else document[name] = value;
  }
  for (const name of REMOVED_WHEN_ZERO) if (name in document && !Number(document[name])) delete document[name];
  if (document.notes === "") delete document.notes;
  if (document.eventType === "Announcement") document.isAnnouncement = true;
  return document;
}

function storeTreatment(state: ServerState, given: Document): Document[] {
  const { preBolus, ...rest } = given;
  const document = normaliseTreatment(rest, state.siteNow());
  if (!Number(preBolus)) return [putTreatment(state, document)];
  const { carbs, ...withoutCarbs } = document;
  const later = iso(Date.parse(String(document.created_at)) + Number(preBolus) * 60_000);
  return [
    putTreatment(state, withoutCarbs),
    putTreatment(state, { eventType: document.eventType, created_at: later, utcOffset: document.utcOffset, carbs }),
  ];
}

function putTreatment(state: ServerState, document: Document): Document {
  const { identifier, _id } = document;
  const existing = state.all("treatments").find((other) => {
    if (state.options.nocturne) return _id !== undefined && other._id === _id;
    if (identifier !== undefined) return other.identifier === identifier || other._id === identifier;
    if (_id !== undefined) return other._id === _id;
    return other.created_at === document.created_at && other.eventType === document.eventType;
  });
  if (!existing) return state.insert("treatments", document);
  state.replace("treatments", existing, { ...document, _id: existing._id });
  return { ...document, ...(identifier !== undefined && { _id: existing._id }) };
}

function storeOther(state: ServerState, collection: string, document: Document): Document {
  if ("_id" in document && !/^[0-9a-f]{24}$/.test(String(document._id)))
    throw new Answered(json(400, { status: 400, message: "Invalid _id format", description: "" }));
  const time = readTime(document.created_at) ?? { ms: state.siteNow(), utcOffset: 0 };
  return state.insert(collection, { ...document, created_at: iso(time.ms), utcOffset: time.utcOffset });
}

const DATE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  entries: ["date", "dateString"],
  treatments: ["created_at"],
  devicestatus: ["created_at"],
  profile: ["startDate"],
};

function read(
  state: ServerState,
  request: ServerRequest,
  collection: string,
  second: string | undefined,
  extension: string | undefined,
): ServerAnswer {
  const conditions = [...request.query].flatMap(([name, value]) => {
    const match = /^find\[(\w+)\](?:\[\$(\w+)\])?$/.exec(name);
    return match ? [{ field: match[1]!, op: match[2] ?? "eq", value }] : [];
  });
  const dateFields = DATE_FIELDS[collection]!;
  const hasDate = conditions.some(({ field }) => dateFields.includes(field) || field === "_id");
  const nowMs = state.siteNow();
  const timeOf = (document: Document): number =>
    collection === "entries" ? Number(document.date) : Date.parse(String(document[dateFields[0]!]));
  const isSingle = second !== undefined && /^[0-9a-f]{24}$/.test(second);
  const found = state
    .all(collection)
    .filter((document) => {
      if (isSingle) return document._id === second;
      if (!hasDate && second !== "current" && !(timeOf(document) >= nowMs - FOUR_DAYS_MS)) return false;
      if (second !== undefined && second !== "current" && document.type !== second) return false;
      return conditions.every((condition) => holds(document, condition, collection));
    })
    .sort((a, b) => timeOf(b) - timeOf(a));
  const usual = collection === "treatments" && !state.options.nocturne ? (conditions.length > 0 ? 1000 : 100) : 10;
  const count = second === "current" ? 1 : Number(request.query.get("count") ?? usual);
  const documents = found
    .slice(0, count)
    .map((document) => (collection === "treatments" ? { carbs: null, insulin: null, ...document } : document));
  const wantsJson = extension === "json" || /application\/json/.test(request.headers.accept ?? "*/*");
  if (collection === "entries" && !wantsJson)
    return plain(
      200,
      documents.map(({ dateString, date, sgv, direction, device }) => [dateString, date, sgv, direction, device].join("\t")).join("\n"),
    );
  return json(200, documents);
}

function holds(document: Document, { field, op, value }: { field: string; op: string; value: string }, collection: string): boolean {
  const own = document[field];
  const isTime = field === "created_at" || field === "dateString" || field === "startDate";
  const time = isTime && op !== "in" ? readTime(value.replace(" ", "+")) : undefined;
  if (isTime && op !== "in" && !time) throw new Answered(html(500, "RangeError: Invalid time value"));
  const pattern = /^\/(.*)\/$/.exec(value)?.[1];
  if (pattern !== undefined) return typeof own === "string" && new RegExp(pattern).test(own);
  const wanted: string | number = time
    ? iso(time.ms)
    : collection === "entries" && typeof own === "number"
      ? Number.parseInt(value, 10)
      : typeof own === "number"
        ? Number(value)
        : value;
  const mine = (own ?? "") as string | number;
  switch (op) {
    case "eq":
      return own === wanted;
    case "ne":
      return own !== wanted;
    case "gt":
      return mine > wanted;
    case "gte":
      return mine >= wanted;
    case "lt":
      return mine < wanted;
    case "lte":
      return mine <= wanted;
    case "in":
      return value.split("|").includes(String(own));
    default:
      return false;
  }
}
