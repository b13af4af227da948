import { defineConfig } from "vitest/config";

const conditions = ["@jelling/source", "module", "node", "default"];

// Test files keep to themselves: with `isolate: false` Stryker sees what the first file covers and takes the others' faults for survivors.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { testTimeout: 20_000, include: JSON.parse(process.env.JELLING_MUTATION_TESTS ?? "[]") as string[] },
});
