import fc from "fast-check";
import { encodeSfloat, fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type DecodeVector, readVectors } from "../../test/vectors.ts";
import { appendE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";
import { decodeAnnunciationStatus } from "./annunciation-status.ts";
import { CommandReadOpcode, decodeCommandRead, SettingsType } from "./command-reads.ts";
import { decodeIddFeatures, encodeIddFeatures } from "./features.ts";
import { decodeIddStatus, encodeIddStatus } from "./status.ts";
import { decodeIddStatusChanged, encodeStatusChanged, STATUS_CHANGES } from "./status-changed.ts";
import { decodeStatusReaderResponse, StatusReaderOpcode, type StatusReaderResponse } from "./status-reader.ts";

type Plain = Record<string, unknown>;
type Vector = DecodeVector<Plain> & { name?: string; peer?: string; recommended?: string };
interface Vectors {
  idd: {
    features: Vector[];
    status: Vector[];
    status_changed: {
      flag_names: Record<string, string>;
      vectors: (DecodeVector<{ bits: number[]; names: string[] }> & { reset_request: string })[];
    };
    status_reader: Record<string, Vector[]>;
    command_reads: { requests: { name: string; plaintext: string }[]; high_low: Vector[]; response_code: Vector[] };
  };
}
const { idd } = readVectors<Vectors>("minimed");
const PLAIN = { e2e: false };
const or = (value: unknown): unknown => value ?? null;
const hex4 = (value: number): string => value.toString(16).padStart(4, "0");

/** Whether a decoder gives what a vector expects, or refuses for the reason it names. */
function check({ bytes, expected, error }: Vector, decode: (bytes: Uint8Array) => Plain): void {
  if (error) expect(() => decode(fromHex(bytes))).toThrow(expect.objectContaining({ code: "ERR_PUMP_DATA", problem: error }));
  else if (expected) expect(decode(fromHex(bytes))).toEqual(expected);
}
const rows = (vectors: readonly Vector[]) =>
  vectors.filter(({ expected, error }) => expected || error).map((vector) => [vector.name ?? vector.bytes, vector] as const);

describe("features", () => {
  test.each(rows(idd.features))("%s", (_name, vector) => {
    check(vector, (bytes) => {
      const { bits, features, crc, counter, insulinConcentration } = decodeIddFeatures(bytes);
      expect(crc).toBe("unused");
      return {
        e2e_crc: "ffff",
        e2e_counter: counter,
        insulin_concentration_iu_per_ml: insulinConcentration,
        flags_hex: bits.toString(16),
        flags: features,
      };
    });
  });

  test("protection that is in use is told of, and whether its CRC is right", () => {
    const content = fromHex("0164000100");
    const bytes = (crc: string) => fromHex(`${crc}${toHex(content)}00`);
    const right = appendE2eCrc(fromHex("016400010000")).subarray(-2);
    expect(decodeIddFeatures(bytes(toHex(right)))).toMatchObject({ e2e: true, crc: "valid", counter: 1 });
    expect(decodeIddFeatures(bytes("1234"))).toMatchObject({ e2e: true, crc: "invalid" });
    expect(decodeIddFeatures(bytes("ffff"))).toMatchObject({ e2e: true, crc: "invalid" });
  });

  test("the last bit of each octet behind the third announces another; of the fifth it may mean something else", () => {
    const features = (flags: string) => decodeIddFeatures(fromHex(`ffff006400${flags}`));
    const kinds = (flags: string) => {
      try {
        return features(flags).bits.toString(16);
      } catch (error) {
        return (error as PumpDataError).problem;
      }
    };
    expect(kinds("000000")).toBe("0");
    expect(kinds("000080")).toBe("length");
    expect(kinds("00008000")).toBe("800000");
    expect(kinds("00000000")).toBe("trailing");
    expect(kinds("00008080")).toBe("length");
    expect(kinds("000080807f")).toBe("7f80800000");
    expect(kinds("0000808000")).toBe("80800000");
    expect(kinds("000080807f00")).toBe("trailing");
    expect(kinds("0000808080")).toBe("8080800000");
    expect(kinds("000080808081")).toBe("818080800000");
    expect(kinds("0000808080017f")).toBe("trailing");
    expect(features("0000808080").features).toEqual([]);
  });
  test("what the display shows, and what a simulated pump sends", () => {
    const of = (bits: bigint) => decodeIddFeatures(encodeIddFeatures({ bits, insulinConcentrationWord: encodeSfloat(100) }));
    expect(of(0x1f80dcfen)).toMatchObject({ bits: 0x1f80dcfen, displaysMgdl: true, insulinConcentration: 100, e2e: false });
    expect(of(0x1d80dcfen).displaysMgdl).toBe(false);
    expect([of(0x0en).bits, of(0x3fff80fffen).bits]).toEqual([0x0en, 0x3fff80fffen]);
  });
});

describe("status", () => {
  test.each(rows(idd.status))("%s", (_name, vector) => {
    check(vector, (bytes) => {
      const status = decodeIddStatus(bytes, PLAIN);
      return {
        therapy_control_state: status.therapyControlState,
        operational_state: status.operationalState,
        reservoir_remaining_iu: status.reservoirRemainingIu,
        reservoir_attached: status.reservoirAttached,
        sensor_connectivity: status.sensorConnectivity,
        sensor_message_state: status.sensorMessage,
      };
    });
  });

  test("values that nobody knows are kept as numbers; special words are none", () => {
    expect(decodeIddStatus(fromHex("55968f6600fe01030f"), PLAIN).sensorMessage).toBe(15);
    expect(decodeIddStatus(fromHex("0199ffff7f000103ff"), PLAIN)).toMatchObject({
      therapyControlState: 1,
      operationalState: 0x99,
      reservoirRemainingIu: undefined,
      sensorMessage: 255,
    });
  });

  test("what is sent comes back; with protection a counter and a CRC are taken off", () => {
    const bytes = encodeIddStatus({
      therapyControlState: 0x55,
      operationalState: 0x96,
      reservoirRemainingIu: 123.4,
      reservoirAttached: true,
      sensorConnectivity: 3,
      sensorMessage: 0,
    });
    const status = decodeIddStatus(bytes, PLAIN);
    expect(status).toMatchObject({ therapyControlState: "run", operationalState: "ready", reservoirRemainingIu: 123.4 });
    expect(decodeIddStatus(appendE2eCrc(Uint8Array.of(...bytes, 7)), { e2e: true })).toEqual(status);
    expect(() => decodeIddStatus(Uint8Array.of(...bytes, 7, 0, 0), { e2e: true })).toThrow(expect.objectContaining({ problem: "crc" }));
    expect(() => decodeIddStatus(bytes.subarray(1), PLAIN)).toThrow(expect.objectContaining({ problem: "length" }));
  });
});

describe("status changed", () => {
  test.each(idd.status_changed.vectors)("$bytes", ({ bytes, expected, reset_request }) => {
    const { bits, names, field } = decodeIddStatusChanged(fromHex(bytes), PLAIN);
    expect({ bits, names }).toEqual(expected);
    expect(`0c03${toHex(field)}`).toBe(reset_request); // the same octets, in the same length
    expect(decodeIddStatusChanged(encodeStatusChanged(bits), PLAIN).bits).toEqual(bits);
  });

  test("names are those of the vectors, and bits without one are kept", () => {
    const { 15: _first, 31: _second, ...names } = idd.status_changed.flag_names;
    expect(STATUS_CHANGES).toEqual(names);
    expect(decodeIddStatusChanged(encodeStatusChanged([9, 14, 47]), PLAIN)).toMatchObject({ bits: [9, 14, 47], names: [] });
  });

  test.each([
    ["00", "length"],
    ["0080", "length"],
    ["00800080", "length"],
    ["000000", "trailing"],
  ])("%s is refused: %s", (bytes, problem) => {
    expect(() => decodeIddStatusChanged(fromHex(bytes), PLAIN)).toThrow(expect.objectContaining({ problem }));
  });
});

/** A response in the words of the vectors. */
function words(response: StatusReaderResponse): Plain {
  switch (response.kind) {
    case "response_code":
      return { kind: response.kind, request_opcode: hex4(response.requestOpcode), code: response.code };
    case "time_in_range":
      return {
        not_enough_data: response.notEnoughData,
        above_percent: response.abovePercent,
        below_percent: response.belowPercent,
        in_range_percent: response.inRangePercent,
        smart_guard_percent: response.smartGuardPercent,
      };
    case "insulin_on_board":
      return {
        insulin_on_board_iu: response.insulinOnBoardIu,
        remaining_duration_min: or(response.remainingDurationMin),
        partial_status_duration_min: or(response.partialStatusDurationMin),
        partial_status_remaining: or(response.partialStatusRemaining),
      };
    case "therapy_algorithm_states":
      return {
        flags: response.flags,
        auto_mode_shield_state: or(response.shield),
        auto_mode_readiness_state: or(response.readiness),
        plgm_state: or(response.plgm),
        lgs_state: or(response.lgs),
        temp_target_duration_min: or(response.temporaryTargetMin),
        wait_to_calibrate_duration_min: or(response.waitToCalibrateMin),
        safe_basal_duration_min: or(response.safeBasalMin),
      };
    case "active_basal_rate": {
      const { temporaryBasal: tbr } = response;
      return {
        profile_template_number: response.profileTemplateNumber,
        configured_rate_iu_per_h: response.configuredRate,
        tbr: tbr
          ? {
              type: tbr.type,
              adjustment: tbr.adjustment,
              duration_programmed_min: tbr.programmedMin,
              duration_remaining_min: tbr.remainingMin,
            }
          : null,
        tbr_template_number: or(response.temporaryBasalTemplateNumber),
        basal_delivery_context: or(response.context),
      };
    }
    case "display_format":
      return {
        time_format_24h: response.clock24h,
        language: response.language,
        carb_unit_exchanges: response.carbohydratesInExchanges,
        active_insulin_resolution: response.activeInsulinResolution,
      };
    case "active_bolus_ids":
      return { bolus_ids: response.bolusIds };
    case "active_bolus":
      return {
        flags: response.flags,
        bolus_id: response.bolusId,
        bolus_type: response.bolusType,
        fast_amount_iu: response.fastIu,
        extended_amount_iu: response.extendedIu,
        duration_min: response.durationMin,
        delay_time_min: or(response.delayMin),
        template_number: or(response.templateNumber),
        activation_type: or(response.activation),
      };
    default:
      return { ...response };
  }
}

describe("status reader", () => {
  const REQUESTS: Readonly<Record<string, number>> = {
    time_in_range: StatusReaderOpcode.GetTimeInRange,
    insulin_on_board: StatusReaderOpcode.GetInsulinOnBoard,
    therapy_algorithm_states: StatusReaderOpcode.GetTherapyAlgorithmStates,
    active_basal_rate_delivery: StatusReaderOpcode.GetActiveBasalRateDelivery,
    display_format: StatusReaderOpcode.GetDisplayFormat,
    active_bolus_ids: StatusReaderOpcode.GetActiveBolusIds,
    active_bolus_delivery: StatusReaderOpcode.GetActiveBolusDelivery,
  };
  const cases = Object.entries(idd.status_reader)
    .filter(([kind]) => kind !== "requests")
    .flatMap(([kind, vectors]) => vectors.map((vector) => [kind, vector.name ?? vector.bytes, vector] as const));
  test.each(cases)("%s: %s", (kind, _name, vector) => {
    check(vector, (bytes) => words(decodeStatusReaderResponse(bytes, { ...PLAIN, request: REQUESTS[kind] })));
  });

  test("operation codes are those of the requests", () => {
    const codes = new Set<number>(Object.values(StatusReaderOpcode));
    const requests = idd.status_reader.requests as unknown as { name: string; opcode: string }[];
    for (const { name, opcode } of requests) expect([name, codes.has(Number.parseInt(opcode, 16))]).toEqual([name, true]);
  });

  test("an answer to another request is none; a general response is one to any", () => {
    const iob = fromHex("fc0300709914fa");
    expect(decodeStatusReaderResponse(iob, PLAIN)).toMatchObject({ kind: "insulin_on_board" });
    expect(() => decodeStatusReaderResponse(iob, { ...PLAIN, request: StatusReaderOpcode.GetTimeInRange })).toThrow(
      expect.objectContaining({ problem: "opcode" }),
    );
    expect(decodeStatusReaderResponse(fromHex("0303040499"), { ...PLAIN, request: StatusReaderOpcode.GetTimeInRange })).toEqual({
      kind: "response_code",
      requestOpcode: 0x0404,
      code: 0x99,
    });
  });

  test("totals of a day, counters and what the pump refuses today", () => {
    const of = (hex: string) => decodeStatusReaderResponse(fromHex(hex), PLAIN);
    expect(of("9a03190000ff0a0000ff230000ff")).toEqual({ kind: "total_daily_insulin", bolusIu: 2.5, basalIu: 1, sumIu: 3.5 });
    expect(of("9a0319f00af023f0")).toEqual({ kind: "total_daily_insulin", bolusIu: 2.5, basalIu: 1, sumIu: 3.5 });
    expect(of("a9035533ffffffff")).toEqual({ kind: "counter", type: "reservoir", selection: "elapsed", minutes: -1 });
    expect(of("cf03190000ff0a0000ff")).toEqual({ kind: "delivered_insulin", bolusIu: 2.5, basalIu: 1 });
    expect(of("040402")).toEqual({ kind: "warm_up_remaining", hours: 2 });
    expect(of("06040b")).toEqual({ kind: "calibration_icon", icon: 11 });
    expect(of("0804010f")).toEqual({ kind: "early_calibration_time", hours: 1, minutes: 15 });
  });

  test("nothing but a PumpDataError comes of what is no response", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        for (const decode of [
          () => decodeStatusReaderResponse(bytes, PLAIN),
          () => decodeCommandRead(bytes, PLAIN),
          () => decodeIddFeatures(bytes),
          () => decodeIddStatus(bytes, PLAIN),
          () => decodeIddStatusChanged(bytes, PLAIN),
          () => decodeAnnunciationStatus(bytes, PLAIN),
        ])
          try {
            decode();
          } catch (error) {
            expect(error).toBeInstanceOf(PumpDataError);
          }
      }),
      { numRuns: 300 },
    );
  });
});

