import type { Actor } from "@jelling/minimed";
import type { Context } from "../context.ts";
import { type Style, wrap } from "../terminal.ts";
import { printable } from "../text.ts";

const ACTORS: Readonly<Record<Actor, Style>> = { user: "cyan", phone: "green", pump: "magenta", result: "bold" };
/** Where the text of a timeline begins. */
const INDENT = 21;

/** One line of a timeline, broken where the terminal ends. */
export function timelineText({ terminal }: Context, timeMs: number, actor: Actor, text: string): string {
  const time = `${(timeMs / 1000).toFixed(3).padStart(10)} s`;
  const who = (actor === "result" ? "" : actor).padEnd(INDENT - 14);
  const broken = wrap(printable(text), terminal.columns - INDENT, "").replaceAll("\n", `\n${" ".repeat(INDENT)}`);
  return `${terminal.paint("dim", time)}  ${terminal.paint(ACTORS[actor], who + broken)}`;
}
