// Puts single faults into a room and counts how many its tests notice: `npm run mutate -- src/att [--fraction 0.1] [--seed 1]`. With --files only
// in files whose path has that text. Prints each fault that nobody noticed; the whole report is in node_modules/.cache/mutation.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { rooms } from "./mutation/rooms.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    fraction: { type: "string", default: "0.1" },
    seed: { type: "string", default: "1" },
    files: { type: "string" },
    concurrency: { type: "string", default: "2" },
    patience: { type: "string", default: "1500" }, // ms over what the tests take: a busy machine needs more, or what is slow counts as noticed
  },
});
const [name] = positionals;
const fraction = Number(values.fraction);
const seed = Number(values.seed);
const room = rooms[name];
if (!room || positionals.length !== 1 || !(fraction > 0 && fraction <= 1) || !Number.isInteger(seed)) {
  console.error(`expected a room, --fraction above 0 to 1 and a whole --seed; the rooms are:\n  ${Object.keys(rooms).join("\n  ")}`);
  process.exit(2);
}
const folder = join("node_modules", ".cache", "mutation");
mkdirSync(folder, { recursive: true });
process.env.JELLING_MUTATION_TESTS = JSON.stringify(room.tests);

const results = await new Stryker({
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", "./tools/mutation/sample-checker.mjs"],
  vitest: { configFile: "tools/mutation/vitest.config.ts", related: false },
  mutate: values.files ? [`${name}/**/*${values.files}*`, `${name}/**/*${values.files}*/**/*.ts`, "!**/*.test.ts"] : room.mutate,
  coverageAnalysis: "perTest",
  concurrency: Number(values.concurrency),
  ignoreStatic: true, // a fault in what runs at import needs a process for each
  timeoutMS: Number(values.patience),
  timeoutFactor: 1.5,
  mutator: { excludedMutations: ["StringLiteral"] }, // mostly the wording of messages
  checkers: ["sample"],
  sample: { seed, fraction },
  reporters: ["json", "progress-append-only"],
  jsonReporter: { fileName: join(folder, `${name.replaceAll("/", "-")}.json`) },
  tempDirName: join(folder, "tmp"),
  ignorePatterns: ["dist", "lab", "docs", ...(name.startsWith("apps/") ? [] : ["apps"])],
  allowEmpty: true,
}).runMutationTest();

const count = (status) => results.filter((result) => result.status === status).length;
const noticed = count("Killed") + count("Timeout");
const missed = results.filter(({ status }) => status === "Survived" || status === "NoCoverage");
for (const { fileName, location, mutatorName, replacement, status } of missed.toSorted((a, b) => a.fileName.localeCompare(b.fileName)))
  console.log(
    `${status === "Survived" ? "survived " : "uncovered"} ${fileName.replace(`${process.cwd()}/`, "")}:${location.start.line}:${location.start.column} ${mutatorName}: ${replacement.replaceAll(/\s+/g, " ").slice(0, 120)}`,
  );
const total = noticed + missed.length;
console.log(
  `${name}, seed ${seed}, fraction ${fraction}: ${noticed} of ${total} noticed (${total ? ((100 * noticed) / total).toFixed(0) : "-"} %), ${count("Timeout")} of them by a timeout, ${missed.length} not`,
);
