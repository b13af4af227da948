import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test, vi } from "vitest";
import { TestClient } from "../../../test/support/mcumgr-test-client.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { equalBytes, fromHex, toHex } from "../../bytes/hex.ts";
import { parseImage } from "../../mcumgr/image/mcuboot.ts";
import { createMemoryLinks } from "../../mcumgr/links/memory.ts";
import { command, group } from "../../mcumgr/protocol/declare.ts";
import { text, uint } from "../../mcumgr/protocol/fields.ts";
import { decodeMessage, encodeMessage } from "../../mcumgr/protocol/message.ts";
import { createImage } from "./create-image.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";
import { refuse } from "./service.ts";

const OLD = createImage({ version: "1.0.0", bodySize: 700 });
const NEW = createImage({ version: "2.0.0", bodySize: 3000 });

async function withDevice(
  options: SimulatedMcumgrDeviceOptions,
  act: (device: SimulatedMcumgrDevice, client: TestClient, clock: VirtualClock) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  await using device = new SimulatedMcumgrDevice({ clock, sectorSize: 256, images: [{ slotSize: 8192, primary: OLD }], ...options });
  await act(device, new TestClient(device, clock), clock);
}

/** Octets in, octets out. */
async function raw(device: SimulatedMcumgrDevice, clock: VirtualClock, ...packets: Uint8Array[]): Promise<string[]> {
  const { client, server } = createMemoryLinks({ clock });
  const answers: string[] = [];
  device.attach(server);
  client.onMessage = (message) => answers.push(toHex(message));
  for (const packet of packets) await client.send(packet);
  await clock.advance(10);
  await client[Symbol.asyncDispose]();
  return answers;
}

const chunk = (off: number, length: number, more: object = {}) => ({ off, data: NEW.subarray(off, off + length), ...more });
const first = (length: number, more: object = {}) => chunk(0, length, { len: NEW.length, ...more });

