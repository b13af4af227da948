import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { ArgumentError } from "../../core/error.ts";
import { DisconnectedError } from "../../hci/error.ts";
import { createMemoryLinks } from "../links/memory.ts";
import { command, group } from "../protocol/declare.ts";
import { text, uint } from "../protocol/fields.ts";
import { McumgrGroups } from "../protocol/groups/index.ts";
import { decodeMessage, encodeMessage } from "../protocol/message.ts";
import type { McumgrFallback } from "../transfer/host.ts";
import { McumgrClient } from "./client.ts";
import { setUp } from "./test-setup.ts";

describe("commands", () => {
  test("of the built-in groups are methods", async () => {
    await using at = await setUp();
    expect(await at.client.os.echo({ d: "hello" })).toEqual({ r: "hello" });
    expect(await at.client.os.parameters()).toEqual({ bufSize: 1024, bufCount: 4 });
    await expect(at.client.image.state()).rejects.toMatchObject({ code: "ERR_MCUMGR", rcName: "NotSupported", command: "image.state" });
    await expect(at.client.files.status({ name: "/none" })).rejects.toMatchObject({ groupName: "files", rcName: "NotFound" });
  });

  test("of every group stand under its name", async () => {
    await using at = await setUp();
    for (const [name, { commands }] of Object.entries(McumgrGroups)) {
      const methods = at.client[name as keyof typeof McumgrGroups];
      expect(Object.keys(methods), name).toEqual(Object.keys(commands));
      expect(Object.isFrozen(methods)).toBe(true);
    }
  });

  test("of an application's group are methods too, and its errors have names", async () => {
    const Acme = group("acme", {
      id: 64,
      errors: { 5: "Jammed" },
      commands: { feed: command("feed", { id: 7, write: { request: { name: text() }, response: { left: uint() } } }) },
    });
    await using at = await setUp();
    at.server.fault = ({ header, payload }) =>
      header.group !== 64 ? undefined : payload.name === "cat" ? { left: 3 } : { err: { group: 64, rc: 5 } };
    const methods = at.client.group(Acme);
    expect(at.client.group(Acme)).toBe(methods);
    expect(await methods.feed({ name: "cat" })).toEqual({ left: 3 });
    at.server.fault = ({ header, payload }) =>
      header.group !== 64 ? undefined : payload.name === "dog" ? { err: { group: 64, rc: 5 } } : { err: { group: 8, rc: 3 } };
    await expect(methods.feed({ name: "cow" })).rejects.toMatchObject({ rcName: "NotFound", groupName: "files", command: "acme.feed" });
    await expect(methods.feed({ name: "dog" })).rejects.toMatchObject({ rcName: "Jammed", groupName: "acme", command: "acme.feed" });
    await expect(methods.feed({ name: 1 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("of numbers: maps are read and their errors thrown, octets are given as they are", async () => {
    await using at = await setUp();
    const answer = await at.client.request({ op: 2, group: 0, command: 0, payload: { d: "x" } });
    expect([answer.payload, answer.header.version, answer.octets.length]).toEqual([{ r: "x" }, 1, 6]);
    await expect(at.client.request({ op: 0, group: 99, command: 0 })).rejects.toMatchObject({ rc: 8, command: "group 99 command 0" });
    const raw = await at.client.request({ op: 0, group: 99, command: 0, version: 0, payload: Uint8Array.of(0xa0) });
    expect([raw.payload, raw.octets, raw.header.version]).toEqual([undefined, Uint8Array.of(0xbf, 0x62, 0x72, 0x63, 8, 0xff), 0]);
  });

  test("have 2.5 s for their answers, and 40 s where something is erased or read", async () => {
    await using at = await setUp();
    let asked = 0;
    at.server.fault = () => {
      asked++;
      return "lost";
    };
    await expect(at.client.os.echo({ d: "" })).rejects.toMatchObject({ timeoutMs: 2500 });
    await expect(at.client.os.parameters()).rejects.toMatchObject({ timeoutMs: 2500 });
    await expect(at.client.image.erase()).rejects.toMatchObject({ operation: "image.erase", timeoutMs: 40_000 });
    await expect(at.client.image.erase({}, { timeoutMs: 10 })).rejects.toMatchObject({ timeoutMs: 10 });
    expect(asked).toBe(4); // on a link that loses nothing they are sent once
    await using patient = await setUp({}, { client: { timeoutMs: 60_000 } });
    patient.server.fault = () => "lost";
    await expect(patient.client.image.erase()).rejects.toMatchObject({ timeoutMs: 60_000 });
  });

  test("that were answered with nonsense fail by name", async () => {
    await using at = await setUp();
    at.server.fault = () => ({ r: 5 });
    await expect(at.client.os.echo({ d: "a" })).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE", path: "r" });
  });

  test("wrong options are refused", async () => {
    await using at = await setUp();
    await expect(at.client.os.echo({ d: "" }, { timeout: 1 } as object)).rejects.toThrow(/did you mean "timeoutMs"/);
    await expect(McumgrClient.open(undefined as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    const open = () => Promise.reject(new Error("not asked"));
    for (const options of [{ window: 0 }, { version: 4 }, { messageLimit: 3 }, { timeoutMs: -1 }, { speed: 1 }] as object[])
      await expect(McumgrClient.open(open, options)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("a server whose answers are damaged", () => {
  const answers: Record<string, (octets: Uint8Array) => Uint8Array> = {
    "says it is longer": (octets) => octets.with(3, octets[3]! + 1),
    "says it is shorter": (octets) => octets.with(3, octets[3]! - 1),
    "is no map": (octets) => octets.with(8, 0x9f),
    "has no end": (octets) => octets.with(octets.length - 1, 0x61),
  };
  test.each(Object.entries(answers))("which %s", async (_, damage) => {
    const clock = new VirtualClock();
    const { client: link, server } = createMemoryLinks({ clock });
    server.onMessage = (octets) => {
      const { header, payload } = decodeMessage(octets);
      const answer = encodeMessage({ ...header, op: header.op + 1 }, { r: payload.d ?? "" }, "indefinite");
      void server.send(damage(answer));
    };
    await using client = await McumgrClient.open(async () => link, { clock });
    expect(client.limits).toMatchObject({ window: 1, buffers: undefined });
    await expect(client.os.echo({ d: "abc" })).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE" });
  });

  test("which sends without end what nobody asked for: nothing grows", async () => {
    const clock = new VirtualClock();
    const { client: link, server } = createMemoryLinks({ clock });
    server.onMessage = (octets) => {
      for (let i = 0; i < 500; i++) {
        const { header } = decodeMessage(octets);
        void server.send(encodeMessage({ ...header, op: 1, sequence: (header.sequence + 1 + (i % 255)) & 0xff }, { rc: 0 }));
      }
    };
    await using client = await McumgrClient.open(async () => link, { clock, timeoutMs: 100 });
    await expect(client.os.echo({ d: "abc" })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "os.echo" });
  });
});

describe("the version of the protocol", () => {
  test.each([
    [0, undefined, 2, 1],
    [1, 0, 1, 2],
  ])("a server that takes only %i is asked in it, which is told", async (version, asked, from, to) => {
    const fallbacks: McumgrFallback[] = [];
    await using at = await setUp({ version, bufSize: 128 }, { client: { version: asked } });
    at.client.on("fallback", (fallback) => fallbacks.push(fallback));
    expect(at.client.limits.buffers).toEqual({ bufSize: 128, bufCount: 4 });
    expect(at.client.version).toBe(version);
    expect(await at.client.os.echo({ d: "a" })).toEqual({ r: "a" });
    expect(at.server.handled.map(({ header }) => header.version).slice(0, 3)).toEqual([from - 1, to - 1, to - 1]);
    expect(fallbacks).toEqual([]); // it was found out while opening
  });

  test("a server that takes neither is an error, not a loop", async () => {
    await using at = await setUp();
    at.server.fault = ({ header }) => ({ rc: header.version === 1 ? 13 : 12 });
    await expect(at.client.os.echo({ d: "a" })).rejects.toMatchObject({ rcName: "TooOld" });
    expect(at.server.handled.length).toBeLessThan(6);
    await expect(at.client.os.echo({ d: "a" })).rejects.toMatchObject({ code: "ERR_MCUMGR" });
  });
});

describe("limits", () => {
  test("are the server's, as far as the link proves them", async () => {
    await using at = await setUp({ bufSize: 400, bufCount: 6 });
    expect(at.client.limits).toMatchObject({ messageLimit: 400, window: 5, buffers: { bufSize: 400, bufCount: 6 } });
  });

  test("above what the link proves one echo of that length is tried, once", async () => {
    await using at = await setUp({ bufSize: 500 }, { link: { provenLimit: 100 } });
    expect(at.client.limits.messageLimit).toBe(500);
    expect(at.server.handled.map(({ header }) => header.length)).toEqual([1, 499 - 8]);
    await at.client.os.echo({ d: "x".repeat(480) });
    await at.client.uploadImage(new Uint8Array(2000));
    expect(at.server.handled.filter(({ header }) => header.group === 0)).toHaveLength(3);
  });

  test("a server that does not answer the long one gets short ones, after a new link too", async () => {
    const lost: number[] = [];
    await using at = await setUp({ bufSize: 500 }, { link: { provenLimit: 100, loss: (octets) => octets.length > 100 } });
    at.client.on("fallback", ({ to }) => lost.push(to));
    await at.client.uploadImage(new Uint8Array(2000)); // where messages may be lost it is not tried before it matters
    expect([at.client.limits.messageLimit, at.server.complete, lost]).toEqual([100, true, [100]]);
    at.cut();
    const asked = at.clock.now();
    await at.client.reconnect();
    await at.client.uploadImage(new Uint8Array(1000));
    expect(at.clock.now() - asked).toBeLessThan(2000);
  });

  test("a server that answers the long one as damaged gets short ones", async () => {
    await using at = await setUp({ bufSize: 500 }, { link: { provenLimit: 100 }, onOpen: () => undefined });
    at.server.fault = (_, index) => (index === 1 ? { rc: 9 } : undefined);
    expect(at.client.limits.messageLimit).toBe(500);
  });

  test("who gives up while a long message is tried does not wait for it; others do", async () => {
    await using at = await setUp({ bufSize: 500 }, { link: { provenLimit: 100, loss: (octets) => octets.length > 100 } });
    const controller = new AbortController();
    const left = at.client.uploadFile("/a", new Uint8Array(1000), { signal: controller.signal }).catch((error: unknown) => error);
    const other = at.client.uploadImage(new Uint8Array(1000));
    await at.clock.advance(500);
    controller.abort("enough");
    const askedMs = at.clock.now();
    expect([await left, at.clock.now()]).toEqual(["enough", askedMs]);
    await other;
    expect(at.server.complete).toBe(true);
  });

  test("a request that is too long is refused before it is sent", async () => {
    await using at = await setUp({ bufSize: 100 });
    await expect(at.client.os.echo({ d: "x".repeat(200) })).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 100 });
  });

  test("of the caller are taken as they are", async () => {
    await using at = await setUp({ bufSize: 500, bufCount: 1 }, { client: { window: 2, messageLimit: 80 } });
    expect(at.client.limits).toMatchObject({ window: 2, messageLimit: 80 });
  });

  test.each([
    ["does not tell", { secretive: true }, 1],
    ["claims nothing", { bufSize: 0 }, 1],
    ["claims endless buffers", { bufCount: 4_000_000_000 }, 8],
  ])("where the server %s there are some", async (_, options, window) => {
    await using at = await setUp(options, { link: { provenLimit: 100 } });
    expect(at.client.limits.window).toBe(window);
    expect(at.client.limits.messageLimit).toBeGreaterThanOrEqual(100);
    await at.client.os.echo({ d: "a" });
  });

  test("a server that is silent at first is no error", async () => {
    const clock = new VirtualClock();
    await using client = await McumgrClient.open(async () => createMemoryLinks({ clock }).client, { clock });
    expect(client.limits).toMatchObject({ window: 1, why: "the server does not answer" });
    await expect(client.os.echo({ d: "" }, { timeoutMs: 50 })).rejects.toMatchObject({ operation: "os.echo", timeoutMs: 50 });
  });
});

test("a server that was not listening while the client opened is asked again when it matters", async () => {
  let n = 0;
  await using at = await setUp({ bufSize: 300 }, { link: { loss: (_, to) => to === "server" && n++ < 3, provenLimit: 100 } });
  expect(at.client.limits).toMatchObject({ messageLimit: 100, buffers: undefined });
  await at.client.uploadImage(new Uint8Array(1000));
  expect(at.client.limits).toMatchObject({ messageLimit: 300, window: 3 });
});

describe("a lost link", () => {
  test("rejects what is pending at once, and what comes after, with its reason", async () => {
    await using at = await setUp({ processMs: 1000 });
    const reasons: unknown[] = [];
    at.client.on("closed", ({ reason }) => reasons.push(reason));
    const pending = Promise.allSettled([1, 2, 3, 4, 5].map((n) => at.client.os.echo({ d: `${n}` })));
    const reason = new DisconnectedError(0x08);
    const askedMs = at.clock.now();
    await at.clock.advance(10);
    at.cut(reason);
    expect((await pending).map((result) => result.status === "rejected" && (result.reason as unknown))).toEqual(
      Array.from({ length: 5 }, () => reason),
    );
    expect([at.clock.now() < askedMs + 50, reasons, at.client.isConnected]).toEqual([true, [reason], false]);
    await expect(at.client.os.echo({ d: "" })).rejects.toBe(reason);
  });

  test("is made again by reconnect, which several may wait for; limits are asked anew", async () => {
    await using at = await setUp();
    const told: number[] = [];
    at.client.on("reconnected", ({ limits }) => told.push(limits.messageLimit));
    at.cut();
    await Promise.all([at.client.reconnect(), at.client.reconnect()]);
    expect([at.opened(), told]).toEqual([2, [1024]]);
    expect(await at.client.os.echo({ d: "a" })).toEqual({ r: "a" });
    await at.client.reconnect();
    expect(at.opened()).toBe(2);
  });

  test("that only seems to stand is made anew", async () => {
    await using at = await setUp();
    at.server.fault = () => (at.opened() === 1 ? "lost" : undefined);
    await at.client.reconnect();
    expect([at.opened(), at.client.isConnected, at.client.info?.kind]).toEqual([2, true, "memory"]);
  });

  test("that cannot be made again, since the program is wrong, is not tried again", async () => {
    const wrong = new ArgumentError("no such option");
    await using at = await setUp(
      {},
      {
        onOpen: (count) => {
          if (count > 0) throw wrong;
        },
      },
    );
    at.cut();
    await expect(at.client.reconnect()).rejects.toBe(wrong);
  });

  test("that cannot be made again: tried until the time is over, and the last failure is told", async () => {
    const failure = new Error("no such device");
    await using at = await setUp(
      {},
      {
        onOpen: (count) => {
          if (count > 0) throw failure;
        },
      },
    );
    at.cut();
    await expect(at.client.reconnect({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", cause: failure });
    const controller = new AbortController();
    const waiting = at.client.reconnect({ signal: controller.signal });
    controller.abort("enough");
    await expect(waiting).rejects.toBe("enough");
  });
});

test("an opener that does not listen is left alone, and its link closed when it comes", async () => {
  const clock = new VirtualClock();
  const { client: link, server } = createMemoryLinks({ clock });
  let ended = 0;
  server.onClose = () => void ended++;
  const controller = new AbortController();
  const open = async () => {
    await clock.advance(1000);
    return link;
  };
  const opening = McumgrClient.open(open, { clock, signal: controller.signal });
  controller.abort("enough");
  await expect(opening).rejects.toBe("enough");
  await clock.advance(1100);
  expect(ended).toBe(1);
});

test("a client that is closed while it reconnects stops at once", async () => {
  const at = await setUp(
    {},
    {
      onOpen: (count) => {
        if (count > 0) throw new Error("out of reach");
      },
    },
  );
  at.cut();
  const waiting = at.client.reconnect().catch((error: unknown) => error);
  await at.clock.advance(5000);
  await at.client[Symbol.asyncDispose]();
  expect(await waiting).toMatchObject({ code: "ERR_CLOSED" });
  expect(at.clock.now()).toBeLessThan(5100);
});

describe("reset", () => {
  test("waits for the link's end and for the server to come back", async () => {
    await using at = await setUp();
    at.server.onHandled = (index) => {
      if (at.server.handled[index]!.header.command === 5) at.clock.setTimer(250, "reset", () => at.cut());
    };
    await at.client.reset();
    expect([at.opened(), at.client.isConnected]).toEqual([2, true]);
    expect(at.clock.now()).toBeLessThan(600);
  });

  test("of a server whose link stays: it is asked until it answers again", async () => {
    await using at = await setUp();
    at.server.onHandled = (index) => {
      if (at.server.handled[index]!.header.command !== 5) return;
      const until = at.clock.now() + 20_000;
      at.server.fault = () => (at.clock.now() < until ? "lost" : undefined);
    };
    await at.client.reset();
    expect(at.clock.now()).toBeGreaterThan(20_000);
    expect(at.clock.now()).toBeLessThan(30_000);
  });

  test("whose answer is lost with the link counts", async () => {
    await using at = await setUp();
    at.server.fault = ({ header }) => {
      if (header.command === 5) at.cut();
      return undefined;
    };
    await at.client.reset({ reconnect: false });
    expect(at.client.isConnected).toBe(false);
    await at.client.reconnect();
    expect(at.opened()).toBe(2);
  });

  test("is not done where the link was gone before, nor after the client was closed", async () => {
    const at = await setUp();
    const reason = new DisconnectedError(0x08);
    at.cut(reason);
    for (const reconnect of [true, false]) await expect(at.client.reset({ reconnect })).rejects.toBe(reason);
    expect(at.opened()).toBe(1);
    await at.client.reconnect();
    const pending = at.client.reset({ reconnect: false }).catch((error: unknown) => error);
    await at.clock.advance(1);
    await at.client[Symbol.asyncDispose]();
    expect(await pending).toMatchObject({ code: "ERR_CLOSED" });
    await expect(at.client.reset({ reconnect: false })).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  test("is left at once by who gives up, and by closing the client", async () => {
    const at = await setUp();
    const controller = new AbortController();
    const left = at.client.reset({ signal: controller.signal }).catch((error: unknown) => error);
    await at.clock.advance(300);
    controller.abort("enough");
    expect(await left).toBe("enough");
    const closed = at.client.reset().catch((error: unknown) => error);
    await at.clock.advance(300);
    await at.client[Symbol.asyncDispose]();
    expect(await closed).toMatchObject({ code: "ERR_CLOSED" });
    expect(at.clock.now()).toBeLessThan(1000);
  });

  test("that is refused is an error; what is not given is not sent", async () => {
    await using at = await setUp();
    at.server.fault = ({ header }) => (header.command === 5 ? { rc: 10 } : undefined);
    await expect(at.client.reset()).rejects.toMatchObject({ rcName: "Busy" });
    expect(at.server.handled.at(-1)!.payload).toEqual({});
    await expect(at.client.reset({ force: true, bootMode: 1 })).rejects.toMatchObject({ rcName: "Busy" });
    expect(at.server.handled.at(-1)!.payload).toEqual({ force: 1, boot_mode: 1 });
  });
});

test("a closed client rejects what waits and what comes, and closes its link", async () => {
  const at = await setUp({ processMs: 100 });
  const pending = at.client.os.echo({ d: "a" }).catch((error: unknown) => error);
  const upload = at.client.uploadImage(new Uint8Array(5000)).catch((error: unknown) => error);
  await at.client[Symbol.asyncDispose]();
  await at.client[Symbol.asyncDispose]();
  expect(await pending).toMatchObject({ code: "ERR_CLOSED" });
  expect(await upload).toMatchObject({ code: "ERR_CLOSED" });
  await expect(at.client.os.echo({ d: "a" })).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(at.client.reconnect()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  expect(at.clock.pending.filter((name) => name.startsWith("os") || name.startsWith("mcumgr"))).toEqual([]);
});

test("on a link that loses messages, reading is asked again after a third and two thirds of its time, and nothing else is", async () => {
  await using at = await setUp({}, { link: { loss: () => false } });
  const asked: number[] = [];
  at.server.fault = () => {
    asked.push(at.clock.now() - sinceMs);
    return "lost";
  };
  let sinceMs = at.clock.now();
  await expect(at.client.os.parameters({}, { timeoutMs: 3000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(asked).toEqual([5, 1005, 2005]);
  sinceMs = at.clock.now();
  asked.length = 0;
  await expect(at.client.os.echo({ d: "" }, { timeoutMs: 3000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(asked).toEqual([5]);
});

test("on a link that loses messages, one answer of three is enough", async () => {
  let n = 0;
  await using at = await setUp({}, { link: { loss: (_, to) => to === "server" && n++ % 3 !== 2 } });
  expect(await at.client.os.parameters()).toEqual({ bufSize: 1024, bufCount: 4 });
  expect(at.clock.now()).toBeLessThan(4000);
});
