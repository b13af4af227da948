import { type Clock, SystemClock } from "../../async/clock.ts";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOctets,
  checkOptions,
  optionNames,
} from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import type { McubootImage } from "../../mcumgr/image/mcuboot.ts";
import { createImage } from "./create-image.ts";
import { DEFAULT_APPLICATION } from "./os-service.ts";
import { DEFAULT_SHELL, type SimulatedShell, type SimulatedStatistics } from "./small-services.ts";
import { checkState, type SimulatedMcumgrState } from "./state.ts";
import type { SimulatedBootloaderMode } from "./swap.ts";

/** One image of a device, and what its slots hold at first. */
export interface SimulatedImageOptions {
  /** Octets of each slot, a multiple of the sector size; 512 KiB by default. */
  readonly slotSize?: number;
  /** What runs at first, by default `createImage()`, version 1.0.0. Undefined after all: `"none"`. */
  readonly primary?: Uint8Array | "none";
  /** What waits in the other slot. */
  readonly secondary?: Uint8Array;
}

export interface SimulatedMcumgrDeviceOptions {
  /** Real time by default. */
  readonly clock?: Clock;
  /** Octets of one packet buffer, 2475 by default, and how many there are, 4. Requests and answers of all links share them. */
  readonly bufSize?: number;
  readonly bufCount?: number;
  /** One by default. */
  readonly images?: readonly SimulatedImageOptions[];
  /** Octets that are erased at a time, 4096 by default. */
  readonly sectorSize?: number;
  /** How the bootloader brings an uploaded image to life, "swap-move" by default. */
  readonly mode?: SimulatedBootloaderMode;
  /** The bootloader takes no older version. */
  readonly noDowngrade?: boolean;
  /** The bootloader's own check of an image, beyond its digest: its signature, say. */
  readonly accepts?: (image: McubootImage) => boolean;
  /** Milliseconds that erasing a sector takes, and writing 1024 octets; 0 by default. */
  readonly eraseMsPerSector?: number;
  readonly writeMsPerKibibyte?: number;
  /** Erases sector by sector while an image comes, not all at once before the first answer. */
  readonly progressiveErase?: boolean;
  /** Compares digests of the whole with `sha`, before and after an upload; true by default. */
  readonly imageCheck?: boolean;
  /** Octets of the digests that the server was built for, 32 by default. */
  readonly digestLength?: number;
  /** Refuses to make an image permanent that has not run. */
  readonly denyConfirmOfOther?: boolean;
  /** The number of an upload's image is that of a slot plus one. */
  readonly directUpload?: boolean;
  /** Leaves flags that are false out of the image state. */
  readonly omitFalse?: boolean;
  /** Milliseconds that a request takes by itself, 0 by default; that an answered reset waits, 250; that a start takes besides swapping, 100. */
  readonly processingMs?: number;
  readonly resetDelayMs?: number;
  readonly bootMs?: number;
  /** False: the application does not want it now, and a reset without `force` is answered with rc 10. */
  readonly mayReset?: (bootMode: number) => boolean;
  /** Codes of groups only where the second version of the protocol asked (by default), or never, as before 2023. */
  readonly errors?: "by-version" | "first-only";
  /** `rc` 0 stands in every success, as Mynewt has it. */
  readonly alwaysRc?: boolean;
  /** Requests of the protocol's first version are answered with rc 12. */
  readonly refusesFirstVersion?: boolean;
  /** Commands and groups that the server was built without: "os.memoryPools", "files". */
  readonly without?: readonly string[];
  /** MCUboot's serial recovery, which runs where no image does; `false` for none. `alignment`: octets that it can write at a time. */
  readonly recovery?: false | { readonly bufSize?: number; readonly alignment?: number; readonly without?: readonly string[] };
  /** Starts in the recovery. */
  readonly startInRecovery?: boolean;
  /** Letters of an application info. */
  readonly application?: Readonly<Record<string, string>>;
  readonly statistics?: SimulatedStatistics;
  readonly shell?: SimulatedShell;
  /** Settings in the store. */
  readonly settings?: Readonly<Record<string, Uint8Array>>;
  /** Most octets of a setting that are read, 64 by default. */
  readonly settingsLimit?: number;
  readonly canSaveSettings?: boolean;
  /** Files by path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** What `save` of a device with the same options gave: the new one goes on from there. `images`, `files` and `settings` then say sizes alone. */
  readonly state?: SimulatedMcumgrState;
  /** Where file systems are, ["/lfs1"] by default. */
  readonly mounts?: readonly string[];
  /** Octets of all files together, 256 KiB by default, and of one piece of a download, as much as a buffer holds. */
  readonly fileCapacity?: number;
  readonly fileChunk?: number;
}

