import { describe, expect, test } from "vitest";
import { DecodeError } from "../../bytes/index.ts";
import { ClosedError, TimeoutError } from "../../core/error.ts";
import { DisconnectedError } from "../../hci/error.ts";
import { errorOf, McumgrError, McumgrResponseError } from "../protocol/error.ts";
import { McumgrRegistry } from "../protocol/registry.ts";
import { Attempts } from "./attempts.ts";
import type { McumgrLimits } from "./host.ts";
import { askAgain, limitsOf, reasonOf, recover, slowDown, waitOrReconnect } from "./recovery.ts";
import { createTestHost, TEST_LIMITS } from "./test-host.ts";
import { troubleOf } from "./trouble.ts";
import { TransferWindow } from "./window.ts";

const silence = new TimeoutError("files.status", 100);
const cut = new DecodeError({ path: "", problem: "cut", offset: 0, length: 0, packet: new Uint8Array(0) });
const serverError = (payload: { rc: number } | { err: { group: number; rc: number } }) =>
  new McumgrError({ command: "image.upload", failure: errorOf(payload)!, payload, names: new McumgrRegistry() });

describe("what can go wrong with a transfer that goes on", () => {
  test.each<[string, unknown, string | undefined]>([
    ["no answer", silence, "silence"],
    ["out of memory", serverError({ rc: 2 }), "memory"],
    ["busy", serverError({ rc: 10 }), "busy"],
    ["a request cut short", serverError({ rc: 9 }), "damaged"],
    ["an answer in pieces", new McumgrResponseError({ command: "", path: "", problem: "" }, { cause: cut }), "damaged"],
    ["an answer of another form", new McumgrResponseError({ command: "", path: "", problem: "" }), undefined],
    ["not supported", serverError({ rc: 8 }), undefined],
    ["a group's code with such a number", serverError({ err: { group: 1, rc: 2 } }), undefined],
    ["a group's code 9", serverError({ err: { group: 1, rc: 9 } }), undefined],
    ["a group's code 10", serverError({ err: { group: 1, rc: 10 } }), undefined],
    ["anything else", new Error("fault"), undefined],
    ["octets that cannot be read", cut, undefined],
  ])("%s", (_, error, kind) => {
    expect(troubleOf(error, false)).toEqual(kind === undefined ? undefined : { kind, cause: error });
    expect(troubleOf(error, true)).toEqual({ kind: "lost", cause: error });
  });
});

