import { AttError } from "jelling/att";
import { fromHex, toHex } from "jelling/bytes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeChannel } from "../../../test/fake-channel.ts";
import { fragment } from "../../cgm/fragments.ts";
import { e2eCrc } from "../../data/e2e-crc.ts";
import { protect } from "../../idd/protection.ts";
import { DeliveryReader } from "./delivery.ts";

let pump: FakeChannel;
let reader: DeliveryReader;
beforeEach(() => {
  pump = new FakeChannel();
  pump.values.iddFeatures = "ffff006400fedc801f";
  reader = new DeliveryReader(pump.channel);
});
afterEach(() => pump[Symbol.dispose]());

const refusal = (errorCode: number): AttError => new AttError({ requestOpcode: 0x12, attributeHandle: 1, errorCode });
/** IDD Features with bit 0 set. */
function protectedFeatures(isDamaged = false): string {
  const body = fromHex("016400ff0000");
  const crc = e2eCrc(body) ^ (isDamaged ? 1 : 0);
  return toHex(Uint8Array.of(crc & 0xff, crc >> 8, ...body));
}

describe("features", () => {
  test("are read once, and say whether the service is protected", async () => {
    expect(await reader.features()).toMatchObject({ e2e: false, insulinConcentration: 100 });
    await reader.features();
    await reader.insulinOnBoard().catch(() => undefined);
    expect(pump.asked.filter((name) => name === "iddFeatures")).toHaveLength(1);
    expect(pump.delivery.isOn).toBe(false);
  });
  test("that are damaged are not believed: nothing else is asked for, and they are read again", async () => {
    pump.values.iddFeatures = protectedFeatures(true);
    pump.answer = ({ e2eCrc }) => toHex(protect(fromHex("fc0300709914fa"), e2eCrc ? 1 : 9));
    for (const read of [
      () => reader.features(),
      () => reader.insulinOnBoard(),
      () => reader.status(),
      () => reader.annunciation(),
      () => reader.maximumBolusIu(),
    ])
      await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "crc" });
    expect(new Set(pump.asked)).toEqual(new Set(["iddFeatures"]));
    pump.values.iddFeatures = protectedFeatures();
    expect(await reader.insulinOnBoard()).toMatchObject({ insulinOnBoardIu: 1.35 });
    expect(pump.delivery.isOn).toBe(true);
  });
  test("that are not given, or are not there, leave the service as every pump has it", async () => {
    pump.values.iddFeatures = undefined;
    pump.answer = () => "fc0300709914fa";
    expect([await reader.features(), await reader.insulinOnBoard()]).toMatchObject([undefined, { insulinOnBoardIu: 1.35 }]);
    pump.missing.add("iddFeatures");
    expect(await new DeliveryReader(pump.channel).insulinOnBoard()).toMatchObject({ insulinOnBoardIu: 1.35 });
  });
});

