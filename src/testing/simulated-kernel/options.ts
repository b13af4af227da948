import type { Clock } from "../../async/index.ts";
import type { RandomSource, UuidLike } from "../../core/index.ts";
import type { AdvertisingDataLike } from "../../gap/index.ts";
import type { AnyMgmtCommand, Settings } from "../../mgmt-protocol/index.ts";

export type SettingName = keyof typeof Settings;

/** A controller as it is plugged in. What is not said is as with a virtual controller of Linux 6.1. */
export interface KernelControllerOptions {
  /** Its number, hciN. Default: the lowest that is free. */
  readonly index?: number;
  /** Public address. Default "00:AA:01:" and its number; "00:00:00:00:00:00" for one that has none. */
  readonly address?: string;
  /** What it uses on LE while privacy is on; default a random one. */
  readonly privateAddress?: string;
  readonly name?: string;
  readonly shortName?: string;
  readonly appearance?: number;
  /** Minor in the low octet, major above it; effective while powered. */
  readonly classOfDevice?: number;
  /** What is on. Default: BR/EDR, and connected isochronous streams. */
  readonly settings?: readonly SettingName[];
  /** What could be on. */
  readonly supportedSettings?: readonly SettingName[];
  readonly manufacturer?: number;
  /** A number of BluetoothVersion; default 9, which is 5.0. */
  readonly bluetoothVersion?: number;
  /** A number of ControllerBus; default virtual. */
  readonly bus?: number;
  /** What has to be told before it can be used; default nothing. */
  readonly missing?: readonly ("ExternalConfiguration" | "PublicAddress")[];
  readonly advertisingInstances?: number;
  /** Data up to 251 octets instead of 31; default true. */
  readonly extendedAdvertising?: boolean;
  /** Whether a switch or "rfkill block" has the radio off. */
  readonly isRadioBlocked?: boolean;
}

/**
 * What the other side of a pairing can do: nothing ("justWorks"), compare numbers, show a passkey for the user here to type
 * ("devicePasskey"), type the passkey that is shown here ("hostPasskey"), ask for a PIN (BR/EDR), or it refuses. "never" does not answer.
 * What comes of it follows from what this side can do, as with Linux: numbers are compared on LE only where both have Secure Connections,
 * and a device with a display or keys refuses a pairing that protects against nobody in the middle.
 */
export type KernelPairing = "justWorks" | "compare" | "devicePasskey" | "hostPasskey" | "pin" | "refuse" | "never";

/** A device in range of every controller. */
export interface KernelDeviceOptions {
  readonly address: string;
  /** Default "LEPublic"; "LERandom" for static random and private addresses. */
  readonly addressType?: "BREDR" | "LEPublic" | "LERandom" | undefined;
  /** dBm; default -60. */
  readonly rssi?: number | undefined;
  /** Advertising data with scan response, or extended inquiry response. */
  readonly eirData?: AdvertisingDataLike | undefined;
  /** A name that is not in `eirData` and has to be asked for (BR/EDR). */
  readonly name?: string | undefined;
  /** How often it advertises. Default 100 ms; of an inquiry one report in 1280 ms. */
  readonly advertisingIntervalMs?: number | undefined;
  /** Whether it takes connections; default true. */
  readonly isConnectable?: boolean | undefined;
  readonly pairing?: KernelPairing | undefined;
  /** Passkey it shows, or PIN it expects; default 123456 and "0000". */
  readonly passkey?: number | undefined;
  readonly pin?: string | undefined;
  /** Whether it pairs with Secure Connections; default true. Without, an LE pairing gives two long term keys. */
  readonly secureConnections?: boolean | undefined;
  /** Whether it keeps keys; default true. */
  readonly isBondable?: boolean | undefined;
  /** Its identity, if `address` is a private one: told while pairing with a controller that takes part in identity exchange. */
  readonly identity?: { readonly address: string; readonly addressType?: "LEPublic" | "LERandom" } | undefined;
  /** Services of service discovery are read from `eirData`; these are what is found beside it. */
  readonly services?: readonly UuidLike[] | undefined;
}

export interface SimulatedKernelOptions {
  /** Default: a virtual clock of its own, which runs by itself whenever all code waits. */
  readonly clock?: Clock | undefined;
  /** Keys, numbers to compare, mesh instants. Default: reproducible. */
  readonly random?: RandomSource | undefined;
  /** Controllers that are there from the beginning; default one. */
  readonly controllers?: readonly KernelControllerOptions[] | undefined;
  /** Devices in range. */
  readonly devices?: readonly KernelDeviceOptions[] | undefined;
  /** Packets that may wait at a socket before the kernel throws them away; default 8192. */
  readonly receiveQueuePackets?: number | undefined;
  /** How long the controller takes for an HCI command; default 2 ms. Powering takes five of them. */
  readonly roundTripMs?: number | undefined;
}

export interface KernelSocketOptions {
  /** With CAP_NET_ADMIN; default true. */
  readonly privileged?: boolean;
  /** The program's name in the monitor's records. */
  readonly command?: string;
}

/** Commands that are swallowed: those to one controller, or of one kind, or both; without either all. */
export interface KernelSilence {
  readonly index?: number;
  readonly command?: AnyMgmtCommand;
}
