import { Deadline, type OperationOptions, onAbort } from "../../async/index.ts";
import {
  ArgumentError,
  checkChoice,
  checkInteger,
  kindOf,
  optionNames,
  StateError,
  UnsupportedError,
  type UuidLike,
} from "../../core/index.ts";
import type { AdvertisingDataLike, ManufacturerData, ServiceData } from "../../gap/index.ts";
import { AdvertisingFlags, bitNames, bitsOf, commands, hasBit, Settings } from "../../mgmt-protocol/index.ts";
import type { Mgmt, MgmtClient } from "../client.ts";
import { MgmtError } from "../error.ts";
import { layOut } from "./advertising-layout.ts";
import { checkSequence } from "./edge.ts";
import { isGone, onAdapterGone } from "./gone.ts";
import { isLacking } from "./lacking.ts";
import { PUT_AWAY_MS, putAway, putAwaySoon } from "./put-away.ts";

const TX_POWER_UNKNOWN = 127;
const INTERVAL_UNIT_MS = 0.625;
/** Seconds are what the kernel counts in; its own clock may be a little ahead of ours. */
const TIMEOUT_TOLERANCE_MS = 500;

/** What is said, and how. */
export interface AdvertiseOptions extends OperationOptions {
  /** Put into the scan response where the advertisement has no room. `true`: the controller's own name, cut to ten octets by the kernel. */
  readonly name?: string | true | undefined;
  readonly services?: readonly UuidLike[] | undefined;
  readonly manufacturerData?: ManufacturerData | readonly ManufacturerData[] | undefined;
  readonly serviceData?: ServiceData | readonly ServiceData[] | undefined;
  /** As for `name`. `true`: the controller's own appearance. */
  readonly appearance?: number | true | undefined;
  /** Whether the transmit power is told; the kernel fills it in. */
  readonly includeTxPower?: boolean | undefined;
  /** Anything else for the advertisement, after what the above options say. */
  readonly data?: AdvertisingDataLike | undefined;
  /** Anything else for the scan response. */
  readonly scanResponse?: AdvertisingDataLike | undefined;
  /** Default true. */
  readonly connectable?: boolean | undefined;
  /** Default: as `connectable`. "limited" is for a user's gesture of some 30 seconds. The kernel writes the Flags field. */
  readonly discoverable?: boolean | "limited" | undefined;
  /** One interval or the least and the most, 20 ms to 10485 s. Makes it extended. */
  readonly intervalMs?: number | readonly [least: number, most: number] | undefined;
  /** Transmit power wanted, -127 to 20 dBm; what is got is in the result. Makes it extended. */
  readonly txPowerDbm?: number | undefined;
  /** Extended advertising PDUs with this secondary channel, which old devices do not hear. */
  readonly secondaryPhy?: "1M" | "2M" | "coded" | undefined;
  /** The kernel ends it after so long, rounded up to seconds. Default: never. */
  readonly durationMs?: number | undefined;
  /** How long its turn is where several instances take turns, rounded up to seconds. Default 2 s. */
  readonly turnMs?: number | undefined;
  /** Default: the first that is free. One that is taken is replaced, without anyone being told. */
  readonly instance?: number | undefined;
  /** One command or two. Default: one, unless an option needs two. Two need the power on and Linux 5.11. */
  readonly method?: "legacy" | "extended" | undefined;
  /** Ends the advertising, as disposal does. */
  readonly signal?: AbortSignal | undefined;
}

const advertiseOptions = optionNames<AdvertiseOptions>({
  name: true,
  appearance: true,
  services: true,
  serviceData: true,
  manufacturerData: true,
  includeTxPower: true,
  data: true,
  scanResponse: true,
  connectable: true,
  discoverable: true,
  intervalMs: true,
  txPowerDbm: true,
  secondaryPhy: true,
  durationMs: true,
  turnMs: true,
  instance: true,
  method: true,
  signal: true,
  timeoutMs: true,
});