describe("messages", () => {
  test("malformed ones are answered as a Zephyr server does, or not at all", async () => {
    await withDevice({}, async (device, _, clock) => {
      const ask = async (hex: string) => await raw(device, clock, fromHex(hex));
      const rc = (code: number, command = "00") => [`0b000006000007${command}bf6272630${code.toString(16)}ff`];
      expect(await ask("0a00000900000700")).toEqual(rc(9)); // claims more than arrived
      expect(await ask("0a000009000007")).toEqual([]); // under 8 octets
      expect(await ask("0a00000100000700ff")).toEqual(rc(3)); // no CBOR
      expect(await ask("0a0000020000070081f6")).toEqual(rc(3)); // no map
      expect(await ask("0900000100000700a0")).toEqual(rc(8)); // an answer
      expect(await ask("0f00000100000700a0")).toEqual(rc(8)); // no op
      expect(await ask("1200000100000700a0")).toEqual(["0b00000600000700bf6272630dff"]); // version 2
      expect(await ask("0a00000100000706a0")).toEqual(rc(8, "06")); // write where one reads
      expect(await ask("0a00000000000700")).toEqual(rc(3)); // no payload where one is read
      expect(await ask("0800000000000706")).toEqual([expect.stringMatching(/^0900....00000706bf686275665f73697a65/)]); // or is not
    });
  });

  test("several in one packet are answered one by one", async () => {
    await withDevice({}, async (device, _, clock) => {
      const one = encodeMessage({ op: 2, group: 0, command: 0, sequence: 1 }, { d: "a" });
      const two = encodeMessage({ op: 2, group: 0, command: 0, sequence: 2 }, { d: "b" });
      const both = new Uint8Array([...one, ...two, 1, 2, 3]);
      const answers = (await raw(device, clock, both)).map((hex) => decodeMessage(fromHex(hex)));
      expect(answers.map(({ header, payload }) => [header.sequence, payload.r])).toEqual([
        [1, "a"],
        [2, "b"],
      ]);
    });
  });

  test("octets that nobody asked for come over every link, but for those that are gone", async () => {
    await withDevice({}, async (device, _, clock) => {
      const ends = [createMemoryLinks({ clock }), createMemoryLinks({ clock })];
      const got: number[] = [];
      for (const { client, server } of ends) {
        device.attach(server);
        client.onMessage = (octets) => got.push(decodeMessage(octets).header.sequence);
      }
      const unasked = (sequence: number) => encodeMessage({ op: 1, group: 0, command: 0, sequence }, {});
      await device.sendUnasked(unasked(1));
      await clock.advance(1);
      expect(got).toEqual([1, 1]);
      await ends[0]!.client[Symbol.asyncDispose]();
      await device.sendUnasked(unasked(2));
      await clock.advance(1);
      expect(got).toEqual([1, 1, 2]);
    });
  });

  test("an answer that no buffer holds is rc 7", async () => {
    const counters = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`counter_${i}`, i]));
    await withDevice({ bufSize: 200, statistics: { many: counters, big: { value: 2n ** 64n - 1n } } }, async (_, client) => {
      expect(await client.ask(2, 0, 0, { name: "many" })).toEqual({ rc: 7 });
      expect(await client.ask(2, 0, 0, { name: "big" })).toEqual({ name: "big", fields: { value: 2n ** 64n - 1n } });
    });
  });

  test("the first version has no codes of groups; older servers have none at all", async () => {
    await withDevice({ settings: { "app/name": new Uint8Array(1) } }, async (_, client) => {
      expect(await client.ask(1, 1, 2, { off: 0, len: 64, data: new Uint8Array(64) }, 0)).toEqual({ rc: 1, rsn: "magic mismatch" });
      expect(await client.ask(1, 1, 2, { off: 0, len: 64, data: new Uint8Array(8) }, 0)).toEqual({ rc: 3, rsn: "header malformed" });
      expect(await client.ask(1, 1, 2, { off: 0, len: 1e9, data: NEW.subarray(0, 64) }, 0)).toEqual({ rc: 1, rsn: "img too large" });
      expect(await client.ask(8, 0, 2, { off: 7, data: new Uint8Array(1), name: "/lfs1/x" }, 0)).toEqual({ rc: 1 });
      expect(await client.ask(3, 0, 0, { name: "app/none" }, 0)).toEqual({ rc: 5 });
    });
    await withDevice({ errors: "first-only", alwaysRc: true }, async (_, client) => {
      expect(await client.ask(1, 5, 2, { slot: 9 })).toEqual({ rc: 1 });
      expect(await client.ask(0, 0, 2, { d: "x" })).toEqual({ rc: 0, r: "x" });
    });
    await withDevice({ refusesFirstVersion: true }, async (_, client) => {
      expect(await client.ask(0, 0, 2, { d: "x" }, 0)).toEqual({ rc: 12 });
      expect(await client.ask(0, 0, 2, { d: "x" }, 1)).toEqual({ r: "x" });
    });
  });
});

