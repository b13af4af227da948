import { EventCode, Ogf } from "../declare.ts";

/** Octets [offset, offset + length) of a packet's parameters. */
export type Secret = readonly [offset: number, length: number];

/** Longer than any packet's parameters: all that follows. */
const ALL = 255;
const opcode = (ogf: number, ocf: number): number => (ogf << 10) | ocf;

/**
 * Commands whose parameters hold a key, a passkey or what a key is made of; offsets from the first parameter, Vol 4 Part E 7.
 * Those of BR/EDR and of Alternate MAC/PHYs are here since a capture may come from another host.
 */
const COMMANDS: Readonly<Record<number, readonly Secret[]>> = {
  [opcode(Ogf.LinkControl, 0x000b)]: [[6, 16]], // Link Key Request Reply: Link_Key
  [opcode(Ogf.LinkControl, 0x000d)]: [[7, 16]], // PIN Code Request Reply: PIN_Code
  [opcode(Ogf.LinkControl, 0x002e)]: [[6, 4]], // User Passkey Request Reply: Numeric_Value
  [opcode(Ogf.LinkControl, 0x0030)]: [[6, 32]], // Remote OOB Data Request Reply: C, R
  [opcode(Ogf.LinkControl, 0x0035)]: [[3, ALL]], // Create Physical Link: Dedicated_AMP_Key
  [opcode(Ogf.LinkControl, 0x0036)]: [[3, ALL]], // Accept Physical Link: Dedicated_AMP_Key
  [opcode(Ogf.LinkControl, 0x0045)]: [[6, 64]], // Remote OOB Extended Data Request Reply: C and R, twice
  [opcode(Ogf.ControllerBaseband, 0x0011)]: [[1, ALL]], // Write Stored Link Key: addresses and keys
  [opcode(Ogf.LeController, 0x0017)]: [[0, 32]], // LE Encrypt: Key, Plaintext_Data
  [opcode(Ogf.LeController, 0x0019)]: [[12, 16]], // LE Enable Encryption: Long_Term_Key
  [opcode(Ogf.LeController, 0x001a)]: [[2, 16]], // LE Long Term Key Request Reply: Long_Term_Key
  [opcode(Ogf.LeController, 0x0027)]: [[7, 32]], // LE Add Device To Resolving List: Peer_IRK, Local_IRK
  [opcode(Ogf.LeController, 0x0068)]: [[15, 16]], // LE Create BIG: Broadcast_Code
  [opcode(Ogf.LeController, 0x0069)]: [[20, 16]], // LE Create BIG Test: Broadcast_Code
  [opcode(Ogf.LeController, 0x006b)]: [[4, 16]], // LE BIG Create Sync: Broadcast_Code
};

/** Return parameters of Command Complete, counted from the status. LE Rand is here because hosts make keys of it. */
const RETURNS: Readonly<Record<number, readonly Secret[]>> = {
  [opcode(Ogf.ControllerBaseband, 0x0057)]: [[1, 32]], // Read Local OOB Data: C, R
  [opcode(Ogf.ControllerBaseband, 0x007d)]: [[1, 64]], // Read Local OOB Extended Data: C and R, twice
  [opcode(Ogf.LeController, 0x0017)]: [[1, 16]], // LE Encrypt: Encrypted_Data
  [opcode(Ogf.LeController, 0x0018)]: [[1, 8]], // LE Rand: Random_Number
};

/** What this library does not know may hold anything; Android's offload of private addresses, for one, is handed the peers' IRKs. */
const VENDOR: readonly Secret[] = [[0, ALL]];
/** The status of an answer says nothing and stays. */
const VENDOR_RETURNS: readonly Secret[] = [[1, ALL]];

const EVENTS: Readonly<Record<number, readonly Secret[]>> = {
  21: [[1, ALL]], // Return Link Keys: addresses and keys
  24: [[6, 16]], // Link Key Notification: Link_Key
  51: [[6, 4]], // User Confirmation Request: Numeric_Value
  59: [[6, 4]], // User Passkey Notification: Passkey
  [EventCode.VendorSpecific]: VENDOR,
};

/** Offsets count the subevent code. */
const LE_EVENTS: Readonly<Record<number, readonly Secret[]>> = {
  9: [[2, 32]], // LE Generate DHKey Complete: DHKey
  [0xff]: [[1, ALL]], // of a vendor
};

const isVendor = (commandOpcode: number): boolean => commandOpcode >> 10 === Ogf.VendorSpecific;

export function secretsOfCommand(commandOpcode: number): readonly Secret[] {
  return isVendor(commandOpcode) ? VENDOR : (COMMANDS[commandOpcode] ?? NONE);
}

export function secretsOfReturns(commandOpcode: number): readonly Secret[] {
  return isVendor(commandOpcode) ? VENDOR_RETURNS : (RETURNS[commandOpcode] ?? NONE);
}

export function secretsOfEvent(eventCode: number, subeventCode: number): readonly Secret[] {
  return (eventCode === EventCode.LeMeta ? LE_EVENTS[subeventCode] : EVENTS[eventCode]) ?? NONE;
}

const NONE: readonly Secret[] = [];

/** Security Manager PDUs that carry a key of 16 octets behind their code, Vol 3 Part H 3.6: Encryption, Identity and Signing Information. */
export const KEY_PDUS: ReadonlySet<number> = new Set([0x06, 0x08, 0x0a]);
/** The Security Manager over LE and, deriving keys for the other transport, over BR/EDR. */
export const SECURITY_MANAGER_CHANNELS: ReadonlySet<number> = new Set([0x0006, 0x0007]);
