import type { LocalDateTime } from "../../data/date-time.ts";
import {
  decodeAppearance,
  decodeBatteryLevel,
  decodeCurrentTime,
  decodeInformationString,
  decodePnpId,
  type PnpId,
} from "../../data/standard.ts";
import type { PumpChannel } from "../pump-channel.ts";
import type { PumpValueName } from "../pump-handles.ts";

/** Texts of the pump's device information; absent ones are undefined. `serial` names a person's device: redact it in logs. */
export interface PumpInformation {
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  readonly hardware: string | undefined;
  readonly firmware: string | undefined;
  readonly software: string | undefined;
}

/** What else a pump says of itself; absent ones are undefined. `deviceName` names a person's device: redact it in logs. */
export interface PumpDetails {
  readonly deviceName: string | undefined;
  /** As of the assigned numbers. */
  readonly appearance: number | undefined;
  /** As it came: eight octets, by its specification. */
  readonly systemId: Uint8Array | undefined;
  /** IEEE 11073-20601 list; empty with all that were seen. */
  readonly regulatoryData: Uint8Array | undefined;
}

/** What the pump's clock showed, and when on the program's clock that was. */
export interface PumpClock {
  readonly local: LocalDateTime;
  readonly atMs: number;
}

/** Reads what the pump is, its battery and its clock. What it has not, or does not give at present, is undefined. Within an operation of the channel. */
export class DeviceReader {
  readonly #channel: PumpChannel;
  #clock: PumpClock | undefined;

  constructor(channel: PumpChannel) {
    this.#channel = channel;
  }

  /** As it was read last; undefined before. */
  get lastClock(): PumpClock | undefined {
    return this.#clock;
  }

  async information(): Promise<PumpInformation> {
    const text = async (name: PumpValueName): Promise<string | undefined> => {
      const value = await this.#channel.optional(name, () => this.#channel.readPlain(name));
      return value && decodeInformationString(value);
    };
    return {
      manufacturer: await text("manufacturer"),
      model: await text("model"),
      serial: await text("serial"),
      hardware: await text("hardware"),
      firmware: await text("firmware"),
      software: await text("software"),
    };
  }

  pnpId(): Promise<PnpId | undefined> {
    return this.#channel.optional("pnpId", async () => decodePnpId(await this.#channel.readPlain("pnpId")));
  }

  async details(): Promise<PumpDetails> {
    const octets = (name: PumpValueName): Promise<Uint8Array | undefined> =>
      this.#channel.optional(name, () => this.#channel.readPlain(name));
    const deviceName = await octets("deviceName");
    const appearance = await octets("appearance");
    return {
      deviceName: deviceName && decodeInformationString(deviceName),
      appearance: appearance && decodeAppearance(appearance),
      systemId: await octets("systemId"),
      regulatoryData: await octets("regulatoryData"),
    };
  }

  /** Percent. */
  battery(): Promise<number | undefined> {
    return this.#level("batteryLevel");
  }

  /** Percent, of the glucose sensor's transmitter. */
  transmitterBattery(): Promise<number | undefined> {
    return this.#level("transmitterBattery");
  }

  #level(name: PumpValueName): Promise<number | undefined> {
    return this.#channel.optional(name, async () => decodeBatteryLevel(await this.#channel.readPlain(name)));
  }

  /** undefined where there is no clock to read, or it is not set. What was read before stands then, as far as anybody knows. */
  async clock(): Promise<LocalDateTime | undefined> {
    const time = await this.#channel.optional("currentTime", async () => decodeCurrentTime(await this.#channel.readPlain("currentTime")));
    if (time?.local) this.#clock = { local: time.local, atMs: this.#channel.clock.now() - (time.fractions256 / 256) * 1000 };
    return time?.local;
  }
}
