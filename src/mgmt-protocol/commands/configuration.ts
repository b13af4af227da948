import { command } from "../declare.ts";
import {
  about,
  bits,
  countOf,
  lengthOf,
  list,
  octetsFrom,
  onOff,
  orElse,
  restOctets,
  secret,
  struct,
  tlv16,
  u8,
  u16,
  u32,
  uuid128,
} from "../fields.ts";
import { experimentalFeature } from "../structures.ts";
import { OnOff, Phys } from "../values.ts";

/** Get PHY Configuration, 0x0044, since 1.15. */
export const GetPhyConfiguration = command("Get PHY Configuration", {
  opcode: 0x0044,
  since: "1.15",
  returns: struct({ supportedPhys: bits(u32, Phys), configurablePhys: bits(u32, Phys), selectedPhys: bits(u32, Phys) }),
});

/** Set PHY Configuration, 0x0045, since 1.15. Unchanged selection: success at once. PHY Configuration Changed goes to the other sockets. */
export const SetPhyConfiguration = command("Set PHY Configuration", {
  opcode: 0x0045,
  since: "1.15",
  power: "on",
  parameters: struct({ selectedPhys: bits(u32, Phys) }),
  causes: { InvalidParameters: "unsupported PHY selected or BR 1M 1-slot / LE 1M left out", Rejected: "not powered", Busy: "pending" },
});

/** Read Experimental Features Information, 0x0049, since 1.17. Enables Experimental Feature Changed on this socket. */
export const ReadExperimentalFeaturesInformation = command("Read Experimental Features Information", {
  opcode: 0x0049,
  since: "1.17",
  index: "either",
  privileged: false,
  unconfigured: true,
  returns: struct({ featureCount: countOf(u16, "features"), features: list(experimentalFeature, "featureCount") }),
});

/** Set Experimental Feature, 0x004a, since 1.17. Enables Experimental Feature Changed on this socket. */
export const SetExperimentalFeature = command("Set Experimental Feature", {
  opcode: 0x004a,
  since: "1.17",
  index: "either",
  unconfigured: true,
  parameters: struct({
    uuid: about(uuid128, { note: "one of ExperimentalFeature, or one of a newer kernel" }),
    action: about(onOff(OnOff), { note: "feature specific; every feature so far takes one on/off octet" }),
  }),
  returns: experimentalFeature,
  causes: {
    NotSupported: "unknown UUID",
    InvalidParameters: "length other than 17 or action above 1; shorter than 16 bytes",
    Rejected: "LL privacy while powered",
  },
});

/** Read Default System Configuration, 0x004b, since 1.18. 31 entries, types 0x0000..0x001f without 0x001c. */
export const ReadDefaultSystemConfiguration = command("Read Default System Configuration", {
  opcode: 0x004b,
  since: "1.18",
  privileged: false,
  returns: struct({ parameters: list(tlv16) }),
});

/**
 * Set Default System Configuration, 0x004c, since 1.18. Empty list, truncated entry or wrong value length for a known type:
 * InvalidParameters and nothing is changed. Unknown types are ignored with success.
 */
export const SetDefaultSystemConfiguration = command("Set Default System Configuration", {
  opcode: 0x004c,
  since: "1.18",
  parameters: struct({ parameters: list(tlv16) }),
});

/** Read Default Runtime Configuration, 0x004d, since 1.18. Always an empty list. */
export const ReadDefaultRuntimeConfiguration = command("Read Default Runtime Configuration", {
  opcode: 0x004d,
  since: "1.18",
  privileged: false,
  returns: struct({ parameters: list(tlv16) }),
});

/**
 * Set Default Runtime Configuration, 0x004e, since 1.18. Always InvalidParameters, and the CommandStatus names opcode 0x004c instead of
 * 0x004e: match it by index.
 */
export const SetDefaultRuntimeConfiguration = command("Set Default Runtime Configuration", {
  opcode: 0x004e,
  since: "1.18",
  parameters: struct({ parameters: list(tlv16) }),
});

/** Send HCI command and wait for event, 0x005b, since (none stated). First seen in BlueZ 5.79 header, kernel 6.13. */
export const SendHciCommandAndWaitForEvent = command("Send HCI command and wait for event", {
  opcode: 0x005b,
  since: "(none stated)",
  aliases: ["HCICommandSync"],
  power: "on",
  parameters: struct({
    opcode: u16,
    event: orElse(about(u8, { note: "0 = command complete or status" }), 0),
    timeout: orElse(about(u8, { unit: "s", note: "0 = default" }), 0),
    parameterLength: lengthOf(u16, "parameters"),
    parameters: orElse(secret(octetsFrom("parameterLength")), new Uint8Array(0)),
  }),
  returns: struct({ response: secret(restOctets) }),
});
