import { expect, test } from "vitest";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { Logger, LogLevel } from "./logger.ts";

test("lines up to the level reach the sink with their scope; above it no message is made", () => {
  const lines: string[] = [];
  const logger = new Logger("a", LogLevel.Info, (level, scope, message) => lines.push(`${level} ${scope} ${message}`)).child("b");
  logger.error("one");
  logger.info(() => "two");
  logger.debug(() => expect.fail("a message that nobody reads was made"));
  expect(lines).toEqual(["1 a.b one", "3 a.b two"]);
});

test("a sink that throws does no harm to who logs; the program hears of it", async () => {
  const fault = new Error("disk full");
  const logger = new Logger("", LogLevel.Trace, () => {
    throw fault;
  });
  const uncaught = await uncaughtDuring(() => {
    for (const method of ["error", "warn", "info", "debug", "trace"] as const) logger[method]("line");
  });
  expect(uncaught).toEqual(Array<Error>(5).fill(fault));
});
