import type { LocalDateTime, SimulatedPumpFaults } from "@jelling/minimed";
import { durationText } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../text.ts";

/** Everything that can be set or called of a simulated pump's faults. */
export type FaultName = Exclude<keyof SimulatedPumpFaults, "strike">;

/** A fault that somebody asked for, understood and not yet struck. */
export interface FaultOrder {
  readonly fault: FaultName;
  /** The words that mean it, in their plainest form. */
  readonly line: string;
  /** What the pump does from then on, for a person. */
  readonly told: string;
  /** What was said beside the word. */
  readonly values: Readonly<Record<string, unknown>>;
  /** @throws {StateError} the pump has nothing to which it could happen */
  strike(faults: SimulatedPumpFaults): void | Promise<void>;
}

/** As `FaultOrder`, at a time of the pump's clock. */
export interface TimedFault {
  /** Milliseconds since the pump was switched on. */
  readonly atMs: number;
  readonly order: FaultOrder;
}

type Understood = Omit<FaultOrder, "fault" | "line"> & { readonly args: readonly string[] };

interface FaultWord {
  readonly word: string;
  /** What stands behind the word, in brackets where it may be left out. */
  readonly usage: string;
  readonly help: string;
  /** Arguments that are understood, at most. */
  readonly most: number;
  /** @throws {Misunderstood} */
  parse(args: readonly string[]): Understood;
}

/** What was expected in place of an argument. */
class Misunderstood extends Error {}

const MOST = 1_000_000;
const MOST_OCTETS = 200;
/** Of a line: nothing that means something is longer. */
const LONGEST_LINE = 1000;

const isWhole = (text: string | undefined): text is string => text !== undefined && /^\d{1,7}$/.test(text);

function whole(text: string | undefined, min: number): number {
  const value = isWhole(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= MOST)) throw new Misunderstood(`a whole number from ${min} to ${MOST}`);
  return value;
}

/** Octets in hexadecimal. */
function octets(text: string): Uint8Array {
  const digits = text.replace(/^0x/i, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits) || digits.length > 2 * MOST_OCTETS)
    throw new Misunderstood(`1 to ${MOST_OCTETS} octets in hexadecimal, two digits each`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join("");

/** A day and a time as the pump's display shows them. The calendar itself decides: a day that does not exist comes back as another one. */
function localTime(text: string): LocalDateTime {
  const match = /^(20\d\d)-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?$/i.exec(text);
  const [year, month, day, hour, minute, second] = (match?.slice(1) ?? []).map((part) => Number(part ?? 0)) as number[];
  const date = match ? new Date(Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)) : undefined;
  const isThere =
    date &&
    [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].join() ===
      [month, day, hour, minute, second].join();
  if (!isThere) throw new Misunderstood("a day and a time from 2000 to 2099, like 2031-03-02T09:00");
  return { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second: second! };
}

