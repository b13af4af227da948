import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LAB = "test/kernel-lab.test.ts";
/** Those that load the files of other tests once more, or other modules in place of some: each in a process of its own. */
const AFRESH = ["test/device-air-addresses.test.ts", "test/hci-skew.test.ts"];
// A test that waits for ever has to end; one on a machine that has better things to do has to pass.
const PATIENCE_MS = 180_000;

/** Those that take longest, all things tried: at the end of the run the other processors would wait for them. */
const LONG = [
  "pump-faults-hci",
  "mcumgr-interrupted",
  "pump-faults-air",
  "pump-heap",
  "pump-month",
  "pump-year",
  "page-browser",
  "documents",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: { conditions: ["@jelling/source", "module", "node", "default"] },
  ssr: { resolve: { conditions: ["@jelling/source", "module", "node", "default"] } },
  test: {
    testTimeout: PATIENCE_MS,
    hookTimeout: PATIENCE_MS,
    teardownTimeout: PATIENCE_MS,
    expect: { poll: { timeout: PATIENCE_MS / 2 } },
    maxWorkers: availableParallelism(), // vitest leaves one processor to itself, of two the half
    globalSetup: "test/support/what-was-left-out.ts",
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["src/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [LAB, ...AFRESH],
          setupFiles: ["test/support/clocks-at-rest.ts", "test/support/repeated-keys.ts"],
          isolate: false, // to load every module for every file takes longer than the tests do
        },
      },
      { extends: true, test: { name: "afresh", include: AFRESH } },
      // An emulated machine needs the whole computer: after the others, and not beside them.
      { extends: true, test: { name: "lab", include: [LAB], sequence: { groupOrder: 1 } } },
    ],
  },
});
