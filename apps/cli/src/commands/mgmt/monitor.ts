import { CaptureDecoder, NO_INDEX } from "jelling/capture";
import { type Monitor, openMonitor } from "jelling/mgmt";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { PacketPrinter } from "../../packet-printer.ts";
import { closeCapture, openCapture } from "../../session.ts";
import { managementSpec } from "./session.ts";

export interface MonitorCommandOptions {
  /** Only records of this controller, and those of none. */
  readonly index?: number | undefined;
  /** False leaves out HCI packets and what they carry. */
  readonly hci?: boolean | undefined;
  /** Only lines that hold one of these texts. */
  readonly filter?: readonly string[] | undefined;
}

/** Prints what passes between the kernel, its controllers and the programs that manage them, until `--timeout` or Ctrl-C. */
export async function monitor(
  context: Context,
  options: MonitorCommandOptions = {},
  open: (options: { signal: AbortSignal }) => Promise<Monitor> = openMonitor,
): Promise<void> {
  const { terminal } = context;
  const spec = managementSpec(context);
  if (spec.simulated) throw new UsageError("the monitor channel is the kernel's: there is none in a simulated one");
  const index = options.index ?? spec.index;
  const closing = new Closing();
  await using _closing = closing;
  using deadline = context.deadline(undefined, "monitoring");
  const source = await open({ signal: deadline.signal });
  closing.add(() => source[Symbol.asyncDispose]());
  const capture = await openCapture(context, { content: "monitor" });
  if (capture) closing.add(() => closeCapture(context, capture));
  const decoder = new CaptureDecoder({ secrets: context.options.secrets, anonymous: context.options.anonymous });
  const printer = new PacketPrinter(context, options.filter);
  let records = 0;
  try {
    for await (const record of source) {
      // Decoded before it is left out: what comes later may need it.
      const packet = decoder.decode(record);
      printer.begin(record);
      if (index !== undefined && record.index !== index && record.index !== NO_INDEX) continue;
      if (options.hci === false && packet.layer !== "mgmt" && packet.layer !== "mon") continue;
      records++;
      capture?.writeRecord(record);
      await printer.print(packet);
    }
  } catch (error) {
    if (!deadline.timedOut()) throw error;
  } finally {
    const lost = [
      ...(source.dropped > 0 ? [`${source.dropped} lost, since they were not printed fast enough`] : []),
      ...(source.droppedByKernel > 0 ? [`${source.droppedByKernel} lost in the kernel`] : []),
    ];
    terminal.note([`${records} record${records === 1 ? "" : "s"}`, ...lost].join(", "));
  }
}
