import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "jelling/async";
import type { SimulatedMcumgrDevice, SimulatedMcumgrDeviceOptions, SimulatedMcumgrState } from "jelling/testing";
import { writeState } from "../../output-file.ts";

/** About as fast as the flash memory of a small controller: a person sees the progress, and can interrupt it. */
export const REAL_TIMES = { eraseMsPerSector: 5, writeMsPerKibibyte: 20 } as const;

/** What a simulated device has besides its image, to be looked at. */
export const FURNITURE: SimulatedMcumgrDeviceOptions = {
  files: { "/lfs1/hello.txt": new TextEncoder().encode("Hello from a simulated device.\n") },
  settings: { "device/name": new TextEncoder().encode("simulated") },
};

const OCTETS = "base64";

/** Octets stand in JSON as `{"base64": "…"}`. */
function textOf(state: SimulatedMcumgrState): string {
  return JSON.stringify(state, (_name, value: unknown) =>
    value instanceof Uint8Array ? { [OCTETS]: Buffer.from(value).toString(OCTETS) } : value,
  );
}

function stateOf(text: string): SimulatedMcumgrState {
  return JSON.parse(text, (_name, value: unknown) => {
    const octets = value !== null && typeof value === "object" ? (value as { [OCTETS]?: unknown })[OCTETS] : undefined;
    return typeof octets === "string" ? new Uint8Array(Buffer.from(octets, OCTETS)) : value;
  }) as SimulatedMcumgrState;
}

/** Where the simulated device of this user is kept. */
export function keptDevicePath(folder: string): string {
  return join(folder, "mcumgr.json");
}

/** The simulated device of this user. Disposing it keeps what it is for the next command: its time stands still in between. */
export interface KeptDevice extends AsyncDisposable {
  readonly device: SimulatedMcumgrDevice;
}

/** @param folder of what is simulated @param tell told where what was kept is of no use */
export async function openKeptDevice(folder: string, clock: Clock | undefined, tell: (sentence: string) => void): Promise<KeptDevice> {
  const { SimulatedMcumgrDevice: DeviceClass } = await import("jelling/testing");
  const path = keptDevicePath(folder);
  const options: SimulatedMcumgrDeviceOptions = { ...FURNITURE, ...REAL_TIMES, ...(clock && { clock }) };
  let device: SimulatedMcumgrDevice | undefined;
  try {
    device = new DeviceClass({ ...options, state: stateOf(await readFile(path, "utf8")) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      tell(`${path} cannot be used (${(error as Error).message}): the simulated device begins anew`);
  }
  const kept = device ?? new DeviceClass(options);
  return {
    device: kept,
    [Symbol.asyncDispose]: async () => await writeState(path, textOf(await kept.save())),
  };
}
