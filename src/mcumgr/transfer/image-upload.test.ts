import { describe, expect, test } from "vitest";
import { crc32 } from "../../bytes/crc32.ts";
import { DisconnectedError } from "../../hci/error.ts";
import { pattern, setUp } from "../client/test-setup.ts";
import type { McumgrFallback } from "./host.ts";
import type { TransferProgress } from "./progress.ts";

const image = pattern(9000);
/** Comparing octet by octet takes the test library longer than the upload takes. */
const sum = crc32;
const SUM = sum(image);
const isChunk = ({ header }: { header: { group: number } }) => header.group === 1;

test("an image is uploaded with as many requests outstanding as the server has buffers for, less one", async () => {
  await using at = await setUp({ checks: true, processMs: 3 });
  const result = await at.client.uploadImage(image);
  expect(sum(at.server.image)).toBe(SUM);
  expect(result).toMatchObject({ length: 9000, resumedFrom: 0, isVerified: true });
  expect([at.server.mostAtOnce, at.server.overrun]).toEqual([3, 0]);
  const chunks = at.server.handled.filter(isChunk);
  expect(chunks[0]!.payload).toMatchObject({ off: 0, len: 9000, sha: expect.any(Uint8Array) as Uint8Array });
  expect(Object.keys(chunks[1]!.payload)).toEqual(["off", "data"]);
  expect(chunks[1]!.header.length).toBe(1024 - 8);
});

test("image and upgrade are sent where they are given, with the first chunk", async () => {
  await using at = await setUp();
  await at.client.uploadImage(image, { image: 2, upgrade: true });
  const [first, second] = at.server.handled.filter(isChunk);
  expect(first!.payload).toMatchObject({ image: 2, upgrade: true });
  expect(Object.keys(second!.payload)).toEqual(["off", "data"]);
});

test("another chip's image goes by the same loop", async () => {
  await using at = await setUp({ checks: true });
  await at.client.uploadIntercreate(image, { image: 1 });
  expect(sum(at.server.image)).toBe(SUM);
  expect(at.server.handled.filter(({ header }) => header.group === 64)[0]!.payload).toMatchObject({ image: 1, len: 9000 });
});

test("the first chunk is alone, and waits for the erase", async () => {
  await using at = await setUp({ eraseMs: 35_000 });
  await at.client.uploadImage(image);
  expect([at.server.erases, sum(at.server.image)]).toEqual([1, SUM]);
  expect(at.clock.now()).toBeGreaterThan(35_000);
});

test("one buffer, or no word on buffers: one at a time", async () => {
  for (const options of [{ bufCount: 1 }, { secretive: true }]) {
    await using at = await setUp({ ...options, bufSize: 1024 });
    await at.client.uploadImage(image);
    expect([sum(at.server.image), at.server.mostAtOnce]).toEqual([SUM, 1]);
  }
});

test("the caller may know better how many requests the server takes", async () => {
  await using at = await setUp({ bufCount: 4, secretive: true }, { link: { provenLimit: 500 } });
  await at.client.uploadImage(image, { window: 2 });
  expect([sum(at.server.image), at.server.mostAtOnce]).toEqual([SUM, 2]);
  at.server.mostAtOnce = 0;
  await Promise.all([1, 2, 3].map((n) => at.client.os.echo({ d: `${n}` })));
  expect(at.server.mostAtOnce).toBe(1);
});

test("progress goes up to the end, with rate and time left", async () => {
  await using at = await setUp({ processMs: 100 });
  const told: TransferProgress[] = [];
  await at.client.uploadImage(image, { onProgress: (progress) => told.push(progress) });
  expect(told.map(({ done }) => done)).toEqual([...told.map(({ done }) => done)].sort((a, b) => a - b));
  expect(told.at(-1)).toMatchObject({ done: 9000, total: 9000, resumedFrom: 0, window: 3, remainingMs: 0 });
  expect(told.at(-1)!.bytesPerSecond).toBeGreaterThan(8000);
  expect(told.at(-1)!.bytesPerSecond).toBeLessThan(11_000);
});

