import type { Infer } from "../../src/bytes/index.ts";
import type { ControllerOptions } from "../../src/controller/index.ts";
import type { Address } from "../../src/core/index.ts";
import {
  LeExtendedAdvertisingReport,
  LeExtendedCreateConnection,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  type LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
} from "../../src/hci/index.ts";
import type { RawHost } from "./raw-host.ts";
import { makeAir, makeHost } from "./raw-pair.ts";

/** A controller that has all of extended advertising and privacy. */
export const EXTENDED: Partial<ControllerOptions> = { features: { extendedAdvertising: true, llPrivacy: true } };

/** Octets 0, 1, 2 … of advertising data. */
export const octets = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);

/** Two hosts in an air whose controllers have all of it: one to advertise, one to scan. */
export async function extendedPair(seed = 1, options: object = {}) {
  const { air, clock } = makeAir({ seed, ...options });
  const advertiser = await makeHost(air, { ...EXTENDED, name: "advertiser" });
  const scanner = await makeHost(air, { ...EXTENDED, name: "scanner" });
  return {
    air,
    clock,
    advertiser: advertiser.host,
    scanner: scanner.host,
    controllers: { advertiser: advertiser.controller, scanner: scanner.controller },
  };
}

type Parameters = Infer<typeof LeSetExtendedAdvertisingParametersV2.parameters>;

/** Neither connectable nor scannable, every 100 ms, on LE 1M; intervals in units of 0.625 ms. */
export function setParameters(more: Partial<Parameters> = {}): Parameters {
  return {
    advertisingHandle: 0,
    advertisingEventProperties: 0,
    primaryAdvertisingIntervalMin: 160,
    primaryAdvertisingIntervalMax: 160,
    primaryAdvertisingChannelMap: 7,
    ownAddressType: 0,
    peerAddressType: 0,
    peerAddress: new Uint8Array(6),
    advertisingFilterPolicy: 0,
    advertisingTxPower: 127,
    primaryAdvertisingPhy: 1,
    secondaryAdvertisingMaxSkip: 0,
    secondaryAdvertisingPhy: 1,
    advertisingSid: 0,
    scanRequestNotificationEnable: false,
    primaryAdvertisingPhyOptions: 0,
    secondaryAdvertisingPhyOptions: 0,
    ...more,
  };
}

/** Sends data in fragments as HCI takes them. Gives the status of the last. */
export async function setData(host: RawHost, data: Uint8Array, { handle = 0, isScanResponse = false } = {}): Promise<number> {
  const last = Math.max(0, Math.ceil(data.length / 251) - 1);
  let status = 0;
  for (let i = 0; i <= last && status === 0; i++) {
    const operation = last === 0 ? 3 : i === 0 ? 1 : i === last ? 2 : 0;
    const fragment = data.subarray(251 * i, 251 * (i + 1));
    const common = { advertisingHandle: handle, operation, fragmentPreference: 0 };
    const answer = isScanResponse
      ? await host.command(LeSetExtendedScanResponseData, { ...common, scanResponseData: fragment })
      : await host.command(LeSetExtendedAdvertisingData, { ...common, advertisingData: fragment });
    status = answer.status;
  }
  return status;
}

export async function enableSets(host: RawHost, ...sets: { handle?: number; duration?: number; maxEvents?: number }[]): Promise<number> {
  const { status } = await host.command(LeSetExtendedAdvertisingEnable, {
    enable: true,
    sets: sets.map(({ handle = 0, duration = 0, maxEvents = 0 }) => ({
      advertisingHandle: handle,
      duration,
      maxExtendedAdvertisingEvents: maxEvents,
    })),
  });
  return status;
}

/** Parameters, data, scan response and go. */
export async function advertiseExtended(
  host: RawHost,
  {
    data,
    scanResponse,
    duration = 0,
    maxEvents = 0,
    ...more
  }: Partial<Parameters> & {
    data?: Uint8Array;
    scanResponse?: Uint8Array;
    duration?: number;
    maxEvents?: number;
  } = {},
): Promise<void> {
  const parameters = setParameters(more);
  const handle = parameters.advertisingHandle;
  const statuses = [(await host.command(LeSetExtendedAdvertisingParameters, parameters)).status];
  if (data) statuses.push(await setData(host, data, { handle }));
  if (scanResponse) statuses.push(await setData(host, scanResponse, { handle, isScanResponse: true }));
  statuses.push(await enableSets(host, { handle, duration, maxEvents }));
  if (statuses.some((status) => status !== 0)) throw new Error(`statuses ${statuses}`);
}

export interface ScanChoice {
  phys?: number;
  active?: boolean;
  filterDuplicates?: number;
  policy?: number;
  ownAddressType?: number;
  duration?: number;
  period?: number;
  interval?: number;
  window?: number;
}

/** On LE 1M all the time, passively, unless said otherwise. */
export async function scanExtended(host: RawHost, choice: ScanChoice = {}): Promise<void> {
  const { phys = 1, active = false, filterDuplicates = 0, policy = 0, ownAddressType = 0 } = choice;
  const { duration = 0, period = 0, interval = 160, window = interval } = choice;
  const of = { scanType: active ? 1 : 0, scanInterval: interval, scanWindow: window };
  const count = (phys & 1) + ((phys >> 2) & 1);
  const statuses = [
    (
      await host.command(LeSetExtendedScanParameters, {
        ownAddressType,
        scanningFilterPolicy: policy,
        scanningPhys: phys,
        phys: Array.from({ length: count }, () => of),
      })
    ).status,
    (await host.command(LeSetExtendedScanEnable, { enable: true, filterDuplicates, duration, period })).status,
  ];
  if (statuses.some((status) => status !== 0)) throw new Error(`statuses ${statuses}`);
}

export type Report = LeExtendedAdvertisingReport["reports"][number];

export function reportsOf(host: RawHost): Report[] {
  return host.all(LeExtendedAdvertisingReport).flatMap(({ reports }) => reports);
}

export function createExtended(
  peer: Address,
  { phys = 1, interval = 12, policy = 0, ownAddressType = 0, peerAddressType = peer.type as number } = {},
) {
  const of = {
    scanInterval: 96,
    scanWindow: 96,
    connectionIntervalMin: interval,
    connectionIntervalMax: interval,
    maxLatency: 0,
    supervisionTimeout: 100,
    minCeLength: 0,
    maxCeLength: 0,
  };
  const count = [1, 2, 4].filter((bit) => phys & bit).length;
  return {
    initiatorFilterPolicy: policy,
    ownAddressType,
    peerAddressType,
    peerAddress: peer.bytes,
    initiatingPhys: phys,
    phys: Array.from({ length: count }, () => of),
  };
}

export async function connectExtended(host: RawHost, peer: Address, choice: Parameters2 = {}): Promise<number> {
  return (await host.command(LeExtendedCreateConnection, createExtended(peer, choice))).status;
}
type Parameters2 = NonNullable<globalThis.Parameters<typeof createExtended>[1]>;
