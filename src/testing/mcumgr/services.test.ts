import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { TestClient } from "../../../test/support/mcumgr-test-client.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { crc32 } from "../../bytes/crc32.ts";
import { createMemoryLinks } from "../../mcumgr/links/memory.ts";
import type { CborMap } from "../../mcumgr/protocol/cbor.ts";
import { decodeMessage, encodeMessage } from "../../mcumgr/protocol/message.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import { McumgrFaults, type SeenRequest, tamperingOf, withWrongOffset } from "./faults.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";

async function setUp(options: SimulatedMcumgrDeviceOptions = {}) {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const client = new TestClient(device, clock);
  return { clock, device, client, ask: client.ask.bind(client) };
}
const error = (group: number, rc: number) => ({ err: { group, rc } });

describe("the system's group", () => {
  test("takes dates of the years and forms that Zephyr takes, and goes on from them", async () => {
    const { ask, clock } = await setUp();
    const set = async (datetime: string) => await ask(0, 4, 2, { datetime });
    for (const wrong of [
      "2026-02-03T04:05",
      "2026-02-03T04:05:06.1234567890",
      "1899-12-31T23:59:59",
      "11900-01-01T00:00:00",
      "2026-00-03T04:05:06",
      "2026-13-03T04:05:06",
      "2026-02-00T04:05:06",
      "2026-02-32T04:05:06",
      "2026-02-03T24:05:06",
      "2026-02-03T04:60:06",
      "2026-02-03T04:05:60",
      "2026-02-03 04:05:06",
      "2026-02-03T04:05:06x",
      "x2026-02-03T04:05:06",
    ])
      expect(await set(wrong), wrong).toEqual({ rc: 3 });
    expect(await ask(0, 4, 0)).toEqual(error(0, 4)); // none of them counted
    for (const [given, told] of [
      ["1900-01-01T00:00:00", "1900-01-01T00:00:00.000"],
      ["11899-12-31T23:59:59", "11899-12-31T23:59:59.000"],
      ["2026-12-31T23:59:59.25Z", "2026-12-31T23:59:59.250"],
      ["2026-02-03T04:05:06+01:00", "2026-02-03T04:05:06.000"],
      ["2026-02-03T04:05:06-0130", "2026-02-03T04:05:06.000"],
    ] as const) {
      expect(await set(given), given).toEqual({});
      expect((await ask(0, 4, 0))!.datetime).toMatch(told.slice(0, -1)); // a little later
    }
    await set("2026-02-28T23:59:59");
    await clock.advance(2000);
    expect((await ask(0, 4, 0))!.datetime).toMatch("2026-03-01T00:00:01.");
  });

  test("tells of the application by letters, and of the bootloader", async () => {
    const { ask } = await setUp({ noDowngrade: true, mode: "overwrite-only" });
    expect(await ask(0, 7, 0, {})).toEqual({ output: "Zephyr" });
    expect(await ask(0, 7, 0, { format: "nr" })).toEqual({ output: "simulated 4.4.0" });
    expect(await ask(0, 7, 0, { format: "sz" })).toEqual(error(0, 2));
    const all = "Zephyr simulated 4.4.0 v4.4.0 2026-01-01T00:00:00 arm cortex-m33 simulated/mcumgr Zephyr";
    expect(await ask(0, 7, 0, { format: "va" })).toEqual({ output: all });
    expect(await ask(0, 8, 0, { query: "mode" })).toEqual({ mode: 2, "no-downgrade": true });
  });

  test.each([
    ["single-application", 0],
    ["swap-scratch", 1],
    ["overwrite-only", 2],
    ["swap-move", 3],
    ["swap-offset", 3],
    ["direct-xip", 4],
    ["direct-xip-revert", 5],
    ["ram-load", 6],
  ] as const)("the bootloader's mode %s is %i", async (mode, number) => {
    const { ask } = await setUp({ mode });
    expect(await ask(0, 8, 0, { query: "mode" })).toEqual({ mode: number });
  });

  test("tells of tasks and pools as small applications have them", async () => {
    const { ask } = await setUp({ bufSize: 512, bufCount: 3 });
    const { tasks } = (await ask(0, 2, 0)) as { tasks: Record<string, CborMap> };
    expect(Object.keys(tasks)).toEqual(["mcumgr smp", "sysworkq", "idle", "main"]);
    expect(tasks.sysworkq).toEqual({ prio: -1, tid: 1, state: 2, stksiz: 256, stkuse: 94 });
    expect(await ask(0, 3, 0)).toEqual({ smp_buffers: { blksiz: 512, nblks: 3, nfree: 1, min: 0 } });
    expect(await ask(0, 6, 0)).toEqual({ buf_size: 512, buf_count: 3 });
  });
});