describe("every message in turn", () => {
  const count = 11; // requests of an upload without faults
  for (const fault of ["lost", "mute", "twice", 3000] as const)
    test(`${typeof fault === "number" ? `answered ${fault} ms late` : fault}: the upload succeeds`, async () => {
      for (let n = 0; n < count; n++) {
        await using at = await setUp({ checks: true }, { client: { timeoutMs: 500 } });
        at.server.fault = (_, index) => (index === n ? fault : undefined);
        await at.client.uploadImage(image);
        expect(sum(at.server.image), `message ${n}`).toBe(SUM);
        // A server that is late still has what it was asked before, and this one is then asked once more.
        expect(at.server.overrun).toBeLessThanOrEqual(fault === 3000 ? 1 : 0);
      }
    });

  test("and the link lost: it is made again, and the upload goes on where it was", async () => {
    for (let n = 1; n < count; n++) {
      await using at = await setUp({ checks: true });
      at.server.onHandled = (index) => {
        if (index === n) at.cut(new DisconnectedError(0x08));
      };
      const result = await at.client.uploadImage(image);
      expect(sum(at.server.image), `message ${n}`).toBe(SUM);
      expect(at.opened(), `message ${n}`).toBe(2);
      expect([at.server.erases, result.resumedFrom]).toEqual([1, 0]);
    }
  });

  test("and the caller gives up: at once, with its reason, and the next upload goes on there", async () => {
    for (let n = 1; n < count; n++) {
      await using at = await setUp({ checks: true });
      const controller = new AbortController();
      at.server.onHandled = (index) => {
        if (index === n) controller.abort("enough");
      };
      await at.client.uploadImage(image, { signal: controller.signal }).then(
        () => undefined,
        (error: unknown) => expect(error).toBe("enough"),
      );
      const result = await at.client.uploadImage(image);
      expect(sum(at.server.image), `message ${n}`).toBe(SUM);
      expect([at.server.erases, at.server.overrun]).toEqual([1, 0]);
      if (n > 2) expect(result.resumedFrom).toBeGreaterThan(0);
    }
  });

  test("and the server restarts: the upload begins again", async () => {
    for (let n = 3; n < count - 1; n++) {
      await using at = await setUp({ checks: true });
      at.server.onHandled = (index) => {
        if (index === n) at.server.reboot();
      };
      await at.client.uploadImage(image);
      expect(sum(at.server.image), `message ${n}`).toBe(SUM);
      expect(at.server.erases).toBe(2);
    }
  });
});

test("a lost chunk costs a round, not a timeout, and the window grows again", async () => {
  await using at = await setUp({ bufSize: 128 });
  const fallbacks: McumgrFallback[] = [];
  at.client.on("fallback", (fallback) => fallbacks.push(fallback));
  const windows: number[] = [];
  at.server.fault = (_, index) => (index === 20 ? "lost" : undefined);
  await at.client.uploadImage(image, { onProgress: ({ window }) => windows.push(window) });
  expect(fallbacks).toMatchObject([{ what: "window", from: 3, to: 1 }]);
  expect(new Set(windows)).toEqual(new Set([3, 1, 2]));
  expect(windows.at(-1)).toBe(3);
  expect(at.clock.now()).toBeLessThan(1500);
});

test("long messages that do not get through, again and again, become as short as the link proves; one that is lost does not", async () => {
  for (const [losses, expected] of [
    [1, []],
    [2, [100]],
  ] as const) {
    await using at = await setUp({ bufSize: 500, bufCount: 1 }, { link: { provenLimit: 100 } });
    const shortened: number[] = [];
    at.client.on("fallback", ({ what, to }) => what === "messageLimit" && shortened.push(to));
    at.server.fault = (message, index) => (isChunk(message) && index >= 8 && index < 8 + losses ? "lost" : undefined);
    await at.client.uploadImage(image);
    expect([sum(at.server.image), shortened]).toEqual([SUM, expected]);
    const longest = Math.max(...at.server.handled.slice(-5).map(({ header }) => header.length + 8));
    expect(longest).toBe(expected.length > 0 ? 100 : 500);
  }
});

