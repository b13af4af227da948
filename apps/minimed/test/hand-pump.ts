import type { Address } from "jelling/core";
import type { Connection, Device } from "jelling/device";
import { HciErrorCode } from "jelling/hci";
import { IoCapability, KeyDistribution } from "jelling/smp";
import { SakeLink } from "../src/simulator/sake-link.ts";
import type { Scenario } from "./scenario.ts";

const SAKE_SERVICE = 0xfe82;
const SAKE_PORT = "0000fe82-0000-1000-0000-009132591325";
const ALL_KEYS = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey;

/** A pump of which each step is taken by the test, or somebody who behaves like one. It keeps its side of a bond, whatever happens. */
export class HandPump {
  readonly device: Device;
  readonly #scenario: Scenario;

  private constructor(device: Device, scenario: Scenario) {
    this.device = device;
    this.#scenario = scenario;
  }

  static async open(scenario: Scenario, name: string, address: Address): Promise<HandPump> {
    return new HandPump(await scenario.air.device({ name, controller: { address }, gattServer: "empty", address: "public" }), scenario);
  }

  /** Finds the phone as one that may be paired, and pairs. */
  async pair(): Promise<Connection> {
    // It begins afresh, whatever it had.
    for await (const bond of this.device.bonds.all()) await this.device.bonds.delete(bond.identity);
    const connection = await this.#connect(0xfe82);
    await connection.pair({
      policy: {
        ioCapability: IoCapability.NoInputNoOutput,
        secureConnections: false,
        localKeys: ALL_KEYS,
        peerKeys: ALL_KEYS,
      },
    });
    return connection;
  }

  /** Finds the phone as one that waits for its pump, and encrypts the link with the bond. @throws {BondLostError} the phone has another key */
  comeBack(): Promise<Connection> {
    return this.#connect(0xfe81);
  }

  /** Runs the SAKE handshake with the keys of a pump. */
  async authenticate(connection: Connection): Promise<void> {
    const { clock, keys, air } = this.#scenario;
    const port = await connection.gatt.characteristic(SAKE_SERVICE, SAKE_PORT);
    const handles = { sakeValue: port.valueHandle, sakeCccd: port.valueHandle + 1 };
    using sake = new SakeLink({ att: connection.att, handles, clock, random: air.random("hand pump"), keyDatabase: keys.pump });
    using _ = connection.gatt.onValue(({ handle, value }) => sake.onNotification(handle, value.slice()));
    await sake.authenticate({ writesSubscription: true });
  }

  /** Begins the SAKE handshake, and goes on with what is none: the phone hangs up. */
  async failSake(connection: Connection): Promise<void> {
    const port = await connection.gatt.characteristic(SAKE_SERVICE, SAKE_PORT);
    await port.subscribe(() => {});
    await port.write(new Uint8Array(20)).catch(() => undefined);
    await port.write(new Uint8Array(20).fill(7)).catch(() => undefined);
    await connection.closed;
  }

  /** The link ends without a word. */
  async lose(connection: Connection): Promise<void> {
    await connection.disconnect(HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff);
    await this.#scenario.air.advance(100); // the phone hears of it
  }

  async #connect(uuid: number): Promise<Connection> {
    for await (const found of this.device.scan({ services: [uuid], intervalMs: 60, windowMs: 60 }))
      return await this.device.connect(found.address, { intervalMs: 30 });
    throw new Error("not found");
  }
}
