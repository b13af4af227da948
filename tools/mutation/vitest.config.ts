import { defineConfig } from "vitest/config";

const conditions = ["@jelling/source", "module", "node", "default"];

// One worker for all test files, since starting one for each would cost more than the tests of a mutant.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { testTimeout: 20_000, isolate: false, include: JSON.parse(process.env.JELLING_MUTATION_TESTS ?? "[]") as string[] },
});
