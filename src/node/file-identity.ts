import { join } from "node:path";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { BleError } from "../core/error.ts";
import { type RandomSource, randomBytes, systemRandom } from "../core/random.ts";
import { createStaticAddress } from "../crypto/index.ts";
import { stateFolder } from "./folders.ts";
import { FileError, readPrivateFile, withLock, writePrivateFile } from "./private-file.ts";

/**
 * What a device must keep as long as its bonds: peers know it by these.
 *
 * ```ts
 * const { address: staticAddress, irk } = await openIdentity();
 * const device = await Device.open("hci:0", { staticAddress, irk, bonds: new FileBondStore() });
 * ```
 */
export interface LocalIdentity {
  /** Static random address, for a device without a public one or that does not show it. */
  readonly address: Address;
  /** Identity resolving key, 16 octets, most significant first. Secret. */
  readonly irk: Uint8Array;
}

/** Where the own identity is kept when nothing else is said: `identity.json` in the state folder. */
export function defaultIdentityPath(): string {
  return join(stateFolder(), "identity.json");
}

/**
 * The identity in the file, made up at first use. Mode 0600.
 *
 * @throws {FileError} the file cannot be read or written, or is damaged; it is then not changed
 */
export async function openIdentity(path: string = defaultIdentityPath(), random: RandomSource = systemRandom): Promise<LocalIdentity> {
  const known = await read(path);
  if (known) return known;
  return withLock(path, async () => {
    const madeMeanwhile = await read(path);
    if (madeMeanwhile) return madeMeanwhile;
    const identity = { address: createStaticAddress(random), irk: randomBytes(random, 16) };
    const content = { version: 1, address: identity.address.toString(), irk: toHex(identity.irk) };
    await writePrivateFile(path, `${JSON.stringify(content, undefined, 2)}\n`);
    return identity;
  });
}

async function read(path: string): Promise<LocalIdentity | undefined> {
  const text = await readPrivateFile(path);
  if (text === undefined) return undefined;
  const damaged = (): FileError =>
    new FileError(path, "damaged", `the identity file ${path} is damaged; mend it or move it away, it was not changed`);
  let content: { version?: unknown; address?: unknown; irk?: unknown } | null;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged(); // the parser's own message quotes what it read
  }
  if (content?.version !== 1 || typeof content.address !== "string" || typeof content.irk !== "string") throw damaged();
  try {
    const identity = { address: Address.from(content.address), irk: fromHex(content.irk) };
    if (!identity.address.isStaticRandom || identity.irk.length !== 16) throw damaged();
    return identity;
  } catch (error) {
    if (error instanceof BleError) throw damaged();
    throw error;
  }
}
