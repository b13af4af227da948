import { expect, test } from "vitest";
import { advertiseExtended, connectExtended, EXTENDED, reportsOf, scanExtended, setParameters } from "../../test/support/raw-extended.ts";
import type { RawHost } from "../../test/support/raw-host.ts";
import { advertise, createConnection, makeAir, makeHost, scan } from "../../test/support/raw-pair.ts";
import type { AirTraceEntry } from "../air/index.ts";
import { Address } from "../core/index.ts";
import { AesKey, resolveRpa, reversed } from "../crypto/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToFilterAcceptList,
  LeAddDeviceToResolvingList,
  LeAdvertisingReport,
  LeClearResolvingList,
  LeConnectionComplete,
  LeCreateConnection,
  LeDirectedAdvertisingReport,
  LeEnhancedConnectionComplete,
  LeReadLocalResolvableAddress,
  LeReadPeerResolvableAddress,
  LeReadResolvingListSize,
  LeRemoveDeviceFromResolvingList,
  LeScanRequestReceived,
  LeSetAddressResolutionEnable,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetDataRelatedAddressChanges,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedScanEnable,
  LeSetPrivacyMode,
  LeSetResolvablePrivateAddressTimeout,
  LeSetScanEnable,
  LeSetScanParameters,
} from "../hci/index.ts";

const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownConnectionIdentifier;
const NO_IRK = new Uint8Array(16);
const irkOf = (octet: number): Uint8Array => new Uint8Array(16).fill(octet);
const PERIPHERAL_IRK = irkOf(0xa1);
const CENTRAL_IRK = irkOf(0xb2);
const isMadeOf = (irk: Uint8Array, bytes: Uint8Array): boolean => resolveRpa(new AesKey(reversed(irk)), new Address(bytes, 1));

/** Two that know each other's IRK, with address resolution on; `Address` of both are identities. */
async function bonded({ kind = EXTENDED, seed = 1, isOn = true } = {}) {
  const { air, clock } = makeAir({ seed });
  const peripheral = await makeHost(air, { ...kind, name: "peripheral" });
  const central = await makeHost(air, { ...kind, name: "central" });
  await know(peripheral.host, central.controller.address, CENTRAL_IRK, PERIPHERAL_IRK);
  await know(central.host, peripheral.controller.address, PERIPHERAL_IRK, CENTRAL_IRK);
  for (const { host } of [peripheral, central]) await host.command(LeSetAddressResolutionEnable, { addressResolutionEnable: isOn });
  return {
    air,
    clock,
    peripheral: peripheral.host,
    central: central.host,
    peripheralIdentity: peripheral.controller.address,
    centralIdentity: central.controller.address,
  };
}

async function know(host: RawHost, peerIdentityAddress: Address, peerIrk: Uint8Array, localIrk: Uint8Array): Promise<number> {
  return (await host.command(LeAddDeviceToResolvingList, { peerIdentityAddress, peerIrk, localIrk })).status;
}

