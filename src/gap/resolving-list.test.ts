import { beforeEach, describe, expect, test } from "vitest";
import { ResolvingController } from "../../test/support/resolving-controller.ts";
import { Address } from "../core/address.ts";
import { StateError, TimeoutError, UnsupportedError } from "../core/error.ts";
import { HciErrorCode } from "../hci/error.ts";
import type { Bond } from "../smp/types.ts";
import { type PrivatePeer, privatePeers, ResolvingList } from "./resolving-list.ts";

const OWN_IRK = Uint8Array.from({ length: 16 }, (_, i) => i);
const [A, B, C] = ["00:00:00:00:00:0A", "C0:00:00:00:00:0B/random", "00:00:00:00:00:0C"].map((text) => Address.from(text)) as [
  Address,
  Address,
  Address,
];
const key = (octet: number) => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? octet : 0x80 + i));
const peer = (identity: Address, octet: number, mode: PrivatePeer["mode"] = "device"): PrivatePeer => ({ identity, irk: key(octet), mode });

let controller: ResolvingController;
const open = ({ size = 3, hasPrivacyMode = true, privateAddressIntervalMs = 900_000 } = {}) =>
  new ResolvingList({
    port: controller,
    abilities: { resolvingListSize: size, hasPrivacyMode },
    irk: OWN_IRK,
    privateAddressIntervalMs,
  });
beforeEach(() => {
  controller = new ResolvingController();
});

describe("which bonds are private", () => {
  const bond = (identity: Address, fields: Partial<Bond>): Bond => ({
    identity,
    localIrkDistributed: false,
    authenticated: false,
    secureConnections: false,
    ...fields,
  });

  test("those with an identity resolving key, in the mode that the bond says, device privacy by default", () => {
    const bonds = [bond(A, { peerIrk: key(1) }), bond(B, { peerIrk: key(2), privacyMode: "network" }), bond(C, {})];
    expect(privatePeers(bonds)).toEqual([peer(A, 1), peer(B, 2, "network")]);
  });

  test("not one of zeros, and not one under two identities", () => {
    const bonds = [bond(A, { peerIrk: key(1) }), bond(B, { peerIrk: key(1) }), bond(C, { peerIrk: new Uint8Array(16) })];
    expect(privatePeers(bonds)).toEqual([]);
  });
});

describe("the commands", () => {
  test("in their order and to the octet: keys least significant octet first, the mode of each entry, the timeout in seconds", async () => {
    const list = open({ privateAddressIntervalMs: 120_000 });
    list.want([peer(A, 1), peer(B, 2, "network")]);
    expect([list.isStale, list.isOn, list.holds(A)]).toEqual([true, false, false]);
    await list.apply();
    const [irk, own] = ["8e8d8c8b8a89888786858483828180", "0f0e0d0c0b0a09080706050403020100"];
    expect(controller.octets).toEqual([
      "01292000",
      `01272027000a000000000001${irk}${own}`,
      "014e2008000a000000000001",
      `01272027010b00000000c002${irk}${own}`,
      "012e20027800",
      "012d200101",
    ]);
    expect([list.isStale, list.isOn, list.holds(A), list.holds(B), list.holds(C)]).toEqual([false, true, true, true, false]);
    expect(controller.modes).toEqual(["device", "network"]);
  });

  test("none at all where no bond is private", async () => {
    const list = open();
    expect(list.isStale).toBe(false);
    list.want([]);
    expect([list.isStale, list.isOn, list.ownPeer(undefined)]).toEqual([false, false, undefined]);
    expect(controller.log).toEqual([]);
  });

  test.each([
    [1000, 1],
    [1499, 1],
    [3_600_000, 3600],
  ])("an interval of %i ms is one of %i s", async (privateAddressIntervalMs, rpaTimeout) => {
    const list = open({ privateAddressIntervalMs });
    list.want([peer(A, 1)]);
    await list.apply();
    expect(controller.rpaTimeout).toBe(rpaTimeout);
  });

  test("a change takes what is needed for it: one more, one less, another key, another mode", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    const change = async (peers: PrivatePeer[]) => {
      controller.log.length = 0;
      list.want(peers);
      if (list.isStale) await list.apply();
      return controller.log;
    };
    expect(await change([peer(A, 1)])).toEqual([]);
    expect(await change([peer(A, 1), peer(B, 2)])).toEqual(["AddDeviceToResolvingList", "PrivacyMode"]);
    expect(await change([peer(B, 2), peer(A, 1)])).toEqual([]);
    expect(await change([peer(A, 1), peer(B, 2, "network")])).toEqual(["PrivacyMode"]);
    expect(controller.modes).toEqual(["device", "network"]);
    // A new entry has the mode it begins with, so that it has to be said once more.
    expect(await change([peer(A, 3), peer(B, 2, "network")])).toEqual([
      "RemoveDeviceFromResolvingList",
      "AddDeviceToResolvingList",
      "PrivacyMode",
    ]);
    expect(await change([peer(A, 3)])).toEqual(["RemoveDeviceFromResolvingList"]);
    expect(await change([])).toEqual(["RemoveDeviceFromResolvingList"]);
    expect([list.isOn, list.isStale, controller.entries.length]).toEqual([false, false, 0]);
    expect(await change([peer(C, 4)])).toEqual(["AddDeviceToResolvingList", "PrivacyMode"]); // resolution is still enabled
    expect(list.isOn).toBe(true);
  });

  test("after a reset all of it is said again", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    list.reset();
    expect([list.isOn, list.holds(A), list.isStale]).toEqual([false, false, true]);
    controller = Object.assign(controller, { entries: [], isEnabled: false });
    controller.log.length = 0;
    await list.apply();
    expect(controller.log).toEqual([
      "ClearResolvingList",
      "AddDeviceToResolvingList",
      "PrivacyMode",
      "ResolvablePrivateAddressTimeout",
      "AddressResolutionEnable on",
    ]);
    expect([list.isOn, list.isStale]).toEqual([true, false]);
  });
});

