import type { Controller } from "../controller/index.ts";
import type { Connection, Device } from "../device/index.ts";
import type { GattClient, GattServer } from "../gatt/index.ts";

/** One end of a connected pair: the device, its connection to the other end, and what is used most. */
export class PairEnd {
  readonly device: Device;
  readonly connection: Connection;
  readonly controller: Controller;

  constructor(device: Device, connection: Connection, controller: Controller) {
    this.device = device;
    this.connection = connection;
    this.controller = controller;
  }

  /** The other end's attributes. */
  get gatt(): GattClient {
    return this.connection.gatt;
  }
  /** The own attributes. */
  get gattServer(): GattServer {
    return this.device.gattServer;
  }
}
