import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { MESSAGES, payloadOf } from "../../../test/support/mcumgr-vectors.ts";
import { BleError } from "../../core/error.ts";
import type { CborMap } from "./cbor.ts";
import { errorEntry, McumgrReturnCode, RETURN_CODES } from "./codes.ts";
import { describeMessage } from "./details.ts";
import * as errors from "./error.ts";
import { errorOf, McumgrError } from "./error.ts";
import { firstVersionCode } from "./first-version.ts";
import { McumgrRegistry } from "./registry.ts";

const names = new McumgrRegistry();
const errorFor = (payload: CborMap) =>
  new McumgrError({ command: "image.erase", failure: errorOf(payload)!, payload, names, askedGroup: 1 });

describe("the error that an answer holds", () => {
  test.each<[string, CborMap, ReturnType<typeof errorOf>]>([
    ["none", {}, undefined],
    ["rc 0", { rc: 0 }, undefined],
    ["err with rc 0", { err: { group: 1, rc: 0 } }, undefined],
    ["rc", { rc: 3 }, { kind: "protocol", rc: 3, group: undefined, reason: undefined }],
    ["rc with a reason", { rc: 6, rsn: "downgrade" }, { kind: "protocol", rc: 6, group: undefined, reason: "downgrade" }],
    ["a negative rc", { rc: -5 }, { kind: "protocol", rc: -5, group: undefined, reason: undefined }],
    ["a huge rc", { rc: 2n ** 60n }, { kind: "protocol", rc: 2 ** 60, group: undefined, reason: undefined }],
    ["err", { err: { group: 8, rc: 11 }, len: 5 }, { kind: "group", rc: 11, group: 8, reason: undefined }],
    ["err before rc", { rc: 1, err: { group: 8, rc: 11 } }, { kind: "group", rc: 11, group: 8, reason: undefined }],
    ["rc where err is none", { rc: 1, err: { group: 8, rc: 0 } }, { kind: "protocol", rc: 1, group: undefined, reason: undefined }],
    ["err without group", { err: { rc: 2 } }, { kind: "group", rc: 2, group: undefined, reason: undefined }],
    ["err without rc", { err: { group: 2 } }, undefined],
    ["err that is no map", { err: 5, rc: 2 }, { kind: "protocol", rc: 2, group: undefined, reason: undefined }],
    ["rc that is text", { rc: "5" }, undefined],
    ["a reason that is no text", { rc: 5, rsn: 5 }, { kind: "protocol", rc: 5, group: undefined, reason: undefined }],
  ])("%s", (_, payload, failure) => {
    expect(errorOf(payload)).toEqual(failure);
  });

  test("is looked for by content, whatever version the header says", () => {
    const found = MESSAGES.filter((vector) => errorOf(payloadOf(vector)) !== undefined);
    expect(new Set(found.map(({ header }) => header.version))).toEqual(new Set([0, 1]));
  });
});

describe("McumgrError", () => {
  test("of the protocol says its name, what it means, and the server's words", () => {
    const error = errorFor({ rc: 6, rsn: "downgrade", off: 5 });
    expect(error).toBeInstanceOf(BleError);
    expect(error).toMatchObject({
      code: "ERR_MCUMGR",
      name: "McumgrError",
      command: "image.erase",
      rc: McumgrReturnCode.BadState,
      rcName: "BadState",
      meaning: "not in the present state",
      group: undefined,
      groupName: undefined,
      reason: "downgrade",
      payload: { rc: 6, rsn: "downgrade", off: 5 },
      message: 'image.erase: BadState (rc 6): not in the present state; "downgrade"',
    });
    expect(inspect(error)).not.toContain("off:");
  });

  test("of a group says whose code it is; of the asked group where the answer does not", () => {
    expect(errorFor({ err: { group: 1, rc: 9 } }).message).toBe(
      "image.erase: image NoFreeSlot (rc 9): no slot is free: it is in use, or kept for a revert until the running image is confirmed",
    );
    expect(errorFor({ err: { rc: 14 } })).toMatchObject({ group: 1, groupName: "image", rcName: "InvalidSlot" });
    expect(errorFor({ err: { group: 8, rc: 15 } })).toMatchObject({ group: 8, groupName: "files", rcName: "ReadOnly" });
    expect(errorFor({ err: { group: 70, rc: 9 } })).toMatchObject({
      group: 70,
      groupName: undefined,
      message: "image.erase: group 70 rc 9",
    });
    expect(errorFor({ rc: 4096 }).message).toBe("image.erase: rc 4096: defined by the application");
    expect(errorFor({ rc: -7 }).message).toBe("image.erase: rc -7");
  });
});

