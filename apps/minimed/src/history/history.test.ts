import fc from "fast-check";
import { fromHex, toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { type DecodeVector, readVectors } from "../../test/vectors.ts";
import { addSeconds, formatLocal } from "../data/date-time.ts";
import { PumpDataError } from "../data/error.ts";
import { openFrame } from "../sake/frame.ts";
import { decodeHistoryRecord, eventNameOf, type HistoryRecord } from "./record.ts";
import { decodeHistoryAccessResponse, HistoryAccessOpcode, HistoryFilter, rangeOperand, recordsOperand } from "./record-access.ts";
import { HistoryTimeline } from "./timeline.ts";

type Plain = Record<string, unknown>;
interface RecordVector {
  name: string;
  bytes: string;
  e2e?: boolean;
  peer?: string;
  error?: string;
  expected?: { event_type: string; event_name: string; sequence_number: number; relative_offset_s: number; data: Plain };
}
interface Vectors {
  history: RecordVector[];
  history_timeline: {
    records: {
      bytes: string;
      sequence_number: number;
      local_time: string | null;
      sample_local_time: string | null;
      elapsed_since_segment_start_s: number | null;
    }[];
  };
  fragments: { key: string; nonce: string; first_seq: number; record: string; mtu_23: string[]; mtu_184: string[] };
  idd: { racp: { requests: { name: string; bytes: string }[]; responses: DecodeVector<Plain>[] } };
}
const vectors = readVectors<Vectors>("minimed");
const or = (value: unknown): unknown => value ?? null;

/** Event data in the words of the vectors. */
function words({ data, raw }: HistoryRecord): Plain {
  if (!data) return { raw: toHex(raw) };
  switch (data.name) {
    case "bolus_programmed_p1":
    case "bolus_delivered_p1":
      return {
        bolus_id: data.bolusId,
        bolus_type: data.bolusType,
        fast_amount_iu: data.fastIu,
        extended_amount_iu: data.extendedIu,
        duration_min: data.durationMin,
      };
    case "bolus_programmed_p2":
      return {
        flags: data.flags,
        delay_time_min: or(data.delayMin),
        template_number: or(data.templateNumber),
        activation_type: or(data.activation),
        reason_correction: data.isCorrection,
        reason_meal: data.isMeal,
      };
    case "bolus_delivered_p2":
      return {
        start_time_offset_s: data.startOffsetSeconds,
        activation_type: or(data.activation),
        end_reason: or(data.endReason),
        annunciation_instance_id: or(data.annunciationInstanceId),
      };
    case "delivered_basal_rate_changed":
      return { old_rate_iu_per_h: data.oldRate, new_rate_iu_per_h: data.newRate, context: or(data.context) };
    case "max_auto_basal_rate_changed":
      return { old_rate_iu_per_h: data.oldRate, new_rate_iu_per_h: data.newRate };
    case "max_bolus_amount_changed":
      return { old_amount_iu: data.oldIu, new_amount_iu: data.newIu };
    case "auto_basal_delivery":
      return { bolus_number: data.bolusNumber, amount_iu: data.amountIu };
    case "cl1_transition":
      return { transition_state: data.transition };
    case "therapy_context":
      return {
        flags: data.flags,
        basal_rate_iu_per_h: or(data.basalRate),
        stopped_reason: or(data.stopReason),
        tbr: or(data.temporaryBasal),
      };
    case "meal":
      return { food_amount_g: data.carbohydratesG };
    case "bg_reading":
    case "calibration_complete":
    case "calibration_rejected":
      return { time_offset_min: data.timeOffsetMin, glucose_mgdl: data.glucoseMgdl };
    case "insulin_delivery_stopped":
    case "insulin_delivery_restarted":
      return { reason: data.reason };
    case "sg_measurement":
      return {
        time_offset_min: data.timeOffsetMin,
        sg_raw: data.word,
        sg_mgdl: or(data.glucoseMgdl),
        sg_special: or(data.special),
        isig_raw: data.isigRaw,
        isig: data.isig,
        v_counter: data.vCounter,
      };
    case "cgm_analytics_data_backfill":
      return { time_offset_min: data.timeOffsetMin, psgv: data.psgv, cal_factor: data.calibrationFactor };
    case "ngp_reference_time":
      return { recording_reason: data.reason, local_date_time: data.local && formatLocal(data.local) };
    case "annunciation_cleared":
      return { fault_type: data.faultType, instance_id: data.instanceId };
    case "annunciation_consolidated":
      return {
        event_flags: data.flags,
        instance_id: data.instanceId,
        annunciation_type: data.code?.toString(16).padStart(3, "0"),
        annunciation_name: or(data.codeName),
        status: data.state,
        local_timestamp: formatLocal(data.raisedAt),
        silenced: data.silenced,
        aux: data.auxiliary,
      };
  }
}

describe("records", () => {
  const good = vectors.history.filter(({ expected }) => expected);
  test.each(good.map((vector) => [vector.name, vector] as const))("%s", (_name, { bytes, e2e = false, expected }) => {
    const record = decodeHistoryRecord(fromHex(bytes), { e2e });
    expect(record.problem).toBeUndefined();
    expect(record.eventType.toString(16).padStart(4, "0")).toBe(expected!.event_type);
    expect([record.sequenceNumber, record.relativeOffsetSeconds]).toEqual([expected!.sequence_number, expected!.relative_offset_s]);
    if (record.data) expect(record.data.name).toBe(expected!.event_name);
    const { glucose_kg_per_l: _kg, ...data } = expected!.data;
    expect(words(record)).toEqual(data);
  });

  const bad = vectors.history.filter(({ error, name }) => error && name !== "short_header");
  test.each(bad.map((vector) => [vector.name, vector] as const))("%s is kept, with what is wrong with it", (_name, { bytes, error }) => {
    const record = decodeHistoryRecord(fromHex(bytes), { e2e: false });
    expect(record.problem).toMatchObject({ code: "ERR_PUMP_DATA", problem: error });
    expect(toHex(record.raw)).toBe(bytes.slice(16));
    expect(record.eventName).toBeDefined();
  });

  test.each([
    ["bolus_programmed_multiwave_55", { bolusType: "multiwave" }],
    ["cl1_transition_unknown", { transition: 9 }],
    ["delivery_stopped_unknown", { reason: 6 }],
    ["annunciation_timestamp_flags_clear", { codeName: "insert_battery_alert" }],
  ] as const)("%s is decoded, with the unknown value as a number", (name, data) => {
    const { bytes } = vectors.history.find((vector) => vector.name === name)!;
    const record = decodeHistoryRecord(fromHex(bytes), { e2e: false });
    expect([record.problem, record.data]).toEqual([undefined, expect.objectContaining(data)]);
  });

  test("a day that does not exist is a problem of its field, and the reason is known all the same", () => {
    const { bytes } = vectors.history.find(({ name }) => name === "ref_impossible_date")!;
    const record = decodeHistoryRecord(fromHex(bytes), { e2e: false });
    expect(record.problem).toMatchObject({ problem: "value" });
    expect(record.data).toEqual({ name: "ngp_reference_time", reason: "periodic_recording", local: undefined });
  });

  test("octets behind what is known are kept beside it", () => {
    const { bytes } = vectors.history.find(({ name }) => name === "annunciation_unexpected_aux")!;
    const { data, rest } = decodeHistoryRecord(fromHex(bytes), { e2e: false });
    expect([data?.name, toHex(rest)]).toEqual(["annunciation_consolidated", "0000"]);
  });

  test("an alarm whose auxiliary data are cut short is an alarm all the same", () => {
    const { bytes } = vectors.history.find(({ name }) => name === "annunciation_bolus_stopped")!;
    for (const [octets, auxiliary, rest] of [
      [8, { units_programmed: 5, units_delivered: 2.1 }, ""],
      [7, { units_programmed: 5 }, "150000"],
      [4, { units_programmed: 5 }, ""],
      [3, {}, "050000"],
      [0, {}, ""],
    ] as const) {
      const record = decodeHistoryRecord(fromHex(bytes.slice(0, -16 + 2 * octets || undefined)), { e2e: false });
      expect(record.data).toMatchObject({ name: "annunciation_consolidated", code: 0x33, instanceId: 17_734, state: "pending" });
      expect((record.data as { auxiliary?: unknown }).auxiliary).toEqual(auxiliary);
      expect([toHex(record.rest), record.problem?.problem]).toEqual([rest, octets === 8 ? undefined : "length"]);
    }
  });

  test("a reminder has one octet or two", () => {
    const { bytes } = vectors.history.find(({ name }) => name === "annunciation_personal_reminder")!;
    for (const more of ["", "00"]) {
      const { problem, data } = decodeHistoryRecord(fromHex(bytes + more), { e2e: false });
      expect([problem, data]).toEqual([undefined, expect.objectContaining({ auxiliary: { reminder_name: 4 } })]);
    }
  });

  test("a record without its header, or with a wrong CRC, is no record", () => {
    const of = (hex: string, e2e: boolean) => () => decodeHistoryRecord(fromHex(hex), { e2e });
    expect(of("05f00100000001", false)).toThrow(expect.objectContaining({ problem: "length" }));
    expect(of("05f04d00000009002d0001941c", true)).toThrow(expect.objectContaining({ problem: "crc" }));
    expect(of("05", true)).toThrow(expect.objectContaining({ problem: "length" }));
    expect(of("ffff", true)).toThrow(expect.objectContaining({ problem: "length" }));
  });

  test("whatever comes behind a header is kept: nothing else is thrown, and nothing is lost", () => {
    const types = [
      90, 102, 105, 150, 153, 1020, 15, 816, 61441, 61442, 61444, 61445, 61447, 61450, 61451, 61452, 61453, 61454, 61455, 61456, 61466,
    ];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), (type, data) => {
        const bytes = Uint8Array.of(type & 0xff, type >> 8, 1, 0, 0, 0, 2, 0, ...data);
        const record = decodeHistoryRecord(bytes, { e2e: false });
        expect(record).toMatchObject({ eventType: type, sequenceNumber: 1, relativeOffsetSeconds: 2 });
        expect(record.raw).toEqual(data);
        expect(record.problem === undefined || record.problem instanceof PumpDataError).toBe(true);
        if (record.data && !record.problem) expect(record.rest).toHaveLength(0);
        new HistoryTimeline().push(record);
      }),
      { numRuns: 500 },
    );
  });

  test("events have names, those that are not decoded too", () => {
    expect([90, 816, 0xf003].map(eventNameOf)).toEqual(["bolus_programmed_p1", "reservoir_remaining_amount_changed", undefined]);
  });
});

