import { rm } from "node:fs/promises";
import { keptDevicePath } from "./kept-device.ts";
import type { Invocation } from "./session.ts";
import { folderOf } from "./simulated.ts";

/** Takes what was kept away: the next command finds a device as it left the factory. */
export async function renew({ context }: Invocation): Promise<void> {
  await rm(keptDevicePath(await folderOf(context)), { force: true });
  context.terminal.result(
    () => ({ renewed: true }),
    () => "the simulated device is new: version 1.0.0 runs",
  );
}
