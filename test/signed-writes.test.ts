import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../src/bytes/hex.ts";
import { signPdu } from "../src/crypto/index.ts";
import { type Bond, MemoryBondStore, type WriteKind } from "../src/index.ts";
import { PDU_OFFSET } from "../src/l2cap/channel.ts";
import { createBond, KeyDistribution, type PairingPolicy } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { PairEnd } from "../src/testing/pair-end.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const { SignKey, EncKey } = KeyDistribution;
/** Signature keys both ways, and none to encrypt with: the links that follow stay in the clear. */
const signing: Partial<PairingPolicy> = { secureConnections: false, localKeys: SignKey, peerKeys: SignKey };

/** Refuses or hangs while it is told to, and remembers how often it was asked. */
class Store extends MemoryBondStore {
  mode: "works" | "refuses" | "hangs" = "works";
  saves = 0;
  #held: (() => void)[] = [];
  override async save(bond: Bond): Promise<void> {
    this.saves++;
    if (this.mode === "refuses") throw new Error("disk full");
    if (this.mode === "hangs") await new Promise<void>((resolve) => this.#held.push(resolve));
    await super.save(bond);
  }
  release(): void {
    this.mode = "works";
    for (const act of this.#held.splice(0)) act();
  }
}

interface Written {
  readonly value: string;
  readonly operation: WriteKind | "read";
}

class Scene implements AsyncDisposable {
  readonly air: SimulatedAir;
  readonly written: Written[] = [];
  readonly stores = { central: new Store(), peripheral: new Store() };
  pair!: Awaited<ReturnType<SimulatedAir["connectedPair"]>>;
  valueHandle = 0;

  constructor(seed: number) {
    this.air = new SimulatedAir({ seed });
  }

  /** Bonded for signatures, and connected anew in the clear. */
  static async make(
    seed: number,
    { policy = signing, permission = "open" as "open" | "encrypted" | { authenticated: boolean }, mtu = 247 } = {},
  ): Promise<Scene> {
    const scene = new Scene(seed);
    const side = (bonds: Store): SimulatedDeviceOptions => ({ pairing: policy, bonds, att: { mtu } });
    const { air, stores } = scene;
    scene.pair = await air.connectedPair({ central: side(stores.central), peripheral: side(stores.peripheral) });
    const { peripheral, central } = scene.pair;
    const service = peripheral.device.gattServer.addService({
      uuid: 0xff00,
      characteristics: [
        {
          uuid: 0xff01,
          properties: ["authenticated-signed-writes", "read"],
          permissions: { write: permission },
          write: (value, { operation }) => void scene.written.push({ value: toHex(value), operation }),
        },
        { uuid: 0xff02, properties: ["write"], value: Uint8Array.of(0) },
      ],
    });
    scene.valueHandle = service.characteristics[0]!.valueHandle;
    await central.connection.pair();
    await air.advance(1000);
    return scene;
  }

  /** Links again: a link that was encrypted while pairing is in the clear now. */
  async reconnect(): Promise<void> {
    const { central, peripheral } = this.pair;
    await central.connection.disconnect();
    await this.air.advance(1000);
    const shown = await peripheral.device.advertise();
    const connection = await central.device.connect(peripheral.device.identity);
    const peer = await shown.connection();
    this.pair = {
      central: new PairEnd(central.device, connection, central.controller),
      peripheral: new PairEnd(peripheral.device, peer, peripheral.controller),
    };
    await this.air.advance(1000);
  }

  async characteristic(uuid = 0xff01) {
    return await this.pair.central.connection.gatt.characteristic(0xff00, uuid);
  }

  async bondOf(side: "central" | "peripheral"): Promise<Bond> {
    const other = side === "central" ? "peripheral" : "central";
    return (await this.pair[side].device.bonds.load(this.pair[other].device.identity))!;
  }

  /** Sends octets as they are on the central's ATT bearer. */
  raw(pdu: Uint8Array): void {
    const { att } = this.pair.central.connection;
    const frame = att.channel.allocate(pdu.length);
    frame.set(pdu, PDU_OFFSET);
    att.channel.sendFrame(frame);
  }

  async forged(counter: number, { value = "01", csrk }: { value?: string; csrk?: Uint8Array } = {}): Promise<Uint8Array> {
    const pdu = concat(Uint8Array.of(0xd2, this.valueHandle & 0xff, this.valueHandle >> 8), fromHex(value));
    return concat(pdu, signPdu(csrk ?? (await this.bondOf("central")).localCsrk!, pdu, counter));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.air[Symbol.asyncDispose]();
  }
}

async function scene(seed: number, options: Parameters<typeof Scene.make>[1] = {}): Promise<Scene> {
  const made = await Scene.make(seed, options);
  await made.reconnect();
  return made;
}

test("a signed write arrives as what it is, and each has a counter of its own (Vol 3 Part G 4.9.2)", async () => {
  await using it = await scene(1);
  expect(it.pair.central.connection.security.encrypted).toBe(false);
  const characteristic = await it.characteristic();
  await characteristic.write(Uint8Array.of(1), { signed: true });
  await Promise.all([2, 3].map((value) => characteristic.write(Uint8Array.of(value), { signed: true })));
  await it.air.advance(1000);
  expect(it.written).toEqual(["01", "02", "03"].map((value) => ({ value, operation: "signed" })));
  expect((await it.bondOf("central")).localSignCounter).toBe(3);
  expect((await it.bondOf("peripheral")).peerSignCounter).toBe(3);
});

test("the PDU is that of Vol 3 Part F 3.4.5.4, with the signature of the key that was given", async () => {
  await using it = await scene(2);
  const sent: string[] = [];
  const { att } = it.pair.peripheral.connection;
  const receive = att.channel.onPdu!;
  att.channel.onPdu = (bytes, offset, end) => {
    if (bytes[offset] === 0xd2) sent.push(toHex(bytes.subarray(offset, end)));
    receive(bytes, offset, end);
  };
  await (await it.characteristic()).write(Uint8Array.of(0x42), { signed: true });
  await it.air.advance(100);
  expect(sent).toEqual([toHex(await it.forged(0, { value: "42" }))]);
});

test("the peripheral signs with its own key, and both count apart", async () => {
  await using it = await scene(3);
  const { central, peripheral } = it.pair;
  const heard: string[] = [];
  central.device.gattServer.addService({
    uuid: 0xff10,
    characteristics: [{ uuid: 0xff11, properties: ["authenticated-signed-writes"], write: (value) => void heard.push(toHex(value)) }],
  });
  await (await peripheral.connection.gatt.characteristic(0xff10, 0xff11)).write(Uint8Array.of(9), { signed: true });
  await it.air.advance(1000);
  expect(heard).toEqual(["09"]);
  expect(await it.bondOf("peripheral")).toMatchObject({ localSignCounter: 1 });
  expect((await it.bondOf("peripheral")).peerSignCounter).toBeUndefined();
});

describe("what is dropped without a word", () => {
  test.each<[string, (it: Scene, good: Uint8Array) => Uint8Array | Promise<Uint8Array>]>([
    ["a wrong MAC", (_, good) => good.map((octet, i) => (i === good.length - 1 ? octet ^ 1 : octet))],
    ["another value", (_, good) => good.map((octet, i) => (i === 3 ? octet ^ 1 : octet))],
    ["another counter than was signed", (_, good) => good.map((octet, i) => (i === good.length - 12 ? octet ^ 2 : octet))],
    ["another key", (it) => it.forged(0, { csrk: new Uint8Array(16).fill(1) })],
    ["no room for a signature", (_, good) => good.subarray(0, 14)],
    ["no attribute there", (_, good) => good.map((octet, i) => (i === 1 ? 0xee : octet))],
    ["the opcode alone", () => Uint8Array.of(0xd2)],
  ])("%s", async (_, damage) => {
    await using it = await scene(4);
    const { saves } = it.stores.peripheral;
    it.raw(await damage(it, await it.forged(0)));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
    expect(it.stores.peripheral.saves).toBe(saves); // who has not the key does not wear the store out
    it.raw(await it.forged(0)); // and what is good is taken after it
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });

  test("what was taken before, on this link and on the next, and after a restart", async () => {
    await using it = await scene(5);
    const first = await it.forged(5);
    it.raw(first);
    it.raw(first);
    it.raw(await it.forged(4, { value: "04" }));
    await it.air.advance(1000);
    expect(it.written).toEqual([{ value: "01", operation: "signed" }]);
    await it.reconnect();
    const { saves } = it.stores.peripheral;
    it.raw(first);
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
    expect(it.stores.peripheral.saves).toBe(saves);
    // What another run of the program would read.
    expect((await it.stores.peripheral.load(it.pair.central.device.identity))!.peerSignCounter).toBe(6);
    it.raw(await it.forged(6, { value: "06" }));
    await it.air.advance(1000);
    expect(it.written.at(-1)).toEqual({ value: "06", operation: "signed" });
  });

  test("a characteristic without the property, and one that asks for encryption", async () => {
    await using it = await scene(6, { permission: "encrypted" });
    it.raw(await it.forged(0));
    const other = await it.characteristic(0xff02);
    const pdu = Uint8Array.of(0xd2, other.valueHandle, 0, 7);
    it.raw(concat(pdu, signPdu((await it.bondOf("central")).localCsrk!, pdu, 1)));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
    expect(await other.read().catch((error: unknown) => (error as { code: string }).code)).toBe("ERR_ATT");
    expect((await it.bondOf("peripheral")).peerSignCounter).toBeUndefined();
  });

  test("a key of a pairing that was not authenticated, where that is asked for", async () => {
    await using it = await scene(7, { permission: { authenticated: true } });
    it.raw(await it.forged(0));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
    const bond = await it.bondOf("peripheral");
    await it.pair.peripheral.device.bonds.save(createBond({ ...bond, authenticated: true }));
    it.raw(await it.forged(1));
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });

  test("a plain Write Command, where only signed ones may be", async () => {
    await using it = await scene(8);
    await (await it.characteristic()).writeWithoutResponse(Uint8Array.of(1));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
  });

  test("everything of a peer without a bond", async () => {
    await using it = await scene(9);
    const pdu = await it.forged(0);
    await it.pair.peripheral.device.bonds.delete(it.pair.central.device.identity);
    it.raw(pdu);
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
  });
});

describe("on an encrypted link", () => {
  const both = { ...signing, localKeys: SignKey | EncKey, peerKeys: SignKey | EncKey };
  test("a plain Write Command takes the place of the signed one, and no counter is used", async () => {
    await using it = await scene(10, { policy: both });
    expect(it.pair.central.connection.security.encrypted).toBe(true);
    await (await it.characteristic()).write(Uint8Array.of(1), { signed: true });
    await it.air.advance(1000);
    expect(it.written).toEqual([{ value: "01", operation: "command" }]);
    expect((await it.bondOf("central")).localSignCounter).toBeUndefined();
  });

  test("a signed one is dropped (Vol 3 Part C 10.2.2)", async () => {
    await using it = await scene(11, { policy: both });
    it.raw(await it.forged(0));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
  });
});

describe("the store", () => {
  test("that refuses a counter lets nothing leave, and the counter is not used twice", async () => {
    await using it = await scene(12);
    const characteristic = await it.characteristic();
    await characteristic.write(Uint8Array.of(1), { signed: true });
    it.stores.central.mode = "refuses";
    await expect(characteristic.write(Uint8Array.of(2), { signed: true })).rejects.toThrow("disk full");
    it.stores.central.mode = "works";
    await characteristic.write(Uint8Array.of(3), { signed: true });
    await it.air.advance(1000);
    expect(it.written.map(({ value }) => value)).toEqual(["01", "03"]);
    expect((await it.bondOf("central")).localSignCounter).toBe(2);
  });

  test("that is slow holds the write, not what has its counter already", async () => {
    await using it = await scene(13);
    const characteristic = await it.characteristic();
    it.stores.central.mode = "hangs";
    const write = characteristic.write(Uint8Array.of(1), { signed: true });
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
    it.stores.central.release();
    await write;
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });

  test("of the server that refuses drops the write; the same one may be sent again", async () => {
    await using it = await scene(14);
    it.stores.peripheral.mode = "refuses";
    it.raw(await it.forged(0));
    await it.air.advance(1000);
    expect(it.written).toEqual([]);
    it.stores.peripheral.mode = "works";
    it.raw(await it.forged(0));
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });

  test("the last counter is used, and none after it", async () => {
    await using it = await scene(15);
    const characteristic = await it.characteristic();
    await it.pair.central.device.bonds.save(createBond({ ...(await it.bondOf("central")), localSignCounter: 0xffff_ffff }));
    await characteristic.write(Uint8Array.of(1), { signed: true });
    await expect(characteristic.write(Uint8Array.of(2), { signed: true })).rejects.toMatchObject({ code: "ERR_STATE" });
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
    it.raw(await it.forged(0xffff_ffff));
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });
});

describe("what cannot be signed is told", () => {
  test("a value that is too long, a response, a characteristic without the property, a word in place of true", async () => {
    await using it = await scene(16);
    const characteristic = await it.characteristic();
    const most = it.pair.central.connection.att.txLimit - 15;
    const refused = (value: number, options: object, code: string): Promise<void> =>
      expect(characteristic.write(new Uint8Array(value), options)).rejects.toMatchObject({ code });
    await refused(512, { signed: true }, "ERR_ARGUMENT");
    await refused(1, { signed: true, response: true }, "ERR_ARGUMENT");
    await refused(1, { signed: "yes" }, "ERR_ARGUMENT");
    await expect((await it.characteristic(0xff02)).write(Uint8Array.of(1), { signed: true })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    expect((await it.bondOf("central")).localSignCounter).toBeUndefined();
    await characteristic.write(new Uint8Array(most), { signed: true });
    await it.air.advance(1000);
    expect(it.written).toHaveLength(1);
  });

  test("a value that no attribute holds, though the MTU would; its counter is not used", async () => {
    await using it = await scene(19, { mtu: 600 });
    const characteristic = await it.characteristic();
    const { gatt } = it.pair.central.connection;
    await gatt.exchangeMtu();
    expect(gatt.mtu).toBe(600);
    for (const length of [513, 585, 586])
      await expect(characteristic.write(new Uint8Array(length), { signed: true })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect((await it.bondOf("central")).localSignCounter).toBeUndefined();
    await characteristic.write(new Uint8Array(512), { signed: true });
    await it.air.advance(1000);
    expect(it.written.map(({ value }) => value.length / 2)).toEqual([512]);
    expect((await it.bondOf("central")).localSignCounter).toBe(1);
  });

  test("a write without response of more than an attribute holds", async () => {
    await using it = await scene(20, { mtu: 600 });
    const characteristic = await it.characteristic();
    await it.pair.central.connection.gatt.exchangeMtu();
    const value = new Uint8Array(513);
    await expect(characteristic.writeWithoutResponse(value)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(() => characteristic.tryWriteWithoutResponse(value)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("a value that fits the MTU of now without its signature, until the MTU is as large as the policy has it", async () => {
    await using it = await scene(21);
    const characteristic = await it.characteristic();
    const { gatt } = it.pair.central.connection;
    expect(gatt.mtu).toBe(23);
    await characteristic.write(new Uint8Array(9), { signed: true });
    await it.air.advance(1000);
    expect(gatt.mtu).toBeGreaterThan(23);
    expect(it.written.map(({ value }) => value.length / 2)).toEqual([9]);
    await using small = await scene(22, { mtu: 23 });
    const other = await small.characteristic();
    await expect(other.write(new Uint8Array(9), { signed: true })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect((await small.bondOf("central")).localSignCounter).toBeUndefined();
    await other.write(new Uint8Array(8), { signed: true });
  });

  test("no bond, no key", async () => {
    await using it = await scene(17);
    const characteristic = await it.characteristic();
    const { localCsrk: _, ...without } = await it.bondOf("central");
    await it.pair.central.device.bonds.save(createBond(without));
    await expect(characteristic.write(Uint8Array.of(1), { signed: true })).rejects.toMatchObject({ code: "ERR_STATE" });
    await it.pair.central.device.bonds.delete(it.pair.peripheral.device.identity);
    await expect(characteristic.write(Uint8Array.of(1), { signed: true })).rejects.toMatchObject({ code: "ERR_STATE" });
  });
});

test("a new pairing brings new keys, and counts from 0", async () => {
  await using it = await scene(18);
  await (await it.characteristic()).write(Uint8Array.of(1), { signed: true });
  await it.air.advance(1000);
  for (const side of ["central", "peripheral"] as const) {
    const other = side === "central" ? "peripheral" : "central";
    await it.pair[side].device.bonds.delete(it.pair[other].device.identity);
  }
  await it.pair.central.connection.pair();
  await it.air.advance(1000);
  expect((await it.bondOf("central")).localSignCounter).toBeUndefined();
  expect((await it.bondOf("peripheral")).peerSignCounter).toBeUndefined();
});
