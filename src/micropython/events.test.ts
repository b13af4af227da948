import { expect, test } from "vitest";
import { type BleEvent, createEvent, toTuple } from "./events.ts";
import { UUID } from "./uuid.ts";

const addr = Uint8Array.of(1, 2, 3, 4, 5, 6);
const data = Uint8Array.of(7);
const uuid = new UUID(0x180d);

// The table of MicroPython's documentation.
test.each<[number, BleEvent, unknown[]]>([
  [1, createEvent("centralConnect", { connHandle: 64, addrType: 1, addr }), [64, 1, addr]],
  [2, createEvent("centralDisconnect", { connHandle: 64, addrType: 1, addr, reason: 0x13 }), [64, 1, addr]],
  [3, createEvent("gattsWrite", { connHandle: 64, attrHandle: 9 }), [64, 9]],
  [4, createEvent("gattsReadRequest", { connHandle: 64, attrHandle: 9 }), [64, 9]],
  [5, createEvent("scanResult", { addrType: 0, addr, advType: 2, rssi: -40, advData: data }), [0, addr, 2, -40, data]],
  [6, createEvent("scanDone", {}), []],
  [7, createEvent("peripheralConnect", { connHandle: 64, addrType: 0, addr }), [64, 0, addr]],
  [8, createEvent("peripheralDisconnect", { connHandle: 64, addrType: 0, addr, reason: 8 }), [64, 0, addr]],
  [9, createEvent("gattcServiceResult", { connHandle: 64, startHandle: 1, endHandle: 5, uuid }), [64, 1, 5, uuid]],
  [10, createEvent("gattcServiceDone", { connHandle: 64, status: 7 }), [64, 7]],
  [
    11,
    createEvent("gattcCharacteristicResult", { connHandle: 64, endHandle: 5, valueHandle: 3, properties: 10, uuid }),
    [64, 5, 3, 10, uuid],
  ],
  [12, createEvent("gattcCharacteristicDone", { connHandle: 64, status: 0 }), [64, 0]],
  [13, createEvent("gattcDescriptorResult", { connHandle: 64, descHandle: 4, uuid }), [64, 4, uuid]],
  [14, createEvent("gattcDescriptorDone", { connHandle: 64, status: 0 }), [64, 0]],
  [15, createEvent("gattcReadResult", { connHandle: 64, valueHandle: 3, data }), [64, 3, data]],
  [16, createEvent("gattcReadDone", { connHandle: 64, valueHandle: 3, status: 261 }), [64, 3, 261]],
  [17, createEvent("gattcWriteDone", { connHandle: 64, valueHandle: 3, status: 0 }), [64, 3, 0]],
  [18, createEvent("gattcNotify", { connHandle: 64, valueHandle: 3, data }), [64, 3, data]],
  [19, createEvent("gattcIndicate", { connHandle: 64, valueHandle: 3, data }), [64, 3, data]],
  [20, createEvent("gattsIndicateDone", { connHandle: 64, valueHandle: 3, status: 13 }), [64, 3, 13]],
  [21, createEvent("mtuExchanged", { connHandle: 64, mtu: 200 }), [64, 200]],
  [22, createEvent("l2capAccept", { connHandle: 64, cid: 65, psm: 22, ourMtu: 450, peerMtu: 128 }), [64, 65, 22, 450, 128]],
  [23, createEvent("l2capConnect", { connHandle: 64, cid: 65, psm: 22, ourMtu: 450, peerMtu: 128 }), [64, 65, 22, 450, 128]],
  [24, createEvent("l2capDisconnect", { connHandle: 64, cid: 65, psm: 22, status: 0 }), [64, 65, 22, 0]],
  [25, createEvent("l2capRecv", { connHandle: 64, cid: 65 }), [64, 65]],
  [26, createEvent("l2capSendReady", { connHandle: 64, cid: 65, status: 1 }), [64, 65, 1]],
  [
    27,
    createEvent("connectionUpdate", {
      connHandle: 64,
      connInterval: 24,
      connLatency: 4,
      supervisionTimeout: 256,
      status: 1,
      hciStatus: 0x3b,
    }),
    [64, 24, 4, 256, 1],
  ],
  [
    28,
    createEvent("encryptionUpdate", { connHandle: 64, encrypted: true, authenticated: false, bonded: true, keySize: 16, reason: 4 }),
    [64, 1, 0, 1, 16],
  ],
  [29, createEvent("getSecret", { secType: 2, index: 1, key: null }), [2, 1, null]],
  [30, createEvent("setSecret", { secType: 1, key: addr, value: null }), [1, addr, null]],
  [31, createEvent("passkeyAction", { connHandle: 64, action: 4, passkey: 123456 }), [64, 4, 123456]],
  [100, createEvent("gattsSubscribe", { connHandle: 64, valueHandle: 3, notify: true, indicate: false }), [64, 3, 1, 0]],
  [101, createEvent("phyUpdate", { connHandle: 64, txPhy: 1, rxPhy: 2 }), [64, 1, 2]],
  [102, createEvent("dataLengthUpdate", { connHandle: 64, txOctets: 251, rxOctets: 27 }), [64, 251, 27]],
  [103, createEvent("serviceChanged", { connHandle: 64, startHandle: 1, endHandle: 0xffff }), [64, 1, 0xffff]],
])("event %i", (code, event, tuple) => {
  expect(event.code).toBe(code);
  expect(toTuple(event)).toEqual([code, tuple]);
});

test("the fields may be given in any order", () => {
  const event = createEvent("gattcReadDone", { status: 2, valueHandle: 3, connHandle: 1 });
  expect(toTuple(event)).toEqual([16, [1, 3, 2]]);
});
