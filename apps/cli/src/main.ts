#!/usr/bin/env node
import { fstatSync, readFileSync } from "node:fs";
import { type Answers, answerTo, questionOf } from "./at-once.ts";
import { writeAtOnce } from "./write-at-once.ts";

/** What is still to be said of an answer, or `undefined`: the command is to be run. */
function answered(argv: readonly string[]): Uint8Array | undefined {
  const question = questionOf(argv);
  if (question === undefined) return undefined;
  let text: string | undefined;
  try {
    const answers = JSON.parse(readFileSync(new URL("./answers.json", import.meta.url), "utf8")) as Answers;
    // Only a terminal is this wide or that, and to ask for the stream of a pipe takes longer than to find that it is one.
    const columns = fstatSync(1).isCharacterDevice() ? process.stdout.columns : undefined;
    text = answerTo(question, answers, columns || 80);
  } catch {
    return undefined; // a command that nobody built has none, and one whose files are damaged no whole ones: the parser tells
  }
  return text === undefined ? undefined : writeAtOnce(1, new TextEncoder().encode(text));
}

const argv = process.argv.slice(2);
const rest = answered(argv);
if (rest?.length !== 0) void import("./process.ts").then(({ runProcess }) => runProcess(argv, rest));
