import { struct, u8 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_Disconnect, Vol 4 Part E 7.1.6. Ends with DisconnectionComplete. */
export const Disconnect = command("Disconnect", {
  ogf: Ogf.LinkControl,
  ocf: 0x0006,
  supported: [0, 5],
  parameters: struct({ connectionHandle: handle, reason: u8 }),
});

/** HCI_Read_Remote_Version_Information, Vol 4 Part E 7.1.23. Ends with ReadRemoteVersionInformationComplete. */
export const ReadRemoteVersionInformation = command("ReadRemoteVersionInformation", {
  ogf: Ogf.LinkControl,
  ocf: 0x001d,
  supported: [2, 7],
  parameters: struct({ connectionHandle: handle }),
});