const NAMES = optionNames<SimulatedMcumgrDeviceOptions>({
  clock: true,
  bufSize: true,
  bufCount: true,
  images: true,
  sectorSize: true,
  mode: true,
  noDowngrade: true,
  accepts: true,
  eraseMsPerSector: true,
  writeMsPerKibibyte: true,
  progressiveErase: true,
  imageCheck: true,
  digestLength: true,
  denyConfirmOfOther: true,
  directUpload: true,
  omitFalse: true,
  processingMs: true,
  resetDelayMs: true,
  bootMs: true,
  mayReset: true,
  errors: true,
  alwaysRc: true,
  refusesFirstVersion: true,
  without: true,
  recovery: true,
  startInRecovery: true,
  application: true,
  statistics: true,
  shell: true,
  settings: true,
  settingsLimit: true,
  canSaveSettings: true,
  files: true,
  state: true,
  mounts: true,
  fileCapacity: true,
  fileChunk: true,
});
const IMAGE_NAMES = optionNames<SimulatedImageOptions>({ slotSize: true, primary: true, secondary: true });

export const MODES: readonly SimulatedBootloaderMode[] = [
  "single-application",
  "swap-scratch",
  "swap-move",
  "swap-offset",
  "overwrite-only",
  "direct-xip",
  "direct-xip-revert",
  "ram-load",
];

const WHAT = "SimulatedMcumgrDevice";

/** Options with what was not given, checked. */
export type CheckedDeviceOptions = Required<Omit<SimulatedMcumgrDeviceOptions, "recovery" | "images" | "without" | "state">> & {
  readonly state: SimulatedMcumgrState | undefined;
  readonly images: readonly {
    readonly slotSize: number;
    readonly primary: Uint8Array | "none";
    readonly secondary: Uint8Array | undefined;
  }[];
  readonly recovery: false | { readonly bufSize: number; readonly alignment: number; readonly without: ReadonlySet<string> };
  readonly without: ReadonlySet<string>;
};

