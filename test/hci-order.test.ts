// Events and ACL data come by two ways, and nothing orders one against the other (on USB two endpoints, Vol 4 Part B 2.1). For each event
// and the PDUs that can overtake it, or be overtaken: both orders. docs/architecture.md has the table of what was decided.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { fromHex, toHex } from "../src/bytes/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { type Connection, Device, type DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import {
  EncryptionChange,
  EncryptionKeyRefreshComplete,
  HciErrorCode,
  LeConnectionUpdateComplete,
  LeLongTermKeyRequest,
} from "../src/hci/index.ts";
import type { Bond } from "../src/smp/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const LTK = { key: new Uint8Array(16).fill(3), ediv: 0, rand: new Uint8Array(8), keySize: 16 };
const BOND: Bond = {
  identity: PEER,
  localLtk: LTK,
  peerLtk: LTK,
  localIrkDistributed: true,
  authenticated: false,
  secureConnections: true,
};
/** With no bond nothing is encrypted by itself. */
const STRANGER = { bonds: new MemoryBondStore() };
const [ATT, SIGNALLING] = [4, 5];
const EXCHANGE_MTU = fromHex("02 f700");
const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const SECRET = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;
/** Handle of a value that may be read and written on an encrypted link only. */
let secret: number;
let written: string[];

async function open(options: DeviceOptions = {}): Promise<void> {
  controller = new ScriptedController();
  device = await Device.open(controller.transport, {
    clock,
    random: new SeededRandom(1),
    bonds: new MemoryBondStore([BOND]),
    ...options,
  });
  written = [];
  const service = device.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      {
        uuid: SECRET,
        properties: ["read", "write", "write-without-response"],
        permissions: { read: "encrypted", write: "encrypted" },
        read: () => fromHex("2a"),
        write: (value) => void written.push(toHex(value)),
      },
    ],
  });
  secret = service.characteristic(SECRET)!.valueHandle;
}

const linked = (): void => controller.link({ role: "peripheral", peer: PEER });
async function beConnected(): Promise<Connection> {
  const advertising = await device.advertise();
  linked();
  return await advertising.connection({ timeoutMs: 1000 });
}
async function connect(): Promise<Connection> {
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  return await device.connect(PEER);
}
const soon = () => delay(clock, 1);
const att = (pdu: string) => controller.pdu(1, ATT, fromHex(pdu));
const read = () => att(`0a ${handleOf(secret)}`);
const handleOf = (handle: number): string => toHex(Uint8Array.of(handle & 0xff, handle >> 8));
/** ATT PDUs sent since the last call. */
const sent = (): string[] => controller.data.splice(0).flatMap((packet) => (packet[7] === ATT ? [toHex(packet.subarray(9))] : []));
const VALUE = "0b2a";
const refusal = (opcode = "0a"): string => `01${opcode}${handleOf(secret)}0f`;
const keyRequest = () =>
  controller.event(LeLongTermKeyRequest, { connectionHandle: 1, randomNumber: new Uint8Array(8), encryptedDiversifier: 0 });
const encrypted = (status = 0) =>
  controller.event(EncryptionChange, { status, connectionHandle: 1, encryptionEnabled: status === 0 ? 1 : 0 });

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  await device.close();
  expect([device.hci.listenerCount, clock.pending]).toEqual([0, []]);
});

describe("Connection Complete and the first request", () => {
  const request = () => controller.pdu(1, ATT, EXCHANGE_MTU);
  const orders: [string, (() => void)[]][] = [
    ["the event first", [linked, request]],
    ["the request first", [request, linked]],
  ];
  test.each(orders)("%s: it is answered, after the program has heard of the link", async (_name, steps) => {
    await open();
    const seen: string[] = [];
    device.onConnection((connection) => {
      seen.push("connection");
      connection.att.on("mtu", (mtu) => seen.push(`mtu ${mtu}`));
    });
    await device.advertise();
    for (const step of steps) {
      step();
      await delay(clock, 10);
    }
    expect(seen).toEqual(["connection", "mtu 247"]);
    expect(sent()).toEqual([expect.stringMatching(/^03/)]);
  });

  test("also on the link of a central, and for a request of connection parameters", async () => {
    await open(STRANGER);
    controller.reactions.set("LeCreateConnection", () => {
      controller.pdu(1, SIGNALLING, fromHex("12 05 0800 1800 2800 0000 2a00"));
      controller.link({ role: "central", peer: PEER });
    });
    await device.connect(PEER);
    await soon();
    expect(controller.last.get("LeConnectionUpdate")).toMatchObject({ connectionIntervalMin: 0x18, connectionIntervalMax: 0x28 });
  });

  test("a connection that nobody wants gets none of it", async () => {
    await open();
    controller.pdu(1, ATT, EXCHANGE_MTU);
    linked();
    await soon();
    expect(sent()).toEqual([]);
    expect(controller.commands.at(-1)).toBe("Disconnect");
  });
});

