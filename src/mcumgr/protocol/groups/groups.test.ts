import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { EXCHANGES, payloadOf } from "../../../../test/support/mcumgr-vectors.ts";
import { fromHex } from "../../../bytes/index.ts";
import { ArgumentError } from "../../../core/error.ts";
import { readAnswer } from "../answer.ts";
import { type CborMap, decodeCbor, encodeCbor } from "../cbor.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, command, group, type ResponseOf } from "../declare.ts";
import { McumgrError, McumgrResponseError } from "../error.ts";
import { type AnyField, type Fields, text } from "../fields.ts";
import { McumgrOp } from "../header.ts";
import { McumgrRegistry } from "../registry.ts";
import { McumgrGroups } from "./index.ts";

const registry = new McumgrRegistry();
const every: readonly (readonly [string, AnyMcumgrCommand])[] = registry.groups.flatMap((group) =>
  Object.values(group.commands).map((command) => [`${group.name}.${command.name}`, command] as const),
);
const { os, image, statistics, settings, log, crash, run, files, shell, enumeration, transports, zephyr, intercreate } = McumgrGroups;

/** The answer of an exchange of the vectors. */
function answered<C extends AnyMcumgrCommand>(name: string, group: AnyMcumgrGroup, command: C): ResponseOf<C> {
  const exchange = EXCHANGES.find((known) => known.name === name);
  return readAnswer(group, command, payloadOf(exchange!.response), registry);
}
const answer = <C extends AnyMcumgrCommand>(group: AnyMcumgrGroup, command: C, payload: CborMap) =>
  readAnswer(group, command, payload, registry);

