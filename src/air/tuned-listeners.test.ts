import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { SeededRandom } from "../core/index.ts";
import type { Listener } from "./advertising-roles.ts";
import { Air } from "./air.ts";
import { ListenWindow } from "./listen-window.ts";
import { Phy } from "./phy.ts";
import { TunedListeners } from "./tuned-listeners.ts";

test("whoever hears a packet is among those that may, in order; who hears it surely does", () => {
  const random = new SeededRandom(1, "tuned");
  const pick = (count: number): number => random.uint32() % count;
  const air = new Air({ clock: new VirtualClock(), seed: 1 });
  const radios = Array.from({ length: 20 }, (_, i) => air.addRadio({ name: `radio${i}` }));
  const listeners = new Set<Listener>();
  const tuned = new TunedListeners(listeners);
  let heard = 0;
  let sure = 0;
  let whole = 0;
  let nowUs = 0;
  for (let step = 0; step < 3000; step++) {
    nowUs += pick(3000);
    if (step % 40 === 0) {
      const radio = radios[pick(radios.length)]!;
      const intervalUs = 2500 + pick(100) * 625;
      const window = new ListenWindow(nowUs, intervalUs, 2500 + pick(intervalUs - 2499));
      const phy = pick(5) === 0 ? Phy.LeCodedS8 : Phy.Le1M;
      const listener: Listener = { radio, phy, goesFirst: pick(4) === 0, window, onAdvertising: () => undefined, onScanResponse: () => {} };
      listeners.add(listener);
      radio.addListener(listener);
      tuned.forget();
    } else if (step % 100 === 50) {
      const gone = [...listeners][pick(listeners.size)]!;
      listeners.delete(gone);
      gone.radio.removeListener(gone);
      tuned.forget();
    }
    const startUs = nowUs + pick(2000);
    const endUs = startUs + 80 + pick(300);
    const channel = pick(3);
    const expected = [...listeners].filter(
      (listener) => listener.phy === Phy.Le1M && listener.radio.isTunedFor(listener, channel, startUs, endUs),
    );
    const may = tuned.on(channel, startUs, endUs, nowUs);
    const found = may.listeners.filter((listener, i) => may.isSure[i] || listener.radio.isTunedFor(listener, channel, startUs, endUs));
    expect(found).toEqual(expected);
    expect(may.areSure).toBe(may.isSure.every(Boolean));
    expect(may.latestUs).toBe(Math.max(...may.listeners.map(({ window }) => window.startUs)));
    if (may.areSure && expected.length > 0) whole++;
    heard += expected.length;
    sure += may.isSure.filter(Boolean).length;
  }
  expect(heard).toBeGreaterThan(3000);
  expect(sure).toBeGreaterThan(heard / 5);
  expect(whole).toBeGreaterThan(10);
});
