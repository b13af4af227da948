import { GattUuid } from "../uuids.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";

/** What Client Supported Features is called in a store: it has no characteristic of the program's. */
export const FEATURES_NAME = "client-features";

/** A name without the numbers that tell several services or characteristics of one type apart. */
const typesOf = (name: string): string => name.replaceAll(/#\d+of\d+/g, "");

export interface FoundConfiguration {
  /** Handle that it was stored under. */
  readonly handle: number;
  readonly value: number;
  /** What it configures now; `undefined` where that is gone. */
  readonly of: LocalCharacteristic | "client-features" | undefined;
}

/** The database is not the one that this client knew when its connection ended. */
export function isChangedFor(database: AttributeDatabase, { storedDatabaseHash }: GattPeer): boolean {
  return storedDatabaseHash !== undefined && storedDatabaseHash !== database.hashText;
}

/**
 * Finds what a bonded client configured in earlier connections (Vol 3 Part G 3.3.3.3). Where the database has changed, a handle alone may mean
 * something else: then the types that were stored with it decide, or what this database remembers of its own past. What stands under
 * another handle now is found by its types, except Service Changed, whose handle may not change (Vol 3 Part G 7.1).
 */
export function findStored(database: AttributeDatabase, peer: GattPeer): FoundConfiguration[] {
  const { storedCccd = {}, storedCccdOf = {}, storedDatabaseHash } = peer;
  const isChanged = isChangedFor(database, peer);
  return Object.entries(storedCccd).map(([text, value]) => {
    const handle = Number(text);
    const name = storedCccdOf[handle];
    if (name === FEATURES_NAME || database.get(handle)?.kind === "client-features") return { handle, value, of: "client-features" };
    const there = database.characteristicOfCccd(handle);
    if (!isChanged) return { handle, value, of: there };
    const isSame =
      there !== undefined &&
      (name === undefined
        ? there.uuid.short === GattUuid.ServiceChanged || database.isFrom(storedDatabaseHash!, there)
        : typesOf(database.nameOf(there)) === typesOf(name));
    return { handle, value, of: isSame ? there : name === undefined ? undefined : movable(database, name) };
  });
}

function movable(database: AttributeDatabase, name: string): LocalCharacteristic | undefined {
  const found = database.named(name);
  return found?.uuid.short === GattUuid.ServiceChanged ? undefined : found;
}
