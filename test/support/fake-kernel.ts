import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  commands,
  decodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  events,
  Settings,
  Status,
} from "../../src/mgmt-protocol/index.ts";
import type { LinuxFolders } from "../../src/transport/linux/folders.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "../../src/transport/linux/socket-calls.ts";

const HCIDEVUP = 0x400448c9;

export type SettingName = keyof typeof Settings;

export function settingsWord(...names: SettingName[]): number {
  return names.reduce((word, name) => word | (1 << Settings[name]), 0);
}

/** What a dual-mode adapter supports. */
export const dualMode = settingsWord(
  ...(["Powered", "Connectable", "FastConnectable", "Discoverable", "Bondable", "LinkSecurity", "SecureSimplePairing", "BREDR"] as const),
  ...(["LowEnergy", "Advertising", "SecureConnections", "DebugKeys", "Privacy", "StaticAddress", "WidebandSpeech"] as const),
);

const settingOf: Readonly<Record<string, SettingName>> = {
  SetPowered: "Powered",
  SetConnectable: "Connectable",
  SetFastConnectable: "FastConnectable",
  SetDiscoverable: "Discoverable",
  SetBondable: "Bondable",
  SetLinkSecurity: "LinkSecurity",
  SetSecureSimplePairing: "SecureSimplePairing",
  SetBREDR: "BREDR",
  SetHighSpeed: "HighSpeed",
  SetLowEnergy: "LowEnergy",
  SetAdvertising: "Advertising",
  SetSecureConnections: "SecureConnections",
  SetDebugKeys: "DebugKeys",
  SetWidebandSpeech: "WidebandSpeech",
};

/** One adapter as the kernel sees it: what each settings command does and when it is refused (Linux 6.1). */
export class FakeAdapter {
  readonly address: string;
  supported = dualMode;
  current: number;
  /** Whether Discoverable has a time limit, which power-off ends. */
  timed = false;
  blocked = false;
  /** A program has it by a user channel; `ours` while it was bound here. */
  taken: "free" | "ours" | "foreign" = "free";

  constructor(address: string, ...settings: SettingName[]) {
    this.address = address;
    this.current = settingsWord(...settings);
  }

  has(name: SettingName): boolean {
    return ((this.current >>> Settings[name]) & 1) === 1;
  }

  clear(...names: SettingName[]): void {
    for (const name of names) this.current &= ~(1 << Settings[name]);
  }

  /** Carries out a settings command. Returns its status. */
  set(name: SettingName, value: number, seconds = 0): number {
    const on = value !== 0;
    const refused = this.#refusal(name, on, seconds);
    if (refused !== undefined) return refused;
    if (name === "Powered" && !on && this.timed) {
      this.clear("Discoverable");
      this.timed = false;
    }
    if (name === "Discoverable") this.timed = on && seconds > 0;
    if (name === "Connectable" && !on) this.clear("Discoverable");
    if (name === "LowEnergy" && !on) this.clear("Advertising");
    if (name === "SecureSimplePairing" && !on) this.clear("HighSpeed");
    if (name === "BREDR" && !on) this.clear("Discoverable", "SecureSimplePairing", "LinkSecurity", "FastConnectable", "HighSpeed");
    if (on) this.current |= 1 << Settings[name];
    else this.clear(name);
    return Status.Success;
  }

