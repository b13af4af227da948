/// <reference lib="esnext.disposable" preserve="true" />
export {
  bool8,
  bytes,
  bytes8,
  type Codec,
  type CodecForm,
  type CodecPart,
  type DecodeOptions,
  decode,
  encode,
  formOf,
  type Infer,
  i8,
  i16,
  i24,
  i32,
  list,
  repeated,
  rest,
  struct,
  typedAddress,
  u8,
  u16,
  u24,
  u32,
  u64,
} from "./codec.ts";
export { DecodeError, type DecodeFault } from "./decode-error.ts";
export { concat, equalBytes, fromHex, toHex } from "./hex.ts";
export { Reader } from "./reader.ts";
export { type BitField, bitFields, bitsAt, flag, type InferBitField } from "./values/bit-fields.ts";
export {
  adjustReason,
  type CurrentTime,
  currentTime,
  currentTimeOf,
  type DateTime,
  type DayDateTime,
  dateTime,
  dayDateTime,
  dayOfWeek,
  type Weekday,
} from "./values/date-time.ts";
export { type Enumerated, type EnumerationNames, enumeration } from "./values/enumeration.ts";
export {
  type AlwaysField,
  always,
  byWidth,
  type Flagged,
  flagged,
  type PresentField,
  unless,
  type WidthField,
  when,
} from "./values/flagged.ts";
export {
  decodeFloat,
  decodeSfloat,
  encodeFloat,
  encodeSfloat,
  type FloatSpecial,
  float,
  type MedicalFloat,
  type MedicalNumber,
  sfloat,
} from "./values/medical-float.ts";
export { orUnknown, ranged, type ScaledOptions, scaled } from "./values/numbers.ts";
export { type TextOptions, text, utf8, uuid, uuid16, uuid128 } from "./values/text.ts";
export { Writer } from "./writer.ts";
