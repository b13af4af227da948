import type { Writer } from "jelling/bytes";

const MICRO = 1e6;
const MANTISSA_LIMIT = 0x7ffffd;

/** An amount of insulin, or a rate, as a FLOAT in the pump's way: whole numbers with exponent 0, all others in millionths where those fit. */
export function amountWord(value: number): number {
  if (Number.isInteger(value)) return value & 0xffffff;
  let exponent = -6;
  let mantissa = Math.round(value * MICRO);
  for (; Math.abs(mantissa) > MANTISSA_LIMIT; exponent++) mantissa = Math.round(mantissa / 10);
  return (((exponent & 0xff) << 24) | (mantissa & 0xffffff)) >>> 0;
}

export function writeAmount(writer: Writer, value: number): void {
  writer.u32(amountWord(value));
}
