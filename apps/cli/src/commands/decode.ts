import { type AnyCaptureRecord, CaptureDecoder, CaptureReader, type CaptureWriter, isMonitorRecord } from "jelling/capture";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { isSameFile, openInput } from "../input-file.ts";
import { PacketPrinter } from "../packet-printer.ts";
import { closeCapture, openCapture } from "../session.ts";

export async function decode(context: Context, file: string, options: { filter: string[]; malformed?: boolean }): Promise<void> {
  const { terminal, signal } = context;
  const reader = new CaptureReader();
  const { secrets, anonymous } = context.options;
  const decoder = new CaptureDecoder({ secrets, anonymous });
  const printer = new PacketPrinter(context, options.filter);
  const counts = { packets: 0, malformed: 0 };
  await using copy = await Copy.of(context, file);
  for await (const chunk of file === "-" ? context.io.stdin(signal) : await inputOf(file, signal)) {
    // Said together, since a write of its own took a good part of a packet's time.
    let lines = "";
    try {
      for (const record of reader.push(chunk)) {
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

/** Node does not name the file where reading fails, as it does of a folder. */
async function inputOf(file: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const input = await openInput(file, signal);
  return input.once("error", (error: NodeJS.ErrnoException) => Object.assign(error, { path: error.path ?? file }));
}

/** The same capture once more, in the file that `--capture` names: shortened by what may not be seen, and in the format of its ending. */
class Copy implements AsyncDisposable {
  readonly #context: Context;
  #writer: CaptureWriter | undefined;

  private constructor(context: Context) {
    this.#context = context;
  }

  /** @throws {CommandError} the copy would overwrite what is read */
  static async of(context: Context, from: string): Promise<Copy> {
    const { capture } = context.options;
    if (capture !== undefined && capture !== "-" && (await isSameFile(from, capture)))
      throw new CommandError(`${from === "-" ? capture : from}: a capture cannot be written over itself`);
    return new Copy(context);
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
