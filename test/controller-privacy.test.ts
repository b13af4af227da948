import { describe, expect, test } from "vitest";
import type { Address } from "../src/core/index.ts";
import type { Device } from "../src/device/index.ts";
import { createBond } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { isFull, leaveOut } from "./support/left-out.ts";

// Private addresses that controllers resolve and make, and the host where they cannot: devices in the air that know each other.

const INTERVAL_MS = 5000;
type Kind = "extended" | "legacy";
const KINDS: readonly Kind[] = isFull ? ["extended", "legacy"] : ["extended"];

const optionsOf = (kind: Kind, more: SimulatedDeviceOptions = {}): SimulatedDeviceOptions => ({
  privateAddressIntervalMs: INTERVAL_MS,
  ...more,
  controller: { ...more.controller, features: { extendedAdvertising: kind === "extended", llPrivacy: true, ...more.controller?.features } },
});

/** Bonded by private addresses; the link is gone again. */
async function bonded(
  air: SimulatedAir,
  kind: Kind,
  { central = {}, peripheral = {}, policy = {} }: { [K in "central" | "peripheral"]?: SimulatedDeviceOptions } & { policy?: object } = {},
) {
  const pair = await air.connectedPair({
    central: optionsOf(kind, central),
    peripheral: optionsOf(kind, peripheral),
    advertise: { ownAddress: "resolvable" },
    connect: { ownAddress: "resolvable" },
  });
  await pair.central.connection.pair({ policy });
  await air.advance(500);
  await pair.central.connection.disconnect();
  await air.advance(500);
  return { central: pair.central.device, peripheral: pair.peripheral.device, air };
}

const names = (air: SimulatedAir, device: Device) => {
  const { name } = air.controllerOf(device);
  return air.trace().filter(({ layer, at }) => layer === "hci" && at === name);
};
const count = (air: SimulatedAir, device: Device, ...of: string[]) => names(air, device).filter(({ name }) => of.includes(name)).length;
const SCANS = ["LeSetScanEnable", "LeSetExtendedScanEnable"];
const STOPS = ["LeSetAdvertisingEnable", "LeSetExtendedAdvertisingEnable"];

/** The addresses that a device hears of another, each once, as on the air or resolved. */
async function heard(air: SimulatedAir, by: Device, isIt: (name: string | undefined) => boolean, ms: number) {
  const addresses = new Map<string, Address | undefined>();
  await using _scan = await by.startScan({ duplicates: "report", active: false, ownAddress: "public" }, ({ address, identity, name }) => {
    if (isIt(name)) addresses.set(String(address), identity);
  });
  await air.advance(ms);
  return addresses;
}

