import { describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { createRpa } from "../src/crypto/index.ts";
import { Device, type DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { HciErrorCode } from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const ZEROS = "00:00:00:00:00:00";
const IRK = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const STATIC = Address.from("C0:11:22:33:44:55/random");
const PUBLIC = "00:11:22:33:44:55";

/** The identity of a device on a controller with this address. */
async function identityOf(address: string, options: DeviceOptions, seed = 1): Promise<string> {
  const clock = new VirtualClock();
  const controller = new ScriptedController({ address: Address.from(address) });
  await using device = await Device.open(controller.transport, { clock, random: new SeededRandom(seed), ...options });
  return device.identity.toString();
}

describe("the identity", () => {
  test.each([
    ["the public address", PUBLIC, {}, `${PUBLIC}/public`],
    ["the public address, whatever else is there", PUBLIC, { staticAddress: STATIC, irk: IRK }, `${PUBLIC}/public`],
    ["else the static one", ZEROS, { staticAddress: STATIC, irk: IRK }, STATIC.toString()],
    ["else the static one, where public was asked for", ZEROS, { address: "public", staticAddress: STATIC }, STATIC.toString()],
    ["the static one where random is asked for", PUBLIC, { address: "random", staticAddress: STATIC }, STATIC.toString()],
    ["the address that is given", PUBLIC, { address: STATIC }, STATIC.toString()],
    ["given twice", PUBLIC, { address: STATIC, staticAddress: STATIC }, STATIC.toString()],
  ] as [string, string, DeviceOptions, string][])("is %s", async (_which, address, options, expected) => {
    expect(await identityOf(address, options)).toBe(expected);
  });

  test.each([ZEROS, "AA:AA:AA:AA:AA:AA", "FF:FF:FF:FF:FF:FF", "43:43:A0:12:1F:AC", "20:70:02:A0:00:00"])(
    "is not %s, which is in every controller of a kind",
    async (address) => {
      expect(await identityOf(address, { staticAddress: STATIC })).toBe(STATIC.toString());
      const clock = new VirtualClock();
      const controller = new ScriptedController({ address: Address.from(address) });
      await using device = await Device.open(controller.transport, { clock });
      await expect(device.advertise({ ownAddress: "public" })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    },
  );

  test("comes with the key where no address is given, and without either is made up", async () => {
    const withKey = await identityOf(ZEROS, { irk: IRK }, 1);
    expect(withKey).toBe(await identityOf(ZEROS, { irk: IRK }, 2));
    expect(withKey).toBe(await identityOf(PUBLIC, { irk: IRK, address: "random" }, 3));
    expect(Address.from(withKey).isStaticRandom).toBe(true);
    expect(withKey).not.toBe(await identityOf(ZEROS, { irk: IRK.toReversed() }, 1));
    expect(await identityOf(ZEROS, {}, 1)).not.toBe(await identityOf(ZEROS, {}, 2));
  });

  test.each<[DeviceOptions, string]>([
    [{ staticAddress: Address.from(PUBLIC) }, "static address: expected a static random Address"],
    [{ staticAddress: createRpa(IRK, new SeededRandom(1)) }, "static address: expected a static random Address"],
    [{ staticAddress: STATIC.toString() as unknown as Address }, "static address: expected a static random Address"],
    [{ address: STATIC, staticAddress: Address.from("C0:00:00:00:00:01/random") }, "expected one of them"],
    [{ address: "static" as "random" }, 'expected "public", "random" or an Address'],
  ])("is not made of %j", async (options, message) => {
    await expect(identityOf(PUBLIC, options)).rejects.toThrow(message);
  });

  test("two devices, one after the other, with the same key and bonds on controllers without an address are one to their peers", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const sensor = await air.device({ name: "sensor", bonds: new MemoryBondStore() });
    sensor.gattServer.addService({
      uuid: "180D",
      characteristics: [{ uuid: "2A37", properties: ["read"], value: Uint8Array.of(1), permissions: { read: "encrypted" } }],
    });
    await using _advertising = await sensor.advertise({ intervalMs: 20, restart: "disconnected" });
    const bonds = new MemoryBondStore();
    const open = () => air.device({ controller: { address: ZEROS }, irk: IRK, bonds });
    const first = await open();
    const { identity } = first;
    await (await first.connect(sensor.address)).pair();
    await first.close();
    const second = await open();
    expect(second.identity).toEqual(identity);
    const connection = await second.connect(sensor.address);
    expect([...(await (await connection.gatt.characteristic("180D", "2A37")).read())]).toEqual([1]);
    expect(sensor.links.map(({ bonded, peerIdentity }) => [bonded, peerIdentity.toString()])).toEqual([[true, identity.toString()]]);
  });
});

describe("own addresses on a controller without a public one (7.8.11)", () => {
  const open = async (options: DeviceOptions = {}) => {
    const clock = new VirtualClock();
    const controller = new ScriptedController({ address: Address.from(ZEROS) });
    const device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), ...options });
    return { controller, device };
  };

  test("a passive scan has the random one, set before", async () => {
    const { controller, device } = await open({ staticAddress: STATIC });
    await device.startScan({ active: false }, () => {});
    expect(controller.last.get("LeSetScanParameters")).toMatchObject({ leScanType: 0, ownAddressType: 1 });
    expect(controller.last.get("LeSetRandomAddress")).toEqual({ randomAddress: STATIC });
    expect(controller.commands.indexOf("LeSetRandomAddress")).toBeLessThan(controller.commands.indexOf("LeSetScanEnable"));
    await device.close();
  });

  test.each(["public", "random", "resolvable"] as const)(
    "what is chosen is used, for scanning and for looking for a peer: %s",
    async (ownAddress) => {
      const clock = new VirtualClock();
      const controller = new ScriptedController();
      const peer = Address.from("00:00:00:00:00:01");
      const bond = { identity: peer, peerIrk: IRK, localIrkDistributed: true, authenticated: false, secureConnections: true };
      const device = await Device.open(controller.transport, { clock, bonds: new MemoryBondStore([bond]) });
      const ownAddressType = ownAddress === "public" ? 0 : 1;
      const scan = await device.startScan({ active: false, ownAddress }, () => {});
      expect(controller.last.get("LeSetScanParameters")).toMatchObject({ leScanType: 0, ownAddressType });
      await scan[Symbol.asyncDispose]();
      controller.last.clear();
      await expect(device.connect(peer, { ownAddress, timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
      expect(controller.last.get("LeSetScanParameters")).toMatchObject({ leScanType: 0, ownAddressType });
      await device.close();
    },
  );

  test("of several passive scans, the one that chose its address has it", async () => {
    const { controller, device } = await open({ address: "public" });
    await device.startScan({ active: false }, () => {});
    await device.startScan({ active: false, ownAddress: "resolvable" }, () => {});
    expect((controller.last.get("LeSetRandomAddress") as { randomAddress: Address }).randomAddress.isResolvablePrivate).toBe(true);
    await device.close();
  });

  test("a peer with private addresses is looked for under the identity", async () => {
    const peer = Address.from("00:00:00:00:00:01");
    const bond = { identity: peer, peerIrk: IRK, localIrkDistributed: true, authenticated: false, secureConnections: true };
    const { controller, device } = await open({ bonds: new MemoryBondStore([bond]), staticAddress: STATIC });
    await expect(device.connect(peer, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(controller.last.get("LeSetScanParameters")).toMatchObject({ ownAddressType: 1 });
    expect(controller.last.get("LeSetRandomAddress")).toEqual({ randomAddress: STATIC });
    await device.close();
  });
});

test.each([
  "ReadLocalVersionInformation",
  "ReadLocalSupportedCommands",
  "ReadLocalSupportedFeatures",
  "ReadBdAddr",
  "LeReadLocalSupportedFeatures",
  "LeReadSupportedStates",
  "LeReadFilterAcceptListSize",
  "LeReadResolvingListSize",
  "LeReadSuggestedDefaultDataLength",
  "LeReadMaximumDataLength",
])("a device is opened, and advertises, scans and connects, where the controller does not know %s", async (command) => {
  const clock = new VirtualClock();
  const controller = new ScriptedController({ leFeatures: 1n << 5n });
  controller.answers.set(command, HciErrorCode.UnknownHciCommand);
  await using device = await Device.open(controller.transport, { clock });
  const advertising = await device.advertise();
  const scan = await device.startScan({}, () => {});
  const peer = Address.from("00:00:00:00:00:01");
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer }));
  expect((await device.connect(peer)).peerAddress).toEqual(peer);
  await scan[Symbol.asyncDispose]();
  await advertising.stop();
});
