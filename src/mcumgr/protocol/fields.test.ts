import { describe, expect, expectTypeOf, test } from "vitest";
import { ArgumentError } from "../../core/error.ts";
import type { CborMap, CborValue } from "./cbor.ts";
import { command, group, type McumgrMethod, type McumgrMethods, type RequestOf, type ResponseOf } from "./declare.ts";
import { McumgrRequestError, McumgrResponseError } from "./error.ts";
import { alias, bool, cbor, flag, int, list, map, octets, optional, others, otherwise, struct, text, uint, uint64 } from "./fields.ts";

const Everything = command("everything", {
  id: 1,
  read: {
    request: { name: text(), maxSize: optional(uint("max_size")), force: optional(flag()) },
    response: {
      bufSize: uint("buf_size"),
      level: optional(int()),
      total: optional(uint64()),
      ready: otherwise(bool(), false),
      data: optional(octets()),
      any: optional(cbor()),
      items: otherwise(list(struct({ slot: uint(), hash: optional(octets()) })), []),
      counters: optional(map(uint64())),
      stksiz: alias(optional(uint()), "stksize", "stk"),
    },
  },
});
const Pools = command("pools", { id: 2, read: { response: { pools: others(struct({ min: uint() })) } } });
const decode = (payload: CborMap) => Everything.decodeResponse(payload, "acme.everything");

