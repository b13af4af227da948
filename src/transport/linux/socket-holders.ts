import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { type LinuxFolders, namesIn, readText } from "./folders.ts";

/** A running program. */
export interface RunningProgram {
  readonly pid: number;
  readonly name: string;
}

/** Whether there is more than one HCI socket: nobody else needs to be looked for when there is not. */
export function hasSeveralSockets({ proc }: LinuxFolders): boolean {
  return socketRows(proc).length > 1;
}

/** bluetoothd, where it runs. */
export function findDaemon({ proc }: LinuxFolders): RunningProgram | undefined {
  const pid = processes(proc).find((number) => readText(proc, String(number), "comm") === "bluetoothd");
  return pid === undefined ? undefined : { pid, name: "bluetoothd" };
}

/**
 * The programs with a Bluetooth HCI socket, of whichever channel, as far as this user may look into them. bluetoothd and this process
 * are not among them.
 */
export function findSocketHolders({ proc }: LinuxFolders): RunningProgram[] {
  const sockets = new Set(socketRows(proc).map((row) => `socket:[${row.trim().split(/\s+/)[5]}]`));
  if (sockets.size === 0) return [];
  return processes(proc).flatMap((pid) => {
    const folder = join(proc, String(pid), "fd");
    if (pid === process.pid || !namesIn(folder).some((name) => sockets.has(linkOf(join(folder, name))))) return [];
    const name = readText(proc, String(pid), "comm") ?? "a program";
    return name === "bluetoothd" ? [] : [{ pid, name }];
  });
}

/** The kernel's HCI sockets, a line each: sk RefCnt Rmem Wmem User Inode Parent. */
function socketRows(proc: string): string[] {
  return (readText(proc, "net/hci") ?? "").split("\n").slice(1);
}

function processes(proc: string): number[] {
  return namesIn(proc)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed by now
  }
}
