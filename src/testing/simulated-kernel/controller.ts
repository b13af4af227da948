import type { Clock } from "../../async/index.ts";
import { Address, type RandomSource, randomBytes, type Uuid } from "../../core/index.ts";
import { AddressType, bitsOf, ConfigurationOptions, hasBit, Phys, Settings } from "../../mgmt-protocol/index.ts";
import type { KernelControllerOptions, SettingName } from "./options.ts";

/** "00:00:00:00:00:00": all of a list, or none. */
export const ANY_ADDRESS = "00:00:00:00:00:00";
/** A controller that is not powered stays open so long after it came, or was let go. */
const GRACE_MS = 2000;

const USUALLY_SUPPORTED = 0x000d_beff;
const USUAL_SETTINGS = 0x000c_0080;
const ALL_PHYS = 0x7fff;
/** What a controller begins with: everything of BR/EDR, LE 1M. */
const USUAL_PHYS = 0x07ff;
/** Cannot be left out. */
export const ALWAYS_SELECTED_PHYS = bitsOf(Phys, ["BR1M1Slot", "LE1MTx", "LE1MRx"]);
const CONFIGURABLE_PHYS = ALL_PHYS & ~ALWAYS_SELECTED_PHYS;

/** A command that is not answered yet. */
export interface PendingCall {
  readonly opcode: number;
  /** Ends it with that status, because the controller is gone or off. */
  abandon(status: "InvalidIndex" | "NotPowered"): void;
}

/** Pair Device, while it waits for the device, and then for the pairing. */
export interface PairDevicePending {
  readonly address: string;
  readonly addressType: number;
  stop(status: "Disconnected" | "Cancelled" | "InvalidIndex"): void;
}

export interface Instance {
  readonly instance: number;
  flags: number;
  duration: number;
  timeout: number;
  advData: Uint8Array;
  scanRsp: Uint8Array;
  txPower: number;
  /** Whether its data have come: the first of two steps leaves it waiting. */
  isComplete: boolean;
  timer: Disposable | undefined;
}

export interface ListedDevice {
  readonly address: string;
  readonly addressType: number;
  action: number;
  flags: number;
}

export interface RunningDiscovery {
  readonly addressTypes: number;
  readonly limited: boolean;
  /** Only devices with one of these and at least so strong; undefined where nothing is filtered. */
  readonly filter: { readonly uuids: readonly Uuid[]; readonly rssi: number } | undefined;
  /** Timers of the phases and of what is found. */
  readonly timers: Set<Disposable>;
  /** BR/EDR devices whose name somebody asked for. */
  readonly names: Set<string>;
  /** BR/EDR devices that wait for Confirm Name. */
  readonly unconfirmed: Set<string>;
  /** Whether its LE part is under way: all of it, or the first half. */
  isScanning: boolean;
  isOver: boolean;
}

export interface MeshState {
  receiver: { readonly adTypes: readonly number[] } | undefined;
  nextHandle: number;
  /** Handle to the socket that sends it. */
  readonly packets: Map<number, { readonly owner: object; readonly timer: Disposable }>;
}

export function deviceKey(address: string, addressType: number): string {
  return `${address} ${addressType}`;
}

/** An address that says who a device is: public, or static random. */
export function isIdentity(address: string, addressType: number): boolean {
  return addressType === AddressType.LEPublic || (addressType === AddressType.LERandom && Address.from(address, "random").isStaticRandom);
}

/** Everything the kernel keeps of one controller. */
export class Controller {
  readonly index: number;
  readonly address: string;
  readonly manufacturer: number;
  readonly bluetoothVersion: number;
  readonly bus: number;
  readonly supported: number;
  readonly supportedOptions: number;
  readonly maxInstances: number;
  readonly maxAdvertisingOctets: number;
  readonly #clock: Clock;
  #settings: number;
  #openUntilMs: number;

  publicAddress: string;
  staticAddress = ANY_ADDRESS;
  /** What it uses on LE while privacy is on. */
  readonly privateAddress: string;
  missingOptions: number;
  name: string;
  shortName: string;
  appearance: number;
  /** What was set, minor in the low octet. */
  wantedClass: number;
  /** What is in force: nothing while powered off. */
  classOfDevice = 0;
  readonly uuids: { readonly uuid: Uuid; readonly serviceHint: number }[] = [];
  ioCapability = 1;
  discoverableTimer: Disposable | undefined;
  isRadioBlocked: boolean;
  isTaken = false;
  isSuspended = false;
  /** Whether it takes part in the exchange of identity keys. */
  exchangesIdentity = false;
  discovery: RunningDiscovery | undefined;
  /** A limited discovery's filter outlives it. */
  limitedFilter = false;
  /** The Pair Device under way. */
  pairing: PairDevicePending | undefined;
  readonly pending = new Set<PendingCall>();
  readonly instances = new Map<number, Instance>();
  readonly monitors = new Map<number, readonly unknown[]>();
  nextMonitor = 1;
  readonly listed = new Map<string, ListedDevice>();
  readonly blocked = new Set<string>();
  readonly blockedKeys = new Set<string>();
  /** Devices with keys. */
  readonly keyed = new Set<string>();
  readonly outOfBand = new Set<string>();
  readonly systemConfiguration = new Map<number, Uint8Array>();
  readonly features = new Set<string>();
  readonly mesh: MeshState = { receiver: undefined, nextHandle: 1, packets: new Map() };
  selectedPhys = USUAL_PHYS;
  readonly supportedPhys = ALL_PHYS;
  readonly configurablePhys = CONFIGURABLE_PHYS;