test("own address type 2 in every role: resolvable addresses on air, identities in events (both address types 2)", async () => {
  for (const properties of [1, 5, 0x13, 0x15]) {
    const { air, clock, peripheral, central, peripheralIdentity, centralIdentity } = await bonded();
    await advertiseExtended(peripheral, { advertisingEventProperties: properties, ownAddressType: 2, peerAddress: centralIdentity.bytes });
    await scanExtended(central, { ownAddressType: 2, filterDuplicates: 1 });
    await clock.advance(300);
    expect(reportsOf(central)[0]).toMatchObject({ addressType: 2, address: peripheralIdentity.bytes });
    if (properties & 4) expect(reportsOf(central)[0]).toMatchObject({ directAddressType: 2, directAddress: centralIdentity.bytes });
    await central.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
    const atPeripheral = peripheral.event(LeEnhancedConnectionComplete);
    const atCentral = central.event(LeEnhancedConnectionComplete);
    expect(await connectExtended(central, peripheralIdentity, { ownAddressType: 2, peerAddressType: 2 })).toBe(0);
    const [c, p] = [await atCentral, await atPeripheral];
    expect(c).toMatchObject({ status: 0, peerAddressType: 2, peerAddress: peripheralIdentity.bytes });
    expect(p).toMatchObject({ status: 0, peerAddressType: 2, peerAddress: centralIdentity.bytes });
    expect([c.localResolvablePrivateAddress, c.peerResolvablePrivateAddress]).toEqual([
      p.peerResolvablePrivateAddress,
      p.localResolvablePrivateAddress,
    ]);
    expect(isMadeOf(CENTRAL_IRK, c.localResolvablePrivateAddress.bytes)).toBe(true);
    expect(isMadeOf(PERIPHERAL_IRK, p.localResolvablePrivateAddress.bytes)).toBe(true);
    const read = await central.command(LeReadPeerResolvableAddress, { peerIdentityAddress: peripheralIdentity });
    expect(read.peerResolvableAddress).toEqual(c.peerResolvablePrivateAddress);
    const local = await peripheral.command(LeReadLocalResolvableAddress, { peerIdentityAddress: centralIdentity });
    expect(local.localResolvableAddress).toEqual(p.localResolvablePrivateAddress);
    // No packet of the advertiser names an identity.
    const onAir = air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air" && entry.accessAddress === 0x8e89bed6);
    const hex = (bytes: Uint8Array): string => [...bytes].join();
    for (const { pdu } of onAir)
      for (const identity of [peripheralIdentity, centralIdentity]) expect(hex(pdu)).not.toContain(hex(identity.bytes));
    air[Symbol.dispose]();
  }
});

