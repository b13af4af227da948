import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PumpHistory, PumpStore, type PumpStoreOptions } from "../src/store/index.ts";
import type { StoreHooks } from "../src/store/pump-store.ts";

export const SERIAL = "NG1234567H";
/** Of the simulated world. */
export const NOW_MS = Date.UTC(2031, 2, 12);

/** In memory where there is such a place: to flush a disk takes longer than all else. */
const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A folder that is gone with the test. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(PLACE, "jelling-store-"));
  join(...names: string[]): string {
    return join(this.path, ...names);
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function openStore(path: string, options: PumpStoreOptions = {}, hooks: StoreHooks = {}): Promise<PumpStore> {
  return PumpStore.openWith(path, { wallClock: () => NOW_MS, ...options }, hooks);
}

/** What is stored, as number and octets. */
export function keptOctets(history: PumpHistory, segment?: number): [number, string][] {
  return [...history.records(segment === undefined ? {} : { segment })].map(({ ref, bytes }) => [
    ref.sequenceNumber,
    Buffer.from(bytes).toString("hex"),
  ]);
}