test("a record in fragments is one frame each, and their plaintexts joined are the record", () => {
  const { key, nonce, first_seq, record, mtu_23, mtu_184 } = vectors.fragments;
  for (const frames of [mtu_23, mtu_184]) {
    const parts = frames.map((frame, i) => openFrame({ key: fromHex(key), nonce: fromHex(nonce) }, first_seq + 2 * i, fromHex(frame)));
    expect(parts.map((part) => (part.ok ? toHex(part.plaintext) : part.problem)).join("")).toBe(record);
  }
});

describe("times", () => {
  test("local time follows the display, elapsed time runs on through a change of the clock", () => {
    const timeline = new HistoryTimeline();
    for (const { bytes, sequence_number, local_time, sample_local_time, elapsed_since_segment_start_s } of vectors.history_timeline
      .records) {
      const record = decodeHistoryRecord(fromHex(bytes), { e2e: false });
      const { local, sampleLocal, elapsedSeconds } = timeline.push(record);
      expect([
        record.sequenceNumber,
        local ? formatLocal(local) : null,
        sampleLocal ? formatLocal(sampleLocal) : null,
        elapsedSeconds ?? null,
      ]).toEqual([sequence_number, local_time, sample_local_time, elapsed_since_segment_start_s]);
    }
  });

  test("a lost clock begins a segment, and its times are no facts until the clock is set", () => {
    const timeline = new HistoryTimeline();
    const reference = (reason: number, hour: number) =>
      decodeHistoryRecord(Uint8Array.of(0x0e, 0xf0, 1, 0, 0, 0, 0x10, 0x0e, reason, 0xe9, 7, 3, 30, hour, 0, 0), { e2e: false });
    const meal = decodeHistoryRecord(fromHex("05f05d1c000008070c00"), { e2e: false });
    expect(timeline.push(meal)).toEqual({ local: undefined, sampleLocal: undefined, elapsedSeconds: undefined, segment: 0, isLost: false });
    const times = [reference(0x3c, 1), meal, reference(0x55, 0), meal, reference(0x3c, 1), reference(0x33, 9), meal].map((record) =>
      timeline.push(record),
    );
    expect(times.map(({ segment, isLost }) => [segment, isLost])).toEqual([
      [0, false],
      [0, false],
      [1, true],
      [1, true],
      [1, true],
      [1, false],
      [1, false],
    ]);
    expect(times.map(({ elapsedSeconds }) => elapsedSeconds)).toEqual([0, 1800, 0, 1800, 3600, 7200, 9000]);
    expect(times.at(-1)!.local).toEqual(addSeconds(times.at(-2)!.local!, 1800));
  });
});