describe("files", () => {
  const content = Uint8Array.from({ length: 100 }, (_, i) => i);
  const files = { "/lfs1/a": content, "/lfs1/d/b": content, "/lfs1/empty": new Uint8Array(0) };

  test("have paths: mounted, no directories, not too long", async () => {
    const { ask } = await setUp({ files, mounts: ["/lfs1", "/nand"] });
    const status = async (name: string) => await ask(8, 1, 0, { name });
    expect(await status("/lfs1/a")).toEqual({ len: 100 });
    expect(await status("/lfs1/d/b")).toEqual({ len: 100 });
    expect(await status("/lfs1/d")).toEqual(error(8, 4));
    expect([await status("/lfs1"), await status("/nand")]).toEqual([error(8, 4), error(8, 4)]);
    expect(await status("/lfs1/c")).toEqual(error(8, 3));
    expect(await status("/nand/a")).toEqual(error(8, 3));
    expect([await status("/lfs"), await status("/lfs12/a"), await status("a")]).toEqual([error(8, 14), error(8, 14), error(8, 14)]);
    expect([await status(""), await status(`/lfs1/${"x".repeat(59)}`)]).toEqual([error(8, 2), error(8, 2)]);
    expect(await status(`/lfs1/${"x".repeat(58)}`)).toEqual(error(8, 3));
  });

  test("are hashed from anywhere to anywhere within them", async () => {
    const { ask } = await setUp({ files });
    const hash = async (more: CborMap) => await ask(8, 2, 0, { name: "/lfs1/a", ...more });
    expect(await hash({})).toEqual({ type: "crc32", len: 100, output: crc32(content) });
    expect(await hash({ off: 99 })).toEqual({ type: "crc32", off: 99, len: 1, output: crc32(content.subarray(99)) });
    expect(await hash({ off: 100 })).toEqual(error(8, 12));
    expect(await hash({ len: 50 })).toMatchObject({ len: 50, output: crc32(content.subarray(0, 50)) });
    expect(await hash({ off: 10, len: 1000, type: "sha256" })).toEqual({
      type: "sha256",
      off: 10,
      len: 90,
      output: sha256(content.subarray(10)),
    });
    expect(await hash({ type: "md5" })).toEqual(error(8, 13));
    expect(await ask(8, 2, 0, { name: "/lfs1/empty" })).toEqual(error(8, 16));
  });

  test("are read in pieces that a buffer holds; past the end there is nothing", async () => {
    const { ask } = await setUp({ files, bufSize: 100 });
    const read = async (off: number) => await ask(8, 0, 0, { name: "/lfs1/a", off });
    expect(await read(0)).toEqual({ off: 0, data: content.subarray(0, 60), len: 100 });
    expect(await read(60)).toEqual({ off: 60, data: content.subarray(60) });
    expect(await read(100)).toEqual({ off: 100, data: new Uint8Array(0) });
    expect(await ask(8, 0, 0, { name: "/lfs1/empty", off: 0 })).toEqual({ off: 0, data: new Uint8Array(0), len: 0 });
  });

  test("are open for one kind of link, until they are closed or nothing comes for 5 s", async () => {
    const { ask, clock, device } = await setUp();
    const { client, server } = createMemoryLinks({ clock });
    Object.assign(server.info, { kind: "udp" });
    device.attach(server);
    const answers: CborMap[] = [];
    client.onMessage = (message) => answers.push(decodeMessage(message).payload);
    const other = async (off: number) => {
      const payload = { off, data: new Uint8Array(1), name: "/lfs1/b", ...(off === 0 && { len: 2 }) };
      await client.send(encodeMessage({ op: 2, group: 8, command: 0, sequence: 0 }, payload));
      await clock.advance(1);
      return answers.pop();
    };
    const put = async (off: number) =>
      await ask(8, 0, 2, { off, data: content.subarray(off, off + 10), name: "/lfs1/a", ...(off === 0 && { len: 100 }) });
    expect(await put(0)).toEqual({ off: 10 });
    expect(await other(0)).toEqual({ rc: 10 });
    await clock.advance(4000);
    expect(await put(10)).toEqual({ off: 20 });
    await clock.advance(4000);
    expect(await other(0)).toEqual({ rc: 10 });
    await clock.advance(1001);
    expect(await other(0)).toEqual({ off: 1 });
    expect(await put(20)).toEqual({ rc: 10 });
    expect(await ask(8, 4, 2)).toEqual({});
    expect(await put(20)).toEqual({ off: 30 });
  });

  test("start anew at offset 0, which needs a length, and go on where they end", async () => {
    const { ask, device } = await setUp({ files: { "/lfs1/a": content } });
    const put = async (off: number, more: CborMap = {}) =>
      await ask(8, 0, 2, { off, data: content.subarray(0, 10), name: "/lfs1/a", ...more });
    expect(await put(0)).toEqual({ rc: 3 });
    expect(await put(50)).toEqual({ ...error(8, 11), len: 100 });
    expect(await put(100)).toEqual({ off: 110 });
    expect(await put(0, { len: 10 })).toEqual({ off: 10 });
    expect(device.files.get("/lfs1/a")).toEqual(content.subarray(0, 10));
    expect(await ask(8, 0, 2, { off: 5, data: content, name: "/lfs1/none" })).toEqual({ ...error(8, 11), len: 0 });
  });

  test("fill the room that there is, to the last octet, and are 1024 at most", async () => {
    const { ask, device } = await setUp({ fileCapacity: 100 });
    const put = async (name: string, length: number) =>
      await ask(8, 0, 2, { off: 0, len: length, data: content.subarray(0, length), name });
    expect(await put("/lfs1/a", 90)).toEqual({ off: 90 });
    expect(await put("/lfs1/b", 11)).toEqual(error(8, 10));
    expect(await put("/lfs1/b", 10)).toEqual({ off: 10 });
    for (let i = device.files.size; i < 1024; i++) device.files.set(`/lfs1/${i}`, new Uint8Array(0));
    expect(await put("/lfs1/c", 0)).toEqual(error(8, 5));
    expect(await put("/lfs1/b", 10)).toEqual({ off: 10 });
  });
});

