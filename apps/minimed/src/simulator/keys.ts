import { type RandomSource, randomBytes } from "jelling/core";
import { SakeDeviceType } from "../sake/device-type.ts";
import { SakeKeyDatabase, SakeKeyEntry } from "../sake/key-database.ts";
import { createPermit } from "../sake/permit.ts";

/** Two databases that fit together. */
export interface InventedKeys {
  readonly phone: SakeKeyDatabase;
  readonly pump: SakeKeyDatabase;
}

/**
 * Keys for a simulated pump and a phone, drawn at run time: they open nothing real. Each side's permit keys open the permit that the other
 * side holds.
 */
export function inventKeys(random: RandomSource, phoneType: number = SakeDeviceType.MobileApplication): InventedKeys {
  const pumpType = SakeDeviceType.InsulinPump;
  const shared = { derivationKey: randomBytes(random, 16), handshakeAuthKey: randomBytes(random, 16) };
  const permitKeys = () => ({ permitDecryptKey: randomBytes(random, 16), permitAuthKey: randomBytes(random, 16) });
  const heldByPhone = permitKeys();
  const heldByPump = permitKeys();
  const entry = (remoteType: number, localType: number, own: typeof heldByPhone, other: typeof heldByPhone): SakeKeyEntry =>
    new SakeKeyEntry(remoteType, { ...shared, ...own, handshakePayload: createPermit(other, localType) });
  return {
    phone: new SakeKeyDatabase(phoneType, [entry(pumpType, phoneType, heldByPhone, heldByPump)]),
    pump: new SakeKeyDatabase(pumpType, [entry(phoneType, pumpType, heldByPump, heldByPhone)]),
  };
}
