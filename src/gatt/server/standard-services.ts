import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { checkBoolean, checkFunction, checkInteger, checkOctets, checkOptions, checkText, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { GattUuid } from "../uuids.ts";
import type { CharacteristicDefinition, ServiceDefinition } from "./definition.ts";

export interface GapServiceOptions {
  /** Device Name, up to 248 octets of UTF-8; a function is asked at every read, and may give the octets. */
  readonly name: string | (() => string | Uint8Array);
  /** Appearance category and subcategory, 0 (unknown) by default. */
  readonly appearance?: number | undefined;
  /** Lets clients rename the device: called with the new name. */
  readonly onNameWritten?: ((name: string) => void) | undefined;
  /** Peripheral Preferred Connection Parameters; intervals in 1.25 ms, timeout in 10 ms. */
  readonly preferredConnectionParameters?:
    | { readonly intervalMin: number; readonly intervalMax: number; readonly latency: number; readonly timeout: number }
    | undefined;
  /** Central Address Resolution, present where given. */
  readonly centralAddressResolution?: boolean | undefined;
}

const u16 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];

type PreferredParameters = NonNullable<GapServiceOptions["preferredConnectionParameters"]>;

const GAP_OPTIONS = optionNames<GapServiceOptions>({
  name: true,
  appearance: true,
  onNameWritten: true,
  preferredConnectionParameters: true,
  centralAddressResolution: true,
});
const PREFERRED = optionNames<PreferredParameters>({ intervalMin: true, intervalMax: true, latency: true, timeout: true });

/** Device Name, Vol 3 Part C 12.1. */
const MAX_NAME_LENGTH = 248;

function checkGapOptions(options: GapServiceOptions): void {
  if (options === undefined) throw new ArgumentError("GAP service: expected options with a name, got undefined");
  checkOptions("GAP service", options, GAP_OPTIONS);
  const { name, appearance, onNameWritten, preferredConnectionParameters: preferred, centralAddressResolution } = options;
  if (typeof name !== "function" && new TextEncoder().encode(checkText("device name", name)).length > MAX_NAME_LENGTH)
    throw new ArgumentError(`device name: expected at most ${MAX_NAME_LENGTH} octets of UTF-8`);
  if (appearance !== undefined) checkInteger("appearance", appearance, 0, 0xffff);
  checkFunction("onNameWritten", onNameWritten);
  checkBoolean("centralAddressResolution", centralAddressResolution);
  if (preferred === undefined) return;
  checkOptions("preferredConnectionParameters", preferred, PREFERRED);
  for (const each of ["intervalMin", "intervalMax", "latency", "timeout"] as const)
    checkInteger(`preferredConnectionParameters: ${each}`, preferred[each], 0, 0xffff);
}

/**
 * The GAP service, Vol 3 Part C 12.
 *
 * @throws {ArgumentError} options of another kind, or a name of more than 248 octets
 */
export function gapService(options: GapServiceOptions): ServiceDefinition {
  checkGapOptions(options);
  const { name, appearance = 0, onNameWritten, preferredConnectionParameters: preferred, centralAddressResolution } = options;
  const encoder = new TextEncoder();
  let current = name;
  const characteristics: CharacteristicDefinition[] = [
    {
      uuid: GattUuid.DeviceName,
      properties: onNameWritten ? ["read", "write"] : ["read"],
      maxLength: MAX_NAME_LENGTH,
      read: () => {
        const value = typeof current === "function" ? current() : current;
        return typeof value === "string" ? encoder.encode(value) : value;
      },
      ...(onNameWritten && {
        write: (value: Uint8Array) => {
          let text: string;
          try {
            text = new TextDecoder("utf-8", { fatal: true }).decode(value);
          } catch (error) {
            throw new AttError(AttErrorCode.ValueNotAllowed, { cause: error });
          }
          if (typeof current === "string") current = text;
          onNameWritten(text);
        },
      }),
    },
    { uuid: GattUuid.Appearance, properties: ["read"], value: Uint8Array.from(u16(appearance)) },
  ];
  if (preferred) {
    const { intervalMin, intervalMax, latency, timeout } = preferred;
    const value = Uint8Array.from([intervalMin, intervalMax, latency, timeout].flatMap(u16));
    characteristics.push({ uuid: GattUuid.PeripheralPreferredConnectionParameters, properties: ["read"], value });
  }
  if (centralAddressResolution !== undefined)
    characteristics.push({
      uuid: GattUuid.CentralAddressResolution,
      properties: ["read"],
      value: Uint8Array.of(centralAddressResolution ? 1 : 0),
    });
  return { uuid: GattUuid.GapService, characteristics };
}

