import { hasBluetoothInterface } from "../usb/find-interface.ts";
import { idOf, type WebUsb, type WebUsbDevice } from "../usb/web-usb.ts";
import type { FoundAdapter, TransportSource } from "./found.ts";

type WatchedUsb = Pick<WebUsb, "addEventListener" | "removeEventListener">;

/** Adapters on USB, by WebUSB. */
export class UsbSource<D extends WebUsbDevice> implements TransportSource {
  readonly #usb: WatchedUsb;
  readonly #list: () => Promise<readonly D[]>;
  readonly #portOf: (device: D) => string | undefined;
  readonly #keyOf: (device: D) => string;
  /** A page has the same object for a device for as long as it is plugged in; one that comes back may have it again. */
  readonly #numbers = new WeakMap<WebUsbDevice, number>();
  #number = 0;

  /**
   * @param portOf what opens the device behind "usb:", by the place where it is; by vendor, product and serial number where nobody tells, or by
   *   its number among the adapters where several have the same ones
   * @param keyOf tells one plugging in from the next; by the object of the device by default
   */
  constructor(
    usb: WatchedUsb,
    list: () => Promise<readonly D[]>,
    portOf: (device: D) => string | undefined = () => undefined,
    keyOf?: (device: D) => string,
  ) {
    this.#usb = usb;
    this.#list = list;
    this.#portOf = portOf;
    this.#keyOf = keyOf ?? ((device) => this.#numberOf(device));
  }

  async list(): Promise<FoundAdapter[]> {
    const adapters = (await this.#list()).filter(hasBluetoothInterface).map((device) => {
      const usbId = idOf(device);
      const serialNumber = textOf(() => device.serialNumber);
      const place = this.#portOf(device) ?? (serialNumber === undefined ? usbId : `${usbId}#${serialNumber}`);
      return { device, place, usbId, serialNumber, name: textOf(() => device.productName) };
    });
    return adapters.map(({ device, place, usbId, serialNumber, name }, number) => {
      // Of several that tell the same of themselves each would open the first: those have their numbers.
      const isOne = adapters.every((other) => other.place !== place || other.device === device);
      const spec = `usb:${isOne ? place : number}`;
      return {
        key: `${spec} ${this.#keyOf(device)}`,
        found: { spec, kind: "usb", name, usbId, serialNumber },
      };
    });
  }

  #numberOf(device: WebUsbDevice): string {
    const number = this.#numbers.get(device) ?? ++this.#number;
    this.#numbers.set(device, number);
    return `${number}`;
  }

  watch(changed: () => void): Disposable {
    const { addEventListener, removeEventListener } = this.#usb;
    const connected = (): void => changed();
    const disconnected = ({ device }: { readonly device: WebUsbDevice }): void => {
      this.#numbers.delete(device);
      changed();
    };
    addEventListener.call(this.#usb, "connect", connected);
    addEventListener.call(this.#usb, "disconnect", disconnected);
    return {
      [Symbol.dispose]: () => {
        removeEventListener.call(this.#usb, "connect", connected);
        removeEventListener.call(this.#usb, "disconnect", disconnected);
      },
    };
  }
}

/** A string of the device, which may have to be opened to tell it. */
function textOf(read: () => string | null | undefined): string | undefined {
  try {
    return read() || undefined;
  } catch {
    return undefined;
  }
}
