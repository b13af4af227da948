import { resolve } from "node:path";
import { type AnyCaptureRecord, CaptureDecoder, CaptureReader, type CaptureWriter, isMonitorRecord } from "jelling/capture";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { openInput } from "../input-file.ts";
import { PacketPrinter } from "../packet-printer.ts";
import { closeCapture, openCapture } from "../session.ts";

export async function decode(context: Context, file: string, options: { filter: string[]; malformed?: boolean }): Promise<void> {
  const { terminal, signal } = context;
  const reader = new CaptureReader();
  const { secrets, anonymous } = context.options;
  const decoder = new CaptureDecoder({ secrets, anonymous });
  const printer = new PacketPrinter(context, options.filter);
  const counts = { packets: 0, malformed: 0 };
  const input = file === "-" ? process.stdin : await openInput(file, signal);
  // Node does not name the file where reading fails, as it does of a folder.
  input.once("error", (error: NodeJS.ErrnoException) => Object.assign(error, { path: error.path ?? file }));
  await using copy = new Copy(context, file);
  for await (const chunk of input) {
    // Said together, since a write of its own took a good part of a packet's time.
    let lines = "";
    try {
      for (const record of reader.push(chunk as Uint8Array)) {
        signal.throwIfAborted();
        if (copy.isWanted) await copy.write(record);
        printer.begin(record);
        const packet = decoder.decode(record);
        counts.packets++;
        if (packet.malformed !== undefined) counts.malformed++;
        else if (options.malformed) continue;
        lines += printer.lineOf(packet);
      }
    } finally {
      terminal.lines(lines);
    }
    await terminal.flush();
  }
  const { packets, malformed } = counts;
  // A cut capture is an error at the end, after all that could be read.
  reader.end();
  const lost = reader.drops;
  terminal.note(
    `${packets} packet${packets === 1 ? "" : "s"}, ${malformed} malformed${lost > 0 ? `, ${lost} lost by the capturing program` : ""}`,
  );
}

/** The same capture once more, in the file that `--capture` names: shortened by what may not be seen, and in the format of its ending. */
class Copy implements AsyncDisposable {
  readonly #context: Context;
  #writer: CaptureWriter | undefined;

  /** @throws {CommandError} the copy would overwrite what is read */
  constructor(context: Context, from: string) {
    this.#context = context;
    const { capture } = context.options;
    if (capture !== undefined && capture !== "-" && resolve(capture) === resolve(from))
      throw new CommandError(`${from}: a capture cannot be written over itself`);
  }

  get isWanted(): boolean {
    return this.#context.options.capture !== undefined;
  }

  async write(record: AnyCaptureRecord): Promise<void> {
    // Where the first packet names its adapter there may be several.
    const content = isMonitorRecord(record) || record.index !== undefined ? "monitor" : "hci";
    this.#writer ??= await openCapture(this.#context, { content });
    this.#writer?.writeRecord(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#writer) await closeCapture(this.#context, this.#writer);
  }
}
