import { type Air, defaultAir } from "../../air/index.ts";
import { type Clock, SystemClock } from "../../async/index.ts";
import { Controller } from "../../controller/index.ts";
import { Address, randomBytes, SeededRandom, systemRandom } from "../../core/index.ts";
import { Device } from "../../device/index.ts";
import { type HciTransport, TransportError } from "../../hci/index.ts";
import { IoCapability } from "../../smp/index.ts";
import { openTransport, type TransportOptions } from "../../transport/index.ts";
import { EXAMPLE_DEVICES, USUAL_DEVICES } from "./index.ts";
import type { ExampleDevice } from "./kind.ts";

/** Devices that live in an air, and for how many controllers of programs. */
interface Surroundings {
  readonly devices: Map<string, Promise<AsyncDisposable>>;
  programs: number;
}
const surroundings = new WeakMap<Air, Surroundings>();

/**
 * The devices that "sim:" and what follows it names: none of it the usual ones, "empty" none.
 *
 * @throws {TransportError} a word that is no device
 */
export function exampleDevicesOf(spec: string): readonly string[] {
  if (spec === "") return USUAL_DEVICES;
  if (spec === "empty") return [];
  return spec.split(",").map((text) => {
    const word = text.trim();
    if (Object.hasOwn(EXAMPLE_DEVICES, word)) return word;
    const known = [...Object.keys(EXAMPLE_DEVICES), "empty"].join(", ");
    throw new TransportError("unknown-spec", `transport "sim:${spec}": "${word}" is no simulated device: expected one of ${known}`);
  });
}

/** Where a simulated device of this kind is; the same in every air. @param count of those of its kind, from 1 */
export function exampleAddress(word: string, count = 1): Address {
  const number = Object.keys(EXAMPLE_DEVICES).indexOf(word) + 1 + (count - 1) * 16;
  return Address.from(`C0:4A:65:6C:6C:${(number & 0xff).toString(16).padStart(2, "0")}/random`);
}

/**
 * A controller in the air of this process, where simulated devices advertise for as long as a program has such a controller: what `sim:` is to
 * the `Device` and the `openTransport` of the package's root, and to the command.
 */
export async function openInSurroundings(spec: string, options: TransportOptions = {}): Promise<HciTransport> {
  const words = exampleDevicesOf(spec);
  const clock = options.clock ?? new SystemClock();
  const air = defaultAir(clock instanceof SystemClock ? undefined : clock);
  const transport = await openTransport("sim:", { ...options, clock });
  let inAir = surroundings.get(air);
  if (!inAir) {
    inAir = { devices: new Map(), programs: 0 };
    surroundings.set(air, inAir);
  }
  const { devices } = inAir;
  const all = inAir;
  inAir.programs++;
  let isGone = false;
  const leave = async (): Promise<void> => {
    if (isGone) return;
    isGone = true;
    if (--all.programs > 0) return;
    const started = [...devices.values()];
    devices.clear();
    for (const device of await Promise.allSettled(started)) if (device.status === "fulfilled") await device.value[Symbol.asyncDispose]();
  };
  const dispose = transport[Symbol.asyncDispose].bind(transport);
  transport[Symbol.asyncDispose] = async () => {
    await dispose();
    await leave();
  };
  try {
    for (const word of words) if (!devices.has(word)) devices.set(word, start(air, clock, word, EXAMPLE_DEVICES[word]!));
    await Promise.all(devices.values());
    return transport;
  } catch (error) {
    await transport[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(air: Air, clock: Clock, word: string, kind: ExampleDevice): Promise<AsyncDisposable> {
  const controller = new Controller({ air, name: word, removeWithHost: true });
  const device = await Device.open(controller.transport, {
    clock,
    random: systemRandom,
    irk: randomBytes(new SeededRandom(1, `irk of ${word}`), 16),
    name: kind.name,
    address: exampleAddress(word),
    ...(kind.advertised.appearance !== undefined && { appearance: kind.advertised.appearance }),
    // Nobody is there to look at a display: what pairs at all, pairs.
    pairing: { ioCapability: IoCapability.NoInputNoOutput, mitm: false, allowDowngrade: true },
  });
  const life = await startExampleDevice(device, kind, kind.name, new SeededRandom(1, word));
  return {
    [Symbol.asyncDispose]: async () => {
      await life[Symbol.asyncDispose]();
      await device.close();
    },
  };
}

/** Gives the device its services and lets it advertise whenever nobody is connected. */
export async function startExampleDevice(
  device: Device,
  kind: ExampleDevice,
  name: string,
  random: SeededRandom,
): Promise<AsyncDisposable> {
  const services = kind.serve(device.gattServer, { clock: device.clock, random });
  const listener = kind.listen?.(device.l2cap);
  const { serviceUuids = [], ...advertised } = kind.advertised;
  const advertising = await device.advertise({
    data: { ...advertised, serviceUuids },
    scanResponse: { name },
    intervalMs: 100,
    restart: "disconnected",
  });
  return {
    [Symbol.asyncDispose]: async () => {
      services[Symbol.dispose]();
      listener?.[Symbol.dispose]();
      await advertising[Symbol.asyncDispose]();
    },
  };
}
