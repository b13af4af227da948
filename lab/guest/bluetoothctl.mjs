// @ts-check
/** BlueZ's command line for the programs inside the lab: what a user types, and what the answer must say. */
import { Program } from "./bluez.mjs";

/** @typedef {"NoInputNoOutput" | "DisplayYesNo" | "KeyboardDisplay" | "DisplayOnly" | "KeyboardOnly"} Capability */

const scanAttempts = 5;

/** @param {string} text */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export class Bluetoothctl {
  /** @type {Program} */
  #program;
  #menu = "";

  /** @param {Program} program */
  constructor(program) {
    this.#program = program;
  }

  /**
   * @param {{ adapter: string, capability?: Capability }} options adapter: its address, since bluetoothctl knows no indices
   * @returns {Promise<Bluetoothctl>}
   */
  static async start({ adapter, capability = "NoInputNoOutput" }) {
    const program = new Program("bluetoothctl", ["--agent", capability]);
    await program.expect(/Agent registered/);
    program.send(`select ${adapter}`);
    return new Bluetoothctl(program);
  }

  /** @param {string} answer to a question, or a command of any menu */
  send(answer) {
    this.#program.send(answer);
  }

  /** @param {RegExp} pattern @param {{ timeoutMs?: number, failure?: RegExp }} [options] */
  expect(pattern, options) {
    return this.#program.expect(pattern, options);
  }

  /**
   * A command of the main menu or of one of its submenus.
   *
   * @param {string} menu "" for the main menu
   * @param {string} command
   */
  type(menu, command) {
    if (menu !== this.#menu) {
      if (this.#menu !== "") this.send("back");
      if (menu !== "") this.send(`menu ${menu}`);
      this.#menu = menu;
    }
    this.send(command);
  }

  /**
   * Scans until a device with this name is found. The emulator reports an advertiser once in each scan, perhaps before the kernel listens; so
   * the scan begins anew every few seconds.
   *
   * @param {string} name
   * @returns {Promise<string>} its address
   */
  async discover(name) {
    const device = new RegExp(`Device ([\\dA-F:]{17}) ${escaped(name)}\\n`);
    for (let attempt = 1; ; attempt++) {
      this.type("", "scan le");
      await this.expect(/Discovering: yes/, { failure: /Failed to start discovery.*/ });
      const found = await this.expect(device, attempt < scanAttempts ? { timeoutMs: 3_000 } : {}).catch((error) => {
        if (attempt === scanAttempts) throw error;
        return undefined;
      });
      this.type("", "scan off");
      await this.expect(/Discovery stopped/);
      if (found) return /** @type {string} */ (found[1]);
    }
  }

  /** Connects and waits until the services are known. @param {string} address */
  async connect(address) {
    this.type("", `connect ${address}`);
    await this.expect(/Connection successful/, { failure: /Failed to connect.*/ });
  }

  /** @param {string} address */
  async disconnect(address) {
    this.type("", `disconnect ${address}`);
    await this.expect(/Successful disconnected/);
  }

  /**
   * @param {string} address
   * @param {() => Promise<void>} [answer] what the user does while it goes on
   */
  async pair(address, answer = async () => {}) {
    this.type("", `pair ${address}`);
    await answer();
    await this.expect(/Pairing successful/, { failure: /Failed to pair.*/ });
  }

  /** What `info` says of a device, word for word. @param {string} address @param {RegExp} pattern */
  async expectInfo(address, pattern) {
    this.type("", `info ${address}`);
    await this.expect(new RegExp(`Device ${address} \\((public|random)\\)\\n`));
    return this.expect(pattern);
  }

  /** @param {string} uuid */
  async #select(uuid) {
    this.type("gatt", `select-attribute ${uuid}`);
    // The prompt then names the attribute; with what comes next it is a line of its own.
    this.type("gatt", "attribute-info");
    await this.expect(new RegExp(`UUID: ${uuid}`));
  }

  /**
   * Reads a characteristic of the connected device; its value must be this one.
   *
   * @param {string} uuid
   * @param {Uint8Array} value
   */
  async read(uuid, value) {
    await this.#select(uuid);
    this.type("gatt", "read");
    await this.expect(/Attempting to read/);
    const options = { failure: /Failed to read.*/ };
    const [found] = await this.expect(new RegExp(`(Value:.*\\n(?:.*# )?)?${dump(value)}`), options);
    // A value it did not know before is shown as a change and then as the answer.
    if (found.startsWith("Value:")) await this.expect(new RegExp(dump(value)), options);
  }

  /**
   * Writes, and does not wait: bluetoothctl says nothing when it is done.
   *
   * @param {string} uuid
   * @param {Uint8Array} value
   */
  async write(uuid, value) {
    await this.#select(uuid);
    this.type("gatt", `write "${hex(value).join(" ")}"`);
    await this.expect(/Attempting to write/);
  }

  /** Subscribes to notifications or indications. @param {string} uuid */
  async subscribe(uuid) {
    await this.#select(uuid);
    this.type("gatt", "notify on");
    await this.expect(/Notify started/, { failure: /Failed to start notify.*/ });
  }

  /** Waits for a notification or indication. @param {Uint8Array} value */
  async expectValue(value) {
    await this.expect(new RegExp(`Value:.*\\n(?:.*# )?${dump(value)}`));
  }

  [Symbol.asyncDispose]() {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** @param {Uint8Array} value */
export function hex(value) {
  return Array.from(value, (octet) => `0x${octet.toString(16).padStart(2, "0")}`);
}

/**
 * A value as bluetoothctl shows it, as a regular expression: lines of 16 octets, with a prompt or not before each.
 *
 * @param {Uint8Array} value
 */
function dump(value) {
  const rows = [];
  for (let at = 0; at < value.length; at += 16) {
    rows.push(`  ${Array.from(value.subarray(at, at + 16), (octet) => octet.toString(16).padStart(2, "0")).join(" ")}  .*\\n`);
  }
  return rows.join("(?:.*# )?");
}
