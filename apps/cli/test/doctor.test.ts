import { expect, test } from "vitest";
import { examine, type Finding } from "../src/checks.ts";
import { doctor } from "../src/commands/doctor.ts";
import { Context } from "../src/context.ts";
import type { Machine } from "../src/machine.ts";
import { fakeIo, jelling } from "./fake-io.ts";

interface Description {
  files?: Record<string, string>;
  folders?: Record<string, string[]>;
  writable?: string[];
  machine?: Partial<Machine>;
}

function machineOf({ files = {}, folders = {}, writable = [], machine = {} }: Description): Machine {
  return {
    platform: "linux",
    nodeVersion: "20.19.0",
    nodePath: "/usr/bin/node",
    kernel: "6.1.0",
    isRoot: false,
    read: (path) => Promise.resolve(files[path]),
    list: (path) => Promise.resolve(folders[path] ?? []),
    exists: (path) => Promise.resolve(path in files),
    writable: (path) => Promise.resolve(writable.includes(path)),
    ffi: () => Promise.resolve(undefined),
    bluetoothSocket: () => Promise.resolve("available"),
    management: () => Promise.resolve({ version: "1.22", adapters: [], privileged: true }),
    ...machine,
  };
}

const ALL_CAPABILITIES = "Name:\tnode\nCapEff:\t000001ffffffffff\n";
const laptop: Description = {
  files: {
    "/proc/self/status": ALL_CAPABILITIES,
    "/sys/class/bluetooth/hci0/device/uevent": "DRIVER=btusb\nPRODUCT=x\n",
    "/sys/class/rfkill/rfkill1/type": "bluetooth\n",
    "/sys/class/rfkill/rfkill1/name": "hci0\n",
    "/sys/class/rfkill/rfkill1/soft": "0\n",
    "/sys/class/rfkill/rfkill1/hard": "0\n",
    "/proc/77/comm": "bluetoothd\n",
    "/dev/vhci": "",
  },
  folders: { "/sys/class/bluetooth": ["hci0", "hci0:64"], "/sys/class/rfkill": ["rfkill0", "rfkill1"], "/proc": ["1", "77", "self"] },
  writable: ["/dev/vhci"],
};

function fixOf(findings: Finding[], check: string): Finding | undefined {
  return findings.find((finding) => finding.check === check && finding.fix !== undefined);
}

test("a machine that has everything has nothing to mend", async () => {
  const findings = await examine(machineOf(laptop));
  expect(findings.filter(({ fix }) => fix !== undefined)).toEqual([]);
  expect(findings.map(({ message }) => message)).toContain("hci0 (driver btusb): use --transport hci:0.");
  expect(findings.find(({ check }) => check === "bluetoothd")?.level).toBe("info");
});

test.each<[string, Description, string, string | undefined]>([
  ["an old Node", { machine: { nodeVersion: "18.19.1" } }, "node", "npx node@22 $(command -v jelling)"],
  ["no koffi", { machine: { ffi: () => Promise.resolve("Cannot find package") } }, "koffi", "npm install koffi"],
  [
    "a kernel module that is not loaded",
    {
      machine: { bluetoothSocket: () => Promise.resolve("unsupported") },
      files: { "/lib/modules/6.1.0/modules.dep": "kernel/net/bluetooth/bluetooth.ko: kernel/x.ko\n" },
    },
    "bluetooth-sockets",
    "sudo modprobe bluetooth",
  ],
  [
    "a container of another network than the machine's",
    {
      machine: { bluetoothSocket: () => Promise.resolve("unsupported") },
      files: { "/sys/module/bluetooth": "", "/lib/modules/6.1.0/modules.dep": "kernel/net/bluetooth/bluetooth.ko: kernel/x.ko\n" },
    },
    "bluetooth-sockets",
    undefined,
  ],
  ["a kernel without Bluetooth", { machine: { bluetoothSocket: () => Promise.resolve("unsupported") } }, "bluetooth-sockets", undefined],
  [
    "no capabilities",
    { files: { "/proc/self/status": "CapEff:\t0000000000000000\n" } },
    "capabilities",
    "sudo setcap cap_net_admin,cap_net_raw+eip /usr/bin/node",
  ],
  ["no adapter", {}, "adapters", undefined],
  [
    "a blocked adapter",
    {
      files: {
        "/sys/class/rfkill/rfkill0/type": "bluetooth\n",
        "/sys/class/rfkill/rfkill0/soft": "1\n",
        "/sys/class/rfkill/rfkill0/hard": "0\n",
      },
      folders: { "/sys/class/rfkill": ["rfkill0"] },
    },
    "rfkill",
    "sudo rfkill unblock bluetooth",
  ],
  [
    "no /dev/vhci, but its module",
    { files: { "/lib/modules/6.1.0/modules.dep": "kernel/drivers/bluetooth/hci_vhci.ko.xz:\n" } },
    "vhci",
    "sudo modprobe hci_vhci",
  ],
  ["no /dev/vhci at all", {}, "vhci", undefined],
  ["a closed /dev/vhci", { files: { "/dev/vhci": "" } }, "vhci", "sudo setfacl -m u:$USER:rw /dev/vhci"],
])("%s has its line", async (_name, description, check, fix) => {
  expect(fixOf(await examine(machineOf(description)), check)?.fix).toBe(fix);
});