describe("a list that has not room for all", () => {
  test("holds the first ones, and those that are there stay", async () => {
    const list = open({ size: 2 });
    list.want([peer(A, 1), peer(B, 2), peer(C, 3)]);
    await list.apply();
    expect([list.holds(A), list.holds(B), list.holds(C), list.isStale]).toEqual([true, true, false, false]);
    list.want([peer(C, 3), peer(A, 1), peer(B, 2)]);
    expect(list.isStale).toBe(false);
    list.want([peer(C, 3), peer(B, 2)]);
    await list.apply();
    expect([list.holds(A), list.holds(B), list.holds(C)]).toEqual([false, true, true]);
  });

  test("and is smaller than it said: the rest is the host's, until there is room again", async () => {
    controller.size = 1;
    const list = open({ size: 8 });
    list.want([peer(A, 1), peer(B, 2), peer(C, 3)]);
    await list.apply();
    expect([list.holds(A), list.holds(B), list.isStale]).toEqual([true, false, false]);
    expect(controller.log.filter((line) => line.startsWith("Add"))).toHaveLength(3); // two, and "AddressResolutionEnable"
    list.want([peer(B, 2), peer(C, 3)]);
    await list.apply();
    expect([list.holds(B), list.holds(C), list.isStale]).toEqual([true, false, false]);
  });
});