export interface GattServiceOptions {
  /** True unless given. */
  readonly serviceChanged?: boolean | undefined;
  /** Client Supported Features and Database Hash, which make up robust caching; true unless given. */
  readonly robustCaching?: boolean | undefined;
  /** Server Supported Features, with no feature set; false unless given. */
  readonly serverFeatures?: boolean | undefined;
  /** Server Supported Features with the bit that says that enhanced bearers are taken; false unless given. */
  readonly enhancedBearers?: boolean | undefined;
}

/** Bits of the first octet of Server Supported Features, Vol 3 Part G 7.4. */
export const EATT_SUPPORTED = 0x01;

const GATT_OPTIONS = optionNames<GattServiceOptions>({
  serviceChanged: true,
  robustCaching: true,
  serverFeatures: true,
  enhancedBearers: true,
});

/** The GATT service, Vol 3 Part G 7. The server keeps its values. @throws {ArgumentError} options of another kind */
export function gattService(options: GattServiceOptions = {}): ServiceDefinition {
  checkOptions("GATT service", options, GATT_OPTIONS);
  for (const [name, value] of Object.entries(options)) checkBoolean(`GATT service: ${name}`, value);
  const { serviceChanged = true, robustCaching = true, enhancedBearers = false, serverFeatures = enhancedBearers } = options;
  const characteristics: CharacteristicDefinition[] = [];
  if (serviceChanged) characteristics.push({ uuid: GattUuid.ServiceChanged, properties: ["indicate"] });
  if (robustCaching) {
    characteristics.push({ uuid: GattUuid.ClientSupportedFeatures, properties: ["read", "write"] });
    characteristics.push({ uuid: GattUuid.DatabaseHash, properties: ["read"] });
  }
  if (serverFeatures || enhancedBearers) {
    const value = Uint8Array.of(enhancedBearers ? EATT_SUPPORTED : 0);
    characteristics.push({ uuid: GattUuid.ServerSupportedFeatures, properties: ["read"], value });
  }
  return { uuid: GattUuid.GattService, characteristics };
}

/** Session key and initialization vector, Supplement Part A 1.23. */
const KEY_MATERIAL_OCTETS = 24;

/**
 * Encrypted Data Key Material, Vol 3 Part C 12.6, for the GAP service or one of your own: read by peers that the user has let in
 * (`authenticated` and authorized links alone), and indicated to those who subscribed when it changes.
 *
 * @param value 24 octets, as `encodeKeyMaterial` makes them; a function is asked at every read
 * @throws {ArgumentError} of another length
 */
export function keyMaterialCharacteristic(value: Uint8Array | (() => Uint8Array)): CharacteristicDefinition {
  const check = (octets: unknown): Uint8Array =>
    checkOctets("key material", octets, { minLength: KEY_MATERIAL_OCTETS, maxLength: KEY_MATERIAL_OCTETS });
  return {
    uuid: GattUuid.EncryptedDataKeyMaterial,
    properties: ["read", "indicate"],
    permissions: { read: { encrypted: true, authenticated: true, authorized: true } },
    ...(typeof value === "function" ? { read: () => check(value()) } : { value: check(value).slice() }),
  };
}
