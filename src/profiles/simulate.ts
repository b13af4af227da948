import { ArgumentError, checkMilliseconds, checkOptions, optionNames } from "../core/index.ts";
import type { Advertising, Device, DeviceAdvertiseOptions } from "../device/index.ts";
import type { GattPeer, GattRequest } from "../gatt/index.ts";
import {
  type CharacteristicDeclaration,
  type CharacteristicDeclarations,
  type DeclaredService,
  type IsMultiple,
  isWrite,
  propertiesOf,
  type ValueOf,
} from "./declaration.ts";
import type { ServiceHandlers } from "./handlers.ts";
import { serve } from "./serve.ts";
import type { ServedService, TypedLocalCharacteristic } from "./served.ts";
import { encodeValue } from "./values.ts";

/** Values by the names of a declaration; of a characteristic that is "multiple", one for each of it. */
export type ServiceValues<C extends CharacteristicDeclarations> = {
  readonly [K in keyof C]?: IsMultiple<C[K]> extends true ? readonly ValueOf<C[K]>[] : ValueOf<C[K]>;
};

/** What happens at one moment of a simulation. */
export interface SimulationStep<C extends CharacteristicDeclarations> {
  /** Since the step before it, or since the start. */
  readonly afterMs: number;
  /** What these characteristics are from then on; whoever has subscribed is told. */
  readonly values: ServiceValues<C>;
}

/** The life of a simulated device. */
export interface SimulationScript<C extends CharacteristicDeclarations> {
  /** As for `serve`: values at the start, and handlers. */
  readonly serve: ServiceHandlers<C>;
  readonly steps?: readonly SimulationStep<C>[] | undefined;
  /** After the last step the first one follows again. */
  readonly repeat?: boolean | undefined;
}

export interface StartSimulationOptions {
  /** How the device advertises, beyond the service and its name; `false`: it does not. */
  readonly advertise?: DeviceAdvertiseOptions | false | undefined;
}

/** What a client wrote to a simulated device, and was not refused. */
export interface SimulatedWrite<C extends CharacteristicDeclarations = CharacteristicDeclarations> {
  readonly characteristic: keyof C & string;
  readonly value: unknown;
  readonly peer: GattPeer;
}

const SCRIPT = optionNames<SimulationScript<CharacteristicDeclarations>>({ serve: true, steps: true, repeat: true });
const STEP = optionNames<SimulationStep<CharacteristicDeclarations>>({ afterMs: true, values: true });
const START = optionNames<StartSimulationOptions>({ advertise: true });

/** Writes that a simulation remembers; of more the oldest are forgotten. */
const WRITES_CAPACITY = 1000;

/** A simulated device that has one service and a script to live by. */
export class Simulation<C extends CharacteristicDeclarations> {
  readonly #declaration: DeclaredService<C>;
  readonly #script: SimulationScript<C>;

  /** Made by `simulate`. @internal */
  constructor(declaration: DeclaredService<C>, script: SimulationScript<C>) {
    this.#declaration = declaration;
    this.#script = script;
  }

