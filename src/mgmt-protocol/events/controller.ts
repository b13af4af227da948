import { event } from "../declare.ts";
import { about, bits, cstring, eir, enumerated, lengthOf, list, struct, tlv16, u8, u16, u32 } from "../fields.ts";
import { classOfDevice, currentSettings, device, experimentalFeature } from "../structures.ts";
import { ConfigurationOptions, ControllerBus, ControllerType, Phys, SuspendState, WakeReason } from "../values.ts";

/** Controller Error, 0x0003, since 1.0. */
export const ControllerError = event("Controller Error", {
  code: 0x0003,
  since: "1.0",
  delivery: "all",
  parameters: struct({ errorCode: about(u8, { note: "HCI hardware error code" }) }),
});

/** Index Added, 0x0004, since 1.0. Sent until the socket has used ReadExtendedControllerIndexList. */
export const IndexAdded = event("Index Added", { code: 0x0004, since: "1.0", privileged: false, delivery: "optOut" });

/** Index Removed, 0x0005, since 1.0. As Index Added; commands pending on the controller complete with InvalidIndex just before. */
export const IndexRemoved = event("Index Removed", {
  code: 0x0005,
  since: "1.0",
  privileged: false,
  delivery: "optOut",
});

/** New Settings, 0x0006, since 1.0. */
export const NewSettings = event("New Settings", {
  code: 0x0006,
  since: "1.0",
  privileged: false,
  delivery: "others",
  parameters: currentSettings,
});

/** Class Of Device Changed, 0x0007, since 1.0. Sent until the socket has used ReadExtendedControllerInformation; goes to the issuer too. */
export const ClassOfDeviceChanged = event("Class Of Device Changed", {
  code: 0x0007,
  since: "1.0",
  privileged: false,
  delivery: "optOut",
  parameters: struct({ classOfDevice }),
});

/** Local Name Changed, 0x0008, since 1.0. */
export const LocalNameChanged = event("Local Name Changed", {
  code: 0x0008,
  since: "1.0",
  privileged: false,
  delivery: "othersOptOut",
  parameters: struct({ name: cstring(249), shortName: cstring(11) }),
});

/** Unconfigured Index Added, 0x001d, since 1.7. */
export const UnconfiguredIndexAdded = event("Unconfigured Index Added", {
  code: 0x001d,
  since: "1.7",
  privileged: false,
  delivery: "optOut",
});

/** Unconfigured Index Removed, 0x001e, since 1.7. */
export const UnconfiguredIndexRemoved = event("Unconfigured Index Removed", {
  code: 0x001e,
  since: "1.7",
  privileged: false,
  delivery: "optOut",
});

/** New Configuration Options, 0x001f, since 1.7. */
export const NewConfigurationOptions = event("New Configuration Options", {
  code: 0x001f,
  since: "1.7",
  privileged: false,
  delivery: "others",
  parameters: struct({ missingOptions: bits(u32, ConfigurationOptions) }),
});

/** Extended Index Added, 0x0020, since 1.9. Only after ReadExtendedControllerIndexList on this socket. */
export const ExtendedIndexAdded = event("Extended Index Added", {
  code: 0x0020,
  since: "1.9",
  privileged: false,
  delivery: "optIn",
  parameters: struct({ controllerType: enumerated(u8, ControllerType), controllerBus: enumerated(u8, ControllerBus) }),
});

/** Extended Index Removed, 0x0021, since 1.9. */
export const ExtendedIndexRemoved = event("Extended Index Removed", {
  code: 0x0021,
  since: "1.9",
  privileged: false,
  delivery: "optIn",
  parameters: struct({ controllerType: enumerated(u8, ControllerType), controllerBus: enumerated(u8, ControllerBus) }),
});

/** Extended Controller Information Changed, 0x0025, since 1.14. */
export const ExtendedControllerInformationChanged = event("Extended Controller Information Changed", {
  code: 0x0025,
  since: "1.14",
  privileged: false,
  delivery: "othersOptIn",
  parameters: struct({ eirDataLength: lengthOf(u16, "eirData"), eirData: eir("eirDataLength") }),
});

/** PHY Configuration Changed, 0x0026, since 1.15. The library header declares a 16-bit field; 32 bits are on the wire. */
export const PhyConfigurationChanged = event("PHY Configuration Changed", {
  code: 0x0026,
  since: "1.15",
  delivery: "others",
  parameters: struct({ selectedPhys: bits(u32, Phys) }),
});

/** Experimental Feature Changed, 0x0027, since 1.17. */
export const ExperimentalFeatureChanged = event("Experimental Feature Changed", {
  code: 0x0027,
  since: "1.17",
  index: "either",
  privileged: false,
  delivery: "othersOptIn",
  parameters: experimentalFeature,
});

/** Default System Configuration Changed, 0x0028, since 1.18. Described, no constant in the header, never sent by Linux 6.1. */
export const DefaultSystemConfigurationChanged = event("Default System Configuration Changed", {
  code: 0x0028,
  since: "1.18",
  delivery: "othersOptIn",
  parameters: struct({ parameters: list(tlv16) }),
});

/** Default Runtime Configuration Changed, 0x0029, since 1.18. Described, no constant in the header, never sent by Linux 6.1. */
export const DefaultRuntimeConfigurationChanged = event("Default Runtime Configuration Changed", {
  code: 0x0029,
  since: "1.18",
  delivery: "othersOptIn",
  parameters: struct({ parameters: list(tlv16) }),
});

/** Controller Suspend, 0x002d, since 1.18. */
export const ControllerSuspend = event("Controller Suspend", {
  code: 0x002d,
  since: "1.18",
  delivery: "all",
  parameters: struct({ suspendState: enumerated(u8, SuspendState) }),
});

/**
 * Controller Resume, 0x002e, since 1.18. The user-space library header and the tracer put the address first; the prose description and the
 * kernel put Wake_Reason first, and the kernel is what one receives.
 */
export const ControllerResume = event("Controller Resume", {
  code: 0x002e,
  since: "1.18",
  delivery: "all",
  parameters: struct({ wakeReason: enumerated(u8, WakeReason), ...device }),
});
