import { SimulatedPumpFaults } from "@jelling/minimed";
import { SeededRandom } from "jelling/core";
import { describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { FAULT_WORDS, type FaultName, faultHelp, parseFault, parseTimedFault } from "./fault-words.ts";

/** Everything that a program can set or call of the faults, as the class has it. */
function offered(): string[] {
  const faults = new SimulatedPumpFaults(() => {
    throw new Error("no pump");
  });
  const members = [...Object.keys(faults), ...Object.getOwnPropertyNames(SimulatedPumpFaults.prototype)];
  return members.filter((name) => name !== "constructor" && name !== "strike").sort();
}

/** Faults that remember what was done to them. */
async function struckBy(line: string): Promise<{ name: string; args: unknown[] }[]> {
  const done: { name: string; args: unknown[] }[] = [];
  const faults = new Proxy({} as SimulatedPumpFaults, {
    set: (_, name, value) => {
      done.push({ name: String(name), args: [value] });
      return true;
    },
    get:
      (_, name) =>
      (...args: unknown[]) => {
        done.push({ name: String(name), args });
      },
  });
  await parseFault(line).strike(faults);
  return done;
}

/** Real faults of a pump that is not there: what is set is set, what is called is checked and comes to nothing. */
const hollow = (): SimulatedPumpFaults => {
  const life = {
    record: () => {},
    recordGarbage: () => {},
    skipNumbers: () => {},
    restartNumbering: () => {},
    setClock: () => {},
    setClockTo: () => {},
  };
  const nothing = () => Promise.resolve();
  return new SimulatedPumpFaults(() => ({
    life: life as never,
    fallSilent: () => {},
    speakAgain: () => {},
    loseLink: nothing,
    loseBond: nothing,
    updateFirmware: nothing,
  }));
};

test("every fault that a simulated pump offers has a word, and each word is another", () => {
  expect(Object.keys(FAULT_WORDS).sort()).toEqual(offered());
  const words = Object.values(FAULT_WORDS).map(({ word }) => word);
  expect(new Set(words).size).toBe(words.length);
  for (const word of words) expect(word).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

test("help names every word with what may stand behind it, and what it does", () => {
  const help = faultHelp();
  expect(help.map(({ usage }) => usage.split(" ")[0])).toEqual(Object.values(FAULT_WORDS).map(({ word }) => word));
  for (const { help: text } of help) expect(text.length).toBeGreaterThan(10);
});

const ORDERS: readonly [line: string, name: FaultName, args: unknown[], plain?: string][] = [
  ["silent", "fallSilent", [undefined]],
  ["silent 5m", "fallSilent", [300_000]],
  ["silent 90s", "fallSilent", [90_000]],
  ["silent 1500ms", "fallSilent", [1500]],
  ["silent 2h", "fallSilent", [7_200_000], "silent 120m"],
  ["silent 10", "fallSilent", [10_000], "silent 10s"],
  ["speak", "speakAgain", []],
  ["lose-link", "loseLink", []],
  ["lose-bond pump", "loseBond", ["pump"]],
  ["lose-bond phone", "loseBond", ["phone"]],
  ["update-firmware", "updateFirmware", []],
  ["wrong-crc 3", "wrongCrcs", [3]],
  ["wrong-crc 0", "wrongCrcs", [0]],
  ["wrong-crc always", "wrongCrcs", [Number.POSITIVE_INFINITY]],
  ["wrong-tag 2", "wrongTags", [2]],
  ["busy 3", "busyWrites", [3]],
  ["unanswered 1", "unansweredRequests", [1]],
  ["uncompleted 1", "uncompletedRequests", [1]],
  ["refuse-reset 1000000", "refusedResets", [1_000_000]],
  ["no-push on", "withholdsPushes", [true]],
  ["no-push off", "withholdsPushes", [false]],
  ["stop-transfer 0", "stopTransferAfter", [0]],
  ["stop-transfer 25", "stopTransferAfter", [25]],
  ["stop-transfer off", "stopTransferAfter", [undefined]],
  ["vanish 20", "vanishingRecords", [20]],
  ["unknown-event", "recordUnknownEvent", [undefined, undefined]],
  ["unknown-event F0AA", "recordUnknownEvent", [0xf0aa, undefined]],
  ["unknown-event 0x330 0102ff", "recordUnknownEvent", [0x330, Uint8Array.of(1, 2, 255)], "unknown-event 0330 0102ff"],
  ["garbage", "recordGarbage", [undefined]],
  ["garbage 0xdeadbeef", "recordGarbage", [Uint8Array.of(0xde, 0xad, 0xbe, 0xef)], "garbage deadbeef"],
  ["hole 10", "leaveHole", [10]],
  ["restart-numbering", "restartNumbering", []],
  ["lose-clock", "loseClock", []],
  ["set-clock", "setClock", [undefined]],
  [
    "set-clock 2031-03-02T09:00",
    "setClock",
    [{ year: 2031, month: 3, day: 2, hour: 9, minute: 0, second: 0 }],
    "set-clock 2031-03-02T09:00:00",
  ],
  [
    "  SET-CLOCK   2032-02-29 23:59:59 ",
    "setClock",
    [{ year: 2032, month: 2, day: 29, hour: 23, minute: 59, second: 59 }],
    "set-clock 2032-02-29T23:59:59",
  ],
];

describe("a line is understood", () => {
  test.each(ORDERS)("%s", async (line, name, args, plain) => {
    const order = parseFault(line);
    expect([order.fault, order.line]).toEqual([name, plain ?? line]);
    expect(order.told).toMatch(/^\S.*\S$/);
    expect(await struckBy(line)).toEqual([{ name, args }]);
    // What the words allow, the pump takes.
    await order.strike(hollow());
    // The plain form means the same.
    expect(await struckBy(order.line)).toEqual([{ name, args }]);
  });

  test("every word is among these", () => {
    expect(new Set(ORDERS.map(([, name]) => name))).toEqual(new Set(Object.keys(FAULT_WORDS)));
  });
});

test.each([
  ["", '"" is no fault: expected one of silent, '],
  ["silence 5m", '"silence" is no fault: expected one of silent, speak, lose-link, '],
  ["constructor", '"constructor" is no fault'],
  ["silent 5x", '"silent 5x": expected silent [TIME], with a time of up to 24 days, like 30s, 5m or 2h'],
  ["silent 0s", '"silent 0s": expected silent [TIME], with a time'],
  ["silent 25d", '"silent 25d": expected silent [TIME], with a time'],
  ["silent 5 m", '"silent 5 m" says too much: expected silent [TIME]'],
  ["speak up", '"speak up" says too much: expected speak alone'],
  ["lose-bond", '"lose-bond": expected lose-bond pump|phone, with pump or phone'],
  ["lose-bond both", '"lose-bond both": expected lose-bond pump|phone, with pump or phone'],
  ["wrong-crc", '"wrong-crc": expected wrong-crc N|always, with a whole number from 0 to 1000000, or always'],
  ["wrong-crc -1", '"wrong-crc -1": expected wrong-crc N|always'],
  ["wrong-crc 1.5", '"wrong-crc 1.5": expected'],
  ["wrong-crc 1e3", '"wrong-crc 1e3": expected'],
  ["wrong-crc 1000001", '"wrong-crc 1000001": expected'],
  ["no-push", '"no-push": expected no-push on|off, with on or off'],
  ["hole 0", '"hole 0": expected hole N, with a whole number from 1 to 1000000'],
  ["stop-transfer x", '"stop-transfer x": expected stop-transfer N|off, with a whole number from 0 to 1000000, or off'],
  [
    "unknown-event 10000",
    '"unknown-event 10000": expected unknown-event [TYPE [HEX]], with a type of up to four hexadecimal digits, like F003',
  ],
  ["unknown-event f003 123", '"unknown-event f003 123": expected unknown-event [TYPE [HEX]], with 1 to 200 octets in hexadecimal'],
  [`garbage ${"00".repeat(201)}`, ": expected garbage [HEX], with 1 to 200 octets in hexadecimal"],
  ["set-clock 2031-02-29T09:00", ": expected set-clock [TIME], with a day and a time from 2000 to 2099, like 2031-03-02T09:00"],
  ["set-clock 2031-13-01T09:00", ": expected set-clock [TIME]"],
  ["set-clock 1999-12-31T09:00", ": expected set-clock [TIME]"],
  ["set-clock 2031-03-02T24:00", ": expected set-clock [TIME]"],
  ["set-clock 09:00", ": expected set-clock [TIME]"],
  ["x".repeat(1001), "a fault of 1001 characters: expected 1000 at most"],
])("a wrong line %j is told in one sentence with what was expected", (line, sentence) => {
  let error: unknown;
  try {
    parseFault(line);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(sentence);
  expect((error as Error).message).not.toMatch(/\n/);
});

test("a fault may wait for its time", () => {
  expect(parseTimedFault("at 10m: silent 5m")).toMatchObject({ atMs: 600_000, order: { line: "silent 5m" } });
  expect(parseTimedFault("at 2d:lose-link")).toMatchObject({ atMs: 172_800_000, order: { line: "lose-link" } });
  expect(parseTimedFault("AT 1h: set-clock 2031-03-02T09:00")).toMatchObject({ atMs: 3_600_000, order: { fault: "setClock" } });
  expect(parseTimedFault("at 0s: no-push on")).toMatchObject({ atMs: 0 });
  expect(parseTimedFault("no-push on")).toMatchObject({ atMs: 0, order: { line: "no-push on" } });
  for (const [text, sentence] of [
    ["at 10m silent 5m", '"at 10m silent 5m": expected a time and a fault, like "at 10m: silent 5m"'],
    ["at", '"at": expected a time and a fault'],
    ["at soon: lose-link", '"at soon: lose-link": expected at TIME: FAULT, with a time of up to 24 days'],
    ["at 10m: dance", '"dance" is no fault'],
    ["at 10m:", '"" is no fault'],
    ["", '"" is no fault'],
  ] as const)
    expect(() => parseTimedFault(text), text).toThrow(sentence);
});

test("whatever is typed is either understood, and then the pump takes it, or one sentence says what was expected", async () => {
  const random = new SeededRandom(11, "typed");
  const pick = <T>(from: readonly T[]): T => from[random.uint32() % from.length]!;
  const words = Object.values(FAULT_WORDS).map(({ word }) => word);
  const pieces = [
    ...words,
    "0",
    "1",
    "7",
    "1000000",
    "99999999",
    "always",
    "on",
    "off",
    "pump",
    "phone",
    "5m",
    "1.5h",
    "0ms",
    "24d",
    "f003",
    "0x",
    "00ff",
    "-",
    ":",
    "at",
    "at 10m:",
    "\u001b[2J",
    "\u0000",
    "é",
    "💉",
    "2031-03-02T09:00",
    "2031-02-30 10:00:00",
    "__proto__",
    "toString",
    "",
    " ",
    "\t",
    "\r",
  ];
  let understood = 0;
  for (let i = 0; i < 2000; i++) {
    const line = Array.from({ length: 1 + (random.uint32() % 4) }, () => pick(pieces)).join(pick([" ", " ", " ", "", "  "]));
    const parse = i % 2 ? parseFault : (text: string) => parseTimedFault(text).order;
    let order: ReturnType<typeof parseFault>;
    try {
      order = parse(line);
    } catch (error) {
      expect(error, line).toBeInstanceOf(UsageError);
      // What was typed is quoted: nothing of it moves the cursor.
      expect((error as Error).message, line).not.toMatch(/\p{Cc}/u);
      continue;
    }
    understood++;
    await order.strike(hollow());
    const again = parseFault(order.line);
    expect([again.fault, again.line, again.values], line).toEqual([order.fault, order.line, order.values]);
    expect(JSON.parse(JSON.stringify(order.values)), line).toEqual(order.values);
  }
  expect(understood).toBeGreaterThan(100);
});
