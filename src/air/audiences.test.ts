import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { SeededRandom } from "../core/index.ts";
import type { Listener } from "./advertising-roles.ts";
import { Air } from "./air.ts";
import { Audiences } from "./audiences.ts";
import { ListenWindow } from "./listen-window.ts";
import type { Phy } from "./phy.ts";
import type { Radio } from "./radio.ts";

function listenerOf(radio: Radio, phy: Phy): Listener {
  return { radio, phy, goesFirst: false, window: new ListenWindow(0, 1, 1), onAdvertising: () => undefined, onScanResponse: () => {} };
}

test("audiences are those of a comparison of all with all, whoever comes, goes, moves or is walled off; who is first heard is told", () => {
  const { medium, ...air } = makeAir();
  const random = new SeededRandom(3, "audiences");
  const pick = (count: number): number => random.uint32() % count;
  const audiences = new Audiences(medium);
  let told: readonly Radio[] = [];
  let changed: readonly Radio[] = [];
  medium.onPathChange({
    after: (radios) => {
      changed = radios;
      told = radios.flatMap((radio) => audiences.changed(radio));
    },
  });
  const listeners: Listener[] = [];
  const walls: Disposable[] = [];
  const expected = (radio: Radio): Listener[] =>
    listeners.filter((listener) => listener.radio !== radio && medium.isInRange(radio, listener.radio, listener.phy));
  for (let step = 0; step < 600; step++) {
    const asked = air.radios.filter(() => pick(3) > 0);
    const silent = asked.filter((radio) => audiences.of(radio).length === 0);
    told = [];
    changed = [];
    const radio = air.radios[pick(air.radios.length)]!;
    switch (pick(5)) {
      case 0: {
        const listener = listenerOf(radio, pick(2) === 0 ? 1 : 3);
        listeners.push(listener);
        told = audiences.join(listener);
        break;
      }
      case 1: {
        const [gone] = listeners.splice(pick(listeners.length + 1), 1);
        if (gone) audiences.leave(gone);
        break;
      }
      case 2:
        walls.push(medium.cut(radio, air.radios[(radio.index + 1) % air.radios.length]!));
        break;
      case 3:
        walls.splice(pick(walls.length + 1), 1)[0]?.[Symbol.dispose]();
        break;
      default:
        medium.move(radio, { x: pick(3000), y: pick(3000) });
    }
    for (const heard of silent) {
      const isTold = told.includes(heard) || changed.includes(heard); // whose own change it was is found anew
      expect(audiences.of(heard).length > 0 && !isTold).toBe(false);
    }
    for (const each of air.radios) expect(audiences.of(each)).toEqual(expected(each));
  }
});

function makeAir() {
  const air = new Air({ clock: new VirtualClock(), seed: 1 });
  const radios = Array.from({ length: 12 }, (_, i) => air.addRadio({ name: `radio${i}`, position: { x: 400 * i, y: 0 } }));
  return { medium: air.medium, radios };
}

test("a radio that advertises no more has no audience kept for it", () => {
  const { medium, radios } = makeAir();
  const audiences = new Audiences(medium);
  expect(audiences.of(radios[0]!)).toEqual([]);
  audiences.forget(radios[0]!);
  expect(audiences.join(listenerOf(radios[1]!, 1))).toEqual([]);
  expect(audiences.of(radios[0]!)).toHaveLength(1);
});
