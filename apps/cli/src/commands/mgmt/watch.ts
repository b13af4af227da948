import { toHex } from "jelling/bytes";
import {
  type Adapter,
  type AdapterChange,
  AddressType,
  type ConnectionChange,
  nameOf,
  watchAdapters,
  watchConnections,
} from "jelling/mgmt";
import type { Context } from "../../context.ts";
import type { Style } from "../../terminal.ts";
import { quoted } from "../../text.ts";
import { follow } from "./follow.ts";
import { hci, type Invocation, indexOf, withMgmt } from "./session.ts";
import { advertisingDataText, deviceText, settingNamesText } from "./show.ts";

/** Prints adapters that are there, then what happens to them, until `--count`, `--timeout` or Ctrl-C. */
export async function watch(invocation: Invocation): Promise<void> {
  const { context, index } = invocation;
  await withMgmt(invocation, (mgmt) =>
    follow(invocation, {
      doing: "watching",
      items: "changes",
      open: (signal) => watchAdapters(mgmt, { signal }),
      isWanted: ({ adapter }) => index === undefined || adapter.index === index,
      show: (change) => showChange(context, change),
    }),
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
    follow(invocation, { doing: "watching", items: "changes", open: (signal) => watchConnections(mgmt, index, { signal }), show }),
  );
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
  if (name === "settings") return settingNamesText(adapter.settings) || "no settings";
  if (name === "classOfDevice") return `class 0x${adapter.classOfDevice.toString(16).padStart(6, "0")}`;
  return `${name} ${typeof value === "string" ? quoted(value) : String(value)}`;
}