describe("names of codes", () => {
  test.each([
    ["os", 0, 7],
    ["image", 1, 34],
    ["statistics", 2, 5],
    ["settings", 3, 8],
    ["files", 8, 17],
    ["shell", 9, 3],
    ["enumeration", 10, 4],
    ["transports", 11, 17],
    ["zephyr", 63, 4],
    ["intercreate", 64, 1],
  ])("%s has all of its codes, each with a name of its own and a meaning", (name, id, last) => {
    const { errors: table, name: known } = names.group(id)!;
    expect(known).toBe(name);
    const codes = Array.from({ length: last + 1 }, (_, rc) => errorEntry(table, rc));
    for (const { name, meaning } of codes) {
      expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(meaning).toMatch(/^[a-zA-Z].{3,}[^.]$/);
    }
    expect(new Set(codes.map(({ name }) => name)).size).toBe(last + 1);
    for (const rc of [last + 1, 300]) expect(errorEntry(table, rc)).toEqual({ name: `rc ${rc}`, meaning: "" });
    expect(errorEntry(table, 0).name).toBe("Ok");
    expect(errorEntry(table, 1).name).toBe(id === 64 ? "InvalidImage" : "Unknown");
  });

  test("the protocol has 0 to 13", () => {
    for (const [name, rc] of Object.entries(McumgrReturnCode)) expect(errorEntry(RETURN_CODES, rc).name).toBe(name);
    expect(Object.values(McumgrReturnCode)).toEqual(Array.from({ length: 14 }, (_, rc) => rc));
    expect(errorEntry(undefined, 5)).toEqual({ name: "rc 5", meaning: "" });
    expect(errorEntry({ 5: "Jammed" }, 5)).toEqual({ name: "Jammed", meaning: "" });
    expect(errorEntry(RETURN_CODES, 14).meaning).toBe("");
    expect(errorEntry(RETURN_CODES, 256).meaning).toBe("defined by the application");
  });

  test("in the first version several become one", () => {
    expect([3, 9, 15, 22, 28, 30, 8].map((rc) => firstVersionCode(1, rc))).toEqual([5, 6, 2, 3, 6, 1, 1]);
    expect([2, 3, 13, 14, 11].map((rc) => firstVersionCode(8, rc))).toEqual([3, 5, 3, 5, 1]);
    expect([firstVersionCode(63, 3), firstVersionCode(63, 2), firstVersionCode(70, 5), firstVersionCode(1, 0)]).toEqual([0, 5, 1, 0]);
  });
});

describe("what a message says", () => {
  const header = { op: 1, version: 1, reserved: 0, flags: 0, length: 1, group: 0, sequence: 0, command: 6 };
  const describe_ = (changes: Partial<typeof header>, payload: CborMap) =>
    describeMessage({ header: { ...header, ...changes }, payload }, names);

  test("a request, an answer, an error, and what is not as declared", () => {
    expect(describe_({ op: 0 }, {})).toMatchObject({ kind: "request", title: "os.parameters", value: {} });
    expect(describe_({}, { buf_size: 1, buf_count: 2 })).toMatchObject({
      kind: "response",
      value: { bufSize: 1, bufCount: 2 },
      failure: undefined,
    });
    expect(describe_({}, { rc: 8 })).toMatchObject({ kind: "error", failure: { rc: 8, rcName: "NotSupported" }, value: undefined });
    expect(describe_({}, { err: { rc: 2 } }).failure).toMatchObject({ group: 0, groupName: "os", rcName: "InvalidFormat" });
    expect(describe_({}, { buf_size: 1 })).toMatchObject({
      kind: "response",
      value: undefined,
      problem: "buf_count: missing; expected a whole number from 0",
    });
    expect(describe_({ op: 2, command: 1, group: 8 }, {})).toMatchObject({ kind: "request", title: "files, command 1", known: undefined });
  });

  test("what is not declared, and ops that are not defined", () => {
    expect(describe_({ group: 77, command: 3 }, { a: 1 })).toMatchObject({
      title: "group 77, command 3",
      kind: "response",
      known: undefined,
    });
    expect(describe_({ op: 5 }, {})).toMatchObject({ title: "os, command 6", kind: "unknown" });
    expect(describe_({ group: 77 }, { rc: 8 })).toMatchObject({ kind: "error", failure: { rcName: "NotSupported" } });
    expect(describe_({ group: 9, command: 0, op: 3 }, { o: "x", rc: 5 })).toMatchObject({ kind: "response", value: { o: "x", ret: 5 } });
  });
});

test("each class has a code of its own and says what it is about", () => {
  const made = [
    new errors.McumgrResponseError({ command: "os.echo", path: "", problem: "odd" }),
    new errors.McumgrRequestError({ command: "os.echo", path: "", problem: "odd" }),
    new errors.MessageTooLongError(10, 5),
    new errors.UploadStalledError("image.upload", { offset: 5, attempts: 3 }),
    new errors.ImageMismatchError("digest"),
    new errors.ImageFileError("magic", { offset: 4, file: "a.bin" }),
    new errors.ImageFileError("empty"),
    new errors.NotMcumgrServerError("no service"),
  ];
  expect(made.map(({ code, message }) => `${code} ${message}`)).toEqual([
    "ERR_MCUMGR_RESPONSE answer to os.echo: odd",
    "ERR_MCUMGR_REQUEST request os.echo: odd",
    "ERR_MCUMGR_TOO_LONG a message of 10 octets, at most 5 are possible",
    "ERR_MCUMGR_STALLED image.upload: no progress at offset 5 in 3 attempts",
    "ERR_MCUMGR_MISMATCH digest",
    "ERR_IMAGE_FILE a.bin: magic at offset 4",
    "ERR_IMAGE_FILE empty",
    "ERR_MCUMGR_NO_SERVER no service",
  ]);
});
