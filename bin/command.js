import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import config, { output } from "../rolldown.config.js";

const cwd = fileURLToPath(new URL("..", import.meta.url));

/**
 * Through the API, since rolldown's own command lists every file it writes.
 *
 * @param {string} folder to put it; what is there goes
 */
export async function buildCommand(folder) {
  const built = await build({ ...config, cwd, output: { ...output, dir: folder } });
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }\n'); // in a package of modules
  // The bundle knows its helps best, and has no use for who wrote them down.
  const recorder = join(folder, "recorded-answers.js");
  const { recordAnswers } = createRequire(import.meta.url)(recorder);
  writeFileSync(join(folder, "answers.json"), JSON.stringify(await recordAnswers()));
  rmSync(recorder);
  return built;
}