describe("what the controller refuses", () => {
  test("one entry: that one is the host's, and is not asked for again before a reset", async () => {
    const list = open();
    list.want([peer(A, 1), peer(B, 2)]);
    controller.refuse = (name, count) =>
      name === "AddDeviceToResolvingList" && count === 1 ? HciErrorCode.InvalidHciCommandParameters : 0;
    await list.apply();
    expect([list.holds(A), list.holds(B), list.isStale]).toEqual([false, true, false]);
    list.want([peer(A, 1, "network"), peer(B, 2)]);
    expect(list.isStale).toBe(false);
    list.want([peer(A, 5), peer(B, 2)]); // another key is another entry
    expect(list.isStale).toBe(true);
    list.reset();
    list.want([peer(A, 1)]);
    expect(list.isStale).toBe(true);
  });

  test("one entry that goes and comes back is asked for again", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    controller.refuse = (name) => (name === "AddDeviceToResolvingList" ? HciErrorCode.InvalidHciCommandParameters : 0);
    await list.apply();
    expect([list.isStale, controller.isEnabled]).toEqual([false, false]); // of an empty list nothing is enabled
    list.want([]);
    list.want([peer(A, 1)]);
    expect(list.isStale).toBe(true);
  });

  test("the mode of an entry, which would be network privacy then: it is taken out again", async () => {
    const list = open();
    list.want([peer(A, 1), peer(B, 2, "network")]);
    controller.refuse = (name) => (name === "PrivacyMode" ? HciErrorCode.UnknownHciCommand : 0);
    await list.apply();
    expect([list.holds(A), list.holds(B), list.isStale, controller.entries.length]).toEqual([false, true, false, 1]);
  });

  test("a controller without privacy modes gets those of network privacy alone", async () => {
    const list = open({ hasPrivacyMode: false });
    list.want([peer(A, 1), peer(B, 2, "network")]);
    await list.apply();
    expect([list.holds(A), list.holds(B), list.isStale]).toEqual([false, true, false]);
    expect(controller.log).not.toContain("PrivacyMode");
  });

  test("the timeout: its addresses last as long as it likes", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    controller.refuse = (name) => (name === "ResolvablePrivateAddressTimeout" ? HciErrorCode.InvalidHciCommandParameters : 0);
    await list.apply();
    expect(list.isOn).toBe(true);
  });

  test("an entry that is to go, since it is gone", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    controller.entries.length = 0;
    list.want([]);
    await list.apply();
    expect(list.isStale).toBe(false);
  });

  test.each(["AddDeviceToResolvingList", "PrivacyMode", "RemoveDeviceFromResolvingList", "AddressResolutionEnable", "ClearResolvingList"])(
    "%s, since something is on: that is told, and tried again from there",
    async (command) => {
      const list = open();
      list.want([peer(A, 1)]);
      const isSecond = command.startsWith("Remove");
      if (isSecond) {
        await list.apply();
        list.want([peer(B, 2)]);
      }
      controller.refuse = (name) => (name === command ? HciErrorCode.CommandDisallowed : 0);
      await expect(list.apply()).rejects.toMatchObject({ status: HciErrorCode.CommandDisallowed });
      expect(list.isStale).toBe(true);
      controller.refuse = () => 0;
      await list.apply();
      expect([list.isStale, list.isOn, list.holds(isSecond ? B : A)]).toEqual([false, true, true]);
      expect(controller.modes).toEqual(["device"]);
    },
  );

  test.each(["ResolvablePrivateAddressTimeout", "AddressResolutionEnable"])("an answer to %s that is lost is told", async (command) => {
    const list = open();
    list.want([peer(A, 1)]);
    controller.onCommand = (name) => {
      if (name === command) throw new TimeoutError(command, 5000);
    };
    await expect(list.apply()).rejects.toBeInstanceOf(TimeoutError);
    expect([list.isOn, list.isStale]).toEqual([false, true]);
  });

  test("an answer that is lost: nothing is known, and it is emptied before anything else", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    list.want([peer(A, 1), peer(B, 2)]);
    controller.onCommand = () => {
      throw new TimeoutError("LeAddDeviceToResolvingList", 5000);
    };
    await expect(list.apply()).rejects.toBeInstanceOf(TimeoutError);
    expect([list.isOn, list.holds(A), list.isStale]).toEqual([false, false, true]);
    controller.onCommand = undefined;
    controller.log.length = 0;
    await list.apply();
    expect(controller.log[0]).toBe("ClearResolvingList");
    expect(controller.modes).toEqual(["device", "device"]);
  });

  test.each([new UnsupportedError("no such command"), new StateError("closing")])("a command that is not sent: %s", async (error) => {
    const list = open();
    list.want([peer(A, 1)]);
    controller.onCommand = (name) => {
      if (name === "AddressResolutionEnable") throw error;
    };
    await expect(list.apply()).rejects.toBe(error);
    expect([list.isOn, list.isStale]).toEqual([false, true]);
  });

  test("given up, it is nobody's until a reset", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    list.giveUp();
    list.want([]);
    expect([list.isOn, list.holds(A), list.ownPeer(undefined), list.isStale]).toEqual([false, false, undefined, false]);
    list.want([peer(A, 1)]);
    list.reset();
    expect(list.isStale).toBe(true);
  });
});

describe("the own address", () => {
  test("is made with the entry of who is advertised to, or with any", async () => {
    const list = open();
    list.want([peer(A, 1), peer(B, 2)]);
    expect(list.ownPeer(undefined)).toBeUndefined();
    await list.apply();
    expect([list.ownPeer(undefined), list.ownPeer(B), list.ownPeer(C)]).toEqual([A, B, undefined]);
  });

  test("is asked for; nothing, zeros and a refusal are no address", async () => {
    const list = open();
    list.want([peer(A, 1)]);
    await list.apply();
    controller.localAddress = Address.from("41:02:03:04:05:06/random");
    expect(String(await list.localAddress(A))).toBe("41:02:03:04:05:06/random");
    expect(await list.localAddress(B)).toBeUndefined();
    controller.localAddress = Address.from("00:00:00:00:00:00/random");
    expect(await list.localAddress(A)).toBeUndefined();
  });
});