  /**
   * Serves and advertises on a device, simulated or real, and begins with the steps, in the time of the device's clock. Several simulations
   * may share a device: let one of them advertise.
   */
  async start(device: Device, options: StartSimulationOptions = {}): Promise<RunningSimulation<C>> {
    checkOptions("start", options, START);
    const writes: SimulatedWrite<C>[] = [];
    const served = serve(device.gattServer, this.#declaration, this.#recording(writes));
    let advertising: Advertising | undefined;
    try {
      if (options.advertise !== false)
        advertising = await device.advertise({
          payload: { flags: 0x06, serviceUuids: [this.#declaration.uuid] },
          intervalMs: 100,
          restart: "disconnected",
          ...options.advertise,
        });
    } catch (error) {
      device.gattServer.removeService(served.service);
      throw error;
    }
    return new RunningSimulation({ device, declaration: this.#declaration, script: this.#script, served, writes, advertising });
  }

  /** The script's handlers, which note what was written to them. */
  #recording(writes: SimulatedWrite<C>[]): ServiceHandlers<C> {
    const handlers: Record<string, unknown> = { ...(this.#script.serve as Readonly<Record<string, unknown>>) };
    for (const [name, characteristic] of Object.entries<CharacteristicDeclaration>(this.#declaration.characteristics)) {
      if (!propertiesOf(characteristic).some(isWrite)) continue;
      const given = handlers[name];
      if (given === undefined && characteristic.optional) continue;
      const recording = (each: Handlers): Handlers => ({
        ...each,
        write: async (value, request) => {
          await each.write?.(value, request);
          writes.push({ characteristic: name, value, peer: request.peer });
          if (writes.length > WRITES_CAPACITY) writes.shift();
        },
      });
      handlers[name] = Array.isArray(given) ? (given as Handlers[]).map(recording) : recording((given ?? {}) as Handlers);
    }
    return handlers as ServiceHandlers<C>;
  }
}

interface Handlers {
  readonly write?: ((value: unknown, request: GattRequest) => void | Promise<void>) | undefined;
}

interface SimulationParts<C extends CharacteristicDeclarations> {
  readonly device: Device;
  readonly declaration: DeclaredService<C>;
  readonly script: SimulationScript<C>;
  readonly served: ServedService<C>;
  readonly writes: readonly SimulatedWrite<C>[];
  readonly advertising: Advertising | undefined;
}

/** A simulation that lives until it is disposed, or its device is closed; its service leaves the device with it. */
export class RunningSimulation<C extends CharacteristicDeclarations> implements AsyncDisposable {
  readonly device: Device;
  readonly served: ServedService<C>;
  /** What clients wrote so far, the newest 1000. */
  readonly writes: readonly SimulatedWrite<C>[];
  readonly advertising: Advertising | undefined;
  /** Resolves after the last step, or when the simulation is over. */
  readonly finished: Promise<void>;
  readonly #declaration: DeclaredService<C>;
  readonly #script: SimulationScript<C>;
  #finish: () => void = () => undefined;
  #timer: Disposable | undefined;
  #isOver = false;
  readonly #closing: Disposable;

  /** Made by `start`. @internal */
  constructor({ device, declaration, script, served, writes, advertising }: SimulationParts<C>) {
    this.device = device;
    this.served = served;
    this.writes = writes;
    this.advertising = advertising;
    this.#declaration = declaration;
    this.#script = script;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#closing = device.on("closed", () => this.#stop());
    if (device.ended) this.#stop();
    else this.#plan(0);
  }

  #stop(): void {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    this.#closing[Symbol.dispose]();
    this.#finish();
  }

  #plan(index: number): void {
    const { steps = [], repeat } = this.#script;
    const step = steps[index] ?? (repeat ? steps[0] : undefined);
    if (!step) {
      this.#finish();
      return;
    }
    const at = index < steps.length ? index : 0;
    this.#timer = this.device.clock.setTimer(step.afterMs, `simulated ${this.#declaration.name}`, () => {
      this.#plan(at + 1);
      this.tell(step.values);
    });
  }

  /** What a step does, at once. @throws {ArgumentError} a value that cannot be encoded */
  tell(values: ServiceValues<C>): void {
    checkValues(this.#declaration, values);
    for (const [name, value] of Object.entries<unknown>(values)) {
      const characteristic = this.#declaration.characteristics[name]!;
      const member = (this.served as Readonly<Record<string, unknown>>)[name];
      if (member === undefined) throw new ArgumentError(`${name}: expected a characteristic that is served`);
      if (characteristic.multiple)
        (member as TypedLocalCharacteristic[]).forEach((each, i) => {
          if (i < (value as readonly unknown[]).length) tellOne(each, (value as readonly unknown[])[i]);
        });
      else tellOne(member as TypedLocalCharacteristic, value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#stop();
    if (this.device.gattServer.services.includes(this.served.service)) this.device.gattServer.removeService(this.served.service);
    await this.advertising?.[Symbol.asyncDispose]();
  }
}

/** Subscribers that are gone or do not confirm miss a value, as they do with a real device. */
function tellOne(characteristic: TypedLocalCharacteristic, value: unknown): void {
  const { local } = characteristic;
  const told = local.has("read")
    ? characteristic.update(value)
    : local.has("notify")
      ? characteristic.notify(value)
      : characteristic.indicate(value);
  told.catch(() => undefined);
}

/** @throws {ArgumentError} a name that is not declared, or a value that cannot be encoded */
function checkValues<C extends CharacteristicDeclarations>(declaration: DeclaredService<C>, values: ServiceValues<C>): void {
  checkOptions("values", values, new Set(Object.keys(declaration.characteristics)));
  for (const [name, value] of Object.entries<unknown>(values)) {
    const { multiple, value: codec } = declaration.characteristics[name]!;
    if (!multiple) encodeValue(name, codec, value);
    else if (!Array.isArray(value)) throw new ArgumentError(`${name}: expected an array, a value for each of it`);
    else for (const each of value as readonly unknown[]) encodeValue(name, codec, each);
  }
}

/**
 * A simulated device for tests: it serves what is declared, changes as the script says, and remembers what is written to it.
 *
 * @throws {ArgumentError} a name that is not declared, a value that cannot be encoded, a time that is none
 */
export function simulate<C extends CharacteristicDeclarations>(
  declaration: DeclaredService<C>,
  script: SimulationScript<C>,
): Simulation<C> {
  checkOptions("simulate", script, SCRIPT);
  for (const step of script.steps ?? []) {
    checkOptions("step", step, STEP);
    checkMilliseconds("step: afterMs", step.afterMs, 0, Number.MAX_SAFE_INTEGER);
    checkValues(declaration, step.values);
  }
  if (script.repeat && !(script.steps ?? []).some(({ afterMs }) => afterMs > 0))
    throw new ArgumentError("simulate: repeat: expected steps that take time");
  return new Simulation(declaration, script);
}
