import type { AlertEvent, TherapyView, TimeRange } from "../../store/view.ts";
import { type ItemMaker, type NightscoutItem, plainText, secondOf, stamp } from "./items.ts";

const HOUR_MS = 3_600_000;
/** A set is changed within this time. */
const LONGEST_CHANGE_MS = 6 * HOUR_MS;
/** Two starts of a sensor this near are one: it warms up for longer. */
export const SAME_SENSOR_MS = HOUR_MS / 2;
/** "insert battery", "low pump battery". */
const BATTERY_CODES: ReadonlySet<number> = new Set([0x054, 0x068]);

const isIn = ({ fromMs, toMs }: TimeRange, atMs: number): boolean => atMs >= fromMs && atMs < toMs;

/** Alerts that were chosen, as notes or as announcements. */
export function alertItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const { alerts, announcements, batteryChange } = maker.options;
  const items: NightscoutItem[] = [];
  if (alerts === "all" || alerts.size > 0 || announcements.size > 0)
    for (const alert of view.alerts(range)) {
      const { ref, atMs, code } = alert;
      const isAnnounced = code !== undefined && announcements.has(code);
      if (!isAnnounced && alerts !== "all" && !(code !== undefined && alerts.has(code))) continue;
      items.push(
        maker.treatment(
          { ref },
          { kind: "alert", name: "alert", atMs: stamp(ref, atMs), eventType: isAnnounced ? "Announcement" : "Note" },
          { notes: textOf(alert) },
          { isQuiet: !isAnnounced }, // an announcement snoozes nothing, and is for now
        ),
      );
    }
  if (batteryChange) items.push(...batteryItems(maker, view, range));
  return items;
}

function textOf({ code, name }: AlertEvent): string {
  return plainText(`${code ?? "alert"} ${name ?? ""}`);
}

/** By when an alert about the battery was cleared, which is a guess. */
function batteryItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  return view.alerts({ fromMs: range.fromMs - 24 * HOUR_MS, toMs: range.toMs }).flatMap(({ ref, code, clearedAtMs }) => {
    if (code === undefined || !BATTERY_CODES.has(code) || clearedAtMs === undefined || !isIn(range, clearedAtMs)) return [];
    const at = { kind: "battery_change", name: "battery", atMs: stamp(ref, clearedAtMs), eventType: "Pump Battery Change" } as const;
    return [maker.treatment({ ref }, at, { notes: `alert ${code} cleared` }, { isQuiet: true })];
  });
}

/** SmartGuard on and off. */
export function loopItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  if (!maker.options.loop) return [];
  return view
    .loopTransitions(range)
    .map(({ ref, atMs, active, reason }) =>
      maker.treatment(
        { ref },
        { kind: "loop", name: "loop", atMs: stamp(ref, atMs), eventType: "Note" },
        { notes: `SmartGuard ${active ? "on" : "off"}: ${plainText(reason)}` },
        { isQuiet: true },
      ),
    );
}

/** The pump waits with delivery stopped, is primed, and is ready: a set change, of the moment when it was ready. */
export function siteChangeItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const { siteChange } = maker.options;
  if (siteChange === "none") return [];
  const items: NightscoutItem[] = [];
  let primedAtMs: number | undefined;
  for (const { atMs, therapyState, operationalState } of view.status({ fromMs: range.fromMs - LONGEST_CHANGE_MS, toMs: range.toMs })) {
    if (operationalState === "priming") primedAtMs = atMs;
    if (operationalState !== "ready" || therapyState !== "run" || primedAtMs === undefined) continue;
    const isRecent = atMs - primedAtMs <= LONGEST_CHANGE_MS;
    primedAtMs = undefined;
    if (!isRecent || !isIn(range, atMs)) continue;
    const origin = { time: String(Math.round(atMs)) };
    const at = secondOf(atMs);
    if (siteChange !== "insulin")
      items.push(maker.treatment(origin, { kind: "site_change", name: "site", atMs: at, eventType: "Site Change" }, {}, { isQuiet: true }));
    if (siteChange !== "site")
      items.push(
        maker.treatment(origin, { kind: "insulin_change", name: "insulin", atMs: at, eventType: "Insulin Change" }, {}, { isQuiet: true }),
      );
  }
  return items;
}

/** By the start of the session, never by when it was read. */
export function sensorItems(maker: ItemMaker, view: TherapyView, range: TimeRange): NightscoutItem[] {
  const items: NightscoutItem[] = [];
  let previousMs: number | undefined;
  for (const { atMs, local } of view.sensorStarts({ fromMs: range.fromMs - 12 * HOUR_MS, toMs: range.toMs })) {
    const isSame = previousMs !== undefined && atMs - previousMs <= SAME_SENSOR_MS;
    previousMs = atMs;
    if (isSame || !isIn(range, atMs)) continue;
    const origin = { time: local ?? String(secondOf(atMs)) };
    const at = secondOf(atMs);
    items.push(
      maker.treatment(origin, { kind: "sensor_start", name: "sensor", atMs: at, eventType: "Sensor Start" }, {}, { isQuiet: true }),
    );
    if (maker.options.sensorChange)
      items.push(
        maker.treatment(
          origin,
          { kind: "sensor_change", name: "sensor-change", atMs: at, eventType: "Sensor Change" },
          {},
          { isQuiet: true },
        ),
      );
  }
  return items;
}