describe("reading fields", () => {
  test("what may be missing is missing, or what it is otherwise", () => {
    expect(decode({ buf_size: 1 })).toEqual({ bufSize: 1, ready: false, items: [] });
    expect(decode({ buf_size: 1, level: null, ready: null })).toEqual({ bufSize: 1, ready: false, items: [] });
  });

  test("keys that are not declared are kept in `more`, at any depth", () => {
    expect(decode({ buf_size: 1, extra: "x", items: [{ slot: 2, new: true }] })).toEqual({
      bufSize: 1,
      ready: false,
      items: [{ slot: 2, more: { new: true } }],
      more: { extra: "x" },
    });
  });

  test("success that is said is not kept, an error that is no error neither", () => {
    expect(decode({ buf_size: 1, rc: 0, err: { group: 1, rc: 0 } })).not.toHaveProperty("more");
    expect(decode({ buf_size: 1, rc: null, err: 1 })).toMatchObject({ more: { rc: null, err: 1 } });
  });

  test.each<[string, CborMap, string, string]>([
    ["a missing key", {}, "buf_size", "missing; expected a whole number from 0"],
    ["a code that is text", { buf_size: 1, rc: "8" }, "rc", "expected a whole number, got a string"],
    ["a code that is a fraction", { buf_size: 1, rc: 0.5 }, "rc", "expected a whole number, got 0.5"],
    ["a code that is no number", { buf_size: 1, rc: Number.NaN }, "rc", "expected a whole number, got NaN"],
    ["a group's code that is true", { buf_size: 1, err: { group: 1, rc: true } }, "err.rc", "expected a whole number, got true"],
    ["null for it", { buf_size: null }, "buf_size", "expected a whole number from 0, got null"],
    ["text for a number", { buf_size: "1" }, "buf_size", "expected a whole number from 0, got a string"],
    ["a negative number", { buf_size: -1 }, "buf_size", "expected a whole number from 0, got -1"],
    ["a fraction", { buf_size: 1.5 }, "buf_size", "expected a whole number from 0, got 1.5"],
    ["a number that is not exact", { buf_size: 2n ** 60n }, "buf_size", "expected a whole number from 0, got 1152921504606846976"],
    ["text for a counter", { buf_size: 1, total: "5" }, "total", "expected a whole number from 0, got a string"],
    ["a fraction for a counter", { buf_size: 1, total: 1.5 }, "total", "expected a whole number from 0, got 1.5"],
    ["a counter of 65 bits", { buf_size: 1, total: 2n ** 64n }, "total", "expected a whole number from 0, got 18446744073709551616"],
    ["a negative counter", { buf_size: 1, total: -(2n ** 60n) }, "total", "expected a whole number from 0, got -1152921504606846976"],
    ["text for an integer", { buf_size: 1, level: "x" }, "level", "expected a whole number, got a string"],
    ["2 for true", { buf_size: 1, ready: 2 }, "ready", "expected true or false, got 2"],
    ["a number for octets", { buf_size: 1, data: 2 }, "data", "expected octets, got 2"],
    ["a map for a list", { buf_size: 1, items: {} }, "items", "expected a list, got an object (Object)"],
    ["a list for a map", { buf_size: 1, counters: [] }, "counters", "expected a map, got an array"],
    ["octets for a map", { buf_size: 1, items: [new Uint8Array(1)] }, "items[0]", "expected a map, got an object (Uint8Array)"],
    ["a missing key within", { buf_size: 1, items: [{ slot: 1 }, {}] }, "items[1].slot", "missing; expected a whole number from 0"],
    ["a wrong value within", { buf_size: 1, counters: { a: 1, b: -1 } }, "counters.b", "expected a whole number from 0, got -1"],
  ])("%s is a McumgrResponseError with its path", (_, payload, path, problem) => {
    expect(() => decode(payload)).toThrow(McumgrResponseError);
    expect(() => decode(payload)).toThrow(
      expect.objectContaining({
        code: "ERR_MCUMGR_RESPONSE",
        command: "acme.everything",
        path,
        problem,
        payload,
        message: `answer to acme.everything: ${path}: ${problem}`,
      }),
    );
  });

  test("names that every object has are not there unless they were sent", () => {
    const Odd = command("odd", { id: 3, read: { response: { constructor: optional(text()), toString: optional(text()) } } });
    expect(Object.keys(Odd.decodeResponse({}))).toEqual([]);
    expect(() => command("odd", { id: 3, read: { response: { a: text("valueOf") } } }).decodeResponse({})).toThrow(McumgrResponseError);
    expect(decode({ buf_size: 1, undefined: 5 })).toEqual({ bufSize: 1, ready: false, items: [], more: { undefined: 5 } });
    const named = JSON.parse('{"__proto__": 1, "constructor": 2}') as CborMap;
    const { counters, more } = decode({ buf_size: 1, counters: named, ...named });
    expect(Object.entries(counters!)).toEqual(Object.entries(named));
    expect(Object.keys(more!)).toContain("constructor");
  });

  test("0 and 1 are truths, text is octets, big numbers stay exact, other names of a key are read", () => {
    expect(decode({ buf_size: 1, ready: 1, data: "hé", total: 2n ** 63n, counters: { a: 2n ** 64n - 1n }, stk: 5 })).toEqual({
      bufSize: 1,
      ready: true,
      data: new TextEncoder().encode("hé"),
      total: 2n ** 63n,
      counters: { a: 2n ** 64n - 1n },
      items: [],
      stksiz: 5,
    });
    expect(decode({ buf_size: 1, stksiz: 1, stksize: 2 })).toMatchObject({ stksiz: 1 });
  });

  test("a payload that is a map of names: what does not fit is kept in `more`", () => {
    expect(Pools.decodeResponse({ a: { min: 1 }, b: { min: 2, x: 3 }, odd: 5, c: {} })).toEqual({
      pools: { a: { min: 1 }, b: { min: 2, more: { x: 3 } } },
      more: { odd: 5, c: {} },
    });
    expect(Pools.encodeResponse({ pools: { a: { min: 1 } }, more: { odd: 5 } })).toEqual({ a: { min: 1 }, odd: 5 });
  });

  test("a request that is not as declared is a McumgrRequestError, for the server", () => {
    expect(Everything.decodeRequest({ name: "x", force: true })).toEqual({ name: "x", force: true });
    expect(Everything.decodeRequest({ name: "x", force: 1 })).toEqual({ name: "x", force: true });
    expect(() => Everything.decodeRequest({ name: 1 }, "acme.everything")).toThrow(McumgrRequestError);
    expect(() => Everything.decodeRequest({}, "acme.everything")).toThrow(
      expect.objectContaining({ code: "ERR_MCUMGR_REQUEST", message: "request acme.everything: name: missing; expected text" }),
    );
  });
});

