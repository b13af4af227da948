import { characteristicName } from "jelling/assigned";
import { type Address, Uuid } from "jelling/core";
import type { Device } from "jelling/device";
import type { Advertisement } from "jelling/gap";
import { describeRemote, type GattDescription } from "jelling/gatt";
import type { Context } from "../context.ts";
import { deviceFile } from "../device-file.ts";
import { type LinkOptions, withConnection } from "../link.ts";

/** A device that is there is heard in this time; one that is bonded may be met without advertising what others see. */
const LISTEN_MS = 3000;

interface Options extends LinkOptions {
  values?: boolean;
  advertising: boolean;
}

/** Writes a device as a file, for `advertise --device`. */
export async function exportDevice(context: Context, address: string, options: Options): Promise<void> {
  const { terminal } = context;
  let advertisement: Advertisement | undefined;
  const beforeConnecting = async (device: Device, at: Address): Promise<void> => {
    if (options.advertising) advertisement = await hear(context, device, at);
  };
  await withConnection(context, address, { ...options, beforeConnecting }, async (connection) => {
    using deadline = context.deadline(undefined, "the export");
    terminal.status("describing …");
    const gatt = await describeRemote(connection.gatt, { values: options.values ?? false, signal: deadline.signal });
    terminal.status("");
    const file = deviceFile(gatt, advertisement);
    terminal.result(
      () => ({ ...file }),
      () => JSON.stringify(file, undefined, 2),
    );
    for (const line of contentOf(gatt, options.values ?? false)) terminal.note(line);
    if (options.advertising && !advertisement) terminal.note("no advertisement of it was heard: the file says nothing of them");
  });
}

/** What it advertises, its answer to scan requests included. */
async function hear(context: Context, device: Device, address: Address): Promise<Advertisement | undefined> {
  context.terminal.status(`listening to ${address} …`);
  try {
    for await (const advertisement of device.scan({ merge: true, acceptList: [address], durationMs: LISTEN_MS, signal: context.signal }))
      if (!advertisement.isTruncated) return advertisement;
    return undefined;
  } finally {
    context.terminal.status("");
  }
}

/** What is in the file, for who gives it away. */
function contentOf({ services }: GattDescription, hasValues: boolean): string[] {
  const characteristics = services.flatMap(({ characteristics: own = [] }) => own);
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
  const structure = `${count(services.length, "service")} with ${count(characteristics.length, "characteristic")}`;
  if (!hasValues) return [`${structure}; no values (--values reads them)`];
  const valued = characteristics.filter(({ value }) => value !== undefined);
  const names = [...new Set(valued.map(({ uuid }) => characteristicName(Uuid.from(uuid)) ?? uuid))];
  const lines = [`${structure}, ${valued.length} of them with values${names.length > 0 ? `: ${names.join(", ")}` : ""}`];
  if (valued.length > 0)
    lines.push("values may be personal or secret - names, serial numbers, measurements: look through the file before you give it away");
  return lines;
}