describe("buffers", () => {
  test("one less than there are: all are answered; as many: the first lacks one for its answer; more: they are lost", async () => {
    for (const [burst, refused, answered] of [
      [3, 0, 3],
      [4, 1, 4],
      [6, 1, 4],
    ] as const) {
      await withDevice({ bufCount: 4 }, async (device, client, clock) => {
        for (let i = 0; i < burst; i++) client.post(0, 0, 2, { d: `${i}` });
        await clock.advance(5);
        expect(client.answers).toHaveLength(answered);
        expect(client.answers.filter(({ payload }) => payload.rc === 2)).toHaveLength(refused);
        expect(device.counters).toMatchObject({ lost: burst - answered, noBuffer: refused, peakBuffers: 4 });
        // And none is missing afterwards.
        for (let i = 0; i < 3; i++) client.post(0, 0, 2, { d: "again" });
        await clock.advance(5);
        expect(client.answers.filter(({ payload }) => payload.r === "again")).toHaveLength(3);
      });
    }
  });

  test("datagrams are taken up as they come, so that of two for two buffers one is lost", async () => {
    const clock = new VirtualClock();
    await using device = new SimulatedMcumgrDevice({ clock, bufCount: 2, processingMs: 1 });
    const { client, server } = createMemoryLinks({ clock });
    Object.assign(server.info, { kind: "udp" });
    device.attach(server);
    const answers: Uint8Array[] = [];
    client.onMessage = (message) => answers.push(message);
    const send = async (sequence: number) => await client.send(encodeMessage({ op: 2, group: 0, command: 0, sequence }, { d: "x" }));
    await Promise.all([send(1), send(2)]);
    await clock.advance(20);
    expect(answers.map((answer) => decodeMessage(answer).header.sequence)).toEqual([1]);
    expect(device.counters).toMatchObject({ lost: 1, noBuffer: 0 });
    for (const sequence of [3, 4]) {
      await send(sequence);
      await clock.advance(20);
    }
    expect(answers).toHaveLength(3);
  });

  test("a server of one buffer answers one request after the other", async () => {
    await withDevice({ bufCount: 1 }, async (device, client, clock) => {
      for (const d of ["a", "b"]) expect(await client.ask(0, 0, 2, { d })).toEqual({ r: d });
      client.post(0, 0, 2, { d: "c" });
      client.post(0, 0, 2, { d: "lost" });
      await clock.advance(5);
      expect(client.answers.map(({ payload }) => payload.r)).toEqual(["c"]);
      expect(device.counters.lost).toBe(1);
    });
  });

  test("links share them, and answers keep the order in which requests came", async () => {
    await withDevice({ bufCount: 3, processingMs: 10 }, async (device, client, clock) => {
      const other = new TestClient(device, clock);
      client.post(0, 0, 2, { d: "1" });
      other.post(0, 0, 2, { d: "2" });
      await clock.advance(1);
      client.post(0, 0, 2, { d: "3" }); // takes the last
      other.post(0, 0, 2, { d: "4" }); // is lost
      await clock.advance(100);
      const answers = device.record.filter(({ kind }) => kind === "answer");
      expect(answers).toHaveLength(3);
      expect(device.counters.lost).toBe(1);
      expect(client.answers.map(({ payload }) => payload.rc ?? payload.r)).toEqual([2, "3"]);
      expect(other.answers.map(({ payload }) => payload.r)).toEqual(["2"]);
    });
  });

  test("a request that is longer than a buffer is lost", async () => {
    await withDevice({ bufSize: 100 }, async (device, client, clock) => {
      client.post(0, 0, 2, { d: "x".repeat(100) });
      await clock.advance(5);
      expect(client.answers).toEqual([]);
      expect(device.record).toContainEqual(expect.objectContaining({ kind: "lost", why: "too-long" }));
    });
  });
});

