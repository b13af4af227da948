import type { Clock } from "jelling/async";
import { AttError, AttErrorCode } from "jelling/att";
import type { GattServer } from "jelling/gatt";
import type { LocalDateTime } from "../data/date-time.ts";
import { encodeCurrentTime } from "../data/standard.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import { CgmServer } from "./cgm-server.ts";
import type { DeliverySource } from "./delivery-source.ts";
import type { CalibrationWords } from "./encode/cgm.ts";
import { IddServer } from "./idd-server.ts";
import type { SimulatedSensor } from "./sensor.ts";
import type { ServedSession } from "./served-session.ts";

/** What a pump tells about itself. */
export interface PumpIdentity {
  /** Seven digits, invented. */
  readonly digits: string;
  readonly name: string;
  readonly serial: string;
}

export interface PumpServerOptions {
  readonly server: GattServer;
  readonly clock: Clock;
  readonly identity: PumpIdentity;
  readonly served: ServedSession;
  /** undefined while no sensor session runs. */
  readonly sensor: () => SimulatedSensor | undefined;
  readonly calibrations: () => readonly CalibrationWords[];
  /** What its display shows. */
  readonly now: () => LocalDateTime;
  readonly batteryPercent: () => number;
  readonly transmitterBatteryPercent: () => number;
  readonly firmware: () => string;
  /** undefined: an older pump, without an insulin delivery service. */
  readonly delivery: DeliverySource | undefined;
  /** Values of the insulin delivery service end with a counter and a CRC. */
  readonly e2e: boolean;
  /** Also what is hardly known. */
  readonly vendorValues: boolean;
}

/** The services of a pump that a phone reads: device information, battery, time, CGM, insulin delivery. As on a real one there is no 0x1801. */
export class PumpServer {
  readonly #options: PumpServerOptions;
  readonly #cgm: CgmServer;
  readonly #idd: IddServer | undefined;

  constructor(options: PumpServerOptions) {
    this.#options = options;
    const { server, clock, identity, served, sensor, delivery, e2e } = options;
    const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
    const plain = (uuid: (typeof CharacteristicUuid)[keyof typeof CharacteristicUuid], value: Uint8Array) => ({
      uuid,
      properties: ["read"] as const,
      value,
    });
    server.addService({
      uuid: ServiceUuid.GenericAccess,
      characteristics: [
        plain(CharacteristicUuid.DeviceName, new TextEncoder().encode(identity.name)),
        plain(CharacteristicUuid.Appearance, new Uint8Array(2)),
      ],
    });
    server.addService({
      uuid: ServiceUuid.DeviceInformation,
      handle: 0x0100, // away from the phone's: readers of captures keep one table for both servers
      characteristics: [
        plain(CharacteristicUuid.ManufacturerName, text("Simulated pumps")),
        plain(CharacteristicUuid.ModelNumber, text("SIM-780")),
        plain(CharacteristicUuid.SerialNumber, text(identity.serial)),
        plain(CharacteristicUuid.HardwareRevision, text("A1.01")),
        { uuid: CharacteristicUuid.FirmwareRevision, properties: ["read"], read: () => text(options.firmware()) },
        plain(CharacteristicUuid.SoftwareRevision, text("")),
        plain(CharacteristicUuid.SystemId, new Uint8Array(8)),
        plain(CharacteristicUuid.PnpId, new Uint8Array(7)),
        plain(CharacteristicUuid.RegulatoryData, new Uint8Array()),
      ],
    });
    server.addService({
      uuid: ServiceUuid.Battery,
      characteristics: [
        { uuid: CharacteristicUuid.BatteryLevel, properties: ["read", "notify"], read: () => Uint8Array.of(options.batteryPercent()) },
      ],
    });
    server.addService({
      uuid: ServiceUuid.CurrentTime,
      characteristics: [{ uuid: CharacteristicUuid.CurrentTime, properties: ["read", "notify"], read: () => this.#currentTime() }],
    });
    const { vendorValues } = options;
    this.#cgm = new CgmServer({ server, served, sensor, calibrations: options.calibrations, vendorValues });
    if (vendorValues)
      server.addService({
        uuid: ServiceUuid.NetworkOperationalState,
        characteristics: [
          {
            uuid: CharacteristicUuid.NetworkOperationalState,
            properties: ["read", "write", "notify"],
            value: new Uint8Array(9), // active mode
            write: () => served.forbid(),
          },
        ],
      });
    if (delivery)
      this.#idd = new IddServer({
        server,
        clock,
        served,
        source: delivery,
        e2e,
        transmitterBatteryPercent: () => {
          if (!sensor()) throw new AttError(AttErrorCode.ReadNotPermitted);
          return options.transmitterBatteryPercent();
        },
      });
  }

  /** Puts the CGM service elsewhere, as another version of the pump's software may: a pump has no Service Changed to tell of it. */
  moveGlucose(handle: number): void {
    this.#cgm.move(handle);
  }

  /** Puts both vendors' services elsewhere. */
  moveAll(handle: number): void {
    this.#cgm.move(handle);
    this.#idd?.move(handle + 0x80);
  }

  /** A new connection: whatever was being answered on the last one is over. */
  reset(): void {
    this.#options.served.outbox.reset();
    this.#cgm.reset();
    this.#idd?.reset();
  }

  #currentTime(): Uint8Array {
    return encodeCurrentTime({ local: this.#options.now(), dayOfWeek: 0, fractions256: 0, adjustReason: 0 });
  }
}
