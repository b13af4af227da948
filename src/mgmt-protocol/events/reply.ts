import { event } from "../declare.ts";
import { enumerated, restOctets, struct, u8, u16 } from "../fields.ts";
import { Status } from "../values.ts";

/** Command Complete, 0x0001, since 1.0. The return parameters may be shorter than documented (even empty) when status is not Success. */
export const CommandComplete = event("Command Complete", {
  code: 0x0001,
  since: "1.0",
  index: "either",
  privileged: false,
  delivery: "issuer",
  parameters: struct({ commandOpcode: u16, status: enumerated(u8, Status), returnParameters: restOctets }),
});

/** Command Status, 0x0002, since 1.0. Non-Success ends the command; Success would mean still running (never used by Linux). */
export const CommandStatus = event("Command Status", {
  code: 0x0002,
  since: "1.0",
  index: "either",
  privileged: false,
  delivery: "issuer",
  parameters: struct({ commandOpcode: u16, status: enumerated(u8, Status) }),
});
