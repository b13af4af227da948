import { realpathSync } from "node:fs";
import { TransportError } from "../../hci/transport.ts";
import {
  adapterIndices,
  bluetoothBlock,
  kernelModules,
  type LinuxFolders,
  type RfkillBlock,
  rfkillBlock,
  systemFolders,
} from "./folders.ts";
import { whyNoBluetooth } from "./kernel-modules.ts";
import { Errno, type SystemError } from "./socket-calls.ts";

/** What a system call's failure means to the user, and what helps. @param spec what is opened: `hci:0`, `mgmt`, `monitor` */
export function describeFailure(spec: string, error: SystemError, folders: LinuxFolders = systemFolders()): TransportError {
  const adapter = /^hci:(\d+)$/.exec(spec)?.[1];
  const name = nameOf(spec, adapter);
  const fail = (reason: TransportError["reason"], message: string) => new TransportError(reason, message, { cause: error });
  switch (error.errno) {
    case Errno.EPERM:
    case Errno.EACCES:
      return fail("permission", `${name} needs the right to ${spec === "monitor" ? RAW : ADMINISTER}: ${grantLine()}`);
    case Errno.ENODEV:
      return adapter === undefined ? fail("not-found", `${name} is not there`) : describeMissing(Number(adapter), folders, error);
    case Errno.EBUSY:
      return fail("busy", `${name} is busy: another program uses it, or the kernel could not set it up`);
    case Errno.ERFKILL:
      return fail("refused", `${name} is switched off: ${switchOn(rfkillBlock(folders, name))}`);
    case Errno.EAFNOSUPPORT:
    case Errno.EPROTONOSUPPORT: {
      const { problem, advice } = whyNoBluetooth(kernelModules(folders));
      return fail("unsupported", `${name} cannot be opened, for ${problem}: ${advice}`);
    }
    default:
      return fail("io", `${name} cannot be opened (${error.message})`);
  }
}

const ADMINISTER = "administer the network (CAP_NET_ADMIN)";
const RAW = "read the network raw (CAP_NET_RAW)";

function nameOf(spec: string, adapter: string | undefined): string {
  if (adapter !== undefined) return `hci${adapter}`;
  if (spec === "mgmt") return "the kernel's Bluetooth management";
  return spec === "monitor" ? "the kernel's Bluetooth monitor" : spec;
}

/** No such adapter: which there are instead. */
export function describeMissing(index: number, folders: LinuxFolders, cause?: unknown): TransportError {
  const present = adapterIndices(folders).map((n) => `hci${n}`);
  const block = bluetoothBlock(folders);
  const none = block ? `there is none, and Bluetooth is switched off: ${switchOn(block)}` : "there is none";
  const there = present.length === 0 ? none : `there is ${present.join(", ")}`;
  return new TransportError("not-found", `there is no Bluetooth adapter hci${index}: ${there}`, { cause });
}

/** What unblocks a radio. */
export function switchOn(block: RfkillBlock): string {
  if (block === "soft") return `run "rfkill unblock bluetooth"`;
  if (block === "hard") return "use the computer's switch, its function key or its firmware's settings, for no program can";
  return `run "rfkill unblock bluetooth" or use the computer's switch`;
}

/** The line that gives this Node the capabilities. It concerns the file, so a link must be followed. */
export function grantLine(): string {
  return `run "sudo setcap cap_net_admin,cap_net_raw+eip ${realpathSync(process.execPath)}", or run as root`;
}
