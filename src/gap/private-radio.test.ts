import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EXTENDED_ABILITIES, ExtendedController } from "../../test/support/extended-controller.ts";
import { ResolvingController } from "../../test/support/resolving-controller.ts";
import { RuledController } from "../../test/support/ruled-controller.ts";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { Logger } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import type { CommandDeclaration } from "../hci/declare.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { Advertiser } from "./advertiser.ts";
import { Connector } from "./connector.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { type CommandPort, Radio } from "./radio.ts";
import { LEGACY_ABILITIES } from "./radio-abilities.ts";
import { EXTENDED_REPORT } from "./report-layout.ts";
import { type PrivatePeer, ResolvingList } from "./resolving-list.ts";
import { Scanner } from "./scanner.ts";

// Advertising, scanning and connecting on a controller that resolves and makes private addresses: what is sent, and when.

const PUBLIC = Address.from("00:11:22:33:44:55");
const BONDED = Address.from("C0:00:00:00:00:0B/random");
const OTHER = Address.from("00:00:00:00:00:0A");
const STRANGER = Address.from("00:00:00:00:00:01");
const MADE = Address.from("40:00:00:00:00:01/random");
const INTERVAL_MS = 15 * 60_000;
const peer = (identity: Address, octet: number): PrivatePeer => ({ identity, irk: new Uint8Array(16).fill(octet), mode: "device" });

/** The commands of the list to one controller, all others to the other. */
class Both implements CommandPort {
  readonly list = new ResolvingController();
  readonly log: string[] = [];
  /** Parameters of the last command of each name. */
  readonly last = new Map<string, Readonly<Record<string, unknown>>>();
  readonly rest: ExtendedController | RuledController;
  constructor(rest: ExtendedController | RuledController) {
    this.rest = rest;
    this.list.isBusy = () =>
      rest.scanning !== undefined ||
      rest.initiating !== undefined ||
      (rest instanceof ExtendedController ? [...rest.sets.values()].some(({ enabled }) => enabled) : rest.advertising !== undefined);
  }
  async send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R> {
    this.last.set(declaration.name, parameters as Readonly<Record<string, unknown>>);
    const port: ExtendedController | RuledController | ResolvingController = ResolvingController.knows(declaration.name)
      ? this.list
      : this.rest;
    try {
      return await port.send(declaration, parameters);
    } finally {
      this.log.push(port.log.at(-1)!);
    }
  }
}

let clock: VirtualClock;
let own: OwnAddresses;
afterEach(() => expect(clock.pending).toEqual([]));
beforeEach(() => {
  clock = new VirtualClock();
  own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: PUBLIC, identity: "public" });
});

function open(rest: ExtendedController | RuledController, { peers = [peer(BONDED, 1)], hasPrivacyMode = true } = {}) {
  const port = new Both(rest);
  const base = rest instanceof ExtendedController ? EXTENDED_ABILITIES : { ...LEGACY_ABILITIES, hasExtendedFilterPolicies: true };
  const abilities = { ...base, resolvingListSize: 3, hasPrivacyMode };
  const { irk, privateAddressIntervalMs } = own;
  const list = new ResolvingList({ port, abilities, irk, privateAddressIntervalMs });
  list.want(peers.map((each) => (hasPrivacyMode ? each : { ...each, mode: "network" })));
  const radio = new Radio({ port, clock, logger: Logger.silent, own, abilities, resolvingList: list });
  const scanner = new Scanner({ port, radio, resolve: () => undefined, isPrivate: (identity) => !list.holds(identity) });
  const connector = new Connector<string>({ port, radio, clock, scanner });
  const advertiser = new Advertiser({ port, radio });
  rest.onCancelled = () => connector.ended(HciErrorCode.UnknownConnectionIdentifier);
  for (const activity of [connector, scanner]) radio.add(activity);
  return {
    port,
    list,
    radio,
    scanner,
    connector,
    advertiser,
    want: async (...wanted: PrivatePeer[]) => {
      port.log.length = 0;
      list.want(wanted);
      await radio.update();
      return port.log;
    },
    [Symbol.dispose]() {
      radio.close(new Error("end of test"));
      connector.close(new Error("end of test"));
      advertiser.close();
    },
  };
}
const settled = () => delay(clock, 1);

