// Builds the command. Through the API, since rolldown's own command lists every file it writes, and `npm start` is to show the demonstration.
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import config from "../rolldown.config.js";

await build(config);
// The pump's page is files, and stands beside what serves it.
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
cpSync(at("../apps/minimed/dist/page"), at("../dist/cli/page"), { recursive: true });
