import { Uuid } from "../core/uuid.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { bitNames, type FieldDescription, type Fields, nameOf, present, REDACTED, Status } from "../mgmt-protocol/index.ts";
import { hexText, quoted, uuidText } from "./text.ts";

interface Showing {
  /** Zeros stand in place of secrets. */
  readonly redacted: boolean;
  /** How advertising data is told. */
  readonly advertisingData: (data: AdvertisingData) => string;
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;
const BIT_DIGITS: Readonly<Record<string, number>> = { u8: 2, u16: 4, u24: 6, u32: 8 };

function numberText({ enumeration, bits, unit, invalid, type }: FieldDescription, value: number): string {
  if (value === invalid) return `${value} (not known)`;
  if (enumeration === Status) return `${nameOf(Status, value) ?? "unknown"} (${hex(value, 2)})`;
  if (enumeration) {
    const name = nameOf(enumeration, value);
    return name === undefined ? String(value) : `${value} (${name})`;
  }
  if (bits) {
    const names = bitNames(bits, value);
    const text = hex(value, BIT_DIGITS[type] ?? 8);
    return names.length > 0 ? `${text} (${names.join(", ")})` : text;
  }
  if (unit === undefined) return String(value);
  const unitMs = /^([\d.]+) ms$/.exec(unit)?.[1];
  return unitMs === undefined ? `${value} ${unit}` : `${value} (${value * Number(unitMs)} ms)`;
}

function valueText(name: string, description: FieldDescription | undefined, value: unknown, showing: Showing): string {
  if (description?.secret && showing.redacted) return REDACTED;
  if (isAdvertisingData(name, description, value)) return showing.advertisingData(new AdvertisingData(value));
  if (value instanceof Uint8Array) return value.length > 0 ? hexText(value) : '""';
  if (value instanceof Uuid) return uuidText(value);
  if (Array.isArray(value)) return `[${value.map((entry) => valueText("", description?.of?.description, entry, showing)).join(", ")}]`;
  switch (typeof value) {
    case "number":
      return description ? numberText(description, value) : String(value);
    case "bigint":
      return `0x${value.toString(16)}`;
    case "string":
      return description?.type === "bdaddr" ? value : quoted(value);
    case "object":
      return value === null ? "null" : `{${declaredText(description?.fields ?? {}, value as Record<string, unknown>, showing)}}`;
    default:
      return String(value);
  }
}

/** `eir` is the form of the capabilities of a controller as well, whose types are other ones. */
function isAdvertisingData(name: string, description: FieldDescription | undefined, value: unknown): value is Uint8Array {
  return description?.type === "eir" && /^(eir|ad)Data$/.test(name) && value instanceof Uint8Array;
}

/** `field=value` of a management packet, told by its declaration: numbers with their names and units. */
export function declaredText(fields: Fields, values: Readonly<Record<string, unknown>>, showing: Showing): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${valueText(name, fields[name]?.description, value, showing)}`)
    .join(" ");
}

/**
 * The values of a management packet for JSON, as the protocol presents them: names where there are any.
 *
 * @param advertisingData how advertising data is told
 */
export function declaredJson(
  fields: Fields,
  values: Readonly<Record<string, unknown>>,
  { redacted, advertisingData }: { redacted: boolean; advertisingData: (data: AdvertisingData) => unknown },
): Record<string, unknown> {
  const shown = present(fields, values, { secrets: !redacted });
  for (const [name, value] of Object.entries(values)) {
    const description = fields[name]?.description;
    if (shown[name] === REDACTED) continue;
    if (isAdvertisingData(name, description, value)) shown[name] = advertisingData(new AdvertisingData(value));
    else if (!description && value instanceof Uint8Array) shown[name] = hexText(value);
  }
  return shown;
}
