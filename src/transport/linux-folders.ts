import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where a Linux system tells about itself, and where programs leave notes for each other. */
export interface LinuxFolders {
  readonly sys: string;
  readonly proc: string;
  /** Emptied when the machine starts; undefined when this user has none. */
  readonly run: string | undefined;
}

/** The folders of this system: notes in /run for root, in XDG_RUNTIME_DIR for everybody else. */
export function systemFolders(): LinuxFolders {
  const run = process.getuid?.() === 0 ? "/run" : process.env.XDG_RUNTIME_DIR || undefined;
  return { sys: "/sys", proc: "/proc", run };
}

/** A file's text without the white space around it; undefined when it cannot be read. Files of /proc and /sys vanish at any time. */
export function readText(...path: string[]): string | undefined {
  try {
    return readFileSync(join(...path), "utf8").trim();
  } catch {
    return undefined;
  }
}

/** What a folder has in it; nothing when it cannot be read. */
export function namesIn(...path: string[]): string[] {
  try {
    return readdirSync(join(...path)).sort();
  } catch {
    return [];
  }
}

/** Whether the kernel has the adapter, in whoever's hands. */
export function adapterExists(folders: LinuxFolders, index: number): boolean {
  return existsSync(join(folders.sys, "class/bluetooth", `hci${index}`));
}

/** The indices of all adapters, in order. */
export function adapterIndices(folders: LinuxFolders): number[] {
  return namesIn(folders.sys, "class/bluetooth")
    .flatMap((name) => /^hci(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** How an adapter is blocked: by software, or by a switch or the firmware, which no program can undo. */
export function rfkillBlock(folders: LinuxFolders, name: string): "soft" | "hard" | undefined {
  const radios = join(folders.sys, "class/rfkill");
  for (const radio of namesIn(radios)) {
    if (readText(radios, radio, "name") !== name) continue;
    if (readText(radios, radio, "hard") === "1") return "hard";
    if (readText(radios, radio, "soft") === "1") return "soft";
  }
  return undefined;
}