  #refusal(name: SettingName, on: boolean, seconds: number): number | undefined {
    const changes = this.has(name) !== on;
    const noRadio = !this.has("LowEnergy") && !this.has("BREDR");
    if (((this.supported >>> Settings[name]) & 1) === 0) return Status.NotSupported;
    switch (name) {
      case "Powered":
        return on && this.blocked ? Status.Failed : undefined;
      case "Discoverable":
        if (noRadio || (on && !this.has("Connectable"))) return Status.Rejected;
        return seconds > 0 && !this.has("Powered") ? Status.NotPowered : undefined;
      case "Connectable":
        return noRadio ? Status.Rejected : undefined;
      case "FastConnectable":
        return this.has("BREDR") ? undefined : Status.NotSupported;
      case "LinkSecurity":
      case "SecureSimplePairing":
        return this.has("BREDR") ? undefined : Status.Rejected;
      case "SecureConnections":
        return this.has("BREDR") && !this.has("SecureSimplePairing") ? Status.Rejected : undefined;
      case "LowEnergy":
        return !this.has("BREDR") && !on ? Status.Rejected : undefined;
      case "Advertising":
        return this.has("LowEnergy") ? undefined : Status.Rejected;
      case "BREDR":
        if (!this.has("LowEnergy")) return Status.Rejected;
        return changes && this.has("Powered") ? Status.Rejected : undefined;
      case "WidebandSpeech":
        return changes && this.has("Powered") ? Status.Rejected : undefined;
      default:
        return undefined;
    }
  }
}

