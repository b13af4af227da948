import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@jelling/source", "module", "node", "default"] },
  ssr: { resolve: { conditions: ["@jelling/source", "module", "node", "default"] } },
  test: {
    include: ["src/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 20_000,
  },
});
