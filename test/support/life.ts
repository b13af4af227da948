import { expect } from "vitest";
import { type Clock, delay, turn } from "../../src/async/index.ts";
import { BleError, SeededRandom, TimeoutError } from "../../src/core/index.ts";
import { Device, type DeviceOptions } from "../../src/device/index.ts";
import { SimulatedAir, type SimulatedAirOptions } from "../../src/testing/index.ts";

// A whole life of two devices: open, advertise, connect, pair, discover, read and write long values, subscribe, be notified, disconnect, come
// back and encrypt, close. Whatever is done to it, every promise settles, every error is one of ours, nobody goes on listening and no timer is
// left: `live` fails otherwise.

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const LONG = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";
const SECRET = "6e400003-b5a3-f393-e0a9-e50e24dcca9e";
const NOTIFY = "6e400004-b5a3-f393-e0a9-e50e24dcca9e";
const VALUE = Uint8Array.from({ length: 100 }, (_, i) => i);
/** No life lasts longer, whatever is lost: the sum of all its timeouts is below it. */
const LONGEST_LIFE_MS = 600_000;

export type Place = "air" | "phone HCI" | "sensor HCI";

/** What happens to one packet: "delay" and "overtaken" only between host and controller, "overtaken" lets later packets pass. */
export interface Fault {
  readonly place: Place;
  readonly index: number;
  readonly kind: "lose" | "corrupt" | "falsify" | "delay" | "overtaken";
  readonly delayMs?: number;
}

/** One octet changed, another one for every packet. */
function falsified(packet: Uint8Array, index: number, from: number): Uint8Array {
  const copy = packet.slice();
  const random = new SeededRandom(index, "falsified");
  const at = from + Math.floor(random.unit() * (copy.length - from));
  copy[at]! ^= 1 + Math.floor(random.unit() * 255);
  return copy;
}

export type Pairing = "legacy" | "Secure Connections";
type Name = "phone" | "sensor";

export interface LifeOptions {
  readonly pairing?: Pairing;
  readonly seed?: number;
  readonly fault?: Fault;
  readonly controller?: SimulatedAirOptions["controller"];
  /** What can be shared is asked for twice, and one of the two callers leaves after so many milliseconds. */
  readonly callers?: { readonly leaves: "first" | "second"; readonly afterMs: number };
  /** Every listener, subscriber and callback of the program throws. */
  readonly throwing?: boolean;
  readonly device?: (name: Name, clock: Clock) => DeviceOptions;
  /** After all devices are closed: what the test itself has under way on the clock. */
  readonly afterwards?: (clock: Clock) => Promise<unknown>;
  /** The sensor's handlers take so long. */
  readonly handlerMs?: number;
}

export interface Life {
  /** Steps that were completed. */
  readonly steps: string[];
  /** Packets that passed at each place. */
  readonly counts: Record<Place, number>;
  readonly errors: unknown[];
  /** What callbacks threw, as the process heard of it. */
  readonly thrown: unknown[];
}

export async function live(options: LifeOptions = {}): Promise<Life> {
  const { pairing = "legacy", seed = 1, fault, throwing = false } = options;
  const life: Life = { steps: [], counts: { air: 0, "phone HCI": 0, "sensor HCI": 0 }, errors: [], thrown: [] };
  using _uncaught = throwing ? catchUncaught(life.thrown) : undefined;
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", onUnhandled);
  const { controller } = options;
  const air = new SimulatedAir({ seed, traceCapacity: 0, ...(controller && { controller }) });
  const { clock } = air;
  const abort = new AbortController();
  let listeners = 0;
  countListeners(abort.signal, (change) => {
    listeners += change;
  });

  air.onAirPacket(({ pdu }) => {
    const index = life.counts.air++;
    if (fault?.place !== "air" || index !== fault.index) return undefined;
    if (fault.kind === "falsify") return { deliver: falsified(pdu, index, pdu.length > 2 ? 2 : 0) };
    return fault.kind === "lose" || fault.kind === "corrupt" ? fault.kind : undefined;
  });
  const open = (name: "phone" | "sensor"): Promise<Device> => {
    const place: Place = `${name} HCI`;
    const controller = air.addController({ name });
    controller.onHciPacket(({ packet }) => {
      const index = life.counts[place]++;
      if (fault?.place !== place || index !== fault.index) return undefined;
      const { kind, delayMs = 0 } = fault;
      if (kind === "delay" || kind === "overtaken") return { delayMs, isOvertaken: kind === "overtaken" };
      return kind === "lose" ? "drop" : falsified(packet, index, 1);
    });
    const secureConnections = pairing === "Secure Connections";
    return Device.open(controller.transport, {
      clock,
      random: air.random(name),
      name,
      pairing: { secureConnections },
      ...options.device?.(name, clock),
    });
  };

  const devices: Device[] = [];
  const opened = async (name: "phone" | "sensor"): Promise<Device> => {
    const device = await open(name);
    devices.push(device);
    if (throwing) throwEverywhere(device);
    return device;
  };
  const bounds: Disposable[] = [];
  /** Aborts when the life does, or earlier. */
  const within = (ms: number): AbortSignal => {
    const controller = new AbortController();
    bounds.push(clock.setTimer(ms, "bound of the test", () => controller.abort(new TimeoutError("the test", ms))));
    return AbortSignal.any([abort.signal, controller.signal]);
  };
  const running = run({ open: opened, signal: abort.signal, within, life, options, clock }).catch(
    (error: unknown) => void life.errors.push(error),
  );
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
  await options.afterwards?.(clock);
  await turn();
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
  expect(listeners).toBe(0);
  for (const error of life.errors) expect(error).toBeInstanceOf(BleError);
  await air[Symbol.asyncDispose](); // fails if a timer is left
  return life;
}

