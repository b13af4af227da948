import { SettingsGroup } from "../../mcumgr/protocol/groups/settings.ts";
import { refuse, type ServedGroup, serveGroup } from "./service.ts";

const KEY_LIMIT = 64;
/** Octets of names and values together that a device has memory for. */
const CAPACITY = 64 << 10;
const UNKNOWN = 1;

export interface SettingsServiceOptions {
  /** Most octets of a value that the server reads. */
  readonly valueLimit: number;
  /** False: "save" is answered as a server without a store does it. */
  readonly canSave: boolean;
  readonly without: ReadonlySet<string>;
}

/** Settings in use, and what of them was saved. */
export class SettingsService {
  readonly group: ServedGroup;
  /** What survives a reset. */
  readonly saved: Map<string, Uint8Array>;
  /** What counts now. */
  values: Map<string, Uint8Array>;
  #roots: Set<string>;

  /** @param saved what the store holds; changed as the server changes it */
  constructor(saved: Map<string, Uint8Array>, options: SettingsServiceOptions) {
    this.saved = saved;
    this.values = new Map(saved);
    this.#roots = new Set([...saved.keys()].map(rootOf));
    const { valueLimit } = options;
    this.group = serveGroup(
      SettingsGroup,
      {
        read: ({ name, maxSize = valueLimit }) => {
          this.#check(name);
          const value = this.values.get(name);
          if (value === undefined) throw refuse(SettingsGroup, 3);
          return { val: value.subarray(0, Math.min(maxSize, valueLimit)), maxSize: maxSize > valueLimit ? valueLimit : undefined };
        },
        write: ({ name, val }) => {
          this.#check(name);
          if (this.#used(name) + name.length + val.length > CAPACITY) throw refuse(SettingsGroup, UNKNOWN);
          this.values.set(name, val);
        },
        delete: ({ name }) => {
          this.#check(name);
          if (!this.values.delete(name)) throw refuse(SettingsGroup, 3);
        },
        commit: () => undefined,
        load: () => this.load(),
        save: ({ name }) => {
          if (!options.canSave) throw refuse(SettingsGroup, 8);
          this.#save(name);
        },
      },
      { title: "settings mgmt", without: options.without },
    );
  }

  /** The store counts again, as after a reset. */
  load(): void {
    this.values = new Map(this.saved);
  }

  /** What counted when a state was kept; roots are registered by code, which is the same. */
  restore(values: Readonly<Record<string, Uint8Array>>): void {
    this.values = new Map(Object.entries(values));
    for (const name of this.values.keys()) this.#roots.add(rootOf(name));
  }

  /** What Zephyr's basic group does. */
  eraseStorage(): void {
    this.saved.clear();
    this.values.clear();
  }

  #check(name: string): void {
    if (name.length > KEY_LIMIT) throw refuse(SettingsGroup, 2);
    if (!this.#roots.has(rootOf(name))) throw refuse(SettingsGroup, 5);
  }

  /** Octets of all settings but this one. */
  #used(but: string): number {
    let used = 0;
    for (const [name, value] of this.values) if (name !== but) used += name.length + value.length;
    return used;
  }

  #save(below: string | undefined): void {
    const isMeant = (name: string) => below === undefined || name === below || name.startsWith(`${below}/`);
    for (const name of [...this.saved.keys()]) if (isMeant(name) && !this.values.has(name)) this.saved.delete(name);
    for (const [name, value] of this.values) if (isMeant(name)) this.saved.set(name, value);
  }
}

function rootOf(name: string): string {
  return name.split("/")[0]!;
}
