// @ts-check
/** BlueZ's management command line for the programs inside the lab: what it is asked, and what it says of an adapter, as values. */
import { btmgmtSettingNames } from "jelling/mgmt";
import { Program } from "./bluez.mjs";

/** The last settings that version 5.66 has a name for; the kernel has more. */
const LAST_NAMED_SETTING = "wide-band-speech";
const namedSettings = btmgmtSettingNames.slice(0, btmgmtSettingNames.indexOf(LAST_NAMED_SETTING) + 1);

/**
 * One btmgmt that stays: a process for each question would take longer to start than to answer. It hears the kernel's events meanwhile.
 */
export class Btmgmt {
  #program;

  /** @param {Program} program */
  constructor(program) {
    this.#program = program;
  }

  /** @param {number} index */
  static async start(index) {
    const btmgmt = new Btmgmt(new Program("btmgmt", ["--index", String(index)], { quiet: true }));
    await btmgmt.ask("revision");
    return btmgmt;
  }

  /**
   * Types one command and returns what it said until it was done: its answer, and what events it was told of meanwhile. It sends one request
   * after the other, so that the answer to one more question marks the end.
   *
   * @param {string} command
   */
  ask(command) {
    return this.#type([command], command === "revision");
  }

  /**
   * The same for a command of the submenu for advertisement monitors.
   *
   * @param {string} command
   */
  askMonitor(command) {
    return this.#type(["menu monitor", command, "back"], false);
  }

