import type { Clock } from "jelling/async";
import type { Controller } from "jelling/controller";
import { Device, type DeviceOptions } from "jelling/device";
import { SimulatedAir } from "jelling/testing";
import type { PumpEvent } from "../src/connector/events.ts";
import { PumpConnector, type PumpConnectorOptions, phoneDeviceOptions, type ReadySession } from "../src/connector/pump-connector.ts";
import { type InventedKeys, inventKeys } from "../src/simulator/keys.ts";
import { inventPumpIdentity, SimulatedPump, type SimulatedPumpOptions } from "../src/simulator/simulated-pump.ts";

export interface ScenarioOptions {
  readonly seed?: number;
  readonly pump?: Partial<SimulatedPumpOptions>;
  readonly phone?: DeviceOptions;
  readonly traceCapacity?: number;
  /** Called before any host opens its controller: the place for faults. */
  readonly prepare?: (at: { air: SimulatedAir; phone: Controller; pump: Controller }) => void;
}

/** A phone and a pump in one air, a meter apart. */
export class Scenario implements AsyncDisposable {
  readonly air: SimulatedAir;
  readonly keys: InventedKeys;
  readonly phone: Device;
  readonly pump: SimulatedPump;
  readonly phoneController: Controller;
  readonly pumpController: Controller;
  /** What the connectors told, and what the pump told. */
  readonly events: PumpEvent[] = [];
  readonly said: string[];

  private constructor(at: Pick<Scenario, "air" | "keys" | "phone" | "pump" | "phoneController" | "pumpController" | "said">) {
    this.air = at.air;
    this.keys = at.keys;
    this.phone = at.phone;
    this.pump = at.pump;
    this.phoneController = at.phoneController;
    this.pumpController = at.pumpController;
    this.said = at.said;
  }

  static async open({
    seed = 1,
    pump: pumpOptions,
    phone: phoneOptions,
    traceCapacity = 100_000,
    prepare,
  }: ScenarioOptions = {}): Promise<Scenario> {
    const air = new SimulatedAir({ seed, traceCapacity });
    const phoneController = air.addController({ name: "phone" });
    const pumpController = air.addController({ name: "pump", position: { x: 1, y: 0 }, address: inventPumpIdentity(seed).address });
    prepare?.({ air, phone: phoneController, pump: pumpController });
    const keys = inventKeys(air.random("keys"));
    const said: string[] = [];
    let phone: Device | undefined;
    try {
      const { clock } = air;
      phone = await Device.open(phoneController.transport, {
        ...phoneDeviceOptions,
        clock,
        random: air.random("phone"),
        address: "random",
        ...phoneOptions,
      });
      const pump = await SimulatedPump.open({
        transport: pumpController.transport,
        clock,
        random: air.random("pump"),
        seed,
        keyDatabase: keys.pump,
        onEvent: ({ text }) => said.push(text),
        ...pumpOptions,
      });
      return new Scenario({ air, keys, phone, pump, phoneController, pumpController, said });
    } catch (error) {
      await phone?.close();
      await air[Symbol.asyncDispose]();
      throw error;
    }
  }

  get clock(): Clock {
    return this.air.clock;
  }

  connector(options: Partial<PumpConnectorOptions> = {}): Promise<PumpConnector> {
    return PumpConnector.open({
      device: this.phone,
      keyDatabase: this.keys.phone,
      mode: "pair",
      random: this.air.random("sake"),
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  /** Pairs and waits for the first session. */
  async pair(connector: PumpConnector): Promise<ReadySession> {
    const [ready] = await Promise.all([connector.session({ timeoutMs: 120_000 }), this.pump.pairNewPhone()]);
    return ready;
  }

  of<T extends PumpEvent["type"]>(type: T): Extract<PumpEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<PumpEvent, { type: T }> => event.type === type);
  }

  /** Closes pump and phone; the air sees to it that nothing waits any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.pump[Symbol.asyncDispose]();
    await this.phone.close();
    await this.air[Symbol.asyncDispose]();
  }
}