/** @throws {ArgumentError} */
export function checkDeviceOptions(options: SimulatedMcumgrDeviceOptions): CheckedDeviceOptions {
  checkOptions(WHAT, options, NAMES);
  const integer = (name: keyof SimulatedMcumgrDeviceOptions, otherwise: number, min: number, max: number): number =>
    checkInteger(`${WHAT}: ${name}`, options[name] ?? otherwise, min, max);
  const ms = (name: keyof SimulatedMcumgrDeviceOptions, otherwise: number): number =>
    checkMilliseconds(`${WHAT}: ${name}`, options[name] ?? otherwise, 0, 3_600_000);
  const truth = (name: keyof SimulatedMcumgrDeviceOptions, otherwise: boolean): boolean => {
    checkBoolean(`${WHAT}: ${name}`, options[name]);
    return (options[name] as boolean | undefined) ?? otherwise;
  };
  for (const name of ["accepts", "mayReset", "shell"] as const) checkFunction(`${WHAT}: ${name}`, options[name]);
  const sectorSize = integer("sectorSize", 4096, 64, 1 << 20);
  const bufSize = integer("bufSize", 2475, 64, 0xffff);
  const mode = checkChoice(`${WHAT}: mode`, options.mode ?? "swap-move", MODES);
  const images = imagesOf(options.images ?? [{}], sectorSize);
  const { state } = options;
  if (state !== undefined) {
    const slots = mode === "single-application" ? 1 : 2;
    checkState(
      `${WHAT}: state`,
      state,
      images.map(({ slotSize }) => Array<number>(slots).fill(slotSize)),
    );
  }
  return {
    clock: options.clock ?? new SystemClock(),
    bufSize,
    bufCount: integer("bufCount", 4, 1, 256),
    images,
    sectorSize,
    mode,
    state,
    noDowngrade: truth("noDowngrade", false),
    accepts: options.accepts ?? (() => true),
    eraseMsPerSector: ms("eraseMsPerSector", 0),
    writeMsPerKibibyte: ms("writeMsPerKibibyte", 0),
    progressiveErase: truth("progressiveErase", false),
    imageCheck: truth("imageCheck", true),
    digestLength: integer("digestLength", 32, 1, 64),
    denyConfirmOfOther: truth("denyConfirmOfOther", false),
    directUpload: truth("directUpload", false),
    omitFalse: truth("omitFalse", false),
    processingMs: ms("processingMs", 0),
    resetDelayMs: ms("resetDelayMs", 250),
    bootMs: ms("bootMs", 100),
    mayReset: options.mayReset ?? (() => true),
    errors: checkChoice(`${WHAT}: errors`, options.errors ?? "by-version", ["by-version", "first-only"]),
    alwaysRc: truth("alwaysRc", false),
    refusesFirstVersion: truth("refusesFirstVersion", false),
    without: new Set(options.without),
    recovery: recoveryOf(options.recovery),
    startInRecovery: truth("startInRecovery", false),
    application: { ...DEFAULT_APPLICATION, ...options.application },
    statistics: options.statistics ?? {},
    shell: options.shell ?? DEFAULT_SHELL,
    settings: options.settings ?? {},
    settingsLimit: integer("settingsLimit", 64, 1, 0xffff),
    canSaveSettings: truth("canSaveSettings", true),
    files: options.files ?? {},
    mounts: options.mounts ?? ["/lfs1"],
    fileCapacity: integer("fileCapacity", 256 << 10, 0, 2 ** 31),
    fileChunk: integer("fileChunk", 0xffff, 1, 0xffff),
  };
}

function imagesOf(images: readonly SimulatedImageOptions[], sectorSize: number): CheckedDeviceOptions["images"] {
  if (!Array.isArray(images) || images.length === 0 || images.length > 8)
    throw new ArgumentError(`${WHAT}: images: expected a list of 1 to 8`);
  return images.map((image: SimulatedImageOptions, i) => {
    const what = `${WHAT}: images[${i}]`;
    checkOptions(what, image, IMAGE_NAMES);
    const slotSize = checkInteger(`${what}.slotSize`, image.slotSize ?? Math.max(512 << 10, 4 * sectorSize), 2 * sectorSize, 1 << 28);
    if (slotSize % sectorSize !== 0) throw new ArgumentError(`${what}.slotSize: expected a multiple of sectorSize, ${sectorSize}`);
    const { primary = createImage({ seed: i + 1 }), secondary } = image;
    if (primary !== "none") checkOctets(`${what}.primary`, primary, { maxLength: slotSize });
    if (secondary !== undefined) checkOctets(`${what}.secondary`, secondary, { maxLength: slotSize });
    return { slotSize, primary, secondary };
  });
}

function recoveryOf(recovery: SimulatedMcumgrDeviceOptions["recovery"]): CheckedDeviceOptions["recovery"] {
  if (recovery === false) return false;
  const { bufSize = 1024, alignment = 1, without = [] } = recovery ?? {};
  checkOptions(`${WHAT}: recovery`, recovery, new Set(["bufSize", "alignment", "without"]));
  return {
    bufSize: checkInteger(`${WHAT}: recovery.bufSize`, bufSize, 64, 0xffff),
    alignment: checkInteger(`${WHAT}: recovery.alignment`, alignment, 1, 256),
    without: new Set(without),
  };
}