  /**
   * @param {readonly string[]} lines
   * @param {boolean} marksItself
   */
  async #type(lines, marksItself) {
    for (const line of marksItself ? lines : [...lines, "revision"]) this.#program.send(line);
    const [said] = await this.#program.expect(/[\s\S]*?MGMT Version \d+, revision \d+\n/);
    const typed = new Set([...lines, "revision"]);
    return said
      .split("\n")
      .map((line) => line.replace(/^(\[[\w.]+\]# )+/, "").trimEnd())
      .filter((line) => line !== "" && !typed.has(line))
      .slice(0, marksItself ? undefined : -1)
      .join("\n");
  }

  /**
   * A command that must be done.
   *
   * @param {string} command
   * @param {RegExp} [success] what it says then
   */
  async do(command, success) {
    const said = await this.ask(command);
    if (/fail|could not|invalid|unable|error|usage/i.test(said) || (success && !success.test(said)))
      throw new Error(`btmgmt ${command}: ${said}`);
    return said;
  }

  /** Waits for an event. @param {RegExp} pattern */
  heard(pattern) {
    return this.#program.expect(pattern);
  }

  async revision() {
    const [, version, revision] = found(await this.ask("revision"), /MGMT Version (\d+), revision (\d+)/);
    return { version: Number(version), revision: Number(revision) };
  }

  /** Opcodes and event codes of what the kernel lists. */
  async commands() {
    const text = await this.ask("commands");
    const [commands = "", events = ""] = text.split(/^\d+ events:$/m);
    const codes = (/** @type {string} */ list) => [...list.matchAll(/\((0x[\da-f]{4})\)/g)].map(([, code]) => Number(code));
    return { commands: codes(commands), events: codes(events) };
  }

  async info() {
    const text = await this.ask("info");
    const [, address, version, manufacturer, classOfDevice] = found(text, /addr (\S+) version (\d+) manufacturer (\d+) class (0x\w+)/);
    return {
      address,
      bluetoothVersion: Number(version),
      manufacturer: Number(manufacturer),
      classOfDevice: Number(classOfDevice),
      ...settings(text),
      name: line(text, "name") ?? "",
      shortName: line(text, "short name") ?? "",
    };
  }

  async extinfo() {
    const text = await this.ask("extinfo");
    const [, address, version, manufacturer] = found(text, /addr (\S+) version (\d+) manufacturer (\d+)/);
    return { address, bluetoothVersion: Number(version), manufacturer: Number(manufacturer), ...settings(text) };
  }

  async config() {
    const text = await this.ask("config");
    return {
      manufacturer: Number(line(text, "manufacturer")),
      supportedOptions: words(line(text, "supported options:")),
      missingOptions: words(line(text, "missing options:")),
    };
  }

  async advinfo() {
    const text = await this.ask("advinfo");
    return {
      supportedFlags: words(line(text, "Supported flags:")),
      maxAdvDataLen: Number(line(text, "Max advertising data len:")),
      maxScanRspLen: Number(line(text, "Max scan response data len:")),
      maxInstances: Number(line(text, "Max instances:")),
      instances: Number(found(text, /Instances list with (\d+) item/)[1]),
    };
  }

  /** @param {string} options as btmgmt takes them: "-c -g 1" */
  async advsize(options) {
    const text = await this.ask(`advsize ${options}`);
    return {
      instance: Number(line(text, "Instance:")),
      maxAdvDataLen: Number(line(text, "Max advertising data len:")),
      maxScanRspLen: Number(line(text, "Max scan response data len:")),
    };
  }

  /** PHYs in capital letters, as btmgmt writes them. */
  async phy() {
    const text = await this.ask("phy");
    return {
      supportedPhys: words(line(text, "Supported phys:")),
      configurablePhys: words(line(text, "Configurable phys:")),
      selectedPhys: words(line(text, "Selected phys:")),
    };
  }

  async secinfo() {
    const text = await this.ask("secinfo");
    return {
      length: Number(line(text, "Info length:")),
      flags: Number(line(text, "Flags:")),
      maxKeySize: Number(line(text, "Max Key Size (LE):")),
    };
  }

  /** How many experimental features there are: of this version's list it knows few by name. */
  async expinfo() {
    const text = await this.ask("expinfo");
    return [...text.matchAll(/Number of experimental features: (\d+)/g)].map(([, count]) => Number(count));
  }

  /** Values by type, in hexadecimal. */
  async sysconfig() {
    const text = await this.ask("read-sysconfig");
    return Object.fromEntries(
      [...text.matchAll(/Type: (0x\w{4})\s+Length: \d+\s+Value: (\w*)/g)].map(([, type, value]) => [Number(type), value]),
    );
  }

  /** Connected devices: address and type in btmgmt's words. */
  async connections() {
    const text = await this.ask("con");
    return [...text.matchAll(/^((?:[\dA-F]{2}:){5}[\dA-F]{2}) type (.+)$/gm)].map(([, address, type]) => ({ address, type }));
  }

  /** @param {string} device "-t 1 C0:11:…" */
  async flags(device) {
    const text = await this.ask(`get-flags ${device}`);
    return { supportedFlags: Number(line(text, "Supported Flags:")), currentFlags: Number(line(text, "Current Flags:")) };
  }

  async monitors() {
    const text = await this.askMonitor("features");
    return {
      maxNumHandles: Number(line(text, "Max number of handles:")),
      maxNumPatterns: Number(line(text, "Max number of patterns:")),
      handles: Number(found(text, /Handles list with (\d+) item/)[1]),
    };
  }

  /** What it has said and nobody has asked for. */
  get output() {
    return this.#program.output;
  }

  [Symbol.asyncDispose]() {
    return this.#program[Symbol.asyncDispose]();
  }
}

/**
 * Settings by the names that btmgmt 5.66 has for them.
 *
 * @param {number} bits
 */
export function settingNames(bits) {
  return namedSettings.filter((_, bit) => (bits & (1 << bit)) !== 0);
}

/** @param {string} text @param {RegExp} pattern */
function found(text, pattern) {
  const match = pattern.exec(text);
  if (!match) throw new Error(`btmgmt did not say ${pattern}: ${text}`);
  return match;
}

/**
 * The rest of the line that begins with these words.
 *
 * @param {string} text
 * @param {string} words
 */
function line(text, words) {
  const at = text.split("\n").find((one) => one.trimStart().startsWith(words));
  return at?.trimStart().slice(words.length).trim();
}

/** @param {string | undefined} text */
const words = (text) => (text ?? "").split(/\s+/).filter(Boolean);

/** @param {string} text */
function settings(text) {
  return {
    supportedSettings: words(line(text, "supported settings:")),
    currentSettings: words(line(text, "current settings:")),
  };
}
