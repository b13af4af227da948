import { createReadStream } from "node:fs";
import { CaptureDecoder, CaptureReader } from "jelling/capture";
import type { Context } from "../context.ts";
import { PacketPrinter } from "../packet-printer.ts";

export async function decode(context: Context, file: string, options: { filter: string[]; malformed?: boolean }): Promise<void> {
  const { terminal, signal } = context;
  const reader = new CaptureReader();
  const decoder = new CaptureDecoder({ secrets: context.options.secrets });
  const printer = new PacketPrinter(context, options.filter);
  const counts = { packets: 0, malformed: 0 };
  const input = file === "-" ? process.stdin : createReadStream(file, { signal });
  for await (const chunk of input) {
    for (const record of reader.push(chunk as Uint8Array)) {
      signal.throwIfAborted();
      printer.begin(record);
      const packet = decoder.decode(record);
      counts.packets++;
      if (packet.malformed !== undefined) counts.malformed++;
      else if (options.malformed) continue;
      await printer.print(packet);
    }
  }
  const { packets, malformed } = counts;
  // A cut capture is an error at the end, after all that could be read.
  reader.end();
  const lost = reader.drops;
  terminal.note(
    `${packets} packet${packets === 1 ? "" : "s"}, ${malformed} malformed${lost > 0 ? `, ${lost} lost by the capturing program` : ""}`,
  );
}
