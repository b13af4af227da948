import { createReadStream } from "node:fs";
import { CaptureDecoder, CaptureReader, type DecodedPacket, packetJson, packetLine } from "jelling/capture";
import type { Context } from "../context.ts";
import type { Style } from "../terminal.ts";

const LAYER_STYLES: Readonly<Record<DecodedPacket["layer"], Style>> = {
  hci: "blue",
  acl: "dim",
  l2cap: "magenta",
  att: "green",
  smp: "yellow",
  mgmt: "cyan",
  mon: "dim",
};

export async function decode(context: Context, file: string, options: { filter: string[]; malformed?: boolean }): Promise<void> {
  const { terminal, signal } = context;
  const reader = new CaptureReader();
  const decoder = new CaptureDecoder({ secrets: context.options.secrets });
  const wanted = options.filter.map((text) => text.toLowerCase());
  let startMs: number | undefined;
  const counts = { packets: 0, malformed: 0 };
  const input = file === "-" ? process.stdin : createReadStream(file, { signal });
  for await (const chunk of input) {
    for (const record of reader.push(chunk as Uint8Array)) {
      signal.throwIfAborted();
      startMs ??= record.timeMs;
      const packet = decoder.decode(record);
      counts.packets++;
      if (packet.malformed !== undefined) counts.malformed++;
      else if (options.malformed) continue;
      const line = packetLine(packet, startMs);
      if (wanted.length > 0 && !wanted.some((text) => line.toLowerCase().includes(text))) continue;
      terminal.result(
        () => packetJson(packet),
        () => painted(context, packet, line),
      );
      await terminal.flush();
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

function painted({ terminal: { paint } }: Context, packet: DecodedPacket, line: string): string {
  if (packet.malformed !== undefined) return paint("red", line);
  const [head, tail] = [line.slice(0, 22), line.slice(22)];
  const at = tail.indexOf(packet.name);
  const end = at + packet.name.length;
  return paint("dim", head) + tail.slice(0, at) + paint(LAYER_STYLES[packet.layer], tail.slice(at, end)) + tail.slice(end);
}
