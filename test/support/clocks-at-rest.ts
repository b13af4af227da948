import { afterAll } from "vitest";
import { turn } from "../../src/async/turn.ts";
import { VirtualClock } from "../../src/async/virtual-clock.ts";

/** What ends by itself has this many turns of the event loop for it. */
const PATIENCE_TURNS = 2000;

// A simulated air that nobody closed lives on beside the tests of all other files, hours of it, and takes a good part of the processor.
afterAll(async () => {
  let timers = 0;
  const names = new Set<string>();
  const { setTimer } = VirtualClock.prototype;
  VirtualClock.prototype.setTimer = function (this: VirtualClock, delayMs, name, fire) {
    timers++;
    names.add(name);
    return setTimer.call(this, delayMs, name, fire);
  };
  try {
    for (let i = 0; i < PATIENCE_TURNS; i++) {
      timers = 0;
      await turn();
      await turn();
      if (timers === 0) return;
    }
  } finally {
    VirtualClock.prototype.setTimer = setTimer;
  }
  const last = [...names].slice(0, 5).join(", ");
  throw new Error(`a simulated clock still runs when the tests of this file are over (${last}): dispose it, or close what lives in it`);
});
