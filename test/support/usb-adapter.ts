import { afterEach } from "vitest";
import { VirtualClock } from "../../src/async/index.ts";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import { Logger, LogLevel } from "../../src/core/index.ts";
import type { HciTransport, TransportClosed } from "../../src/hci/index.ts";
import { SimulatedUsbAdapter, type SimulatedUsbAdapterOptions } from "../../src/testing/index.ts";
import { openWebUsb } from "../../src/transport/index.ts";

const clocks: VirtualClock[] = [];
/** Called once in each file. */
export function disposeOfClocks(): void {
  afterEach(() => {
    for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
  });
}

/** An adapter whose controller the test plays, packet by packet. */
export function adapterOf(options: SimulatedUsbAdapterOptions = {}) {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const got: string[] = [];
  let end: HciTransport | undefined;
  const controller = {
    attach(transport: HciTransport): void {
      end = transport;
      transport.onPacket = (packet) => got.push(toHex(packet));
    },
  };
  const adapter = new SimulatedUsbAdapter(controller, { clock, ...options });
  return { clock, adapter, got, controllerSends: (hex: string) => end!.send(fromHex(hex)) };
}

/** The same, opened. */
export async function openedAdapter(options: SimulatedUsbAdapterOptions = {}) {
  const { adapter, clock, ...rest } = adapterOf(options);
  const warnings: string[] = [];
  const logger = new Logger("", LogLevel.Warn, (_level, _scope, line) => void warnings.push(line));
  const transport = await openWebUsb(adapter, { clock, logger });
  const packets: string[] = [];
  const ends: TransportClosed[] = [];
  transport.onPacket = (packet) => packets.push(toHex(packet));
  transport.onClose = (reason) => ends.push(reason);
  return { adapter, clock, transport, packets, ends, warnings, ...rest };
}
