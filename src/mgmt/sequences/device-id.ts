import { Address, ArgumentError } from "../../core/index.ts";
import { AddressType } from "../../mgmt-protocol/index.ts";

/** Which device: its address, most significant octet first, and what kind of address that is (AddressType). */
export interface DeviceId {
  readonly address: string;
  readonly addressType: number;
}

/** A device as callers name it: what `scan` found, or an address with the number or name of its type. */
export interface DeviceLike {
  readonly address: string;
  readonly addressType: number | keyof typeof AddressType;
}

/** The same in one form. @throws {ArgumentError} not an address, or an unknown type */
export function deviceId({ address, addressType }: DeviceLike): DeviceId {
  const type = typeof addressType === "string" ? AddressType[addressType] : addressType;
  if (type === undefined) throw new ArgumentError(`address type "${addressType}": expected ${Object.keys(AddressType).join(", ")}`);
  return { address: Address.from(address).toHex(), addressType: type };
}

/** A key for maps. */
export function deviceKey({ address, addressType }: DeviceId): string {
  return `${address}/${addressType}`;
}
