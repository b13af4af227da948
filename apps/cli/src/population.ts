import { join } from "node:path";
import type { SimulatedPump } from "@jelling/minimed";
import { Air } from "jelling/air";
import { type Clock, SystemClock } from "jelling/async";
import { Controller, featuresForDevice } from "jelling/controller";
import { Address, type Logger, randomBytes, SeededRandom, systemRandom } from "jelling/core";
import { type Connection, Device } from "jelling/device";
import { FileBondStore } from "jelling/node";
import { IoCapability, type PairingAgent } from "jelling/smp";
import { EXAMPLE_DEVICES, exampleAddress, SimulatedMcumgrDevice, serveOverGatt, startExampleDevice } from "jelling/testing";
import { Closing } from "./closing.ts";
import type { KeptDevice } from "./commands/mcumgr/kept-device.ts";
import type { PumpChoices } from "./devices/pump.ts";
import { UsageError } from "./errors.ts";

export interface PopulationOptions {
  readonly clock?: Clock | undefined;
  readonly seed?: number | undefined;
  /** Share of packets that are lost, 0 to 1. */
  readonly loss?: number | undefined;
  readonly logger: Logger;
  /** Where the simulated devices keep their bonds. */
  readonly folder: string;
  /** A device whose firmware can be updated stays what it is until the next time; by default it is new each time. */
  readonly keeps?: boolean | undefined;
  /** What the clocks of the devices show at the beginning, as this computer's; without it always the same. */
  readonly startsAt?: Date | undefined;
  /** What is chosen of a pump; its history goes back 30 days by default. */
  readonly pump?: PumpChoices | undefined;
  /** Told what a device shows or who comes and goes. */
  readonly tell: (sentence: string) => void;
}

/** A device in the air, for listings. */
export interface Inhabitant {
  readonly kind: string;
  readonly name: string;
  readonly address: Address;
  /** For a pump: the file with the keys that a phone needs for it. */
  readonly keys?: string;
}

/** An air with simulated devices in it. */
export class Population implements AsyncDisposable {
  readonly air: Air;
  readonly inhabitants: Inhabitant[] = [];
  readonly #clock: Clock;
  readonly #seed: number;
  readonly #options: PopulationOptions;
  readonly #parts: (Disposable | AsyncDisposable)[] = [];
  #controllers = 0;
  #pump: SimulatedPump | undefined;