  constructor(index: number, { clock, random }: { clock: Clock; random: RandomSource }, options: KernelControllerOptions) {
    const number = index.toString(16).padStart(2, "0");
    this.index = index;
    this.#clock = clock;
    this.address = Address.from(options.address ?? `00:AA:01:${number}:00:${number}`).toHex();
    this.publicAddress = this.address;
    this.privateAddress = options.privateAddress ?? resolvableAddress(random);
    this.manufacturer = options.manufacturer ?? 1521;
    this.bluetoothVersion = options.bluetoothVersion ?? 9;
    this.bus = options.bus ?? 0;
    this.supported = options.supportedSettings ? bitsOf(Settings, options.supportedSettings) : USUALLY_SUPPORTED;
    this.#settings = options.settings ? bitsOf(Settings, options.settings) : USUAL_SETTINGS & this.supported;
    this.missingOptions = bitsOf(ConfigurationOptions, options.missing ?? []);
    this.supportedOptions = this.missingOptions;
    this.maxInstances = options.advertisingInstances ?? 3;
    this.maxAdvertisingOctets = (options.extendedAdvertising ?? true) ? 251 : 31;
    this.name = options.name ?? "";
    this.shortName = options.shortName ?? "";
    this.appearance = options.appearance ?? 0;
    this.wantedClass = options.classOfDevice ?? 0;
    this.isRadioBlocked = options.isRadioBlocked ?? false;
    this.#openUntilMs = clock.now() + GRACE_MS;
    if (this.has("Powered")) this.classOfDevice = this.effectiveClass;
  }

  get settings(): number {
    let settings = this.#settings;
    const isStatic = this.staticAddress !== ANY_ADDRESS && (!this.has("BREDR") || this.publicAddress === ANY_ADDRESS);
    if (isStatic) settings |= 1 << Settings.StaticAddress;
    return settings >>> 0;
  }

  has(name: SettingName): boolean {
    return hasBit(Settings, this.#settings, name);
  }

  /** Changes settings that are not derived from anything. @returns whether anything changed */
  put(changes: Partial<Record<SettingName, boolean>>): boolean {
    const before = this.settings;
    for (const [name, on] of Object.entries(changes) as [SettingName, boolean][]) {
      const mask = 1 << Settings[name];
      this.#settings = on ? this.#settings | mask : this.#settings & ~mask;
    }
    return this.settings !== before;
  }

  supports(name: SettingName): boolean {
    return hasBit(Settings, this.supported, name);
  }

  get isPowered(): boolean {
    return this.has("Powered");
  }

  get isConfigured(): boolean {
    return this.missingOptions === 0;
  }

  /** Whether programs see it: not while another one has it to itself. */
  get isListed(): boolean {
    return !this.isTaken;
  }

  /** Powered off, and the time is over in which it still runs. */
  get isClosed(): boolean {
    return !this.isPowered && this.#clock.now() >= this.#openUntilMs;
  }

  /** It stays open a little longer. */
  letGo(): void {
    this.#openUntilMs = this.#clock.now() + GRACE_MS;
  }

  /** Class of device with the service bits of the UUIDs' hints. */
  get effectiveClass(): number {
    let services = 0;
    for (const { serviceHint } of this.uuids) services |= serviceHint;
    return (this.wantedClass | (services << 16)) >>> 0;
  }

  /** The address it uses on LE. */
  get leIdentity(): { address: string; addressType: number } {
    return hasBit(Settings, this.settings, "StaticAddress")
      ? { address: this.staticAddress, addressType: AddressType.LERandom }
      : { address: this.publicAddress, addressType: AddressType.LEPublic };
  }

  isPending(...opcodes: number[]): boolean {
    for (const { opcode } of this.pending) if (opcodes.includes(opcode)) return true;
    return false;
  }
}

/** Six random octets of which the first two bits say that the address is a resolvable private one. */
function resolvableAddress(random: RandomSource): string {
  const octets = randomBytes(random, 6);
  octets[5] = (octets[5]! & 0x3f) | 0x40;
  return new Address(octets, 1).toHex();
}
