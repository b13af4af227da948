import { access, constants, readdir, readFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";

/** What the kernel's management interface says of itself and its adapters. */
export interface Management {
  /** Of the protocol: "1.22". */
  readonly version: string;
  readonly adapters: readonly { readonly index: number; readonly configured: boolean; readonly powered: boolean }[];
  /** Whether this process may change anything. */
  readonly privileged: boolean;
}

/** What `doctor` looks at; tests put another machine in its place. */
export interface Machine {
  readonly platform: string;
  readonly nodeVersion: string;
  readonly nodePath: string;
  readonly kernel: string;
  readonly isRoot: boolean;
  /** The file's text, `undefined` where it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Names in a folder; empty where there is none. */
  list(path: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  /** Whether this process may read and write it. */
  writable(path: string): Promise<boolean>;
  /** Loads the FFI package; the reason where it does not load. */
  ffi(): Promise<string | undefined>;
  bluetoothSocket(): Promise<"available" | "unsupported" | "denied" | { readonly error: string }>;
  /** @throws one sentence */
  management(): Promise<Management>;
}

const succeeds = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

/** The machine this process runs on. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    nodeVersion: process.versions.node,
    nodePath: process.execPath,
    kernel: release(),
    isRoot: process.getuid?.() === 0,
    read: (path) => readFile(path, "utf8").catch(() => undefined),
    list: (path) =>
      readdir(path).then(
        (names) => names.sort(byNumber),
        () => [],
      ),
    exists: (path) => succeeds(access(path, constants.F_OK)),
    writable: (path) => succeeds(access(path, constants.R_OK | constants.W_OK)),
    ffi: () =>
      import("koffi").then(
        () => undefined,
        (error: Error) => error.message.split("\n")[0],
      ),
    bluetoothSocket: async () => (await import("jelling/node")).probeBluetoothSocket(),
    management: readManagement,
  };
}

async function readManagement(): Promise<Management> {
  const { commands, hasBit, openMgmt, Settings } = await import("jelling/mgmt");
  await using mgmt = await openMgmt();
  const { version, revision } = await mgmt.readManagementVersionInformation();
  const { controllerIndexes } = await mgmt.readControllerIndexList();
  const unconfigured = await mgmt.readUnconfiguredControllerIndexList();
  const { commands: allowed } = await mgmt.readManagementSupportedCommands();
  const adapters = await Promise.all(
    controllerIndexes.map(async (index) => {
      const { currentSettings } = await mgmt.readControllerInformation(index);
      return { index, configured: true, powered: hasBit(Settings, currentSettings, "Powered") };
    }),
  );
  adapters.push(...unconfigured.controllerIndexes.map((index) => ({ index, configured: false, powered: false })));
  // The kernel lists what this socket may send.
  const privileged = allowed.includes(commands.setPowered.opcode);
  return { version: `${version}.${revision}`, adapters: adapters.sort((a, b) => a.index - b.index), privileged };
}

/** The radios that rfkill knows, of any kind, and what keeps each off: a switch or the firmware (hard), or software (soft). */
export async function radios(machine: Machine): Promise<{ name: string; type: string | undefined; block: "hard" | "soft" | undefined }[]> {
  return Promise.all(
    (await machine.list("/sys/class/rfkill")).map(async (entry) => {
      const file = async (name: string): Promise<string | undefined> => (await machine.read(`/sys/class/rfkill/${entry}/${name}`))?.trim();
      const block = (await file("hard")) === "1" ? "hard" : (await file("soft")) === "1" ? "soft" : undefined;
      return { name: (await file("name")) ?? entry, type: await file("type"), block };
    }),
  );
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** Adapters the kernel knows, in the order of their numbers. */
export async function adapterNames(machine: Pick<Machine, "list">): Promise<string[]> {
  return (await machine.list("/sys/class/bluetooth")).filter((name) => /^hci\d+$/.test(name));
}

/** Reads `KEY=value` lines. */
export function keyValues(text: string | undefined): Record<string, string> {
  return Object.fromEntries(
    (text ?? "").split("\n").flatMap((line) => (line.includes("=") ? [line.split(/=(.*)/s, 2) as [string, string]] : [])),
  );
}

/** Names of processes whose program has one of these names. */
export async function runningPrograms(machine: Machine, names: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const entry of await machine.list("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const name = (await machine.read(join("/proc", entry, "comm")))?.trim();
    if (name && names.includes(name)) found.add(name);
  }
  return [...found].sort();
}