describe.each(KINDS)("controllers with %s commands and a resolving list", (kind) => {
  test("a bonded peer is connected to by its identity, without a scan, and both show private addresses", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const { central, peripheral } = await bonded(air, kind);
    await using advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 20 });
    const [scans, before] = [count(air, central, ...SCANS), air.nowMs];
    const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
    const other = await advertising.connection();
    expect(count(air, central, ...SCANS)).toBe(scans);
    expect(air.nowMs - before).toBeLessThan(1000);
    for (const [mine, yours, peer] of [
      [link, other, peripheral],
      [other, link, central],
    ] as const) {
      expect([mine.peerAddress.isResolvablePrivate, String(mine.peerAddress)]).toEqual([true, String(yours.localAddress)]);
      expect([String(mine.peerIdentity), mine.bonded]).toEqual([String(peer.identity), true]);
    }
    expect(link.security.encrypted).toBe(true);
    expect(advertising.ownAddress?.isResolvablePrivate).toBe(true);
  });

  test.each([true, false])("pairing anew takes the addresses of the packets (Secure Connections: %s)", async (secureConnections) => {
    await using air = new SimulatedAir({ seed: 2 });
    const policy = { secureConnections };
    const { central, peripheral } = await bonded(air, kind, { policy });
    await air.advance(3 * INTERVAL_MS); // the controllers' addresses are others than the hosts' by now
    await using advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 20 });
    const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
    const report = await link.pair({ policy });
    expect([report.secureConnections, report.bonded]).toEqual([secureConnections, true]);
    await air.advance(500);
    const again = await advertising.connection();
    expect([again.security.encrypted, link.security.encrypted, again.bonded]).toEqual([true, true, true]);
  });

  test("the controller changes the address without a pause: strangers hear new ones, a bonded peer hears its identity", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await bonded(air, kind);
    const stranger = await air.device(optionsOf(kind, { name: "stranger" }));
    await using _advertising = await peripheral.advertise({
      ownAddress: "resolvable",
      intervalMs: 300,
      connectable: false,
      data: { name: "it" },
    });
    const stops = count(air, peripheral, ...STOPS);
    const [known, unknown] = await Promise.all([
      heard(air, central, (name) => name === "it", 3.5 * INTERVAL_MS),
      heard(air, stranger, (name) => name === "it", 0),
    ]);
    expect([...known.keys()]).toEqual([String(peripheral.identity)]);
    expect(unknown.size).toBeLessThanOrEqual(1);
    const later = await heard(air, stranger, (name) => name === "it", 3.5 * INTERVAL_MS);
    expect(later.size).toBeGreaterThanOrEqual(4);
    expect([...later.values()].every((identity) => identity === undefined)).toBe(true);
    expect(count(air, peripheral, ...STOPS)).toBe(stops);
  });

  test("the host changes it where the controller is not to: off and on, and a bonded peer tells it by its key", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    const host = { addressResolution: "host" } as const;
    const { central, peripheral } = await bonded(air, kind, { central: host, peripheral: host });
    expect(count(air, peripheral, "LeAddDeviceToResolvingList", "LeSetAddressResolutionEnable")).toBe(0);
    await using _advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 300, data: { name: "it" } });
    const stops = count(air, peripheral, ...STOPS);
    const known = await heard(air, central, (name) => name === "it", 3.5 * INTERVAL_MS);
    expect(known.size).toBeGreaterThanOrEqual(4);
    for (const identity of known.values()) expect(String(identity)).toBe(String(peripheral.identity));
    expect(count(air, peripheral, ...STOPS)).toBeGreaterThan(stops);
    // It is found by a scan, since its present address has to be known.
    const scans = count(air, central, ...SCANS);
    const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
    expect([link.bonded, count(air, central, ...SCANS) > scans]).toEqual([true, true]);
  });

  test("a list with room for one has the host resolve the others", async () => {
    await using air = new SimulatedAir({ seed: 5 });
    const central = await air.device(optionsOf(kind, { name: "phone", controller: { resolvingListSize: 1 } }));
    const peripherals = [];
    for (const name of ["one", "two", "three"]) {
      const peripheral = await air.device(optionsOf(kind, { name }));
      await using advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 20 });
      const link = await central.connect(advertising.ownAddress!, { ownAddress: "resolvable" });
      await link.pair();
      await air.advance(300);
      await link.disconnect();
      peripherals.push(peripheral);
    }
    await air.advance(INTERVAL_MS);
    for (const [i, peripheral] of peripherals.entries()) {
      await using _advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 20 });
      const scans = count(air, central, ...SCANS);
      const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
      expect([i, link.bonded, count(air, central, ...SCANS) > scans]).toEqual([i, true, i > 0]);
      await link.disconnect();
    }
  });

  test("bonds that were there when the device was opened are known at once; one that is deleted is a stranger's", async () => {
    await using air = new SimulatedAir({ seed: 6 });
    const { central, peripheral } = await bonded(air, kind);
    const bond = await central.bonds.load(peripheral.identity);
    const address = String(central.identity).replace("/public", "");
    await central.close();
    const again = await air.device(optionsOf(kind, { name: "again", irk: new Uint8Array(16).fill(9), controller: { address } }));
    await again.bonds.save(bond!);
    await using _advertising = await peripheral.advertise({
      ownAddress: "resolvable",
      intervalMs: 100,
      connectable: false,
      data: { name: "it" },
    });
    const isIt = (name: string | undefined) => name === "it";
    expect([...(await heard(air, again, isIt, 500)).keys()]).toEqual([String(peripheral.identity)]);
    await again.bonds.delete(peripheral.identity);
    const [[onAir, identity]] = [...(await heard(air, again, isIt, 500))] as [[string, Address | undefined]];
    expect([onAir === String(peripheral.identity), identity]).toEqual([false, undefined]);
    await again.bonds.save(bond!);
    expect([...(await heard(air, again, isIt, 500)).keys()]).toEqual([String(peripheral.identity)]);
  });

  test("a bond saved while a scan and an advertisement go on is in force at once, and both go on", async () => {
    await using air = new SimulatedAir({ seed: 7 });
    const { central, peripheral } = await bonded(air, kind);
    const bond = await central.bonds.load(peripheral.identity);
    await central.bonds.delete(peripheral.identity);
    await using _mine = await central.advertise({ connectable: false, data: { name: "mine" } });
    await using _advertising = await peripheral.advertise({
      ownAddress: "resolvable",
      intervalMs: 50,
      connectable: false,
      data: { name: "it" },
    });
    const seen: string[] = [];
    await using _scan = await central.startScan({ duplicates: "report" }, ({ name, address }) => {
      if (name === "it") seen.push(String(address));
    });
    await air.advance(500);
    expect(new Set(seen)).not.toContain(String(peripheral.identity));
    await central.bonds.save(bond!);
    await air.advance(200);
    seen.length = 0;
    await air.advance(500);
    expect(new Set(seen)).toEqual(new Set([String(peripheral.identity)]));
    expect((await heard(air, peripheral, (name) => name === "mine", 500)).size).toBe(1);
  });

  test("a controller that was reset has its list again", async () => {
    await using air = new SimulatedAir({ seed: 8 });
    const { central, peripheral } = await bonded(air, kind);
    await central.hci.reset();
    await using _advertising = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 20 });
    await air.advance(100);
    const scans = count(air, central, ...SCANS);
    const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
    expect([link.bonded, count(air, central, ...SCANS)]).toEqual([true, scans]);
  });

  test("network privacy: the controller does not hear the identity address", async () => {
    await using air = new SimulatedAir({ seed: 9 });
    const { central, peripheral } = await bonded(air, kind);
    const bond = (await central.bonds.load(peripheral.identity))!;
    await central.bonds.save(createBond({ ...bond, privacyMode: "network" }));
    const isIt = (name: string | undefined) => name === "it";
    const data = { name: "it" };
    {
      await using _bare = await peripheral.advertise({ intervalMs: 50, connectable: false, data });
      expect((await heard(air, central, isIt, 500)).size).toBe(0);
    }
    await using _private = await peripheral.advertise({ ownAddress: "resolvable", intervalMs: 50, data });
    expect([...(await heard(air, central, isIt, 500)).keys()]).toEqual([String(peripheral.identity)]);
    const link = await central.connect(peripheral.identity);
    expect([link.bonded, link.security.encrypted]).toEqual([true, true]);
  });

  test("directed advertising to a bonded peer shows neither identity, is reported to it and answered by it", async () => {
    await using air = new SimulatedAir({ seed: 10 });
    const { central, peripheral } = await bonded(air, kind);
    const stranger = await air.device(optionsOf(kind, { name: "stranger" }));
    await using advertising = await peripheral.advertise({
      ownAddress: "resolvable",
      intervalMs: 50,
      direct: { peer: central.identity },
      restart: "disconnected",
    });
    const reports: [string, string, boolean][] = [];
    {
      await using _scan = await central.startScan({ duplicates: "report", ownAddress: "resolvable" }, (report) =>
        reports.push([String(report.address), String(report.identity), report.directed]),
      );
      await air.advance(500);
    }
    expect(reports.length).toBeGreaterThan(0);
    expect(reports[0]).toEqual([String(peripheral.identity), String(peripheral.identity), true]);
    // Who cannot resolve the target hears of it only where that is asked for.
    for (const unresolvedTargets of [false, true]) {
      const heardOf: boolean[] = [];
      await using _scan = await stranger.startScan({ unresolvedTargets, duplicates: "report" }, (report) =>
        heardOf.push(report.isTargetUnresolved && report.directAddress!.isResolvablePrivate && report.address.isResolvablePrivate),
      );
      await air.advance(500);
      expect([heardOf.length > 0, heardOf.every(Boolean)]).toEqual([unresolvedTargets, true]);
    }
    const link = await central.connect(peripheral.identity, { ownAddress: "resolvable" });
    expect([link.bonded, (await advertising.connection()).bonded]).toEqual([true, true]);
  });

  test("an accept list of identities: only the bonded peer is heard, connected to and answered", async () => {
    await using air = new SimulatedAir({ seed: 11 });
    const { central, peripheral } = await bonded(air, kind);
    const stranger = await air.device(optionsOf(kind, { name: "stranger" }));
    await using advertising = await peripheral.advertise({
      ownAddress: "resolvable",
      intervalMs: 50,
      acceptList: [central.identity],
      restart: "disconnected",
    });
    await using _other = await stranger.advertise({ intervalMs: 50 });
    const seen = new Set<string>();
    {
      await using _scan = await central.startScan({ acceptList: [peripheral.identity], duplicates: "report" }, ({ address }) =>
        seen.add(String(address)),
      );
      await air.advance(500);
    }
    expect([...seen]).toEqual([String(peripheral.identity)]);
    await expect(stranger.connect(advertising.ownAddress!, { timeoutMs: 1000 })).rejects.toMatchObject({ code: "ERR_HCI" });
    const link = await central.connect([peripheral.identity, "00:00:00:00:00:77"], { ownAddress: "resolvable" });
    expect(String(link.peerIdentity)).toBe(String(peripheral.identity));
  });
});

test.skipIf(isFull)("the same by the legacy commands", () => leaveOut("privacy by a legacy controller"));

test("an option that is none is refused", async () => {
  await using air = new SimulatedAir();
  await expect(air.device({ addressResolution: "peer" as "host" })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});