test("the same with legacy commands: advertising, scanning, scan requests and LE Create Connection", async () => {
  const { air, clock, peripheral, central, peripheralIdentity, centralIdentity } = await bonded({
    kind: { features: { llPrivacy: true } } as typeof EXTENDED,
  });
  await peripheral.command(LeSetAdvertisingParameters, {
    advertisingIntervalMin: 160,
    advertisingIntervalMax: 160,
    advertisingType: 0,
    ownAddressType: 2,
    peerAddress: centralIdentity,
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  });
  await peripheral.command(LeSetAdvertisingEnable, { advertisingEnable: true });
  await central.command(LeSetScanParameters, {
    leScanType: 1,
    leScanInterval: 96,
    leScanWindow: 96,
    ownAddressType: 2,
    scanningFilterPolicy: 0,
  });
  await central.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: true });
  await clock.advance(400);
  const reports = central.all(LeAdvertisingReport).flatMap((event) => event.reports);
  expect(reports.map(({ eventType }) => eventType)).toEqual([0, 4]);
  const raw = air.trace.entries.findLast((entry) => entry.kind === "hci" && entry.packet[1] === 0x3e && entry.packet[3] === 2);
  expect(raw?.kind === "hci" && raw.packet[6]).toBe(2);
  await central.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
  const create = { ...createConnection(peripheralIdentity), ownAddressType: 2, peerAddressType: 2 };
  expect((await central.command(LeCreateConnection, create)).status).toBe(0);
  expect(await central.event(LeEnhancedConnectionComplete)).toMatchObject({ peerAddressType: 2, peerAddress: peripheralIdentity.bytes });
  await clock.advance(10);
  const [atPeripheral] = peripheral.all(LeEnhancedConnectionComplete);
  expect(atPeripheral).toMatchObject({ peerAddressType: 2, peerAddress: centralIdentity.bytes });
  expect(peripheral.all(LeConnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("addresses change at every timeout while advertising, and with the data where that is asked for", async () => {
  const { air, clock, peripheral, central, centralIdentity } = await bonded({ isOn: false });
  await peripheral.command(LeSetResolvablePrivateAddressTimeout, { rpaTimeout: 10 });
  await advertiseExtended(peripheral, { ownAddressType: 2, peerAddress: centralIdentity.bytes, data: Uint8Array.of(1) });
  await scanExtended(central);
  const seen: string[] = [];
  const note = (): void => {
    for (const { address, addressType } of reportsOf(central)) {
      expect([addressType, isMadeOf(PERIPHERAL_IRK, address)]).toEqual([1, true]); // not resolved: resolution is off
      if (!seen.includes([...address].join())) seen.push([...address].join());
    }
    central.events.length = 0;
  };
  await clock.advance(34_900);
  note();
  expect(seen).toHaveLength(4);
  const data = (value: number) => ({ advertisingHandle: 0, operation: 3, fragmentPreference: 0, advertisingData: Uint8Array.of(value) });
  await peripheral.command(LeSetExtendedAdvertisingData, data(2));
  await clock.advance(500);
  note();
  expect(seen).toHaveLength(4);
  await peripheral.command(LeSetDataRelatedAddressChanges, { advertisingHandle: 0, changeReasons: 1 });
  await peripheral.command(LeSetExtendedAdvertisingData, data(3));
  await clock.advance(500);
  note();
  expect(seen).toHaveLength(5);
  air[Symbol.dispose]();
});

test("network privacy ignores the identity address of a peer that has an IRK, device privacy takes it (Vol 6 Part B 6.5)", async () => {
  for (const mode of [0, 1]) {
    const { air, clock, peripheral, central, peripheralIdentity } = await bonded();
    expect((await central.command(LeSetPrivacyMode, { peerIdentityAddress: peripheralIdentity, privacyMode: mode })).status).toBe(0);
    await advertiseExtended(peripheral, { data: Uint8Array.of(1) }); // own address type 0: the identity
    await scanExtended(central);
    await clock.advance(500);
    expect(reportsOf(central).length > 0).toBe(mode === 1);
    if (mode) expect(reportsOf(central)[0]!.addressType).toBe(0);
    air[Symbol.dispose]();
  }
});

test("a peer without an IRK is taken by its identity address, and no address is made towards one without a local IRK", async () => {
  const { air, clock } = makeAir({ seed: 1 });
  const peripheral = await makeHost(air, { ...EXTENDED, name: "peripheral" });
  const central = await makeHost(air, { ...EXTENDED, name: "central" });
  expect(await know(peripheral.host, central.controller.address, NO_IRK, NO_IRK)).toBe(0);
  await peripheral.host.command(LeSetAddressResolutionEnable, { addressResolutionEnable: true });
  await advertiseExtended(peripheral.host, {
    advertisingEventProperties: 0x13,
    ownAddressType: 2,
    peerAddress: central.controller.address.bytes,
    scanRequestNotificationEnable: true,
  });
  await scanExtended(central.host, { active: true, filterDuplicates: 1 });
  await clock.advance(500);
  expect(reportsOf(central.host)[0]).toMatchObject({ addressType: 0, address: peripheral.controller.address.bytes });
  expect(peripheral.host.all(LeScanRequestReceived)).toMatchObject([
    { scannerAddressType: 0, scannerAddress: central.controller.address.bytes },
  ]);
  const none = await peripheral.host.command(LeReadLocalResolvableAddress, { peerIdentityAddress: central.controller.address });
  expect([none.status, none.localResolvableAddress.bytes]).toEqual([0, new Uint8Array(6)]);
  air[Symbol.dispose]();
});

test("the Filter Accept List holds identities: resolved peers pass it", async () => {
  const { air, clock, peripheral, central, peripheralIdentity, centralIdentity } = await bonded();
  const stranger = await makeHost(air, { ...EXTENDED, name: "stranger" });
  await central.command(LeAddDeviceToFilterAcceptList, { addressType: 0, address: peripheralIdentity.bytes });
  await advertiseExtended(peripheral, { advertisingEventProperties: 1, ownAddressType: 2, peerAddress: centralIdentity.bytes });
  await advertiseExtended(stranger.host, { advertisingEventProperties: 1 });
  await scanExtended(central, { policy: 1 });
  await clock.advance(500);
  expect(reportsOf(central).length).toBeGreaterThan(0);
  expect(reportsOf(central).every(({ addressType }) => addressType === 2)).toBe(true);
  await central.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  await connectExtended(central, peripheralIdentity, { policy: 1, ownAddressType: 2 });
  expect(await central.event(LeEnhancedConnectionComplete)).toMatchObject({ peerAddressType: 2, peerAddress: peripheralIdentity.bytes });
  air[Symbol.dispose]();
});

test("directed advertising whose target cannot be resolved is reported with policy 2: 0xFE, or LE Directed Advertising Report", async () => {
  for (const [isLegacy, policy] of [
    [false, 0],
    [false, 2],
    [true, 0],
    [true, 2],
  ] as const) {
    const { air, clock, peripheral, central, centralIdentity } = await bonded();
    await central.command(LeClearResolvingList, {}); // resolution is on, nothing else is
    const kind = { advertisingEventProperties: 0x15, ownAddressType: 2, peerAddress: centralIdentity.bytes };
    await advertiseExtended(peripheral, kind);
    if (isLegacy) {
      await central.command(LeSetScanParameters, {
        leScanType: 0,
        leScanInterval: 96,
        leScanWindow: 96,
        ownAddressType: 0,
        scanningFilterPolicy: policy,
      });
      await central.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: true });
    } else await scanExtended(central, { policy, filterDuplicates: 1 });
    await clock.advance(500);
    const directed = central.all(LeDirectedAdvertisingReport).flatMap(({ reports }) => reports);
    expect([isLegacy, policy, directed.length, reportsOf(central).length]).toEqual([
      isLegacy,
      policy,
      isLegacy && policy ? 1 : 0,
      !isLegacy && policy ? 1 : 0,
    ]);
    if (policy && isLegacy) expect(directed[0]).toMatchObject({ eventType: 1, addressType: 1, directAddressType: 1 });
    if (policy && !isLegacy) {
      expect(reportsOf(central)[0]).toMatchObject({ eventType: 0x15, directAddressType: 0xfe });
      expect(isMadeOf(CENTRAL_IRK, reportsOf(central)[0]!.directAddress)).toBe(true);
    }
    air[Symbol.dispose]();
  }
});

