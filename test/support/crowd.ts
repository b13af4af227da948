import type { Air, AirOptions, AirTraceEntry } from "../../src/air/index.ts";
import type { VirtualClock } from "../../src/async/index.ts";
import type { Controller } from "../../src/controller/index.ts";
import { SeededRandom } from "../../src/core/index.ts";
import { LeConnectionComplete, LeCreateConnection, LeSetAdvertisingEnable, LeSetScanEnable } from "../../src/hci/index.ts";
import { advertiseExtended, octets, scanExtended } from "./raw-extended.ts";
import type { RawHost } from "./raw-host.ts";
import { advertise, createConnection, makeAir, makeHost, scan } from "./raw-pair.ts";

/** Of all advertising, primary and secondary channels (Vol 6 Part B 2.1.2). */
const ADVERTISING_ACCESS_ADDRESS = 0x8e89bed6;

interface Place {
  readonly x: number;
  readonly y: number;
}

export interface CrowdOptions extends Partial<AirOptions> {
  /** How many devices: a fifth of them in links, half advertise, a tenth scan. */
  readonly size: number;
  /** Side of the square they are spread over. */
  readonly sideM: number;
}

/** Disposed of, its time stands still. */
export interface Crowd extends Disposable {
  readonly air: Air;
  readonly clock: VirtualClock;
  readonly controllers: readonly Controller[];
  /** Lets time go by while so many devices move, switch off and on, or lose sight of each other. */
  live(durationMs: number, happenings: number): Promise<void>;
}

/** Devices of every kind in one air: with links, advertisers (an eighth of them by extended PDUs), scanners (a half by extended commands). */
export async function makeCrowd({ size, sideM, seed = 1, ...options }: CrowdOptions): Promise<Crowd> {
  const { air, clock } = makeAir({ seed, shadowingDb: 3, fadingDb: 2, traceCapacity: 1_000_000, ...options });
  const random = new SeededRandom(seed, "crowd");
  const pick = (count: number): number => random.uint32() % count;
  const somewhere = (): Place => ({ x: pick(sideM), y: pick(sideM) });
  const near = ({ x, y }: Place): Place => ({ x: x + pick(10), y });
  const everybody: Awaited<ReturnType<typeof makeHost>>[] = [];
  const admit = async (name: string, position: Place, isExtended = false): Promise<Awaited<ReturnType<typeof makeHost>>> => {
    const member = await makeHost(air, { name, position, features: { extendedAdvertising: isExtended } });
    everybody.push(member);
    return member;
  };
  for (let i = 0; i < size / 10; i++) {
    const place = somewhere();
    const [central, peripheral] = [await admit(`central${i}`, place), await admit(`peripheral${i}`, near(place))];
    await advertise(peripheral.host, { interval: 32 });
    const connected = central.host.event(LeConnectionComplete);
    await central.host.command(LeCreateConnection, createConnection(peripheral.controller.address, { interval: 24 }));
    const { connectionHandle } = await connected;
    clock.setTimer(1 + i, "beat", function beat() {
      central.host.sendAcl(connectionHandle, octets(27));
      clock.setTimer(100, "beat", beat);
    });
  }
  const advertisers: RawHost[] = [];
  for (let i = 0; i < size / 2; i++) {
    const { host } = await admit(`advertiser${i}`, somewhere(), i % 8 === 7);
    if (i % 8 < 7) await advertise(host, { interval: 160, type: [0, 2, 3][i % 3]!, data: new Uint8Array(31).fill(i) });
    else {
      const [primaryAdvertisingPhy, secondaryAdvertisingPhy] = [i % 16 === 7 ? 1 : 3, 1 + (i % 3)];
      await advertiseExtended(host, { primaryAdvertisingPhy, secondaryAdvertisingPhy, data: octets(400) });
    }
    if (i % 8 < 7) advertisers.push(host);
  }
  const scanners: RawHost[] = [];
  for (let i = 0; i < size / 10; i++) {
    const { host } = await admit(`scanner${i}`, somewhere(), i % 2 === 1);
    if (i % 2 === 0) {
      await scan(host, { interval: 160, window: 80, active: i % 4 === 0 });
      scanners.push(host);
    } else await scanExtended(host, { phys: i % 4 === 1 ? 5 : 1, active: i % 8 === 1 });
  }
  while (everybody.length < size) await admit(`idle${everybody.length}`, somewhere());

  return {
    air,
    clock,
    [Symbol.dispose]: () => clock[Symbol.dispose](),
    controllers: everybody.map(({ controller }) => controller),
    async live(durationMs, happenings) {
      const walls: Disposable[] = [];
      for (let i = 0; i < happenings; i++) {
        await clock.advance(durationMs / happenings);
        const who = everybody[pick(everybody.length)]!.controller;
        switch (pick(8)) {
          case 0:
            walls.push(air.cut(who, everybody[pick(everybody.length)]!.controller));
            break;
          case 1:
            walls.splice(pick(walls.length + 1), 1)[0]?.[Symbol.dispose]();
            break;
          case 2:
            await scanners[pick(scanners.length)]!.command(LeSetScanEnable, { leScanEnable: pick(3) > 0, filterDuplicates: false });
            break;
          case 3:
            await advertisers[pick(advertisers.length)]!.command(LeSetAdvertisingEnable, { advertisingEnable: pick(3) > 0 });
            break;
          default:
            air.move(who, somewhere());
        }
      }
    },
  };
}

/** What was sent on advertising channels, in order: when, by whom, where, who received it, and why others did not. */
export function advertisingSeen({ trace }: Air): AirTraceEntry[] {
  return trace.entries.filter(
    (entry): entry is AirTraceEntry => entry.kind === "air" && entry.accessAddress === ADVERTISING_ACCESS_ADDRESS,
  );
}
