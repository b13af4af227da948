import { randomBytes } from "../../../core/index.ts";
import { AddressType, CsrkType, events, LinkKeyType, LtkType } from "../../../mgmt-protocol/index.ts";
import type { Link } from "../air/link.ts";
import { rename } from "../air/links.ts";
import { deviceKey, isIdentity } from "../controller.ts";
import type { KernelCore } from "../core.ts";

const KEY_OCTETS = 16;

/** What a pairing led to, the same at both ends. */
export interface PairingResult {
  readonly isAuthenticated: boolean;
  readonly isBonded: boolean;
  readonly isSecureConnections: boolean;
  /** Digits of the PIN, where one was asked for. */
  readonly pinLength: number;
}

export interface PairingKeys {
  readonly value: Uint8Array;
  readonly linkKey: Uint8Array;
  readonly identity: Uint8Array;
  /** Of the initiator, of the responder. */
  readonly signature: readonly [Uint8Array, Uint8Array];
}

export function drawKeys(core: KernelCore): PairingKeys {
  const key = (): Uint8Array => randomBytes(core.random, KEY_OCTETS);
  return { value: key(), linkKey: key(), identity: key(), signature: [key(), key()] };
}

/** Tells the programs at one end of the keys, as they come: identity, signature, long term key, link key. */
export function tellKeys(core: KernelCore, link: Link, result: PairingResult, keys: PairingKeys): void {
  if (link.addressType === AddressType.BREDR) tellBredrKey(core, link, result, keys);
  else tellLeKeys(core, link, result, keys);
}

function tellLeKeys(core: KernelCore, link: Link, result: PairingResult, keys: PairingKeys): void {
  tellIdentity(core, link, keys);
  const { controller, address, addressType, other } = link;
  const hint = { storeHint: result.isBonded && isIdentity(address, addressType) ? 1 : 0 };
  const device = { address, addressType };
  if (other) {
    const [local, remote] = link.isInitiator ? keys.signature : ([keys.signature[1], keys.signature[0]] as const);
    const types = result.isAuthenticated
      ? [CsrkType.RemoteAuthenticated, CsrkType.LocalAuthenticated]
      : [CsrkType.RemoteUnauthenticated, CsrkType.LocalUnauthenticated];
    for (const [i, value] of [remote, local].entries())
      core.send(events.newSignatureResolvingKey, controller.index, { ...hint, ...device, keyType: types[i]!, value });
  }
  const secure = result.isAuthenticated ? LtkType.AuthenticatedP256 : LtkType.UnauthenticatedP256;
  const legacy = result.isAuthenticated ? LtkType.AuthenticatedLegacy : LtkType.UnauthenticatedLegacy;
  for (const central of result.isSecureConnections ? [0] : [1, 0]) {
    const salt = result.isSecureConnections ? new Uint8Array(10) : randomBytes(core.random, 10);
    const view = new DataView(salt.buffer);
    const numbers = { encryptionDiversifier: view.getUint16(0, true), randomNumber: view.getBigUint64(2, true) };
    const keyType = result.isSecureConnections ? secure : legacy;
    const key = { ...device, keyType, central, encryptionSize: KEY_OCTETS, ...numbers, value: keys.value };
    core.send(events.newLongTermKey, controller.index, { ...hint, key });
  }
  if (result.isBonded) controller.keyed.add(deviceKey(address, addressType));
  if (other && result.isSecureConnections && controller.has("BREDR") && other.controller.has("BREDR"))
    tellLinkKey(core, link, result.isAuthenticated ? LinkKeyType.AuthenticatedP256 : LinkKeyType.UnauthenticatedP256, { ...result, keys });
}

function tellIdentity(core: KernelCore, link: Link, { identity: value }: PairingKeys): void {
  const { controller, device, other, address: randomAddress } = link;
  const known = other?.controller.has("Privacy") ? other.controller.leIdentity : device?.identity;
  if (!known || !controller.exchangesIdentity) return;
  rename(core, link, known);
  core.send(events.newIdentityResolvingKey, controller.index, { storeHint: 1, randomAddress, key: { ...known, value } });
}

/** The key for BR/EDR that is derived from the one for LE; it is kept under the same address. */
function tellLinkKey(
  core: KernelCore,
  { controller, address }: Link,
  keyType: number,
  { keys, pinLength }: { keys: PairingKeys; pinLength: number },
): void {
  const key = { address, addressType: AddressType.BREDR, keyType, value: keys.linkKey, pinLength };
  core.send(events.newLinkKey, controller.index, { storeHint: 1, key });
  controller.keyed.add(deviceKey(address, AddressType.BREDR));
}

function tellBredrKey(core: KernelCore, link: Link, result: PairingResult, keys: PairingKeys): void {
  const { controller, address } = link;
  const unpinned = result.isAuthenticated ? LinkKeyType.AuthenticatedP192 : LinkKeyType.UnauthenticatedP192;
  const keyType = result.pinLength > 0 ? LinkKeyType.Combination : unpinned;
  const key = { address, addressType: AddressType.BREDR, keyType, value: keys.linkKey, pinLength: result.pinLength };
  core.send(events.newLinkKey, controller.index, { storeHint: result.isBonded ? 1 : 0, key });
  if (result.isBonded) controller.keyed.add(deviceKey(address, AddressType.BREDR));
}
