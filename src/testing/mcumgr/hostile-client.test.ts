import { describe, expect, test } from "vitest";
import { TestClient } from "../../../test/support/mcumgr-test-client.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { SeededRandom } from "../../core/random.ts";
import { ConsoleLink } from "../../mcumgr/links/console-link.ts";
import { createMemoryLinks } from "../../mcumgr/links/memory.ts";
import { createMemoryPorts } from "../../mcumgr/links/memory-port.ts";
import type { CborMap, CborValue } from "../../mcumgr/protocol/cbor.ts";
import { decodeMessage, encodeMessage } from "../../mcumgr/protocol/message.ts";
import { McumgrRegistry } from "../../mcumgr/protocol/registry.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import { serveOverLine } from "./serve-line.ts";

const KNOWN = new McumgrRegistry().groups.flatMap(({ id, commands }) => Object.values(commands).map((command) => ({ id, command })));
const NAMES = ["name", "off", "data", "len", "sha", "image", "hash", "confirm", "d", "argv", "format", "query", "slot", "datetime", "val"];

/** What a hostile client draws. */
function drawing(seed: number) {
  const random = new SeededRandom(seed, "hostile client");
  const word = new Uint32Array(1);
  const below = (n: number): number => {
    random.fill(new Uint8Array(word.buffer));
    return word[0]! % n;
  };
  const octets = (length: number): Uint8Array => {
    const drawn = new Uint8Array(length);
    random.fill(drawn);
    return drawn;
  };
  const value = (depth = 0): CborValue => {
    const plain: CborValue[] = [
      0,
      1,
      -1,
      32,
      0.5,
      2 ** 53 - 1,
      2n ** 63n,
      true,
      null,
      "",
      "a",
      "/lfs1/x",
      "/lfs1",
      "__proto__",
      "mode",
      Number.NaN,
    ];
    const drawn = below(plain.length + 3);
    if (drawn < plain.length || depth > 3) return plain[drawn % plain.length]!;
    return drawn === plain.length ? octets(below(300)) : drawn === plain.length + 1 ? [value(depth + 1)] : map(depth + 1);
  };
  const map = (depth = 0): CborMap =>
    Object.fromEntries(Array.from({ length: below(6) }, () => [NAMES[below(NAMES.length)]!, value(depth)]));
  const packet = (): Uint8Array => {
    const { id, command } = KNOWN[below(KNOWN.length)]!;
    const header = {
      op: below(4) === 0 ? below(8) : command.op,
      version: below(4) % 3,
      group: id,
      command: command.id,
      sequence: below(256),
    };
    const message = encodeMessage(header, map());
    switch (below(8)) {
      case 0:
        return message.subarray(0, below(message.length));
      case 1:
        return message.with(below(message.length), below(256));
      case 2:
        return octets(below(3000));
      default:
        return message;
    }
  };
  return { below, packet };
}

describe("whatever a client sends", () => {
  test("the device answers or is silent, throws nothing, and goes on", async () => {
    for (let seed = 0; seed < 3; seed++) {
      const clock = new VirtualClock();
      const { below, packet } = drawing(seed);
      const files = { "/lfs1/x": new Uint8Array(500) };
      const device = new SimulatedMcumgrDevice({
        clock,
        sectorSize: 256,
        images: [{ slotSize: 8192 }],
        files,
        startInRecovery: seed === 2,
      });
      const { client, server } = createMemoryLinks({ clock });
      device.attach(server, { survivesReset: true });
      client.onMessage = (answer) => void decodeMessage(answer); // throws what is no message
      const uncaught = await uncaughtDuring(async () => {
        for (let i = 0; i < 60; i++) {
          await client.send(packet());
          if (below(4) === 0) await clock.advance(below(20));
        }
        await clock.advance(60_000);
      });
      expect(uncaught, `seed ${seed}`).toEqual([]);
      expect(device.counters.peakBuffers).toBeLessThanOrEqual(5);
      expect(await new TestClient(device, clock).ask(1, 0, 0)).toHaveProperty("images");
      await device[Symbol.asyncDispose]();
    }
  });

  test("files and settings without end: the memory is full, and says so", async () => {
    const clock = new VirtualClock();
    const files = Object.fromEntries(Array.from({ length: 1020 }, (_, i) => [`/lfs1/${i}`, new Uint8Array(0)]));
    await using device = new SimulatedMcumgrDevice({ clock, files, settings: { "app/a": Uint8Array.of(1) } });
    const client = new TestClient(device, clock);
    let refused: CborMap | undefined;
    for (let i = 1020; i < 1030; i++) refused = await client.ask(8, 0, 2, { off: 0, len: 0, name: `/lfs1/${i}`, data: new Uint8Array(0) });
    expect([device.files.size, refused]).toEqual([1024, { err: { group: 8, rc: 5 } }]);
    expect(await client.ask(8, 0, 2, { off: 0, len: 0, name: "/lfs1/7", data: new Uint8Array(0) })).toEqual({ off: 0 });
    const val = new Uint8Array(2000);
    for (let i = 0; i < 40; i++) refused = await client.ask(3, 0, 2, { name: `app/${i}`, val });
    expect(refused).toEqual({ err: { group: 3, rc: 1 } });
    expect(await client.ask(3, 0, 2, { name: "app/3", val })).toEqual({}); // in place of the one that is there
  });

  test("one that does not read what it asked for holds up nobody else for long", async () => {
    const clock = new VirtualClock();
    await using device = new SimulatedMcumgrDevice({ clock });
    const { client, server } = createMemoryLinks({ clock });
    server.send = ({ length }, { timeoutMs = Number.POSITIVE_INFINITY } = {}) =>
      new Promise(
        (_, reject) => void (length > 0 && timeoutMs < 1e9 && clock.setTimer(timeoutMs, "stuck", () => reject(new Error("stuck")))),
      );
    device.attach(server);
    await client.send(encodeMessage({ op: 2, group: 0, command: 0, sequence: 1 }, { d: "x" }));
    expect(await new TestClient(device, clock).ask(0, 0, 2, { d: "y" })).toEqual({ r: "y" });
  });

  test("a clock is set as far as a server takes it", async () => {
    const clock = new VirtualClock();
    await using device = new SimulatedMcumgrDevice({ clock });
    const client = new TestClient(device, clock);
    expect(await client.ask(0, 4, 2, { datetime: "2026-01-02T03:04:05.123456+00:00" })).toEqual({ rc: 3 }); // 32 characters
    expect(await client.ask(0, 4, 2, { datetime: "11900-01-01T00:00:00" })).toEqual({ rc: 3 });
    expect(await client.ask(0, 4, 2, { datetime: "11899-12-31T23:00:00" })).toEqual({});
    expect((await client.ask(0, 4, 0))?.datetime).toMatch(/^11899-12-31T23:00:00/);
  });
});

test.each([
  [128, 1],
  [131, 1], // its lines are no longer
  [132, 0],
  [256, 0],
])("a line that is longer than a server's buffer is dropped: %i", async (lineLength, answered) => {
  const clock = new VirtualClock();
  await using device = new SimulatedMcumgrDevice({ clock });
  const ports = createMemoryPorts({ clock });
  await using _served = serveOverLine(device, ports.server);
  await using link = new ConsoleLink(ports.client, { clock, lineLength });
  let answers = 0;
  link.onMessage = () => answers++;
  await link.send(encodeMessage({ op: 2, group: 0, command: 0, sequence: 1 }, { d: "x".repeat(200) }));
  await clock.advance(100);
  expect(answers).toBe(answered);
});
