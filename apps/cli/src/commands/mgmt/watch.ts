import { type Adapter, type AdapterChange, btmgmtSettingNames, Settings, watchAdapters } from "jelling/mgmt";
import type { Context } from "../../context.ts";
import type { Style } from "../../terminal.ts";
import { quoted } from "../../text.ts";
import { hci, type Invocation, withMgmt } from "./session.ts";

/** Prints adapters that are there, then what happens to them, until `--count`, `--timeout` or Ctrl-C. */
export async function watch(invocation: Invocation): Promise<void> {
  const { context, index } = invocation;
  const { terminal } = context;
  const { count } = invocation.options as { count?: number };
  await withMgmt(invocation, async (mgmt) => {
    using deadline = context.deadline(undefined, "watching");
    terminal.status("watching, Ctrl-C ends …");
    let shown = 0;
    try {
      for await (const change of watchAdapters(mgmt, { signal: deadline.signal })) {
        if (index !== undefined && change.adapter.index !== index) continue;
        showChange(context, change);
        await terminal.flush();
        if (++shown === count) break;
      }
      if (!deadline.timedOut()) deadline.signal.throwIfAborted();
    } catch (error) {
      if (!deadline.timedOut()) throw error;
    } finally {
      terminal.status("");
    }
  });
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