describe("image upload", () => {
  test("resumes by the digest, also over another link, and starts over without it", async () => {
    await withDevice({}, async (device, client, clock) => {
      const sha = sha256(NEW);
      expect(await client.ask(1, 1, 2, first(500, { sha }))).toEqual({ off: 500 });
      expect(await client.ask(1, 1, 2, chunk(500, 500))).toEqual({ off: 1000 });
      expect(await client.ask(1, 1, 2, chunk(500, 500))).toEqual({ off: 1000 }); // a duplicate
      expect(await client.ask(1, 1, 2, chunk(1500, 500))).toEqual({ off: 1000 }); // a gap
      const other = new TestClient(device, clock);
      expect(await other.ask(1, 1, 2, first(500, { sha }))).toEqual({ off: 1000 });
      expect(device.upload).toEqual({ image: 0, slot: 1, off: 1000, len: NEW.length });
      expect(await other.ask(1, 1, 2, chunk(1000, NEW.length))).toEqual({ off: NEW.length, match: true });
      expect(await other.ask(1, 1, 2, chunk(1000, 500))).toEqual({ off: 0 }); // late, after the end
      expect(await other.ask(1, 1, 2, first(500, { sha }))).toEqual({ off: NEW.length, match: true }); // it is there
      expect(await other.ask(1, 1, 2, first(500))).toEqual({ off: 500 });
      expect(await other.ask(1, 1, 2, first(400, { sha: sha.map((octet) => octet ^ 1) }))).toEqual({ off: 400 });
    });
  });

  test("a reset forgets it", async () => {
    await withDevice({}, async (device, client) => {
      await client.ask(1, 1, 2, first(500, { sha: sha256(NEW) }));
      await device.reset();
      expect(device.upload).toBeUndefined();
      expect(await client.ask(1, 1, 2, chunk(500, 500))).toEqual({ off: 0 });
    });
  });

  test("what does not fit is refused", async () => {
    await withDevice({ bufSize: 4000 }, async (device, client) => {
      const error = (rc: number) => ({ err: { group: 1, rc } });
      expect(await client.ask(1, 1, 2, { data: NEW.subarray(0, 64) })).toEqual(error(20));
      expect(await client.ask(1, 1, 2, { off: 0, len: 50, data: NEW.subarray(0, 64) })).toEqual(error(31));
      expect(await client.ask(1, 1, 2, first(64))).toEqual({ off: 64 });
      expect(await client.ask(1, 1, 2, { off: 64, data: new Uint8Array(NEW.length) })).toEqual(error(31));
      expect(device.upload?.off).toBe(64);
    });
    await withDevice({ images: [{ slotSize: 8192, primary: NEW }] }, async (_, client) => {
      expect(await client.ask(1, 1, 2, { off: 0, len: OLD.length, data: OLD.subarray(0, 64), upgrade: true })).toEqual({
        err: { group: 1, rc: 27 },
      });
      expect(await client.ask(1, 1, 2, { off: 0, len: OLD.length, data: OLD.subarray(0, 64) })).toEqual({ off: 64 });
    });
  });

  test("the erase stands before the first answer, or is spread over all of them", async () => {
    const times = { eraseMsPerSector: 10, writeMsPerKibibyte: 8, images: [{ slotSize: 8192, primary: OLD, secondary: OLD }] };
    await withDevice(times, async (_, client, clock) => {
      await client.ask(1, 1, 2, first(512));
      expect(clock.now()).toBeGreaterThanOrEqual(32 * 10 + 4);
      const startMs = clock.now();
      client.post(1, 1, 2, chunk(512, 512));
      await clock.advance(3.9);
      expect(client.answers).toHaveLength(0);
      await clock.advance(0.2);
      expect(client.answers).toHaveLength(1);
      expect(clock.now() - startMs).toBeLessThan(5);
    });
    await withDevice({ ...times, progressiveErase: true }, async (device, client, clock) => {
      await client.ask(1, 1, 2, first(512));
      expect(clock.now()).toBeLessThan(100);
      await client.upload(NEW, {}, 512);
      expect(equalBytes(device.slot(0, 1).octets.subarray(0, NEW.length), NEW)).toBe(true);
      expect(device.slot(0, 1).isSound).toBe(true);
    });
  });

  test("state and erase follow the rules", async () => {
    await withDevice({ images: [{ slotSize: 8192, primary: OLD, secondary: NEW }] }, async (device, client) => {
      const hash = parseImage(NEW).digest!.value;
      const error = (rc: number) => ({ err: { group: 1, rc } });
      expect(await client.ask(1, 0, 2, { hash: hash.subarray(1), confirm: false })).toEqual(error(24));
      expect(await client.ask(1, 0, 2, { hash: hash.map((octet) => octet ^ 1), confirm: false })).toEqual(error(8));
      expect(await client.ask(1, 0, 2, { hash: parseImage(OLD).digest!.value, confirm: false })).toEqual(error(33));
      expect(await client.ask(1, 0, 2, { hash, confirm: false })).toHaveProperty("images");
      expect(await client.ask(1, 0, 2, { hash, confirm: false })).toHaveProperty("images"); // pending already
      expect(await client.ask(1, 5, 2, {})).toEqual({}); // not started yet: the test is cancelled
      expect(device.states).toHaveLength(1);
      await client.upload(NEW);
      await client.ask(1, 0, 2, { hash, confirm: false });
      await device.reset();
      expect(await client.ask(1, 0, 2, { hash: parseImage(OLD).digest!.value, confirm: false })).toEqual(error(28));
      expect(await client.ask(1, 1, 2, first(64))).toEqual(error(9)); // the fallback is in the way
      expect(await client.ask(1, 5, 2, { slot: 1 })).toEqual(error(9));
    });
    await withDevice({ denyConfirmOfOther: true, images: [{ slotSize: 8192, primary: OLD, secondary: NEW }] }, async (_, client) => {
      expect(await client.ask(1, 0, 2, { hash: parseImage(NEW).digest!.value, confirm: true })).toEqual({ err: { group: 1, rc: 32 } });
    });
  });

  test("flags that are false can be left out", async () => {
    await withDevice({ omitFalse: true }, async (_, client) => {
      const hash = parseImage(OLD).digest!.value;
      expect(await client.ask(1, 0, 0)).toEqual({
        images: [{ slot: 0, version: "1.0.0", hash, bootable: true, confirmed: true, active: true }],
      });
    });
  });

  test("direct upload reaches each slot by its number", async () => {
    await withDevice({ directUpload: true }, async (_, client) => {
      expect(await client.ask(1, 1, 2, first(64, { image: 1 }))).toEqual({ err: { group: 1, rc: 9 } });
      expect(await client.ask(1, 1, 2, first(64, { image: 2 }))).toEqual({ off: 64 });
      expect(await client.ask(1, 6, 0)).toMatchObject({ images: [{ slots: [{ upload_image_id: 1 }, { upload_image_id: 2 }] }] });
    });
  });
});

