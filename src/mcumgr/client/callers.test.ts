import { sha256 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { toHex } from "../../bytes/hex.ts";
import { BleError } from "../../core/error.ts";
import { pattern, setUp, type TestSetup } from "./test-setup.ts";

const IMAGE = pattern(3000);
const OTHER = pattern(2500, 7);
const FILE = pattern(2000, 3);

/** All that may be going on at once. */
function everything({ client }: TestSetup, signal?: AbortSignal): Promise<unknown>[] {
  const options = signal ? { signal } : {};
  return [
    client.uploadImage(IMAGE, options),
    client.uploadImage(OTHER, options),
    client.uploadFile("/a", FILE, options),
    client.downloadFile("/b", options),
    client.os.echo({ d: "x" }, options),
    client.request({ op: 0, group: 77, command: 1 }, options).catch((error: unknown) => {
      if (!(error instanceof Error) || !("rc" in error)) throw error; // the server does not know it
    }),
    client.reset(options),
    client.reset(options),
    client.reconnect(options),
    client.reconnect(options),
  ];
}

test("two uploads, files, resets and reconnections at once: each has its outcome, and nothing is mixed up", async () => {
  await using at = await setUp({ processMs: 3 });
  at.server.files.set("/b", FILE);
  const outcomes = await Promise.allSettled(everything(at));
  expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
  expect(toHex(sha256(at.server.image))).toBe(toHex(sha256(OTHER)));
});

test.each(["abort", "close", "cut", "handlers"] as const)("at every moment of all that: %s", async (what) => {
  const uncaught = await uncaughtDuring(async () => {
    for (let atMs = 0; atMs < 150; atMs += 41) {
      await using at = await setUp({ processMs: 3 });
      at.server.files.set("/b", FILE);
      const dueMs = at.clock.now() + atMs;
      const leaving = new AbortController();
      if (what === "handlers")
        for (const name of ["closed", "reconnected", "limits", "fallback"] as const)
          at.client.on(name, () => {
            throw new Error("a fault of the program");
          });
      const all = Promise.allSettled(everything(at, leaving.signal));
      at.clock.setTimer(atMs, "now", () => {
        if (what === "abort") leaving.abort("enough");
        else if (what === "close") void at.client[Symbol.asyncDispose]();
        else at.cut();
      });
      for (const [i, outcome] of (await all).entries()) {
        if (outcome.status === "fulfilled") continue;
        if (what === "abort") expect(outcome.reason, `${atMs}`).toBe("enough");
        else if (what === "close") expect(outcome.reason, `${atMs}`).toMatchObject({ code: "ERR_CLOSED" });
        else expect(outcome.reason, `${atMs}`).toBeInstanceOf(BleError);
        // Transfers and reconnections survive the loss of a link; a request does not.
        if (what !== "abort" && what !== "close") expect([4, 5, 6, 7], `${atMs}`).toContain(i);
      }
      if (what === "close") continue;
      await at.clock.advance(Math.max(0, dueMs - at.clock.now() + 1));
      if (!at.client.isConnected) await at.client.reconnect(); // it was cut when all was done
      expect(await at.client.os.echo({ d: "still there" }), `${atMs}`).toEqual({ r: "still there" });
      if (what !== "abort") continue;
      await at.client.uploadImage(IMAGE);
      expect(toHex(sha256(at.server.image)), `${atMs}`).toBe(toHex(sha256(IMAGE)));
    }
  });
  if (what !== "handlers") expect(uncaught).toEqual([]);
});

test("a reset that waits for its turn when the link is lost has not happened", async () => {
  await using at = await setUp({ bufCount: 1 });
  at.server.fault = () => "mute";
  const before = at.server.handled.length;
  const echo = at.client.os.echo({ d: "x" });
  const reset = at.client.reset();
  at.clock.setTimer(50, "now", () => at.cut());
  const outcomes = await Promise.allSettled([echo, reset]);
  expect(outcomes).toMatchObject([
    { status: "rejected", reason: { code: "ERR_CLOSED" } },
    { status: "rejected", reason: { code: "ERR_CLOSED" } },
  ]);
  expect(at.server.handled.length - before).toBe(1);
});
