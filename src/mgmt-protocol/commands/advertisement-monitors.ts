import { command } from "../declare.ts";
import { about, bits, countOf, i8, list, struct, u8, u16, u32 } from "../fields.ts";
import { advertisementPattern } from "../structures.ts";
import { AdvMonitorFeatures } from "../values.ts";

/**
 * Read Advertisement Monitor Features, 0x0051, since 1.18. 32 handles, 16 patterns. SupportedFeatures is 0 unless the kernel has
 * CONFIG_BT_MSFTEXT and the controller the vendor extension (Debian 12: 0).
 */
export const ReadAdvertisementMonitorFeatures = command("Read Advertisement Monitor Features", {
  opcode: 0x0051,
  since: "1.18",
  returns: struct({
    supportedFeatures: bits(u32, AdvMonitorFeatures),
    enabledFeatures: bits(u32, AdvMonitorFeatures),
    maxNumHandles: u16,
    maxNumPatterns: u8,
    numHandles: countOf(u16, "handles"),
    handles: list(u16, "numHandles"),
  }),
});

/**
 * Add Advertisement Patterns Monitor, 0x0052, since 1.18. Late failures come as CommandComplete. Without vendor offload (Debian 12) the
 * kernel does not compare patterns: it scans passively and reports every advertisement as Advertisement Monitor Device Found with handle
 * 0. Advertisement Monitor Added goes to the other sockets.
 */
export const AddAdvertisementPatternsMonitor = command("Add Advertisement Patterns Monitor", {
  opcode: 0x0052,
  since: "1.18",
  failure: "mixed",
  parameters: struct({ patternCount: countOf(u8, "patterns"), patterns: list(advertisementPattern, "patternCount") }),
  returns: struct({ monitorHandle: u16 }),
  causes: {
    InvalidParameters: "no pattern, length mismatch or offset + length > 31",
    Busy: "Set Low Energy or another add pending",
    Failed: "controller down",
  },
});

/**
 * Remove Advertisement Monitor, 0x0053, since 1.18. Handle 0 with no monitor present succeeds. Advertisement Monitor Removed goes to the
 * other sockets before the reply.
 */
export const RemoveAdvertisementMonitor = command("Remove Advertisement Monitor", {
  opcode: 0x0053,
  since: "1.18",
  failure: "mixed",
  parameters: struct({ monitorHandle: about(u16, { note: "0 = all" }) }),
  returns: struct({ monitorHandle: u16 }),
  causes: { InvalidParameters: "unknown handle", Busy: "Set Low Energy or an add pending" },
});

/** Add Advertisement Patterns Monitor With RSSI Threshold, 0x0056, since 1.20. */
export const AddAdvertisementPatternsMonitorWithRssiThreshold = command("Add Advertisement Patterns Monitor With RSSI Threshold", {
  opcode: 0x0056,
  since: "1.20",
  failure: "mixed",
  parameters: struct({
    highThreshold: about(i8, { unit: "dBm" }),
    highThresholdTimer: about(u16, { unit: "s" }),
    lowThreshold: about(i8, { unit: "dBm" }),
    lowThresholdTimer: about(u16, { unit: "s" }),
    samplingPeriod: about(u8, { unit: "100 ms", note: "0 = every packet, 255 = first packet only" }),
    patternCount: countOf(u8, "patterns"),
    patterns: list(advertisementPattern, "patternCount"),
  }),
  returns: struct({ monitorHandle: u16 }),
  causes: {
    InvalidParameters: "no pattern, length mismatch or offset + length > 31",
    Busy: "Set Low Energy or another add pending",
    Failed: "controller down",
  },
});