/** What would end the process; the test's own handlers do not see it. */
function catchUncaught(thrown: unknown[]): Disposable {
  const others = process.listeners("uncaughtException");
  const note = (error: unknown): void => void thrown.push(error);
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", note);
  return {
    [Symbol.dispose]: () => {
      process.off("uncaughtException", note);
      for (const other of others) process.on("uncaughtException", other);
    },
  };
}

function throwing(what: string): () => never {
  return () => {
    throw new Error(`the program's ${what}`);
  };
}

function throwEverywhere(device: Device): void {
  device.on("closed", throwing("closed"));
  device.on("connection", (connection) => {
    for (const event of ["security", "paired", "parameters", "dataLength", "mtu", "disconnected"] as const)
      connection.on(event, throwing(event));
    throwing("connection")();
  });
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
  readonly options: LifeOptions;
  readonly clock: Clock;
}

/** Asks twice; one caller leaves after its time, with its own reason or with the answer, and harms the other in no way. */
async function askTwice<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  stage: Stage,
  { leaves, afterMs }: NonNullable<LifeOptions["callers"]>,
): Promise<T> {
  const leaving = new AbortController();
  const reason = new TimeoutError("the caller that leaves", afterMs);
  const begin = (who: "first" | "second"): Promise<T> =>
    ask(who === leaves ? AbortSignal.any([stage.signal, leaving.signal]) : stage.signal);
  const calls = { first: begin("first"), second: begin("second") };
  const gone = calls[leaves].then(
    () => undefined,
    (error: unknown) => error,
  );
  if (afterMs === 0) leaving.abort(reason);
  using _timer = stage.clock.setTimer(afterMs, "a caller leaves", () => leaving.abort(reason));
  const value = await calls[leaves === "first" ? "second" : "first"];
  expect([undefined, reason]).toContain(await gone);
  return value;
}

async function run(stage: Stage): Promise<void> {
  const { open, signal, within, options, clock } = stage;
  const { steps, errors } = stage.life;
  const step = async <T>(name: string, promise: Promise<T>): Promise<T> => {
    const value = await promise;
    steps.push(name);
    return value;
  };
  /** What several callers may ask for at once. */
  const shared = <T>(name: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    step(name, options.callers ? askTwice(ask, stage, options.callers) : ask(signal));
  const take = async (): Promise<void> => {
    if (options.handlerMs !== undefined) await delay(clock, options.handlerMs);
  };
  const sensor = await step("open sensor", open("sensor"));
  const phone = await step("open phone", open("phone"));
  const service = sensor.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      {
        uuid: LONG,
        properties: ["read", "write"],
        read: () => (options.handlerMs === undefined ? VALUE : take().then(() => VALUE)),
        write: (_value, request) => {
          if (options.throwing) request.afterResponse(throwing("afterResponse"));
          return take();
        },
      },
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
  await shared("pair", (each) => first.pair({ signal: each }));
  const services = await shared("discover services", (each) => first.gatt.services({ signal: each }));
  await shared("remote features", (each) => first.remoteFeatures({ signal: each }));
  for (const service of services) await shared("discover characteristics", (each) => service.characteristics({ signal: each }));
  const long = await first.gatt.characteristic(SERVICE, LONG, { signal });
  await shared("read", (each) => long.read({ signal: each }));
  await step("write", long.write(VALUE.slice().reverse(), { signal }));
  const notify = await first.gatt.characteristic(SERVICE, NOTIFY, { signal });
  if (options.throwing) await step("subscribe", notify.subscribe(throwing("subscriber"), { signal }));
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
  await shared("encrypt", (each) => second.encrypt({ signal: each }));
  const secret = await second.gatt.characteristic(SERVICE, SECRET, { signal });
  await step("read the secret", secret.read({ signal }));
}

async function takeThree(values: AsyncGenerator<Uint8Array>): Promise<void> {
  let count = 0;
  for await (const _ of values) if (++count === 3) break;
}
