import { command } from "../declare.ts";
import { about, cstring, enumerated, orElse, struct, u8, u16, uuid128 } from "../fields.ts";
import { classOfDevice } from "../structures.ts";
import { DeviceIdSource } from "../values.ts";

/** Set Device Class, 0x000e, since 1.0. Not powered: succeeds with the old class (zeros). */
export const SetDeviceClass = command("Set Device Class", {
  opcode: 0x000e,
  since: "1.0",
  parameters: struct({ majorClass: about(u8, { range: [0, 31] }), minorClass: about(u8, { note: "low two bits must be zero" }) }),
  returns: struct({ classOfDevice }),
  causes: {
    NotSupported: "not BR/EDR capable",
    Busy: "Add UUID, Remove UUID, Set Device Class or Set Powered pending",
    InvalidParameters: "minor with bit 0 or 1 set or major above 0x1f",
  },
});

/**
 * Set Local Name, 0x000f, since 1.0. Same names as before: CommandComplete at once. Not powered: CommandComplete at once, then Local Name
 * Changed to the others. The reply echoes the request.
 */
export const SetLocalName = command("Set Local Name", {
  opcode: 0x000f,
  since: "1.0",
  parameters: struct({ name: cstring(249), shortName: orElse(cstring(11), "") }),
  returns: struct({ name: cstring(249), shortName: cstring(11) }),
  causes: { Busy: "powered and Add UUID, Remove UUID, Set Device Class, Set Local Name or Set Powered pending (6.1.192; not in 6.1.176)" },
});

/** Add UUID, 0x0010, since 1.0. */
export const AddUuid = command("Add UUID", {
  opcode: 0x0010,
  since: "1.0",
  parameters: struct({
    uuid: uuid128,
    svcHint: orElse(about(u8, { note: "service class bits of the class of device this UUID should set" }), 0),
  }),
  returns: struct({ classOfDevice }),
  causes: { Busy: "Add UUID, Remove UUID, Set Device Class or Set Powered pending" },
});

/** Remove UUID, 0x0011, since 1.0. Busy as for Add UUID. */
export const RemoveUuid = command("Remove UUID", {
  opcode: 0x0011,
  since: "1.0",
  parameters: struct({ uuid: about(uuid128, { note: "all zeros removes every UUID" }) }),
  returns: struct({ classOfDevice }),
  causes: { InvalidParameters: "UUID not present" },
});

/** Set Device ID, 0x0028, since 1.1. */
export const SetDeviceId = command("Set Device ID", {
  opcode: 0x0028,
  since: "1.1",
  parameters: struct({ source: enumerated(u16, DeviceIdSource), vendor: u16, product: u16, version: u16 }),
  causes: { InvalidParameters: "source above 2" },
});

/** Set Appearance, 0x0043, since 1.14. */
export const SetAppearance = command("Set Appearance", {
  opcode: 0x0043,
  since: "1.14",
  parameters: struct({ appearance: u16 }),
  causes: { NotSupported: "not LE capable" },
});