function checkAdvertising(options: AdvertiseOptions): void {
  const { name, appearance, secondaryPhy, method, instance, intervalMs, txPowerDbm } = options;
  if (name !== undefined && name !== true && typeof name !== "string")
    throw new ArgumentError(`advertise: name: expected a string or true, got ${kindOf(name)}`);
  if (appearance !== undefined && appearance !== true) checkInteger("advertise: appearance", appearance, 0, 0xffff);
  if (secondaryPhy !== undefined) checkChoice("advertise: secondaryPhy", secondaryPhy, ["1M", "2M", "coded"]);
  if (method !== undefined) checkChoice("advertise: method", method, ["legacy", "extended"]);
  if (instance !== undefined) checkInteger("advertise: instance", instance, 1, 254);
  if (txPowerDbm !== undefined) checkInteger("advertise: txPowerDbm", txPowerDbm, -127, TX_POWER_UNKNOWN);
  if (intervalMs === undefined) return;
  const [least, most] = typeof intervalMs === "number" ? [intervalMs, intervalMs] : intervalMs;
  if (!(typeof least === "number" && typeof most === "number" && least > 0 && least <= most))
    throw new ArgumentError("advertise: intervalMs: expected milliseconds, or the least and the most of them");
}

/**
 * How advertising ended: its duration was over; it was removed, by another program or because the controller was powered off; the power
 * went without that (rfkill); the adapter is gone; the client was closed, and the instance stays in the kernel; it was disposed of.
 */
export type AdvertisingLost = "duration" | "removed" | "powered off" | "adapter removed" | "client closed" | "disposed";

/** Advertising under way. Dispose of it to end it: the instance is removed, unless it is gone. */
export interface AdvertisingInstance extends AsyncDisposable {
  readonly instance: number;
  /** The transmit power the controller has chosen; undefined where it was not asked for or is not told. */
  readonly txPowerDbm: number | undefined;
  /** Whether the instance is there, as far as is known. */
  readonly active: boolean;
  /** Settles when the instance is no longer there, and says why. Never rejects. */
  readonly lost: Promise<AdvertisingLost>;
}

/**
 * Advertises until the result is disposed of. The data are laid out over advertisement and scan response, and checked against what the
 * kernel has room for, before anything is added. The instance belongs to the controller: it outlives the client unless it is disposed of.
 *
 * @throws {ArgumentError} the data do not fit; the message says what takes how much
 * @throws {StateError} every instance of the controller is taken
 * @throws {UnsupportedError} the controller or the kernel lacks what an option asks for
 * @throws {MgmtError} Rejected when Low Energy is off, or a duration or `method: "extended"` without power
 * @throws `signal.reason`, or a TimeoutError after `timeoutMs`; what was added by then is removed before
 */
export async function advertise(mgmt: Mgmt, index: number, options: AdvertiseOptions = {}): Promise<AdvertisingInstance> {
  checkSequence("advertise", mgmt, index, options, advertiseOptions);
  checkAdvertising(options);
  using scope = new Deadline({ clock: mgmt.clock, operation: `advertising on hci${index}`, ...options });
  const { signal } = scope;
  const extended = isExtended(options);
  const { currentSettings } = await mgmt.readControllerInformation(index, { signal });
  const features = await mgmt.readAdvertisingFeatures(index, { signal });
  if (extended) await requireTwoSteps(mgmt, signal);
  const flags = flagsOf(options);
  const missing = bitNames(AdvertisingFlags, (flags & ~features.supportedFlags) >>> 0);
  if (missing.length > 0) throw new UnsupportedError(`hci${index} cannot advertise with ${missing.join(", ")}`);

  using reserved = new Reservation(mgmt, index, features, options.instance);
  const { instance } = reserved;
  const room = await roomOf(mgmt, index, { instance, flags }, features, signal);
  const data = layOut(options, room);
  const advertising = new Instance(mgmt, index, { instance, powered: hasBit(Settings, currentSettings, "Powered"), options });
  try {
    const add = { instance, flags, duration: seconds(options.turnMs), timeout: seconds(options.durationMs) };
    if (!extended) await mgmt.addAdvertising(index, { ...add, ...data }, { signal });
    else {
      const { txPower } = await mgmt.addExtendedAdvertisingParameters(
        index,
        { ...add, ...parametersOf(options, flags, data.scanRsp.length > 0) },
        { signal },
      );
      advertising.txPowerDbm = txPower === TX_POWER_UNKNOWN ? undefined : txPower;
      await mgmt.addExtendedAdvertisingData(index, { instance, ...data }, { signal });
    }
    signal.throwIfAborted();
  } catch (error) {
    // Refused at once: nothing was added, and an instance that was to be replaced is still there. Otherwise there may be something.
    const refused = error instanceof MgmtError && error.command !== commands.addExtendedAdvertisingData.name;
    await advertising.abandon(!refused);
    throw error;
  }
  advertising.endWith(options.signal);
  return advertising;
}

