import type { PumpState } from "@jelling/minimed";
import { toHex } from "jelling/bytes";

/** A state as an object for `--json`: times as UTC, octets and large numbers as hexadecimal digits. The serial number is not in it. */
export function stateJson({ epochMs, link, heardAtMs, hint, values }: PumpState): Record<string, unknown> {
  const utc = (atMs: number): string => new Date(Math.round(atMs + epochMs)).toISOString();
  const plain = (value: unknown, name = ""): unknown => {
    if (typeof value === "bigint") return `0x${value.toString(16)}`;
    if (value instanceof Uint8Array) return toHex(value);
    if (typeof value === "number" && name.endsWith("AtMs")) return utc(value);
    if (Array.isArray(value)) return value.map((each: unknown) => plain(each));
    if (typeof value !== "object" || value === null) return value;
    if (isLocal(value)) return localText(value);
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== "serial")
        .map(([key, each]) => [key.endsWith("AtMs") ? key.slice(0, -2) : key, plain(each, key)]),
    );
  };
  const told = Object.entries(values).map(([name, { value, atMs }]) => [name, { at: utc(atMs), value: plain(value) ?? null }]);
  return {
    link: { ...link, sinceMs: undefined, since: utc(link.sinceMs) },
    heard: heardAtMs === undefined ? null : utc(heardAtMs),
    hint,
    ...Object.fromEntries(told),
  };
}

interface Local {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

function isLocal(value: object): value is Local {
  return ["year", "month", "day", "hour", "minute", "second"].every((name) => name in value);
}

const two = (value: number): string => String(value).padStart(2, "0");

/** "2031-03-02T09:00:00", as the pump's display tells time. */
export function localText({ year, month, day, hour, minute, second }: Local): string {
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
}

/** What the pump's display shows at another time, given what it showed at one; `undefined` without its clock. */
export function pumpTime({ values }: Pick<PumpState, "values">): ((atMs: number) => string) | undefined {
  const { clock } = values;
  if (!clock?.value) return undefined;
  const { year, month, day, hour, minute, second } = clock.value;
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return (atMs) => new Date(localMs + atMs - clock.atMs).toISOString().slice(0, 19);
}
