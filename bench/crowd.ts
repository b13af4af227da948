import type { Air } from "../src/air/index.ts";
import type { VirtualClock } from "../src/async/index.ts";
import { SeededRandom } from "../src/core/index.ts";
import { advertise, chat, LeastHost, newAir, pair, scan } from "./air.ts";
import type { Row } from "./harness.ts";

export interface Crowd {
  readonly air: Air;
  readonly clock: VirtualClock;
  readonly hosts: readonly LeastHost[];
}

/**
 * So many devices on a square: a fifth of them in links that carry a packet each way ten times a second, half advertise every 100 ms, a tenth
 * scan half of the time, the rest does nothing.
 */
export async function crowdOf(size: number, sideM: number): Promise<Crowd> {
  const { air, clock } = newAir();
  const random = new SeededRandom(1, "crowd");
  const somewhere = (): { x: number; y: number } => ({ x: random.unit() * sideM, y: random.unit() * sideM });
  const hosts: LeastHost[] = [];
  const admit = (name: string, position = somewhere()): LeastHost => {
    const host = new LeastHost({ air, name, position });
    hosts.push(host);
    return host;
  };
  const links: LeastHost[][] = [];
  for (let i = 0; i < size / 10; i++) {
    const place = somewhere();
    const [central, peripheral] = [admit(`central${i}`, place), admit(`peripheral${i}`, { x: place.x + 3, y: place.y })];
    links.push([central, peripheral]);
    await pair(clock, central, peripheral);
  }
  chat(clock, links);
  for (let i = 0; i < size / 2; i++) advertise(admit(`advertiser${i}`), 100, 3);
  for (let i = 0; i < size / 10; i++) scan(admit(`scanner${i}`), 100, 50, false);
  while (hosts.length < size) admit(`idle${hosts.length}`);
  return { air, clock, hosts };
}

const crowdRow = (size: number, sideM: number, more: { readonly ceiling?: string; readonly goal?: string } = {}): Row => ({
  name: `air: crowd of ${size.toLocaleString("en")} on ${sideM} m`,
  unit: "simulated seconds",
  prepare: async () => {
    const { clock } = await crowdOf(size, sideM);
    await clock.advance(500);
    return (count) => clock.advance(count * 1000);
  },
  ...more,
});

const BESIDE_HUNDRED = { ceiling: "air: crowd of 100 on 50 m", goal: "9.1 %, and more than 1" };

/** The rate of 1,000 devices stands beside that of 100: 10 % is a cost that grows as their number does. */
export const crowdRows: readonly Row[] = [crowdRow(100, 50), crowdRow(1000, 50, BESIDE_HUNDRED), crowdRow(1000, 4000, BESIDE_HUNDRED)];
