import { fromHex, toHex } from "jelling/bytes";
import type { DeviceAdvertiseOptions } from "jelling/device";
import type { Advertisement } from "jelling/gap";
import type { GattDescription, GattDescriptionError } from "jelling/gatt";
import { CommandError, codeOf } from "./errors.ts";
import { readInput } from "./input-file.ts";

// A device as a file: what it advertises and its attributes. `gatt export` writes it, `advertise --device` reads it, people mend it by hand.

export interface AdvertisingDescription {
  /** Hexadecimal, structures as on air. */
  readonly data?: string | undefined;
  readonly scanResponse?: string | undefined;
  /** True unless given. */
  readonly connectable?: boolean | undefined;
  /** With the PDUs of extended advertising; false unless given. */
  readonly extended?: boolean | undefined;
}

export interface DeviceFile {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly advertising?: AdvertisingDescription | undefined;
  readonly gatt: GattDescription;
}

const FORMAT = "jelling-device";
const VERSION = 1;
/** A database of 65,535 attributes with long values is not longer. */
const LONGEST = 128 << 20;

export function deviceFile(gatt: GattDescription, advertisement: Advertisement | undefined): DeviceFile {
  return { format: FORMAT, version: VERSION, ...(advertisement && { advertising: advertisingOf(advertisement) }), gatt };
}

function advertisingOf(advertisement: Advertisement): AdvertisingDescription {
  const { advertisingData, scanResponseData, connectable, isExtended } = advertisement;
  return {
    data: toHex(advertisingData.bytes),
    ...(scanResponseData && { scanResponse: toHex(scanResponseData.bytes) }),
    connectable,
    ...(isExtended && { extended: true }),
  };
}

/** What `device.advertise` needs for it. */
export function advertiseOptionsOf({ advertising = {} }: DeviceFile): DeviceAdvertiseOptions {
  const { data, scanResponse, connectable, extended } = advertising;
  return {
    ...(data !== undefined && { data: fromHex(data) }),
    ...(scanResponse !== undefined && { scanResponse: fromHex(scanResponse) }),
    ...(connectable !== undefined && { connectable }),
    ...(extended && { type: "extended" as const }),
  };
}

/** @throws {CommandError} it is no such file, or contradicts itself · the system's error */
export async function readDeviceFile(path: string, signal: AbortSignal): Promise<DeviceFile> {
  const refuse: Refuse = (problem, cause) => {
    throw new CommandError(`${path}: ${problem}`, { cause });
  };
  const octets = await readInput(path, { signal, maxOctets: LONGEST }).catch((error: unknown) =>
    error instanceof RangeError ? refuse(error.message, error) : Promise.reject(error),
  );
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch (error) {
    return refuse("expected a device as jelling gatt export writes it, and this is no JSON", error);
  }
  if (typeof content !== "object" || content === null || (content as { format?: unknown }).format !== FORMAT)
    return refuse(`expected a device as jelling gatt export writes it, with "format": "${FORMAT}"`);
  const { format: _, version, advertising, gatt, ...rest } = content as Record<string, unknown>;
  if (version !== VERSION) refuse(`expected "version": ${VERSION}`);
  for (const name of Object.keys(rest)) refuse(`unknown name "${name}"`);
  const { parseGattDescription } = await import("jelling/gatt");
  try {
    return { format: FORMAT, version: VERSION, advertising: checkAdvertising(advertising, refuse), gatt: parseGattDescription(gatt) };
  } catch (error) {
    if (codeOf(error) !== "ERR_GATT_DESCRIPTION") throw error;
    const { path: place, message } = error as GattDescriptionError;
    return refuse(place === "" ? message : `gatt.${message}`, error);
  }
}

type Refuse = (problem: string, cause?: unknown) => never;

const NAMES = ["data", "scanResponse", "connectable", "extended"];

function checkAdvertising(advertising: unknown, refuse: Refuse): AdvertisingDescription | undefined {
  if (advertising === undefined) return undefined;
  if (typeof advertising !== "object" || advertising === null || Array.isArray(advertising))
    return refuse("advertising: expected an object");
  for (const [name, value] of Object.entries(advertising)) {
    if (!NAMES.includes(name)) refuse(`advertising: unknown name "${name}"`);
    if (name !== "data" && name !== "scanResponse") {
      if (typeof value !== "boolean") refuse(`advertising.${name}: expected true or false`);
      continue;
    }
    try {
      fromHex(typeof value === "string" ? value : "?");
    } catch (error) {
      refuse(`advertising.${name}: expected pairs of hexadecimal digits`, error);
    }
  }
  return advertising;
}
