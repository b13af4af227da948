import { Broadcast } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { checkChoice, checkFunction, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { systemRandom } from "../core/random.ts";
import { aesCmac } from "../crypto/index.ts";
import { Device, type DeviceConnectOptions } from "../device/index.ts";
import type { Advertisement } from "../gap/index.ts";
import { AdvertisementFeed } from "./advertisement-feed.ts";
import { advertisedBy } from "./advertising-event.ts";
import { Blocked, type Blocklist, checkBlocklist, REGISTRY_BLOCKLIST } from "./blocklist.ts";
import { WebDevice } from "./bluetooth-device.ts";
import type { DeviceCandidate, DeviceChooser } from "./chooser.ts";
import { domError } from "./dom-error.ts";
import { RootTarget } from "./event-tree.ts";
import { canonicalFilter, dictionary, type Filter, matchesFilter, sequence } from "./filters.ts";
import { WebScan } from "./le-scan.ts";
import { promised } from "./session.ts";
import type { Bluetooth, BluetoothDevice, BluetoothLEScan, BluetoothLEScanOptions, RequestDeviceOptions } from "./types.ts";
import { BluetoothUUID } from "./uuid.ts";
import { NULL } from "./value.ts";

export interface BluetoothOptions {
  /** Stands for the browser's dialog: which of the devices that match is given to the program. `chooseStrongest()` is one. */
  readonly choose: DeviceChooser;
  /**
   * Of what `id` is made, beside the device: the same salt gives the same ids again, another one says nothing of them. A secret of the program,
   * one for each origin where it serves several; made up by default.
   */
  readonly idSalt?: string | Uint8Array | undefined;
  /** What the program may not touch; `REGISTRY_BLOCKLIST` by default, as in browsers. `NO_BLOCKLIST` keeps nothing from it. */
  readonly blocklist?: Blocklist | undefined;
  /** How links are made: parameters, policy, time limit. */
  readonly connect?: Omit<DeviceConnectOptions, "signal"> | undefined;
  /**
   * What becomes of a read, a write or a subscription while another one is under way: "wait" (default) lets it wait its turn, "refuse" rejects it
   * with a NetworkError, as browsers may, to test that a page does one after the other.
   */
  readonly whenBusy?: "wait" | "refuse" | undefined;
  /** Whether `requestLEScan` is allowed; a program that says no gets a NotAllowedError. True by default. */
  readonly allowScan?: ((options: BluetoothLEScanOptions) => boolean | Promise<boolean>) | undefined;
}

const OPTIONS = optionNames<BluetoothOptions>({
  choose: true,
  idSalt: true,
  blocklist: true,
  connect: true,
  whenBusy: true,
  allowScan: true,
});
/** Devices that were heard by a scan and not chosen; of more the oldest gets another object when it is heard again. */
const HEARD_CAPACITY = 1024;
const CANDIDATES = 256;

/**
 * What a page has as `navigator.bluetooth`, on an own host: the same methods, the same objects and events, and the same errors, by the Web
 * Bluetooth specification. There is no click to wait for, and no dialog: `choose` decides.
 *
 * @throws {ArgumentError} no device, no `choose`, unknown options
 */
export function createBluetooth(device: Device, options: BluetoothOptions): Bluetooth {
  if (!(device instanceof Device)) throw new ArgumentError(`createBluetooth: expected a Device, got ${kindOf(device)}`);
  if (typeof options !== "object" || options === null)
    throw new ArgumentError(`createBluetooth: expected options with "choose", got ${kindOf(options)}`);
  checkOptions("createBluetooth", options, OPTIONS);
  checkFunction("createBluetooth: choose", options.choose ?? null);
  checkFunction("createBluetooth: allowScan", options.allowScan);
  if (options.whenBusy !== undefined) checkChoice("createBluetooth: whenBusy", options.whenBusy, ["wait", "refuse"]);
  if (options.blocklist !== undefined) checkBlocklist(options.blocklist);
  const { idSalt } = options;
  if (idSalt !== undefined && typeof idSalt !== "string" && !(idSalt instanceof Uint8Array))
    throw new ArgumentError(`createBluetooth: idSalt: expected text or a Uint8Array, got ${kindOf(idSalt)}`);
  return new WebBluetooth(device, options);
}

class WebBluetooth extends RootTarget implements Bluetooth {
  readonly referringDevice: BluetoothDevice | undefined = NULL;
  readonly #host: Device;
  readonly #options: BluetoothOptions;
  readonly #blocked: Blocked;
  readonly #idKey: Uint8Array;
  /** By their first address. */
  readonly #granted = new Map<string, WebDevice>();
  readonly #heard = new Map<string, WebDevice>();
  readonly #scans = new Set<WebScan>();
  readonly #feed: AdvertisementFeed;

  constructor(host: Device, options: BluetoothOptions) {
    super();
    this.#host = host;
    this.#options = options;
    this.#blocked = new Blocked(options.blocklist ?? REGISTRY_BLOCKLIST);
    this.#idKey = idKeyOf(options.idSalt);
    this.#feed = new AdvertisementFeed(
      host,
      () => this.#scans.size > 0 || this.#watched().length > 0,
      (advertisement) => this.#onAdvertisement(advertisement),
      () => this.#onScanLost(),
    );
    host.on("closed", () => {
      this.#onScanLost();
      const event = new Event("availabilitychanged");
      Object.defineProperty(event, "value", { value: false, enumerable: true });
      this.dispatchEvent(event);
    });
  }

  #watched(): WebDevice[] {
    return [...this.#granted.values(), ...this.#heard.values()].filter((device) => device.isWatching);
  }

  getAvailability(): Promise<boolean> {
    return Promise.resolve(this.#host.ended === undefined);
  }

  getDevices(): Promise<BluetoothDevice[]> {
    return Promise.resolve([...this.#granted.values()]);
  }

  // --- requestDevice --------------------------------------------------------------------------------------------------------------

  requestDevice(options?: RequestDeviceOptions): Promise<BluetoothDevice> {
    return promised(async () => {
      const given = dictionary<RequestDeviceOptions>("requestDevice", options);
      const { acceptAllDevices = false } = given;
      if (given.exclusionFilters !== undefined && given.filters === undefined)
        throw new TypeError("requestDevice: exclusionFilters: expected filters beside them");
      if ((given.filters !== undefined) === Boolean(acceptAllDevices))
        throw new TypeError("requestDevice: expected either filters or acceptAllDevices");
      const filters = this.#filters("requestDevice: filters", given.filters);
      const excluded = this.#filters("requestDevice: exclusionFilters", given.exclusionFilters) ?? [];
      const optional = sequence<string | number>("requestDevice: optionalServices", given.optionalServices ?? []).map(
        BluetoothUUID.getService,
      );
      const companies = sequence<number>("requestDevice: optionalManufacturerData", given.optionalManufacturerData ?? []);
      const isMatch = (advertisement: Advertisement): boolean => {
        const advertised = advertisedBy(advertisement);
        const matches = (filter: Filter): boolean => matchesFilter(advertised, filter);
        return (filters?.some(matches) ?? true) && !excluded.some(matches);
      };
      const chosen = await this.#choose(given, isMatch);
      const device = this.#deviceOf(chosen.address);
      const required = filters?.flatMap(({ services }) => services) ?? [];
      device.grant(
        [...required, ...optional].filter((service) => !this.#blocked.all(service)),
        companies.map((company) => Number(company) & 0xffff),
      );
      device.heard(chosen.advertisement);
      const key = chosen.address.toString();
      this.#heard.delete(key);
      this.#granted.set(key, device);
      return device;
    });
  }

  /** @throws {TypeError} {DOMException} */
  #filters(what: string, filters: unknown): Filter[] | undefined {
    if (filters === undefined) return undefined;
    const list = sequence<unknown>(what, filters);
    if (list.length === 0) throw new TypeError(`${what}: expected at least one`);
    return list.map((filter, i) => canonicalFilter(`${what}[${i}]`, filter, this.#blocked));
  }

  async #choose(options: RequestDeviceOptions, isMatch: (advertisement: Advertisement) => boolean): Promise<DeviceCandidate> {
    const host = this.#host;
    if (host.ended) throw domError("NotFoundError", "there is no Bluetooth adapter: the device is closed", host.ended);
    const leave = new AbortController();
    const closing = host.on("closed", (reason) => leave.abort(reason));
    const candidates = new Broadcast<DeviceCandidate>();
    const flow = candidates.subscribe({ capacity: CANDIDATES });
    const offered = new WeakSet<DeviceCandidate>();
    const offer = (advertisement: Advertisement, address: Address, isConnected: boolean): void => {
      const rssiDbm = isConnected ? undefined : advertisement.rssiDbm;
      const candidate = Object.freeze({ name: advertisement.name, address, rssiDbm, advertisement: advertisement.keep(), isConnected });
      offered.add(candidate);
      candidates.publish(candidate);
    };
    try {
      // A device that is connected does not advertise.
      for (const { address, advertisement } of this.#granted.values())
        if (advertisement && host.linkTo(address) && isMatch(advertisement)) offer(advertisement, address, true);
      const scan = await host.startScan({ merge: true, filter: isMatch, signal: leave.signal }, (advertisement) =>
        offer(advertisement, advertisement.identity ?? advertisement.address, false),
      );
      void scan.closed.then(() => candidates.close());
      const chosen = await this.#options.choose({ candidates: flow, options, clock: host.clock, signal: leave.signal });
      if (chosen && !offered.has(chosen)) throw new ArgumentError("choose: expected one of the candidates, or nothing");
      if (chosen) return chosen;
    } catch (cause) {
      if (cause instanceof ArgumentError) throw cause;
      throw domError("NotFoundError", `no device was chosen: ${String(cause)}`, cause);
    } finally {
      closing[Symbol.dispose]();
      candidates.close();
      leave.abort();
    }
    throw domError("NotFoundError", "no device was chosen");
  }

  #deviceOf(address: Address): WebDevice {
    const key = address.toString();
    const known = this.#granted.get(key) ?? this.#heard.get(key);
    if (known) return known;
    // One that showed its identity when a link was made.
    for (const device of this.#granted.values()) if (device.address.equals(address)) return device;
    return new WebDevice({
      host: this.#host,
      root: this,
      blocked: this.#blocked,
      isExclusive: this.#options.whenBusy === "refuse",
      connect: this.#options.connect ?? {},
      id: this.#idOf(address),
      address,
      listen: () => this.#feed.start(),
      unlisten: () => this.#feed.refresh(),
      onForgotten: () => this.#granted.delete(key),
    });
  }

  #idOf({ bytes, type }: Address): string {
    return btoa(String.fromCharCode(...aesCmac(this.#idKey, Uint8Array.of(type, ...bytes))));
  }

  // --- scanning -------------------------------------------------------------------------------------------------------------------

  requestLEScan(options?: BluetoothLEScanOptions): Promise<BluetoothLEScan> {
    return promised(async () => {
      const given = dictionary<BluetoothLEScanOptions>("requestLEScan", options);
      const acceptAllAdvertisements = Boolean(given.acceptAllAdvertisements);
      if (acceptAllAdvertisements === (given.filters !== undefined))
        throw new TypeError("requestLEScan: expected either filters or acceptAllAdvertisements");
      const filters = this.#filters("requestLEScan: filters", given.filters) ?? [];
      if (!((await this.#options.allowScan?.(given)) ?? true)) throw domError("NotAllowedError", "scanning is not allowed");
      const scan = new WebScan(filters, { keepRepeatedDevices: Boolean(given.keepRepeatedDevices), acceptAllAdvertisements }, (stopped) => {
        this.#scans.delete(stopped);
        this.#feed.refresh();
      });
      this.#scans.add(scan);
      try {
        await this.#feed.start();
      } catch (error) {
        scan.stop();
        throw error;
      }
      return scan;
    });
  }

  #onAdvertisement(advertisement: Advertisement): void {
    const address = advertisement.identity ?? advertisement.address;
    const key = address.toString();
    const advertised = this.#scans.size > 0 ? advertisedBy(advertisement) : undefined;
    let isScanned = false;
    for (const scan of this.#scans) if (scan.takes(key, advertisement, advertised!)) isScanned = true;
    const known = this.#granted.get(key) ?? this.#heard.get(key) ?? [...this.#granted.values()].find((one) => one.address.equals(address));
    if (!isScanned && !known?.isWatching) return;
    const device = known ?? this.#deviceOf(address);
    if (!known) this.#remember(key, device);
    device.heard(advertisement);
    device.tell(advertisement, isScanned);
  }

  #remember(key: string, device: WebDevice): void {
    if (this.#heard.size >= HEARD_CAPACITY) {
      // Not one that somebody listens to.
      const idle = [...this.#heard].find(([, one]) => !one.isHeard && !one.isWatching) ?? [...this.#heard][0]!;
      this.#heard.delete(idle[0]);
    }
    this.#heard.set(key, device);
  }

  /** The own host scans no more: nothing is watched. */
  #onScanLost(): void {
    for (const scan of [...this.#scans]) scan.stop();
    for (const device of this.#watched()) device.stopWatching();
  }

  get [Symbol.toStringTag](): string {
    return "Bluetooth";
  }
}

/** A key of 16 octets, for a salt of any length. */
function idKeyOf(salt: string | Uint8Array | undefined): Uint8Array {
  if (salt === undefined) {
    const key = new Uint8Array(16);
    systemRandom.fill(key);
    return key;
  }
  return aesCmac(new Uint8Array(16), typeof salt === "string" ? new TextEncoder().encode(salt) : salt);
}
