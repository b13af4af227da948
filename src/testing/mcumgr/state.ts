import { checkChoice, checkInteger, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";

/** An upload of an application that is under way. */
export interface SimulatedUploadState {
  readonly image: number;
  readonly slot: number;
  /** Octets of the whole, and what has come of it. */
  readonly len: number;
  readonly off: number;
  /** Octets of the slot that are erased. */
  readonly erasedTo: number;
  readonly sha?: Uint8Array;
}

/** Everything that outlives a stretch in which the time of a simulated device stands still: its memory, and what it was about. */
export interface SimulatedMcumgrState {
  readonly running: "application" | "recovery" | "nothing";
  /** Of each image all octets of its slots, and the slot that runs. */
  readonly images: readonly { readonly slots: readonly Uint8Array[]; readonly active: number }[];
  readonly upload?: SimulatedUploadState;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Settings in the store, and as they are in use. */
  readonly settings: Readonly<Record<string, Uint8Array>>;
  readonly settingsInUse: Readonly<Record<string, Uint8Array>>;
}

const STATE = optionNames<SimulatedMcumgrState>({
  running: true,
  images: true,
  upload: true,
  files: true,
  settings: true,
  settingsInUse: true,
});
const IMAGE = optionNames<SimulatedMcumgrState["images"][number]>({ slots: true, active: true });
const UPLOAD = optionNames<SimulatedUploadState>({ image: true, slot: true, len: true, off: true, erasedTo: true, sha: true });

/**
 * A state that was kept, as it may come from a file that somebody changed.
 *
 * @param sizes octets of the slots of each image of the device that is to have it
 * @throws {ArgumentError} it is none, or that of a device with other slots
 */
export function checkState(what: string, state: SimulatedMcumgrState, sizes: readonly (readonly number[])[]): void {
  checkOptions(what, state, STATE);
  checkChoice(`${what}.running`, state.running, ["application", "recovery", "nothing"]);
  if (!Array.isArray(state.images) || state.images.length !== sizes.length)
    throw new ArgumentError(`${what}.images: expected a list of ${sizes.length}, as the device has images`);
  for (const [i, image] of (state.images as SimulatedMcumgrState["images"]).entries()) {
    checkOptions(`${what}.images[${i}]`, image, IMAGE);
    const own = sizes[i]!;
    if (!Array.isArray(image.slots) || image.slots.length !== own.length)
      throw new ArgumentError(`${what}.images[${i}].slots: expected a list of ${own.length}, as the device has slots`);
    for (const [slot, octets] of (image.slots as Uint8Array[]).entries()) {
      checkOctets(`${what}.images[${i}].slots[${slot}]`, octets, { maxLength: own[slot]! });
      if (octets.length !== own[slot]) throw new ArgumentError(`${what}.images[${i}].slots[${slot}]: expected ${own[slot]} octets`);
    }
    checkInteger(`${what}.images[${i}].active`, image.active, 0, own.length - 1);
  }
  for (const name of ["files", "settings", "settingsInUse"] as const) {
    const map: unknown = state[name];
    if (map === null || typeof map !== "object") throw new ArgumentError(`${what}.${name}: expected an object with octets`);
    for (const [key, octets] of Object.entries(map)) checkOctets(`${what}.${name} "${key}"`, octets as Uint8Array);
  }
  const { upload } = state;
  if (upload === undefined) return;
  checkOptions(`${what}.upload`, upload, UPLOAD);
  checkInteger(`${what}.upload.image`, upload.image, 0, sizes.length - 1);
  checkInteger(`${what}.upload.slot`, upload.slot, 0, sizes[upload.image]!.length - 1);
  const size = sizes[upload.image]![upload.slot]!;
  checkInteger(`${what}.upload.len`, upload.len, 1, size);
  checkInteger(`${what}.upload.off`, upload.off, 1, upload.len - 1);
  checkInteger(`${what}.upload.erasedTo`, upload.erasedTo, 0, size);
  if (upload.sha !== undefined) checkOctets(`${what}.upload.sha`, upload.sha, { maxLength: 64 });
}