describe("writing fields", () => {
  test("of each kind refuses what is of another", () => {
    const kinds = command("kinds", {
      id: 5,
      write: { request: { truth: optional(bool()), flag: optional(flag()), any: optional(list(cbor())) } },
    });
    expect(kinds.encodeRequest({ truth: true, flag: false, any: [1, "a", null, { b: [] }] })).toEqual({
      truth: true,
      flag: 0,
      any: [1, "a", null, { b: [] }],
    });
    expect(kinds.decodeRequest({ truth: 0, flag: true, any: [null] })).toEqual({ truth: false, flag: true, any: [null] });
    for (const [value, message] of [
      [{ truth: 1 }, "truth: expected true or false, got 1"],
      [{ any: [undefined] }, "any[0]: expected a value, got undefined"],
      [{ any: [new Date()] }, "any[0]: an object (Date) has no form in CBOR"],
      [{ any: [{ a: [2n ** 64n] }] }, "any[0].a[0]: 18446744073709551616 has no form in CBOR"],
      [{ any: [-(2n ** 64n) - 1n] }, "any[0]: -18446744073709551617 has no form in CBOR"],
    ] as const)
      expect(() => kinds.encodeRequest(value as never)).toThrow(new ArgumentError(message));
    expect(() => kinds.decodeRequest({ truth: 2 })).toThrow(
      expect.objectContaining({ path: "truth", problem: "expected true or false, got 2" }),
    );
    expect(kinds.encodeRequest({ any: [2n ** 64n - 1n, -(2n ** 64n)] })).toEqual({ any: [2n ** 64n - 1n, -(2n ** 64n)] });
  });

  test("keys are those of the payload; what is not given is left out", () => {
    expect(Everything.encodeRequest({ name: "x" })).toEqual({ name: "x" });
    expect(Everything.encodeRequest({ name: "x", maxSize: 5, force: true, more: { z: 1 } })).toEqual({
      name: "x",
      max_size: 5,
      force: 1,
      z: 1,
    });
    expect(Everything.encodeRequest({ name: "x", maxSize: undefined, more: undefined })).toEqual({ name: "x" });
    for (const ready of [true, false]) expect(Everything.encodeResponse({ bufSize: 1, ready })).toEqual({ buf_size: 1, ready });
    expect(Everything.encodeResponse({ bufSize: 1, items: [{ slot: 1, more: { a: 2 } }] })).toEqual({
      buf_size: 1,
      items: [{ slot: 1, a: 2 }],
    });
  });

  test.each<[string, object, string]>([
    ["nothing", undefined as never, "request: expected an object, got undefined"],
    ["a list", [], "request: expected an object, got an array"],
    ["a missing field", {}, "name: missing; expected text"],
    ["an unknown field", { name: "x", maxsize: 1 }, 'request: unknown field "maxsize", did you mean "maxSize"?'],
    ["the payload's key for the field's name", { name: "x", max_size: 1 }, 'request: unknown field "max_size", did you mean "maxSize"?'],
    ["a number for text", { name: 1 }, "name: expected text, got 1"],
    ["a negative number", { name: "x", maxSize: -1 }, "maxSize: expected a whole number from 0, got -1"],
    ["1 for true", { name: "x", force: 1 }, "force: expected true or false, got 1"],
    ["null for nothing", { name: "x", maxSize: null }, "maxSize: expected a whole number from 0, got null"],
    ["a declared key in `more`", { name: "x", more: { name: "y" } }, 'more: "name" is declared'],
    ["a list for `more`", { name: "x", more: [] }, "more: expected an object, got an array"],
  ])("%s is an ArgumentError", (_, value, message) => {
    expect(() => Everything.encodeRequest(value as never)).toThrow(new ArgumentError(message));
  });

  test.each<[string, object, string]>([
    ["a word for a list", { items: "x" }, "items: expected a list, got a string"],
    ["an item that lacks a field", { items: [{}] }, "items[0].slot: missing; expected a whole number from 0"],
    ["an item with an unknown field", { items: [{ slot: 1, slto: 1 }] }, 'items[0]: unknown field "slto", did you mean "slot"?'],
    ["a list for a map", { counters: [1] }, "counters: expected a map, got an array"],
    ["a value within a map", { counters: { a: -1 } }, "counters.a: expected a whole number from 0, got -1"],
    ["text for octets", { data: "x" }, "data: expected a Uint8Array, got a string"],
    ["more than 64 bits", { total: 2n ** 64n }, "total: expected a whole number from 0, got 18446744073709551616"],
    ["a Date for anything", { any: [{ at: new Date(0) }] }, "any[0].at: an object (Date) has no form in CBOR"],
    ["a function for anything", { any: () => 1 }, "any: a function has no form in CBOR"],
  ])("%s, at any depth", (_, value, message) => {
    expect(() => Everything.encodeResponse({ bufSize: 1, ...value } as never)).toThrow(new ArgumentError(message));
  });
});

