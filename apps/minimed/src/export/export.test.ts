import { expect, test } from "vitest";
import { at, DAY, HOUR, MemoryView, MINUTE, PUMP, seededView, statusPoint, when } from "../../test/memory-view.ts";
import { csvCell } from "./csv.ts";
import { EXPORT_COLUMNS, EXPORT_KINDS, exportCsv, exportJsonLines } from "./index.ts";

const T = Date.UTC(2026, 2, 28, 22);
const whole = { fromMs: T - DAY, toMs: T + 10 * DAY };

async function textOf(parts: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const part of parts) text += part;
  return text;
}

/** Reads RFC 4180. */
function parseCsv(text: string): Record<string, string>[] {
  const rows: string[][] = [[]];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted && character === '"' && text[i + 1] === '"') {
      cell += '"';
      i++;
    } else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "," || character === "\r")) {
      rows.at(-1)!.push(cell);
      cell = "";
      if (character === "\r") {
        if (text[++i] !== "\n") throw new Error("CR alone");
        rows.push([]);
      }
    } else cell += character;
  }
  if (quoted || rows.pop()!.length > 0) throw new Error("the last line has no end");
  const [header, ...lines] = rows;
  return lines.map((line) => {
    expect(line).toHaveLength(header!.length);
    return Object.fromEntries(header!.map((name, i) => [name, line[i]!]));
  });
}

/** One event of each kind, with every field that it may have. */
const everything = (): MemoryView =>
  new MemoryView({
    glucose: [
      { ...at(T, 1), mgdl: 112, cause: undefined, trendMgdlPerMin: -1.5 },
      { ...when(T + 5 * MINUTE), ref: undefined, mgdl: undefined, cause: "warm_up", trendMgdlPerMin: undefined },
    ],
    boluses: [
      {
        ...at(T + 1000, 2),
        bolusId: 7,
        kind: "multiwave",
        automatic: false,
        programmedIu: { fast: 3, extended: 2 },
        deliveredIu: { fast: 3, extended: 1.25 },
        durationMin: 90,
        endReason: "canceled",
      },
    ],
    microBoluses: [{ ...at(T + 2000, 3), amountIu: 0.025 }],
    basal: [{ ...at(T + 3000, 4), rate: 0.85, source: "temporary" }],
    meals: [{ ...at(T + 4000, 5), carbohydratesG: 42.5 }],
    bloodGlucose: [{ ...at(T + 5000, 6), mgdl: 130, calibration: "accepted" }],
    alerts: [{ ...at(T + 6000, 7), instanceId: 77, code: 802, name: "low_sg_plgm_alert", clearedAtMs: T + HOUR }],
    suspensions: [{ ...at(T + 7000, 8), reason: "user_suspended", endedAtMs: T + 2 * HOUR, endReason: "user_selects_resume" }],
    loopTransitions: [{ ...at(T + 8000, 9), active: false, reason: "out_alarm" }],
    clockChanges: [{ ...at(T + 9000, 10), reason: "set_date_time" }],
    sensorStarts: [{ ...when(T + 10_000), runTimeHours: 168 }],
    status: [statusPoint(T + 11_000)],
  });