  constructor(options: PopulationOptions) {
    this.#options = options;
    this.#clock = options.clock ?? new SystemClock();
    this.#seed = options.seed ?? new DataView(randomBytes(systemRandom, 4).buffer).getUint32(0);
    const { loss } = options;
    this.air = new Air({ clock: this.#clock, seed: this.#seed, traceCapacity: 0, ...(loss === undefined ? {} : { loss }) });
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** The pump in this air, if there is one. */
  get pump(): SimulatedPump | undefined {
    return this.#pump;
  }

  /** A controller for a host: one's own, which uses all of version 5 (`isExtended`), or somebody else's. */
  addController(isExtended = false): Controller {
    const number = ++this.#controllers;
    const address = Address.from(`02:4A:65:6C:00:${number.toString(16).padStart(2, "0")}`);
    const controller = new Controller({
      air: this.air,
      name: `controller ${number}`,
      address,
      features: isExtended ? featuresForDevice() : {},
    });
    this.#parts.push({ [Symbol.dispose]: () => controller.remove() });
    return controller;
  }

  /** Puts a device into the air; several of one kind get numbers. @throws {UsageError} no such kind */
  async add(word: string): Promise<Inhabitant> {
    if (word === "pump") return this.#addPump();
    if (word === "mcumgr" || word === "mcumgr-paired") return this.#addManaged(word);
    const kind = Object.hasOwn(EXAMPLE_DEVICES, word) ? EXAMPLE_DEVICES[word] : undefined;
    if (!kind)
      throw new UsageError(
        `"${word}" is no simulated device: expected one of ${Object.keys(EXAMPLE_DEVICES).join(", ")}, pump, mcumgr, mcumgr-paired`,
      );
    const count = this.inhabitants.filter((other) => other.kind === word).length + 1;
    const label = count === 1 ? word : `${word}-${count}`;
    const name = count === 1 ? kind.name : `${kind.name} ${count}`;
    const address = exampleAddress(word, count);
    const controller = new Controller({ air: this.air, name: label });
    this.#parts.push({ [Symbol.dispose]: () => controller.remove() });
    const { logger, folder, tell } = this.#options;
    const device = await Device.open(controller.transport, {
      clock: this.#clock,
      // What it is must be the same the next time, or bonds would not hold; what it draws besides need not.
      random: systemRandom,
      irk: randomBytes(new SeededRandom(1, `irk of ${label}`), 16),
      logger: logger.child(label),
      bonds: new FileBondStore(join(folder, `${label}.json`)),
      name,
      address,
      ...(kind.advertised.appearance === undefined ? {} : { appearance: kind.advertised.appearance }),
      pairing: { ioCapability: IoCapability.DisplayOnly, mitm: false, allowDowngrade: true, allowEqualReplacement: true },
      agent: simulatedUser(name, tell),
    });
    this.#parts.push(device);
    this.#parts.push(await startExampleDevice(device, kind, name, new SeededRandom(this.#seed, label)));
    const inhabitant = { kind: word, name, address };
    this.inhabitants.push(inhabitant);
    return inhabitant;
  }

  /** A pump is a central: it is not seen in a scan, it comes to who advertises as a phone. */
  async #addPump(): Promise<Inhabitant> {
    if (this.inhabitants.some(({ kind }) => kind === "pump")) throw new UsageError("there can be one pump in an air");
    const { pumpAddress, startPump } = await import("./devices/pump.ts");
    const { logger, folder, startsAt, pump, tell } = this.#options;
    const controller = new Controller({ air: this.air, name: "pump", address: pumpAddress(pump?.seed) });
    this.#parts.push({ [Symbol.dispose]: () => controller.remove() });
    const started = await startPump({ ...pump, transport: controller.transport, clock: this.#clock, folder, logger, startsAt, tell });
    this.#parts.push(started);
    this.#pump = started.pump;
    const inhabitant = { kind: "pump", name: started.pump.identity.name, address: started.pump.device.identity, keys: started.keysPath };
    this.inhabitants.push(inhabitant);
    return inhabitant;
  }

  /** A device whose firmware can be updated; the second kind by those alone that it is paired with. */
  async #addManaged(kind: "mcumgr" | "mcumgr-paired"): Promise<Inhabitant> {
    if (this.inhabitants.some((other) => other.kind.startsWith("mcumgr"))) throw new UsageError("there can be one mcumgr device in an air");
    const isPaired = kind === "mcumgr-paired";
    const controller = new Controller({ air: this.air, name: kind });
    this.#parts.push({ [Symbol.dispose]: () => controller.remove() });
    const { logger, folder, tell } = this.#options;
    const address = Address.from(isPaired ? MCUMGR_PAIRED_ADDRESS : MCUMGR_ADDRESS);
    const host = await Device.open(controller.transport, {
      clock: this.#clock,
      random: systemRandom,
      irk: randomBytes(new SeededRandom(1, `irk of ${kind}`), 16),
      logger: logger.child(kind),
      name: "mcumgr",
      address,
      ...(isPaired && {
        bonds: new FileBondStore(join(folder, `${kind}.json`)),
        pairing: { ioCapability: IoCapability.DisplayOnly, mitm: false, allowDowngrade: true, allowEqualReplacement: true },
        agent: simulatedUser("mcumgr", tell),
      }),
    });
    this.#parts.push(host);
    const kept = await this.#managedDevice();
    this.#parts.push(kept, await serveOverGatt(kept.device, host, { name: "mcumgr", ...(isPaired && { permissions: PAIRED }) }));
    const inhabitant = { kind, name: "mcumgr", address };
    this.inhabitants.push(inhabitant);
    return inhabitant;
  }

  async #managedDevice(): Promise<KeptDevice> {
    const { FURNITURE, openKeptDevice, REAL_TIMES } = await import("./commands/mcumgr/kept-device.ts");
    const { keeps, folder, tell } = this.#options;
    if (keeps) return await openKeptDevice(folder, this.#clock, tell);
    const device = new SimulatedMcumgrDevice({ ...FURNITURE, ...REAL_TIMES, clock: this.#clock });
    return { device, [Symbol.asyncDispose]: () => device[Symbol.asyncDispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = new Closing();
    closing.add(async () => this.air[Symbol.dispose]());
    for (const part of this.#parts.splice(0))
      closing.add(async () => {
        if (Symbol.asyncDispose in part) await part[Symbol.asyncDispose]();
        else part[Symbol.dispose]();
      });
    await closing[Symbol.asyncDispose]();
  }
}

const MCUMGR_ADDRESS = "C0:4A:65:6C:6C:08/random";
const MCUMGR_PAIRED_ADDRESS = "C0:4A:65:6C:6C:09/random";
const PAIRED = { write: "encrypted", subscribe: "encrypted" } as const;

/** Agrees to everything, and says what the device's display shows. */
function simulatedUser(name: string, tell: (sentence: string) => void): PairingAgent {
  return {
    confirm: () => Promise.resolve(true),
    replaceBond: () => Promise.resolve(true),
    displayPasskey: ({ passkey }) => tell(`${name} shows the passkey ${String(passkey).padStart(6, "0")}`),
  };
}

/** Says who comes, pairs and goes. */
export function announce(device: Device, tell: (event: string, connection: Connection, details: string) => void): Disposable {
  return device.onConnection((connection) => {
    tell("connected", connection, `${connection.parameters.intervalMs} ms interval`);
    connection.on("paired", (report) => tell("paired", connection, `${report.method}${report.bonded ? ", bonded" : ""}`));
    connection.on("disconnected", (reason) => tell("disconnected", connection, reason.message));
  });
}
