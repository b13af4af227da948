import type { ControllerOptions } from "../../src/controller/index.ts";
import type { Address } from "../../src/core/index.ts";
import {
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingSyncEstablishedV2,
  LeSetExtendedScanEnable,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
} from "../../src/hci/index.ts";
import { advertiseExtended, scanExtended } from "./raw-extended.ts";
import type { RawHost } from "./raw-host.ts";
import { makeAir, makeHost } from "./raw-pair.ts";

/** A controller that has all of periodic advertising, and privacy. */
export const PERIODIC: Partial<ControllerOptions> = { features: { periodicAdvertising: true, llPrivacy: true } };

export type EstablishedSync = LePeriodicAdvertisingSyncEstablishedV2;

/** Two hosts in an air whose controllers have all of it: one to advertise, one to follow. */
export async function periodicPair(seed = 1, options: object = {}) {
  const { air, clock } = makeAir({ seed, ...options });
  const advertiser = await makeHost(air, { ...PERIODIC, name: "advertiser" });
  const scanner = await makeHost(air, { ...PERIODIC, name: "scanner" });
  return {
    air,
    clock,
    advertiser: advertiser.host,
    scanner: scanner.host,
    controllers: { advertiser: advertiser.controller, scanner: scanner.controller },
  };
}

/** Sends periodic data in fragments as HCI takes them. Gives the status of the last. */
export async function setPeriodicData(host: RawHost, data: Uint8Array, handle = 0): Promise<number> {
  const last = Math.max(0, Math.ceil(data.length / 252) - 1);
  let status = 0;
  for (let i = 0; i <= last && status === 0; i++) {
    const operation = last === 0 ? 3 : i === 0 ? 1 : i === last ? 2 : 0;
    const advertisingData = data.subarray(252 * i, 252 * (i + 1));
    ({ status } = await host.command(LeSetPeriodicAdvertisingData, { advertisingHandle: handle, operation, advertisingData }));
  }
  return status;
}

export interface PeriodicChoice {
  handle?: number;
  data?: Uint8Array;
  /** Units of 1.25 ms. */
  interval?: number;
  properties?: number;
  enable?: number;
  advertising?: Partial<Parameters<typeof advertiseExtended>[1]>;
}

/** An advertising set with periodic advertising, every 100 ms unless said otherwise, both switched on. */
export async function startPeriodic(host: RawHost, choice: PeriodicChoice = {}): Promise<void> {
  const { handle = 0, data, interval = 80, properties = 0, enable = 1, advertising } = choice;
  await advertiseExtended(host, { advertisingHandle: handle, ...advertising });
  const statuses = [
    (
      await host.command(LeSetPeriodicAdvertisingParameters, {
        advertisingHandle: handle,
        periodicAdvertisingIntervalMin: interval,
        periodicAdvertisingIntervalMax: interval,
        periodicAdvertisingProperties: properties,
      })
    ).status,
  ];
  if (data) statuses.push(await setPeriodicData(host, data, handle));
  statuses.push((await host.command(LeSetPeriodicAdvertisingEnable, { enable, advertisingHandle: handle })).status);
  if (statuses.some((status) => status !== 0)) throw new Error(`statuses ${statuses}`);
}

export interface SyncChoice {
  options?: number;
  sid?: number;
  skip?: number;
  timeout?: number;
  cteType?: number;
}

export function createSync(peer: Address, { options = 0, sid = 0, skip = 0, timeout = 100, cteType = 0 }: SyncChoice = {}) {
  return {
    options,
    advertisingSid: sid,
    advertiserAddressType: peer.type,
    advertiserAddress: peer.bytes,
    skip,
    syncTimeout: timeout,
    syncCteType: cteType,
  };
}

/** Searches, while it scans for it; gives the event that ends the search. */
export async function synchronize(host: RawHost, peer: Address, choice: SyncChoice = {}): Promise<EstablishedSync> {
  const established = host.event(LePeriodicAdvertisingSyncEstablishedV2);
  const { status } = await host.command(LePeriodicAdvertisingCreateSync, createSync(peer, choice));
  if (status !== 0) throw new Error(`status ${status}`);
  await scanExtended(host);
  const event = await established;
  await host.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  return event;
}

export function periodicReports(host: RawHost): LePeriodicAdvertisingReportV2[] {
  return host.all(LePeriodicAdvertisingReportV2);
}
