import type { Device } from "../../src/device/index.ts";
import {
  type Bluetooth,
  type BluetoothDevice,
  chooseStrongest,
  createBluetooth,
  type RequestDeviceOptions,
} from "../../src/webbluetooth/index.ts";

/** A browser's Bluetooth on our own host, as strict as the strictest: it does one thing at a time. */
export class BrowserBluetooth {
  readonly #bluetooth: Bluetooth;
  /** How often the user was asked. */
  asked = 0;
  /** The user says no. */
  refuses = false;

  constructor(device: Device) {
    const strongest = chooseStrongest({ withinMs: 500 });
    this.#bluetooth = createBluetooth(device, {
      whenBusy: "refuse",
      choose: (choice) => {
        this.asked++;
        return this.refuses ? undefined : strongest(choice);
      },
    });
  }

  requestDevice(options: RequestDeviceOptions): Promise<BluetoothDevice> {
    return this.#bluetooth.requestDevice(options);
  }
}
