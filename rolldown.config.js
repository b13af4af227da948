import { defineConfig } from "rolldown";

// The command is bundled into the published package, beside the library, which it imports by its public subpaths as anyone else would. What a
// subcommand needs is a chunk of its own, loaded when it runs.
export default defineConfig({
  input: { main: "apps/cli/src/main.ts" },
  logLevel: "warn",
  platform: "node",
  transform: { target: "node20" }, // `using` in a form that Node 20 understands
  resolve: { conditionNames: ["@jelling/source", "node", "import", "default"] }, // the pump connector from its sources
  external: [/^jelling(\/|$)/, /^node:/, "koffi", "node-sqlite3-wasm"],
  output: { dir: "dist/cli", format: "esm", sourcemap: true, cleanDir: true, chunkFileNames: "[name]-[hash].js" },
});
