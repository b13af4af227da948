import { command } from "../declare.ts";
import { about, bits, countOf, enumerated, i8, list, orElse, struct, u8, u16, uuid128 } from "../fields.ts";
import { addrInfo, device, discoveryAddressTypes } from "../structures.ts";
import { DiscoveryAddressTypes, NameKnown } from "../values.ts";

const WHY_NOT_STARTED = {
  Busy: "discovery active or paused",
  InvalidParameters: "type other than 1, 6, 7",
  NotSupported: "transport missing",
  Rejected: "transport switched off",
} as const;

/**
 * Start Discovery, 0x0023, since 1.0. Reply, then Discovering(1) to all sockets. LE part scans 10.24 s (5.12 s each for interleaved),
 * BR/EDR inquiry 8 x 1.28 s, then Discovering(0) by itself.
 */
export const StartDiscovery = command("Start Discovery", {
  opcode: 0x0023,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: discoveryAddressTypes,
  returns: discoveryAddressTypes,
  causes: WHY_NOT_STARTED,
});

/** Stop Discovery, 0x0024, since 1.0. Reply, then Discovering(0) to all sockets. */
export const StopDiscovery = command("Stop Discovery", {
  opcode: 0x0024,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: discoveryAddressTypes,
  returns: discoveryAddressTypes,
  causes: { Rejected: "no discovery active (also when not powered)", InvalidParameters: "type differs from the running one" },
});

/** Confirm Name, 0x0025, since 1.0. */
export const ConfirmName = command("Confirm Name", {
  opcode: 0x0025,
  since: "1.0",
  power: "on",
  failure: "complete",
  parameters: struct({ ...device, nameKnown: enumerated(u8, NameKnown) }),
  returns: addrInfo,
  causes: { Failed: "no discovery active (also when not powered)", InvalidParameters: "address not waiting for a name" },
});

/** Start Service Discovery, 0x003a, since 1.8. */
export const StartServiceDiscovery = command("Start Service Discovery", {
  opcode: 0x003a,
  since: "1.8",
  power: "on",
  failure: "complete",
  parameters: struct({
    addressTypes: bits(u8, DiscoveryAddressTypes),
    rssiThreshold: orElse(about(i8, { unit: "dBm", invalid: 127, note: "127 switches the threshold off" }), 127),
    uuidCount: countOf(u16, "uuids"),
    uuids: orElse(list(uuid128, "uuidCount"), []),
  }),
  returns: discoveryAddressTypes,
  causes: { ...WHY_NOT_STARTED, InvalidParameters: "type other than 1, 6, 7; length not 4 + 16 per UUID; shorter than 4 bytes" },
});

/**
 * Start Limited Discovery, 0x0041, since 1.11. Only devices with the limited discoverable bit are reported. The filter stays in force
 * after the end, also for background and monitor reports, until another discovery is started.
 */
export const StartLimitedDiscovery = command("Start Limited Discovery", {
  opcode: 0x0041,
  since: "1.11",
  power: "on",
  failure: "complete",
  parameters: discoveryAddressTypes,
  returns: discoveryAddressTypes,
  causes: WHY_NOT_STARTED,
});
