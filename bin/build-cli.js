// Builds the command into the published package.
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildCommand } from "./command.js";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await buildCommand(at("../dist/cli"));
// The pump's page is files, and stands beside what serves it.
cpSync(at("../apps/minimed/dist/page"), at("../dist/cli/page"), { recursive: true });