test("bits that have no name are kept", () => {
  expect(decodeIddStatus(fromHex("5596709914fa01f300"), PLAIN)).toMatchObject({
    sensorConnectivity: ["sensor_on", "sensor_paired"],
    sensorConnectivityBits: 0xf3,
  });
});

describe("a value is not guessed to be protected or not", () => {
  const decoders = { decodeIddStatus, decodeIddStatusChanged, decodeAnnunciationStatus, decodeCommandRead, decodeStatusReaderResponse };
  test.each(Object.entries(decoders))("%s", (_name, decode: (bytes: Uint8Array, protection: never) => unknown) => {
    for (const protection of [undefined, null, {}, true, { e2e: 1 }, { e2eCrc: true }])
      expect(() => decode(fromHex("00"), protection as never)).toThrow(
        expect.objectContaining({ code: "ERR_ARGUMENT", message: expect.stringContaining("e2e: expected true or false") as string }),
      );
    for (const bytes of [undefined, null, "00", [0]])
      expect(() => decode(bytes as never, PLAIN as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});

describe("reads of the command control point", () => {
  test.each(idd.command_reads.high_low)("$bytes", (vector) => {
    check(vector, (bytes) => {
      const response = decodeCommandRead(bytes, PLAIN);
      if (response.kind !== "high_low_settings") throw new Error(response.kind);
      return {
        type: response.type,
        first_block_index: response.firstBlockIndex,
        blocks: response.blocks.map(({ durationMin, limitMgdl }) => ({ duration_min: durationMin, limit_mgdl: limitMgdl })),
      };
    });
  });

  test.each(idd.command_reads.response_code)("$bytes", (vector) => {
    check(vector, (bytes) => {
      const response = decodeCommandRead(bytes, PLAIN);
      if (response.kind !== "response_code") throw new Error(response.kind);
      return { request_opcode: hex4(response.requestOpcode), code: response.code };
    });
  });

  test("the maximum bolus, in either width; another operation code is none of them", () => {
    expect(decodeCommandRead(fromHex("8214fa00"), PLAIN)).toEqual({ kind: "maximum_bolus", amountIu: 250 });
    expect(decodeCommandRead(fromHex("8214190000ff"), PLAIN)).toEqual({ kind: "maximum_bolus", amountIu: 2.5 });
    expect(() => decodeCommandRead(fromHex("4b1400"), PLAIN)).toThrow(expect.objectContaining({ problem: "opcode" }));
    expect([CommandReadOpcode.GetHighLowSettings, SettingsType.High, SettingsType.Low]).toEqual([0x148e, 1, 0]);
  });
});

describe("annunciation status", () => {
  test("none, one, and what stands behind it", () => {
    expect(decodeAnnunciationStatus(fromHex("00"), PLAIN)).toBeUndefined();
    expect(decodeAnnunciationStatus(fromHex("0000112233"), PLAIN)).toBeUndefined();
    expect(decodeAnnunciationStatus(fromHex("07050330f33301000200ff"), PLAIN)).toEqual({
      instanceId: 0x0305,
      type: 0xf330,
      code: 0x330,
      state: "pending",
      auxiliary: [1, 2],
      rest: Uint8Array.of(0xff),
    });
    expect(decodeAnnunciationStatus(fromHex("01050330033c"), PLAIN)).toMatchObject({ code: undefined, state: "snoozed" });
    expect(() => decodeAnnunciationStatus(fromHex("0105"), PLAIN)).toThrow(expect.objectContaining({ problem: "length" }));
  });
});
