import { ArgumentError, BleError, checkOctets, kindOf } from "jelling/core";
import { crc32 } from "./crc32.ts";
import { describeSakeDeviceType, isSakeDeviceType, type SakeDeviceType } from "./device-type.ts";

const HEADER_LENGTH = 6;
const ENTRY_LENGTH = 81;
const MOST_ENTRIES = 255;

export type KeyDatabaseErrorCode =
  | "ERR_KEY_DATABASE_MISSING"
  | "ERR_KEY_DATABASE_TRUNCATED"
  | "ERR_KEY_DATABASE_FORM"
  | "ERR_KEY_DATABASE_LENGTH"
  | "ERR_KEY_DATABASE_CRC"
  | "ERR_KEY_DATABASE_DEVICE_TYPE"
  | "ERR_KEY_DATABASE_DUPLICATE"
  | "ERR_KEY_DATABASE_UNSUITABLE";

/** The key database cannot be used. The message is one sentence for its owner and holds no octet of it. */
export class KeyDatabaseError extends BleError {
  readonly code: KeyDatabaseErrorCode;
  constructor(code: KeyDatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The five secrets of one entry, 16 octets each. */
export interface SakeKeys {
  readonly derivationKey: Uint8Array;
  readonly handshakeAuthKey: Uint8Array;
  readonly permitDecryptKey: Uint8Array;
  readonly permitAuthKey: Uint8Array;
  /** Our permit, to be sent to that remote type. */
  readonly handshakePayload: Uint8Array;
}
const FIELDS = ["derivationKey", "handshakeAuthKey", "permitDecryptKey", "permitAuthKey", "handshakePayload"] as const;

/** What a device of one type shares with a device of another. Printing it shows the type, never the keys. */
export class SakeKeyEntry implements SakeKeys {
  readonly deviceType: SakeDeviceType;
  readonly #secrets: Uint8Array;

  /** @throws {KeyDatabaseError} a key that is not 16 octets, an unknown device type */
  constructor(deviceType: number, keys: SakeKeys) {
    this.deviceType = knownType(deviceType, "remote");
    this.#secrets = new Uint8Array(80);
    FIELDS.forEach((field, i) => {
      checkOctets(field, keys[field]);
      if (keys[field].length !== 16) throw new KeyDatabaseError("ERR_KEY_DATABASE_LENGTH", `${field} must be 16 octets`);
      this.#secrets.set(keys[field], 16 * i);
    });
  }

  get derivationKey(): Uint8Array {
    return this.#secrets.slice(0, 16);
  }
  get handshakeAuthKey(): Uint8Array {
    return this.#secrets.slice(16, 32);
  }
  get permitDecryptKey(): Uint8Array {
    return this.#secrets.slice(32, 48);
  }
  get permitAuthKey(): Uint8Array {
    return this.#secrets.slice(48, 64);
  }
  get handshakePayload(): Uint8Array {
    return this.#secrets.slice(64, 80);
  }

  toJSON(): { deviceType: SakeDeviceType } {
    return { deviceType: this.deviceType };
  }
}

/** The keys of one device towards the types it talks to. An input of the program: no key is part of it. */
export class SakeKeyDatabase {
  readonly localDeviceType: SakeDeviceType;
  /** In the order of the file. */
  readonly entries: readonly SakeKeyEntry[];

  /** @throws {KeyDatabaseError} an unknown local type, the same remote type twice, more than 255 entries */
  constructor(localDeviceType: number, entries: readonly SakeKeyEntry[]) {
    this.localDeviceType = knownType(localDeviceType, "local");
    if (entries.length > MOST_ENTRIES)
      throw new KeyDatabaseError(
        "ERR_KEY_DATABASE_LENGTH",
        `The key database cannot hold ${entries.length} entries, at most ${MOST_ENTRIES}.`,
      );
    const seen = new Set<number>();
    for (const { deviceType } of entries) {
      if (seen.has(deviceType))
        throw new KeyDatabaseError(
          "ERR_KEY_DATABASE_DUPLICATE",
          `The key database has two entries for the same remote device (${describeSakeDeviceType(deviceType)}).`,
        );
      seen.add(deviceType);
    }
    this.entries = [...entries];
  }

  /** The entry for a remote type, or undefined. */
  entry(deviceType: number): SakeKeyEntry | undefined {
    return this.entries.find((entry) => entry.deviceType === deviceType);
  }

  toJSON(): { localDeviceType: SakeDeviceType; remoteDeviceTypes: SakeDeviceType[] } {
    return { localDeviceType: this.localDeviceType, remoteDeviceTypes: this.entries.map((entry) => entry.deviceType) };
  }
}

/**
 * Reads a key database: CRC-32 of all that follows (big-endian), local type, number of entries, 81 octets an entry. A database of no
 * entries is valid. The length is checked before the CRC, since a file that was cut says so by its length.
 *
 * @throws {KeyDatabaseError} `undefined` or empty (missing), short of its own count (truncated), longer (length), damaged (CRC), an unknown
 *   device type, a remote type that occurs twice
 */
export function parseKeyDatabase(bytes: Uint8Array | undefined): SakeKeyDatabase {
  if (bytes !== undefined) checkOctets("key database", bytes);
  if (!bytes || bytes.length === 0)
    throw new KeyDatabaseError("ERR_KEY_DATABASE_MISSING", "The key database is missing: the file is empty.");
  if (bytes.length < HEADER_LENGTH)
    throw new KeyDatabaseError(
      "ERR_KEY_DATABASE_TRUNCATED",
      `The key database is truncated: ${bytes.length} octets, but its header alone has ${HEADER_LENGTH}.`,
    );
  const count = bytes[5]!;
  const length = HEADER_LENGTH + count * ENTRY_LENGTH;
  const expectation = `${bytes.length} octets, but its ${count === 1 ? "one entry needs" : `${count} entries need`} ${length}`;
  if (bytes.length < length) throw new KeyDatabaseError("ERR_KEY_DATABASE_TRUNCATED", `The key database is truncated: ${expectation}.`);
  if (bytes.length > length)
    throw new KeyDatabaseError("ERR_KEY_DATABASE_LENGTH", `The key database has the wrong length: ${expectation}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== crc32(bytes.subarray(4)))
    throw new KeyDatabaseError("ERR_KEY_DATABASE_CRC", "The key database is damaged: its CRC-32 does not match its content.");
  const entries: SakeKeyEntry[] = [];
  for (let at = HEADER_LENGTH; at < length; at += ENTRY_LENGTH) {
    const key = (index: number): Uint8Array => bytes.subarray(at + 1 + 16 * index, at + 17 + 16 * index);
    entries.push(
      new SakeKeyEntry(bytes[at]!, {
        derivationKey: key(0),
        handshakeAuthKey: key(1),
        permitDecryptKey: key(2),
        permitAuthKey: key(3),
        handshakePayload: key(4),
      }),
    );
  }
  return new SakeKeyDatabase(bytes[4]!, entries);
}

/** The file form of `database`, with its CRC. These octets are secret. */
export function buildKeyDatabase(database: SakeKeyDatabase): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + database.entries.length * ENTRY_LENGTH);
  bytes[4] = database.localDeviceType;
  bytes[5] = database.entries.length;
  database.entries.forEach((entry, i) => {
    const at = HEADER_LENGTH + i * ENTRY_LENGTH;
    bytes[at] = entry.deviceType;
    FIELDS.forEach((field, k) => {
      bytes.set(entry[field], at + 1 + 16 * k);
    });
  });
  new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4)));
  return bytes;
}

/** Whether octets have the length that their own count of entries asks for. */
export function isKeyDatabaseForm(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_LENGTH && bytes.length === HEADER_LENGTH + bytes[5]! * ENTRY_LENGTH;
}

/** @throws {ArgumentError} */
export function checkKeyDatabaseKind(what: string, keyDatabase: SakeKeyDatabase): void {
  if (typeof keyDatabase?.entry !== "function")
    throw new ArgumentError(`${what}: keyDatabase: expected a SakeKeyDatabase, got ${kindOf(keyDatabase)}`);
}

function knownType(value: number, side: "local" | "remote"): SakeDeviceType {
  if (!isSakeDeviceType(value))
    throw new KeyDatabaseError(
      "ERR_KEY_DATABASE_DEVICE_TYPE",
      `The key database names a ${side} device of an ${describeSakeDeviceType(value)}.`,
    );
  return value;
}
