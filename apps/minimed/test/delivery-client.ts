import { toHex } from "jelling/bytes";
import type { Connection } from "jelling/device";
import type { SakeSession } from "../src/sake/session.ts";
import { CharacteristicUuid, ServiceUuid } from "../src/uuids.ts";
import { authenticatedPhone } from "./raw-phone.ts";
import type { Scenario } from "./scenario.ts";

/** What came, by the name of its characteristic. */
export interface Heard {
  readonly from: "statusChanged" | "statusReader" | "command" | "commandData" | "recordAccess" | "historyData";
  readonly bytes: Uint8Array;
  readonly hex: string;
}

const UUIDS = {
  statusChanged: CharacteristicUuid.IddStatusChanged,
  statusReader: CharacteristicUuid.IddStatusReaderControlPoint,
  command: CharacteristicUuid.IddCommandControlPoint,
  commandData: CharacteristicUuid.IddCommandData,
  recordAccess: CharacteristicUuid.RecordAccessControlPoint,
  historyData: CharacteristicUuid.IddHistoryData,
} as const;
export type DeliveryName = keyof typeof UUIDS;

/** A client of a pump's insulin delivery service made by hand, which may do what the connector never does. */
export class DeliveryClient implements AsyncDisposable {
  readonly connection: Connection;
  readonly sake: SakeSession;
  /** In the order of arrival. */
  readonly heard: Heard[] = [];
  readonly handles: Readonly<Record<DeliveryName, number>>;
  readonly #scenario: Scenario;
  readonly #phone: AsyncDisposable;
  readonly #listener: Disposable;

  private constructor(scenario: Scenario, phone: Awaited<ReturnType<typeof authenticatedPhone>>) {
    this.#scenario = scenario;
    this.#phone = phone;
    this.connection = phone.connection;
    this.sake = phone.sake;
    const service = scenario.pump.device.gattServer.service(ServiceUuid.InsulinDelivery)!;
    const handleOf = (name: DeliveryName): number => service.characteristic(UUIDS[name])!.valueHandle;
    const names = Object.keys(UUIDS) as DeliveryName[];
    this.handles = Object.fromEntries(names.map((name) => [name, handleOf(name)])) as Record<DeliveryName, number>;
    this.#listener = this.connection.gatt.onValue(({ handle, value }) => {
      const from = names.find((name) => this.handles[name] === handle);
      if (!from) return;
      const bytes = from === "recordAccess" ? value.slice() : this.sake.decrypt(value.slice());
      this.heard.push({ from, bytes, hex: toHex(bytes) });
    });
  }

  static async open(
    scenario: Scenario,
    subscriptions: readonly DeliveryName[] = ["statusReader", "command", "commandData", "recordAccess", "historyData"],
  ): Promise<DeliveryClient> {
    const client = new DeliveryClient(scenario, await authenticatedPhone(scenario));
    for (const name of subscriptions) await client.subscribe(name);
    return client;
  }

  async subscribe(name: DeliveryName, on = true): Promise<void> {
    const bits = name === "commandData" || name === "historyData" ? 1 : 2;
    await this.connection.gatt.write(this.handles[name] + 1, Uint8Array.of(on ? bits : 0, 0));
  }

  /** An encrypted value that is read. */
  async read(uuid: (typeof CharacteristicUuid)[keyof typeof CharacteristicUuid]): Promise<Uint8Array> {
    const { valueHandle } = this.#scenario.pump.device.gattServer.characteristic(ServiceUuid.InsulinDelivery, uuid)!;
    return this.sake.decrypt(await this.connection.gatt.read(valueHandle));
  }

  /** Writes a request and waits a while: what has come meanwhile, as hexadecimal text with its place. @throws {AttError} */
  async ask(name: DeliveryName, hex: string, waitMs = 2000): Promise<string[]> {
    const before = this.heard.length;
    const bytes = Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
    await this.connection.gatt.write(this.handles[name], name === "recordAccess" ? bytes : this.sake.encrypt(bytes));
    await this.#scenario.air.advance(waitMs);
    return this.heard.slice(before).map(({ from, hex: text }) => `${from} ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener[Symbol.dispose]();
    await this.#phone[Symbol.asyncDispose]();
  }
}
