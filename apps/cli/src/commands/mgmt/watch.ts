import { toHex } from "jelling/bytes";
import {
  type Adapter,
  type AdapterChange,
  AddressType,
  btmgmtSettingNames,
  type ConnectionChange,
  type Feed,
  nameOf,
  Settings,
  watchAdapters,
  watchConnections,
} from "jelling/mgmt";
import type { Context } from "../../context.ts";
import type { Style } from "../../terminal.ts";
import { quoted } from "../../text.ts";
import { hci, type Invocation, indexOf, withMgmt } from "./session.ts";
import { advertisingDataText, deviceText } from "./show.ts";

/** Prints adapters that are there, then what happens to them, until `--count`, `--timeout` or Ctrl-C. */
export async function watch(invocation: Invocation): Promise<void> {
  const { context, index } = invocation;
  await withMgmt(invocation, (mgmt) =>
    follow(
      invocation,
      (signal) => watchAdapters(mgmt, { signal }),
      ({ adapter }) => index === undefined || adapter.index === index,
      (change) => showChange(context, change),
    ),
  );
}

/** Likewise the links of one adapter. */
export async function links(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  const index = indexOf(invocation);
  const show = ({ kind, device, before, data, reason }: ConnectionChange): void =>
    terminal.result(
      () => ({
        event: kind,
        index,
        address: device.address,
        addressType: nameOf(AddressType, device.addressType) ?? device.addressType,
        ...(before ? { before: deviceText(before) } : {}),
        ...(data ? { eirData: toHex(data.bytes) } : {}),
        ...(reason === undefined ? {} : { reason }),
      }),
      () => {
        const details = [before && `was ${deviceText(before)}`, reason, data && advertisingDataText(data.bytes)].filter(Boolean).join(", ");
        return `${terminal.paint("bold", kind.padEnd(12))}  ${deviceText(device)}  ${details}`.trimEnd();
      },
    );
  await withMgmt(invocation, (mgmt) =>
    follow(
      invocation,
      (signal) => watchConnections(mgmt, index, { signal }),
      () => true,
      show,
    ),
  );
}

async function follow<T>(
  { context, options }: Invocation,
  open: (signal: AbortSignal) => Feed<T>,
  isWanted: (item: T) => boolean,
  show: (item: T) => void,
): Promise<void> {
  const { terminal } = context;
  const { count } = options as { count?: number };
  using deadline = context.deadline(undefined, "watching");
  terminal.status("watching, Ctrl-C ends …");
  let shown = 0;
  let dropped = 0;
  try {
    const feed = open(deadline.signal);
    for await (const item of feed) {
      if (feed.dropped > dropped)
        terminal.note(`${feed.dropped - dropped} changes were dropped: they came faster than they could be printed`);
      dropped = feed.dropped;
      if (!isWanted(item)) continue;
      show(item);
      await terminal.flush();
      if (++shown === count) break;
    }
    if (shown !== count && !deadline.timedOut()) deadline.signal.throwIfAborted();
  } catch (error) {
    if (!deadline.timedOut()) throw error;
  } finally {
    terminal.status("");
  }
}

const STYLES: Readonly<Record<AdapterChange["kind"], Style>> = { present: "dim", added: "green", changed: "cyan", removed: "red" };

function showChange({ terminal }: Context, { kind, adapter, changes }: AdapterChange): void {
  terminal.result(
    () => ({ event: kind, ...(kind === "changed" ? { changes } : {}), ...adapter }),
    () => {
      const head = `${terminal.paint(STYLES[kind], kind.padEnd(7))}  ${terminal.paint("bold", hci(adapter.index).padEnd(5))}`;
      const details =
        kind === "removed" ? "" : kind === "changed" ? changes.map((name) => changeText(name, adapter)).join(", ") : adapterText(adapter);
      return `${head}  ${details}`.trimEnd();
    },
  );
}

function adapterText({ address, configured, powered, name, missingOptions }: Adapter): string {
  return configured ? `${address}  ${powered ? "on " : "off"}  ${quoted(name)}` : `not configured: ${missingOptions.join(", ")} missing`;
}

function changeText(name: keyof Adapter, adapter: Adapter): string {
  const value = adapter[name];
  if (name === "powered") return value ? "on" : "off";
  if (name === "settings")
    return (
      adapter.settings
        .map((setting) => (btmgmtSettingNames as readonly string[])[Settings[setting as keyof typeof Settings]] ?? setting)
        .join(" ") || "no settings"
    );
  if (name === "classOfDevice") return `class 0x${adapter.classOfDevice.toString(16).padStart(6, "0")}`;
  return `${name} ${typeof value === "string" ? quoted(value) : String(value)}`;
}
