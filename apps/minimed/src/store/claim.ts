import { randomBytes } from "node:crypto";
import { closeSync, linkSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileError, PumpStoreError, systemCode } from "./error.ts";

// One process at a time may write the database. SQLite's own locks do not serve: the library's lock is a folder that a killed process leaves
// behind, and nothing tells whose it was. So an owner listens on a socket, which ends with its process however that ends, and says so in a
// numbered file. Who finds the highest number's owner dead makes the next number, which only one of several can; who then finds a higher one
// gives way. The highest file stays for ever, so that no number is ever made twice.

/** The right to write, until it is disposed of or the process ends. */
export type Claim = Disposable;

interface Owner {
  readonly host: string;
  /** Of the running kernel; "" where there is no such thing. */
  readonly boot: string;
  /** Name of a socket in the folder, or of a pipe; null where none could be made. */
  readonly socket: string | null;
  readonly pid: number;
  /** Process ids mean something within it; "" where there is no such thing. */
  readonly pidSpace: string;
}

/** Longest path of a socket that every system takes. */
const LONGEST_SOCKET_PATH = 100;
const ATTEMPTS = 50;

/** @throws {PumpStoreError} "ERR_PUMP_STORE_IN_USE" somebody else's, who is alive */
export async function claimStore(path: string): Promise<Claim> {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.owner.`;
  const nameOf = (number: number): string => join(folder, `${prefix}${number}`);
  const numbers = (): number[] =>
    readdirSync(folder)
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const present = numbers();
      const highest = present.at(-1) ?? 0;
      const holder = highest === 0 ? undefined : readOwner(nameOf(highest));
      if (holder) await refuseIfAlive(path, nameOf(highest), holder);
      const socketName = `.${basename(path)}.${randomBytes(6).toString("hex")}.socket`;
      const server = await listen(folder, socketName);
      const owner: Owner = { ...here(), socket: server ? socketName : null };
      const release = (): void => {
        server?.close();
        if (server) rmSync(join(folder, socketName), { force: true });
      };
      try {
        if (!create(nameOf(highest + 1), JSON.stringify(owner)) || numbers().at(-1) !== highest + 1) {
          release();
          continue; // somebody was faster: see who
        }
      } catch (error) {
        release();
        throw error;
      }
      for (const old of present) {
        const { socket } = readOwner(nameOf(old)) ?? {};
        if (typeof socket === "string" && basename(socket) === socket) rmSync(join(folder, socket), { force: true });
        rmSync(nameOf(old), { force: true });
      }
      return { [Symbol.dispose]: release };
    }
  } catch (error) {
    throw fileError(path, "say in its folder that the database is in use", error);
  }
  throw new PumpStoreError("ERR_PUMP_STORE_IN_USE", path, `${path}: too many programs want to open it at once`);
}

function here(): Omit<Owner, "socket"> {
  const from = (read: () => string): string => {
    try {
      return read().trim();
    } catch {
      return ""; // only Linux has it
    }
  };
  return {
    host: hostname(),
    boot: from(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
    pid: process.pid,
    pidSpace: from(() => readlinkSync("/proc/self/ns/pid")),
  };
}

/** undefined: unreadable, as a power failure leaves it. */
function readOwner(file: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as Partial<Owner> | null;
    return typeof owner?.host === "string" && typeof owner.boot === "string" && typeof owner.pid === "number"
      ? (owner as Owner)
      : undefined;
  } catch {
    return undefined;
  }
}

async function refuseIfAlive(path: string, file: string, owner: Owner): Promise<void> {
  const inUse = (text: string): never => {
    throw new PumpStoreError("ERR_PUMP_STORE_IN_USE", path, `${path}: ${text}`);
  };
  const us = here();
  const sameKernel = owner.boot === us.boot && (us.boot !== "" || owner.host === us.host);
  if (!sameKernel) {
    if (owner.host === us.host) return; // this machine has started anew since
    return inUse(`another computer ("${owner.host}") may have it open; if it has not, delete ${file}`);
  }
  if (typeof owner.socket === "string") {
    if (!(await answers(dirname(path), owner.socket))) return;
  } else if (owner.pidSpace === us.pidSpace && !isRunning(owner.pid)) return;
  inUse(owner.pid === us.pid && owner.pidSpace === us.pidSpace ? "this program has it open already" : `process ${owner.pid} has it open`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM"; // somebody else's process
  }
}

/** Makes a file that is there with its whole content or not at all. False: there is one of that name. */
function create(file: string, content: string): boolean {
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(temporary, content, { flag: "wx", mode: 0o600 });
    linkSync(temporary, file);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(systemCode(error) ?? "")) throw error;
    return createWithoutLinks(file, content);
  } finally {
    rmSync(temporary, { force: true });
  }
  return true;
}

/** Where a file system has no links. */
function createWithoutLinks(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Where a socket of that name is reached. Linux takes a long path by way of its folder. */
async function withAddress<T>(folder: string, name: string, act: (address: string) => Promise<T>): Promise<T> {
  if (process.platform === "win32") return act(`\\\\.\\pipe\\jelling${name}`);
  const direct = join(folder, name);
  if (Buffer.byteLength(direct) <= LONGEST_SOCKET_PATH || process.platform !== "linux") return act(direct);
  const descriptor = openSync(folder, "r");
  try {
    return await act(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}

/** undefined: no socket can be made there. */
function listen(folder: string, name: string): Promise<Server | undefined> {
  return withAddress(
    folder,
    name,
    (address) =>
      new Promise((resolve) => {
        const server = createServer((socket) => socket.destroy());
        server.unref(); // it keeps no program running
        server.once("error", () => resolve(undefined));
        server.listen(address, () => resolve(server));
      }),
  );
}

function answers(folder: string, name: string): Promise<boolean> {
  return withAddress(
    folder,
    name,
    (address) =>
      new Promise((resolve) => {
        const socket = connect(address);
        socket.once("connect", () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(systemCode(error) ?? "")));
      }),
  );
}
