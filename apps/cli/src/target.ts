import type { Address } from "jelling/core";
import type { Device } from "jelling/device";
import { type Context, durationText } from "./context.ts";
import { CommandError, InterruptedError } from "./errors.ts";
import { quoted } from "./text.ts";

/** How long a device is looked for. */
export const FIND_TIMEOUT_MS = 10_000;

/** Which device is meant: an address with its type, one without, or a name. */
export type Target = { readonly address: Address; readonly typed: boolean } | { readonly name: string };

/** Reads what the user calls a device. @throws {ArgumentError} not an address */
export async function parseTarget(text: string): Promise<Target> {
  if (text.startsWith("name:") && text.length > 5) return { name: text.slice(5) };
  const { Address: AddressClass } = await import("jelling/core");
  return { address: AddressClass.from(text), typed: text.includes("/") };
}

/**
 * The address to connect to. Nothing in six octets tells a public address from a random one: without a type the bonds are asked, then the
 * device is looked for on the air.
 */
export async function resolveTarget(context: Context, device: Device, target: Target): Promise<Address> {
  if ("address" in target) {
    if (target.typed) return target.address;
    for await (const bond of device.bonds.all()) if (bond.identity.toHex() === target.address.toHex()) return bond.identity;
  }
  const wanted = "name" in target ? quoted(target.name) : target.address.toHex();
  const timeoutMs = context.timeoutMs(FIND_TIMEOUT_MS);
  context.terminal.status(`looking for ${wanted} …`);
  using deadline = context.deadline(FIND_TIMEOUT_MS, "looking for the device");
  try {
    const filter = "name" in target ? { name: target.name } : {};
    for await (const advertisement of device.scan({ ...filter, signal: deadline.signal })) {
      const identity = advertisement.identity ?? advertisement.address;
      if ("name" in target || advertisement.address.toHex() === target.address.toHex() || identity.toHex() === target.address.toHex())
        return advertisement.address;
    }
  } catch (error) {
    if (!deadline.timedOut()) throw error;
    throw new CommandError(`no device ${"name" in target ? `named ${wanted}` : wanted} advertised within ${durationText(timeoutMs)}`, {
      cause: error,
    });
  } finally {
    context.terminal.status("");
  }
  throw context.signal.reason ?? new InterruptedError();
}
