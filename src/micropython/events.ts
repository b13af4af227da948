import { Irq } from "./constants.ts";
import type { UUID } from "./uuid.ts";

interface Peer {
  connHandle: number;
  /** See AddrType. */
  addrType: number;
  /** Six octets, most significant first. The peer's identity where it is known. */
  addr: Uint8Array;
}

interface Ended extends Peer {
  /** Why: a value of HciErrorCode. No part of the tuple. */
  reason: number;
}

interface Done {
  connHandle: number;
  /** See Status. */
  status: number;
}

interface Value {
  connHandle: number;
  valueHandle: number;
  data: Uint8Array;
}

interface ValueDone {
  connHandle: number;
  valueHandle: number;
  /** See Status. */
  status: number;
}

interface Channel {
  connHandle: number;
  cid: number;
  psm: number;
  ourMtu: number;
  peerMtu: number;
}

/** What each event carries, in the order of its tuple. */
interface Fields {
  centralConnect: Peer;
  centralDisconnect: Ended;
  gattsWrite: { connHandle: number; attrHandle: number };
  gattsReadRequest: { connHandle: number; attrHandle: number };
  /** `advType`: see AdvType. `rssi` in dBm, 127 where the controller does not know it. */
  scanResult: { addrType: number; addr: Uint8Array; advType: number; rssi: number; advData: Uint8Array };
  // biome-ignore lint/complexity/noBannedTypes: an event that carries nothing
  scanDone: {};
  peripheralConnect: Peer;
  /** Also the end of a `gapConnect` that came to nothing: `connHandle` is then 0xFFFF, `addrType` 0xFF, `addr` zeros. */
  peripheralDisconnect: Ended;
  gattcServiceResult: { connHandle: number; startHandle: number; endHandle: number; uuid: UUID };
  gattcServiceDone: Done;
  gattcCharacteristicResult: { connHandle: number; endHandle: number; valueHandle: number; properties: number; uuid: UUID };
  gattcCharacteristicDone: Done;
  gattcDescriptorResult: { connHandle: number; descHandle: number; uuid: UUID };
  gattcDescriptorDone: Done;
  gattcReadResult: Value;
  gattcReadDone: ValueDone;
  gattcWriteDone: ValueDone;
  gattcNotify: Value;
  gattcIndicate: Value;
  gattsIndicateDone: ValueDone;
  mtuExchanged: { connHandle: number; mtu: number };
  l2capAccept: Channel;
  l2capConnect: Channel;
  l2capDisconnect: { connHandle: number; cid: number; psm: number; status: number };
  l2capRecv: { connHandle: number; cid: number };
  l2capSendReady: { connHandle: number; cid: number; status: number };
  connectionUpdate: {
    connHandle: number;
    /** Units of 1.25 ms. */
    connInterval: number;
    connLatency: number;
    /** Units of 10 ms. */
    supervisionTimeout: number;
    /** 0, or 1: the change came to nothing and these are in force as before. */
    status: number;
    /** What the controller said. No part of the tuple. */
    hciStatus: number;
  };
  encryptionUpdate: {
    connHandle: number;
    encrypted: boolean;
    authenticated: boolean;
    bonded: boolean;
    /** Octets. */
    keySize: number;
    /** Why a pairing failed: the reason of Pairing Failed. No part of the tuple. */
    reason?: number;
    /** What the controller said, or why the link ended, where that was it: a value of HciErrorCode. No part of the tuple. */
    hciStatus?: number;
  };
  getSecret: { secType: number; index: number; key: Uint8Array | null };
  setSecret: { secType: number; key: Uint8Array; value: Uint8Array | null };
  passkeyAction: { connHandle: number; action: number; passkey: number };
  /** What a client configured, by writing the Client Characteristic Configuration or by coming back with a bond. */
  gattsSubscribe: { connHandle: number; valueHandle: number; notify: boolean; indicate: boolean };
  /** 1, 2 or 3: LE 1M, LE 2M, LE Coded. */
  phyUpdate: { connHandle: number; txPhy: number; rxPhy: number };
  dataLengthUpdate: { connHandle: number; txOctets: number; rxOctets: number };
  /** The peer's server says that its attributes from `startHandle` to `endHandle` are no longer those that were found. */
  serviceChanged: { connHandle: number; startHandle: number; endHandle: number };
  /**
   * A client writes `data` to what has Flag.WriteAuthorized, before it is stored. A number other than 0 refuses, with that error code of ATT;
   * a handler that is not called for this event permits.
   */
  gattsWriteRequest: { connHandle: number; attrHandle: number; data: Uint8Array };
}

