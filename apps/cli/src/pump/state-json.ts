import { addSeconds, formatLocal, type LocalDateTime, type PumpState } from "@jelling/minimed";
import { toHex } from "jelling/bytes";

/** A state as an object for `--json`: times as UTC, octets and large numbers as hexadecimal digits. The serial number is not in it. */
export function stateJson({ epochMs, link, heardAtMs, hint, problems = {}, values }: PumpState): Record<string, unknown> {
  const utc = (atMs: number): string => new Date(Math.round(atMs + epochMs)).toISOString();
  const plain = (value: unknown, name = ""): unknown => {
    if (typeof value === "bigint") return `0x${value.toString(16)}`;
    if (value instanceof Uint8Array) return toHex(value);
    if (typeof value === "number" && name.endsWith("AtMs")) return utc(value);
    if (Array.isArray(value)) return value.map((each: unknown) => plain(each));
    if (typeof value !== "object" || value === null) return value;
    if (isLocal(value)) return formatLocal(value);
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
    problems: Object.keys(problems).length > 0 ? problems : undefined,
    ...Object.fromEntries(told),
  };
}

function isLocal(value: object): value is LocalDateTime {
  return ["year", "month", "day", "hour", "minute", "second"].every((name) => name in value);
}

/** What the pump's display shows at another time, given what it showed at one; `undefined` without its clock. */
export function pumpTime({ values }: Pick<PumpState, "values">): ((atMs: number) => string) | undefined {
  const { clock } = values;
  if (!clock?.value) return undefined;
  const { value, atMs: readAtMs } = clock;
  return (atMs) => formatLocal(addSeconds(value, Math.floor((atMs - readAtMs) / 1000)));
}
