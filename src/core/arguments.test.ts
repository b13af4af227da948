import { expect, test } from "vitest";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOctets,
  checkOperation,
  checkOptions,
  checkText,
  optionNames,
} from "./arguments.ts";
import { ArgumentError } from "./error.ts";

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}
const OPTIONS = optionNames<Options>({ signal: true, timeoutMs: true });

test("options with known names, and none at all, pass", () => {
  expect(() => checkOptions("scan", { timeoutMs: 1, signal: undefined }, OPTIONS)).not.toThrow();
  expect(() => checkOptions("scan", undefined, OPTIONS)).not.toThrow();
});

test.each([
  [{ timeOutMs: 1 }, 'scan: unknown option "timeOutMs", did you mean "timeoutMs"?'],
  [{ timeout: 1 }, 'scan: unknown option "timeout", did you mean "timeoutMs"?'],
  [{ xyz: undefined }, 'scan: unknown option "xyz"; the options are signal, timeoutMs'],
  [5, "scan: expected an object of options, got 5"],
  [null, "scan: expected an object of options, got null"],
  [[], "scan: expected an object of options, got an array"],
  ["x", "scan: expected an object of options, got a string"],
])("%j is refused as options", (options, message) => {
  expect(() => checkOptions("scan", options, OPTIONS)).toThrow(new ArgumentError(message));
});

test("octets are a Uint8Array of a permitted length, and the message holds no content", () => {
  const value = new Uint8Array(3);
  expect(checkOctets("value", value, { maxLength: 3 })).toBe(value);
  expect(checkOctets("value", new Uint8Array(0))).toHaveLength(0);
  expect(() => checkOctets("value", "secret")).toThrow(new ArgumentError("value: expected a Uint8Array, got a string"));
  expect(() => checkOctets("value", [1, 300])).toThrow("value: expected a Uint8Array, got an array");
  expect(() => checkOctets("value", new DataView(new ArrayBuffer(1)))).toThrow("got an object (DataView)");
  expect(() => checkOctets("value", value, { maxLength: 2 })).toThrow("value: expected 0 to 2 octets, got 3");
  expect(() => checkOctets("irk", value, { minLength: 16, maxLength: 16 })).toThrow("irk: expected 16 octets, got 3");
  expect(() => checkOctets("data", value, { minLength: 4 })).toThrow("data: expected at least 4 octets, got 3");
});

test("whole numbers, functions and words are told apart from the rest", () => {
  expect(checkInteger("offset", 512, 0, 512)).toBe(512);
  for (const value of [-1, 513, 0.5, Number.NaN, "1", undefined, Number.POSITIVE_INFINITY])
    expect(() => checkInteger("offset", value, 0, 512)).toThrow("offset: expected a whole number from 0 to 512");
  expect(() => checkFunction("write", undefined)).not.toThrow();
  expect(() => checkFunction("write", () => 0)).not.toThrow();
  expect(() => checkFunction("write", "f")).toThrow("write: expected a function, got a string");
  for (const value of [true, false, undefined]) expect(() => checkBoolean("primary", value)).not.toThrow();
  for (const value of [0, 1, null, "true"]) expect(() => checkBoolean("primary", value)).toThrow("primary: expected true or false");
  expect(checkText("name", "")).toBe("");
  expect(() => checkText("name", 5)).toThrow("name: expected text, got 5");
  expect(checkChoice("kind", "a", ["a", "b"])).toBe("a");
  expect(() => checkChoice("kind", "c", ["a", "b"])).toThrow('kind: expected "a", "b", got a string');
});

test("milliseconds, time limits and signals are what they are called", () => {
  expect(checkMilliseconds("interval", 7.5, 7.5, 4000)).toBe(7.5);
  for (const value of [7, 4001, Number.NaN, "10", undefined, null, [10]])
    expect(() => checkMilliseconds("interval", value, 7.5, 4000)).toThrow("expected 7.5 to 4000 ms");
  expect(() => checkMilliseconds("interval", 7, 7.5, 4000)).toThrow(new ArgumentError("interval 7 ms: expected 7.5 to 4000 ms"));
  expect(() => checkOperation("read", undefined)).not.toThrow();
  for (const timeoutMs of [0, 0.5, Number.POSITIVE_INFINITY, undefined])
    expect(() => checkOperation("read", { timeoutMs, signal: new AbortController().signal })).not.toThrow();
  for (const timeoutMs of [-1, Number.NaN, "5", null])
    expect(() => checkOperation("read", { timeoutMs })).toThrow("read: timeoutMs: expected milliseconds from 0");
  for (const signal of [null, {}, new AbortController(), "signal"])
    expect(() => checkOperation("read", { signal })).toThrow("read: signal: expected an AbortSignal, got");
  expect(() => checkOperation("read", { timeout: 5 })).toThrow('read: unknown option "timeout", did you mean "timeoutMs"?');
  expect(() => checkOperation("read", { offset: 5 }, optionNames({ offset: true }))).not.toThrow();
});
