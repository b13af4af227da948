import { defineConfig } from "vitest/config";

const LAB = "test/kernel-lab.test.ts";

export default defineConfig({
  resolve: { conditions: ["@jelling/source", "module", "node", "default"] },
  ssr: { resolve: { conditions: ["@jelling/source", "module", "node", "default"] } },
  test: {
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: "tests", include: ["src/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"], exclude: [LAB] },
      },
      // An emulated machine needs the whole computer: after the others, and not beside them.
      { extends: true, test: { name: "lab", include: [LAB], sequence: { groupOrder: 1 } } },
    ],
  },
});
