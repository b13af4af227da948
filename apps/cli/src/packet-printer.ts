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
    const { terminal } = this.#context;
    terminal.lines(this.lineOf(packet));
    await terminal.flush();
  }

  /** What `print` says of a packet, with the line's end; nothing where it is not wanted. */
  lineOf(packet: DecodedPacket): string {
    this.begin(packet);
    const { terminal } = this.#context;
    if (terminal.json && this.#wanted.length === 0) return terminal.lineOf(() => packetJson(packet), String);
    const line = packetLine(packet, this.#startMs!);
    if (this.#wanted.length > 0 && !this.#isWanted(line)) return "";
    return terminal.lineOf(
      () => packetJson(packet),
      () => this.#painted(packet, line),
    );
  }

  #isWanted(line: string): boolean {
    const lowerCase = line.toLowerCase();
    return this.#wanted.some((text) => lowerCase.includes(text));
  }

  #painted(packet: DecodedPacket, line: string): string {
    const { paint, isPainted } = this.#context.terminal;
    if (!isPainted) return line;
    if (packet.malformed !== undefined) return paint("red", line);
    const [head, tail] = [line.slice(0, 22), line.slice(22)];
    const at = tail.indexOf(packet.name);
    const end = at + packet.name.length;
    return paint("dim", head) + tail.slice(0, at) + paint(LAYER_STYLES[packet.layer], tail.slice(at, end)) + tail.slice(end);
  }
}
