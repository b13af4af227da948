// Stryker tries every mutant of a file; a room has thousands. This checker lets a seeded share of them through: the same seed and fraction
// draw the same mutants on every machine. The others count as compile errors, which stay out of the score.
import { createHash } from "node:crypto";
import path from "node:path";
import { commonTokens, declareClassPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin";

class SampleChecker {
  static inject = tokens(commonTokens.options);
  #seed;
  #fraction;
  constructor({ sample: { seed, fraction } }) {
    this.#seed = seed;
    this.#fraction = fraction;
  }
  async init() {}
  async check(mutants) {
    return Object.fromEntries(
      mutants.map((mutant) => {
        const { start, end } = mutant.location;
        const file = path.relative(process.cwd(), mutant.fileName);
        const key = [this.#seed, file, start.line, start.column, end.line, end.column, mutant.mutatorName, mutant.replacement].join("|");
        const share = createHash("sha256").update(key).digest().readUInt32BE(0) / 2 ** 32;
        return [mutant.id, share < this.#fraction ? { status: "passed" } : { status: "compileError", reason: "not sampled" }];
      }),
    );
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, "sample", SampleChecker)];
export const strykerValidationSchema = { type: "object", properties: { sample: { type: "object" } } };
