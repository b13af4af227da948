import type { AirOptions } from "../../src/air/index.ts";
import type { VirtualClock } from "../../src/async/index.ts";
import type { ControllerOptions } from "../../src/controller/index.ts";
import type { Address } from "../../src/core/index.ts";
import {
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingSubeventDataRequest,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParametersV2,
  LeSetPeriodicAdvertisingResponseData,
  LeSetPeriodicAdvertisingSubeventData,
  LeSetPeriodicSyncSubevent,
} from "../../src/hci/index.ts";
import { advertiseExtended } from "./raw-extended.ts";
import type { RawHost } from "./raw-host.ts";
import { makeAir, makeHost } from "./raw-pair.ts";
import { PERIODIC, synchronize } from "./raw-periodic.ts";

/** Four subevents of 20 ms in 100 ms, each with eight slots of 1.5 ms from 6.25 ms on. */
export const parameters = (more: object = {}) => ({
  advertisingHandle: 0,
  periodicAdvertisingIntervalMin: 80,
  periodicAdvertisingIntervalMax: 80,
  periodicAdvertisingProperties: 0,
  numSubevents: 4,
  subeventInterval: 16,
  responseSlotDelay: 5,
  responseSlotSpacing: 12,
  numResponseSlots: 8,
  ...more,
});

/** Answers each request for data: `data` by subevent, all slots. */
export function feed(host: RawHost, data: (subevent: number) => Uint8Array, slots: readonly [start: number, count: number] = [0, 8]): void {
  host.onEvent = (event) => {
    if (event.declaration !== LePeriodicAdvertisingSubeventDataRequest) return;
    const { advertisingHandle, subeventStart, subeventDataCount } = event.parameters as LePeriodicAdvertisingSubeventDataRequest;
    const subevents = Array.from({ length: subeventDataCount }, (_, i) => ({
      subevent: subeventStart + i,
      responseSlotStart: slots[0],
      responseSlotCount: slots[1],
      subeventData: data(subeventStart + i),
    }));
    void host.command(LeSetPeriodicAdvertisingSubeventData, { advertisingHandle, subevents });
  };
}

/** Answers each report of a subevent in a slot; the report is of the event before. */
export function answer(
  host: RawHost,
  choose: (report: LePeriodicAdvertisingReportV2) => { slot: number; data: Uint8Array; subevent?: number } | undefined,
): number[] {
  const statuses: number[] = [];
  host.onEvent = (event) => {
    if (event.declaration !== LePeriodicAdvertisingReportV2) return;
    const report = event.parameters as LePeriodicAdvertisingReportV2;
    const chosen = report.dataStatus === 0 ? choose(report) : undefined;
    if (!chosen) return;
    const { slot: responseSlot, data: responseData, subevent: responseSubevent = report.subevent } = chosen;
    const { syncHandle, periodicEventCounter: requestEvent, subevent: requestSubevent } = report;
    const response = { syncHandle, requestEvent, requestSubevent, responseSubevent, responseSlot, responseData };
    void host.command(LeSetPeriodicAdvertisingResponseData, response).then(({ status }) => statuses.push(status));
  };
  return statuses;
}

export const RESPONDING: Partial<ControllerOptions> = { ...PERIODIC, numHciCommandPackets: 8 };

export async function responsePair(options: Partial<AirOptions> = {}, more: object = {}) {
  const { air, clock } = makeAir({ seed: 2, ...options });
  const advertiser = await makeHost(air, { ...RESPONDING, name: "advertiser" });
  const scanner = await makeHost(air, { ...RESPONDING, name: "scanner" });
  await startTrain(advertiser.host, more);
  return {
    air,
    clock,
    advertiser: advertiser.host,
    scanner: scanner.host,
    controllers: { advertiser: advertiser.controller, scanner: scanner.controller },
  };
}

/** The set and its train; who gives data is set up before it begins. */
export async function startTrain(host: RawHost, more: object = {}): Promise<void> {
  await advertiseExtended(host, { advertisingSid: 6 });
  const statuses = [
    (await host.command(LeSetPeriodicAdvertisingParametersV2, parameters(more))).status,
    (await host.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 })).status,
  ];
  if (statuses.some((status) => status !== 0)) throw new Error(`statuses ${statuses}`);
}

/** The host has heard the first request for data. */
export const asked = (clock: VirtualClock): Promise<void> => clock.advance(1);

export async function follow(host: RawHost, peer: Address, ...subevents: number[]): Promise<number> {
  const { syncHandle } = await synchronize(host, peer, { sid: 6 });
  const wanted = { syncHandle, periodicAdvertisingProperties: 0x40, subevents };
  const { status } = await host.command(LeSetPeriodicSyncSubevent, wanted);
  if (status !== 0) throw new Error(`status ${status}`);
  return syncHandle;
}
