import type { Logger } from "jelling/core";
import { readPrivateFile, writePrivateFile } from "jelling/node";
import type { BondStore } from "jelling/smp";
import { sentence } from "../error-words.ts";

const MOST = 32;

/**
 * Which pump of the history database a bond belongs to: known before the pump comes, and while the database cannot be opened. A file beside the
 * bonds, and as private.
 */
export class PumpNames {
  readonly #path: string;
  readonly #logger: Logger;
  #names: Map<string, string>;

  private constructor(path: string, logger: Logger, names: Map<string, string>) {
    this.#path = path;
    this.#logger = logger;
    this.#names = names;
  }

  /** What cannot be read is made anew when the pump comes. Never throws. */
  static async open(path: string, logger: Logger): Promise<PumpNames> {
    const names = new Map<string, string>();
    try {
      const content: unknown = JSON.parse((await readPrivateFile(path)) ?? "{}");
      const { pumps } = (content ?? {}) as { pumps?: unknown };
      for (const [identity, name] of Object.entries((pumps ?? {}) as Record<string, unknown>).slice(-MOST))
        if (typeof name === "string" && /^[0-9a-f]{16}$/.test(name)) names.set(identity, name);
    } catch (error) {
      logger.warn(() => `${path}: it is made anew: ${sentence(error)}`);
    }
    return new PumpNames(path, logger, names);
  }

  /** Of the pump that is expected: the one of the only bond, or the one that was chosen. */
  async expected(bonds: BondStore, pump: string | undefined): Promise<string | undefined> {
    const identities: string[] = [];
    try {
      for await (const bond of bonds.all()) if (!bond.provisional) identities.push(bond.identity.toString());
    } catch (error) {
      this.#logger.warn(() => `the bonds cannot be read: ${sentence(error)}`);
    }
    const chosen = pump === undefined ? identities : identities.filter((identity) => identity.toLowerCase().startsWith(pump.toLowerCase()));
    return chosen.length === 1 ? this.#names.get(chosen[0]!) : undefined;
  }

  async remember(identity: string, name: string): Promise<void> {
    if (this.#names.get(identity) === name) return;
    this.#names.delete(identity);
    this.#names.set(identity, name);
    this.#names = new Map([...this.#names].slice(-MOST));
    try {
      await writePrivateFile(this.#path, `${JSON.stringify({ version: 1, pumps: Object.fromEntries(this.#names) }, undefined, 2)}\n`);
    } catch (error) {
      this.#logger.warn(() => `${this.#path}: ${sentence(error)}`);
    }
  }
}
