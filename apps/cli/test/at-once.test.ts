import type { Command } from "commander";
import packageJson from "jelling/package.json" with { type: "json" };
import { beforeAll, describe, expect, test } from "vitest";
import { type Answers, answerTo, questionOf } from "../src/at-once.ts";
import { createProgram } from "../src/program.ts";
import { recordAnswers } from "../src/recorded-answers.ts";
import { fakeIo, jelling } from "./fake-io.ts";

let answers: Answers;
beforeAll(async () => {
  answers = await recordAnswers();
});

const answerOf = (argv: readonly string[], columns = 80): string | undefined => {
  const question = questionOf(argv);
  return question && answerTo(question, answers, columns);
};

/** Every command by its words, with all names it has. */
function* commandsOf(command: Command, paths: readonly string[][] = [[]]): Generator<[command: Command, paths: readonly string[][]]> {
  yield [command, paths];
  for (const each of command.commands) {
    const names = [each.name(), ...each.aliases()];
    yield* commandsOf(
      each,
      paths.flatMap((path) => names.map((name) => [...path, name])),
    );
  }
}

describe("what is told without the parser is what the parser tells", () => {
  test("the help of every command, in a terminal of any width", async () => {
    let columns = 0;
    let text = "";
    const io = fakeIo();
    const stdout = {
      ...io.stdout,
      get columns() {
        return columns;
      },
      write: (part: string | Uint8Array) => {
        text += String(part);
        return true;
      },
    };
    let count = 0;
    for (const [command, [path]] of commandsOf(await createProgram({ ...io, stdout })))
      for (columns of [1, 39, 40, 52, 53, 60, 79, 80, 81, 100, 131, 200, 1000]) {
        text = "";
        command.outputHelp();
        expect(answerOf([...path!, "--help"], columns), `${path!.join(" ")} in ${columns} columns`).toBe(text);
        count++;
      }
    expect(count).toBeGreaterThan(150 * 13);
  });

  test("by every name, and both ways to ask", async () => {
    for (const [, paths] of commandsOf(await createProgram(fakeIo())))
      for (const path of paths)
        for (const flag of ["--help", "-h"]) {
          const { status, out, err } = await jelling([...path, flag]);
          expect([status, err]).toEqual([0, ""]);
          expect(answerOf([...path, flag])).toBe(out);
        }
  });

  test("help NAME, and the version", async () => {
    for (const argv of [["help"], ["help", "scan"], ["help", "mgmt"], ["-V"], ["--version"]]) {
      const { status, out } = await jelling(argv);
      expect([status, answerOf(argv)]).toEqual([0, out]);
    }
    expect(answerOf(["-V"])).toBe(`${packageJson.version}\n`);
  });
});

test("what is no plain question is left to the parser", () => {
  for (const argv of [
    [],
    ["scan"],
    ["--json", "--help"],
    ["scan", "--version"],
    ["--help", "scan"],
    ["help", "pump", "status"],
    ["help", "pump status"],
    ["help", ""],
    ["help", "--help"],
    ["help", "help"],
    ["pump status", "--help"],
    ["", "--help"],
    ["scam", "--help"],
    ["__proto__", "--help"],
    ["constructor", "-h"],
    ["connect", "C0:11:22:33:44:01", "--help"],
  ])
    expect(answerOf(argv), argv.join(" ")).toBeUndefined();
});

test("the list of commands is the same, however many were declared", async () => {
  const list = answerOf(["--help"]);
  for (const argv of [
    ["--json", "--help"],
    ["-t", "mgmt", "--help"],
    ["-t", "scan", "-h"],
  ])
    expect((await jelling(argv)).out, argv.join(" ")).toBe(list);
  for (const argv of [[], ["--json"], ["-t", "scan"], ["-t", "pump"]])
    expect((await jelling(argv)).err, argv.join(" ")).toBe(`${list}jelling: which command? (the list is above)\n`);
});