describe("after a trouble", () => {
  test("requests go one at a time, which is told where they did not before, and why", () => {
    const host = createTestHost(() => ({}));
    const window = new TransferWindow(3, false);
    slowDown(host, window, { kind: "silence", cause: silence }, "image.upload");
    slowDown(host, window, { kind: "silence", cause: silence }, "image.upload");
    expect([window.size, window.ceiling]).toEqual([1, 3]);
    expect(host.told).toEqual([{ what: "window", from: 3, to: 1, why: silence.message }]);
    expect(reasonOf(undefined, "image.upload")).toBe("image.upload: the server expects another offset");
  });

  test("fewer for good where the server has no memory", () => {
    const window = new TransferWindow(3, false);
    slowDown(
      createTestHost(() => ({})),
      window,
      { kind: "memory", cause: undefined },
      "image.upload",
    );
    expect([window.size, window.ceiling]).toEqual([1, 2]);
  });

  test("a server that is busy is given time, one without memory from the second time on, others none", async () => {
    const host = createTestHost(() => ({}));
    const waits = async (kind: "busy" | "memory" | "silence" | "mismatch" | "damaged", attempts: number) => {
      const startMs = host.clock.now();
      await waitOrReconnect(host, undefined, { kind, cause: undefined }, attempts, undefined);
      return host.clock.now() - startMs;
    };
    expect([await waits("busy", 1), await waits("busy", 3)]).toEqual([200, 800]);
    expect([await waits("memory", 1), await waits("memory", 2)]).toEqual([0, 400]);
    expect([await waits("silence", 3), await waits("mismatch", 3), await waits("damaged", 3)]).toEqual([0, 0, 0]);
    expect(host.reconnects()).toBe(0);
    const controller = new AbortController();
    const waiting = waitOrReconnect(host, undefined, { kind: "busy", cause: undefined }, 5, controller.signal);
    controller.abort("enough");
    await expect(waiting).rejects.toBe("enough");
  });

  test("a lost link is made again, and the window is what the server takes now", async () => {
    const limits: McumgrLimits = { ...TEST_LIMITS, window: 2 };
    const host = createTestHost(() => ({}), { limits: async () => limits });
    const window = new TransferWindow(4, false);
    await waitOrReconnect(host, window, { kind: "lost", cause: undefined }, 1, undefined);
    expect([host.reconnects(), window.ceiling]).toEqual([1, 2]);
  });

  test.each([
    ["lost", true, "ready"],
    ["silence", false, "ready"], // the next trouble is the lost link
    ["lost", false, "the error"], // none could be made
  ] as const)("%s, and no answer over a link that stands (%s): %s", async (kind, isConnected, outcome) => {
    const host = createTestHost(() => ({}), { isConnected });
    const transfer = {
      what: "files.upload",
      host,
      window: new TransferWindow(3, false),
      attempts: new Attempts("files.upload"),
      signal: undefined,
    };
    let tries = 0;
    const recovering = recover(
      transfer,
      { kind, cause: undefined },
      () => 0,
      async () => {
        if (tries++ === 0) throw silence;
        return "ready";
      },
    );
    if (outcome === "ready") expect(await recovering).toBe("ready");
    else await expect(recovering).rejects.toBe(silence);
    expect(tries).toBe(outcome === "ready" ? 2 : 1);
  });

  test("a transfer that begins makes the link where there is none", async () => {
    for (const isConnected of [true, false]) {
      const host = createTestHost(() => ({}), { isConnected });
      expect(await limitsOf(host, undefined)).toBe(TEST_LIMITS);
      expect(host.reconnects()).toBe(isConnected ? 0 : 1);
    }
  });
});

describe("a question that may be asked twice", () => {
  const request = { title: "files.status", group: 8, command: 1, op: 0 as const, payload: { name: "/a" } };
  const options = { signal: undefined, timeoutMs: 100 };

  test("is asked again, three times at most", async () => {
    const answers = [silence, silence, undefined];
    const host = createTestHost((_, i) => {
      if (answers[i]) throw answers[i];
      return { len: 5 };
    });
    expect(await askAgain(host, request, options)).toEqual({ len: 5 });
    expect(host.asked.map((asked) => [asked.request, asked.options])).toEqual([1, 2, 3].map(() => [request, options]));
    const silent = createTestHost(() => {
      throw silence;
    });
    await expect(askAgain(silent, request, options)).rejects.toMatchObject({
      code: "ERR_MCUMGR_STALLED",
      attempts: 3,
      cause: silence,
      message: "files.status: no progress at offset 0 in 3 attempts",
    });
    expect(silent.asked.length).toBe(4);
  });

  test("over a new link where need be", async () => {
    const gone = new DisconnectedError(0x08);
    const host = createTestHost(
      (_, i) => {
        if (i === 0) throw gone;
        return { len: 5 };
      },
      { isLost: (error) => error === gone },
    );
    expect(await askAgain(host, request, options)).toEqual({ len: 5 });
    expect([host.asked.length, host.reconnects()]).toEqual([2, 1]);
  });

  test("not after an error that stays, nor after the caller gave up", async () => {
    const closed = new ClosedError("gone");
    const host = createTestHost(() => {
      throw closed;
    });
    await expect(askAgain(host, request, options)).rejects.toBe(closed);
    const controller = new AbortController();
    const left = createTestHost(() => {
      controller.abort("enough");
      throw silence;
    });
    await expect(askAgain(left, request, { ...options, signal: controller.signal })).rejects.toBe("enough");
    expect([host.asked.length, left.asked.length]).toEqual([1, 1]);
  });
});