describe("settings", () => {
  const settings = {
    "app/name": Uint8Array.of(1, 2, 3),
    "app/deep/x": Uint8Array.of(4),
    "application/y": Uint8Array.of(5),
    "bt/z": Uint8Array.of(6),
  };

  test("are known by their roots, and have names of 64 characters", async () => {
    const { ask } = await setUp({ settings });
    const read = async (name: string, more: CborMap = {}) => await ask(3, 0, 0, { name, ...more });
    expect(await read("app/name")).toEqual({ val: Uint8Array.of(1, 2, 3) });
    expect(await read("app/name", { max_size: 2 })).toEqual({ val: Uint8Array.of(1, 2) });
    expect(await read("app/none")).toEqual(error(3, 3));
    expect(await read("none/name")).toEqual(error(3, 5));
    expect([await read(`app/${"x".repeat(60)}`), await read(`app/${"x".repeat(61)}`)]).toEqual([error(3, 3), error(3, 2)]);
    expect(await ask(3, 0, 2, { name: "none/x", val: new Uint8Array(1) })).toEqual(error(3, 5));
    expect([await ask(3, 1, 2, { name: "app/none" }), await ask(3, 1, 2, { name: "none/x" })]).toEqual([error(3, 3), error(3, 5)]);
  });

  test("are saved as a whole, or below a name and nothing beside it", async () => {
    const { ask, device } = await setUp({ settings });
    for (const name of Object.keys(settings)) await ask(3, 1, 2, { name });
    await ask(3, 0, 2, { name: "app/new", val: Uint8Array.of(7) });
    expect(await ask(3, 3, 2, { name: "app" })).toEqual({});
    expect([...device.settings.keys()].sort()).toEqual(["app/new", "application/y", "bt/z"]);
    expect(await ask(3, 3, 2, { name: "bt/z" })).toEqual({});
    expect([...device.settings.keys()].sort()).toEqual(["app/new", "application/y"]);
    expect(await ask(3, 3, 2)).toEqual({});
    expect([...device.settings]).toEqual([["app/new", Uint8Array.of(7)]]);
  });

  test("cannot be saved where the server has no store", async () => {
    const { ask, device } = await setUp({ settings, canSaveSettings: false });
    await ask(3, 0, 2, { name: "app/name", val: Uint8Array.of(9) });
    expect(await ask(3, 3, 2)).toEqual(error(3, 8));
    expect(device.settings.get("app/name")).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("are gone with the storage, in use and saved", async () => {
    const { ask, device } = await setUp({ settings });
    expect(await ask(63, 0, 2)).toEqual({});
    expect(device.settings.size).toBe(0);
    expect(await ask(3, 0, 0, { name: "app/name" })).toEqual(error(3, 3));
  });
});

describe("shell, statistics, enumeration", () => {
  test("a shell of three commands, whose lines have 256 characters", async () => {
    const { ask } = await setUp({ bufSize: 100 });
    const execute = async (...argv: string[]) => await ask(9, 0, 2, { argv });
    expect(await execute("help")).toMatchObject({ ret: 0, o: expect.stringContaining("echo  help  kernel") as string });
    expect(await execute("echo", "a", "b  c")).toEqual({ o: "\r\na b c\r\n", ret: 0 });
    expect(await execute("kernel version")).toEqual({ o: "\r\nZephyr version 4.4.0\r\n", ret: 0 });
    expect(await execute("kernel")).toMatchObject({ ret: -22 });
    expect(await execute("led", "on")).toEqual({ o: "\r\n\u001b[1;31mled: command not found\r\n\u001b[m", ret: -8 });
    expect([await execute(), await execute(" ", "")]).toEqual([error(9, 3), error(9, 3)]);
    const { ask: wide } = await setUp({ bufSize: 600 });
    expect(await wide(9, 0, 2, { argv: ["echo", "x".repeat(251)] })).toMatchObject({ ret: 0 });
    expect(await wide(9, 0, 2, { argv: ["echo", "x".repeat(252)] })).toEqual(error(9, 2));
    const { ask: cut } = await setUp({ bufSize: 100, shell: () => ({ output: "y".repeat(200), result: 3 }) });
    expect(await cut(9, 0, 2, { argv: ["x"] })).toEqual({ o: "y".repeat(68), ret: 3 });
  });

  test("statistics of one's own beside the server's", async () => {
    const { ask, clock } = await setUp({ statistics: { own: { fixed: 5, live: () => 7n } } });
    expect(await ask(2, 1, 0)).toEqual({ stat_list: ["own", "smp_svr_stats"] });
    expect(await ask(2, 0, 0, { name: "own" })).toEqual({ name: "own", fields: { fixed: 5, live: 7 } });
    await clock.advance(3500);
    expect(await ask(2, 0, 0, { name: "smp_svr_stats" })).toEqual({ name: "smp_svr_stats", fields: { ticks: 3, requests: 3 } });
    expect(await ask(2, 0, 0, { name: "constructor" })).toEqual(error(2, 3));
  });

  test("groups one by one, the last with a mark, or those that are wanted", async () => {
    const { ask } = await setUp();
    expect(await ask(10, 0, 0)).toEqual({ count: 8 });
    expect(await ask(10, 2, 0)).toEqual({ group: 10 });
    expect(await ask(10, 2, 0, { index: 6 })).toEqual({ group: 2 });
    expect(await ask(10, 2, 0, { index: 7 })).toEqual({ group: 63, end: true });
    expect(await ask(10, 2, 0, { index: 8 })).toEqual(error(10, 4));
    const { groups } = (await ask(10, 3, 0)) as { groups: CborMap[] };
    expect(groups.map(({ name }) => name)).toEqual([
      "enum mgmt",
      "fs mgmt",
      "img mgmt",
      "os mgmt",
      "settings mgmt",
      "shell mgmt",
      "stat mgmt",
      "zephyr basic mgmt",
    ]);
    expect(await ask(10, 3, 0, { groups: [1, 77, 9] })).toMatchObject({ groups: [{ group: 1 }, { group: 9 }] });
  });

  test.each(["enumeration", "files", "image", "os", "settings", "shell", "statistics", "zephyr"])(
    "a server can be without %s",
    async (name) => {
      const ids: Record<string, number> = { enumeration: 10, files: 8, image: 1, os: 0, settings: 3, shell: 9, statistics: 2, zephyr: 63 };
      const { ask } = await setUp({ without: [name] });
      for (const op of [0, 2]) expect(await ask(ids[name]!, 0, op, {})).toEqual({ rc: 8 });
      if (name !== "enumeration") expect(((await ask(10, 1, 0)) as { groups: number[] }).groups).not.toContain(ids[name]);
    },
  );
});

describe("faults wait for their requests", () => {
  const request = (title: string): SeenRequest => ({ title, group: 0, command: 0, op: 0, sequence: 0, version: 1, payload: {} });
  const full = { kind: "full" } as const;
  const slow = { kind: "slow", ms: 5 } as const;

  test("those of a title, of a function, or the next one: after some, for some", () => {
    const faults = new McumgrFaults();
    faults.add(full, {});
    faults.add(slow, { on: "os.echo", skip: 1, times: 2 });
    expect(faults.take(request("os.reset"))).toEqual([full]);
    expect(["os.echo", "os.reset", "os.echo", "os.echo", "os.echo"].map((title) => faults.take(request(title)).length)).toEqual([
      0, 0, 1, 1, 0,
    ]);
    const taken = faults.add(full, { on: ({ title }) => title.endsWith("e"), times: 9 });
    faults.add(slow, { on: "b" });
    expect([faults.take(request("e")), faults.take(request("a"))]).toEqual([[full], []]);
    taken[Symbol.dispose]();
    taken[Symbol.dispose](); // and takes no other
    expect([faults.take(request("e")), faults.take(request("b"))]).toEqual([[], [slow]]);
  });

  test("several strike in the order in which they were added", () => {
    const faults = new McumgrFaults();
    faults.add(slow, {});
    faults.add(full, {});
    expect(faults.take(request("a"))).toEqual([slow, full]);
    expect(faults.take(request("a"))).toEqual([]);
  });

  test("and say what becomes of data and offsets", () => {
    expect(tamperingOf([full])).toEqual({});
    expect(tamperingOf([{ kind: "bad-hash" }])).toEqual({ corrupt: true });
    expect(tamperingOf([{ kind: "trim", to: 3 }]).take!(100)).toBe(3);
    expect(tamperingOf([{ kind: "trim", multipleOf: 64 }]).take!(100)).toBe(64);
    expect(withWrongOffset({ off: 5, a: 1 }, [{ kind: "wrong-offset", by: -9 }])).toEqual({ off: 0, a: 1 });
    expect(withWrongOffset({ off: 5 }, [full, { kind: "wrong-offset", to: 9 }, { kind: "wrong-offset", by: 2 }])).toEqual({ off: 11 });
    expect(withWrongOffset({ off: "5" }, [{ kind: "wrong-offset", to: 9 }])).toEqual({ off: "5" });
    expect(withWrongOffset({}, [{ kind: "wrong-offset", to: 9 }])).toEqual({});
  });
});
