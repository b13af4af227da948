// What the real server swallows and an uploader must not send, written from the facts alone and not from the uploader.

export interface RuleContext {
  readonly nowMs: number;
  /** Text that may be nowhere: serial numbers, tokens. */
  readonly forbidden?: readonly string[];
  readonly nocturne?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID5 = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const FIRST_MS = 946_684_800_000;
const FUTURE_MS = 5 * 60_000;
const DIRECTIONS = [
  "NONE",
  "TripleUp",
  "DoubleUp",
  "SingleUp",
  "FortyFiveUp",
  "Flat",
  "FortyFiveDown",
  "SingleDown",
  "DoubleDown",
  "TripleDown",
  "NOT COMPUTABLE",
  "RATE OUT OF RANGE",
];
const EVENT_TYPES = [
  "BG Check",
  "Meal Bolus",
  "Correction Bolus",
  "Carb Correction",
  "Combo Bolus",
  "Announcement",
  "Note",
  "Site Change",
  "Sensor Start",
  "Sensor Change",
  "Pump Battery Change",
  "Insulin Change",
  "Temp Basal",
];
const NUMBERS = [
  "date",
  "sgv",
  "mbg",
  "trend",
  "noise",
  "insulin",
  "carbs",
  "glucose",
  "duration",
  "absolute",
  "percent",
  "relative",
  "splitNow",
  "splitExt",
  "enteredinsulin",
  "utcOffset",
];
const NEVER = ["sysTime", "eventTime", "_id", "preBolus", "filtered", "unfiltered", "rssi", "delta", "slope", "intercept", "scale"];

/** What is wrong with a document, in words; nothing with a good one. */
export function violationsOf(collection: string, document: unknown, context: RuleContext): string[] {
  const found: string[] = [];
  const must = (condition: boolean, what: string): void => {
    if (!condition) found.push(`${collection}: ${what}`);
  };
  if (typeof document !== "object" || document === null || Array.isArray(document)) return [`${collection}: no object`];
  const fields = document as Fields;
  walk(fields, "", context, must);
  for (const name of NEVER) must(!(name in fields), `${name} is never sent`);
  for (const name of NUMBERS)
    if (name in fields) must(typeof fields[name] === "number" && Number.isFinite(fields[name]), `${name} is a number`);
  must(typeof fields.device === "string" && fields.device.startsWith("jelling://"), "device is told");
  if (collection === "entries") entry(fields, context, must);
  else if (collection === "treatments") treatment(fields, context, must);
  else if (collection === "devicestatus") deviceStatus(fields, context, must);
  // Of API v3, where there.
  if ("app" in fields) {
    must(fields.utcOffset === 0, "utcOffset is 0");
    must(fields.app !== "", "app is told");
    const told = collection === "entries" ? fields.dateString : fields.created_at;
    must(fields.date === Date.parse(String(told)), "date is created_at");
  } else must(!("utcOffset" in fields), "utcOffset is the server's");
  return found;
}

type Must = (condition: boolean, what: string) => void;

function walk(value: unknown, path: string, context: RuleContext, must: Must): void {
  must(value !== null, `${path} is null`);
  if (typeof value === "string") {
    must(value !== "", `${path} is empty`);
    must(!/[<>&]/.test(value), `${path} has markup`);
    must(!value.endsWith("mmol/L") || path === ".notes", `${path} is mmol/L`);
    for (const text of context.forbidden ?? []) must(!value.includes(text), `${path} has what nobody may see`);
    must(!/\b\d{7}[A-Z]?\b|NG\d{6}/.test(value), `${path} looks like a serial number`);
  }
  if (typeof value === "object" && value !== null)
    for (const [name, member] of Object.entries(value)) walk(member, `${path}.${name}`, context, must);
}

function time(name: string, value: unknown, { nowMs }: RuleContext, must: Must): void {
  must(typeof value === "string" && ISO.test(value), `${name} is ISO 8601 with milliseconds and Z`);
  const ms = Date.parse(String(value));
  must(ms > FIRST_MS, `${name} is after 2000`);
  must(ms <= nowMs + FUTURE_MS, `${name} is not in the future`);
}

function identified(fields: Fields, must: Must): void {
  must(typeof fields.identifier === "string" && UUID5.test(fields.identifier), "identifier is a UUID of version 5");
  must(fields.syncIdentifier === fields.identifier, "syncIdentifier is the identifier");
}

function entry(fields: Fields, context: RuleContext, must: Must): void {
  const { type, date, sgv, mbg } = fields;
  must(type === "sgv" || type === "mbg", "type is sgv or mbg");
  must(Number.isInteger(date) && (date as number) > FIRST_MS, "date is whole milliseconds");
  time("dateString", fields.dateString, context, must);
  must(Date.parse(String(fields.dateString)) === date, "date and dateString are one");
  must("sgv" in fields !== "mbg" in fields, "either sgv or mbg");
  if (type === "sgv") must(Number.isInteger(sgv) && (sgv as number) >= 39 && (sgv as number) <= 401, "sgv is 39 to 401");
  if (type === "mbg") must(Number.isInteger(mbg) && (mbg as number) > 0, "mbg is a value");
  if ("direction" in fields) must(DIRECTIONS.includes(fields.direction as string), "direction is known");
  if ("trend" in fields) must([1, 2, 3, 4, 5, 6, 7, 8, 9].includes(fields.trend as number), "trend is known");
  must(!("noise" in fields) || fields.noise === 1, "noise is 1");
  must(!("units" in fields) || fields.units === "mg/dl", "units are mg/dl");
  identified(fields, must);
}

function treatment(fields: Fields, context: RuleContext, must: Must): void {
  const eventType = String(fields.eventType);
  const known = context.nocturne ? [...EVENT_TYPES, "Suspend Pump", "Resume Pump"] : EVENT_TYPES;
  must(known.includes(eventType), `eventType ${eventType} is known`);
  time("created_at", fields.created_at, context, must);
  identified(fields, must);
  must(typeof fields.enteredBy === "string" && !/^(openaps:\/\/|loop:\/\/|xdrip)/i.test(fields.enteredBy), "enteredBy is ours");
  for (const name of ["insulin", "carbs", "glucose", "relative", "enteredinsulin"])
    if (name in fields) must((fields[name] as number) > 0 || name === "enteredinsulin", `${name} 0 would be removed`);
  if ("glucose" in fields) must(fields.units === "mg/dl" && fields.glucoseType === "Finger", "glucose has its unit and type");
  must(!("units" in fields) || "glucose" in fields, "units of nothing");
  if ("duration" in fields) must((fields.duration as number) >= 0, "duration is not negative");
  must(!("percent" in fields), "rates are absolute");
  const has = (...names: string[]): void => {
    for (const name of names) must(name in fields, `${eventType} has ${name}`);
  };
  switch (eventType) {
    case "Meal Bolus":
      has("carbs");
      must("insulin" in fields || "notes" in fields, "a meal bolus has insulin, or says why not");
      break;
    case "Correction Bolus":
      must("insulin" in fields || "notes" in fields, "a correction has insulin, or says why not");
      must(!("carbs" in fields), "no carbohydrates");
      break;
    case "Carb Correction":
      has("carbs");
      must(!("insulin" in fields), "no insulin");
      break;
    case "Combo Bolus":
      has("enteredinsulin", "splitNow", "splitExt");
      must((fields.splitNow as number) + (fields.splitExt as number) === 100, "the split is 100");
      break;
    case "Temp Basal":
      has("duration");
      must(fields.duration === 0 || ((fields.duration as number) > 0 && typeof fields.absolute === "number"), "a rate for its duration");
      must(!("insulin" in fields), "a basal rate is no bolus");
      break;
    case "BG Check":
      has("glucose");
      break;
    case "Note":
    case "Announcement":
      has("notes");
      break;
    default:
  }
}

function deviceStatus(fields: Fields, context: RuleContext, must: Must): void {
  time("created_at", fields.created_at, context, must);
  for (const name of ["openaps", "loop", "xdripjs", "connect"]) must(!(name in fields), `${name} is not for us`);
  const pump = fields.pump as Fields | undefined;
  must(typeof pump === "object" && pump !== null, "pump is told");
  if (!pump) return;
  time("pump.clock", pump.clock, context, must);
  must(Date.parse(String(pump.clock)) <= context.nowMs, "pump.clock is not in the future");
  must(!("reservoir" in pump) || typeof pump.reservoir === "number", "reservoir is a number");
  if ("battery" in pump) must(typeof (pump.battery as Fields).percent === "number", "battery.percent is a number");
  if ("iob" in pump) {
    const iob = pump.iob as Fields;
    must(typeof iob === "object" && typeof iob.iob === "number" && typeof iob.bolusiob === "number", "iob has both numbers");
    time("iob.timestamp", iob.timestamp, context, must);
  }
  if ("status" in pump) {
    const status = pump.status as Fields;
    must(typeof status.status === "string" && typeof status.suspended === "boolean" && typeof status.bolusing === "boolean", "status");
    time("status.timestamp", status.timestamp, context, must);
  }
}
