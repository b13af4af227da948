import { join } from "node:path";
import type { Clock } from "jelling/async";
import type { OpenMcumgrLink } from "jelling/mcumgr";
import type { SimulatedMcumgrDevice } from "jelling/testing";
import type { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { openKeptDevice } from "./kept-device.ts";

/** Of what is simulated. */
export async function folderOf(context: Context): Promise<string> {
  const { stateFolder } = await import("jelling/node");
  return join(stateFolder(context.io.env), "sim");
}

/** The device of `-t sim:`, in this process. */
export async function openSimulated(context: Context, closing: Closing): Promise<{ open: OpenMcumgrLink; clock?: Clock }> {
  const { createMemoryLinks } = await import("jelling/mcumgr");
  const { clock } = context.io;
  const kept = await openKeptDevice(await folderOf(context), clock, (sentence) => context.terminal.note(sentence));
  closing.add(() => kept[Symbol.asyncDispose]());
  return { open: openerTo(kept.device, createMemoryLinks), ...(clock && { clock }) };
}

function openerTo(device: SimulatedMcumgrDevice, createLinks: typeof import("jelling/mcumgr").createMemoryLinks): OpenMcumgrLink {
  return () => {
    const links = createLinks({ provenLimit: 256 });
    device.attach(links.server);
    return Promise.resolve(links.client);
  };
}