describe("each declared command", () => {
  test.each(every)("%s: requests and answers read as they were given", (_, command) => {
    for (const [fields, encode, decode] of [
      [command.request, (value: object) => command.encodeRequest(value), (payload: CborMap) => command.decodeRequest(payload)],
      [command.response, (value: object) => command.encodeResponse(value), (payload: CborMap) => command.decodeResponse(payload)],
    ] as const)
      fc.assert(
        fc.property(givenFor(fields), fc.constantFrom("definite", "indefinite"), (given, lengths) => {
          expect(decode(decodeCbor(encodeCbor(encode(given), lengths)))).toEqual(readAs(fields, given));
        }),
        { numRuns: 25 },
      );
  });

  test.each(every)("%s: an answer of any form reads, or is a McumgrResponseError", (_, command) => {
    const value = fc.oneof(
      fc.integer(),
      fc.string({ maxLength: 3 }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 2 }),
      fc.constant([1]),
    );
    const keys = Object.entries(command.response).map(([name, { key }]) => key ?? name);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("extra", ...keys), value, { noNullPrototype: true }), (payload) => {
        try {
          command.decodeResponse(command.adapt(payload));
        } catch (error) {
          expect(error).toBeInstanceOf(McumgrResponseError);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("numbers and names are those of the protocol", () => {
    const table = registry.groups.map(({ name, id, commands }) => [
      id,
      name,
      Object.values(commands).map((command) => `${command.id}${command.op === McumgrOp.Read ? "R" : "W"} ${command.name}`),
    ]);
    expect(table).toEqual([
      [
        0,
        "os",
        [
          "0W echo",
          "1W setConsoleEcho",
          "2R taskStatistics",
          "3R memoryPools",
          "4R dateTime",
          "4W setDateTime",
          "5W reset",
          "6R parameters",
          "7R applicationInfo",
          "8R bootloaderInfo",
        ],
      ],
      [1, "image", ["0R state", "0W setState", "1W upload", "3R coreList", "4R coreLoad", "4W coreErase", "5W erase", "6R slotInfo"]],
      [2, "statistics", ["0R show", "1R list"]],
      [3, "settings", ["0R read", "0W write", "1W delete", "2W commit", "3R load", "3W save"]],
      [4, "log", ["0R show", "1W clear", "3R modules", "4R levels", "5R logs"]],
      [5, "crash", ["0W trigger"]],
      [6, "split", []],
      [7, "run", ["0W test", "1R list"]],
      [8, "files", ["0R download", "0W upload", "1R status", "2R hash", "3R supportedHashes", "4W close"]],
      [9, "shell", ["0W execute"]],
      [10, "enumeration", ["0R count", "1R list", "2R single", "3R details"]],
      [11, "transports", ["0W connect", "1W disconnect", "2R status", "6R list", "7R modes", "8R modeConfiguration"]],
      [63, "zephyr", ["0W eraseStorage"]],
      [64, "intercreate", ["1W upload"]],
    ]);
  });
});

describe("requests", () => {
  test.each<[string, AnyMcumgrCommand, object, CborMap]>([
    ["os.echo", os.commands.echo, { d: "hi" }, { d: "hi" }],
    ["os.setConsoleEcho", os.commands.setConsoleEcho, { echo: false }, { echo: 0 }],
    ["os.reset", os.commands.reset, { force: true, bootMode: 1 }, { force: 1, boot_mode: 1 }],
    ["image.setState", image.commands.setState, { confirm: true }, { confirm: true }],
    ["settings.read", settings.commands.read, { name: "a", maxSize: 5 }, { name: "a", max_size: 5 }],
    [
      "settings.write of text, for Mynewt",
      settings.commands.write,
      { name: "a", val: "b", save: true },
      { name: "a", val: "b", save: true },
    ],
    ["log.show", log.commands.show, { logName: "a", ts: 5, index: 6 }, { log_name: "a", ts: 5, index: 6 }],
    ["crash.trigger", crash.commands.trigger, { t: "div0" }, { t: "div0" }],
    ["run.test", run.commands.test, { testname: "a", token: "b" }, { testname: "a", token: "b" }],
    ["shell.execute", shell.commands.execute, { argv: ["a", "b"] }, { argv: ["a", "b"] }],
    ["transports.connect", transports.commands.connect, { transport: 1, more: { addr: "x" } }, { transport: 1, addr: "x" }],
    ["zephyr.eraseStorage", zephyr.commands.eraseStorage, {}, {}],
    ["intercreate.upload", intercreate.commands.upload, { off: 1, data: new Uint8Array(1) }, { off: 1, data: new Uint8Array(1) }],
  ])("%s", (_, command, given, payload) => {
    expect(command.encodeRequest(given)).toEqual(payload);
  });

  test("values of other kinds are refused", () => {
    expect(() => settings.commands.write.encodeRequest({ name: "a", val: 5 as never })).toThrow("val: expected octets or text, got 5");
    expect(() => files.commands.hash.encodeResponse({ type: "crc32", len: 1, output: -1 })).toThrow(ArgumentError);
    expect(() => files.commands.hash.decodeResponse({ type: "crc32", len: 1, output: "x" })).toThrow(
      "output: expected a whole number from 0, or octets",
    );
  });

  test("an echo without text is an empty one for the server", () => {
    expect(os.commands.echo.decodeRequest({})).toEqual({ d: "" });
  });
});

describe("answers of real servers", () => {
  test("parameters, application info, task statistics", () => {
    expect(answered("params v1", os, os.commands.parameters)).toEqual({ bufSize: 2048, bufCount: 2 });
    expect(answered("info default", os, os.commands.applicationInfo)).toEqual({ output: "Zephyr" });
    const { tasks } = answered("taskstat", os, os.commands.taskStatistics);
    expect(tasks["mcumgr smp"]).toEqual({ prio: 3, tid: 0, state: 128, stksiz: 512, stkuse: 6 });
    expect(tasks.conn_mgr_monitor).toMatchObject({ prio: -1 });
    expectTypeOf(tasks).toExtend<Record<string, { readonly prio?: number }>>();
  });

  test("image state: one image leaves out its number, flags are truths", () => {
    const { images, splitStatus } = answered("image state both slots", image, image.commands.state);
    expect(splitStatus).toBe(0);
    expect(
      images.map(({ image, slot, version, active, confirmed, pending }) => [image, slot, version, active, confirmed, pending]),
    ).toEqual([
      [0, 0, "0.0.0", true, true, false],
      [0, 1, "1.2.3.4", false, false, false],
    ]);
    expect(images[1]?.hash).toHaveLength(32);
    expect(answer(image, image.commands.setState, { images: [{ slot: 0, version: "0.0.0" }] }).images).toEqual([
      { image: 0, slot: 0, version: "0.0.0", bootable: false, pending: false, confirmed: false, active: false, permanent: false },
    ]);
  });

  test("uploads: Zephyr's answer, MCUboot's with rc 0, a lower offset", () => {
    expect(answered("upload gap", image, image.commands.upload)).toEqual({ off: 128 });
    expect(answered("mb upload first", image, image.commands.upload)).toEqual({ off: 300 });
    expect(answer(image, image.commands.upload, { off: 5, match: true })).toEqual({ off: 5, match: true });
  });

  test("slot info, files, shell, statistics, enumeration", () => {
    expect(answered("slot info", image, image.commands.slotInfo)).toEqual({
      images: [
        {
          image: 0,
          slots: [
            { slot: 0, size: 106_496 },
            { slot: 1, size: 106_496, uploadImageId: 0 },
          ],
        },
      ],
    });
    expect(answered("fs download past eof", files, files.commands.download)).toEqual({ off: 25, data: new Uint8Array(0) });
    expect(answered("fs hash sha256", files, files.commands.hash)).toMatchObject({
      type: "sha256",
      off: 0,
      len: 20,
      output: expect.any(Uint8Array),
    });
    expect(answered("fs close", files, files.commands.close)).toEqual({});
    expect(answered("shell bad cmd", shell, shell.commands.execute)).toMatchObject({
      ret: -8,
      o: expect.stringContaining("command not found"),
    });
    expect(answered("stat list", statistics, statistics.commands.list).statList).toContain("smp_svr_stats");
    expect(answered("enum single 1", enumeration, enumeration.commands.single)).toEqual({ group: 8, end: false });
    expect(answered("enum details sel", enumeration, enumeration.commands.details).groups[0]).toEqual({
      group: 8,
      name: "fs mgmt",
      handlers: 5,
    });
  });

  test("a file error keeps the offset that is expected", () => {
    expect(() => answered("fs upload off mismatch", files, files.commands.upload)).toThrow(
      expect.objectContaining({
        code: "ERR_MCUMGR",
        group: 8,
        groupName: "files",
        rc: 11,
        rcName: "InvalidOffset",
        payload: { err: { group: 8, rc: 11 }, len: 20 },
        message: "files.upload: files InvalidOffset (rc 11): the offset is not the one that was expected",
      }),
    );
  });
});

describe("answers that other clients refuse", () => {
  test("task statistics: both spellings of the stack's size, negative priorities, keys that are missing", () => {
    const { tasks } = answer(os, os.commands.taskStatistics, {
      tasks: { a: { prio: -2, stksize: 12 }, "7": {}, c: { stksiz: 1, load: 5 } },
    });
    expect(tasks).toEqual({ a: { prio: -2, stksiz: 12 }, "7": {}, c: { stksiz: 1, more: { load: 5 } } });
  });

  test("memory pools: both spellings, Mynewt's one map deeper, and what is no pool", () => {
    const pool = { blksiz: 1, nblks: 2, nfree: 3, min: 4 };
    const { blksiz, ...rest } = pool;
    const { memoryPools } = os.commands;
    expect(answer(os, memoryPools, { a: pool, b: { blksize: blksiz, ...rest } })).toEqual({ pools: { a: pool, b: pool } });
    expect(answer(os, memoryPools, { rc: 0, mpools: { a: pool } })).toEqual({ pools: { a: pool } });
    expect(answer(os, memoryPools, { a: pool, total: 5 })).toEqual({ pools: { a: pool }, more: { total: 5 } });
    expect(() => answer(os, memoryPools, { rc: 8 })).toThrow(McumgrError);
  });

  test("bootloader: an answer for each query", () => {
    const { bootloaderInfo } = os.commands;
    expect(answer(os, bootloaderInfo, { bootloader: "MCUboot" })).toEqual({ bootloader: "MCUboot" });
    expect(answer(os, bootloaderInfo, { mode: 3, "no-downgrade": true })).toEqual({ mode: 3, noDowngrade: true });
    expect(answer(os, bootloaderInfo, { mode: -1 })).toEqual({ mode: -1 });
    expect(answer(os, bootloaderInfo, { active: 1, vendor: "x" })).toEqual({ active: 1, more: { vendor: "x" } });
  });

  test("image lists with keys of other servers", () => {
    const { images, more } = answer(image, image.commands.state, { images: [{ slot: 1, version: "<???>", compressed: true }], extra: 1 });
    expect(images[0]).toMatchObject({ version: "<???>", more: { compressed: true } });
    expect(more).toEqual({ extra: 1 });
  });

  test("slot info with a slot whose figures are missing", () => {
    expect(answer(image, image.commands.slotInfo, { images: [{ image: 1, slots: [{ slot: 0, rc: -5 }], max_image_size: 5 }] })).toEqual({
      images: [{ image: 1, slots: [{ slot: 0, rc: -5 }], maxImageSize: 5 }],
    });
  });

  test.each([
    [0, 6, "InvalidQueryValue"],
    [0, 7, "HeapStatisticsFailed"],
    [1, 34, "ActiveSlotUnknown"],
    [3, 8, "SaveNotSupported"],
    [8, 17, "CloseFailed"],
    [9, 3, "EmptyCommand"],
    [70, 9, "rc 9"],
    [1, 99, "rc 99"],
  ])("codes that are newer than their tables: group %i, rc %i", (group, rc, rcName) => {
    expect(() => answer(os, os.commands.echo, { err: { group, rc } })).toThrow(expect.objectContaining({ group, rc, rcName }));
  });

  test("commands of one's own in a known group", () => {
    const Extra = group("os", {
      id: 0,
      commands: { ...os.commands, extra: command("extra", { id: 200, read: { response: { a: text() } } }) },
    });
    const extended = registry.with(Extra);
    expect(extended.find({ group: 0, command: 200, op: 1 })?.title).toBe("os.extra");
    expect(extended.find({ group: 0, command: 6, op: 0 })?.title).toBe("os.parameters");
    expect(registry.find({ group: 0, command: 200, op: 1 })).toBeUndefined();
  });

  test("a shell's result under the key of an error", () => {
    const { execute } = shell.commands;
    expect(answer(shell, execute, { o: "x", rc: -8 })).toEqual({ o: "x", ret: -8 });
    expect(answer(shell, execute, { o: "x", rc: 0 })).toEqual({ o: "x", ret: 0 });
    for (const today of [{ o: "x" }, { o: "x", ret: 1 }, { o: "x", ret: 1, rc: 0 }, { rc: 8 }]) expect(execute.adapt(today)).toBe(today);
    expect(answer(shell, execute, { o: "x", ret: 3, rc: 0 })).toEqual({ o: "x", ret: 3 });
    expect(() => answer(shell, execute, { rc: 8 })).toThrow(McumgrError);
    expect(() => answer(shell, execute, { o: "x", ret: 0, rc: 2 })).toThrow(McumgrError);
    expect(() => answer(shell, execute, {})).toThrow(McumgrResponseError);
  });

  test("settings of Mynewt are text; counters of 64 bits stay exact; Mynewt says more with statistics", () => {
    expect(answer(settings, settings.commands.read, { rc: 0, val: "on" })).toEqual({ val: fromHex("6f6e") });
    expect(answer(statistics, statistics.commands.show, { rc: 0, group: "sys", name: "a", fields: { n: 2n ** 63n } })).toEqual({
      name: "a",
      fields: { n: 2n ** 63n },
      more: { group: "sys" },
    });
  });

  test("a log's entries, whatever they hold", () => {
    const entry = { index: 1, ts: 2n ** 60n, module: 3, level: 4, msg: { a: [1] } };
    expect(answer(log, log.commands.show, { next_index: 5, logs: [{ name: "a", type: 1, entries: [entry] }] })).toEqual({
      nextIndex: 5,
      logs: [{ name: "a", type: 1, entries: [entry] }],
    });
  });
});

describe("the registry", () => {
  test("finds an answer's command by its request's op, and an echo by either", () => {
    expect([0, 1, 2, 3].map((op) => registry.find({ group: 1, command: 0, op })?.title)).toEqual([
      "image.state",
      "image.state",
      "image.setState",
      "image.setState",
    ]);
    expect([0, 1, 2, 3].map((op) => registry.find({ group: 0, command: 0, op })?.title)).toEqual(Array(4).fill("os.echo"));
    for (const header of [
      { group: 0, command: 6, op: 2 },
      { group: 0, command: 6, op: 4 },
      { group: 0, command: 99, op: 0 },
      { group: 77, command: 0, op: 0 },
    ])
      expect(registry.find(header)).toBeUndefined();
  });

  test("finds a command that is asked either way by both, unless another is declared for the other", () => {
    const either = command("either", { id: 1, read: { anyOp: true } });
    const alone = new McumgrRegistry([group("acme", { id: 70, commands: { either } })]);
    expect([0, 1, 2, 3].map((op) => alone.find({ group: 70, command: 1, op })?.title)).toEqual(Array(4).fill("acme.either"));
    const other = command("other", { id: 1, write: {} });
    const both = new McumgrRegistry([group("acme", { id: 70, commands: { either, other } })]);
    expect([0, 2].map((op) => both.find({ group: 70, command: 1, op })?.title)).toEqual(["acme.either", "acme.other"]);
  });

  test("has one group for a number; an application's takes the place of ours", () => {
    const acme = group("acme", { id: 64, commands: {} });
    expect(registry.with(acme).group(64)?.name).toBe("acme");
    expect(registry.with(acme).find({ group: 64, command: 1, op: 2 })).toBeUndefined();
    expect(registry.group(64)?.name).toBe("intercreate");
    expect(() => new McumgrRegistry([acme, acme])).toThrow("groups acme and acme both have number 64");
    expect(registry.group(1)?.name).toBe("image");
    expect(registry.group(99)).toBeUndefined();
  });
});

/** Values that may be given for fields. */
function givenFor(fields: Fields): fc.Arbitrary<Record<string, unknown>> {
  const entries = Object.entries(fields);
  const model = Object.fromEntries(entries.map(([name, field]) => [name, valueFor(field)]));
  const requiredKeys = entries.filter(([, { presence }]) => presence === "required").map(([name]) => name);
  const extra = fc.option(fc.constant({ zz: 1 }), { nil: undefined });
  return fc
    .tuple(
      fc.record(model, { requiredKeys, noNullPrototype: true }),
      entries.some(([, { presence }]) => presence === "others") ? fc.constant(undefined) : extra,
    )
    .map(([given, more]) => (more === undefined ? given : { ...given, more }));
}

function valueFor({ expected, item, fields }: AnyField): fc.Arbitrary<unknown> {
  if (fields !== undefined) return givenFor(fields);
  switch (expected) {
    case "a list":
      return fc.array(valueFor(item!), { maxLength: 3 });
    case "a map":
      return fc.dictionary(fc.string({ maxLength: 8 }), valueFor(item!), { maxKeys: 3, noNullPrototype: true });
    case "a whole number from 0":
      return fc.maxSafeNat();
    case "a whole number":
      return fc.maxSafeInteger();
    case "text":
      return fc.string({ unit: "grapheme", maxLength: 20 });
    case "octets":
      return fc.uint8Array({ maxLength: 40 });
    case "true or false":
      return fc.boolean();
    case "a whole number from 0, or octets":
      return fc.oneof(fc.maxSafeNat(), fc.uint8Array({ maxLength: 40 }));
    case "a value":
      return fc.oneof(fc.integer(), fc.string({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), fc.constant({ a: [1, { b: null }] }));
    default:
      throw new Error(`no values for "${expected}"`);
  }
}

/** What given values read as: fields that are otherwise something, are that. */
function readAs(fields: Fields, given: Record<string, unknown>): unknown {
  const read: Record<string, unknown> = { ...given };
  for (const [name, field] of Object.entries(fields)) {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    if (own !== undefined) read[name] = valueAs(field, own);
    else if (field.presence === "otherwise") read[name] = field.missing;
    else if (field.presence === "others") read[name] = {};
  }
  return read;
}

function valueAs({ item, fields }: AnyField, value: unknown): unknown {
  if (fields !== undefined) return readAs(fields, value as Record<string, unknown>);
  if (item === undefined) return value;
  if (Array.isArray(value)) return value.map((entry) => valueAs(item, entry));
  return Object.fromEntries(Object.entries(value as object).map(([key, entry]) => [key, valueAs(item, entry)]));
}