test("every event is one row, every field of it one column; times are UTC and the pump's own", async () => {
  const rows = parseCsv(await textOf(exportCsv(everything(), whole)));
  expect(rows.map(({ kind }) => kind)).toEqual([
    "glucose",
    "bolus",
    "micro_bolus",
    "basal",
    "meal",
    "blood_glucose",
    "alert",
    "suspension",
    "loop_transition",
    "clock_change",
    "sensor_start",
    "status",
    "glucose",
  ]);
  expect(rows[0]).toMatchObject({
    time_utc: "2026-03-28T22:00:00.000Z",
    time_local: "2026-03-29T00:00:00",
    glucose_mgdl: "112",
    glucose_trend_mgdl_per_min: "-1.5",
    pump: PUMP,
    segment: "0",
    sequence_number: "1",
  });
  expect(rows[1]).toMatchObject({
    bolus_id: "7",
    bolus_kind: "multiwave",
    bolus_automatic: "false",
    programmed_fast_iu: "3",
    programmed_extended_iu: "2",
    delivered_fast_iu: "3",
    delivered_extended_iu: "1.25",
    duration_min: "90",
    end_reason: "canceled",
    glucose_mgdl: "",
  });
  expect(rows[2]!.micro_bolus_iu).toBe("0.025");
  expect(rows[3]).toMatchObject({ basal_rate_iu_per_h: "0.85", basal_source: "temporary" });
  expect(rows[4]!.carbohydrates_g).toBe("42.5");
  expect(rows[5]).toMatchObject({ blood_glucose_mgdl: "130", calibration: "accepted" });
  expect(rows[6]).toMatchObject({
    alert_instance: "77",
    alert_code: "802",
    alert_name: "low_sg_plgm_alert",
    end_time_utc: "2026-03-28T23:00:00.000Z",
  });
  expect(rows[7]).toMatchObject({
    reason: "user_suspended",
    end_reason: "user_selects_resume",
    end_time_utc: "2026-03-29T00:00:00.000Z",
  });
  expect(rows[8]).toMatchObject({ loop_active: "false", reason: "out_alarm" });
  expect(rows[9]!.reason).toBe("set_date_time");
  expect(rows[10]).toMatchObject({ sensor_run_time_hours: "168", sequence_number: "", pump: "" });
  expect(rows[11]).toMatchObject({
    time_local: "",
    insulin_on_board_iu: "1.25",
    reservoir_iu: "143.5",
    battery_percent: "75",
    transmitter_battery_percent: "90",
    therapy_state: "run",
    operational_state: "ready",
    sensor_message: "no_message",
    shield: "auto_basal_mode",
  });
  expect(rows[12]).toMatchObject({ glucose_mgdl: "", glucose_cause: "warm_up", sequence_number: "" });
});

test("what is open has no end", async () => {
  const view = everything();
  view.events.alerts = [{ ...view.events.alerts[0]!, clearedAtMs: undefined }];
  view.events.suspensions = [{ ...view.events.suspensions[0]!, endedAtMs: undefined, endReason: undefined }];
  const rows = parseCsv(await textOf(exportCsv(view, whole, { kinds: ["alert", "suspension"] })));
  expect(rows.map(({ end_time_utc }) => end_time_utc)).toEqual(["", ""]);
});

test("JSON lines have the same names in the same order, with numbers as numbers and nothing for what is not there", async () => {
  const view = everything();
  const lines = (await textOf(exportJsonLines(view, whole))).split("\n");
  expect(lines.pop()).toBe("");
  const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(rows[0]).toEqual({
    time_utc: "2026-03-28T22:00:00.000Z",
    time_local: "2026-03-29T00:00:00",
    kind: "glucose",
    glucose_mgdl: 112,
    glucose_trend_mgdl_per_min: -1.5,
    pump: PUMP,
    segment: 0,
    sequence_number: 1,
  });
  const csv = parseCsv(await textOf(exportCsv(view, whole)));
  expect(rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])))).toEqual(
    csv.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== ""))),
  );
  for (const row of rows) {
    const names = Object.keys(row);
    expect(names).toEqual(EXPORT_COLUMNS.filter((name) => names.includes(name)));
  }
});

test("text that a spreadsheet would run is text", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r\n=cmd|' /C calc'!A0", "|x", "%x", "＝1+1", "＠x", "\u0000=1"]) {
    expect(csvCell(text)).toBe(`"'${text.replaceAll('"', '""')}"`);
  }
  expect(csvCell(-1.5)).toBe("-1.5");
  expect(csvCell(0)).toBe("0");
  expect(csvCell(false)).toBe("false");
  expect(csvCell("")).toBe("");
  expect(csvCell(undefined)).toBe("");
  expect(csvCell("2026-03-29T00:00:00")).toBe("2026-03-29T00:00:00");
});

