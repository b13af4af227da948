import { scan as scanAll } from "../scan.ts";
import type { Invocation } from "./session.ts";

/** Devices that advertise the service; some serve it without saying so. */
export async function scan({ context }: Invocation): Promise<void> {
  const { MCUMGR_SERVICE } = await import("jelling/mcumgr");
  await scanAll(context, { service: [MCUMGR_SERVICE.toString()] });
}