describe("a refusal is none, and no error", () => {
  test.each([0x70, 0x71, 0x72, 0x73, 0x74, 0x99])("0303 with 0x%x", async (code) => {
    pump.answer = ({ hex }) => `0303${hex.slice(0, 4)}${code.toString(16)}`;
    for (const value of [
      await reader.insulinOnBoard(),
      await reader.timeInRange(),
      await reader.therapyAlgorithmStates(),
      await reader.basalRate(),
      await reader.displayFormat(),
      await reader.boluses(),
      await reader.totalDailyInsulin(),
      await reader.deliveredInsulin(),
      await reader.counter("warranty", "elapsed"),
      await reader.sensorWarmUpHours(),
      await reader.calibrationIcon(),
      await reader.earlyCalibrationMin(),
    ])
      expect(value).toBeUndefined();
  });
  test.each([0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76])("0F55 with 0x%x, whatever data came", async (code) => {
    pump.answer = ({ hex }, { onCommandData }) => {
      onCommandData?.(fromHex("8f14000000a0054800"));
      return `550f${hex.slice(0, 4)}${code.toString(16)}`;
    };
    expect([await reader.highLowSettings("low"), await reader.maximumBolusIu()]).toEqual([undefined, undefined]);
  });
  test.each([0x02, 0x03, 0x06])("ATT error 0x%x", async (errorCode) => {
    pump.answer = () => refusal(errorCode);
    expect([await reader.insulinOnBoard(), await reader.boluses(), await reader.highLowSettings("high")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
  test.each([
    [0x80, "ERR_PUMP_PROTOCOL"],
    [0x81, "ERR_PUMP_PROTOCOL"],
    [0x82, "ERR_PUMP_PROTOCOL"],
    [0xfd, "ERR_PUMP_REFUSED"],
    [0xfe, "ERR_PUMP_REFUSED"],
    [0x0e, "ERR_PUMP_REFUSED"],
  ])("but ATT error 0x%x is told, by its kind", async (errorCode, code) => {
    pump.answer = () => refusal(errorCode);
    await expect(reader.insulinOnBoard()).rejects.toMatchObject({ code, cause: { errorCode } });
    await expect(reader.highLowSettings("high")).rejects.toMatchObject({ code, cause: { errorCode } });
  });
  test("a characteristic that is not there is not asked for", async () => {
    for (const name of ["iddStatusReader", "iddCommand", "iddStatus"]) pump.missing.add(name);
    expect([await reader.insulinOnBoard(), await reader.highLowSettings("low"), await reader.status()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    pump.missing.delete("iddCommand");
    pump.missing.add("iddCommandData");
    expect(await reader.highLowSettings("low")).toBeUndefined();
    expect(pump.asked.filter((name) => name !== "iddFeatures")).toEqual([]);
  });
});

describe("an answer", () => {
  test("to another request is waited past", async () => {
    pump.answer = () => ["0303fd0370", "fc0300709914fa"];
    expect(await reader.insulinOnBoard()).toMatchObject({ insulinOnBoardIu: 1.35 });
  });
  test("that is malformed, of another kind, or damaged is an error of its data, typed", async () => {
    for (const [answer, problem] of [
      ["fc03", "length"],
      ["02040018034961", "opcode"],
      ["fc0300709914fa00", "trailing"],
      ["0999", "opcode"],
    ]) {
      pump.answer = () => answer;
      await expect(reader.insulinOnBoard()).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem });
    }
    pump.values.iddFeatures = protectedFeatures();
    const guarded = new DeliveryReader(pump.channel);
    let counter = 0;
    pump.answer = () => {
      counter += 2;
      return toHex(protect(fromHex("fc0300709914fa"), counter));
    };
    expect(await guarded.insulinOnBoard()).toMatchObject({ insulinOnBoardIu: 1.35 });
    await expect(guarded.insulinOnBoard()).rejects.toMatchObject({ problem: "counter" });
    pump.answer = () => "fc0300709914fa";
    await expect(guarded.insulinOnBoard()).rejects.toMatchObject({ problem: "crc" });
  });
  test("of unknown words keeps their numbers", async () => {
    pump.values.iddStatus = "7788709914fa01ff63";
    expect(await reader.status()).toMatchObject({ therapyControlState: 0x77, operationalState: 0x88, sensorMessage: 0x63 });
  });
  test.each(["iddStatus", "iddAnnunciationStatus"] as const)("%s that is malformed is an error, and absent is none", async (name) => {
    const read = () => (name === "iddStatus" ? reader.status() : reader.annunciation());
    expect(await read()).toBeUndefined();
    pump.values[name] = "0105";
    await expect(read()).rejects.toMatchObject({ code: "ERR_PUMP_DATA" });
    pump.missing.add(name);
    expect(await read()).toBeUndefined();
  });
});

describe("boluses", () => {
  test("that a pump names again and again do not hold up everything else", async () => {
    const many = [1, 1, 2, 2, ...Array.from({ length: 80 }, (_, i) => i)];
    pump.answer = ({ hex }) =>
      hex === "3003"
        ? `3f03${many.length.toString(16)}${many.map((id) => `${id.toString(16).padStart(2, "0")}00`).join("")}`
        : "0303560374";
    expect((await reader.boluses())!.map(({ bolusId }) => bolusId)).toEqual([1, 2, 0, 3, 4, 5, 6, 7]);
    expect(pump.asked.filter((hex) => hex.startsWith("5603"))).toHaveLength(16);
  });
  test("are asked for one by one, programmed and delivered; one that ended meanwhile has neither", async () => {
    const amounts = (id: string, fast: string): string => `590300${id}33${fast}000000000000`;
    pump.answer = ({ hex }) => {
      if (hex === "3003") return "3f030213000014";
      if (hex === "560313000f") return amounts("1300", "190000ff");
      if (hex === "560313003c") return amounts("1300", "0a0000ff");
      return "0303560374";
    };
    pump.answer = (
      (inner) => (request, at) =>
        request.hex === "3003" ? "3f030213001400" : inner(request, at)
    )(pump.answer);
    expect(await reader.boluses()).toMatchObject([
      { bolusId: 0x13, programmed: { fastIu: 2.5 }, delivered: { fastIu: 1 } },
      { bolusId: 0x14, programmed: undefined, delivered: undefined },
    ]);
    expect(pump.asked.slice(1)).toEqual(["3003", "560313000f", "560313003c", "560314000f", "560314003c"]);
    pump.answer = () => "3f0300";
    expect(await reader.boluses()).toEqual([]);
  });
  test("an answer about another bolus is not taken for this one's", async () => {
    pump.answer = ({ hex }) => (hex === "3003" ? "3f03011300" : "590300990033190000ff000000000000");
    expect(await reader.boluses()).toEqual([{ bolusId: 0x13, programmed: undefined, delivered: undefined }]);
  });
});

describe("amounts and counters", () => {
  test("are asked for by what they are, and given without what belongs to the request", async () => {
    const answers: Record<string, string> = {
      "9503": "9a035f0052f0b1f0",
      c003: "cf03190000ff0a0000ff",
      a6033333: "a9033333a0050000",
      "0304": "040402",
      "0504": "06040c",
      "0704": "08040130",
    };
    pump.answer = ({ hex }) => answers[hex];
    expect(await reader.deliveredInsulin()).toEqual({ bolusIu: 2.5, basalIu: 1 });
    expect(Object.keys((await reader.totalDailyInsulin())!)).toEqual(["bolusIu", "basalIu", "sumIu"]);
    expect(await reader.counter("warranty", "elapsed")).toBe(1440);
    expect([await reader.sensorWarmUpHours(), await reader.calibrationIcon(), await reader.earlyCalibrationMin()]).toEqual([2, 12, 108]);
  });
});

describe("settings of the command control point", () => {
  const BLOCKS = "8f14030100e0010e010c030000b4000e01";
  const data =
    (...values: string[]) =>
    (largest: number) => {
      pump.largestPlaintext = largest;
      pump.answer = ({ hex }, { onCommandData }) => {
        for (const value of values) for (const part of fragment(fromHex(value), largest + 3, 3)) onCommandData?.(part);
        return `550f${hex.slice(0, 4)}0f`;
      };
    };
  test.each([178, 17])("come as data before the response, in notifications of %i octets", async (largest) => {
    data(BLOCKS)(largest);
    expect(await reader.highLowSettings("high")).toEqual({
      type: "high",
      firstBlockIndex: 0,
      blocks: [
        { durationMin: 480, limitMgdl: 270 },
        { durationMin: 780, limitMgdl: 0 },
        { durationMin: 180, limitMgdl: 270 },
      ],
    });
    // More than three blocks: the rest comes with a higher index, in whatever order.
    data("8f14000103a0054800", BLOCKS, "8f14000104a0054900")(largest);
    expect((await reader.highLowSettings("high"))!.blocks.map(({ limitMgdl }) => limitMgdl)).toEqual([270, 0, 270, 72, 73]);
    expect(pump.asked.at(-1)).toBe("8e1401");
    expect(pump.onCommandData).toBeUndefined();
  });
  test("of the other type are none; of which one cannot be read are not taken for all of them", async () => {
    data("8f14000000a0054800")(178);
    expect(await reader.highLowSettings("high")).toBeUndefined();
    data("8f14", "ffff")(178);
    await expect(reader.highLowSettings("high")).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "length" });
    data(BLOCKS, "8f14000103a005")(178);
    await expect(reader.highLowSettings("high")).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "length" });
  });
  test("without end are taken up to a bound", async () => {
    data(...Array.from({ length: 1000 }, (_, i) => `8f140001${(i & 0xff).toString(16).padStart(2, "0")}a0054800`))(178);
    expect((await reader.highLowSettings("high"))!.blocks).toHaveLength(32);
  });
  test("a maximum bolus is taken as data or as the answer itself, in either width", async () => {
    data("8214190000ff")(178);
    expect(await reader.maximumBolusIu()).toBe(2.5);
    pump.answer = () => "821419f0";
    expect(await reader.maximumBolusIu()).toBe(2.5);
  });
});

test("a reset is done where the pump says so", async () => {
  const field = fromHex("00800c00");
  pump.answer = () => "03030c030f";
  expect(await reader.reset(field)).toBe(true);
  expect(pump.asked.at(-1)).toBe("0c0300800c00");
  pump.answer = () => "03030c0372";
  expect(await reader.reset(field)).toBe(false);
});
