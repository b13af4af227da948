import { access, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { TransportError } from "../../hci/transport.ts";
import type { FirmwareFiles } from "./start-up.ts";

/** Files of a folder such as /lib/firmware: by their names in the collection, or all in one. @throws {TransportError} one cannot be read */
export function firmwareFolder(folder: string): FirmwareFiles {
  return async (name) => {
    for (const path of [join(folder, name), join(folder, basename(name))]) {
      try {
        return new Uint8Array(await readFile(path));
      } catch (cause) {
        const { code = "", message } = cause as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ENOTDIR")
          throw new TransportError("io", `firmware ${path} cannot be read: ${message}`, { cause });
      }
      for (const [ending, unpack] of [
        [".zst", "unzstd"],
        [".xz", "unxz --keep"],
      ] as const)
        if (await isThere(path + ending))
          throw new TransportError(
            "io",
            `firmware ${path}${ending} is packed: "${unpack} ${path}${ending}" unpacks it (copy it to a folder of yours first)`,
          );
    }
    return undefined;
  };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
