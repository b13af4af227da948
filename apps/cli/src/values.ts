import { toHex } from "jelling/bytes";
import type { Uuid } from "jelling/core";
import { asText, quoted } from "./text.ts";

type Read = (view: DataView) => string | undefined;

/** What values of common characteristics mean to a person; `undefined` for octets that are not such a value. */
const READERS: Readonly<Record<number, Read>> = {
  10777: (view) => (view.byteLength === 1 ? `${view.getUint8(0)} %` : undefined),
  10807: (view) => {
    if (view.byteLength < 2) return undefined;
    const wide = (view.getUint8(0) & 1) !== 0;
    if (wide && view.byteLength < 3) return undefined;
    return `${wide ? view.getUint16(1, true) : view.getUint8(1)} bpm`;
  },
  10808: (view) => ["other", "chest", "wrist", "finger", "hand", "ear lobe", "foot"][view.byteLength === 1 ? view.getUint8(0) : -1],
  10862: (view) => (view.byteLength === 2 ? `${(view.getInt16(0, true) / 100).toFixed(2)} °C` : undefined),
  10863: (view) => (view.byteLength === 2 ? `${(view.getUint16(0, true) / 100).toFixed(2)} %` : undefined),
  10780: (view) => {
    if (view.byteLength < 5) return undefined;
    const exponent = view.getInt8(4);
    const mantissa = ((view.getInt8(3) << 16) | view.getUint16(1, true)) >> 0;
    if (exponent < -6 || exponent > 6) return undefined;
    return `${(mantissa * 10 ** exponent).toFixed(Math.max(0, -exponent))} ${view.getUint8(0) & 1 ? "°F" : "°C"}`;
  },
};

/** Octets, and what they mean where that is known: a number with its unit, or text. */
export function describeValue(value: Uint8Array, uuid: Uuid | undefined): string {
  if (value.length === 0) return "(empty)";
  const meaning = meaningOf(value, uuid);
  return meaning === undefined ? toHex(value) : `${toHex(value)}  ${meaning}`;
}

/** As `describeValue`, the meaning alone. */
export function meaningOf(value: Uint8Array, uuid: Uuid | undefined): string | undefined {
  const read = uuid?.short === undefined ? undefined : READERS[uuid.short];
  const known = read?.(new DataView(value.buffer, value.byteOffset, value.byteLength));
  if (known !== undefined) return known;
  const text = asText(value);
  return text === undefined ? undefined : quoted(text);
}
