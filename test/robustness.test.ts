import { describe, expect, test } from "vitest";
import { delay, turn } from "../src/async/index.ts";
import { BleError, SeededRandom, TimeoutError } from "../src/core/index.ts";
import { Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { samples } from "./support/samples.ts";

// A whole life of two devices - open, advertise, connect, pair, discover, read and write long values, subscribe, be notified, disconnect, come
// back and encrypt, close - in which one packet after the other is lost or falsified. Whatever happens then, every promise settles, every
// error is one of ours, nobody goes on listening and no timer is left.

/**
 * Packets of each kind that are tried where not all are: those of legacy pairing cost little, the arithmetic of Secure Connections takes most
 * of the time.
 */
const SAMPLES: Record<Pairing, number> = { legacy: 100, "Secure Connections": 20 };

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const LONG = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";
const SECRET = "6e400003-b5a3-f393-e0a9-e50e24dcca9e";
const NOTIFY = "6e400004-b5a3-f393-e0a9-e50e24dcca9e";
const VALUE = Uint8Array.from({ length: 100 }, (_, i) => i);
/** No life lasts longer, whatever is lost: the sum of all its timeouts is below it. */
const LONGEST_LIFE_MS = 600_000;

type Place = "air" | "phone HCI" | "sensor HCI";
interface Fault {
  readonly place: Place;
  readonly index: number;
  readonly kind: "lose" | "corrupt" | "falsify";
}

/** One octet changed, another one for every packet. */
function falsified(packet: Uint8Array, index: number, from: number): Uint8Array {
  const copy = packet.slice();
  const random = new SeededRandom(index, "falsified");
  const at = from + Math.floor(random.unit() * (copy.length - from));
  copy[at]! ^= 1 + Math.floor(random.unit() * 255);
  return copy;
}

type Pairing = "legacy" | "Secure Connections";

interface Life {
  /** Steps that were completed. */
  readonly steps: string[];
  /** Packets that passed at each place. */
  readonly counts: Record<Place, number>;
  readonly errors: unknown[];
}

async function live(pairing: Pairing, fault?: Fault): Promise<Life> {
  const life: Life = { steps: [], counts: { air: 0, "phone HCI": 0, "sensor HCI": 0 }, errors: [] };
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", onUnhandled);
  const air = new SimulatedAir({ seed: 1, traceCapacity: 0 });
  const { clock } = air;
  const abort = new AbortController();
  let listeners = 0;
  countListeners(abort.signal, (change) => {
    listeners += change;
  });

  air.onAirPacket(({ pdu }) => {
    const index = life.counts.air++;
    if (fault?.place !== "air" || index !== fault.index) return undefined;
    return fault.kind === "falsify" ? { deliver: falsified(pdu, index, pdu.length > 2 ? 2 : 0) } : fault.kind;
  });
  const open = (name: "phone" | "sensor"): Promise<Device> => {
    const place: Place = `${name} HCI`;
    const controller = air.addController({ name });
    controller.onHciPacket(({ packet }) => {
      const index = life.counts[place]++;
      if (fault?.place !== place || index !== fault.index) return undefined;
      return fault.kind === "lose" ? "drop" : falsified(packet, index, 1);
    });
    const secureConnections = pairing === "Secure Connections";
    return Device.open(controller.transport, { clock, random: air.random(name), name, pairing: { secureConnections } });
  };

  const devices: Device[] = [];
  const opened = async (name: "phone" | "sensor"): Promise<Device> => {
    const device = await open(name);
    devices.push(device);
    return device;
  };
  const bounds: Disposable[] = [];
  /** Aborts when the life does, or earlier. */
  const within = (ms: number): AbortSignal => {
    const controller = new AbortController();
    bounds.push(clock.setTimer(ms, "bound of the test", () => controller.abort(new TimeoutError("the test", ms))));
    return AbortSignal.any([abort.signal, controller.signal]);
  };
  const running = run({ open: opened, signal: abort.signal, within, life }).catch((error: unknown) => void life.errors.push(error));
  const longest = within(LONGEST_LIFE_MS);
  const isStuck = await Promise.race([
    running.then(() => false),
    new Promise<boolean>((resolve) => longest.addEventListener("abort", () => resolve(true), { once: true })),
  ]);
  for (const bound of bounds) bound[Symbol.dispose]();
  expect(isStuck, `stuck after ${life.steps.join(", ")}`).toBe(false);
  for (const device of devices) {
    await device.close();
    expect([device.hci.listenerCount, device.links.length, device.gattServer.sessions.length]).toEqual([0, 0, 0]);
  }
  await turn();
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
  expect(listeners).toBe(0);
  for (const error of life.errors) expect(error).toBeInstanceOf(BleError);
  await air[Symbol.asyncDispose](); // fails if a timer is left
  return life;
}

function countListeners(signal: AbortSignal, change: (by: 1 | -1) => void): void {
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  const present = new Set<unknown>();
  Object.assign(signal, {
    addEventListener: (...parameters: Parameters<typeof add>) => {
      if (!present.has(parameters[1])) change(1);
      present.add(parameters[1]);
      add(...parameters);
    },
    removeEventListener: (...parameters: Parameters<typeof remove>) => {
      if (present.delete(parameters[1])) change(-1);
      remove(...parameters);
    },
  });
}

interface Stage {
  readonly open: (name: "phone" | "sensor") => Promise<Device>;
  readonly signal: AbortSignal;
  readonly within: (ms: number) => AbortSignal;
  readonly life: Life;
}

async function run({ open, signal, within, life: { steps, errors } }: Stage): Promise<void> {
  const step = async <T>(name: string, promise: Promise<T>): Promise<T> => {
    const value = await promise;
    steps.push(name);
    return value;
  };
  const sensor = await step("open sensor", open("sensor"));
  const phone = await step("open phone", open("phone"));
  const service = sensor.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: LONG, properties: ["read", "write"], read: () => VALUE, write: () => {} },
      { uuid: SECRET, properties: ["read"], value: Uint8Array.of(1, 2), permissions: { read: "encrypted" } },
      { uuid: NOTIFY, properties: ["notify"] },
    ],
  });
  const source = service.characteristic(NOTIFY)!;
  await step("advertise", sensor.advertise({ ownAddress: "resolvable", restart: "disconnected", data: { name: "sensor" }, signal }));
  let address = sensor.identity;
  for await (const advertisement of phone.scan({ name: "sensor", signal: within(30_000) })) {
    address = advertisement.address;
    break;
  }
  steps.push("scan");
  const first = await step("connect", phone.connect(address, { signal, ownAddress: "resolvable" }));
  await step("pair", first.pair({ signal }));
  const services = await step("discover services", first.gatt.services({ signal }));
  for (const each of services) await step("discover characteristics", each.characteristics({ signal }));
  const long = await first.gatt.characteristic(SERVICE, LONG, { signal });
  await step("read", long.read({ signal }));
  await step("write", long.write(VALUE.slice().reverse(), { signal }));
  const notify = await first.gatt.characteristic(SERVICE, NOTIFY, { signal });
  const values = notify.notifications({ signal: within(50_000) });
  const received = step("three notifications", takeThree(values));
  received.catch(() => undefined); // awaited below, where the sensor may fail first
  const patience = within(60_000); // longer than the phone waits for the answer to its subscription
  for (let i = 0; i < 3; i++) {
    while (source.subscribers.length === 0 && sensor.links.length > 0) await delay(phone.clock, 50, { signal: patience });
    await step("notify", source.notify(Uint8Array.of(i), { signal, timeoutMs: 5000 }));
  }
  await received.catch((error: unknown) => void errors.push(error));
  await step("disconnect", first.disconnect());
  const second = await step("connect again", phone.connect(sensor.identity, { signal, ownAddress: "resolvable" }));
  await step("encrypt", second.encrypt({ signal }));
  const secret = await second.gatt.characteristic(SERVICE, SECRET, { signal });
  await step("read the secret", secret.read({ signal }));
}