test("quotes, commas and ends of lines come back as they were (RFC 4180)", async () => {
  for (const reason of ['say "no"', "a,b", "a\r\nb", "a\nb", " a", 'a"', "a;b"]) {
    const view = new MemoryView({ clockChanges: [{ ...at(T, 1), reason }] });
    expect(parseCsv(await textOf(exportCsv(view, whole)))[0]!.reason).toBe(reason);
  }
  expect(csvCell('a"b')).toBe('"a""b"');
});

test("a choice of kinds asks for these only", async () => {
  for (const kind of EXPORT_KINDS) {
    const view = everything();
    const rows = parseCsv(await textOf(exportCsv(view, { fromMs: T, toMs: T + HOUR }, { kinds: [kind] })));
    expect(new Set(rows.map((row) => row.kind))).toEqual(new Set([kind]));
    expect(view.asked).toBe(1);
  }
});

test("a part holds a day at most, and the days together hold everything once, whatever the range begins with", async () => {
  const view = seededView(3, { fromMs: T, days: 4 });
  const { gaps: _, ...events } = view.events;
  for (const [fromMs, toMs] of [
    [T, T + 4 * DAY],
    [T + 5 * HOUR + 1, T + 2 * DAY],
    [T, T],
    [T - 1, T + 1],
  ] as const) {
    const seen: string[] = [];
    for await (const part of exportJsonLines(view, { fromMs, toMs })) {
      const times = part
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { time_utc: string }).time_utc);
      expect(new Set(times.map((time) => time.slice(0, 10))).size).toBe(1);
      expect(times).toEqual(times.toSorted());
      seen.push(...times);
    }
    const expected = Object.values(events).flatMap((list) =>
      (list as { atMs: number }[]).filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ atMs }) => new Date(atMs).toISOString()),
    );
    expect(seen.toSorted()).toEqual(expected.toSorted());
  }
});

test("what lasts over midnight is told once, by a view that tells all that a range touches", async () => {
  class Touching extends MemoryView {
    override suspensions = (): MemoryView["events"]["suspensions"] => this.events.suspensions;
  }
  const midnight = Date.UTC(2026, 2, 29);
  const view = new Touching({
    suspensions: [{ ...at(midnight - HOUR, 1), reason: "user_suspended", endedAtMs: midnight + HOUR, endReason: "x" }],
  });
  expect(parseCsv(await textOf(exportCsv(view, { fromMs: midnight - DAY, toMs: midnight + DAY })))).toHaveLength(1);
});

test("events of one instant are in the order of their records", async () => {
  const view = new MemoryView({ meals: [{ ...at(T, 5), carbohydratesG: 1 }], basal: [{ ...at(T, 6), rate: 1, source: "context" }] });
  const kinds = parseCsv(await textOf(exportCsv(view, whole))).map(({ kind }) => kind);
  expect(kinds).toEqual(["meal", "basal"]);
});

test("an export is stopped by its signal, and refuses what it does not know at the call", async () => {
  const view = seededView(3, { fromMs: T, days: 3 });
  const controller = new AbortController();
  const parts = exportCsv(view, { fromMs: T, toMs: T + 3 * DAY }, { signal: controller.signal });
  await parts.next();
  await parts.next();
  controller.abort(new Error("enough"));
  await expect(parts.next()).rejects.toThrow("enough");
  for (const exporter of [exportCsv, exportJsonLines]) {
    expect(() => exporter(view, { fromMs: 1, toMs: 0 })).toThrow("ends before it begins");
    expect(() => exporter(view, { fromMs: 0, toMs: Number.POSITIVE_INFINITY })).toThrow("toMs");
    expect(() => exporter(view, { fromMs: Number.NaN, toMs: 0 })).toThrow("fromMs");
    expect(() => exporter(view, { fromMs: "2026" as never, toMs: 0 })).toThrow("a string");
    expect(() => exporter(view, null as never)).toThrow("null");
    expect(() => exporter(view, whole, { kinds: ["gluclose" as never] })).toThrow("kinds");
    expect(() => exporter(view, whole, { kinds: "glucose" as never })).toThrow("an array");
    expect(() => exporter(view, whole, { kind: [] } as never)).toThrow("kinds");
    expect(() => exporter(view, whole, { signal: 1 as never })).toThrow("AbortSignal");
  }
});
