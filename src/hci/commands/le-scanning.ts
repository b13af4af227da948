import { bool8, bytes, struct, u8, u16 } from "../../bytes/index.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Set_Scan_Parameters, Vol 4 Part E 7.8.10. */
export const LeSetScanParameters = command("LeSetScanParameters", {
  ogf: Ogf.LeController,
  ocf: 0x000b,
  supported: [26, 2],
  parameters: struct({
    leScanType: u8, // 0 passive, 1 active
    leScanInterval: u16, // units of 0.625 ms, 0x0004 to 0x4000
    leScanWindow: u16, // units of 0.625 ms, at most the interval
    ownAddressType: u8,
    scanningFilterPolicy: u8, // bit 0: Filter Accept List only, bit 1: directed advertising with unresolved target too
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Scan_Enable, Vol 4 Part E 7.8.11. */
export const LeSetScanEnable = command("LeSetScanEnable", {
  ogf: Ogf.LeController,
  ocf: 0x000c,
  supported: [26, 3],
  parameters: struct({ leScanEnable: bool8, filterDuplicates: bool8 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Filter_Accept_List_Size, Vol 4 Part E 7.8.14. */
export const LeReadFilterAcceptListSize = command("LeReadFilterAcceptListSize", {
  ogf: Ogf.LeController,
  ocf: 0x000f,
  supported: [26, 6],
  parameters: struct({}),
  returns: struct({ status: u8, filterAcceptListSize: u8 }),
});

/** HCI_LE_Clear_Filter_Accept_List, Vol 4 Part E 7.8.15. */
export const LeClearFilterAcceptList = command("LeClearFilterAcceptList", {
  ogf: Ogf.LeController,
  ocf: 0x0010,
  supported: [26, 7],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Add_Device_To_Filter_Accept_List, Vol 4 Part E 7.8.16. addressType 0xFF: devices that advertise anonymously. */
export const LeAddDeviceToFilterAcceptList = command("LeAddDeviceToFilterAcceptList", {
  ogf: Ogf.LeController,
  ocf: 0x0011,
  supported: [27, 0],
  parameters: struct({ addressType: u8, address: bytes(6) }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Remove_Device_From_Filter_Accept_List, Vol 4 Part E 7.8.17. */
export const LeRemoveDeviceFromFilterAcceptList = command("LeRemoveDeviceFromFilterAcceptList", {
  ogf: Ogf.LeController,
  ocf: 0x0012,
  supported: [27, 1],
  parameters: struct({ addressType: u8, address: bytes(6) }),
  returns: struct({ status: u8 }),
});
