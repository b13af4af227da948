import type { AttBearer } from "jelling/att";
import { checkInteger } from "jelling/core";
import type { GattServer } from "jelling/gatt";
import { type LocalDateTime, parseLocal } from "../data/date-time.ts";
import type { SakeSession } from "../sake/session.ts";
import type { DeliverySource } from "./delivery-source.ts";
import type { SimulatedPumpFaults } from "./faults.ts";
import { LifeDelivery } from "./life-delivery.ts";
import { Outbox } from "./outbox.ts";
import { PumpLife } from "./pump-life.ts";
import { type PumpIdentity, PumpServer } from "./pump-server.ts";
import type { SimulatedSensor } from "./sensor.ts";
import { ServedSession } from "./served-session.ts";
import { type checkedPumpOptions, SMALLEST_MTU } from "./simulated-pump-options.ts";

/** Where the services are that move with other software, and how far they move each time. */
const MOVED_TO = 0x0300;
const MOVED_BY = 0x0200;
const PLACES = 100;

export interface PumpBodyOptions {
  readonly options: ReturnType<typeof checkedPumpOptions>;
  readonly identity: PumpIdentity;
  readonly server: GattServer;
  readonly faults: SimulatedPumpFaults;
  /** The authenticated session with the phone that is connected. */
  readonly session: () => SakeSession | undefined;
  readonly att: () => AttBearer | undefined;
}

/** A simulated pump without its link: its life, its memory, and what it serves of them. */
export class PumpBody implements Disposable {
  readonly life: PumpLife;
  readonly delivery: DeliverySource;
  readonly served: ServedSession;
  readonly outbox: Outbox;
  readonly #own: LifeDelivery;
  /** undefined: it offers nothing. */
  readonly #server: PumpServer | undefined;
  #version = 1;
  #batteryPercent: number | undefined;

  constructor({ options, identity, server, faults, session, att }: PumpBodyOptions) {
    const { clock, seed, startLocal = parseLocal("2031-03-02T09:00:00"), sensor = true, historyDays, historyCapacity } = options;
    const glucose = typeof sensor === "function" ? sensor : undefined;
    this.life = new PumpLife({ clock, seed, startLocal, historyDays, historyCapacity, glucose, hasSensor: sensor !== false });
    this.#own = new LifeDelivery(this.life);
    this.delivery = options.delivery ?? this.#own;
    this.outbox = new Outbox({ att });
    this.served = new ServedSession({
      session,
      outbox: this.outbox,
      faults,
      largestNotification: () => (att()?.mtu ?? SMALLEST_MTU) - 3,
    });
    const { insulinDelivery = true, e2eProtection = false } = options;
    if (options.offers === "nothing") return;
    this.#server = new PumpServer({
      server,
      clock,
      identity,
      served: this.served,
      sensor: () => this.sensor,
      calibrations: () => this.#own.calibrations(),
      now: () => this.now,
      batteryPercent: () => this.batteryPercent,
      transmitterBatteryPercent: () => this.#own.transmitterBatteryPercent,
      firmware: () => this.firmware,
      delivery: insulinDelivery ? this.delivery : undefined,
      e2e: e2eProtection,
      vendorValues: options.vendorValues ?? false,
    });
  }

  /** What the pump's clock shows. */
  get now(): LocalDateTime {
    return this.life.now;
  }
  get sensor(): SimulatedSensor | undefined {
    return this.life.sensor;
  }
  get batteryPercent(): number {
    return this.#batteryPercent ?? this.#own.batteryPercent;
  }
  set batteryPercent(percent: number) {
    this.#batteryPercent = checkInteger("batteryPercent", percent, 0, 100);
  }
  get firmware(): string {
    return `6.7.${this.#version}`;
  }

  /** Other software: its attributes are elsewhere. */
  update(): void {
    this.#version++;
    this.#server?.moveAll(MOVED_TO + MOVED_BY * (this.#version % PLACES));
  }

  /** Puts the CGM service at another handle. */
  moveGlucose(handle: number): void {
    this.#server?.moveGlucose(handle);
  }

  /** Another connection, or none: whatever was under way is over. */
  reset(): void {
    this.#server?.reset();
  }

  [Symbol.dispose](): void {
    this.reset();
    this.life[Symbol.dispose]();
  }
}
