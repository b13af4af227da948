/// <reference lib="esnext.disposable" preserve="true" />
export { CaptureAnonymizer } from "./anonymous/capture-anonymizer.ts";
export {
  BtsnoopDatalink,
  BtsnoopReader,
  encodeBtsnoopHeader,
  encodeBtsnoopMonitorRecord,
  encodeBtsnoopRecord,
  readBtsnoop,
} from "./btsnoop.ts";
export { type CaptureFormat, CaptureReader, type ReadableFormat, readCapture } from "./capture-reader.ts";
export { CaptureRedactor } from "./capture-redactor.ts";
export { type CaptureSink, CaptureWriter, type CaptureWriterOptions, MemorySink } from "./capture-writer.ts";
export type { DecodedPacket, ManagementDirection } from "./decoded-packet.ts";
export { CaptureDecoder } from "./decoder.ts";
export { CaptureError } from "./error.ts";
export { packetJson, packetLine, packetText } from "./format.ts";
export { managementPacketOf } from "./management.ts";
export {
  createMonitorRecord,
  decodeMonitorPayload,
  decodeMonitorRecord,
  encodeMonitorRecord,
  encodeUserLogging,
  type MonitorFields,
  type MonitorPayload,
  type MonitorRecordName,
} from "./monitor.ts";
export { type MonitoredSocket, MonitoredSockets } from "./monitor-decoder.ts";
export { PacketLoggerReader } from "./packet-logger.ts";
export { PcapReader } from "./pcap.ts";
export {
  encodePcapngHeader,
  encodePcapngInterface,
  encodePcapngMonitorRecord,
  encodePcapngRecord,
  encodePcapngStatistics,
  PcapngReader,
} from "./pcapng.ts";
export { PcapngLinkType } from "./pcapng-blocks.ts";
export {
  type AnyCaptureRecord,
  type CaptureDirection,
  type CaptureRecord,
  hciPacketOf,
  isMonitorRecord,
  MonitorOpcode,
  type MonitorRecord,
  monitorRecordOf,
  NO_INDEX,
  SIMULATED_EPOCH_MS,
} from "./record.ts";
export { ReplayError } from "./replay/error.ts";
export { type RecordControllerOptions, type RecordedController, recordController } from "./replay/record-controller.ts";
export { type ReplayOptions, ReplayTransport, replayTransport } from "./replay/replay-transport.ts";
export { quoted } from "./text.ts";