describe.each([
  ["extended", () => new ExtendedController()],
  ["legacy", () => new RuledController()],
] as const)("by the %s commands", (kind, create) => {
  const isExtended = kind === "extended";
  const parametersOf = (port: Both) => port.last.get(isExtended ? "LeSetExtendedAdvertisingParameters" : "LeSetAdvertisingParameters")!;
  const peerOf = (port: Both) => {
    const { peerAddress, peerAddressType } = parametersOf(port);
    return isExtended ? new Address(peerAddress as Uint8Array, peerAddressType as number) : (peerAddress as Address);
  };
  const advertisingIsOn = ({ rest }: Both) =>
    rest instanceof ExtendedController ? [...rest.sets.values()].some(({ enabled }) => enabled) : rest.advertising !== undefined;

  test("the list is filled before the first activity begins", async () => {
    using at = open(create());
    await at.advertiser.advertise({});
    expect(at.port.log.slice(0, 5)).toEqual([
      "ClearResolvingList",
      "AddDeviceToResolvingList",
      "PrivacyMode",
      "ResolvablePrivateAddressTimeout",
      "AddressResolutionEnable on",
    ]);
  });

  test("a resolvable address is the controller's: type 3, with a bonded peer's entry, and a random address where it had none", async () => {
    using at = open(create());
    const session = await at.advertiser.advertise({ ownAddress: "resolvable" });
    expect([parametersOf(at.port).ownAddressType, String(peerOf(at.port))]).toEqual([3, String(BONDED)]);
    const random = isExtended ? (at.port.rest as ExtendedController).sets.get(session.handle!)!.randomAddress : at.port.rest.randomAddress;
    expect(String(random)).toBe(String(own.current("resolvable")));
    expect([String(session.address), String(session.addressPeer)]).toEqual([String(MADE), String(BONDED)]);
  });

  test("other kinds of address are the host's", async () => {
    for (const [ownAddress, type] of [
      ["public", 0],
      ["random", 1],
      ["non-resolvable", 1],
    ] as const) {
      using at = open(create());
      const session = await at.advertiser.advertise({ ownAddress });
      expect([parametersOf(at.port).ownAddressType, peerOf(at.port).isZero, session.addressPeer]).toEqual([type, true, undefined]);
      expect(String(session.address)).toBe(String(own.current(ownAddress)));
    }
  });

  test("without a private bond all is as it is without a list", async () => {
    using at = open(create(), { peers: [] });
    const session = await at.advertiser.advertise({ ownAddress: "resolvable" });
    expect([parametersOf(at.port).ownAddressType, peerOf(at.port).isZero]).toEqual([1, true]);
    expect(String(session.address)).toBe(String(own.current("resolvable")));
    expect(at.port.list.log).toEqual([]);
  });

  test("directed advertising names its peer: the controller's address where that is bonded, the host's where it is not", async () => {
    using at = open(create());
    const session = await at.advertiser.advertise({ ownAddress: "resolvable", direct: { peer: BONDED } });
    expect([parametersOf(at.port).ownAddressType, String(peerOf(at.port))]).toEqual([3, String(BONDED)]);
    await at.advertiser.stop(session);
    const other = await at.advertiser.advertise({ ownAddress: "resolvable", direct: { peer: STRANGER } });
    expect([parametersOf(at.port).ownAddressType, String(peerOf(at.port))]).toEqual([1, String(STRANGER)]);
    expect(String(other.address)).toBe(String(own.current("resolvable")));
  });

  test("an address that the controller does not tell is taken for the host's", async () => {
    using at = open(create());
    at.port.list.refuse = (name) => (name === "ReadLocalResolvableAddress" ? HciErrorCode.UnknownHciCommand : 0);
    const session = await at.advertiser.advertise({ ownAddress: "resolvable" });
    expect(String(session.address)).toBe(String(own.current("resolvable")));
  });

  test("the controller changes it: the host leaves advertising alone when its own address is due", async () => {
    using at = open(create());
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    at.port.log.length = 0;
    await delay(clock, 5 * INTERVAL_MS);
    expect(at.port.log).toEqual([]);
  });

  test("the host's changes as ever: off, the new address, on", async () => {
    using at = open(create(), { peers: [] });
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    const before = own.current("resolvable");
    at.port.log.length = 0;
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect(own.current("resolvable").equals(before)).toBe(false);
    expect(at.port.log).toEqual(
      isExtended
        ? [
            "AdvertisingEnable off 0",
            "AdvertisingParameters 0",
            "AdvertisingSetRandomAddress 0",
            "AdvertisingData 0",
            "ScanResponseData 0",
            "AdvertisingEnable on 0",
          ]
        : [
            "AdvertisingEnable off",
            "RandomAddress",
            "AdvertisingParameters",
            "AdvertisingData",
            "ScanResponseData",
            "AdvertisingEnable on",
          ],
    );
  });

  test("scanning and connecting show the controller's to bonded peers and the host's to others, which changes", async () => {
    using at = open(create());
    await at.scanner.scan({ ownAddress: "resolvable" }, () => {});
    const type = () => (at.port.rest.scanning as { ownAddressType: number } | undefined)?.ownAddressType;
    expect(type()).toBe(3);
    const before = at.port.rest.randomAddress!;
    expect(before.isResolvablePrivate).toBe(true);
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect([type(), at.port.rest.randomAddress!.equals(before)]).toEqual([3, false]);
    const connected = at.connector.connect(BONDED, { ownAddress: "resolvable" }, undefined);
    await settled();
    expect(at.port.rest.initiating).toMatchObject({ ownAddressType: 3, peerAddressType: 1, peerAddress: BONDED.bytes });
    at.connector.close(new Error("over"));
    await expect(connected).rejects.toThrow("over");
  });

  test("a bonded peer is named by its identity, types 2 and 3 only to a controller without privacy modes (7.8.12, 7.8.66)", async () => {
    for (const [hasPrivacyMode, who, type] of [
      [true, BONDED, 1],
      [false, BONDED, 3],
      [false, OTHER, 2],
      [false, STRANGER, 0],
    ] as const) {
      using at = open(create(), { peers: [peer(BONDED, 1), peer(OTHER, 2)], hasPrivacyMode });
      const connected = at.connector.connect(who, {}, undefined);
      await settled();
      expect(at.port.rest.initiating).toMatchObject({ ownAddressType: 0, peerAddressType: type, peerAddress: who.bytes });
      at.connector.close(new Error("over"));
      await expect(connected).rejects.toThrow("over");
    }
  });

  test("a new bond stops everything for a moment, since the list may not change before", async () => {
    using at = open(create());
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    await at.scanner.scan({ ownAddress: "public" }, () => {});
    const connected = at.connector.connect(STRANGER, {}, undefined);
    await settled();
    const log = await at.want(peer(BONDED, 1), peer(OTHER, 2));
    const [offs, ons] = [log.slice(0, 3), log.slice(3, 5)];
    expect(offs.map((line) => line.replace(/ \d$/, ""))).toEqual(["CreateConnectionCancel", "AdvertisingEnable off", "ScanEnable off"]);
    expect(ons).toEqual(["AddDeviceToResolvingList", "PrivacyMode"]);
    expect([advertisingIsOn(at.port), at.port.rest.scanning, at.port.rest.initiating].every(Boolean)).toBe(true);
    expect(log.filter((line) => line.endsWith("refused"))).toEqual([]);
    at.connector.close(new Error("over"));
    await expect(connected).rejects.toThrow("over");
  });

  test("the last bond that goes leaves the own address to the host", async () => {
    using at = open(create());
    const session = await at.advertiser.advertise({ ownAddress: "resolvable" });
    await at.want();
    expect([parametersOf(at.port).ownAddressType, advertisingIsOn(at.port), session.addressPeer]).toEqual([1, true, undefined]);
    expect(String(session.address)).toBe(String(own.current("resolvable")));
  });

  test("nothing changes where the bonds change and the list does not", async () => {
    using at = open(create());
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    expect(await at.want(peer(BONDED, 1))).toEqual([]);
  });

  test("a reset fills it anew, before what was on goes on", async () => {
    using at = open(create());
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    at.port.list.entries = [];
    at.port.list.isEnabled = false;
    if (at.port.rest instanceof ExtendedController) at.port.rest.sets.clear();
    else at.port.rest.advertising = undefined;
    at.port.log.length = 0;
    at.radio.onReset();
    await settled();
    expect(at.port.log[0]).toBe("ClearResolvingList");
    expect([parametersOf(at.port).ownAddressType, advertisingIsOn(at.port), at.list.isOn]).toEqual([3, true, true]);
  });

  test("a controller that does something that was thought to be off is told to stop, and asked again", async () => {
    using at = open(create());
    await at.scanner.scan({}, () => {});
    let refusals = 0;
    at.port.list.refuse = (name) => (name === "AddDeviceToResolvingList" && refusals++ === 0 ? HciErrorCode.CommandDisallowed : 0);
    await at.want(peer(BONDED, 1), peer(OTHER, 2));
    expect([at.list.holds(OTHER), at.list.isStale, at.port.rest.scanning !== undefined]).toEqual([true, false, true]);
  });

  test("one that goes on refusing is left alone: the host resolves, and everything goes on", async () => {
    using at = open(create());
    await at.advertiser.advertise({ ownAddress: "resolvable" });
    at.port.list.refuse = (name) => (name === "AddDeviceToResolvingList" ? HciErrorCode.CommandDisallowed : 0);
    await at.want(peer(BONDED, 1), peer(OTHER, 2));
    expect([at.list.isOn, advertisingIsOn(at.port), parametersOf(at.port).ownAddressType]).toEqual([false, true, 1]);
    at.port.log.length = 0;
    await at.radio.update();
    expect(at.port.log).toEqual([]);
  });

  test("what cannot be stopped keeps the list as it is, for now", async () => {
    using at = open(create());
    await at.scanner.scan({}, () => {});
    const scanEnable = isExtended ? "LeSetExtendedScanEnable" : "LeSetScanEnable";
    at.port.rest.refusals.set(scanEnable, HciErrorCode.HardwareFailure);
    expect(await at.want(peer(BONDED, 1), peer(OTHER, 2))).not.toContain("AddDeviceToResolvingList");
    expect(at.list.isStale).toBe(true);
    at.port.rest.refusals.clear();
    await at.radio.update();
    expect(at.list.isStale).toBe(false);
  });

  test("the filter accept list holds identities that the controller resolves", async () => {
    using at = open(create());
    await at.scanner.scan({ acceptList: [BONDED, STRANGER] }, () => {});
    expect(at.port.rest.scanning).toMatchObject({ scanningFilterPolicy: 0 }); // STRANGER has private addresses that only the host knows
    at.scanner.close();
    await at.radio.update();
    await at.scanner.scan({ acceptList: [BONDED] }, () => {});
    const parameters = at.port.last.get(isExtended ? "LeSetExtendedScanParameters" : "LeSetScanParameters")!;
    expect(parameters.scanningFilterPolicy).toBe(1);
  });

  test("directed advertising that the controller cannot resolve is reported to who asks: policy 2, 3 with an accept list", async () => {
    using at = open(create());
    const parameters = () => at.port.last.get(isExtended ? "LeSetExtendedScanParameters" : "LeSetScanParameters")!;
    const heard: [string, boolean, string, boolean][] = [];
    const scan = await at.scanner.scan({ unresolvedTargets: true, duplicates: "report" }, (report) =>
      heard.push([String(report.address), report.isTargetUnresolved, String(report.directAddress), report.connectable]),
    );
    const others: unknown[] = [];
    await at.scanner.scan({}, (report) => others.push(report));
    expect(parameters().scanningFilterPolicy).toBe(2);
    const target = Address.from("41:02:03:04:05:06/random");
    at.scanner.onDirectedReport({ addressType: 0, address: STRANGER.bytes, directAddress: target.bytes, rssi: -60 });
    expect(heard).toEqual([[String(STRANGER), true, String(target), true]]);
    expect(others).toEqual([]);
    await at.scanner.stop(scan);
    // Of a controller that was not told yet, or tells it unasked.
    at.scanner.close();
    await at.scanner.scan({ duplicates: "report" }, (report) => others.push(report));
    at.scanner.onDirectedReport({ addressType: 0, address: STRANGER.bytes, directAddress: target.bytes, rssi: -60 });
    expect(others).toEqual([]);
    expect(parameters().scanningFilterPolicy).toBe(0);
    await at.scanner.scan({ unresolvedTargets: true, acceptList: [BONDED] }, () => {});
    expect(parameters().scanningFilterPolicy).toBe(2); // not every scan has an accept list
    at.scanner.close();
    await at.radio.update();
    await at.scanner.scan({ unresolvedTargets: true, acceptList: [BONDED] }, () => {});
    expect(parameters().scanningFilterPolicy).toBe(3);
  });
});

