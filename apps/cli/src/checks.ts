import { adapterNames, keyValues, type Machine, radios, runningPrograms } from "./machine.ts";

/** `ok`: there; `warning`: something will not work; `error`: nothing of the kind works; `info`: a fact. */
export type Level = "ok" | "warning" | "error" | "info";

/** What one look at the machine found. */
export interface Finding {
  readonly check: string;
  readonly level: Level;
  /** One sentence. */
  readonly message: string;
  /** The line that mends it, to be typed as it is. */
  readonly fix?: string;
}

const OLDEST_NODE = [20, 19] as const;
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;

function nodeVersion({ nodeVersion: version }: Machine): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  return isOld
    ? { check: "node", level: "error", message: `Node ${version} is older than 20.19.`, fix: "npx node@22 $(command -v jelling)" }
    : { check: "node", level: "ok", message: `Node ${version}.` };
}

async function ffi(machine: Machine): Promise<Finding> {
  const problem = await machine.ffi();
  return problem === undefined
    ? { check: "koffi", level: "ok", message: "The package koffi loads; hci:N and vhci: need it." }
    : { check: "koffi", level: "error", message: "The package koffi does not load; hci:N and vhci: need it.", fix: "npm install koffi" };
}

async function sockets(machine: Machine): Promise<Finding> {
  const check = "bluetooth-sockets";
  const result = await machine.bluetoothSocket();
  if (result === "available") return { check, level: "ok", message: `Linux ${machine.kernel} gives out Bluetooth sockets.` };
  if (result === "denied")
    return { check, level: "error", message: "This process may not open Bluetooth sockets.", fix: capabilityLine(machine) };
  if (result !== "unsupported") return { check, level: "error", message: `Opening a Bluetooth socket failed with ${result.error}.` };
  const { whyNoBluetooth } = await import("jelling/node");
  const hasBluetooth = await machine.exists("/sys/module/bluetooth");
  const { problem, advice, fix } = whyNoBluetooth({ hasBluetooth, modules: await modulesOf(machine) });
  if (fix !== undefined) return { check, level: "error", message: `${sentence(problem)}.`, fix };
  return { check, level: "error", message: `${sentence(problem)}; hci:N does not work, sim:, tcp: and unix: do: ${advice}.` };
}

const modulesOf = (machine: Machine): Promise<string | undefined> => machine.read(`/lib/modules/${machine.kernel}/modules.dep`);
const sentence = (clause: string): string => clause.charAt(0).toUpperCase() + clause.slice(1);

function capabilityLine({ nodePath }: Machine): string {
  return `sudo setcap cap_net_admin,cap_net_raw+eip ${/\s/.test(nodePath) ? `"${nodePath}"` : nodePath}`;
}

async function capabilities(machine: Machine): Promise<Finding> {
  const text = /^CapEff:\s*([0-9a-f]+)/m.exec((await machine.read("/proc/self/status")) ?? "")?.[1];
  const effective = text ? BigInt(`0x${text}`) : 0n;
  const missing = [
    ["CAP_NET_ADMIN", CAP_NET_ADMIN],
    ["CAP_NET_RAW", CAP_NET_RAW],
  ].flatMap(([name, bit]) => ((effective >> BigInt(bit as number)) & 1n ? [] : [name as string]));
  const check = "capabilities";
  if (missing.length === 0) return { check, level: "ok", message: "This process has CAP_NET_ADMIN and CAP_NET_RAW; hci:N needs them." };
  return { check, level: "warning", message: `This process lacks ${missing.join(" and ")}; hci:N needs it.`, fix: capabilityLine(machine) };
}

async function adapters(machine: Machine): Promise<Finding[]> {
  const names = await adapterNames(machine);
  if (names.length === 0)
    return [
      {
        check: "adapters",
        level: "warning",
        message: "The kernel knows no Bluetooth adapter: hci:N needs one that is plugged in and has a driver.",
      },
    ];
  return Promise.all(
    names.map(async (name) => {
      const folder = `/sys/class/bluetooth/${name}`;
      const address = (await machine.read(`${folder}/address`))?.trim();
      const driver = keyValues(await machine.read(`${folder}/device/uevent`)).DRIVER;
      const details = [address, driver && `driver ${driver}`].filter(Boolean).join(", ");
      return {
        check: "adapters",
        level: "ok" as const,
        message: `${name}${details ? ` (${details})` : ""}: use --transport hci:${name.slice(3)}.`,
      };
    }),
  );
}

/** The management interface, its adapters and their power; who may use it. */
async function management(machine: Machine): Promise<Finding[]> {
  const check = "management";
  try {
    const { version, adapters: known, privileged } = await machine.management();
    const rights = privileged
      ? "this process may change all of it with jelling mgmt"
      : "without CAP_NET_ADMIN jelling mgmt shows things and changes nothing";
    const state = ({ configured, powered }: (typeof known)[number]): string => (configured ? (powered ? "on" : "off") : "not configured");
    return [
      { check, level: "ok", message: `Management protocol ${version}; ${rights}.` },
      ...known.map((adapter): Finding => {
        const missing = adapter.configured ? "" : `: jelling mgmt config -i ${adapter.index} says what is missing`;
        return { check, level: "info", message: `hci${adapter.index} is ${state(adapter)}${missing}.` };
      }),
    ];
  } catch (error) {
    return [
      {
        check,
        level: "error",
        message: `The management interface does not answer: ${error instanceof Error ? error.message : String(error)}.`,
      },
    ];
  }
}

