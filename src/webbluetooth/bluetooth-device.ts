import { onAbort } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import type { Device, DeviceConnectOptions } from "../device/index.ts";
import type { Advertisement } from "../gap/index.ts";
import { advertisingEvent, type Visible } from "./advertising-event.ts";
import type { Blocked } from "./blocklist.ts";
import { domError } from "./dom-error.ts";
import { DeviceTarget, type TreeTarget } from "./event-tree.ts";
import { dictionary } from "./filters.ts";
import { WebServer } from "./remote-server.ts";
import type { BluetoothDevice, BluetoothRemoteGATTServer, WatchAdvertisementsOptions } from "./types.ts";
import { NULL } from "./value.ts";

/** What a device object asks of the `Bluetooth` it belongs to. */
export interface WebDeviceParts {
  readonly host: Device;
  readonly root: TreeTarget;
  readonly blocked: Blocked;
  readonly isExclusive: boolean;
  readonly connect: DeviceConnectOptions;
  readonly id: string;
  readonly address: Address;
  /** Makes sure that advertisements are heard, as long as something is watched. @throws {DOMException} */
  readonly listen: () => Promise<void>;
  /** Something is watched no more. */
  readonly unlisten: () => void;
  readonly onForgotten: () => void;
}

const EVERYTHING: Visible = { service: () => true, company: () => true };

/** `BluetoothDevice`, with what the program was allowed. */
export class WebDevice extends DeviceTarget implements BluetoothDevice {
  readonly id: string;
  readonly #parts: WebDeviceParts;
  readonly #server: WebServer;
  #name: string | undefined;
  #address: Address;
  /** Nothing: heard in a scan only, or forgotten. */
  #granted: { services: "all" | Set<string>; companies: Set<number> } | undefined;
  #watching: "not-watching" | "pending-watch" | "watching" = "not-watching";
  #leave = new AbortController();
  /** What it advertised when it was chosen or heard last, for filters while it is connected. */
  advertisement: Advertisement | undefined;

  constructor(parts: WebDeviceParts) {
    super(parts.root);
    this.#parts = parts;
    this.id = parts.id;
    this.#address = parts.address;
    const { host, blocked, isExclusive, connect } = parts;
    this.#server = new WebServer({
      host,
      device: this,
      blocked,
      isExclusive,
      connect,
      address: () => (this.#granted ? this.#address : undefined),
      mayUse: (service) => this.#granted?.services === "all" || (this.#granted?.services.has(service) ?? false),
      onConnected: ({ peerIdentity }) => {
        // Who it is may be known only now, and stays while a private address changes.
        if (peerIdentity.isIdentity) this.#address = peerIdentity;
      },
    });
  }

  get name(): string | undefined {
    return this.#name ?? NULL;
  }
  get gatt(): BluetoothRemoteGATTServer | undefined {
    return this.#granted ? this.#server : NULL;
  }
  get watchingAdvertisements(): boolean {
    return this.#watching === "watching";
  }

  /** Where it is reached. */
  get address(): Address {
    return this.#address;
  }
  get isWatching(): boolean {
    return this.#watching !== "not-watching";
  }

  /** The program may use these too. */
  grant(services: "all" | Iterable<string>, companies: Iterable<number>): void {
    const known = this.#granted ?? { services: new Set<string>(), companies: new Set<number>() };
    const all = services === "all" || known.services === "all";
    this.#granted = {
      services: all ? "all" : new Set([...(known.services as Set<string>), ...(services as Iterable<string>)]),
      companies: new Set([...known.companies, ...companies]),
    };
  }

  /** Keeps what an advertisement says of the device. */
  heard(advertisement: Advertisement): void {
    const { name } = advertisement;
    if (name !== undefined) this.#name = name;
    this.advertisement = advertisement.keep();
  }

  /** @param isScanned a scan of the program has asked for it: then it sees all of it, else what it was granted */
  tell(advertisement: Advertisement, isScanned: boolean): void {
    const granted = this.#granted;
    const visible: Visible = isScanned
      ? EVERYTHING
      : {
          service: (uuid) => granted?.services === "all" || (granted?.services.has(uuid) ?? false),
          company: (company) => granted?.companies.has(company) ?? false,
        };
    this.dispatchEvent(advertisingEvent(advertisement, this, visible, this.#parts.blocked));
  }

  forget(): Promise<void> {
    this.#server.disconnect(); // the event still finds everything as it was
    this.#granted = undefined;
    this.stopWatching();
    this.#parts.onForgotten();
    return Promise.resolve();
  }

  watchAdvertisements(options: WatchAdvertisementsOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = dictionary<WatchAdvertisementsOptions>("watchAdvertisements", options);
      const isAborted = (): boolean => signal?.aborted ?? false;
      if (isAborted()) {
        this.stopWatching();
        reject(signal!.reason);
        return;
      }
      if (this.#watching === "pending-watch") {
        reject(domError("InvalidStateError", "this device is about to be watched already"));
        return;
      }
      onAbort(signal, () => {
        this.stopWatching();
        reject(signal!.reason);
      });
      if (this.#watching === "watching") {
        resolve();
        return;
      }
      this.#watching = "pending-watch";
      const leave = new AbortController();
      this.#leave = leave;
      onAbort(leave.signal, () => reject(domError("AbortError", "watching was ended")));
      this.#parts.listen().then(
        () => {
          if (leave.signal.aborted) return;
          this.#watching = "watching";
          resolve();
        },
        (error: unknown) => {
          if (leave.signal.aborted) return;
          this.#watching = "not-watching";
          this.#parts.unlisten();
          reject(error);
        },
      );
    });
  }

  /** Ends watching, whoever asked for it. */
  stopWatching(): void {
    if (this.#watching === "not-watching") return;
    this.#watching = "not-watching";
    this.#leave.abort();
    this.#parts.unlisten();
  }

  get [Symbol.toStringTag](): string {
    return "BluetoothDevice";
  }
}