test("the resolving list: what is refused, and how (Vol 4 Part E 7.8.38 to 7.8.45, 7.8.77)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { ...EXTENDED, resolvingListSize: 2 });
  const at = (octet: number, type = 0): Address => new Address(new Uint8Array(6).fill(octet), type);
  expect(await host.command(LeReadResolvingListSize, {})).toEqual({ status: 0, resolvingListSize: 2 });
  expect(await know(host, at(1), irkOf(1), irkOf(9))).toBe(0);
  expect(await know(host, at(1), irkOf(2), irkOf(9))).toBe(INVALID); // is there
  expect(await know(host, at(2), irkOf(1), irkOf(9))).toBe(INVALID); // so is the IRK
  expect(await know(host, at(2), NO_IRK, irkOf(9))).toBe(0);
  expect(await know(host, at(3), irkOf(3), irkOf(9))).toBe(HciErrorCode.MemoryCapacityExceeded);
  const remove = async (address: Address): Promise<number> =>
    (await host.command(LeRemoveDeviceFromResolvingList, { peerIdentityAddress: address })).status;
  expect([await remove(at(3)), await remove(at(2, 1)), await remove(at(2))]).toEqual([UNKNOWN, UNKNOWN, 0]);
  for (const read of [LeReadPeerResolvableAddress, LeReadLocalResolvableAddress])
    expect((await host.raw(commandBytes(read.opcode, [0, ...at(7).bytes]), read.opcode)).status).toBe(UNKNOWN);
  for (const { opcode, rest } of [
    { opcode: LeAddDeviceToResolvingList.opcode, rest: 32 },
    { opcode: LeRemoveDeviceFromResolvingList.opcode, rest: 0 },
    { opcode: LeReadLocalResolvableAddress.opcode, rest: 0 },
    { opcode: LeSetPrivacyMode.opcode, rest: 1 },
  ])
    expect((await host.raw(commandBytes(opcode, [2, ...new Uint8Array(6 + rest)]), opcode)).status).toBe(INVALID);
  for (const [rpaTimeout, status] of [
    [0, INVALID],
    [1, 0],
    [3600, 0],
    [3601, INVALID],
  ] as const)
    expect((await host.command(LeSetResolvablePrivateAddressTimeout, { rpaTimeout })).status).toBe(status);
  const mode = async (address: Address, privacyMode: number): Promise<number> =>
    (await host.command(LeSetPrivacyMode, { peerIdentityAddress: address, privacyMode })).status;
  expect([await mode(at(1), 2), await mode(at(9), 1), await mode(at(1), 1)]).toEqual([INVALID, UNKNOWN, 0]);
  air[Symbol.dispose]();
});

