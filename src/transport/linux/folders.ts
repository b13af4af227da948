import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import type { KernelModules } from "./kernel-modules.ts";

/** Where a Linux system tells about itself, and where programs leave notes for each other. */
export interface LinuxFolders {
  readonly sys: string;
  readonly proc: string;
  /** Emptied when the machine starts; undefined when this user has none. */
  readonly run: string | undefined;
  /** Of the kernel that runs; undefined: not looked for. */
  readonly modules?: string | undefined;
}

/** The folders of this system: notes in /run for root, in XDG_RUNTIME_DIR for everybody else. */
export function systemFolders(): LinuxFolders {
  const run = process.getuid?.() === 0 ? "/run" : process.env.XDG_RUNTIME_DIR || undefined;
  return { sys: "/sys", proc: "/proc", run, modules: join("/lib/modules", release()) };
}

/** What these folders tell of the kernel's modules. */
export function kernelModules({ sys, modules }: LinuxFolders): KernelModules {
  return {
    hasBluetooth: existsSync(join(sys, "module/bluetooth")),
    modules: modules === undefined ? undefined : readText(modules, "modules.dep"),
  };
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

/** `soft`: by software, which software can undo; `hard`: by a switch or the firmware, which no program can. */
export type RfkillBlock = "soft" | "hard" | undefined;

/** How an adapter is blocked. */
export function rfkillBlock(folders: LinuxFolders, adapter: string): RfkillBlock {
  return blockOf(folders, (radio) => readText(radio, "name") === adapter);
}

/** How any Bluetooth radio is blocked. That of a whole computer may take its adapters away. */
export function bluetoothBlock(folders: LinuxFolders): RfkillBlock {
  return blockOf(folders, (radio) => readText(radio, "type") === "bluetooth");
}

function blockOf(folders: LinuxFolders, matches: (radio: string) => boolean): RfkillBlock {
  const blocks = namesIn(folders.sys, "class/rfkill")
    .map((name) => join(folders.sys, "class/rfkill", name))
    .filter(matches)
    .flatMap((radio) => (["hard", "soft"] as const).filter((kind) => readText(radio, kind) === "1"));
  return blocks.includes("hard") ? "hard" : blocks[0];
}
