import { delay, VirtualClock } from "../../src/async/index.ts";
import { Address, Logger } from "../../src/core/index.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { Advertisement } from "../../src/gap/advertisement.ts";
import { OwnAddresses } from "../../src/gap/own-addresses.ts";
import type { PeriodicSync } from "../../src/gap/periodic/periodic-sync.ts";
import type { SynchronizeOptions } from "../../src/gap/periodic/sync-options.ts";
import { Syncs } from "../../src/gap/periodic/syncs.ts";
import { Radio } from "../../src/gap/radio.ts";
import { EXTENDED_REPORT } from "../../src/gap/report-layout.ts";
import { Scanner } from "../../src/gap/scanner.ts";
import { HciErrorCode } from "../../src/hci/error.ts";
import { EXTENDED_ABILITIES } from "./extended-controller.ts";
import { PeriodicController } from "./periodic-controller.ts";

export const PEER = Address.from("C0:11:22:33:44:66/random");
export const OTHER = Address.from("00:00:00:00:00:02");
export const IDENTITY = Address.from("00:00:00:00:00:03");
export const PRIVATE = Address.from("41:22:33:44:55:66/random");
export const TARGET = { address: PEER, sid: 5 };
export const CANCELLED = HciErrorCode.OperationCancelledByHost;

export let clock: VirtualClock;
export let controller: PeriodicController;
export let radio: Radio;
export let scanner: Scanner;
export let syncs: Syncs;
export let stuck: unknown[];

/** A host that follows periodic advertising, on a controller of its own; call it before each test. */
export function beginSyncs(): void {
  clock = new VirtualClock();
  controller = new PeriodicController();
  const own = new OwnAddresses({
    clock,
    random: new SeededRandom(1),
    publicAddress: Address.from("00:11:22:33:44:55"),
    identity: "public",
  });
  radio = new Radio({ port: controller, clock, logger: Logger.silent, own, abilities: EXTENDED_ABILITIES });
  const resolve = (address: Address) => (address.equals(PRIVATE) ? IDENTITY : undefined);
  scanner = new Scanner({ port: controller, radio, resolve });
  radio.add(scanner);
  stuck = [];
  radio.onLost = (error) => stuck.push(error);
  syncs = new Syncs({
    port: controller,
    radio,
    clock,
    logger: Logger.silent,
    scanner,
    resolve,
    isPrivate: (identity) => identity.equals(IDENTITY),
    onStuck: (error) => stuck.push(error),
  });
  controller.onSyncCancelled = () => established({ status: CANCELLED });
}

/** The end of it. @returns timers that are left, of which there are none */
export function endSyncs(): unknown {
  syncs.gone(new Error("end of test"));
  radio.close(new Error("end of test"));
  return clock.pending;
}

export const settled = () => delay(clock, 1);
export const octets = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + i);

/** The controller says how the attempt ended. */
export function established(at: { status?: number; handle?: number; address?: Address; type?: number; sid?: number } & object = {}): void {
  const { status = 0, handle = 1, address = PEER, sid = 5, ...more } = at;
  if (status === 0) {
    controller.syncs.add(handle);
    controller.creating = undefined;
  } else if (status !== CANCELLED) controller.creating = undefined;
  syncs.onEstablished({
    status,
    syncHandle: handle,
    advertisingSid: sid,
    advertiserAddressType: at.type ?? address.type,
    advertiserAddress: address.bytes,
    advertiserPhy: 2,
    periodicAdvertisingInterval: 80,
    advertiserClockAccuracy: 5,
    ...more,
  });
}
/** The controller reports what it received. */
export const report = (data: Uint8Array, dataStatus = 0, at: object = {}) =>
  syncs.onReport({ syncHandle: 1, txPower: 127, rssi: -60, cteType: 0xff, dataStatus, data, ...at });

/** Has it found as soon as the controller looks for it. */
export async function synchronized(options: SynchronizeOptions = {}, at: Parameters<typeof established>[0] = {}): Promise<PeriodicSync> {
  const { address = PEER, sid = 5 } = at;
  const found = syncs.synchronize({ address, sid }, options);
  await settled();
  established(at);
  const sync = await found;
  await settled();
  return sync;
}

/** An extended advertisement that tells of periodic advertising. */
export function advertisement(at: Parameters<typeof reportOf>[0] = {}): Advertisement {
  return new Advertisement(...reportOf(at), undefined, undefined, EXTENDED_REPORT);
}
/** The same as the controller reports it. */
export function reportOf({ address = PEER, sid = 5, interval = 80, primaryPhy = 1, type = 1 } = {}): [Uint8Array, number, number] {
  const octets = Uint8Array.of(
    0,
    0,
    type,
    ...address.bytes,
    primaryPhy,
    1,
    sid,
    127,
    0xc4,
    interval & 0xff,
    interval >> 8,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  );
  return [octets, 0, octets.length];
}