test("the management interface tells its version, who may use it, and which adapters are on", async () => {
  const adapters = [
    { index: 0, configured: true, powered: true },
    { index: 1, configured: true, powered: false },
    { index: 2, configured: false, powered: false },
  ];
  const messagesOf = async (machine: Partial<Machine>) =>
    (await examine(machineOf({ machine }))).filter(({ check }) => check === "management").map(({ message }) => message);
  expect(await messagesOf({ management: () => Promise.resolve({ version: "1.22", adapters, privileged: false }) })).toEqual([
    "Management protocol 1.22; without CAP_NET_ADMIN jelling mgmt shows things and changes nothing.",
    "hci0 is on.",
    "hci1 is off.",
    "hci2 is not configured: jelling mgmt config -i 2 says what is missing.",
  ]);
  expect(await messagesOf({ management: () => Promise.reject(new Error("it timed out")) })).toEqual([
    "The management interface does not answer: it timed out.",
  ]);
  expect(await messagesOf({ bluetoothSocket: () => Promise.resolve("unsupported") })).toEqual([]);
});

test("a line that mends is one that changes the machine: looking at a simulated air is none", async () => {
  for (const machine of [{}, { platform: "darwin" }, { bluetoothSocket: () => Promise.resolve("unsupported") }] as Partial<Machine>[])
    for (const { fix, message } of await examine(machineOf({ machine }))) expect(fix ?? "sudo", message).toMatch(/^(sudo|npm|npx) ?/);
});

test("another system than Linux is told what works there", async () => {
  const findings = await examine(machineOf({ machine: { platform: "darwin" } }));
  expect(findings.map(({ check }) => check)).toEqual(["node", "platform", "adapters"]);
});

test("USB and serial ports are mentioned only where they exist", async () => {
  const findings = await examine(
    machineOf({
      files: {
        "/sys/bus/usb/devices/1-4/bDeviceClass": "e0\n",
        "/sys/bus/usb/devices/1-4/idVendor": "0a12\n",
        "/sys/bus/usb/devices/1-4/idProduct": "0001\n",
        "/sys/bus/usb/devices/1-5/bDeviceClass": "09\n",
        "/sys/bus/usb/devices/1-6/bDeviceClass": "e0\n",
        "/sys/bus/usb/devices/1-6/idVendor": "2357\n",
        "/sys/bus/usb/devices/1-6/idProduct": "0604\n",
        "/sys/bus/usb/devices/1-6/product": "TP-Link UB500\n",
        "/sys/bus/usb/devices/1-6/busnum": "1\n",
        "/sys/bus/usb/devices/1-6/devnum": "12\n",
        "/sys/bus/usb/devices/2-1/bDeviceClass": "e0\n",
        "/sys/bus/usb/devices/2-1/idVendor": "0a12\n",
        "/sys/bus/usb/devices/2-1/idProduct": "0001\n",
        "/sys/bus/usb/devices/2-1/busnum": "2\n",
        "/sys/bus/usb/devices/2-1/devnum": "3\n",
      },
      folders: { "/sys/bus/usb/devices": ["1-4", "1-5", "1-6", "2-1"], "/dev/serial/by-id": ["usb-Nordic_DK", "usb-Zephyr"] },
      writable: ["/dev/serial/by-id/usb-Zephyr", "/dev/bus/usb/002/003"],
    }),
  );
  expect(fixOf(findings, "usb")?.fix).toBe(
    `sudo sh -c 'echo "SUBSYSTEM==\\"usb\\", ATTR{idVendor}==\\"2357\\", ATTR{idProduct}==\\"0604\\", TAG+=\\"uaccess\\"" >> /etc/udev/rules.d/70-bluetooth-usb.rules; udevadm control --reload; udevadm trigger'`,
  );
  expect(findings.filter(({ check }) => check === "serial").map(({ fix }) => fix)).toEqual([
    "sudo usermod -aG dialout $USER, then log in again",
    undefined,
  ]);
  expect(findings.filter(({ check }) => check === "usb" || check === "serial").map(({ message }) => message)).toEqual([
    "USB 1-4 is a wireless controller: no name (0a12:0001).",
    "USB 1-6 is a wireless controller: TP-Link UB500 (2357:0604); this user may not open it by usb:1-6.",
    "USB 2-1 is a wireless controller: no name (0a12:0001): usb:2-1 opens it.",
    "Serial port /dev/serial/by-id/usb-Nordic_DK, which this user may not open.",
    "Serial port /dev/serial/by-id/usb-Zephyr: serial:/dev/serial/by-id/usb-Zephyr opens it.",
  ]);
});

test("the report fits 80 columns and ends with the verdict; JSON is one finding a line", async () => {
  for (const [description, verdict] of [
    [laptop, true],
    [{}, false],
  ] as const) {
    const io = fakeIo({ isTTY: true, env: { NO_COLOR: "1" } });
    {
      using context = new Context(io, { log: "warn" });
      await doctor(context, {}, machineOf(description));
    }
    for (const line of io.out.text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(io.out.text).toContain(verdict ? "A real adapter can be used." : "the simulated air works.");
    const json = fakeIo();
    {
      using context = new Context(json, { log: "warn", json: true });
      await doctor(context, {}, machineOf(description));
    }
    const lines = json.out.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({ check: "summary", realAdapter: verdict, simulatedAir: true });
  }
});

test("it succeeds on this machine, whatever it is", async () => {
  const { status, out, err } = await jelling("doctor --json");
  expect([status, err]).toEqual([0, ""]);
  for (const line of out.trim().split("\n"))
    expect(JSON.parse(line)).toMatchObject({ check: expect.any(String), message: expect.any(String) });
});