type EventType = keyof Fields;
type CodeOf<T extends EventType> = (typeof Irq)[Capitalize<T>];

/** An event, told apart by `type` (the name in MicroPython's documentation) or by `code` (its number). Its octets are its own. */
export type BleEvent = {
  [T in EventType]: { readonly type: T; readonly code: CodeOf<T> } & Readonly<Fields[T]>;
}[EventType];

/** One kind of event. */
export type BleEventOf<T extends BleEvent["type"]> = Extract<BleEvent, { readonly type: T }>;

/** From here on codes are Jelling's own: a handler of tuples, which a ported program has, is not called for them unless it asks. */
export const FIRST_OWN_CODE = 100;

/** Names in the order of the tuple. */
const ORDER: { readonly [T in EventType]: readonly (keyof Fields[T] & string)[] } = {
  centralConnect: ["connHandle", "addrType", "addr"],
  centralDisconnect: ["connHandle", "addrType", "addr"],
  gattsWrite: ["connHandle", "attrHandle"],
  gattsReadRequest: ["connHandle", "attrHandle"],
  scanResult: ["addrType", "addr", "advType", "rssi", "advData"],
  scanDone: [],
  peripheralConnect: ["connHandle", "addrType", "addr"],
  peripheralDisconnect: ["connHandle", "addrType", "addr"],
  gattcServiceResult: ["connHandle", "startHandle", "endHandle", "uuid"],
  gattcServiceDone: ["connHandle", "status"],
  gattcCharacteristicResult: ["connHandle", "endHandle", "valueHandle", "properties", "uuid"],
  gattcCharacteristicDone: ["connHandle", "status"],
  gattcDescriptorResult: ["connHandle", "descHandle", "uuid"],
  gattcDescriptorDone: ["connHandle", "status"],
  gattcReadResult: ["connHandle", "valueHandle", "data"],
  gattcReadDone: ["connHandle", "valueHandle", "status"],
  gattcWriteDone: ["connHandle", "valueHandle", "status"],
  gattcNotify: ["connHandle", "valueHandle", "data"],
  gattcIndicate: ["connHandle", "valueHandle", "data"],
  gattsIndicateDone: ["connHandle", "valueHandle", "status"],
  mtuExchanged: ["connHandle", "mtu"],
  l2capAccept: ["connHandle", "cid", "psm", "ourMtu", "peerMtu"],
  l2capConnect: ["connHandle", "cid", "psm", "ourMtu", "peerMtu"],
  l2capDisconnect: ["connHandle", "cid", "psm", "status"],
  l2capRecv: ["connHandle", "cid"],
  l2capSendReady: ["connHandle", "cid", "status"],
  connectionUpdate: ["connHandle", "connInterval", "connLatency", "supervisionTimeout", "status"],
  encryptionUpdate: ["connHandle", "encrypted", "authenticated", "bonded", "keySize"],
  getSecret: ["secType", "index", "key"],
  setSecret: ["secType", "key", "value"],
  passkeyAction: ["connHandle", "action", "passkey"],
  gattsSubscribe: ["connHandle", "valueHandle", "notify", "indicate"],
  phyUpdate: ["connHandle", "txPhy", "rxPhy"],
  dataLengthUpdate: ["connHandle", "txOctets", "rxOctets"],
  serviceChanged: ["connHandle", "startHandle", "endHandle"],
  gattsWriteRequest: ["connHandle", "attrHandle", "data"],
};

const CODES = Object.fromEntries(
  Object.entries(Irq).map(([name, code]) => [`${name[0]!.toLowerCase()}${name.slice(1)}`, code]),
) as Readonly<Record<EventType, number>>;

/** An event with its number. */
export function createEvent<T extends EventType>(type: T, fields: Fields[T]): BleEventOf<T> {
  return { type, code: CODES[type], ...fields } as unknown as BleEventOf<T>;
}

/** An event as MicroPython's handlers get it: its number, and a tuple in which true and false are 1 and 0. */
export function toTuple(event: BleEvent): [code: number, data: unknown[]] {
  const values = event as unknown as Readonly<Record<string, unknown>>;
  const data = (ORDER[event.type] as readonly string[]).map((name) => {
    const value = values[name];
    return typeof value === "boolean" ? Number(value) : value;
  });
  return [event.code, data];
}
