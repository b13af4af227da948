import { expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, type BleError, SeededRandom } from "../src/core/index.ts";
import { Device } from "../src/device/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";
import { uncaughtDuring } from "./support/uncaught.ts";

const PEER = Address.from("06:05:04:03:02:01");
const open = async () => {
  const clock = new VirtualClock();
  const controller = new ScriptedController();
  return { clock, controller, device: await Device.open(controller.transport, { clock, random: new SeededRandom(1) }) };
};

test.each([0x0f00, 0x0fff])(
  "a link of handle %i, which none may have, resets the controller, and what was wanted begins anew",
  async (handle) => {
    const { clock, controller, device } = await open();
    const uncaught = await uncaughtDuring(async () => {
      const connected = device.connect(PEER);
      await delay(clock, 1);
      controller.link({ role: "central", peer: PEER, handle });
      await delay(clock, 1);
      expect(controller.commands.filter((name) => name === "Reset")).toHaveLength(2); // one at the opening
      controller.link({ role: "central", peer: PEER, handle: 0x0eff });
      expect(await connected).toMatchObject({ handle: 0x0eff, peerAddress: PEER });
      expect(device.links).toHaveLength(1);
    });
    expect(uncaught).toEqual([]);
    await device.close();
  },
);

/** Octets of what a controller may say, well-formed as a packet and mostly nonsense. */
class Babble {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  octets(count: number): Uint8Array {
    const octets = new Uint8Array(count);
    this.#random.fill(octets);
    return octets;
  }
  below(limit: number): number {
    const [low, high] = this.octets(2);
    return (low! | (high! << 8)) % limit;
  }
  one<T>(...values: T[]): T {
    return values[this.below(values.length)]!;
  }

  packet(): Uint8Array {
    switch (this.below(7)) {
      case 0:
        return this.#link();
      case 1: {
        const [subevent, length] = this.one<[number, number]>(
          [1, 18],
          [2, this.below(60)],
          [3, 9],
          [4, 11],
          [5, 12],
          [6, 10],
          [7, 10],
          [10, 30],
        );
        const parameters = this.octets(length);
        if (length > 2) parameters.set([this.one(0, 0, 1, 4), this.below(3), 0]);
        return Uint8Array.of(0x04, 0x3e, length + 1, subevent, ...parameters);
      }
      case 2:
        return Uint8Array.of(0x04, 0x05, 4, this.below(2), this.below(4), 0, this.below(80)); // Disconnection Complete
      case 3: {
        const parameters = this.octets(this.below(40));
        return Uint8Array.of(0x04, this.one(0x05, 0x08, 0x0e, 0x0f, 0x13, 0x30, 0x3e, 0x57), parameters.length, ...parameters);
      }
      default:
        return this.#data();
    }
  }

  #link(): Uint8Array {
    const parameters = this.octets(18);
    parameters.set([0, this.below(4), this.one(0, 0, 0, this.below(256)), this.below(3), this.below(3)]);
    if (this.below(2) === 0) parameters.set(PEER.bytes, 5);
    return Uint8Array.of(0x04, 0x3e, 19, 0x01, ...parameters);
  }

  #data(): Uint8Array {
    const pdu = this.octets(this.below(30));
    if (pdu.length > 0) pdu[0] = this.one(0x01, 0x02, 0x05, 0x06, 0x07, 0x0a, 0x0b, 0x12, 0x13, 0x16, 0x1b, 0x52, this.below(256));
    const length = this.one(pdu.length, pdu.length, pdu.length, this.below(50));
    const flags = this.one(0x20, 0x20, 0x20, 0x10, 0x00, 0x30);
    return Uint8Array.of(0x02, this.below(4), flags, pdu.length + 4, 0, length, 0, 4 + this.below(4), 0, ...pdu);
  }
}

test.each(Array.from({ length: 15 }, (_, i) => i))("random events and data harm nobody, seed %i", async (seed) => {
  const { clock, controller, device } = await open();
  const babble = new Babble(seed);
  const uncaught = await uncaughtDuring(async () => {
    const advertising = await device.advertise({ restart: "connected" });
    const scan = await device.startScan({}, (advertisement) =>
      JSON.stringify([
        advertisement,
        advertisement.name,
        advertisement.serviceUuids,
        advertisement.serviceData,
        advertisement.manufacturerData,
      ]),
    );
    const connected = device.connect(PEER, { timeoutMs: 3000 }).then(
      () => "ERR_NONE",
      (error: unknown) => (error as BleError).code,
    );
    for (let i = 0; i < 80 && !device.ended; i++) {
      controller.raw(babble.packet());
      if (babble.below(4) === 0) await delay(clock, babble.below(1000));
    }
    await delay(clock, 5000);
    expect(await connected).toMatch(/^ERR_/);
    await scan[Symbol.asyncDispose]();
    await advertising.stop();
    await device.close();
  });
  expect(uncaught).toEqual([]);
  expect([clock.pending, device.links]).toEqual([[], []]);
});
