import type { Command } from "commander";
import type { Answers, Piece } from "./at-once.ts";
import { nodeIo } from "./node-io.ts";
import { createProgram } from "./program.ts";

/** A line that stands for a piece, by its number. */
const MARK = "\0";

/** Asks every command for its help, and the program for its version. */
export async function recordAnswers(): Promise<Answers> {
  const pieces = new Map<string, number>();
  const helps: Record<string, [number, ...number[]]> = {};
  const numberOf = (piece: Piece): number => {
    const key = JSON.stringify(piece);
    const number = pieces.get(key) ?? pieces.size;
    pieces.set(key, number);
    return number;
  };

  const record = (command: Command, paths: readonly string[]): void => {
    let termColumns = 0;
    const marked = (piece: Piece): string => {
      if (piece.at(-1)!.includes("\n")) throw new Error(`"${piece.at(-1)}" has lines of its own, which at-once.ts does not lay out`);
      return MARK + numberOf(piece);
    };
    const createHelp = command.createHelp.bind(command);
    command.createHelp = () =>
      Object.assign(createHelp(), {
        boxWrap: (text: string) => marked([text]),
        formatItem: (term: string, columns: number, description: string) => {
          termColumns = columns;
          return marked([term, description]);
        },
      });
    let text = "";
    command.configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    command.outputHelp();
    const lines = text.split("\n").map((line) => (line.startsWith(MARK) ? Number(line.slice(MARK.length)) : numberOf(line)));
    for (const path of paths) helps[path] = [termColumns, ...lines];
    for (const subcommand of command.commands)
      record(
        subcommand,
        paths.flatMap((path) => [subcommand.name(), ...subcommand.aliases()].map((name) => `${path} ${name}`.trimStart())),
      );
  };

  const program = await createProgram(nodeIo());
  record(program, [""]);
  return { version: `${program.version()}\n`, pieces: [...pieces.keys()].map((piece) => JSON.parse(piece) as Piece), helps };
}
