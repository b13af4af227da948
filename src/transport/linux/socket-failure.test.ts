import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { LinuxFolders } from "./folders.ts";
import { Errno, errnoName, SystemError } from "./socket-calls.ts";
import { describeFailure } from "./socket-failure.ts";

const root = mkdtempSync(join(tmpdir(), "jelling-failure-"));
const folders: LinuxFolders = { sys: join(root, "sys"), proc: join(root, "proc"), run: undefined };

function put(path: string, text: string): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), `${text}\n`);
}

afterEach(() => rmSync(root, { recursive: true, force: true }));

test.each([
  [
    "hci:0",
    Errno.EPERM,
    "permission",
    /^hci0 needs the right to administer the network \(CAP_NET_ADMIN\): run "sudo setcap cap_net_admin,cap_net_raw\+eip \//,
  ],
  ["hci:0", Errno.EACCES, "permission", /setcap/],
  ["hci:0", Errno.ENODEV, "not-found", /^there is no Bluetooth adapter hci0: there is none$/],
  ["hci:0", Errno.EBUSY, "busy", /^hci0 is busy: another program uses it/],
  ["hci:0", Errno.ERFKILL, "refused", /^hci0 is switched off: run "rfkill unblock bluetooth" or use the computer's switch$/],
  [
    "hci:0",
    Errno.EAFNOSUPPORT,
    "unsupported",
    /^hci0 cannot be opened, for Bluetooth is not loaded in this kernel, and no modules of it are to be seen: it takes another kernel, or in a container the machine's own/,
  ],
  ["hci:0", Errno.EIO, "io", /^hci0 cannot be opened \(bind: EIO\)$/],
  ["mgmt", Errno.EAFNOSUPPORT, "unsupported", /^the kernel's Bluetooth management cannot be opened, for Bluetooth is not/],
  ["mgmt", Errno.ENOMEM, "io", /^the kernel's Bluetooth management cannot be opened \(bind: ENOMEM\)$/],
  [
    "monitor",
    Errno.EPERM,
    "permission",
    /^the kernel's Bluetooth monitor needs the right to read the network raw \(CAP_NET_RAW\): run "sudo setcap/,
  ],
])("%s, errno %i is explained as %s, in one sentence", (spec, errno, reason, message) => {
  const error = describeFailure(spec, new SystemError("bind", errno), folders);
  expect(error).toMatchObject({ code: "ERR_TRANSPORT", reason });
  expect(error.message).toMatch(message);
  expect(error.cause).toMatchObject({ syscall: "bind", errno });
});

test("an adapter that is not there: the message says which are", () => {
  for (const index of [10, 2, 0]) mkdirSync(join(root, "sys/class/bluetooth", `hci${index}`), { recursive: true });
  mkdirSync(join(root, "sys/class/bluetooth/hci0:1"));
  expect(describeFailure("hci:7", new SystemError("bind", Errno.ENODEV), folders).message).toBe(
    "there is no Bluetooth adapter hci7: there is hci0, hci2, hci10",
  );
});

test.each([
  ["1", "0", 'hci1 is switched off: run "rfkill unblock bluetooth"'],
  ["1", "1", "hci1 is switched off: use the computer's switch, its function key or its firmware's settings, for no program can"],
])("blocked by rfkill (soft %s, hard %s): the message says what helps", (soft, hard, message) => {
  put("sys/class/rfkill/rfkill0/name", "phy0");
  put("sys/class/rfkill/rfkill0/hard", "1");
  put("sys/class/rfkill/rfkill4/name", "hci1");
  put("sys/class/rfkill/rfkill4/soft", soft);
  put("sys/class/rfkill/rfkill4/hard", hard);
  expect(describeFailure("hci:1", new SystemError("bind", Errno.ERFKILL), folders).message).toBe(message);
});

test("where there is none since the computer's Bluetooth is blocked, the message says so", () => {
  put("sys/class/rfkill/rfkill0/type", "wlan");
  put("sys/class/rfkill/rfkill0/hard", "1");
  put("sys/class/rfkill/rfkill1/type", "bluetooth");
  put("sys/class/rfkill/rfkill1/name", "a laptop's bluetooth");
  put("sys/class/rfkill/rfkill1/soft", "1");
  expect(describeFailure("hci:0", new SystemError("bind", Errno.ENODEV), folders).message).toBe(
    'there is no Bluetooth adapter hci0: there is none, and Bluetooth is switched off: run "rfkill unblock bluetooth"',
  );
});

test.each([
  ["kernel/net/bluetooth/bluetooth.ko.zst: kernel/x.ko", `the kernel's Bluetooth module is not loaded: run "sudo modprobe bluetooth"`],
  ["kernel/net/ipv4/x.ko:", "this kernel has no Bluetooth, neither built in nor as a module: it takes another kernel"],
  [
    "kernel/drivers/bluetooth/hci_uart.ko: kernel/net/bluetooth/bluetooth_6lowpan.ko",
    "this kernel has no Bluetooth, neither built in nor as a module: it takes another kernel",
  ],
])("a kernel whose modules are %s: modprobe is advised where there is something to load", (modules, why) => {
  put("modules/modules.dep", modules);
  const all = { ...folders, modules: join(root, "modules") };
  expect(describeFailure("hci:0", new SystemError("socket", Errno.EAFNOSUPPORT), all).message).toBe(`hci0 cannot be opened, for ${why}`);
});

test("a kernel that has Bluetooth and gives out no sockets means another network than the machine's", () => {
  put("sys/module/bluetooth/refcnt", "3");
  expect(describeFailure("mgmt", new SystemError("socket", Errno.EAFNOSUPPORT), folders).message).toBe(
    "the kernel's Bluetooth management cannot be opened, for Bluetooth belongs to the machine's own network, and this process is in another: start its container with the host's network",
  );
});

test.each([
  [100, "ENETDOWN"],
  [107, "ENOTCONN"],
  [90, "EMSGSIZE"],
  [77, "EBADFD"],
  [95, "EOPNOTSUPP"],
  [13, "EACCES"],
])("errno %i is %s", (errno, name) => {
  expect(errnoName(errno)).toBe(name);
});
