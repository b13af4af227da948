import type { FieldDescription, Fields } from "../../mgmt-protocol/index.ts";

const WIDTHS: Readonly<Partial<Record<FieldDescription["type"], number>>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  u24: 3,
  u32: 4,
  u64: 8,
  bdaddr: 6,
  uuid128: 16,
};

/** Octets that are there whatever the values; those of variable fields count as none. */
export function fixedLength(fields: Fields): number {
  let length = 0;
  for (const { description } of Object.values(fields)) length += widthOf(description) ?? 0;
  return length;
}

/** Whether every packet with these fields has the same length. */
export function isFixed(fields: Fields): boolean {
  return Object.values(fields).every(({ description }) => widthOf(description) !== undefined);
}

function widthOf({ type, count, optional, fields }: FieldDescription): number | undefined {
  if (optional) return undefined;
  if (fields) return isFixed(fields) ? fixedLength(fields) : undefined;
  return WIDTHS[type] ?? (type === "list" ? undefined : count);
}