test("a controller without extended filter policies refuses them by name", async () => {
  using at = open(new ExtendedController());
  const radio = new Radio({ port: at.port, clock, logger: Logger.silent, own, abilities: LEGACY_ABILITIES });
  const scanner = new Scanner({ port: at.port, radio, resolve: () => undefined });
  await expect(scanner.scan({ unresolvedTargets: true }, () => {})).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  await expect(scanner.scan({ unresolvedTargets: 1 as unknown as boolean }, () => {})).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("an identity that the controller resolved is told apart from one on the air", async () => {
  using at = open(new ExtendedController());
  const heard: [boolean, string, string][] = [];
  await at.scanner.scan({ duplicates: "report" }, (report) =>
    heard.push([report.isResolved, String(report.address), String(report.identity)]),
  );
  for (const addressType of [0, 1, 2, 3, 0xff]) {
    const octets = new Uint8Array(EXTENDED_REPORT.dataAt);
    octets[2] = addressType;
    octets.set(BONDED.bytes, 3);
    at.scanner.onExtendedReport(octets, 0, octets.length);
  }
  expect(heard.map(([isResolved]) => isResolved)).toEqual([false, false, true, true, false]);
  expect(heard[3]).toEqual([true, String(BONDED), String(BONDED)]);
});

describe("the host's new address on a set that takes no connections", () => {
  const rotated = async (refusal: number) => {
    const controller = new ExtendedController();
    using at = open(controller, { peers: [] });
    const session = await at.advertiser.advertise({ ownAddress: "resolvable", connectable: false, maxEvents: 200 });
    const before = session.address!;
    controller.log.length = 0;
    if (refusal)
      controller.onCommand = (name) => {
        if (name !== "AdvertisingSetRandomAddress") return;
        controller.onCommand = undefined;
        throw new HciError({ status: refusal, command: "LeSetAdvertisingSetRandomAddress" });
      };
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect(session.address!.equals(before)).toBe(false);
    expect(String(controller.sets.get(session.handle!)!.randomAddress)).toBe(String(session.address));
    expect(controller.sets.get(session.handle!)!.enabled).toBeDefined();
    // And once more.
    await delay(clock, INTERVAL_MS);
    await settled();
    expect(String(controller.sets.get(session.handle!)!.randomAddress)).toBe(String(own.current("resolvable")));
    return controller.log;
  };

  test("is given on the air (7.8.52), so that its events are counted on", async () => {
    expect(await rotated(0)).toEqual(["AdvertisingSetRandomAddress 0", "AdvertisingSetRandomAddress 0"]);
  });

  test("is given off the air where the controller refuses that", async () => {
    const log = await rotated(HciErrorCode.CommandDisallowed);
    expect(log.filter((line) => line.startsWith("AdvertisingEnable"))).toEqual(["AdvertisingEnable off 0", "AdvertisingEnable on 0"]);
  });
});