/** Kernels before 4.9 do not tell what is left beside what they write themselves: as much as there is then, and they check it. */
async function roomOf(
  mgmt: Mgmt,
  index: number,
  wanted: { readonly instance: number; readonly flags: number },
  whole: { readonly maxAdvDataLen: number; readonly maxScanRspLen: number },
  signal: AbortSignal,
): Promise<{ readonly maxAdvDataLen: number; readonly maxScanRspLen: number }> {
  try {
    return await mgmt.getAdvertisingSizeInformation(index, wanted, { signal });
  } catch (error) {
    if (isLacking(error)) return whole;
    throw error;
  }
}

function isExtended({ method, intervalMs, txPowerDbm }: AdvertiseOptions): boolean {
  const needed = intervalMs !== undefined || txPowerDbm !== undefined;
  if (needed && method === "legacy") throw new ArgumentError('an interval or a transmit power: expected method "extended"');
  return needed || method === "extended";
}

async function requireTwoSteps(mgmt: Mgmt, signal: AbortSignal): Promise<void> {
  const { addExtendedAdvertisingParameters: first, addExtendedAdvertisingData: second } = commands;
  const { commands: known } = await mgmt.readManagementSupportedCommands({ signal });
  if (!known.includes(first.opcode) || !known.includes(second.opcode))
    throw new UnsupportedError(`this kernel has no ${first.title}: advertise without interval, transmit power and method "extended"`);
}

const PHY_FLAGS = { "1M": "Secondary1M", "2M": "Secondary2M", coded: "SecondaryCoded" } as const;

function flagsOf(options: AdvertiseOptions): number {
  const { connectable = true, discoverable = connectable, secondaryPhy } = options;
  const set: (keyof typeof AdvertisingFlags)[] = [];
  if (connectable) set.push("Connectable");
  if (discoverable === "limited") set.push("LimitedDiscoverable");
  else if (discoverable) set.push("Discoverable");
  else if (connectable) set.push("ManagedFlags"); // says that BR/EDR is not supported: connectable devices have to (Vol 3 Part C 13.1.1)
  if (options.includeTxPower) set.push("TxPower");
  if (options.appearance === true) set.push("Appearance");
  if (options.name === true) set.push("LocalName");
  if (secondaryPhy) set.push(PHY_FLAGS[secondaryPhy]);
  return bitsOf(AdvertisingFlags, set);
}

function seconds(ms: number | undefined): number {
  return ms === undefined || ms === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.ceil(ms / 1000));
}

/** What Add Extended Advertising Parameters takes beyond Add Advertising; each field counts with its flag only. */
function parametersOf(options: AdvertiseOptions, flags: number, hasResponse: boolean) {
  const { durationMs, turnMs, intervalMs, txPowerDbm, name, appearance } = options;
  const bit = (name: keyof typeof AdvertisingFlags, given: unknown): number => (given === undefined ? 0 : 1 << AdvertisingFlags[name]);
  const [least, most] = typeof intervalMs === "number" ? [intervalMs, intervalMs] : (intervalMs ?? []);
  const response = hasResponse || name === true || appearance === true; // the kernel puts its own there
  const counting =
    bit("ParamScanResponse", response || undefined) |
    bit("ParamDuration", turnMs) |
    bit("ParamTimeout", durationMs) |
    bit("ParamIntervals", intervalMs) |
    bit("ParamTxPower", txPowerDbm);
  return {
    flags: flags | counting,
    ...(least !== undefined && most !== undefined
      ? { minInterval: Math.round(least / INTERVAL_UNIT_MS), maxInterval: Math.round(most / INTERVAL_UNIT_MS) }
      : {}),
    ...(txPowerDbm === undefined ? {} : { txPower: txPowerDbm }),
  };
}