describe("the control point", () => {
  test("requests have a filter, whatever the operator", () => {
    const { Report, Count, Abort } = HistoryAccessOpcode;
    const made: Record<string, Uint8Array> = {
      count_all: Uint8Array.of(Count, ...recordsOperand("All")),
      last_record: Uint8Array.of(Report, ...recordsOperand("Last")),
      first_record: Uint8Array.of(Report, ...recordsOperand("First")),
      range_1000_to_1010_inclusive: Uint8Array.of(Report, ...rangeOperand(1000, 1010)),
      all_records: Uint8Array.of(Report, ...recordsOperand("All")),
      all_reference_time_records: Uint8Array.of(Report, ...recordsOperand("All", HistoryFilter.ReferenceTime)),
      from_sequence_5000: Uint8Array.of(Report, ...rangeOperand(5000)),
      abort: Uint8Array.of(Abort, 0x0f),
    };
    for (const { name, bytes } of vectors.idd.racp.requests) expect([name, toHex(made[name]!)]).toEqual([name, bytes]);
    expect(Object.keys(made)).toHaveLength(vectors.idd.racp.requests.length);
  });

  test.each(vectors.idd.racp.responses)("$bytes", ({ bytes, expected }) => {
    const response = decodeHistoryAccessResponse(fromHex(bytes));
    expect(
      response.kind === "response_code"
        ? { kind: response.kind, request_opcode: response.requestOpcode.toString(16), code: response.code }
        : response,
    ).toEqual(expected);
  });

  test.each([
    ["1f0f33f0", "opcode"],
    ["0f0f33", "length"],
    ["660fd61500", "length"],
    ["0f0f33f000", "trailing"],
    ["", "length"],
  ])("%s is no response: %s", (bytes, problem) => {
    expect(() => decodeHistoryAccessResponse(fromHex(bytes))).toThrow(expect.objectContaining({ problem }));
  });

  test("a result that nobody knows is kept as a number", () => {
    expect(decodeHistoryAccessResponse(fromHex("0f0f3377"))).toEqual({ kind: "response_code", requestOpcode: 0x33, code: 0x77 });
  });
});