test("a server out of memory gets fewer requests, for good", async () => {
  await using at = await setUp({ bufSize: 128 });
  const windows: number[] = [];
  at.server.fault = (_, index) => (index === 20 ? { rc: 2 } : undefined);
  await at.client.uploadImage(image, { onProgress: ({ window }) => windows.push(window) });
  expect([sum(at.server.image), Math.max(...windows.slice(-20))]).toEqual([SUM, 2]);
});

test("chunks that the server cuts make the next ones end where it writes", async () => {
  for (const unit of [4, 16, 32]) {
    await using at = await setUp({ unit, recovery: true, bufCount: 1 });
    await at.client.uploadImage(image);
    expect(sum(at.server.image)).toBe(SUM);
    const cut = at.server.handled.filter(isChunk).filter(({ payload }, i, all) => {
      const next = all[i + 1]?.payload.off as number | undefined;
      return next !== undefined && (payload.off as number) + (payload.data as Uint8Array).length !== next;
    });
    expect(cut.length).toBe(1);
    expect(at.server.handled.filter(isChunk).length).toBeLessThan(12); // the others are as long as they can be
  }
});

test("a server that takes less than a chunk at once gets shorter ones", async () => {
  await using at = await setUp({ secretive: true }, { link: { provenLimit: 1000 } });
  let taken = 0;
  at.server.fault = (message) => {
    const { data } = message.payload as { data?: Uint8Array };
    if (isChunk(message) && data!.length > 200) (message.payload as { data: Uint8Array }).data = data!.subarray(0, 200);
    if (isChunk(message)) taken++;
    return undefined;
  };
  await at.client.uploadImage(image);
  expect(sum(at.server.image)).toBe(SUM);
  expect(taken).toBeLessThan(50);
});

describe("MCUboot's recovery", () => {
  test("goes on by offset after a lost link", async () => {
    await using at = await setUp({ recovery: true, bufCount: 1 });
    at.server.onHandled = (index) => {
      if (index === 6) at.cut();
    };
    await at.client.uploadImage(image);
    expect([sum(at.server.image), at.server.erases]).toEqual([SUM, 1]);
  });

  test("begins again after it lost its power", async () => {
    await using at = await setUp({ recovery: true, bufCount: 1 });
    at.server.onHandled = (index) => {
      if (index !== 6) return;
      at.cut();
      at.server.reboot();
    };
    await at.client.uploadImage(image);
    expect([sum(at.server.image), at.server.erases]).toEqual([SUM, 2]);
  });

  test("goes on where a program before had come to, if told", async () => {
    await using at = await setUp({ recovery: true, bufCount: 1 });
    const controller = new AbortController();
    await expect(
      at.client.uploadImage(image, {
        signal: controller.signal,
        onProgress: ({ done }) => {
          if (done > 4000) controller.abort("stop");
        },
      }),
    ).rejects.toBe("stop");
    const result = await at.client.uploadImage(image, { resumeFrom: 4000 });
    expect(result.resumedFrom).toBeGreaterThan(3999);
    expect([sum(at.server.image), at.server.erases]).toEqual([SUM, 1]);
  });
});

