import type { Clock } from "jelling/async";
import {
  Address,
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkOptions,
  type Logger,
  optionNames,
  type RandomSource,
  SeededRandom,
} from "jelling/core";
import type { Capture } from "jelling/device";
import type { HciTransport } from "jelling/hci";
import type { LocalDateTime } from "../data/date-time.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import type { DeliverySource } from "./delivery-source.ts";

export const SMALLEST_MTU = 23;
const LARGEST_MTU = 517;
const PUMP_MTU = 184;
/** Of history, where nobody says how much. */
const HISTORY_DAYS = 2;
const MOST_DAYS = 36_525;

/** What a simulated pump does, in words. */
export interface SimulatedPumpEvent {
  readonly timeMs: number;
  readonly text: string;
}

export interface SimulatedPumpOptions {
  /** The controller's side of the pump; it belongs to the pump from now on. */
  readonly transport: HciTransport;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Of serial number and glucose curve. */
  readonly seed: number;
  /** The pump's half of invented keys. */
  readonly keyDatabase: SakeKeyDatabase;
  /** What its clock shows at the beginning. */
  readonly startLocal?: LocalDateTime | undefined;
  /** False: no sensor session runs. A function gives mg/dL by time offset in place of the curve. */
  readonly sensor?: boolean | ((timeOffsetMin: number) => number) | undefined;
  /** How many days of history it has when it is switched on, 0 to 36,525; 2 by default. A day has about 900 records. */
  readonly historyDays?: number | undefined;
  /** Most records that its memory holds; a real one has room for about 5600. Without a bound by default. */
  readonly historyCapacity?: number | undefined;
  /** False: an older pump, which has no insulin delivery service. */
  readonly insulinDelivery?: boolean | undefined;
  /** Services of the pump itself; "nothing" is what it may offer to an uploader, for all that is known. "all" by default. */
  readonly offers?: "all" | "nothing" | undefined;
  /** Also offers what is listed for a pump and hardly known: the vendor's values of the CGM service, and the network state. False by default. */
  readonly vendorValues?: boolean | undefined;
  /** What the insulin delivery service tells, in place of the pump's own life. */
  readonly delivery?: DeliverySource | undefined;
  /** Values of the insulin delivery service end with a counter and a CRC, which no pump was seen to do; false by default. */
  readonly e2eProtection?: boolean | undefined;
  /** The ATT_MTU that it asks for, 23 to 517; 184 by default, and with 23 it does not ask. */
  readonly mtu?: number | undefined;
  /** Whether it writes the subscription of the SAKE characteristic again when it reconnects; true by default. */
  readonly writesSubscriptionAgain?: boolean | undefined;
  readonly logger?: Logger | undefined;
  readonly capture?: Capture | undefined;
  readonly onEvent?: ((event: SimulatedPumpEvent) => void) | undefined;
}

/** An invented pump of seven digits: its name, serial number and public address. */
export function inventPumpIdentity(seed: number): { digits: string; name: string; serial: string; address: Address } {
  const random = new SeededRandom(seed, "pump identity");
  const digits = (random.uint32() % 10_000_000).toString().padStart(7, "0");
  const address = new Address(Uint8Array.of(random.uint32() & 0xff, random.uint32() & 0xff, random.uint32() & 0xff, 0xf7, 0x23, 0x00), 0);
  return { digits, name: `Pump ${digits}H`, serial: `NG${digits}H`, address };
}

const OPTIONS = optionNames<SimulatedPumpOptions>({
  transport: true,
  clock: true,
  random: true,
  seed: true,
  keyDatabase: true,
  startLocal: true,
  sensor: true,
  historyDays: true,
  historyCapacity: true,
  insulinDelivery: true,
  delivery: true,
  e2eProtection: true,
  mtu: true,
  offers: true,
  vendorValues: true,
  writesSubscriptionAgain: true,
  logger: true,
  capture: true,
  onEvent: true,
});

/** Options with what they are where nobody says. @throws {ArgumentError} */
export function checkedPumpOptions(options: SimulatedPumpOptions): SimulatedPumpOptions & {
  readonly historyDays: number;
  readonly historyCapacity: number;
  readonly mtu: number;
} {
  checkOptions("SimulatedPump.open", options ?? null, OPTIONS);
  checkInteger("seed", options.seed, 0, Number.MAX_SAFE_INTEGER);
  for (const name of ["insulinDelivery", "e2eProtection", "writesSubscriptionAgain", "vendorValues"] as const)
    checkBoolean(name, options[name]);
  if (typeof options.sensor !== "function") checkBoolean("sensor", options.sensor);
  for (const name of ["capture", "onEvent"] as const) checkFunction(name, options[name]);
  const { historyDays = HISTORY_DAYS, historyCapacity = Number.POSITIVE_INFINITY, mtu = PUMP_MTU } = options;
  checkInteger("historyDays", historyDays, 0, MOST_DAYS);
  if (historyCapacity !== Number.POSITIVE_INFINITY) checkInteger("historyCapacity", historyCapacity, 1, Number.MAX_SAFE_INTEGER);
  if (options.offers !== undefined) checkChoice("offers", options.offers, ["all", "nothing"]);
  checkInteger("mtu", mtu, SMALLEST_MTU, LARGEST_MTU);
  return { ...options, historyDays, historyCapacity, mtu };
}
