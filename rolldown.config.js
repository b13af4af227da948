import { defineConfig } from "rolldown";
import { narrowImports } from "./bin/narrow-imports.js";

/** What every command needs: one file to read in place of ten. */
const ALWAYS_LOADED =
  /apps.cli.(node_modules.commander|src.(closing|context|duration|errors|node-io|process|program|run|serving-options|terminal|version)\.ts$)/;

/** Commander can start subcommands that are programs of their own, of which we have none: a third of what it takes to load is for that. */
const startsNoPrograms = {
  name: "commander-starts-no-programs",
  transform: {
    filter: { id: /commander.lib.command\.js$/ },
    handler: (code) => code.replace("require('node:child_process')", "{}"),
  },
};

/** @satisfies {import("rolldown").OutputOptions} */
export const output = {
  dir: "dist/cli",
  format: "cjs",
  // Neither comments nor maps, which would be two thirds of it: its lines are those of the sources, below the name of each.
  comments: { legal: true, annotation: false, jsdoc: false },
  cleanDir: true,
  chunkFileNames: "[name]-[hash].js",
  codeSplitting: {
    groups: [
      { name: "at-once", test: /\bat-once\.ts$/, priority: 1 },
      { name: "process", test: ALWAYS_LOADED },
    ],
  },
};

// The command is bundled into the published package with all it needs of the library and of the pump connector, from their sources: to load
// the library's modules one by one takes longer than most commands do. What a subcommand needs is loaded when it runs. CommonJS, since Node's
// loader of modules takes a tenth of its whole start, and a question for help needs little else.
export default defineConfig({
  input: { main: "apps/cli/src/main.ts", "recorded-answers": "apps/cli/src/recorded-answers.ts" },
  logLevel: "warn",
  // A package that is not installed would be missed only when a command wants it.
  onLog: (level, log, say) => say(log.code === "UNRESOLVED_IMPORT" ? "error" : level, log),
  platform: "node",
  transform: { target: "node20" }, // `using` in a form that Node 20 understands
  resolve: { conditionNames: ["@jelling/source", "node", "import", "default"] },
  external: [/^node:/, "@serialport/bindings-cpp", "@serialport/stream", "koffi", "node-sqlite3-wasm", "usb", "ws"],
  plugins: [narrowImports, startsNoPrograms],
  output,
});
