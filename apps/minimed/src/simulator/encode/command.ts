import { encodeSfloat, Writer } from "jelling/bytes";
import { writeAmount } from "./amount.ts";

const RESULT = 0x0f55;
const HIGH_LOW_SETTINGS = 0x148f;
const MAXIMUM_BOLUS = 0x1482;
/** One answer has room for so many blocks. */
const BLOCKS_AT_ONCE = 3;

/** A limit from the end of the block before it on; 0 is off. */
export interface LimitBlock {
  readonly durationMin: number;
  readonly limitMgdl: number;
}

export function encodeCommandResult(requestOpcode: number, code: number): Uint8Array {
  const writer = new Writer(8);
  writer.u16(RESULT);
  writer.u16(requestOpcode);
  writer.u8(code);
  return writer.finish();
}

/** What Command Data say of the limits of a day: up to three blocks each. @param type 0 low, 1 high */
export function encodeHighLowSettings(type: number, blocks: readonly LimitBlock[]): Uint8Array[] {
  const values: Uint8Array[] = [];
  for (let first = 0; first < blocks.length; first += BLOCKS_AT_ONCE) {
    const some = blocks.slice(first, first + BLOCKS_AT_ONCE);
    const writer = new Writer(20);
    writer.u16(HIGH_LOW_SETTINGS);
    writer.u8((some.length > 1 ? 1 : 0) | (some.length > 2 ? 2 : 0));
    writer.u8(type);
    writer.u8(first);
    for (const { durationMin, limitMgdl } of some) {
      writer.u16(durationMin);
      writer.u16(encodeSfloat(limitMgdl));
    }
    values.push(writer.finish());
  }
  return values;
}

export function encodeMaximumBolus(amountIu: number): Uint8Array {
  const writer = new Writer(8);
  writer.u16(MAXIMUM_BOLUS);
  writeAmount(writer, amountIu);
  return writer.finish();
}
