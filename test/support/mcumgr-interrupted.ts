import { delay } from "../../src/async/index.ts";
import { BleError, TimeoutError } from "../../src/core/index.ts";
import { type Firmware, McumgrClient, readFirmware, UpgradeError, upgradeFirmware } from "../../src/mcumgr/index.ts";
import { createImage, type SimulatedMcumgrDevice, type SimulatedMcumgrDeviceOptions } from "../../src/testing/index.ts";
import type { Program, Transport, World } from "./mcumgr-worlds.ts";

// One upgrade that is struck once, and what comes of it: what the device starts is whole at any time, and a second run ends with the new
// firmware, which stays.

const OLD = createImage({ version: "1.0.0", bodySize: 900 });
const NEW = createImage({ version: "2.0.0", bodySize: 1100, seed: 2 });
const NEW_OF_SECOND = createImage({ version: "2.1.0", bodySize: 700, seed: 3 });
/** No program waits longer for one upgrade. */
const LONGEST_MS = 3_600_000;

export interface Mode {
  readonly name: string;
  readonly device: SimulatedMcumgrDeviceOptions;
  readonly firmware: Firmware;
  /** The image is written over what runs: until it is whole there is only the bootloader's recovery. */
  readonly isInPlace?: boolean;
}

const image = { slotSize: 8 << 10, primary: OLD } as const;
const device = (mode: NonNullable<SimulatedMcumgrDeviceOptions["mode"]>, images = [image]): SimulatedMcumgrDeviceOptions => ({
  mode,
  images,
  bufSize: 512,
  sectorSize: 512,
  eraseMsPerSector: 15,
  writeMsPerKibibyte: 4,
  processingMs: 1,
});
const single = readFirmware(NEW);
const both: Firmware = {
  kind: "package",
  images: [single.images[0]!, { ...readFirmware(NEW_OF_SECOND).images[0]!, imageIndex: 1 }],
};

export const MODES: readonly Mode[] = [
  { name: "swap", device: device("swap-move"), firmware: single },
  { name: "overwrite", device: device("overwrite-only"), firmware: single },
  { name: "direct XIP", device: device("direct-xip"), firmware: single },
  { name: "direct XIP with revert", device: device("direct-xip-revert"), firmware: single },
];
/** What differs at the device and not on the way to it. */
export const MODES_OF_DEVICE: readonly Mode[] = [
  { name: "swap by scratch", device: device("swap-scratch"), firmware: single },
  { name: "swap by offset", device: device("swap-offset"), firmware: single },
  { name: "one slot", device: device("single-application"), firmware: single, isInPlace: true },
  { name: "two images", device: device("swap-move", [image, image]), firmware: both },
];

/** What an upgrade that nothing strikes has of each. */
export interface Counts {
  /** Fragments, lines, datagrams, either way. */
  readonly packets: number;
  readonly requests: number;
  /** Operations of the flash memory, those of the bootloader among them. */
  readonly steps: number;
}

export interface Strike {
  readonly name: string;
  readonly at: keyof Counts;
  /** The packet does not arrive either. */
  readonly isLost?: boolean;
  /** The first run ends with the new firmware all the same. */
  readonly completes?: boolean;
  /** The device is started anew once the program is gone; without it the next program begins at once. */
  readonly restarts?: boolean;
  /** Over which transports; all by default. */
  readonly only?: (transport: Transport) => boolean;
  strike(at: { readonly world: World; readonly program: Program; readonly kill: () => void; readonly giveUp: () => void }): void;
}

/** Longer than the questions that are asked again are waited for. */
const OFF_MS = 12_000;
/** Between the answer to a reset and the reset. */
const SOON_MS = 100;

export const STRIKES: readonly Strike[] = [
  { name: "the link is cut", at: "packets", completes: true, strike: ({ program }) => program.cut() },
  { name: "the client is killed", at: "packets", strike: ({ kill }) => kill() },
  { name: "the client is killed, and the device started anew", at: "packets", restarts: true, strike: ({ kill }) => kill() },
  { name: "the program gives up and closes", at: "packets", strike: ({ giveUp }) => giveUp() },
  { name: "the packet is lost", at: "packets", completes: true, isLost: true, only: ({ isLossy }) => isLossy, strike: () => undefined },
  { name: "the device is reset", at: "packets", strike: ({ world }) => void world.device.reset() },
  { name: "the power goes", at: "packets", isLost: true, strike: ({ world }) => world.device.powerCut({ offMs: OFF_MS }) },
  {
    name: "the power goes a moment later",
    at: "packets",
    strike: ({ world }) => void world.clock.setTimer(SOON_MS, "the power goes", () => world.device.powerCut({ offMs: OFF_MS })),
  },
  { name: "the power goes within an operation of the flash memory", at: "steps", strike: () => undefined },
  { name: "the server loses a request", at: "requests", completes: true, strike: () => undefined },
  { name: "the server loses an answer", at: "requests", completes: true, strike: () => undefined },
];