describe("resets", () => {
  test("the answer comes first, then the links end and the device starts anew", async () => {
    await withDevice({}, async (device, _, clock) => {
      const client = new TestClient(device, clock, { survivesReset: false });
      expect(await client.ask(0, 5, 2)).toEqual({});
      await clock.advance(249);
      expect(device.running).toBe("application");
      await clock.advance(2);
      expect(device.running).toBe("starting");
      expect(await client.ask(0, 0, 2, { d: "x" })).toBeUndefined();
      expect(device.running).toBe("application");
    });
  });

  test("the application may refuse, and be forced", async () => {
    const mayReset = vi.fn(() => false);
    await withDevice({ mayReset }, async (device, client, clock) => {
      expect(await client.ask(0, 5, 2)).toEqual({ rc: 10 });
      await clock.advance(1000);
      expect(device.record.some(({ kind }) => kind === "off")).toBe(false);
      expect(await client.ask(0, 5, 2, { force: 1 })).toEqual({});
      await clock.advance(1000);
      expect(device.record.some(({ kind }) => kind === "off")).toBe(true);
      expect(mayReset).toHaveBeenCalledTimes(1);
    });
  });
});

describe("faults on command", () => {
  const echo = async (client: TestClient, d: string) => await client.ask(0, 0, 2, { d });

  test("requests and answers that are lost, late, slow, doubled or strange", async () => {
    await withDevice({}, async (device, client, clock) => {
      device.inject({ kind: "lose-answer" });
      expect(await echo(client, "lost")).toBeUndefined();
      device.inject({ kind: "lose-request" }, { on: "os.echo" });
      expect(await echo(client, "lost")).toBeUndefined();
      expect(await echo(client, "found")).toEqual({ r: "found" });
      device.inject({ kind: "late-answer", ms: 500 });
      client.post(0, 0, 2, { d: "late" });
      client.post(0, 0, 2, { d: "early" });
      await clock.advance(600);
      expect(client.answers.splice(0).map(({ payload }) => payload.r)).toEqual(["early", "late"]);
      device.inject({ kind: "slow", ms: 500 });
      client.post(0, 0, 2, { d: "slow" });
      client.post(0, 0, 2, { d: "behind" });
      await clock.advance(499);
      expect(client.answers).toEqual([]);
      await clock.advance(2);
      expect(client.answers.splice(0).map(({ payload }) => payload.r)).toEqual(["slow", "behind"]);
      device.inject({ kind: "duplicate-answer" });
      client.post(0, 0, 2, { d: "twice" });
      await clock.advance(1);
      expect(client.answers.splice(0)).toHaveLength(2);
      device.inject({ kind: "wrong-sequence", by: 3 });
      const sequence = client.post(0, 0, 2, { d: "other" });
      await clock.advance(1);
      expect(client.answers.splice(0)[0]!.header.sequence).toBe(sequence + 3);
      device.inject({ kind: "mangle", mangle: (answer) => [answer.slice(), answer.subarray(0, 4)] });
      await expect(raw(device, clock, encodeMessage({ op: 2, group: 0, command: 0, sequence: 1 }, { d: "x" }))).resolves.toEqual([
        "0b00000600000100bf61726178ff",
        "0b000006",
      ]);
    });
  });

  test("errors, offsets, data that is trimmed or spoiled, memory that is full", async () => {
    await withDevice({}, async (device, client) => {
      device.inject({ kind: "error", rc: 10 }, { on: "os.echo", skip: 1, times: 2 });
      expect(await echo(client, "a")).toEqual({ r: "a" });
      expect([await echo(client, "b"), await echo(client, "c")]).toEqual([{ rc: 10 }, { rc: 10 }]);
      expect(await echo(client, "d")).toEqual({ r: "d" });
      using taken = device.inject({ kind: "error", group: 1, rc: 12 }, { on: "image.upload" });
      taken[Symbol.dispose]();
      device.inject({ kind: "wrong-offset", by: -100 }, { on: "image.upload" });
      expect(await client.ask(1, 1, 2, first(500))).toEqual({ off: 400 });
      device.inject({ kind: "wrong-offset", to: 99_999 }, { on: "image.upload" });
      expect(await client.ask(1, 1, 2, chunk(500, 100))).toEqual({ off: 99_999 });
      device.inject({ kind: "trim", multipleOf: 64 }, { on: "image.upload" });
      expect(await client.ask(1, 1, 2, chunk(600, 100))).toEqual({ off: 664 });
      device.inject({ kind: "trim", to: 3 }, { on: "image.upload" });
      expect(await client.ask(1, 1, 2, chunk(664, 100))).toEqual({ off: 667 });
      device.inject({ kind: "full" }, { on: "image.upload" });
      expect(await client.ask(1, 1, 2, chunk(667, 100))).toEqual({ err: { group: 1, rc: 12 } });
      expect(device.upload).toBeUndefined();
      device.inject({ kind: "full" }, { on: "files.upload" });
      expect(await client.ask(8, 0, 2, { off: 0, len: 1, data: new Uint8Array(1), name: "/lfs1/x" })).toEqual({
        err: { group: 8, rc: 10 },
      });
      device.inject({ kind: "bad-hash" }, { on: "image.upload", skip: 1 });
      expect(await client.upload(NEW, { sha: sha256(NEW) })).toEqual({ off: NEW.length, match: false });
      expect(device.slot(0, 1).isSound).toBe(false);
    });
  });

  test("resets and power cuts in the midst, noise on the console", async () => {
    await withDevice({}, async (device, client, clock) => {
      const heard: string[] = [];
      device.on("console", (line) => heard.push(line));
      device.inject({ kind: "noise", text: "[00:01] <wrn> noise\r\n" });
      expect(await echo(client, "a")).toEqual({ r: "a" });
      expect(heard).toEqual(["[00:01] <wrn> noise\r\n"]);
      device.inject({ kind: "reset" }, { on: (request) => request.title === "image.upload" && request.payload.off === 500 });
      await client.ask(1, 1, 2, first(500));
      client.post(1, 1, 2, chunk(500, 500));
      await clock.advance(500);
      expect(client.answers).toEqual([]);
      expect(device.slot(0, 1).octets[600]).toBe(0xff);
      device.inject({ kind: "power-cut", after: true, offMs: 50 }, { on: "image.upload" });
      client.post(1, 1, 2, first(500));
      await clock.advance(1);
      expect(device.running).toBe("off");
      expect(equalBytes(device.slot(0, 1).octets.subarray(0, 500), NEW.subarray(0, 500))).toBe(true);
      await clock.advance(500);
      expect(device.running).toBe("application");
      expect(await echo(client, "b")).toEqual({ r: "b" });
    });
  });
});

