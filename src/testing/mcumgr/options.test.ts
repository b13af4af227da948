import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../core/error.ts";
import { checkDeviceOptions, MODES, type SimulatedMcumgrDeviceOptions } from "./options.ts";

const check = (given: object) => checkDeviceOptions(given as SimulatedMcumgrDeviceOptions);

test("what is not given is as documented", () => {
  const { clock: _, images, accepts, mayReset, shell, application, ...rest } = check({});
  expect(rest).toEqual({
    bufSize: 2475,
    bufCount: 4,
    sectorSize: 4096,
    mode: "swap-move",
    noDowngrade: false,
    eraseMsPerSector: 0,
    writeMsPerKibibyte: 0,
    progressiveErase: false,
    imageCheck: true,
    digestLength: 32,
    denyConfirmOfOther: false,
    directUpload: false,
    omitFalse: false,
    processingMs: 0,
    resetDelayMs: 250,
    bootMs: 100,
    errors: "by-version",
    alwaysRc: false,
    refusesFirstVersion: false,
    without: new Set(),
    recovery: { bufSize: 1024, alignment: 1, without: new Set() },
    startInRecovery: false,
    statistics: {},
    settings: {},
    settingsLimit: 64,
    canSaveSettings: true,
    files: {},
    mounts: ["/lfs1"],
    fileCapacity: 256 * 1024,
    fileChunk: 0xffff,
  });
  expect(images).toEqual([{ slotSize: 512 * 1024, primary: expect.any(Uint8Array) as Uint8Array, secondary: undefined }]);
  expect([accepts({} as never), mayReset(0), shell("no such")]).toEqual([true, true, undefined]);
  expect(Object.keys(application)).toEqual(["s", "n", "r", "v", "b", "m", "p", "i", "o"]);
});

test("what is given is taken", () => {
  const given = {
    bufSize: 100,
    bufCount: 1,
    mode: "direct-xip",
    imageCheck: false,
    canSaveSettings: false,
    noDowngrade: true,
    errors: "first-only",
    without: ["files"],
    recovery: { bufSize: 64, alignment: 256, without: ["os.echo"] },
    application: { x: "more" },
  };
  expect(check(given)).toMatchObject({
    ...given,
    without: new Set(["files"]),
    recovery: { bufSize: 64, alignment: 256, without: new Set(["os.echo"]) },
    application: { s: "Zephyr", x: "more" },
  });
  expect(check({ recovery: false }).recovery).toBe(false);
  for (const mode of MODES) expect(check({ mode }).mode).toBe(mode);
  expect(check({ sectorSize: 1 << 20 }).images[0]!.slotSize).toBe(4 << 20);
  const primaries = check({ images: Array.from({ length: 8 }, () => ({})) }).images.map(({ primary }) => `${primary}`);
  expect(new Set(primaries).size).toBe(8); // several images are told apart
});

describe("refused by name, at either end of what is permitted", () => {
  test.each<[string, readonly unknown[], readonly unknown[]]>([
    ["bufSize", [64, 0xffff], [63, 0x1_0000, 100.5, "100"]],
    ["bufCount", [1, 256], [0, 257]],
    ["sectorSize", [64, 1 << 20], [63, (1 << 20) + 1]],
    ["eraseMsPerSector", [0, 3_600_000], [-1, 3_600_001, "1"]],
    ["writeMsPerKibibyte", [0, 0.5], [-1, Number.NaN]],
    ["processingMs", [0, 3_600_000], [-0.1]],
    ["resetDelayMs", [0], [-1]],
    ["bootMs", [0], [-1]],
    ["digestLength", [1, 64], [0, 65]],
    ["settingsLimit", [1, 0xffff], [0, 0x1_0000]],
    ["fileCapacity", [0, 2 ** 31], [-1, 2 ** 31 + 1]],
    ["fileChunk", [1, 0xffff], [0, 0x1_0000]],
    ["mode", MODES, ["swap", 1]],
    ["errors", ["by-version", "first-only"], ["never"]],
    ["accepts", [() => true], [true]],
    ["mayReset", [() => true], ["yes"]],
    ["shell", [() => undefined], ["sh"]],
  ])("%s", (name, right, wrong) => {
    for (const value of right) expect(() => check({ [name]: value })).not.toThrow();
    for (const value of wrong) {
      expect(() => check({ [name]: value }), `${value}`).toThrow(ArgumentError);
      expect(() => check({ [name]: value })).toThrow(`SimulatedMcumgrDevice: ${name}`);
    }
  });

  test.each([
    "noDowngrade",
    "progressiveErase",
    "imageCheck",
    "denyConfirmOfOther",
    "directUpload",
    "omitFalse",
    "alwaysRc",
    "refusesFirstVersion",
    "startInRecovery",
    "canSaveSettings",
  ] as const)("%s", (name) => {
    for (const value of [true, false]) expect(check({ [name]: value })[name]).toBe(value);
    expect(() => check({ [name]: 1 })).toThrow(`SimulatedMcumgrDevice: ${name}: expected true or false, got 1`);
  });

  test.each<[object, string]>([
    [{ images: {} }, "images: expected a list of 1 to 8"],
    [{ images: [] }, "images: expected a list of 1 to 8"],
    [{ images: Array.from({ length: 9 }, () => ({})) }, "images: expected a list of 1 to 8"],
    [{ images: [{}, { slotsize: 1 }] }, 'images[1]: unknown option "slotsize", did you mean "slotSize"?'],
    [{ images: [{ slotSize: 4096 }] }, "images[0].slotSize: expected a whole number from 8192"],
    [{ images: [{ slotSize: 8193 }] }, "images[0].slotSize: expected a multiple of sectorSize, 4096"],
    [{ images: [{ slotSize: 8192, primary: new Uint8Array(8193) }] }, "images[0].primary: expected 0 to 8192 octets, got 8193"],
    [{ images: [{ slotSize: 8192, secondary: new Uint8Array(8193) }] }, "images[0].secondary: expected 0 to 8192 octets, got 8193"],
    [{ images: [{ secondary: "none" }] }, "images[0].secondary: expected a Uint8Array"],
    [{ recovery: { bufSize: 63 } }, "recovery.bufSize"],
    [{ recovery: { alignment: 0 } }, "recovery.alignment"],
    [{ recovery: { alignment: 257 } }, "recovery.alignment"],
    [{ recovery: { alignement: 8 } }, 'recovery: unknown option "alignement", did you mean "alignment"?'],
    [{ bufsize: 100 }, 'unknown option "bufsize", did you mean "bufSize"?'],
  ])("%j", (given, message) => {
    expect(() => check(given)).toThrow(ArgumentError);
    expect(() => check(given)).toThrow(message.startsWith("unknown") ? message : `SimulatedMcumgrDevice: ${message}`);
  });

  test("but slots of two sectors, and what fills them, are permitted", () => {
    const whole = new Uint8Array(8192);
    expect(check({ images: [{ slotSize: 8192, primary: whole, secondary: whole }] }).images[0]).toMatchObject({ slotSize: 8192 });
    expect(check({ images: [{ primary: "none" }] }).images[0]!.primary).toBe("none");
  });
});
