import { expect, test } from "vitest";
import { message } from "../../../test/support/mcumgr-messages.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { MessageAssembler } from "./fragments.ts";
import { createMemoryPorts, type MemoryPortsOptions } from "./memory-port.ts";
import { RawLink, type RawLinkOptions } from "./raw-link.ts";

function links(ports: MemoryPortsOptions = {}, options: RawLinkOptions = {}) {
  const clock = new VirtualClock();
  const line = createMemoryPorts({ clock, ...ports });
  return { clock, line, client: new RawLink(line.client, { clock, ...options }), server: new RawLink(line.server, { clock }) };
}

test("messages cross both ways, whatever pieces the line makes of them", async () => {
  const { clock, client, server } = links({ octetsPerSecond: 10_000 });
  const got: Uint8Array[] = [];
  client.onMessage = (octets) => got.push(octets);
  server.onMessage = (octets) => void server.send(octets);
  const sent = Array.from({ length: 120 }, (_, i) => message(i, 8 + i * 3));
  for (const octets of sent) await client.send(octets);
  await clock.advance(10_000);
  expect(got).toEqual(sent);
});

test("after a loss the line rests until the server has given up its part, and what comes meanwhile is nothing", async () => {
  let isLosing = true;
  const { clock, line, client, server } = links(
    { distort: (octets, to) => (isLosing && to === "server" ? octets.subarray(1) : octets) },
    { silenceMs: 5000 },
  );
  const got: Uint8Array[] = [];
  server.onMessage = (octets) => got.push(octets);
  client.onMessage = (octets) => got.push(octets);
  await client.send(message(1));
  await clock.advance(100);
  isLosing = false;
  client.resynchronise();
  await line.server.write(message(9)); // a late answer, cut or not
  const sentAt = clock.now();
  await client.send(message(2));
  expect(clock.now() - sentAt).toBe(5000);
  await clock.advance(100);
  expect(got).toEqual([message(2)]);
});

test("limits: 384 until the server tells, at most 8192 unless set", () => {
  const { client } = links();
  expect([client.provenLimit, client.messageLimit(undefined)]).toEqual([384, 384]);
  expect([client.messageLimit({ bufSize: 1024, bufCount: 1 }), client.messageLimit({ bufSize: 65_000, bufCount: 1 })]).toEqual([
    1024, 8192,
  ]);
  const set = links({}, { bufSize: 20_000 }).client;
  expect([set.provenLimit, set.messageLimit({ bufSize: 1024, bufCount: 1 })]).toEqual([20_000, 20_000]);
});

test("over the limit is refused; closing rejects what waits, the resting too", async () => {
  const { client } = links({}, { bufSize: 100 });
  await expect(client.send(message(1, 101))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 100 });
  client.resynchronise();
  const resting = expect(client.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await client[Symbol.asyncDispose]();
  await resting;
  expect(() => links({}, { silenceMs: -1 })).toThrow(/silenceMs/);
  expect(() => links({}, { bufSize: 7 })).toThrow(/bufSize/);
});

test("a header that claims more than anybody sends is dropped with what came with it, and the next message is found", () => {
  const clock = new VirtualClock();
  const got: Uint8Array[] = [];
  const dropped: number[] = [];
  const assembler = new MessageAssembler({
    clock,
    limit: 400,
    onMessage: (octets) => got.push(octets),
    onDropped: (count) => dropped.push(count),
  });
  assembler.push(new Uint8Array(50).fill(0xff));
  assembler.push(message(1));
  for (const octet of new Uint8Array(8).fill(0xff)) assembler.push(Uint8Array.of(octet));
  assembler.push(message(2, 400));
  expect(got).toEqual([message(1), message(2, 400)]);
  expect(dropped).toEqual([50, 8]);
});

test("a rest that comes too late does not spoil the next message", async () => {
  const clock = new VirtualClock();
  const got: Uint8Array[] = [];
  const dropped: number[] = [];
  const assembler = new MessageAssembler({
    clock,
    patienceMs: 1000,
    onMessage: (octets) => got.push(octets),
    onDropped: (count) => dropped.push(count),
  });
  assembler.push(message(1).subarray(0, 12));
  await clock.advance(1000);
  assembler.push(message(1).subarray(12));
  assembler.push(message(2).subarray(0, 12));
  await clock.advance(1001);
  assembler.push(message(3));
  expect(got).toEqual([message(1), message(3)]);
  expect(dropped).toEqual([12]);
});

test("a message given away stays as it is, and what is held grows with what comes", () => {
  const clock = new VirtualClock();
  const got: Uint8Array[] = [];
  const dropped: number[] = [];
  const assembler = new MessageAssembler({
    clock,
    onMessage: (octets) => got.push(octets),
    onDropped: (count) => dropped.push(count),
  });
  const long = message(5, 60_000);
  for (let at = 0; at < long.length; at += 100) assembler.push(long.subarray(at, at + 100));
  assembler.push(message(6).subarray(0, 9));
  expect(assembler.pending).toBe(9);
  expect(got).toEqual([long]);
  assembler.reset();
  assembler.reset(); // nothing more to forget
  expect([assembler.pending, dropped]).toEqual([0, [9]]);
});
