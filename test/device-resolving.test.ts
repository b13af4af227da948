import { afterEach, beforeEach, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { createRpa } from "../src/crypto/index.ts";
import { Device, type DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { HciErrorCode, LeEnhancedConnectionComplete, LeFeature } from "../src/hci/index.ts";
import { createBond } from "../src/smp/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

// A device on a controller that resolves private addresses: what is sent when, and what becomes of what the controller tells.

const BONDED = Address.from("C0:00:00:00:00:0B/random");
const PEER_IRK = new Uint8Array(16).fill(0xb2);
const ON_AIR = createRpa(PEER_IRK, new SeededRandom(1));
const LOCAL = Address.from("41:02:03:04:05:06/random");
const ZEROS = Address.from("00:00:00:00:00:00/random");
const FEATURES = (1n << BigInt(LeFeature.LeExtendedAdvertising)) | (1n << BigInt(LeFeature.LlPrivacy));
const LIST = /ResolvingList$|PrivacyMode|AddressResolution|PrivateAddressTimeout/;
const OPENING = [
  "LeClearResolvingList",
  "LeAddDeviceToResolvingList",
  "LeSetPrivacyMode",
  "LeSetResolvablePrivateAddressTimeout",
  "LeSetAddressResolutionEnable",
];

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device | undefined;
beforeEach(() => {
  clock = new VirtualClock();
  controller = new ScriptedController({ leFeatures: FEATURES });
  device = undefined;
});
afterEach(() => device?.close());

const bond = createBond({
  identity: BONDED,
  peerIrk: PEER_IRK,
  localIrkDistributed: true,
  authenticated: false,
  secureConnections: false,
});
const open = async (options: DeviceOptions = {}) => {
  device = await Device.open(controller.transport, { clock, bonds: new MemoryBondStore([bond]), commandTimeoutMs: 1000, ...options });
  return device;
};
const listCommands = () => controller.commands.filter((name) => LIST.test(name));
const link = (peerAddressType: number, peer: Address, { onAir = ZEROS, local = ZEROS, role = 0 } = {}) =>
  controller.event(LeEnhancedConnectionComplete, {
    status: 0,
    connectionHandle: 1,
    role,
    peerAddressType,
    peerAddress: peer.bytes,
    localResolvablePrivateAddress: local,
    peerResolvablePrivateAddress: onAir,
    connectionInterval: 24,
    peripheralLatency: 0,
    supervisionTimeout: 400,
    centralClockAccuracy: 0,
  });

test("the bonds are in the list when the device is open", async () => {
  await open({ privateAddressIntervalMs: 60_000 });
  expect(listCommands()).toEqual(OPENING);
  expect(controller.last.get("LeAddDeviceToResolvingList")).toMatchObject({ peerIdentityAddress: BONDED, peerIrk: PEER_IRK });
  expect(controller.last.get("LeSetPrivacyMode")).toMatchObject({ peerIdentityAddress: BONDED, privacyMode: 1 });
  expect(controller.last.get("LeSetResolvablePrivateAddressTimeout")).toMatchObject({ rpaTimeout: 60 });
});

test.each<[string, DeviceOptions, bigint]>([
  ["where there is no private bond", { bonds: new MemoryBondStore([createBond({ ...bond, peerIrk: undefined })]) }, FEATURES],
  ["where the host is to resolve", { addressResolution: "host" }, FEATURES],
  ["where the controller cannot", {}, FEATURES & ~(1n << BigInt(LeFeature.LlPrivacy))],
])("nothing is said of it %s", async (_where, options, leFeatures) => {
  controller = new ScriptedController({ leFeatures });
  await open(options);
  expect(listCommands()).toEqual([]);
});

test.each([HciErrorCode.CommandDisallowed, HciErrorCode.UnknownHciCommand, HciErrorCode.InvalidHciCommandParameters])(
  "a controller that refuses to resolve (%i) is opened all the same, and bonded peers are looked for",
  async (status) => {
    controller.answers.set("LeSetAddressResolutionEnable", status);
    const connecting = (await open()).connect(BONDED, { timeoutMs: 100 });
    await expect(connecting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(controller.commands).toContain("LeSetExtendedScanEnable");
    expect(controller.commands).not.toContain("LeExtendedCreateConnection");
  },
);

test("one that is silent is not opened", async () => {
  controller.answers.set("LeSetAddressResolutionEnable", "silent");
  await expect(open()).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
});

test("a link has the addresses of the packets, and is known to be the bonded peer's", async () => {
  await open();
  controller.reactions.set("LeExtendedCreateConnection", () => link(3, BONDED, { onAir: ON_AIR, local: LOCAL }));
  const connection = await device!.connect(BONDED, { ownAddress: "resolvable" });
  expect([connection.peerAddress, connection.peerIdentity, connection.localAddress].map(String)).toEqual(
    [ON_AIR, BONDED, LOCAL].map(String),
  );
  expect(controller.last.get("LeExtendedCreateConnection")).toMatchObject({
    ownAddressType: 3,
    peerAddressType: 1, // 3 is for controllers without LE Set Privacy Mode (7.8.66)
    peerAddress: BONDED.bytes,
  });
  expect(controller.commands).not.toContain("LeSetExtendedScanEnable");
});

test("addresses of zeros are none: the identity is what was on the air, the own address is the one that was set", async () => {
  await open();
  controller.reactions.set("LeExtendedCreateConnection", () => link(3, BONDED));
  const connection = await device!.connect(BONDED, { ownAddress: "resolvable" });
  const random = controller.last.get("LeSetRandomAddress")!.randomAddress;
  expect([connection.peerAddress, connection.localAddress].map(String)).toEqual([BONDED, random].map(String));
});

test("an advertisement that a resolved peer answers is that peer's link", async () => {
  await open();
  await using advertising = await device!.advertise({ ownAddress: "resolvable", direct: { peer: BONDED } });
  expect(controller.last.get("LeSetExtendedAdvertisingParameters")).toMatchObject({
    ownAddressType: 3,
    peerAddressType: 1,
    peerAddress: BONDED.bytes,
  });
  link(3, BONDED, { onAir: ON_AIR, local: LOCAL, role: 1 });
  const connection = await advertising.connection({ timeoutMs: 100 });
  expect([connection.peerAddress, connection.localAddress].map(String)).toEqual([ON_AIR, LOCAL].map(String));
});

test("a bond that goes leaves the list at once, one that comes is in it at once", async () => {
  await open();
  controller.commands.length = 0;
  await device!.bonds.delete(BONDED);
  await delay(clock, 1);
  expect(listCommands()).toEqual(["LeRemoveDeviceFromResolvingList"]);
  await device!.bonds.save(bond);
  await delay(clock, 1);
  expect(listCommands()).toEqual(["LeRemoveDeviceFromResolvingList", "LeAddDeviceToResolvingList", "LeSetPrivacyMode"]);
  await device!.bonds.save(createBond({ ...bond, cccd: { 3: 1 } })); // which the list knows nothing of
  await device!.bonds.save(createBond({ ...bond, privacyMode: "network" }));
  await delay(clock, 1);
  expect(listCommands().slice(3)).toEqual(["LeSetPrivacyMode"]);
  expect(controller.last.get("LeSetPrivacyMode")).toMatchObject({ privacyMode: 0 });
});
