import { type Air, defaultAir } from "../air/index.ts";
import { SystemClock } from "../async/index.ts";
import { Controller, featuresForDevice } from "../controller/index.ts";
import { Address } from "../core/index.ts";
import type { HciTransport } from "../hci/transport.ts";
import type { TransportOptions } from "./types.ts";

/** Controllers opened in each air, so that every one gets an address of its own, and the same one when a simulation is run again. */
const opened = new WeakMap<Air, number>();

/** `sim:` or `sim:NAME`: a new controller in the air of this process, gone when the transport is closed. */
export async function openSim(name: string, { clock }: TransportOptions = {}): Promise<HciTransport> {
  // All real time is one: programs that made their own SystemClock meet in the same air.
  const air = defaultAir(clock instanceof SystemClock ? undefined : clock);
  const number = (opened.get(air) ?? 0) + 1;
  opened.set(air, number);
  const octets = [number & 0xff, (number >> 8) & 0xff, (number >> 16) & 0xff, 0, 0, 0x02]; // locally administered
  const controller = new Controller({
    air,
    address: new Address(Uint8Array.from(octets), 0),
    name: name || `sim${number}`,
    features: featuresForDevice(),
    removeWithHost: true,
  });
  return controller.transport;
}
