import { Address, ArgumentError, checkInteger, kindOf } from "../../core/index.ts";
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
export function deviceId(device: DeviceLike): DeviceId {
  if (typeof device !== "object" || device === null)
    throw new ArgumentError(`a device: expected an object of address and addressType, got ${kindOf(device)}`);
  const { address, addressType } = device;
  if (typeof address !== "string") throw new ArgumentError(`address of a device: expected a string, got ${kindOf(address)}`);
  const type = typeof addressType === "string" && Object.hasOwn(AddressType, addressType) ? AddressType[addressType] : addressType;
  if (typeof type !== "number") {
    const given = typeof addressType === "string" ? `"${addressType}"` : kindOf(addressType);
    throw new ArgumentError(`address type ${given}: expected ${Object.keys(AddressType).join(", ")}`);
  }
  checkInteger("address type", type, AddressType.BREDR, AddressType.LERandom);
  return { address: Address.from(address).toHex(), addressType: type };
}

/** A key for maps. */
export function deviceKey({ address, addressType }: DeviceId): string {
  return `${address}/${addressType}`;
}
