import type { Clock } from "jelling/async";
import {
  Address,
  type AddressLike,
  ArgumentError,
  checkBoolean,
  checkChoice,
  checkFunction,
  checkMilliseconds,
  checkOctets,
  checkOptions,
  checkSignal,
  checkText,
  kindOf,
  type Logger,
  optionNames,
  type RandomSource,
} from "jelling/core";
import type { Capture, DeviceOptions } from "jelling/device";
import type { HciTransport } from "jelling/hci";
import type { BondStore } from "jelling/smp";
import { describeSakeDeviceType, SakeDeviceType } from "../sake/device-type.ts";
import { checkKeyDatabaseKind, KeyDatabaseError, type SakeKeyDatabase } from "../sake/key-database.ts";
import { type AdvertisingForm, checkMobileName } from "./advertising.ts";
import type { PumpEvent, PumpMode } from "./events.ts";
import { LONGEST_VALUE, type PhoneInformation } from "./phone-database.ts";

export const DEFAULT_MOBILE_NAME = "Mobile 700001";
export const PAIRING_WINDOW_MS = 5 * 60_000;
export const LONGEST_WINDOW_MS = 24 * 3600_000;

export interface PumpConnectorOptions {
  /**
   * The controller: "hci:0", "tcp:host:port", … or a transport. It is the connector's from now on, whatever becomes of opening: what is above it -
   * the host, its links, the pump's attributes - is the connector's own and not to be had.
   */
  readonly controller: string | HciTransport;
  /** The user's key database; the program has none of its own. */
  readonly keyDatabase: SakeKeyDatabase;
  /** Where the pump's bond is kept; in memory by default. Nothing else may be in it. */
  readonly bonds?: BondStore | undefined;
  /** The identity by which the pump finds us, as of a `Device`; it must stay the same as long as the bond. */
  readonly address?: DeviceOptions["address"];
  /** Identity resolving key, 16 octets; it must stay the same as long as the bond. */
  readonly irk?: Uint8Array | undefined;
  /** The identity where the controller has no public address and `address` names none; it must stay the same as long as the bond. */
  readonly staticAddress?: Address | undefined;
  /**
   * "pair" lets a pump pair for as long as the window is open, and goes on as "reconnect"; "reconnect" (default) waits for the pump of a bond;
   * "carelink" poses as an uploader.
   */
  readonly mode?: PumpMode | undefined;
  /** With "pair", where there is a bond with a pump already: the new pairing replaces it. Until then the old bond stays. */
  readonly anew?: boolean | undefined;
  /** "Mobile " and up to seven characters, or "PC…" as an uploader; the pump shows it. */
  readonly name?: string | undefined;
  readonly form?: AdvertisingForm | undefined;
  /** Own address while pairing: the identity by default, which is found more surely than a private address. */
  readonly pairingAddress?: "identity" | "public" | "random" | "resolvable" | undefined;
  /** The six digits that the pump shows, for "carelink". */
  readonly confirmationCode?: number | undefined;
  readonly pairingWindowMs?: number | undefined;
  /** Which bond is the pump's, where the store holds several; another pump that comes is sent away. */
  readonly pump?: AddressLike | undefined;
  /** What the pump may read of us. */
  readonly information?: Partial<PhoneInformation> | undefined;
  /** Advertising intervals in ms, in place of 30 to 50 and then 100 to 150. */
  readonly intervalsMs?: { readonly fast: readonly [number, number]; readonly slow: readonly [number, number] } | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: RandomSource | undefined;
  /** Lines have no full address, name or serial number. */
  readonly logger?: Logger | undefined;
  /** Sees copies of the HCI packets, with the pump's name, serial number and address hidden unless `captureIdentity` is set. They hold keys. */
  readonly capture?: Capture | undefined;
  /** The pump's name, serial number and address stay in what `capture` sees. */
  readonly captureIdentity?: boolean | undefined;
  /** Called for every event, in order; the same as `on`. What it throws is the program's fault, and does the connector no harm. */
  readonly onEvent?: ((event: PumpEvent) => void) | undefined;
  /** Closes the connector. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<PumpConnectorOptions>({
  controller: true,
  keyDatabase: true,
  bonds: true,
  address: true,
  irk: true,
  staticAddress: true,
  mode: true,
  anew: true,
  name: true,
  form: true,
  pairingAddress: true,
  confirmationCode: true,
  pairingWindowMs: true,
  pump: true,
  information: true,
  intervalsMs: true,
  clock: true,
  random: true,
  logger: true,
  capture: true,
  captureIdentity: true,
  onEvent: true,
  signal: true,
});

const INFORMATION = optionNames<PhoneInformation>({
  manufacturer: true,
  model: true,
  serial: true,
  hardware: true,
  firmware: true,
  software: true,
  systemId: true,
  pnpId: true,
});
const INTERVALS = optionNames<NonNullable<PumpConnectorOptions["intervalsMs"]>>({ fast: true, slow: true });
/** Of legacy advertising (Vol 4 Part E 7.8.5). */
const SHORTEST_INTERVAL_MS = 20;
const LONGEST_INTERVAL_MS = 10_240;

/** Kinds and names; what the values mean is checked where they are used. @throws {ArgumentError} */
export function checkPumpConnectorOptions(options: PumpConnectorOptions): void {
  const what = "PumpConnector.open";
  checkOptions(what, options ?? null, OPTIONS);
  const { controller, keyDatabase, pairingWindowMs } = options;
  if (typeof controller !== "string" && (typeof controller !== "object" || controller === null))
    throw new ArgumentError(`${what}: controller: expected a name such as "hci:0", or a transport, got ${kindOf(controller)}`);
  checkKeyDatabaseKind(what, keyDatabase);
  checkParts(options, what);
  for (const name of ["anew", "captureIdentity"] as const) if (options[name] !== undefined) checkBoolean(`${what}: ${name}`, options[name]);
  for (const name of ["capture", "onEvent"] as const) checkFunction(`${what}: ${name}`, options[name]);
  checkSignal(`${what}: signal`, options.signal);
  if (pairingWindowMs !== undefined) checkMilliseconds("pairing window", pairingWindowMs, 1, LONGEST_WINDOW_MS);
}

/** What the connector calls and what it takes apart. @throws {ArgumentError} */
function checkParts(
  { bonds, clock, random, logger, pump, information, intervalsMs, ...options }: PumpConnectorOptions,
  what: string,
): void {
  const has = (name: string, value: unknown, methods: readonly string[]): void => {
    if (value !== undefined && !methods.every((method) => typeof (value as Record<string, unknown> | null)?.[method] === "function"))
      throw new ArgumentError(`${what}: ${name}: expected an object with ${methods.join(", ")}, got ${kindOf(value)}`);
  };
  has("bonds", bonds, ["load", "save", "delete", "all"]);
  has("clock", clock, ["now", "setTimer"]);
  has("random", random, ["fill"]);
  has("logger", logger, ["child", "warn", "info"]);
  if (pump !== undefined) Address.from(pump);
  if (options.mode !== undefined) checkChoice(`${what}: mode`, options.mode, ["pair", "reconnect", "carelink"]);
  if (options.form !== undefined) checkChoice(`${what}: form`, options.form, ["name", "manufacturer"]);
  if (options.pairingAddress !== undefined)
    checkChoice(`${what}: pairingAddress`, options.pairingAddress, ["identity", "public", "random", "resolvable"]);
  if (options.name !== undefined) checkText(`${what}: name`, options.name);
  checkOptions(`${what}: information`, information, INFORMATION);
  for (const [name, value] of Object.entries(information ?? {})) {
    if (value === undefined) continue;
    if (name === "systemId" || name === "pnpId") checkOctets(`${what}: information: ${name}`, value, { maxLength: LONGEST_VALUE });
    else checkText(`${what}: information: ${name}`, value);
  }
  checkOptions(`${what}: intervalsMs`, intervalsMs, INTERVALS);
  if (!intervalsMs) return;
  for (const name of ["fast", "slow"] as const) {
    const pair: unknown = intervalsMs[name];
    if (!Array.isArray(pair) || pair.length !== 2) throw new ArgumentError(`${what}: intervalsMs: ${name}: expected two numbers of ms`);
    const [least, most] = pair as readonly unknown[];
    checkMilliseconds(`${what}: intervalsMs: ${name}`, least, SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS);
    checkMilliseconds(`${what}: intervalsMs: ${name}`, most, least as number, LONGEST_INTERVAL_MS);
  }
}

/** @throws {KeyDatabaseError} */
function checkKeyDatabase(keyDatabase: SakeKeyDatabase, localType: number): void {
  if (keyDatabase.localDeviceType !== localType)
    throw new KeyDatabaseError(
      "ERR_KEY_DATABASE_UNSUITABLE",
      `The key database is for another kind of device (${describeSakeDeviceType(keyDatabase.localDeviceType)}); this mode needs that of a ${describeSakeDeviceType(localType)}.`,
    );
  if (!keyDatabase.entry(SakeDeviceType.InsulinPump))
    throw new KeyDatabaseError("ERR_KEY_DATABASE_UNSUITABLE", "The key database has no keys for an insulin pump.");
}

/** @throws {KeyDatabaseError} · {ArgumentError} */
export function checkedName({ name, confirmationCode, keyDatabase }: PumpConnectorOptions, mode: PumpMode): string {
  checkChoice("mode", mode, ["pair", "reconnect", "carelink"]);
  const careLink = mode === "carelink";
  checkKeyDatabase(keyDatabase, careLink ? SakeDeviceType.CareLinkUploader : SakeDeviceType.MobileApplication);
  if (!careLink) return checkMobileName(name ?? DEFAULT_MOBILE_NAME);
  if (confirmationCode === undefined) throw new ArgumentError("carelink mode needs the confirmation code that the pump shows");
  return name ?? "PC";
}
