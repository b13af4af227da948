export {
  BtsnoopDatalink,
  BtsnoopReader,
  type CaptureDirection,
  type CaptureRecord,
  encodeBtsnoopHeader,
  encodeBtsnoopRecord,
  readBtsnoop,
} from "./btsnoop.ts";
export { type CaptureSink, CaptureWriter, type CaptureWriterOptions, MemorySink } from "./capture-writer.ts";
export { CaptureDecoder, type DecodedPacket } from "./decoder.ts";
export { CaptureError } from "./error.ts";
export { packetJson, packetLine, packetText, quoted } from "./format.ts";
export { Redactor } from "./redact.ts";
