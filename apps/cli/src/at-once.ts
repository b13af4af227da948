// Help and version are written down when the command is built (`recorded-answers.ts`) and told from there: to load the parser and to declare
// every command costs half of what Node's own start does. Only plain questions are answered so; all else on a command line is the parser's.

/** A line as it is; a paragraph, to be wrapped; a term with what it means. */
export type Piece = string | readonly [paragraph: string] | readonly [term: string, description: string];

export interface Answers {
  readonly version: string;
  /** What the helps consist of; most have the common options. */
  readonly pieces: readonly Piece[];
  /** By the words of the command: columns of the terms, then the pieces. */
  readonly helps: Readonly<Record<string, readonly [termColumns: number, ...pieces: number[]]>>;
}

/** For the version, or for the help of a command by its words. */
export type Question = { readonly version: true } | { readonly helpOf: string };

/** The question that a command line is, if it is a plain one. */
export function questionOf(argv: readonly string[]): Question | undefined {
  const last = argv.at(-1);
  if (argv.length === 1 && (last === "--version" || last === "-V")) return { version: true };
  let path: readonly string[];
  if (last === "--help" || last === "-h") path = argv.slice(0, -1);
  else if (argv[0] === "help" && argv.length <= 2) path = argv.slice(1);
  else return undefined;
  return path.every((word) => /^[\w.-]+$/.test(word)) ? { helpOf: path.join(" ") } : undefined;
}

/**
 * @param columns of the terminal
 * @returns `undefined` where there is no such command
 */
export function answerTo(question: Question, { version, pieces, helps }: Answers, columns: number): string | undefined {
  if ("version" in question) return version;
  if (!Object.hasOwn(helps, question.helpOf)) return undefined;
  const [termColumns, ...lines] = helps[question.helpOf]!;
  return lines.map((at) => laidOut(pieces[at]!, termColumns, columns)).join("\n");
}

// As `Help` of commander does it (`formatItem`, `boxWrap`); a test compares the two at every width.
const INDENT = "  ";
const GAP = "  ";
const LEAST_TO_WRAP = 40;

function laidOut(piece: Piece, termColumns: number, columns: number): string {
  if (typeof piece === "string") return piece;
  const [text, description] = piece;
  if (description === undefined) return wrapped(text, columns).join("\n");
  if (description === "") return INDENT + text;
  const margin = INDENT.length + termColumns + GAP.length;
  return INDENT + text.padEnd(termColumns) + GAP + wrapped(description, columns - margin).join(`\n${" ".repeat(margin)}`);
}

function wrapped(text: string, columns: number): string[] {
  if (columns < LEAST_TO_WRAP) return [text];
  const lines: string[] = [];
  let line: string | undefined;
  for (const [word] of text.matchAll(/\s*\S+/g)) {
    if (line === undefined) line = word;
    else if (line.length + word.length <= columns) line += word;
    else {
      lines.push(line);
      line = word.trimStart();
    }
  }
  return [...lines, line ?? ""];
}