/** Instance numbers that are being added: the kernel lists them only afterwards, and takes a second one for a replacement. */
const reservations = new WeakMap<MgmtClient, Set<string>>();

class Reservation implements Disposable {
  readonly instance: number;
  readonly #key: string;
  readonly #taken: Set<string>;

  constructor(mgmt: Mgmt, index: number, features: { maxInstances: number; instances: readonly number[] }, wanted: number | undefined) {
    const taken = reservations.get(mgmt) ?? new Set();
    reservations.set(mgmt, taken);
    this.#taken = taken;
    const { maxInstances, instances } = features;
    let instance = wanted ?? 1;
    if (wanted === undefined) while (instances.includes(instance) || taken.has(`${index}/${instance}`)) instance++;
    if (instance > maxInstances)
      throw wanted === undefined
        ? new StateError(`all ${maxInstances} advertising instances of hci${index} are taken`)
        : new ArgumentError(`advertising instance ${instance}: hci${index} has 1 to ${maxInstances}`);
    this.instance = instance;
    this.#key = `${index}/${instance}`;
    taken.add(this.#key);
  }

  [Symbol.dispose](): void {
    this.#taken.delete(this.#key);
  }
}

/** Advertising under way, from before it is added: it may be lost before the reply is looked at. */
class Instance implements AdvertisingInstance {
  readonly instance: number;
  txPowerDbm: number | undefined;
  readonly lost: Promise<AdvertisingLost>;
  readonly #mgmt: Mgmt;
  readonly #index: number;
  readonly #listeners: Disposable[];
  readonly #durationMs: number;
  readonly #startMs: number;
  #powered: boolean;
  #over: AdvertisingLost | undefined;
  #tell!: (reason: AdvertisingLost) => void;
  #removal: Promise<void> | undefined;

  constructor(mgmt: Mgmt, index: number, at: { instance: number; powered: boolean; options: AdvertiseOptions }) {
    this.#mgmt = mgmt;
    this.#index = index;
    this.instance = at.instance;
    this.#powered = at.powered;
    this.#startMs = mgmt.clock.now();
    this.#durationMs = seconds(at.options.durationMs) * 1000;
    this.lost = new Promise((resolve) => {
      this.#tell = resolve;
    });
    const ofThis = (event: { readonly index: number }): boolean => event.index === index;
    this.#listeners = [
      mgmt.on("advertisingRemoved", (event) => ofThis(event) && event.instance === at.instance && this.#end(this.#whyRemoved())),
      mgmt.on("newSettings", (event) => ofThis(event) && this.#settings(event.currentSettings)),
      ...onAdapterGone(mgmt, index, () => this.#end("adapter removed")),
      mgmt.on("close", () => this.#end("client closed")),
    ];
  }

  get active(): boolean {
    return this.#over === undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.active) {
      this.#end("disposed");
      this.#removal = this.#remove();
    }
    await this.#removal;
  }

  /** Has a signal end it. */
  endWith(signal: AbortSignal | undefined): void {
    if (this.active) this.#listeners.push(onAbort(signal, () => void putAway(this[Symbol.asyncDispose]())));
  }

  /** Ends what did not come about. */
  async abandon(remove: boolean): Promise<void> {
    if (remove) await putAwaySoon(this.#mgmt.clock, this[Symbol.asyncDispose]());
    else this.#end("disposed");
  }

  #settings(currentSettings: number): void {
    const powered = hasBit(Settings, currentSettings, "Powered");
    if (this.#powered && !powered) this.#end("powered off"); // added while off, it waits for the power
    this.#powered = powered;
  }

  #whyRemoved(): AdvertisingLost {
    const ranMs = this.#mgmt.clock.now() - this.#startMs;
    return this.#durationMs > 0 && ranMs >= this.#durationMs - TIMEOUT_TOLERANCE_MS ? "duration" : "removed";
  }

  #end(reason: AdvertisingLost): void {
    if (this.#over) return;
    this.#over = reason;
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    this.#tell(reason);
  }

  async #remove(): Promise<void> {
    try {
      await this.#mgmt.removeAdvertising(this.#index, this.instance, { timeoutMs: PUT_AWAY_MS });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}
