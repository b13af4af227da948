import { bytes, type Codec, struct, u8, u16, u32 } from "../../bytes/index.ts";
import type { ControlPdu } from "../link/control-pdus.ts";

const sync = {
  id: u16, // of the host: Service_Data
  syncInfo: bytes(18),
  connEventCount: u16, // the offset in syncInfo counts from its anchor
  lastPaEventCounter: u16, // the packet that the sender heard, or sent, last
  sidAndAccuracy: u8, // bits 0 to 3 SID, bit 4 a random address, bits 5 to 7 sleep clock accuracy of the sender
  phy: u8, // bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded
  advA: bytes(6),
  syncConnEventCount: u16, // when these fields were determined
};

/** LL_PERIODIC_SYNC_IND, Vol 6 Part B 2.4.2.27. */
export const LlPeriodicSyncInd = pdu("LlPeriodicSyncInd", 0x1c, 35, struct(sync));
/** LL_PERIODIC_SYNC_WR_IND: the same of a train with subevents, and what SyncInfo does not tell of it. */
export const LlPeriodicSyncWrInd = pdu(
  "LlPeriodicSyncWrInd",
  0x2a,
  43,
  struct({
    ...sync,
    rspAA: u32,
    numSubevents: u8,
    subeventInterval: u8, // units of 1.25 ms
    responseSlotDelay: u8, // units of 1.25 ms
    responseSlotSpacing: u8, // units of 0.125 ms
  }),
);

function pdu<P>(name: string, opcode: number, octets: number, parameters: Codec<P>): ControlPdu<P> {
  return Object.freeze({ name, opcode, octets, parameters });
}
