import { showRows } from "./output.ts";
import type { Invocation } from "./session.ts";

/** The serial ports of this machine. */
export async function ports({ context }: Invocation): Promise<void> {
  const { listSerialPorts } = await import("jelling/node");
  const found = await listSerialPorts();
  const rows = found.map((port) => ({ ...port }));
  if (rows.length > 0) showRows(context, rows);
  else context.terminal.note("no serial port was found: is the device plugged in, with a cable that carries data?");
}
