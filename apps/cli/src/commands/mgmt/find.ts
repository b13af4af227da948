import { toHex } from "jelling/bytes";
import { Uuid } from "jelling/core";
import { commands, DiscoveryTypes, events, type FoundDevice, MgmtError, present, type ScanOptions, scan } from "jelling/mgmt";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { type Invocation, indexOf, withMgmt } from "./session.ts";
import { advertisingDataText, deviceText, showReturns } from "./show.ts";

interface Options {
  le?: boolean;
  bredr?: boolean;
  limited?: boolean;
  all?: boolean;
  uuid?: readonly string[];
  rssi?: number;
}

/** How long to look around, unless `--timeout` says otherwise: as long as one discovery of the kernel. */
const FIND_MS = 10_240;
/** Devices remembered, so that each is listed once and again when its name is known. */
const MOST_DEVICES = 10_000;

export const find = (invocation: Invocation): Promise<void> => look(invocation, {});

export async function findService(invocation: Invocation): Promise<void> {
  const { uuid = [], rssi } = invocation.options as Options;
  await look(invocation, {
    services: uuid.map((text) => Uuid.from(text)),
    ...(rssi === undefined ? {} : { rssiThreshold: rssi }),
  });
}

function typesOf({ le, bredr }: Options): "le" | "bredr" | undefined {
  if (le && bredr) return undefined;
  return le ? "le" : bredr ? "bredr" : undefined;
}

/** Lists devices until `--timeout` or Ctrl-C. */
async function look(invocation: Invocation, filter: ScanOptions): Promise<void> {
  const { context } = invocation;
  const { terminal, signal } = context;
  const options = invocation.options as Options;
  const index = indexOf(invocation);
  const names = new Map<string, string | undefined>();
  await withMgmt(invocation, async (mgmt) => {
    terminal.status("looking for devices, Ctrl-C ends …");
    const found = scan(mgmt, index, {
      ...filter,
      types: typesOf(options),
      limited: options.limited,
      duplicates: options.all ? "all" : "changes",
      durationMs: context.timeoutMs(FIND_MS),
      signal,
    });
    try {
      for await (const device of found) {
        const key = deviceText(device);
        const isNews = !names.has(key) || names.get(key) !== device.name;
        names.set(key, device.name);
        if (names.size > MOST_DEVICES) names.delete(names.keys().next().value!);
        if (options.all || isNews) showFound(context, index, device);
        terminal.status(`looking for devices: ${names.size}, Ctrl-C ends …`);
        await terminal.flush();
      }
    } finally {
      terminal.status("");
    }
    if (found.dropped > 0) terminal.note(`${found.dropped} reports were dropped: they came faster than they could be printed`);
    terminal.note(`${names.size} device${names.size === 1 ? "" : "s"}`);
  });
}

function showFound({ terminal: { paint, columns }, terminal }: Context, index: number, device: FoundDevice): void {
  const { address, addressType, flags, rssi, data, name, connectable, serviceUuids } = device;
  terminal.result(
    () => ({
      event: "DeviceFound",
      index,
      ...present(events.deviceFound.parameters.fields, { address, addressType, rssi: rssi ?? 127, flags }),
      eirData: toHex(data.bytes),
      connectable,
      ...(name === undefined ? {} : { name }),
      services: serviceUuids.map(({ text }) => text),
    }),
    () => {
      const signal = `${(rssi === undefined ? "?" : String(rssi)).padStart(4)} dBm`;
      const head = `${signal}  ${deviceText(device).padEnd(24)}`;
      const details = [advertisingDataText(data.bytes), ...(connectable ? [] : ["not connectable"])].filter(Boolean).join(", ");
      const room = columns - head.length - 2;
      const cut = details.length > room ? `${details.slice(0, Math.max(0, room - 1))}…` : details;
      return `${paint("dim", signal)}${head.slice(signal.length)}  ${cut}`.trimEnd();
    },
  );
}

/** Stops the discovery that runs. The kernel wants to hear the types it was started with, which it does not tell: each is tried. */
export async function stopFind(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const index = indexOf(invocation);
  const options = invocation.options as Options;
  if (options.le && options.bredr) throw new UsageError("either --le or --bredr; without them whatever runs is stopped");
  const types = typesOf(options);
  const tries =
    types === undefined
      ? [DiscoveryTypes.Interleaved, DiscoveryTypes.LE, DiscoveryTypes.BREDR]
      : [types === "le" ? DiscoveryTypes.LE : DiscoveryTypes.BREDR];
  await withMgmt(invocation, async (mgmt) => {
    for (const [i, addressTypes] of tries.entries()) {
      try {
        const returns = await mgmt.stopDiscovery(index, addressTypes, { signal: context.signal });
        return showReturns(context, commands.stopDiscovery, index, returns);
      } catch (error) {
        const isOther = error instanceof MgmtError && error.statusName === "InvalidParameters";
        if (!isOther || i === tries.length - 1) throw error;
      }
    }
  });
}
