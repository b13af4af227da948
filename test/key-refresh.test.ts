import { describe, expect, test } from "vitest";
import { EncryptionKeyRefreshComplete } from "../src/hci/index.ts";
import { KeyDistribution } from "../src/smp/index.ts";
import { SmpLink } from "./smp-link.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

describe("on a link of the simulated air", () => {
  test("the central encrypts anew with the key of the bond, and what both send meanwhile arrives (Vol 6 Part B 5.1.3.2)", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const { central, peripheral } = await air.connectedPair();
    const service = peripheral.gattServer.addService({
      uuid: 0xff00,
      characteristics: [{ uuid: 0xff01, properties: ["read", "notify"], permissions: { read: "encrypted" }, value: Uint8Array.of(7) }],
    });
    await central.connection.pair({ policy: { secureConnections: false } });
    await air.advance(500);
    await central.connection.refreshKey();
    await air.advance(500);
    const before = central.connection.security;
    const changes: boolean[] = [];
    central.connection.on("security", ({ encrypted }) => changes.push(encrypted));
    peripheral.connection.on("security", ({ encrypted }) => changes.push(encrypted));
    const characteristic = await central.gatt.characteristic(0xff00, 0xff01);
    const heard: number[] = [];
    await characteristic.subscribe((value) => heard.push(value[0]!));
    const refreshes: number[] = [];
    for (const { device } of [central, peripheral]) device.hci.on(EncryptionKeyRefreshComplete, ({ status }) => refreshes.push(status));
    const refreshed = central.connection.refreshKey();
    const sent = service.characteristics[0]!.notify(Uint8Array.of(1));
    const read = characteristic.read();
    await Promise.all([refreshed, sent, read]);
    await air.advance(500);
    expect([await read, heard]).toEqual([Uint8Array.of(7), [1]]);
    expect(central.connection.security).toEqual(before);
    expect(changes).toEqual([true, true]); // never in the clear
    expect(refreshes).toEqual([0, 0]);
    await Promise.all([central.connection.refreshKey(), central.connection.refreshKey()]);
    await air.advance(500);
    expect(refreshes).toEqual([0, 0, 0, 0]); // both of them share one
    expect(await characteristic.read()).toEqual(Uint8Array.of(7));
  });

  test("what cannot be refreshed is told", async () => {
    await using air = new SimulatedAir({ seed: 2 });
    const { central, peripheral } = await air.connectedPair();
    await expect(central.connection.refreshKey()).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(peripheral.connection.refreshKey()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(central.connection.refreshKey({ timeout: 1 } as object)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await central.connection.pair({ policy: { bonding: false, secureConnections: false } });
    await expect(central.connection.refreshKey()).rejects.toMatchObject({ code: "ERR_STATE" }); // a short term key is used once
    await central.connection.disconnect();
    await expect(central.connection.refreshKey()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });

  test("a pairing on an encrypted link changes the key of the link to the new one", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    await central.connection.pair();
    await air.advance(500);
    const first = (await central.device.bonds.load(peripheral.device.identity))!.peerLtk!.key;
    await central.connection.pair();
    await air.advance(500);
    const second = (await central.device.bonds.load(peripheral.device.identity))!.peerLtk!.key;
    expect(second).not.toEqual(first);
    expect(central.connection.security).toMatchObject({ encrypted: true, bonded: true });
    await central.connection.refreshKey();
    expect(peripheral.connection.security).toMatchObject({ encrypted: true, bonded: true });
  });

  test("after a legacy pairing the refresh goes from the short term key to the long term key", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    const { central, peripheral } = await air.connectedPair();
    await central.connection.pair({ policy: { secureConnections: false, localKeys: KeyDistribution.EncKey } });
    await air.advance(500);
    await central.connection.refreshKey();
    expect([central.connection.security.bonded, peripheral.connection.security.bonded]).toEqual([true, true]);
  });
});

describe("the order of events", () => {
  test("a refresh waits for the pairing under way, and the pairing's own change of key is one", async () => {
    using link = new SmpLink();
    const first = link.central.manager.pair();
    await link.settle();
    await first;
    const pairing = link.central.manager.pair();
    const refresh = link.central.manager.refreshKey();
    await link.settle();
    await Promise.all([pairing, refresh]);
    expect(link.clock.pending).toEqual([]);
  });

  test("who asks and leaves is not waited for, and what is under way ends for the others", async () => {
    using link = new SmpLink();
    await Promise.all([link.central.manager.pair(), link.settle()]);
    const controller = new AbortController();
    const left = expect(link.central.manager.refreshKey({ signal: controller.signal })).rejects.toThrow("enough");
    const stays = link.central.manager.refreshKey();
    controller.abort(new Error("enough"));
    await left;
    await link.settle();
    await stays;
    await expect(link.central.manager.refreshKey({ signal: controller.signal })).rejects.toThrow("enough");
  });

  test("a peer that has lost the key: ERR_BOND_LOST, and the link's end ends the wait", async () => {
    using link = new SmpLink();
    await Promise.all([link.central.manager.pair(), link.settle()]);
    link.peripheral.forget();
    const lost = expect(link.central.manager.refreshKey()).rejects.toMatchObject({ code: "ERR_BOND_LOST" });
    await link.settle();
    await lost;
    const ended = expect(link.central.manager.refreshKey()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    link.disconnect();
    await ended;
    await expect(link.central.manager.refreshKey()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });

  test("a key that is weaker than the policy has become is not used again", async () => {
    using link = new SmpLink();
    await Promise.all([link.central.manager.pair(), link.settle()]);
    link.central.manager.policy = { requireAuthentication: true };
    await expect(link.central.manager.refreshKey()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x03 });
    await link.settle();
  });
});
