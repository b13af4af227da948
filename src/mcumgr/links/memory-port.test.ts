import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { ArgumentError } from "../../core/error.ts";
import { createMemoryPorts, type MemoryPortsOptions } from "./memory-port.ts";

function setUp(options: MemoryPortsOptions = {}) {
  const clock = new VirtualClock();
  const ports = createMemoryPorts({ clock, ...options });
  const arrived: [atMs: number, length: number][] = [];
  const octets: number[] = [];
  ports.server.onOctets = (piece) => {
    arrived.push([clock.now(), piece.length]);
    octets.push(...piece);
  };
  return { clock, ...ports, arrived, octets };
}
const some = (length: number) => Uint8Array.from({ length }, (_, i) => i & 0xff);

test("octets arrive in order, in pieces, at the line's rate and after its delay, both ways", async () => {
  const at = setUp({ octetsPerSecond: 1000, delayMs: 5 });
  const sent = some(150);
  await at.client.write(sent);
  await at.client.write(some(10));
  sent.fill(9);
  await at.clock.advance(1000);
  expect(at.octets).toEqual([...some(150), ...some(10)]);
  expect(at.arrived).toEqual([
    [69, 64],
    [133, 64],
    [155, 22],
    [165, 10],
  ]);
  const back: number[] = [];
  at.client.onOctets = (piece) => back.push(...piece);
  await at.server.write(some(3));
  await at.clock.advance(100);
  expect(back).toEqual([0, 1, 2]);
  expect([at.client.info, at.server.info]).toEqual([
    { kind: "memory", target: "the server at the other end" },
    { kind: "memory", target: "the client at the other end" },
  ]);
});

test("an end takes ahead what its buffer holds, and then waits for room", async () => {
  const at = setUp({ octetsPerSecond: 1000, buffer: 100 });
  await at.client.write(some(100));
  expect(at.clock.now()).toBe(0);
  await at.client.write(some(1)); // 101 wait until the first piece has left
  expect(at.clock.now()).toBe(64);
});

test("what is on its way may be changed, or lost", async () => {
  const to: string[] = [];
  const at = setUp({
    distort: (octets, direction) => {
      to.push(direction);
      return octets[0] === 0 ? new Uint8Array(0) : octets.map((octet) => octet ^ 0xff);
    },
  });
  await at.client.write(Uint8Array.of(0, 1));
  await at.client.write(Uint8Array.of(1, 2));
  await at.server.write(Uint8Array.of(3));
  await at.clock.advance(1);
  expect([at.octets, to]).toEqual([
    [0xfe, 0xfd],
    ["server", "client", "server"],
  ]);
});

describe("the end", () => {
  test("is told to the other side once, also where it asks late, and not to who closes", async () => {
    for (const isLate of [false, true]) {
      const at = setUp();
      const told: string[] = [];
      at.client.onClose = () => told.push("client");
      const listen = () => {
        at.server.onClose = (reason) => told.push(reason.message);
      };
      if (!isLate) listen();
      await at.client[Symbol.asyncDispose]();
      await at.client[Symbol.asyncDispose]();
      if (isLate) listen();
      listen();
      expect(told).toEqual(["the line was closed by the other side"]);
    }
  });

  test("rejects who waits for room, and what is on its way is lost", async () => {
    const at = setUp({ octetsPerSecond: 1, buffer: 10 });
    const waiting = at.client.write(some(20)).catch((error: unknown) => error);
    await at.client[Symbol.asyncDispose]();
    const message = "the server at the other end: the line was closed";
    expect(await waiting).toMatchObject({ code: "ERR_CLOSED", message });
    await expect(at.client.write(some(1))).rejects.toMatchObject({ message });
    await expect(at.server.write(some(1))).rejects.toMatchObject({ message: "the line was closed by the other side" });
    await at.clock.advance(100_000);
    expect([at.arrived, at.clock.pending]).toEqual([[], []]);
  });
});

test.each<[object, string]>([
  [{ octetsPerSecond: 0 }, "octetsPerSecond: expected more than 0, got 0"],
  [{ octetsPerSecond: Number.NaN }, "octetsPerSecond"],
  [{ octetsPerSecond: "9600" }, "octetsPerSecond: expected more than 0, got a string"],
  [{ delayMs: -1 }, "delayMs"],
  [{ buffer: 0 }, "buffer"],
  [{ buffer: 1.5 }, "buffer"],
  [{ distort: 1 }, "distort: expected a function"],
  [{ delay: 1 }, 'did you mean "delayMs"'],
])("%j is refused", (options, message) => {
  expect(() => createMemoryPorts(options)).toThrow(ArgumentError);
  expect(() => createMemoryPorts(options)).toThrow(message);
});
