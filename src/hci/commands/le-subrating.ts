import { struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

const subrateParameters = {
  subrateMin: u16, // 0x0001 to 0x01F4
  subrateMax: u16, // 0x0001 to 0x01F4
  maxLatency: u16, // subrated connection events, at most 0x01F3
  continuationNumber: u16, // underlying connection events, at most 0x01F3
  supervisionTimeout: u16, // units of 10 ms, 0x000A to 0x0C80
};

/** HCI_LE_Set_Default_Subrate, Vol 4 Part E 7.8.123. For links to come in which this is the central. */
export const LeSetDefaultSubrate = command("LeSetDefaultSubrate", {
  ogf: Ogf.LeController,
  ocf: 0x007d,
  supported: [46, 0],
  parameters: struct(subrateParameters),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Subrate_Request, Vol 4 Part E 7.8.124. Ends with LeSubrateChange. */
export const LeSubrateRequest = command("LeSubrateRequest", {
  ogf: Ogf.LeController,
  ocf: 0x007e,
  supported: [46, 1],
  parameters: struct({ connectionHandle: handle, ...subrateParameters }),
});