async function rfkill(machine: Machine): Promise<Finding[]> {
  const check = "rfkill";
  return (await radios(machine))
    .filter(({ type }) => type === "bluetooth")
    .map(({ name, block }): Finding => {
      if (block === "hard") return { check, level: "error", message: `${name} is switched off by a switch or key of the machine.` };
      if (block === "soft")
        return { check, level: "error", message: `${name} is blocked by rfkill.`, fix: "sudo rfkill unblock bluetooth" };
      return { check, level: "ok", message: `${name} is not blocked by rfkill.` };
    });
}

async function daemon(machine: Machine): Promise<Finding[]> {
  const running = await runningPrograms(machine, ["bluetoothd"]);
  if (running.length === 0) return [];
  return [
    {
      check: "bluetoothd",
      level: "info",
      message: "bluetoothd is running; while jelling uses hci:N that adapter is taken from it, and given back at the end.",
    },
  ];
}

async function vhci(machine: Machine): Promise<Finding> {
  const check = "vhci";
  const { VHCI_GRANT, whyNoVhci } = await import("jelling/node");
  if (!(await machine.exists("/dev/vhci"))) {
    const { problem, fix } = whyNoVhci({ modules: await modulesOf(machine) });
    return { check, level: "info", message: `${sentence(problem)}; only sim --vhci needs it.`, ...(fix === undefined ? {} : { fix }) };
  }
  if (!(await machine.writable("/dev/vhci")))
    return {
      check,
      level: "info",
      message: "This user may not open /dev/vhci; only sim --vhci needs it.",
      fix: VHCI_GRANT,
    };
  return { check, level: "ok", message: "/dev/vhci can be opened: sim --vhci works." };
}

const SERIAL_GRANT = "sudo usermod -aG dialout $USER, then log in again";

/** A rule that gives the user at the machine the device, at once. */
function usbGrant(id: string): string {
  const [vendor, product] = id.split(":");
  const rule = `SUBSYSTEM==\\"usb\\", ATTR{idVendor}==\\"${vendor}\\", ATTR{idProduct}==\\"${product}\\", TAG+=\\"uaccess\\"`;
  return `sudo sh -c 'echo "${rule}" >> /etc/udev/rules.d/70-bluetooth-usb.rules; udevadm control --reload; udevadm trigger'`;
}

/** Bluetooth adapters on USB and serial ports: what exists, nothing else. */
async function hardware(machine: Machine): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const entry of await machine.list("/sys/bus/usb/devices")) {
    const folder = `/sys/bus/usb/devices/${entry}`;
    const [deviceClass, product] = await Promise.all([machine.read(`${folder}/bDeviceClass`), machine.read(`${folder}/product`)]);
    if (deviceClass?.trim() !== "e0") continue; // Wireless Controller
    const [vendorId, productId] = await Promise.all([machine.read(`${folder}/idVendor`), machine.read(`${folder}/idProduct`)]);
    const id = `${vendorId?.trim()}:${productId?.trim()}`;
    const message = `USB ${entry} is a wireless controller: ${product?.trim() ?? "no name"} (${id})`;
    const [bus, device] = await Promise.all(["busnum", "devnum"].map(async (file) => (await machine.read(`${folder}/${file}`))?.trim()));
    const node = bus && device ? `/dev/bus/usb/${bus.padStart(3, "0")}/${device.padStart(3, "0")}` : undefined;
    if (node === undefined) findings.push({ check: "usb", level: "info", message: `${message}.` });
    else if (await machine.writable(node)) findings.push({ check: "usb", level: "info", message: `${message}: usb:${entry} opens it.` });
    else
      findings.push({ check: "usb", level: "info", message: `${message}; this user may not open it by usb:${entry}.`, fix: usbGrant(id) });
  }
  for (const name of await machine.list("/dev/serial/by-id")) {
    const port = `/dev/serial/by-id/${name}`;
    const message = `Serial port ${port}`;
    if (await machine.writable(port)) findings.push({ check: "serial", level: "info", message: `${message}: serial:${port} opens it.` });
    else findings.push({ check: "serial", level: "info", message: `${message}, which this user may not open.`, fix: SERIAL_GRANT });
  }
  return findings;
}

/** Everything worth knowing about a machine, what is missing last to be overlooked. */
export async function examine(machine: Machine): Promise<Finding[]> {
  const platform: Finding = { check: "platform", level: "ok", message: `${platformName(machine.platform)}.` };
  const findings = [nodeVersion(machine), platform];
  if (machine.platform !== "linux") {
    return [
      ...findings,
      {
        check: "adapters",
        level: "info",
        message:
          "The system's own adapter can be used on Linux only (hci:N); usb: (jelling adapters lists them), serial:, ws:, tcp: and sim: work here.",
      },
    ];
  }
  const koffi = await ffi(machine);
  findings.push(koffi);
  if (koffi.level === "ok") {
    const available = await sockets(machine);
    findings.push(available);
    if (available.level === "ok") findings.push(...(await management(machine)));
  }
  findings.push(await capabilities(machine), ...(await adapters(machine)), ...(await rfkill(machine)), ...(await daemon(machine)));
  findings.push(await vhci(machine), ...(await hardware(machine)));
  return findings;
}

function platformName(platform: string): string {
  return { linux: "Linux", darwin: "macOS", win32: "Windows" }[platform] ?? platform;
}
