import { type DecodedPacket, packetJson, packetLine } from "jelling/capture";
import type { Context } from "./context.ts";
import type { Style } from "./terminal.ts";

const LAYER_STYLES: Readonly<Record<DecodedPacket["layer"], Style>> = {
  hci: "blue",
  acl: "dim",
  l2cap: "magenta",
  att: "green",
  smp: "yellow",
  mgmt: "cyan",
  mon: "dim",
};

/** Prints decoded packets a line each, or as objects, those whose line holds one of the wanted texts. */
export class PacketPrinter {
  readonly #context: Context;
  readonly #wanted: readonly string[];
  #startMs: number | undefined;

  constructor(context: Context, wanted: readonly string[] = []) {
    this.#context = context;
    this.#wanted = wanted.map((text) => text.toLowerCase());
  }

  /** Time begins with this packet, unless it has begun. */
  begin({ timeMs }: Pick<DecodedPacket, "timeMs">): void {
    this.#startMs ??= timeMs;
  }

  /** Resolves when the output takes more. */
  async print(packet: DecodedPacket): Promise<void> {
    this.begin(packet);
    const { terminal } = this.#context;
    const line = packetLine(packet, this.#startMs!);
    if (this.#wanted.length > 0 && !this.#wanted.some((text) => line.toLowerCase().includes(text))) return;
    terminal.result(
      () => packetJson(packet),
      () => this.#painted(packet, line),
    );
    await terminal.flush();
  }

  #painted(packet: DecodedPacket, line: string): string {
    const { paint } = this.#context.terminal;
    if (packet.malformed !== undefined) return paint("red", line);
    const [head, tail] = [line.slice(0, 22), line.slice(22)];
    const at = tail.indexOf(packet.name);
    const end = at + packet.name.length;
    return paint("dim", head) + tail.slice(0, at) + paint(LAYER_STYLES[packet.layer], tail.slice(at, end)) + tail.slice(end);
  }
}