describe("declarations", () => {
  test("that cannot be meant are refused", () => {
    const declare = (request: Parameters<typeof struct>[0]) => () => command("a", { id: 1, read: { request } });
    expect(declare({ more: text() })).toThrow("command a: a field cannot be named");
    expect(declare({ a: text("k"), b: text("k") })).toThrow("command a: two fields with one key");
    expect(declare({ a: text("k"), b: alias(text(), "k") })).toThrow("two fields with one key");
    expect(declare({ a: others(text()), b: others(text()) })).toThrow("only one field");
    expect(() => struct({ more: text() })).toThrow(ArgumentError);
    expect(() => command("a", { id: 256, read: {} })).toThrow(ArgumentError);
    expect(() => command("a", { id: 1 } as never)).toThrow("expected either read or write");
    expect(() => command("a", { id: 1, read: {}, write: {} } as never)).toThrow("expected either read or write");
    expect(() => command(5 as never, { id: 1, read: {} })).toThrow(ArgumentError);
    const a = command("a", { id: 1, read: {} });
    expect(() => group("g", { id: 65_536, commands: {} })).toThrow(ArgumentError);
    expect(() => group("g", { id: 64, commands: { b: a } })).toThrow('the command under "b" is named "a"');
    expect(() => group("g", { id: 64, commands: { a, b: command("b", { id: 1, read: {} }) } })).toThrow(
      '"a" and "b" are both command 1, op 0',
    );
    expect(group("g", { id: 64, commands: { a, b: command("b", { id: 1, write: {} }) } }).errors).toMatchObject({ 0: ["Ok", "no error"] });
  });

  test("give the types of requests and answers", () => {
    expectTypeOf<RequestOf<typeof Everything>>().toEqualTypeOf<{
      readonly name: string;
      readonly maxSize?: number | undefined;
      readonly force?: boolean | undefined;
      readonly more?: CborMap | undefined;
    }>();
    expectTypeOf<ResponseOf<typeof Everything>>().toEqualTypeOf<{
      readonly bufSize: number;
      readonly ready: boolean;
      readonly items: { readonly slot: number; readonly hash?: Uint8Array; readonly more?: CborMap }[];
      readonly level?: number;
      readonly total?: number | bigint;
      readonly data?: Uint8Array;
      readonly any?: CborValue;
      readonly counters?: Record<string, number | bigint>;
      readonly stksiz?: number;
      readonly more?: CborMap;
    }>();
    expectTypeOf<ResponseOf<typeof Pools>["pools"]>().toEqualTypeOf<Record<string, { readonly min: number; readonly more?: CborMap }>>();
    expectTypeOf(decode({ buf_size: 1 }).bufSize).toBeNumber();
  });

  test("of a user's group give typed methods, whose request may be left out where nothing is needed", () => {
    const Acme = group("acme", {
      id: 70,
      errors: { 2: "TooHot", 3: ["TooCold", "below zero"] },
      commands: {
        measure: command("measure", { id: 0, read: { request: { channel: uint() }, response: { value: int(), unit: optional(text()) } } }),
        reset: command("reset", { id: 1, write: { request: { hard: optional(bool()) } } }),
        ping: command("ping", { id: 2, write: {} }),
      },
    });
    type Methods = McumgrMethods<typeof Acme>;
    expectTypeOf<keyof Methods>().toEqualTypeOf<"measure" | "reset" | "ping">();
    expectTypeOf<Parameters<Methods["measure"]>[0]>().toEqualTypeOf<{ readonly channel: number; readonly more?: CborMap | undefined }>();
    expectTypeOf<Awaited<ReturnType<Methods["measure"]>>>().toEqualTypeOf<{
      readonly value: number;
      readonly unit?: string;
      readonly more?: CborMap;
    }>();
    expectTypeOf<[{ channel: number }]>().toExtend<Parameters<Methods["measure"]>>();
    expectTypeOf<[]>().not.toExtend<Parameters<Methods["measure"]>>();
    expectTypeOf<[]>().toExtend<Parameters<Methods["reset"]>>();
    expectTypeOf<[undefined, { timeoutMs: number }]>().toExtend<Parameters<Methods["ping"]>>();
    expectTypeOf<Awaited<ReturnType<McumgrMethod<typeof Acme.commands.ping>>>>().toEqualTypeOf<{ readonly more?: CborMap }>();
    expect(Acme.commands.measure.encodeRequest({ channel: 5 })).toEqual({ channel: 5 });
    // @ts-expect-error a field of the wrong type
    expect(() => Acme.commands.measure.encodeRequest({ channel: "5" })).toThrow(ArgumentError);
    // @ts-expect-error a field that is not declared
    expect(() => Acme.commands.measure.encodeRequest({ channel: 5, chanel: 6 })).toThrow(ArgumentError);
  });
});