/** Does what a kernel with a few adapters would do. Its sockets are real pairs of which it holds the far ends; its folders are its own. */
export class FakeKernel implements Disposable {
  readonly log: string[] = [];
  readonly adapters = new Map<number, FakeAdapter>();
  readonly #real = loadLinuxCalls("test");
  readonly #root = mkdtempSync(join(tmpdir(), "jelling-kernel-"));
  readonly folders: LinuxFolders = { sys: join(this.#root, "sys"), proc: "/proc", run: join(this.#root, "run") };
  readonly #far = new Map<number, number>();
  readonly #control = new Set<number>();
  readonly #user = new Map<number, FakeAdapter>();
  #errno = 0;
  permitted = true;
  /** Binds of the user channel that fail before one succeeds. */
  busyTimes = 0;
  /** Statuses with which the next commands that set something fail. */
  readonly refusals: number[] = [];
  /** Adapters whose commands are never answered; what they would have been answered comes when they are no longer among them. */
  readonly silent = new Set<number>();
  readonly #late: { readonly descriptor: number; readonly index: number; readonly packet: Uint8Array }[] = [];
  /** Called when an adapter was powered off. */
  onPoweredOff: (adapter: FakeAdapter) => void = () => {};

  get openSockets(): number {
    return this.#far.size;
  }

  add(index: number, adapter: FakeAdapter): FakeAdapter {
    mkdirSync(join(this.folders.sys, "class/bluetooth", `hci${index}`), { recursive: true });
    this.adapters.set(index, adapter);
    return adapter;
  }

  remove(index: number): void {
    rmSync(join(this.folders.sys, "class/bluetooth", `hci${index}`), { recursive: true });
    this.adapters.delete(index);
  }

  block(index: number, kind: "soft" | "hard"): void {
    const folder = join(this.folders.sys, "class/rfkill", `rfkill${index}`);
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries({ name: `hci${index}`, soft: "1", hard: kind === "hard" ? "1" : "0" }))
      writeFileSync(join(folder, name), `${text}\n`);
    const adapter = this.adapters.get(index)!;
    adapter.blocked = true;
    adapter.clear("Powered");
  }

  /** The answers that a silent adapter owes come now. */
  answerLate(index: number): void {
    this.silent.delete(index);
    for (const { descriptor, index: of, packet } of this.#late.splice(0))
      if (of === index) this.#real.write(descriptor, packet, packet.length);
  }

  [Symbol.dispose](): void {
    for (const descriptor of [...this.#far.keys()]) this.calls.close(descriptor);
    rmSync(this.#root, { recursive: true });
  }

  readonly calls: LinuxCalls = {
    ...this.#real,
    socket: () => {
      this.#letGo();
      const pair = new Int32Array(2);
      this.#real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
      this.#far.set(pair[0]!, pair[1]!);
      return pair[0]!;
    },
    bind: (descriptor, address) => this.#bind(descriptor, new DataView(address.buffer)),
    ioctl: (_descriptor, request, index) => {
      const up = request === HCIDEVUP;
      this.log.push(`ioctl ${up ? "up" : "down"} hci${index}`);
      this.adapters.get(index)!.set("Powered", up ? 1 : 0);
      return 0;
    },
    write: (descriptor, bytes, length) =>
      this.#control.has(descriptor) ? this.#command(descriptor, bytes) : this.#real.write(descriptor, bytes, length),
    close: (descriptor) => {
      const far = this.#far.get(descriptor);
      if (far !== undefined) this.#real.close(far);
      this.#far.delete(descriptor);
      this.#control.delete(descriptor);
      return this.#real.close(descriptor);
    },
    errno: () => this.#errno || this.#real.errno(),
  };

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }

  #bind(descriptor: number, address: DataView): number {
    this.#errno = 0;
    this.#letGo();
    const [device, channel] = [address.getUint16(2, true), address.getUint16(4, true)];
    if (channel === 3) this.#control.add(descriptor);
    if (channel !== 1) return 0;
    if (!this.permitted) return this.#fail(Errno.EPERM);
    const adapter = this.adapters.get(device);
    if (!adapter) return this.#fail(Errno.ENODEV);
    if (adapter.has("Powered") || adapter.taken !== "free" || this.busyTimes-- > 0) return this.#fail(Errno.EBUSY);
    if (adapter.blocked) return this.#fail(Errno.ERFKILL);
    adapter.taken = "ours";
    this.#user.set(this.#far.get(descriptor)!, adapter);
    this.log.push("bound");
    return 0;
  }

  /** Adapters come back when their sockets are closed, which the reading threads do: their far ends tell. */
  #letGo(): void {
    for (const [far, adapter] of this.#user) {
      if (this.#real.read(far, new Uint8Array(4096), 4096) === -1 && this.#real.errno() === Errno.EAGAIN) continue;
      adapter.taken = "free";
      this.#user.delete(far);
      this.#real.close(far);
      for (const [near, end] of this.#far) if (end === far) this.#far.delete(near);
    }
  }

  #command(descriptor: number, bytes: Uint8Array): number {
    this.#letGo();
    const { declaration, index, parameters } = decodeCommand(bytes);
    const reply = this.#answer(declaration!.name, index, parameters as Record<string, number>);
    const far = this.#far.get(descriptor)!;
    const packets = [
      encodeEvent(events.newSettings, index, { currentSettings: 0 }), // news that nobody asked for
      encodeCommandStatus(0x0004, index + 1, Status.InvalidIndex),
      typeof reply === "number"
        ? encodeCommandStatus(declaration!.opcode, index, reply)
        : encodeCommandComplete(declaration!, index, Status.Success, reply as never),
    ];
    if (this.silent.has(index)) {
      this.#late.push(...packets.map((packet) => ({ descriptor: far, index, packet })));
      return bytes.length;
    }
    for (const packet of packets) this.#real.write(far, packet, packet.length);
    return bytes.length;
  }

  #answer(name: string, index: number, parameters: Record<string, number>): object | number {
    const adapter = this.adapters.get(index);
    const reads = name === commands.readControllerInformation.name;
    if (!reads && !this.permitted) return Status.PermissionDenied;
    if (adapter?.taken !== "free") return Status.InvalidIndex;
    if (reads) {
      const { address, supported, current } = adapter;
      const rest = { bluetoothVersion: 9, manufacturer: 1521, classOfDevice: 0, name: "", shortName: "" };
      return { address, supportedSettings: supported, currentSettings: current, ...rest };
    }
    const [value = 0, seconds = 0] = Object.values(parameters);
    const setting = settingOf[name]!;
    const refusal = this.refusals.shift();
    const status = refusal ?? adapter.set(setting, value, seconds);
    const extra = `${seconds > 0 ? ` for ${seconds} s` : ""}${status === Status.Success ? "" : ` refused with ${status}`}`;
    this.log.push(`${setting} ${value === 0 ? "off" : "on"}${extra}`);
    if (setting === "Powered" && value === 0 && status === Status.Success) this.onPoweredOff(adapter);
    return status === Status.Success ? { currentSettings: adapter.current } : status;
  }
}