const two = (value: number): string => value.toString().padStart(2, "0");
const localText = ({ year, month, day, hour, minute, second }: LocalDateTime): string =>
  `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;

type CountedName = { [Name in FaultName]: SimulatedPumpFaults[Name] extends number ? Name : never }[FaultName];

/** A fault that strikes so many times from now on. */
function counted(name: CountedName, word: string, help: string, told: (times: string) => string): FaultWord {
  return {
    word,
    usage: "N|always",
    help,
    most: 1,
    parse: ([text]) => {
      const isAlways = text?.toLowerCase() === "always";
      if (!isAlways && !isWhole(text)) throw new Misunderstood(`a whole number from 0 to ${MOST}, or always`);
      const count = isAlways ? Number.POSITIVE_INFINITY : whole(text, 0);
      const times = isAlways ? "all from now on" : count === 0 ? "none" : `the next ${count === 1 ? "one" : count}`;
      return {
        args: [isAlways ? "always" : `${count}`],
        values: { count: isAlways ? "always" : count },
        told: told(times),
        strike: (faults) => {
          faults[name] = count;
        },
      };
    },
  };
}

/** A fault that takes nothing. */
function plain(word: string, help: string, told: string, strike: FaultOrder["strike"]): FaultWord {
  return { word, usage: "", help, most: 0, parse: () => ({ args: [], values: {}, told, strike }) };
}

/** A word for each fault there is. */
export const FAULT_WORDS: { readonly [Name in FaultName]: FaultWord } = {
  fallSilent: {
    word: "silent",
    usage: "[TIME]",
    help: "the link is there, and nothing is heard of the pump; until `speak` where no time is said",
    most: 1,
    parse: ([text]) => {
      const forMs = text === undefined ? undefined : milliseconds(text);
      return {
        args: forMs === undefined ? [] : [timeWord(forMs)],
        values: forMs === undefined ? {} : { forMs },
        told: `nothing is heard of the pump${forMs === undefined ? "" : ` for ${durationText(forMs)}`}`,
        strike: (faults) => faults.fallSilent(forMs),
      };
    },
  },
  speakAgain: plain("speak", "a silent pump is heard again", "the pump is heard again", (faults) => faults.speakAgain()),
  loseLink: plain("lose-link", "the link ends; the pump comes back by itself", "the link ends", (faults) => faults.loseLink()),
  loseBond: {
    word: "lose-bond",
    usage: "pump|phone",
    help: "that side has lost the bond, and the link",
    most: 1,
    parse: ([text]) => {
      const side = text?.toLowerCase();
      if (side !== "pump" && side !== "phone") throw new Misunderstood("pump or phone");
      return { args: [side], values: { side }, told: `the ${side} has lost the bond`, strike: (faults) => faults.loseBond(side) };
    },
  },
  updateFirmware: plain(
    "update-firmware",
    "other software, whose attributes are elsewhere",
    "the pump starts with other software",
    (faults) => faults.updateFirmware(),
  ),
  wrongCrcs: counted("wrongCrcs", "wrong-crc", "so many values have a wrong checksum", (times) => `values with a wrong checksum: ${times}`),
  wrongTags: counted("wrongTags", "wrong-tag", "so many encrypted values have a wrong tag", (times) => `values with a wrong tag: ${times}`),
  busyWrites: counted(
    "busyWrites",
    "busy",
    "so many requests are refused as by a busy pump",
    (times) => `requests that are refused: ${times}`,
  ),
  unansweredRequests: counted(
    "unansweredRequests",
    "unanswered",
    "so many requests are taken and not answered",
    (times) => `requests without an answer: ${times}`,
  ),
  uncompletedRequests: counted(
    "uncompletedRequests",
    "uncompleted",
    'so many requests are answered with "not completed"',
    (times) => `requests that are not completed: ${times}`,
  ),
  refusedResets: counted(
    "refusedResets",
    "refuse-reset",
    "so many resets of what has changed are refused",
    (times) => `resets that are refused: ${times}`,
  ),
  withholdsPushes: {
    word: "no-push",
    usage: "on|off",
    help: "what has changed is not pushed",
    most: 1,
    parse: ([text]) => {
      const word = text?.toLowerCase();
      if (word !== "on" && word !== "off") throw new Misunderstood("on or off");
      const isOn = word === "on";
      return {
        args: [word],
        values: { on: isOn },
        told: isOn ? "what has changed is not pushed" : "what has changed is pushed",
        strike: (faults) => {
          faults.withholdsPushes = isOn;
        },
      };
    },
  },
  stopTransferAfter: {
    word: "stop-transfer",
    usage: "N|off",
    help: "the next transfer of the history stops after N records, without a word",
    most: 1,
    parse: ([text]) => {
      const isOff = text?.toLowerCase() === "off";
      if (!isOff && !isWhole(text)) throw new Misunderstood(`a whole number from 0 to ${MOST}, or off`);
      const count = isOff ? undefined : whole(text, 0);
      return {
        args: [count === undefined ? "off" : `${count}`],
        values: { records: count ?? null },
        told: count === undefined ? "transfers go on to their end" : `the next transfer stops after ${count} records`,
        strike: (faults) => {
          faults.stopTransferAfter = count;
        },
      };
    },
  },
  vanishingRecords: {
    word: "vanish",
    usage: "N",
    help: "so many of the oldest records are gone in the middle of the next transfer",
    most: 1,
    parse: ([text]) => {
      const count = whole(text, 0);
      return {
        args: [`${count}`],
        values: { records: count },
        told: `${count} of the oldest records vanish in the next transfer`,
        strike: (faults) => {
          faults.vanishingRecords = count;
        },
      };
    },
  },
  recordUnknownEvent: {
    word: "unknown-event",
    usage: "[TYPE [HEX]]",
    help: "records an event that nobody knows: its type in hexadecimal, and its data",
    most: 2,
    parse: ([typeText, dataText]) => {
      if (typeText !== undefined && !/^(0x)?[0-9a-f]{1,4}$/i.test(typeText))
        throw new Misunderstood("a type of up to four hexadecimal digits, like F003");
      const type = typeText === undefined ? undefined : Number.parseInt(typeText, 16);
      const data = dataText === undefined ? undefined : octets(dataText);
      const name = type?.toString(16).toUpperCase().padStart(4, "0");
      return {
        args: [...(name === undefined ? [] : [name]), ...(data === undefined ? [] : [hex(data)])],
        values: { ...(name !== undefined && { eventType: name }), ...(data !== undefined && { data: hex(data) }) },
        told: `an event ${name === undefined ? "of an unknown type" : `of type ${name}`} is recorded`,
        strike: (faults) => faults.recordUnknownEvent(type, data),
      };
    },
  },
  recordGarbage: {
    word: "garbage",
    usage: "[HEX]",
    help: "records octets that are no record",
    most: 1,
    parse: ([text]) => {
      const given = text === undefined ? undefined : octets(text);
      return {
        args: given === undefined ? [] : [hex(given)],
        values: given === undefined ? {} : { octets: hex(given) },
        told: "octets that are no record are recorded",
        strike: (faults) => faults.recordGarbage(given),
      };
    },
  },
  leaveHole: {
    word: "hole",
    usage: "N",
    help: "so many sequence numbers of the history are left out",
    most: 1,
    parse: ([text]) => {
      const count = whole(text, 1);
      return {
        args: [`${count}`],
        values: { count },
        told: `${count} sequence ${count === 1 ? "number is" : "numbers are"} left out`,
        strike: (faults) => faults.leaveHole(count),
      };
    },
  },
  restartNumbering: plain(
    "restart-numbering",
    "the history is gone, and numbers begin anew",
    "the history is gone, and numbers begin at 1",
    (faults) => faults.restartNumbering(),
  ),
  loseClock: plain("lose-clock", "the clock is lost, and begins with a default date", "the clock is lost", (faults) => faults.loseClock()),
  setClock: {
    word: "set-clock",
    usage: "[TIME]",
    help: "the user sets the clock, like 2031-03-02T09:00; without a time to what it showed had it not been lost",
    most: 2,
    parse: (args) => {
      const local = args.length === 0 ? undefined : localTime(args.join(" "));
      return {
        args: local ? [localText(local)] : [],
        values: local ? { local: localText(local) } : {},
        told: local ? `the user sets the clock to ${localText(local).replace("T", " ")}` : "the user sets the clock as it was",
        strike: (faults) => faults.setClock(local),
      };
    },
  },
};

const BY_WORD: ReadonlyMap<string, FaultName> = new Map(
  (Object.entries(FAULT_WORDS) as [FaultName, FaultWord][]).map(([name, { word }]) => [word, name]),
);

/** Each fault with what may stand behind it and what it does, for help. */
export function faultHelp(): { readonly usage: string; readonly help: string }[] {
  return Object.values(FAULT_WORDS).map(({ word, usage, help }) => ({ usage: `${word} ${usage}`.trim(), help }));
}

/** Understands a line like `silent 5m`. Nothing happens yet. @throws {UsageError} one sentence with what was expected */
export function parseFault(text: string): FaultOrder {
  const line = text.trim();
  if (line.length > LONGEST_LINE) throw new UsageError(`a fault of ${line.length} characters: expected ${LONGEST_LINE} at most`);
  const [typed = "", ...args] = line.split(/\s+/);
  const fault = BY_WORD.get(typed.toLowerCase());
  if (fault === undefined) throw new UsageError(`${quoted(typed)} is no fault: expected one of ${[...BY_WORD.keys()].join(", ")}`);
  const { word, usage, most, parse } = FAULT_WORDS[fault];
  const form = `${word} ${usage}`.trim();
  if (args.length > most) throw new UsageError(`${quoted(line)} says too much: expected ${most === 0 ? `${form} alone` : form}`);
  try {
    const { args: plainArgs, ...understood } = parse(args);
    return { fault, line: [word, ...plainArgs].join(" "), ...understood };
  } catch (error) {
    if (!(error instanceof Misunderstood)) throw error;
    throw new UsageError(`${quoted(line)}: expected ${form}, with ${error.message}`);
  }
}

/**
 * Understands `at 10m: silent 5m`, which strikes so long after the pump was switched on, by its own time; without `at` at once.
 *
 * @throws {UsageError} one sentence with what was expected
 */
export function parseTimedFault(text: string): TimedFault {
  const match = /^\s*at\s([^:]*):(.*)$/is.exec(text);
  if (!match) {
    if (/^\s*at\b/i.test(text)) throw new UsageError(`${quoted(text)}: expected a time and a fault, like "at 10m: silent 5m"`);
    return { atMs: 0, order: parseFault(text) };
  }
  const at = match[1]!.trim();
  try {
    return { atMs: /^0+(ms|s|m|min|h|d)?$/.test(at) ? 0 : milliseconds(at), order: parseFault(match[2]!) };
  } catch (error) {
    if (!(error instanceof Misunderstood)) throw error;
    throw new UsageError(`${quoted(text.trim())}: expected at TIME: FAULT, with ${error.message}`);
  }
}

/** @throws {Misunderstood} */
function milliseconds(text: string): number {
  try {
    return Math.ceil(parseDuration(text));
  } catch (error) {
    if (error instanceof UsageError) throw new Misunderstood("a time of up to 24 days, like 30s, 5m or 2h");
    throw error;
  }
}

/** As it is typed: "5m". */
function timeWord(ms: number): string {
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