describe("other groups", () => {
  test("the system's", async () => {
    await withDevice({ application: { x: "extra" } }, async (_, client, clock) => {
      expect(await client.ask(0, 0, 2)).toEqual({ r: "" });
      expect(await client.ask(0, 4, 0)).toEqual({ err: { group: 0, rc: 4 } });
      expect(await client.ask(0, 4, 2, { datetime: "2026-13-01T00:00:00" })).toEqual({ rc: 3 });
      expect(await client.ask(0, 4, 2, { datetime: "2026-02-03T04:05:06.5" })).toEqual({});
      await clock.advance(1500);
      expect(await client.ask(0, 4, 0)).toMatchObject({ datetime: expect.stringMatching(/^2026-02-03T04:05:08\.\d+$/) });
      expect(await client.ask(0, 7, 0, { format: "sx" })).toEqual({ output: "Zephyr extra" });
      expect(await client.ask(0, 7, 0, { format: "a" })).toMatchObject({
        output: expect.stringMatching(/^Zephyr simulated 4\.4\.0 .*extra$/),
      });
      expect(await client.ask(0, 8, 0)).toEqual({ bootloader: "MCUboot" });
      expect(await client.ask(0, 8, 0, { query: "mode" })).toEqual({ mode: 3 });
      expect(await client.ask(0, 8, 0, { query: "color" })).toEqual({ err: { group: 0, rc: 3 } });
      expect(await client.ask(0, 2, 0)).toMatchObject({ tasks: { idle: { prio: 15 } } });
      expect(await client.ask(0, 3, 0)).toMatchObject({ smp_buffers: { nblks: 4 } });
      expect(await client.ask(0, 1, 2, { echo: 1 })).toEqual({ rc: 8 });
    });
  });

  test("files: written, read, hashed, resumed, full", async () => {
    const content = Uint8Array.from({ length: 500 }, (_, i) => i & 0xff);
    await withDevice({ fileCapacity: 600, fileChunk: 200 }, async (device, client, clock) => {
      const name = "/lfs1/a.bin";
      const put = async (off: number, length: number, more: object = {}) =>
        await client.ask(8, 0, 2, { off, data: content.subarray(off, off + length), name, ...more });
      expect(await put(0, 300, { len: 500 })).toEqual({ off: 300 });
      expect(await put(400, 100)).toEqual({ err: { group: 8, rc: 11 }, len: 300 });
      expect(await put(300, 100)).toEqual({ off: 400 }); // opened anew
      await device.reset();
      expect(await client.ask(8, 1, 0, { name })).toEqual({ len: 400 });
      expect(await put(400, 100)).toEqual({ off: 500 });
      expect(await client.ask(8, 0, 0, { off: 0, name })).toEqual({ off: 0, data: content.subarray(0, 200), len: 500 });
      expect(await client.ask(8, 0, 0, { off: 400, name })).toEqual({ off: 400, data: content.subarray(400) });
      expect(await client.ask(8, 2, 0, { name, type: "sha256" })).toEqual({ type: "sha256", len: 500, output: sha256(content) });
      expect(await client.ask(8, 2, 0, { name, off: 10, len: 20 })).toMatchObject({ type: "crc32", off: 10, len: 20 });
      expect(await client.ask(8, 3, 0)).toEqual({ types: { crc32: { format: 0, size: 4 }, sha256: { format: 1, size: 32 } } });
      expect(await client.ask(8, 0, 2, { off: 0, len: 200, data: new Uint8Array(200), name: "/lfs1/b" })).toEqual({
        err: { group: 8, rc: 10 },
      });
      expect(await client.ask(8, 0, 2, { off: 0, len: 0, data: new Uint8Array(), name: "/lfs1/empty" })).toEqual({ off: 0 });
      expect(await client.ask(8, 2, 0, { name: "/lfs1/empty" })).toEqual({ err: { group: 8, rc: 16 } });
      expect(await client.ask(8, 1, 0, { name: "/nand/a" })).toEqual({ err: { group: 8, rc: 14 } });
      expect(await client.ask(8, 1, 0, { name: `/lfs1/${"a".repeat(80)}` })).toEqual({ err: { group: 8, rc: 2 } });
      expect(device.files.get(name)).toEqual(content);
      await clock.advance(1);
    });
  });

  test("settings: in use, in the store, and none", async () => {
    await withDevice({ settings: { "app/name": fromHex("6162"), "app/long": new Uint8Array(100) } }, async (device, client) => {
      expect(await client.ask(3, 0, 0, { name: "app/name" })).toEqual({ val: fromHex("6162") });
      expect(await client.ask(3, 0, 0, { name: "app/long", max_size: 500 })).toEqual({ val: new Uint8Array(64), max_size: 64 });
      expect(await client.ask(3, 0, 0, { name: "app/none" })).toEqual({ err: { group: 3, rc: 3 } });
      expect(await client.ask(3, 0, 2, { name: "app/name", val: fromHex("63") })).toEqual({});
      expect(await client.ask(3, 2, 2)).toEqual({});
      expect(await client.ask(3, 3, 0)).toEqual({}); // loads what was saved
      expect(await client.ask(3, 0, 0, { name: "app/name" })).toEqual({ val: fromHex("6162") });
      await client.ask(3, 1, 2, { name: "app/name" });
      await client.ask(3, 0, 2, { name: "app/new", val: fromHex("64") });
      expect(await client.ask(3, 3, 2, { name: "app" })).toEqual({});
      await device.reset();
      expect([...device.settings.keys()].sort()).toEqual(["app/long", "app/new"]);
      expect(await client.ask(63, 0, 2)).toEqual({});
      expect(device.settings.size).toBe(0);
    });
  });

  test("shell and enumeration", async () => {
    const shell = (line: string) => (line === "led on" ? { output: "on\r\n", result: 7 } : undefined);
    await withDevice({ shell, without: ["files", "statistics"] }, async (_, client) => {
      expect(await client.ask(9, 0, 2, { argv: ["led", "on"] })).toEqual({ o: "on\r\n", ret: 7 });
      expect(await client.ask(9, 0, 2, { argv: [] })).toEqual({ err: { group: 9, rc: 3 } });
      expect(await client.ask(10, 0, 0)).toEqual({ count: 6 });
      expect(await client.ask(10, 1, 0)).toEqual({ groups: [10, 1, 0, 3, 9, 63] });
      expect(await client.ask(10, 2, 0, { index: 5 })).toEqual({ group: 63, end: true });
      expect(await client.ask(8, 4, 2)).toEqual({ rc: 8 });
    });
  });

  test("groups of one's own", async () => {
    const Led = group("led", {
      id: 64,
      errors: { 2: "NoSuchLed" },
      commands: { blink: command("blink", { id: 3, write: { request: { led: uint() }, response: { said: text() } } }) },
    });
    await withDevice({}, async (device, client) => {
      device.serve(Led, {
        blink: ({ led }) => {
          if (led > 3) throw refuse(Led, 2);
          return { said: `led ${led} blinks` };
        },
      });
      expect(await client.ask(64, 3, 2, { led: 1 })).toEqual({ said: "led 1 blinks" });
      expect(await client.ask(64, 3, 2, { led: 4 })).toEqual({ err: { group: 64, rc: 2 } });
      expect(await client.ask(64, 3, 2, { led: "one" })).toEqual({ rc: 3 });
      expect(await client.ask(10, 3, 0, { groups: [64] })).toEqual({ groups: [{ group: 64, name: "led", handlers: 4 }] });
    });
  });

  test("what a program's own functions throw is theirs: the device goes on", async () => {
    const thrown = await uncaughtDuring(async () => {
      const fail = (): never => {
        throw new TypeError("a fault of the program");
      };
      await withDevice({ shell: fail, statistics: { own: { value: fail } }, mayReset: fail }, async (device, client) => {
        expect(await client.ask(9, 0, 2, { argv: ["x"] })).toEqual({ rc: 1 });
        expect(await client.ask(2, 0, 0, { name: "own" })).toEqual({ rc: 1 });
        expect(await client.ask(0, 5, 2)).toEqual({ rc: 1 });
        device.inject({ kind: "mangle", mangle: fail });
        expect(await client.ask(0, 0, 2, { d: "x" })).toBeUndefined();
        device.on("request", fail)[Symbol.dispose]();
        for (let i = 0; i < 8; i++) expect(await client.ask(0, 0, 2, { d: "x" })).toEqual({ r: "x" });
      });
      await withDevice({ accepts: fail }, async (device) => expect(device.running).toBe("recovery"));
    });
    expect(thrown.length).toBeGreaterThanOrEqual(5);
    for (const error of thrown) expect(error).toBeInstanceOf(TypeError);
  });

  test("options are checked", () => {
    const options = (given: object) => () => new SimulatedMcumgrDevice(given);
    for (const given of [
      { bufsize: 5 },
      { bufSize: 10 },
      { mode: "swap" },
      { images: [] },
      { images: [{ slotSize: 1000 }] },
      { sectorSize: 1.5 },
      { recovery: { buf: 1 } },
      { images: [{ slotSize: 8192, primary: "image" }] },
      { imageCheck: 1 },
      { bootMs: -1 },
      { shell: "sh" },
    ])
      expect(options(given), JSON.stringify(given)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});
