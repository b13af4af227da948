import { Air, type AirOptions } from "../../src/air/index.ts";
import { VirtualClock } from "../../src/async/index.ts";
import { Controller, type ControllerOptions } from "../../src/controller/index.ts";
import { Address } from "../../src/core/index.ts";
import {
  LeConnectionComplete,
  LeCreateConnection,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanEnable,
  LeSetScanParameters,
} from "../../src/hci/index.ts";
import { RawHost } from "./raw-host.ts";

export function makeAir(options: Partial<AirOptions> = {}): { clock: VirtualClock; air: Air } {
  const clock = (options.clock as VirtualClock | undefined) ?? new VirtualClock();
  return { clock, air: new Air({ clock, shadowingDb: 0, fadingDb: 0, ...options }) };
}

export async function makeHost(air: Air, options: Partial<ControllerOptions> = {}): Promise<{ controller: Controller; host: RawHost }> {
  const controller = new Controller({ air, ...options });
  return { controller, host: await new RawHost(controller.transport, air.clock).start() };
}

export const anyPeer = new Address(new Uint8Array(6), 0);

/** @param interval units of 0.625 ms */
export async function advertise(host: RawHost, { interval = 160, type = 0, data = new Uint8Array(0) } = {}): Promise<void> {
  await host.command(LeSetAdvertisingParameters, {
    advertisingIntervalMin: interval,
    advertisingIntervalMax: interval,
    advertisingType: type,
    ownAddressType: 0,
    peerAddress: anyPeer,
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  });
  await host.command(LeSetAdvertisingData, { advertisingData: data });
  await host.command(LeSetAdvertisingEnable, { advertisingEnable: true });
}

/** @param interval units of 0.625 ms, as `window` */
export async function scan(host: RawHost, { interval = 96, window = 96, active = false, filterDuplicates = false } = {}): Promise<void> {
  await host.command(LeSetScanParameters, {
    leScanType: active ? 1 : 0,
    leScanInterval: interval,
    leScanWindow: window,
    ownAddressType: 0,
    scanningFilterPolicy: 0,
  });
  await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates });
}

/** @param interval units of 1.25 ms; `timeout` of 10 ms */
export function createConnection(peer: Address, { interval = 12, latency = 0, timeout = 100 } = {}) {
  return {
    leScanInterval: 96,
    leScanWindow: 96,
    initiatorFilterPolicy: 0,
    peerAddressType: peer.type,
    peerAddress: peer.bytes,
    ownAddressType: 0,
    connectionIntervalMin: interval,
    connectionIntervalMax: interval,
    maxLatency: latency,
    supervisionTimeout: timeout,
    minCeLength: 0,
    maxCeLength: 0,
  };
}

export interface RawPair {
  clock: VirtualClock;
  air: Air;
  central: RawHost;
  peripheral: RawHost;
  centralController: Controller;
  peripheralController: Controller;
  /** Handle at the central and at the peripheral. */
  handles: { central: number; peripheral: number };
}

/** Two hosts with a link between them. */
export async function connectedPair(
  options: Partial<AirOptions> & {
    interval?: number;
    latency?: number;
    timeout?: number;
    central?: Partial<ControllerOptions>;
    peripheral?: Partial<ControllerOptions>;
    /** Before they meet. */
    onHosts?: (hosts: { central: RawHost; peripheral: RawHost }) => Promise<void>;
  } = {},
): Promise<RawPair> {
  const { clock, air } = makeAir(options);
  const { controller: centralController, host: central } = await makeHost(air, { name: "central", ...options.central });
  const { controller: peripheralController, host: peripheral } = await makeHost(air, { name: "peripheral", ...options.peripheral });
  await options.onHosts?.({ central, peripheral });
  await advertise(peripheral, { interval: 32 });
  const atCentral = central.event(LeConnectionComplete);
  const atPeripheral = peripheral.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(peripheralController.address, options));
  const handles = { central: (await atCentral).connectionHandle, peripheral: (await atPeripheral).connectionHandle };
  return { clock, air, central, peripheral, centralController, peripheralController, handles };
}
