import type { Clock } from "jelling/async";
import type { Controller } from "jelling/controller";
import { Address } from "jelling/core";
import { MemoryBondStore } from "jelling/gap";
import type { BondStore } from "jelling/smp";
import { SimulatedAir, type SimulatedAirOptions } from "jelling/testing";
import { expect } from "vitest";
import type { PumpEvent } from "../src/connector/events.ts";
import type { PumpConnectorOptions } from "../src/connector/options.ts";
import { PumpConnector, type ReadySession } from "../src/connector/pump-connector.ts";
import { type InventedKeys, inventKeys } from "../src/simulator/keys.ts";
import { SimulatedPump } from "../src/simulator/simulated-pump.ts";
import { inventPumpIdentity, type SimulatedPumpOptions } from "../src/simulator/simulated-pump-options.ts";
import { WriteWatch } from "./write-watch.ts";

export interface ScenarioOptions {
  readonly seed?: number;
  readonly pump?: Partial<SimulatedPumpOptions>;
  readonly traceCapacity?: number;
  /** What both controllers have: a `pathSkewMs`, for example. */
  readonly controller?: SimulatedAirOptions["controller"];
  /** Called before any host opens its controller: the place for faults. */
  readonly prepare?: (at: { air: SimulatedAir; phone: Controller; pump: Controller }) => void;
}

/** The phone's identity, the same for every connector of a scenario. */
export const PHONE_ADDRESS = Address.from("C0:1E:11:1A:60:02", "random");
const PHONE_IRK = Uint8Array.from({ length: 16 }, (_, i) => 0x40 + i);

/** A phone and a pump in one air, a meter apart. */
export class Scenario implements AsyncDisposable {
  readonly air: SimulatedAir;
  readonly keys: InventedKeys;
  /** The phone's bonds, which outlive its connectors. */
  readonly bonds: BondStore = new MemoryBondStore();
  readonly pump: SimulatedPump;
  readonly phoneController: Controller;
  readonly pumpController: Controller;
  /** What the connectors told, and what the pump told. */
  readonly events: PumpEvent[] = [];
  readonly said: string[];
  readonly #hasFaults: boolean;
  /** Judges every write that the phone sends; a scenario that ends with an offence fails. */
  readonly watch: WriteWatch;

  private constructor(
    at: Pick<Scenario, "air" | "keys" | "pump" | "phoneController" | "pumpController" | "said" | "watch"> & { readonly hasFaults: boolean },
  ) {
    this.air = at.air;
    this.keys = at.keys;
    this.pump = at.pump;
    this.phoneController = at.phoneController;
    this.pumpController = at.pumpController;
    this.said = at.said;
    this.watch = at.watch;
    this.#hasFaults = at.hasFaults;
  }

  static async open({
    seed = 1,
    pump: pumpOptions,
    traceCapacity = 100_000,
    controller = {},
    prepare,
  }: ScenarioOptions = {}): Promise<Scenario> {
    const air = new SimulatedAir({ seed, traceCapacity, controller });
    const phoneController = air.addController({ name: "phone" });
    const pumpController = air.addController({ name: "pump", position: { x: 1, y: 0 }, address: inventPumpIdentity(seed).address });
    let pump: SimulatedPump | undefined;
    const watch = new WriteWatch(phoneController, () => pump!.device.gattServer); // before the faults, so that it sees what is sent
    prepare?.({ air, phone: phoneController, pump: pumpController });
    const keys = inventKeys(air.random("keys"));
    const said: string[] = [];
    try {
      const { clock } = air;
      pump = await SimulatedPump.open({
        transport: pumpController.transport,
        clock,
        random: air.random("pump"),
        seed,
        keyDatabase: keys.pump,
        onEvent: ({ text }) => said.push(text),
        ...pumpOptions,
      });
      return new Scenario({ air, keys, pump, phoneController, pumpController, said, watch, hasFaults: prepare !== undefined });
    } catch (error) {
      await air[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes that a test makes by hand and the pump refuses. */
  expectedRefusals = 0;

  /** Value handle of a characteristic in the pump's server. */
  pumpHandle(service: number, characteristic: number): number {
    return this.pump.device.gattServer.service(service)!.characteristic(characteristic)!.valueHandle;
  }

  get clock(): Clock {
    return this.air.clock;
  }

  #connectors = 0;

  /** Options of a connector on the phone's controller. A controller has one host: close one connector before the next is opened. */
  options(options: Partial<PumpConnectorOptions> = {}): PumpConnectorOptions {
    return {
      controller: this.phoneController.transport,
      bonds: this.bonds,
      address: PHONE_ADDRESS,
      irk: PHONE_IRK,
      clock: this.clock,
      random: this.air.random(`phone ${this.#connectors++}`),
      keyDatabase: this.keys.phone,
      mode: "pair",
      onEvent: (event) => this.events.push(event),
      ...options,
    };
  }

  connector(options: Partial<PumpConnectorOptions> = {}): Promise<PumpConnector> {
    return PumpConnector.open(this.options(options));
  }

  /** Pairs and waits for the first session. */
  async pair(connector: PumpConnector): Promise<ReadySession> {
    const [ready] = await Promise.all([connector.session({ timeoutMs: 120_000 }), this.pump.pairNewPhone()]);
    return ready;
  }

  of<T extends PumpEvent["type"]>(type: T): Extract<PumpEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<PumpEvent, { type: T }> => event.type === type);
  }

  /** Closes the pump; connectors are closed by who opened them. The air sees to it that nothing waits any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.pump[Symbol.asyncDispose]();
    expect(this.watch.offences, "writes that are not in the closed table").toEqual([]);
    // A fault may make of a good write another one on its way.
    if (!this.#hasFaults) expect(this.pump.forbiddenWrites, "writes that the pump had to refuse").toBe(this.expectedRefusals);
    await this.air[Symbol.asyncDispose]();
  }
}