describe("Encryption Change and requests that demand encryption, as peripheral", () => {
  test("the event first", async () => {
    await open();
    await beConnected();
    keyRequest();
    encrypted();
    read();
    await soon();
    expect(sent()).toEqual([VALUE]);
  });

  test.each([0, 10, 19])("the request first, the event %s ms later", async (ms) => {
    await open();
    await beConnected();
    keyRequest();
    read();
    att(`52 ${handleOf(secret)} 07`);
    await delay(clock, ms);
    expect(sent()).toEqual([]);
    encrypted();
    await soon();
    expect(sent()).toEqual([VALUE]);
    expect(written).toEqual(["07"]);
  });

  test("in their order, those that come after the event too", async () => {
    await open();
    await beConnected();
    keyRequest();
    for (const value of ["01", "02"]) att(`52 ${handleOf(secret)} ${value}`);
    encrypted();
    for (const value of ["03", "04"]) att(`52 ${handleOf(secret)} ${value}`);
    await soon();
    expect(written).toEqual(["01", "02", "03", "04"]);
  });

  test("what came before the key was asked for was sent in the clear, and is refused", async () => {
    await open();
    await beConnected();
    read();
    att(`52 ${handleOf(secret)} 07`);
    keyRequest();
    encrypted();
    await soon();
    expect(sent()).toEqual([refusal()]);
    expect(written).toEqual([]);
  });

  test("where the event does not come the request waits for 20 ms and is refused", async () => {
    await open();
    await beConnected();
    keyRequest();
    read();
    await delay(clock, 19.9);
    expect(sent()).toEqual([]);
    await delay(clock, 0.1);
    expect(sent()).toEqual([refusal()]);
  });

  test("where the encryption fails it is refused at once", async () => {
    await open();
    await beConnected();
    keyRequest();
    read();
    encrypted(HciErrorCode.PinOrKeyMissing);
    await soon();
    expect(sent()).toEqual([refusal()]);
  });

  test("where no key is given nothing waits", async () => {
    await open({ bonds: new MemoryBondStore() });
    await beConnected();
    keyRequest();
    expect(controller.commands.at(-1)).toBe("LeLongTermKeyRequestNegativeReply");
    read();
    await soon();
    expect(sent()).toEqual([refusal("0a").replace(/0f$/, "05")]); // Insufficient Authentication: there is no bond
  });

  test("a key that is refreshed is another such event", async () => {
    await open();
    await beConnected();
    keyRequest();
    encrypted();
    keyRequest();
    read();
    await soon();
    expect(sent()).toEqual([]);
    controller.event(EncryptionKeyRefreshComplete, { status: 0, connectionHandle: 1 });
    await soon();
    expect(sent()).toEqual([VALUE]);
  });

  test("a link that is lost meanwhile takes with it what waited", async () => {
    await open();
    await beConnected();
    keyRequest();
    att(`52 ${handleOf(secret)} 07`);
    controller.lose();
    encrypted();
    await delay(clock, 50);
    expect(written).toEqual([]);
  });
});

describe("Encryption Change and requests of the peer, as central", () => {
  test.each(["event", "request"])("the %s first", async (first) => {
    await open();
    controller.reactions.set("LeEnableEncryption", () => {
      if (first === "event") encrypted();
      read();
      if (first === "request") void delay(clock, 10).then(() => encrypted());
    });
    await connect(); // which encrypts by itself
    await delay(clock, 10);
    expect(sent().filter((pdu) => pdu.startsWith("0b") || pdu.startsWith("01"))).toEqual([VALUE]);
  });
});

