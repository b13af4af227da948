import { join } from "node:path";
import { type Clock, SystemClock } from "../async/clock.ts";
import type { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import { checkBond } from "../smp/bond.ts";
import { bondFromJson, bondToJson } from "../smp/index.ts";
import type { Bond, BondStore } from "../smp/types.ts";
import { stateFolder } from "./folders.ts";
import { FileError, readPrivateFile, withLock, writePrivateFile } from "./private-file.ts";

const VERSION = 1;

/** Where bonds are kept when nothing else is said: `bonds.json` in the state folder. */
export function defaultBondPath(): string {
  return join(stateFolder(), "bonds.json");
}

/**
 * Bonds in a JSON file that only its owner can read (mode 0600). Every change is one step under a lock: the file is read, one bond is
 * changed, the whole is written beside it and renamed. So several processes may use one file, and a crash leaves the old content or the new.
 *
 * A file that cannot be understood is never written over: everything fails with a FileError that names it until it is mended or moved away.
 */
export class FileBondStore implements BondStore {
  readonly path: string;

  readonly #clock: Clock;

  /** @param options.clock measures the wait for another process's lock; real time by default */
  constructor(path: string = defaultBondPath(), { clock = new SystemClock() }: { clock?: Clock } = {}) {
    this.path = path;
    this.#clock = clock;
  }

  /** @throws {FileError} the file cannot be read or is damaged */
  async load(identity: Address): Promise<Bond | undefined> {
    return (await this.#read()).get(identity.toString());
  }

  /**
   * @throws {ArgumentError} not a bond: what could not be read again is not written
   * @throws {FileError} the file cannot be read or written, is damaged, or is locked by another process for 5 s
   */
  async save(bond: Bond): Promise<void> {
    checkBond(bond);
    await this.#change((bonds) => bonds.set(bond.identity.toString(), bond));
  }

  /** @throws {FileError} as `save` */
  delete(identity: Address): Promise<void> {
    return this.#change((bonds) => bonds.delete(identity.toString()));
  }

  /** @throws {FileError} as `load` */
  async *all(): AsyncIterable<Bond> {
    yield* (await this.#read()).values();
  }

  #change(act: (bonds: Map<string, Bond>) => unknown): Promise<void> {
    const change = async (): Promise<void> => {
      const bonds = await this.#read();
      act(bonds);
      const content = { version: VERSION, bonds: Array.from(bonds.values(), bondToJson) };
      await writePrivateFile(this.path, `${JSON.stringify(content, undefined, 2)}\n`);
    };
    return withLock(this.path, change, this.#clock);
  }

  async #read(): Promise<Map<string, Bond>> {
    const text = await readPrivateFile(this.path);
    const bonds = new Map<string, Bond>();
    if (text === undefined) return bonds;
    for (const value of parse(this.path, text)) {
      const bond = this.#bond(value, bonds.size);
      bonds.set(bond.identity.toString(), bond);
    }
    return bonds;
  }

  #bond(value: unknown, index: number): Bond {
    try {
      return bondFromJson(value);
    } catch (error) {
      if (!(error instanceof BleError)) throw error;
      throw damaged(this.path, `bond ${index + 1}: ${error.message}`, error);
    }
  }
}

/** What is wrong is said without quoting the content: it holds keys. */
function damaged(path: string, problem: string, cause?: unknown): FileError {
  const message = `the bond file ${path} is damaged (${problem}); mend it or move it away, it was not changed`;
  return new FileError(path, "damaged", message, cause instanceof BleError ? { cause } : undefined);
}

function parse(path: string, text: string): unknown[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged(path, "not JSON"); // the parser's own message quotes what it read
  }
  const { version, bonds } = (content ?? {}) as { version?: unknown; bonds?: unknown };
  if (version !== VERSION) throw damaged(path, `version ${typeof version === "number" ? version : "missing"}, expected ${VERSION}`);
  if (!Array.isArray(bonds)) throw damaged(path, "no list of bonds");
  return bonds;
}
