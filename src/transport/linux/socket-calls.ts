import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";
import { TransportError } from "../../hci/transport.ts";

/** The C library's functions that Node has no words for. Each returns what C returns: -1 is a failure, and `errno()` tells which. */
export interface LinuxCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(descriptor: number, address: Uint8Array, length: number): number;
  setsockopt(descriptor: number, level: number, name: number, value: Uint8Array, length: number): number;
  /** `length` has the buffer's before and the value's after. */
  getsockopt(descriptor: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  ioctl(descriptor: number, request: number, argument: number): number;
  read(descriptor: number, into: Uint8Array, length: number): number;
  write(descriptor: number, from: Uint8Array, length: number): number;
  /** struct pollfd for each of `count` descriptors; the time in milliseconds. Blocks the thread. */
  poll(descriptors: Uint8Array, count: number, timeoutMs: number): number;
  open(path: string, flags: number): number;
  close(descriptor: number): number;
  eventfd(initial: number, flags: number): number;
  socketpair(domain: number, type: number, protocol: number, into: Int32Array): number;
  errno(): number;
  /** Where a worker finds the FFI package. */
  readonly package: string;
}

/** The part of koffi that is used here. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: string[]): (...args: unknown[]) => unknown };
  errno(): number;
}

/**
 * Error numbers of Linux that have a meaning here, or that Node has another name for or none (asm-generic/errno.h; the same on every
 * architecture Node runs on but MIPS).
 */
export const Errno = Object.freeze({
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  EPIPE: 32,
  EBADFD: 77,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  ENETDOWN: 100,
  ENOBUFS: 105,
  ENOTCONN: 107,
  EALREADY: 114,
  ERFKILL: 132,
});

/** Flags of open, socket and eventfd; x86, ARM and RISC-V agree on them. */
export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

let loaded: LinuxCalls | undefined;

/**
 * Loads the optional FFI package on first use.
 *
 * @param user what needs it, for the message
 * @throws {TransportError} not Linux, or the package is missing
 */
export function loadLinuxCalls(user: string): LinuxCalls {
  loaded ??= loadLinuxCallsWith(user, createRequire(import.meta.url));
  return loaded;
}

/** The part of Node's `require` that is used here; the published types do without those of Node. */
export interface PackageLoader {
  (name: string): unknown;
  resolve(name: string): string;
}

/** As loadLinuxCalls, with the function that finds the package. */
export function loadLinuxCallsWith(user: string, require: PackageLoader): LinuxCalls {
  if (process.platform !== "linux") throw new TransportError("unsupported", `${user} works on Linux only, and this is ${process.platform}`);
  let koffi: Koffi;
  let path: string;
  try {
    path = require.resolve("koffi");
    koffi = require(path) as Koffi;
  } catch (cause) {
    throw new TransportError("missing-package", `${user} needs the package koffi, which does not load here: run "npm install koffi"`, {
      cause,
    });
  }
  const library = koffi.load(null);
  const declare = (name: string, result: string, ...parameters: string[]) => library.func(name, result, parameters);
  const calls = {
    socket: declare("socket", "int", "int", "int", "int"),
    bind: declare("bind", "int", "int", "void *", "unsigned int"),
    setsockopt: declare("setsockopt", "int", "int", "int", "int", "void *", "unsigned int"),
    getsockopt: declare("getsockopt", "int", "int", "int", "int", "void *", "void *"),
    ioctl: declare("ioctl", "int", "int", "unsigned long", "unsigned long"),
    read: declare("read", "long", "int", "void *", "size_t"),
    write: declare("write", "long", "int", "void *", "size_t"),
    poll: declare("poll", "int", "void *", "unsigned long", "int"),
    open: declare("open", "int", "str", "int"),
    close: declare("close", "int", "int"),
    eventfd: declare("eventfd", "int", "unsigned int", "int"),
    socketpair: declare("socketpair", "int", "int", "int", "int", "void *"),
    errno: () => koffi.errno(),
    package: path,
  };
  return calls as LinuxCalls;
}

/** A failed system call, in the form Node gives its own. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  constructor(syscall: string, errno: number) {
    const code = errnoName(errno);
    super(`${syscall}: ${code}`);
    this.name = "SystemError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** "ENETDOWN" for 100. */
export function errnoName(errno: number): string {
  return Object.entries(Errno).find(([, value]) => value === errno)?.[0] ?? getSystemErrorName(-errno);
}