describe("Encryption Change and values of a bonded peer, as central", () => {
  const listen = (): string[] => {
    const values: string[] = [];
    device.onConnection(({ gatt }) => gatt.onValue(({ handle, value }) => values.push(`${handle} ${toHex(value)}`)));
    return values;
  };

  test.each(["event", "value"])("the %s first: it is believed, by notification and by indication", async (first) => {
    await open();
    const values = listen();
    controller.reactions.set("LeEnableEncryption", () => {
      if (first === "event") encrypted();
      att("1b 0300 01");
      att("1d 0500 02");
      if (first === "value") void delay(clock, 10).then(() => encrypted());
    });
    await connect();
    await delay(clock, 30);
    expect([values, sent()]).toEqual([["3 01", "5 02"], ["1e"]]);
  });

  test("what was sent in the clear is not, and an indication is confirmed all the same", async () => {
    await open();
    const values = listen();
    controller.reactions.set("LeEnableEncryption", () => {
      att("1b 0300 01");
      att("1d 0500 02");
      void delay(clock, 40).then(() => encrypted());
    });
    await connect();
    att("1b 0300 03");
    expect([values, sent()]).toEqual([["3 03"], ["1e"]]);
  });
});

describe("LE Connection Update Complete and the answer over L2CAP", () => {
  const updated = () =>
    controller.event(LeConnectionUpdateComplete, {
      status: 0,
      connectionHandle: 1,
      connectionInterval: 40,
      peripheralLatency: 0,
      supervisionTimeout: 400,
    });
  const accepted = () => controller.pdu(1, SIGNALLING, fromHex("13 01 0200 0000"));
  const orders: [string, (() => void)[]][] = [
    ["the answer first", [accepted, updated]],
    ["the event first", [updated, accepted]],
  ];
  test.each(orders)("%s", async (_name, steps) => {
    await open();
    const connection = await beConnected();
    const updating = connection.updateParameters({ intervalMs: 50, supervisionTimeoutMs: 4000 });
    await soon();
    for (const step of steps) {
      step();
      await delay(clock, 10);
    }
    expect(await updating).toMatchObject({ intervalMs: 50 });
  });
});

describe("Disconnection Complete and late data", () => {
  test("what comes after the end of its link is dropped, and reaches no new link of the same handle", async () => {
    await open();
    const first = await beConnected();
    keyRequest();
    encrypted();
    controller.lose();
    expect(first.ended).toBeDefined();
    att(`52 ${handleOf(secret)} 07`);
    controller.pdu(1, ATT, EXCHANGE_MTU);
    await beConnected();
    await soon();
    expect(sent()).toEqual([]);
    expect(written).toEqual([]);
  });

  test("what comes before it is done", async () => {
    await open();
    await beConnected();
    keyRequest();
    encrypted();
    att(`52 ${handleOf(secret)} 07`);
    controller.lose();
    await soon();
    expect(written).toEqual(["07"]);
  });
});

describe("Number Of Completed Packets and the answer of the peer", () => {
  test.each(["event", "answer"])("the %s first", async (first) => {
    await open(STRANGER);
    const connection = await beConnected();
    controller.completesAtOnce = false;
    const reading = connection.gatt.read(3);
    await soon();
    const free = device.hci.acl.freePackets;
    if (first === "event") controller.completed();
    await delay(clock, 10);
    att("0b 2a");
    expect(await reading).toEqual(fromHex("2a"));
    if (first === "answer") controller.completed();
    expect(device.hci.acl.freePackets).toBe(free + 1);
    // No timer is left that would close the bearer, and the next request goes its way.
    controller.completesAtOnce = true;
    await delay(clock, 40_000);
    const again = connection.gatt.read(3);
    await soon();
    att("0b 2b");
    expect(await again).toEqual(fromHex("2b"));
  });

  test("a count that comes after the end of the link gives no packet twice", async () => {
    await open(STRANGER);
    const connection = await beConnected();
    const free = device.hci.acl.freePackets;
    controller.completesAtOnce = false;
    connection.gatt.read(3).catch(() => undefined);
    await soon();
    expect(device.hci.acl.freePackets).toBe(free - 1);
    controller.lose();
    expect(device.hci.acl.freePackets).toBe(free);
    controller.completed();
    expect(device.hci.acl.freePackets).toBe(free);
  });
});
