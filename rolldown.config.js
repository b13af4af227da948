import { defineConfig } from "rolldown";

// The command is bundled into the published package, beside the library it imports by its public subpaths.
export default defineConfig({
  input: { main: "apps/cli/src/main.ts" },
  platform: "node",
  external: [/^jelling(\/|$)/, /^node:/, "koffi"],
  output: { dir: "dist/cli", format: "esm", sourcemap: true, cleanDir: true },
});