/** @throws {TimeoutError} it does not end */
async function upgrade(world: World, program: Program, firmware: Firmware, signal?: AbortSignal): Promise<string> {
  const { clock } = world;
  const over = new AbortController();
  const never = delay(clock, LONGEST_MS, { signal: over.signal, name: "an upgrade that does not end" }).then(
    () => {
      throw new TimeoutError("an upgrade that does not end", LONGEST_MS);
    },
    () => "",
  );
  const work = (async () => {
    await using client = await McumgrClient.open(program.open, { clock, signal });
    const { outcome } = await upgradeFirmware(client, firmware, { clock, signal });
    return outcome;
  })().catch((error: unknown) => {
    if (error instanceof UpgradeError) return `${error.reason}: ${error.message}`;
    if (error instanceof BleError) return `${error.code}: ${error.message}`;
    throw error;
  });
  try {
    return await Promise.race([work, never]);
  } finally {
    over.abort(new Error("over"));
  }
}

/** What an upgrade takes that nothing strikes. */
export async function countsOf(transport: Transport, mode: Mode): Promise<Counts> {
  let packets = 0;
  await using world = await transport.create(mode.device, () => {
    packets++;
    return false;
  });
  const { device } = world;
  const outcome = await upgrade(world, await world.program(), mode.firmware);
  if (outcome !== "complete") throw new Error(`an upgrade that nothing strikes ends so: ${outcome}`);
  return { packets, requests: device.counters.requests, steps: device.flashSteps };
}

/** @returns how the first run ends @throws {Error} what is wrong with what came of it */
export async function interrupted(transport: Transport, mode: Mode, strike: Strike, n: number): Promise<string> {
  let seen = 0;
  let act: (() => void) | undefined;
  await using world = await transport.create(mode.device, () => {
    if (strike.at !== "packets" || seen++ !== n) return false;
    act?.();
    return strike.isLost ?? false;
  });
  const { device, clock } = world;
  const over = new AbortController();
  const program = await world.program();
  let isKilled: () => void = () => undefined;
  const killed = new Promise<string>((resolve) => {
    isKilled = () => resolve("killed");
  });
  const giveUp = (): void => over.abort(new Error("killed"));
  const kill = (): void => {
    program.kill();
    isKilled();
    giveUp();
  };
  act = () => strike.strike({ world, program, kill, giveUp });
  if (strike.at === "steps") device.powerCutAfter(n, { offMs: OFF_MS });
  if (strike.at === "requests") device.inject({ kind: strike.name.endsWith("answer") ? "lose-answer" : "lose-request" }, { skip: n });
  const run = upgrade(world, program, mode.firmware, over.signal).catch((error: unknown) => {
    if (over.signal.aborted) return "killed";
    throw error;
  });
  const first = await Promise.race([run, killed]);
  if (strike.completes && first !== "complete") throw new Error(`the run that was struck ends so: ${first}`);
  if (first !== "killed" && first !== "complete" && !/^(reverted|ERR_)/.test(first)) throw new Error(`told as ${first}`);
  if (first !== "killed" || strike.restarts) {
    if (strike.restarts) await device.reset();
    await clock.advance(60_000); // whatever was under way
    await device.powerOn();
    expectSound(device, mode, "before the second run");
  }
  const second = await upgrade(world, await world.program(), mode.firmware);
  if (second !== "complete") throw new Error(`after ${first} the second run ends so: ${second}`);
  expectNew(device, mode, "after the second run");
  await device.reset();
  expectNew(device, mode, "after another start");
  return first;
}

/** An image runs, the old one or the new one, and is what it was built to be. */
function expectSound(device: SimulatedMcumgrDevice, mode: Mode, when: string): void {
  if (mode.isInPlace && device.running === "recovery") return;
  if (device.running !== "application") throw new Error(`${when}: no application runs, but ${device.running}`);
  for (const { imageIndex, octets } of mode.firmware.images) {
    const running = device.states.find((state) => state.image === imageIndex && state.active);
    const slot = running && device.slot(imageIndex, running.slot);
    const isOne = [OLD, octets].some((whole) => slot && startsWith(slot.octets, whole));
    if (!slot?.isSound || !isOne) throw new Error(`${when}: what runs as image ${imageIndex} is neither the old nor the new firmware`);
  }
}

function expectNew(device: SimulatedMcumgrDevice, mode: Mode, when: string): void {
  expectSound(device, mode, when);
  for (const { imageIndex, image: wanted } of mode.firmware.images) {
    const version = device.runningImage(imageIndex)?.version;
    if (version !== wanted.version) throw new Error(`${when}: version ${version} runs as image ${imageIndex}`);
  }
}

function startsWith(octets: Uint8Array, whole: Uint8Array): boolean {
  return octets.length >= whole.length && whole.every((octet, i) => octets[i] === octet);
}
