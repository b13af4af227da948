/// <reference lib="esnext.disposable" preserve="true" />
export {
  bool8,
  bytes,
  bytes8,
  type Codec,
  decode,
  encode,
  type Infer,
  i8,
  i16,
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
export { DecodeError } from "./decode-error.ts";
export { concat, equalBytes, fromHex, toHex } from "./hex.ts";
export { Reader } from "./reader.ts";
export { Writer } from "./writer.ts";