async function takeThree(values: AsyncGenerator<Uint8Array>): Promise<void> {
  let count = 0;
  for await (const _ of values) if (++count === 3) break;
}

const undisturbed = { legacy: await live("legacy"), "Secure Connections": await live("Secure Connections") };

describe.each<Pairing>(["legacy", "Secure Connections"])("with %s pairing", (pairing) => {
  test("undisturbed, everything is done", () => {
    expect(undisturbed[pairing].errors).toEqual([]);
    expect(undisturbed[pairing].steps.at(-1)).toBe("read the secret");
  });

  describe.each<Place>(["air", "phone HCI", "sensor HCI"])("packets at %s", (place) => {
    const kinds: Fault["kind"][] = place === "air" ? ["lose", "corrupt", "falsify"] : ["lose", "falsify"];
    test.each(kinds)(
      "%s: one after the other",
      async (kind) => {
        const outcomes = new Set<string>();
        const what = { of: `packets of two devices' life with ${pairing} pairing, each to be struck`, at: `${place} ${kind}` };
        for (const index of samples(what, undisturbed[pairing].counts[place], SAMPLES[pairing])) {
          const { steps, errors } = await live(pairing, { place, index, kind }).catch((error: unknown) => {
            throw new Error(`packet ${index}: ${error}`, { cause: error });
          });
          outcomes.add(errors.length === 0 ? "done" : `${(errors[0] as BleError).message} after ${steps.at(-1)}`);
        }
        // What is lost on air is sent again, but for the one packet that makes a link.
        if (place === "air" && kind !== "falsify") expect([...outcomes].filter((outcome) => !outcome.includes("0x3e"))).toEqual(["done"]);
      },
      3_600_000,
    );
  });
});
