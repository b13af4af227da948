import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { checkChoice, checkInteger, checkOctets, kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { constantTimeEqual } from "../crypto/equal.ts";
import { BondFormatError } from "./error.ts";
import type { Bond, BondDescription, LongTermKey, PairingMethod, PrivacyMode } from "./types.ts";

/** What a bond is, and not one octet of its keys. */
export function describeBond(bond: Bond): BondDescription {
  return {
    identity: bond.identity.toString(),
    ...(bond.name !== undefined && { name: bond.name }),
    ...(bond.method && { method: bond.method }),
    authenticated: bond.authenticated,
    secureConnections: bond.secureConnections,
    keySize: bond.peerLtk?.keySize ?? bond.localLtk?.keySize ?? 0,
    peerKeys: [bond.peerLtk && "ltk", bond.peerIrk && "irk", bond.peerCsrk && "csrk"].filter((name) => name !== undefined),
    localKeys: [bond.localLtk && "ltk", bond.localIrkDistributed && "irk", bond.localCsrk && "csrk"].filter(
      (name) => typeof name === "string",
    ),
    ...(bond.localIdentity && { localIdentity: bond.localIdentity.toString() }),
    ...(bond.provisional && { provisional: true }),
    ...(bond.privacyMode && { privacyMode: bond.privacyMode }),
  };
}

const redactedProperties: PropertyDescriptorMap = {
  [Symbol.for("nodejs.util.inspect.custom")]: { value: describe },
  toJSON: { value: describe },
};
function describe(this: Bond): BondDescription {
  return describeBond(this);
}

/** A frozen bond that `console.log`, `inspect` and `JSON.stringify` show as `describeBond` does. Change one with `createBond({ ...bond, … })`. */
export function createBond(fields: Bond): Bond {
  const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as unknown as Bond;
  return Object.freeze(Object.defineProperties({ ...present }, redactedProperties));
}

/**
 * Whether both are the same bond: of one peer, with the same long term keys. What the peer configured on the own server, and its name, may
 * differ.
 */
export function isSameBond(one: Bond | undefined, other: Bond | undefined): boolean {
  if (!one || !other) return one === other;
  return one.identity.equals(other.identity) && isSameKey(one.localLtk, other.localLtk) && isSameKey(one.peerLtk, other.peerLtk);
}

function isSameKey(one: LongTermKey | undefined, other: LongTermKey | undefined): boolean {
  if (!one || !other) return one === other;
  return one.ediv === other.ediv && constantTimeEqual(one.rand, other.rand) && constantTimeEqual(one.key, other.key);
}

const METHODS: readonly string[] = ["just-works", "numeric-comparison", "passkey-entry", "out-of-band"] satisfies PairingMethod[];

const PRIVACY_MODES = ["network", "device"] as const satisfies PrivacyMode[];
/** One more than the last counter there is says that none is left (Vol 3 Part H 2.4.5). */
const SIGN_COUNTERS = 0x1_0000_0000;

/** A bond that a program gives. @throws {ArgumentError} something else; names the field, never a value */
export function checkBond(bond: Bond): void {
  if (typeof bond !== "object" || bond === null) throw new ArgumentError(`bond: expected a Bond, got ${kindOf(bond)}`);
  const { identity, localIdentity, localIrkDistributed, authenticated, secureConnections, provisional = false } = bond;
  for (const [field, address] of Object.entries({ identity, ...(localIdentity !== undefined && { localIdentity }) })) {
    if (!(address instanceof Address) || !address.isIdentity || address.isZero)
      throw new ArgumentError(`bond.${field}: expected an identity Address, public or static random, and not zero`);
  }
  for (const [field, value] of Object.entries({ localIrkDistributed, authenticated, secureConnections, provisional }))
    if (typeof value !== "boolean") throw new ArgumentError(`bond.${field}: expected true or false, got ${kindOf(value)}`);
  if (bond.method !== undefined) checkChoice("bond.method", bond.method, METHODS);
  if (bond.privacyMode !== undefined) checkChoice("bond.privacyMode", bond.privacyMode, PRIVACY_MODES);
  for (const field of ["localSignCounter", "peerSignCounter"] as const)
    if (bond[field] !== undefined) checkInteger(`bond.${field}`, bond[field], 0, SIGN_COUNTERS);
  for (const field of ["name", "databaseHash"] as const)
    if (bond[field] !== undefined && typeof bond[field] !== "string")
      throw new ArgumentError(`bond.${field}: expected a text, got ${kindOf(bond[field])}`);
  for (const field of ["cccd", "cccdOf"] as const) checkByHandle(`bond.${field}`, bond[field], field === "cccd");
  for (const field of ["peerIrk", "peerCsrk", "localCsrk"] as const)
    if (bond[field] !== undefined) checkOctets(`bond.${field}`, bond[field], { minLength: 16, maxLength: 16 });
  for (const field of ["peerLtk", "localLtk"] as const) {
    const ltk = bond[field];
    if (ltk === undefined) continue;
    if (typeof ltk !== "object" || ltk === null) throw new ArgumentError(`bond.${field}: expected a LongTermKey, got ${kindOf(ltk)}`);
    checkOctets(`bond.${field}.key`, ltk.key, { minLength: 16, maxLength: 16 });
    checkOctets(`bond.${field}.rand`, ltk.rand, { minLength: 8, maxLength: 8 });
    checkInteger(`bond.${field}.ediv`, ltk.ediv, 0, 0xffff);
    checkInteger(`bond.${field}.keySize`, ltk.keySize, 7, 16);
  }
}

function checkByHandle(what: string, values: unknown, isNumbers: boolean): void {
  if (values === undefined) return;
  if (typeof values !== "object" || values === null)
    throw new ArgumentError(`${what}: expected values by attribute handle, got ${kindOf(values)}`);
  for (const [handle, value] of Object.entries(values)) {
    checkInteger(`${what}: attribute handle`, Number(handle), 1, 0xffff);
    if (isNumbers) checkInteger(`${what}[${handle}]`, value, 0, 0xffff);
    else if (typeof value !== "string") throw new ArgumentError(`${what}[${handle}]: expected a text, got ${kindOf(value)}`);
  }
}

/** The form in which a store keeps a bond. It holds the keys: only a file that nobody else may read is a place for it. */
export interface BondJson {
  version: 1;
  identity: string;
  peerLtk?: LongTermKeyJson;
  localLtk?: LongTermKeyJson;
  peerIrk?: string;
  peerCsrk?: string;
  localCsrk?: string;
  localSignCounter?: number;
  peerSignCounter?: number;
  localIrkDistributed: boolean;
  localIdentity?: string;
  authenticated: boolean;
  secureConnections: boolean;
  method?: PairingMethod;
  name?: string;
  cccd?: Record<string, number>;
  cccdOf?: Record<string, string>;
  databaseHash?: string;
  provisional?: boolean;
  privacyMode?: PrivacyMode;
}
export interface LongTermKeyJson {
  key: string;
  ediv: number;
  rand: string;
  keySize: number;
}

/** Keys in hexadecimal, most significant octet first; `rand` as on air. */
export function bondToJson(bond: Bond): BondJson {
  const ltk = ({ key, ediv, rand, keySize }: LongTermKey): LongTermKeyJson => ({ key: toHex(key), ediv, rand: toHex(rand), keySize });
  return {
    version: 1,
    identity: bond.identity.toString(),
    ...(bond.peerLtk && { peerLtk: ltk(bond.peerLtk) }),
    ...(bond.localLtk && { localLtk: ltk(bond.localLtk) }),
    ...(bond.peerIrk && { peerIrk: toHex(bond.peerIrk) }),
    ...(bond.peerCsrk && { peerCsrk: toHex(bond.peerCsrk) }),
    ...(bond.localCsrk && { localCsrk: toHex(bond.localCsrk) }),
    ...(bond.localSignCounter !== undefined && { localSignCounter: bond.localSignCounter }),
    ...(bond.peerSignCounter !== undefined && { peerSignCounter: bond.peerSignCounter }),
    localIrkDistributed: bond.localIrkDistributed,
    ...(bond.localIdentity && { localIdentity: bond.localIdentity.toString() }),
    authenticated: bond.authenticated,
    secureConnections: bond.secureConnections,
    ...(bond.method && { method: bond.method }),
    ...(bond.name !== undefined && { name: bond.name }),
    ...(bond.cccd && { cccd: { ...bond.cccd } }),
    ...(bond.cccdOf && { cccdOf: { ...bond.cccdOf } }),
    ...(bond.databaseHash !== undefined && { databaseHash: bond.databaseHash }),
    ...(bond.provisional && { provisional: true }),
    ...(bond.privacyMode && { privacyMode: bond.privacyMode }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new BondFormatError(field, "an object");
  return value as Fields;
}

function booleanOf(fields: Fields, field: string): boolean {
  const value = fields[field];
  if (typeof value !== "boolean") throw new BondFormatError(field, "true or false");
  return value;
}

function integerOf(value: unknown, field: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
    throw new BondFormatError(field, `a whole number from ${min} to ${max}`);
  return value;
}

function octetsOf(value: unknown, field: string, length: number): Uint8Array {
  // The value may be a key, so it does not enter the message.
  if (typeof value !== "string" || value.length !== 2 * length || !/^[0-9a-f]*$/i.test(value))
    throw new BondFormatError(field, `${2 * length} hexadecimal digits`);
  return fromHex(value);
}

function textOf(value: unknown, field: string): string {
  if (typeof value !== "string") throw new BondFormatError(field, "text");
  return value;
}

function identityOf(value: unknown, field: string): Address {
  const expected = "an identity address such as C0:11:22:33:44:55/random";
  if (typeof value !== "string" || !value.includes("/")) throw new BondFormatError(field, expected);
  let address: Address;
  try {
    address = Address.from(value);
  } catch (error) {
    throw new BondFormatError(field, expected, { cause: error });
  }
  if (!address.isIdentity) throw new BondFormatError(field, expected);
  return address;
}

function longTermKeyOf(value: unknown, field: string): LongTermKey {
  const fields = fieldsOf(value, field);
  return {
    key: octetsOf(fields.key, `${field}.key`, 16),
    ediv: integerOf(fields.ediv, `${field}.ediv`, 0, 0xffff),
    rand: octetsOf(fields.rand, `${field}.rand`, 8),
    keySize: integerOf(fields.keySize, `${field}.keySize`, 7, 16),
  };
}

function methodOf(value: unknown): PairingMethod {
  if (typeof value !== "string" || !METHODS.includes(value)) throw new BondFormatError("method", `one of ${METHODS.join(", ")}`);
  return value as PairingMethod;
}

function privacyModeOf(value: unknown): PrivacyMode {
  if (!(PRIVACY_MODES as readonly unknown[]).includes(value))
    throw new BondFormatError("privacyMode", `one of ${PRIVACY_MODES.join(", ")}`);
  return value as PrivacyMode;
}

/** Values by attribute handle. */
function byHandle<T>(value: unknown, field: string, read: (value: unknown, field: string) => T): Record<number, T> {
  const values: Record<number, T> = {};
  for (const [handle, each] of Object.entries(fieldsOf(value, field))) {
    if (!/^[1-9]\d{0,4}$/.test(handle) || Number(handle) > 0xffff) throw new BondFormatError(field, "attribute handles from 1 to 65535");
    values[Number(handle)] = read(each, `${field}.${handle}`);
  }
  return values;
}

/**
 * Reads what `bondToJson` wrote, after a store has parsed the JSON.
 *
 * @throws {BondFormatError} not such a thing; names the field, never a value
 */
export function bondFromJson(value: unknown): Bond {
  const fields = fieldsOf(value, "bond");
  if (fields.version !== 1) throw new BondFormatError("version", "1");
  const optional = <T>(field: string, read: (value: unknown, field: string) => T): Record<string, T> =>
    fields[field] === undefined ? {} : { [field]: read(fields[field], field) };
  const key = (octets: unknown, field: string): Uint8Array => octetsOf(octets, field, 16);
  return createBond({
    identity: identityOf(fields.identity, "identity"),
    ...optional("peerLtk", longTermKeyOf),
    ...optional("localLtk", longTermKeyOf),
    ...optional("peerIrk", key),
    ...optional("peerCsrk", key),
    ...optional("localCsrk", key),
    ...optional("localSignCounter", (counter, field) => integerOf(counter, field, 0, SIGN_COUNTERS)),
    ...optional("peerSignCounter", (counter, field) => integerOf(counter, field, 0, SIGN_COUNTERS)),
    localIrkDistributed: booleanOf(fields, "localIrkDistributed"),
    ...optional("localIdentity", identityOf),
    authenticated: booleanOf(fields, "authenticated"),
    secureConnections: booleanOf(fields, "secureConnections"),
    ...optional("method", methodOf),
    ...optional("name", textOf),
    ...optional("cccd", (cccd, field) => byHandle(cccd, field, (bits, name) => integerOf(bits, name, 0, 0xffff))),
    ...optional("cccdOf", (names, field) => byHandle(names, field, textOf)),
    ...optional("databaseHash", textOf),
    ...optional("privacyMode", privacyModeOf),
    ...optional("provisional", () => booleanOf(fields, "provisional")),
  });
}
