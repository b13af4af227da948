import { bool8, bytes, struct, typedAddress, u8, u16 } from "../../bytes/index.ts";
import { randomAddress } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Add_Device_To_Resolving_List, Vol 4 Part E 7.8.38. IRKs least significant octet first. */
export const LeAddDeviceToResolvingList = command("LeAddDeviceToResolvingList", {
  ogf: Ogf.LeController,
  ocf: 0x0027,
  supported: [34, 3],
  parameters: struct({ peerIdentityAddress: typedAddress, peerIrk: bytes(16), localIrk: bytes(16) }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Remove_Device_From_Resolving_List, Vol 4 Part E 7.8.39. */
export const LeRemoveDeviceFromResolvingList = command("LeRemoveDeviceFromResolvingList", {
  ogf: Ogf.LeController,
  ocf: 0x0028,
  supported: [34, 4],
  parameters: struct({ peerIdentityAddress: typedAddress }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Clear_Resolving_List, Vol 4 Part E 7.8.40. */
export const LeClearResolvingList = command("LeClearResolvingList", {
  ogf: Ogf.LeController,
  ocf: 0x0029,
  supported: [34, 5],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Resolving_List_Size, Vol 4 Part E 7.8.41. */
export const LeReadResolvingListSize = command("LeReadResolvingListSize", {
  ogf: Ogf.LeController,
  ocf: 0x002a,
  supported: [34, 6],
  parameters: struct({}),
  returns: struct({ status: u8, resolvingListSize: u8 }),
});

/** HCI_LE_Read_Peer_Resolvable_Address, Vol 4 Part E 7.8.42. */
export const LeReadPeerResolvableAddress = command("LeReadPeerResolvableAddress", {
  ogf: Ogf.LeController,
  ocf: 0x002b,
  supported: [34, 7],
  parameters: struct({ peerIdentityAddress: typedAddress }),
  returns: struct({ status: u8, peerResolvableAddress: randomAddress }),
});

/** HCI_LE_Read_Local_Resolvable_Address, Vol 4 Part E 7.8.43. */
export const LeReadLocalResolvableAddress = command("LeReadLocalResolvableAddress", {
  ogf: Ogf.LeController,
  ocf: 0x002c,
  supported: [35, 0],
  parameters: struct({ peerIdentityAddress: typedAddress }),
  returns: struct({ status: u8, localResolvableAddress: randomAddress }),
});

/** HCI_LE_Set_Address_Resolution_Enable, Vol 4 Part E 7.8.44. */
export const LeSetAddressResolutionEnable = command("LeSetAddressResolutionEnable", {
  ogf: Ogf.LeController,
  ocf: 0x002d,
  supported: [35, 1],
  parameters: struct({ addressResolutionEnable: bool8 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Resolvable_Private_Address_Timeout, Vol 4 Part E 7.8.45. */
export const LeSetResolvablePrivateAddressTimeout = command("LeSetResolvablePrivateAddressTimeout", {
  ogf: Ogf.LeController,
  ocf: 0x002e,
  supported: [35, 2],
  parameters: struct({ rpaTimeout: u16 }), // seconds, 1 to 3600
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Privacy_Mode, Vol 4 Part E 7.8.77. */
export const LeSetPrivacyMode = command("LeSetPrivacyMode", {
  ogf: Ogf.LeController,
  ocf: 0x004e,
  supported: [39, 2],
  parameters: struct({ peerIdentityAddress: typedAddress, privacyMode: u8 }), // 0 network, 1 device
  returns: struct({ status: u8 }),
});