test("the list is not changed under advertising, scanning or initiating while addresses are resolved; resolution not at all", async () => {
  for (const role of ["advertising", "scanning", "initiating"] as const)
    for (const isOn of [true, false]) {
      const { air, central: host, peripheralIdentity } = await bonded({ isOn });
      if (role === "advertising") await advertiseExtended(host);
      else if (role === "scanning") await scanExtended(host);
      else await connectExtended(host, peripheralIdentity, { peerAddressType: 2 });
      const status = isOn ? DISALLOWED : 0;
      expect(await know(host, Address.from("00:00:00:00:00:99"), irkOf(7), irkOf(8))).toBe(status);
      expect((await host.command(LeSetPrivacyMode, { peerIdentityAddress: peripheralIdentity, privacyMode: 1 })).status).toBe(status);
      expect((await host.command(LeRemoveDeviceFromResolvingList, { peerIdentityAddress: peripheralIdentity })).status).toBe(status);
      expect((await host.command(LeClearResolvingList, {})).status).toBe(status);
      expect((await host.command(LeSetAddressResolutionEnable, { addressResolutionEnable: false })).status).toBe(DISALLOWED);
      expect((await host.command(LeSetResolvablePrivateAddressTimeout, { rpaTimeout: 60 })).status).toBe(0);
      air[Symbol.dispose]();
    }
});

test("own address type 3 falls back on the random address of the set, and is refused where there is neither", async () => {
  const { air, clock, peripheral, central, centralIdentity } = await bonded();
  await know(peripheral, Address.from("00:00:00:00:00:55"), irkOf(5), NO_IRK);
  const set = (peerAddress: Uint8Array) => advertiseExtended(peripheral, { ownAddressType: 3, peerAddress, data: Uint8Array.of(1) });
  await expect(set(Address.from("00:00:00:00:00:55").bytes)).rejects.toThrow("18");
  await set(centralIdentity.bytes);
  await scanExtended(central, { filterDuplicates: 1 });
  await clock.advance(300);
  expect(reportsOf(central)).toMatchObject([{ addressType: 2 }]);
  const off = { enable: false, sets: [] };
  expect((await peripheral.command(LeSetExtendedAdvertisingEnable, off)).status).toBe(0);
  expect(setParameters().ownAddressType).toBe(0);
  air[Symbol.dispose]();
});

test("a controller without privacy refuses all of it", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  expect(await know(host, Address.from("00:00:00:00:00:55"), irkOf(5), NO_IRK)).toBe(HciErrorCode.UnknownHciCommand);
  await advertise(host);
  await scan(host);
  air[Symbol.dispose]();
});

function commandBytes(opcode: number, parameters: number[]): Uint8Array {
  return Uint8Array.from([1, opcode & 0xff, opcode >> 8, parameters.length, ...parameters]);
}
