import type { Address } from "../core/address.ts";
import { StateError } from "../core/error.ts";
import type { Connection, Device, DeviceConnectOptions } from "../device/index.ts";

/** Who uses a link here, and whether it was made for that: what somebody else has connected is not disconnected. */
const claims = new WeakMap<Connection, { count: number; readonly isOwn: boolean }>();

function claim(connection: Connection, isOwn: boolean): Connection {
  const known = claims.get(connection);
  if (known) known.count++;
  else claims.set(connection, { count: 1, isOwn });
  return connection;
}

/** The link to a device: the one that is there, else a new one. Give it back by `releaseLink`. @throws as `Device.connect` */
export async function claimLink(device: Device, address: Address, options: DeviceConnectOptions, signal: AbortSignal): Promise<Connection> {
  const present = device.linkTo(address);
  if (present) return claim(present, false);
  try {
    return claim(await device.connect(address, { ...options, signal }), true);
  } catch (error) {
    const madeMeanwhile = error instanceof StateError ? device.linkTo(address) : undefined;
    if (!madeMeanwhile) throw error;
    return claim(madeMeanwhile, false);
  }
}

/** Nobody waits for the end of the link, which comes when the last one has given it back. */
export function releaseLink(connection: Connection): void {
  const known = claims.get(connection);
  if (!known || --known.count > 0) return;
  claims.delete(connection);
  if (known.isOwn && !connection.ended) void connection.disconnect().catch(() => undefined);
}
