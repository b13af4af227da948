import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "jelling/async";
import type { OpenMcumgrLink } from "jelling/mcumgr";
import type { SimulatedMcumgrDevice, SimulatedMcumgrDeviceOptions } from "jelling/testing";
import type { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";

/** About as fast as the flash memory of a small controller: a person sees the progress, and can interrupt it. */
export const REAL_TIMES = { eraseMsPerSector: 5, writeMsPerKibibyte: 20 } as const;

/** What a simulated device has besides its image, to be looked at. */
export const FURNITURE: SimulatedMcumgrDeviceOptions = {
  files: { "/lfs1/hello.txt": new TextEncoder().encode("Hello from a simulated device.\n") },
  settings: { "device/name": new TextEncoder().encode("simulated") },
};

async function kept(path: string): Promise<Uint8Array | undefined> {
  return await readFile(path).then(
    (octets) => new Uint8Array(octets),
    () => undefined,
  );
}

/**
 * The device of `-t sim:`, in this process. What is in its slots is kept from one command to the next, as if its power had gone in between.
 */
export async function openSimulated(context: Context, closing: Closing): Promise<{ open: OpenMcumgrLink; clock?: Clock }> {
  const [{ stateFolder }, { SimulatedMcumgrDevice: DeviceClass }, { createMemoryLinks }] = await Promise.all([
    import("jelling/node"),
    import("jelling/testing"),
    import("jelling/mcumgr"),
  ]);
  const folder = join(stateFolder(context.io.env), "sim");
  const paths = [0, 1].map((slot) => join(folder, `mcumgr-slot-${slot}.bin`));
  const [primary, secondary] = await Promise.all(paths.map(kept));
  const image = { ...(primary && { primary }), ...(secondary && { secondary }) };
  const { clock } = context.io;
  const device = new DeviceClass({ ...FURNITURE, ...REAL_TIMES, ...(clock && { clock }), images: [image] });
  if (primary !== undefined) await device.reset();
  closing.add(async () => {
    const slots = [0, 1].map((slot) => device.slot(0, slot).octets);
    await device[Symbol.asyncDispose]();
    await mkdir(folder, { recursive: true });
    await Promise.all(slots.map((octets, slot) => writeFile(paths[slot]!, octets)));
  });
  return { open: openerTo(device, createMemoryLinks), ...(clock && { clock }) };
}

function openerTo(device: SimulatedMcumgrDevice, createLinks: typeof import("jelling/mcumgr").createMemoryLinks): OpenMcumgrLink {
  return () => {
    const links = createLinks({ provenLimit: 256 });
    device.attach(links.server);
    return Promise.resolve(links.client);
  };
}