describe("a server that lies", () => {
  const lies: Record<string, (off: number, n: number) => number | undefined> = {
    "never gets further": () => 0,
    "stays where it is": (_, n) => (n === 0 ? 939 : 939),
    "goes back": (off, n) => (n === 0 ? undefined : Math.max(0, off - 100)),
    "takes an octet of each chunk": (off) => off + 1,
    "goes back and forth": (off, n) => (n % 2 === 0 ? off + 10 : off - 20),
  };
  test.each(Object.entries(lies))("%s: the upload ends", async (_, lie) => {
    await using at = await setUp();
    let n = 0;
    at.server.fault = (message) => {
      if (!isChunk(message)) return undefined;
      const off = lie(message.payload.off as number, n++);
      return off === undefined ? undefined : { off };
    };
    await expect(at.client.uploadImage(image)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_MCUMGR_(STALLED|RESPONSE)$/) as string,
    });
    expect(n).toBeLessThan(100);
  });

  test.each([
    ["claims more than there is", { off: 9001 }],
    ["claims more than was sent", { off: 8999 }],
    ["says nothing", {}],
    ["names an offset that is none", { off: -1 }],
    ["names text", { off: "0" }],
  ])("%s: an error by name", async (_, lie) => {
    await using at = await setUp({ bufSize: 128 });
    at.server.fault = (message, index) => (isChunk(message) && index > 5 ? lie : undefined);
    await expect(at.client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE" });
  });

  test("does not answer at all", async () => {
    await using at = await setUp();
    at.server.fault = (message) => (isChunk(message) && message.payload.off !== 0 ? "mute" : undefined);
    at.server.fault = (message) => (isChunk(message) ? "lost" : undefined);
    await expect(at.client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR_STALLED", offset: 0 });
  });

  test("has something else in the end", async () => {
    await using at = await setUp();
    at.server.fault = (message) => {
      const { off, data } = message.payload as { off: number; data: Uint8Array };
      return isChunk(message) && off + data.length === 9000 ? { off: 9000, match: false } : undefined;
    };
    await expect(at.client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR_MISMATCH" });
  });
});

test("an error of the server ends it, with its name", async () => {
  await using at = await setUp();
  at.server.fault = (message) => (isChunk(message) ? { err: { group: 1, rc: 30 } } : undefined);
  await expect(at.client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR", rcName: "ImageTooLarge", group: 1 });
});

test("the same image is there already", async () => {
  await using at = await setUp({ checks: true });
  await at.client.uploadImage(image);
  const handled = at.server.handled.length;
  expect(await at.client.uploadImage(image)).toMatchObject({ resumedFrom: 9000, isVerified: true });
  expect(at.server.handled.length).toBe(handled + 1);
});

test("two uploads of one client take turns; one that waits can give up", async () => {
  await using at = await setUp();
  const controller = new AbortController();
  const other = pattern(3000, 7);
  const both = Promise.all([at.client.uploadImage(image), at.client.uploadImage(other)]);
  const third = at.client.uploadImage(image, { signal: controller.signal });
  controller.abort("third");
  await expect(third).rejects.toBe("third");
  await both;
  expect(sum(at.server.image)).toBe(sum(other));
  expect(at.server.erases).toBe(2);
});

test("other requests are served meanwhile, and the server's buffers are not overrun", async () => {
  await using at = await setUp({ processMs: 4 });
  const upload = at.client.uploadImage(image);
  const echoes = Promise.all(Array.from({ length: 5 }, (_, i) => at.client.os.echo({ d: `${i}` })));
  expect((await echoes).map(({ r }) => r)).toEqual(["0", "1", "2", "3", "4"]);
  await upload;
  expect([sum(at.server.image), at.server.overrun]).toEqual([SUM, 0]);
});

test("on a narrow link what can be spared is left out of the first chunk", async () => {
  await using at = await setUp({ bufSize: 100 });
  await at.client.uploadImage(image, { image: 0 });
  expect(Object.keys(at.server.handled.find(isChunk)!.payload)).toEqual(["len", "off", "sha", "data"]);
  await using narrow = await setUp({ bufSize: 70 });
  const fallbacks: string[] = [];
  narrow.client.on("fallback", ({ what }) => fallbacks.push(what));
  await narrow.client.uploadImage(image);
  expect([sum(narrow.server.image), fallbacks]).toEqual([SUM, ["resume"]]);
  await using tiny = await setUp({ bufSize: 50 });
  await expect(tiny.client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 50 });
});

test("the time for the whole is kept", async () => {
  await using at = await setUp({ processMs: 500 });
  await expect(at.client.uploadImage(image, { timeoutMs: 1200 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "image.upload" });
});

test("wrong arguments are refused", async () => {
  await using at = await setUp();
  for (const options of [{ window: 0 }, { image: -1 }, { resumeFrom: 9001 }, { alignment: 0 }, { slot: 1 }, { onProgress: 1 }] as object[])
    await expect(at.client.uploadImage(image, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(at.client.uploadImage(new Uint8Array(0))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});
