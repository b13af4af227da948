import { expect, test } from "vitest";
import { concat } from "../../bytes/index.ts";
import { SimulatedAir } from "../../testing/index.ts";
import { documentService, nordicUart, openUart, serveUart, simulateUart, type UartPort } from "../index.ts";

const octets = (length: number, seed = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 0xff);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function takeAll(port: UartPort, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let got = 0; got < length; ) {
    const part = await port.take();
    parts.push(part);
    got += part.length;
  }
  return concat(...parts);
}

async function line(world: SimulatedAir, options: { capacity?: number } = {}) {
  const { central, peripheral } = await world.connectedPair();
  const server = serveUart(peripheral.device, options);
  const port = await openUart(central.connection, options);
  return { central, peripheral, server, port, far: await server.take({ timeoutMs: 1000 }) };
}

test("octets go both ways, in order, longer than any packet", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far } = await line(world);
  const [there, back] = [octets(5000), octets(4000, 5)];
  const sending = Promise.all([port.write(there), far.write(back)]);
  expect(await takeAll(far, there.length)).toEqual(there);
  expect(await takeAll(port, back.length)).toEqual(back);
  await sending;
  expect([port.buffered, far.buffered]).toEqual([0, 0]);
});

test("writes that nobody awaits do not mix", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far } = await line(world);
  const buffer = octets(300);
  const writes = [port.write(buffer), port.write(octets(300, 1))];
  const first = octets(300);
  buffer.fill(0); // it is the caller's again
  expect(await takeAll(far, 600)).toEqual(concat(first, octets(300, 1)));
  await Promise.all(writes);
});

test("a reader that takes nothing holds the writer back, and nothing is lost", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far } = await line(world, { capacity: 16_384 });
  const sent = octets(30_000);
  let isSent = false;
  const writing = port.write(sent).then(() => {
    isSent = true;
  });
  await world.advance(10_000);
  expect(isSent).toBe(false);
  expect(far.buffered).toBeGreaterThan(8192);
  expect(far.buffered).toBeLessThan(16_384);
  expect(await takeAll(far, sent.length)).toEqual(sent);
  await writing;
});

test("a reader that takes nothing for half a minute ends the line", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far } = await line(world, { capacity: 4096 });
  await expect(port.write(octets(30_000))).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(ATT|STATE)$/) });
  expect(port.isOpen).toBe(false);
  await expect(port.write(octets(1))).rejects.toThrow();
  expect(far.buffered).toBeLessThanOrEqual(4096);
});

test("a central that is too far behind loses the line, and is told so after what it has", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far } = await line(world, { capacity: 1024 });
  await far.write(octets(2000)).catch(() => undefined); // it may be told already
  await world.advance(1000);
  expect(port.isOpen).toBe(false);
  const kept: Uint8Array[] = [];
  await expect(
    (async () => {
      for await (const part of port) kept.push(part);
    })(),
  ).rejects.toMatchObject({ code: "ERR_STATE", message: expect.stringMatching(/1024 octets behind/) });
  expect(concat(...kept)).toEqual(octets(2000).subarray(0, concat(...kept).length));
});

test("a lost link ends both, after what has come", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { central, port, far, server } = await line(world);
  await port.write(text("last words"));
  await world.advance(500);
  await central.connection.disconnect();
  await world.advance(1000);
  expect(await far.take()).toEqual(text("last words"));
  await expect(far.take()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(port.take()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(port.write(text("x"))).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(far.write(text("x"))).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await server[Symbol.asyncDispose]();
});

test("closing one end: the peripheral is told, and a new port can be had on the same link", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { central, peripheral, port, far, server } = await line(world);
  await port[Symbol.asyncDispose]();
  await world.advance(500);
  expect(far.isOpen).toBe(false);
  await expect(far.write(text("x"))).rejects.toMatchObject({ code: "ERR_STATE" });
  await expect(far.take()).rejects.toMatchObject({ code: "ERR_STATE" });
  const again = await openUart(central.connection);
  const farAgain = await server.take();
  await again.write(text("hello"));
  expect(await farAgain.take()).toEqual(text("hello"));
  await server[Symbol.asyncDispose]();
  expect(farAgain.isOpen).toBe(false);
  await expect(server.take()).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(peripheral.device.gattServer.service(nordicUart.uuid)).toBeUndefined();
});

test("a device that is closed ends who waits for a line", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const device = await world.device();
  const server = serveUart(device);
  const waiting = expect(server.take()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await device.close();
  await waiting;
});

test("time limits: what comes later is for the next call", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const { port, far, server } = await line(world);
  await expect(port.take({ timeoutMs: 50 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await expect(server.take({ timeoutMs: 50 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await far.write(text("late"));
  expect(await port.take()).toEqual(text("late"));
  const stop = new AbortController();
  const taking = port.take({ signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(taking).rejects.toThrow("enough");
  await port.write(new Uint8Array(0));
  await expect(port.write("text" as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(() => serveUart(server as never, { capacity: 5 })).toThrow(/capacity/);
});

test("a simulated line says its lines and remembers what it is told", async () => {
  await using world = new SimulatedAir({ seed: 3 });
  const device = await world.device({ name: "uart" });
  const central = await world.device({ name: "central" });
  await using running = await simulateUart(["one", "two"]).start(device);
  const found = (await central.scan({ services: [nordicUart.uuid], durationMs: 900 }).next()).value!;
  await using connection = await central.connect(found.address);
  const port = await openUart(connection);
  await port.write(text("AT\r"));
  expect(new TextDecoder().decode(await port.take({ timeoutMs: 3000 }))).toMatch(/^(one|two)\n$/);
  expect(running.writes.map(({ value }) => new TextDecoder().decode(value as Uint8Array))).toEqual(["AT\r"]);
});

test("docs/profiles has the page of Nordic UART", async () => {
  await expect(documentService(nordicUart)).toMatchFileSnapshot("../../../docs/profiles/nordic-uart.md");
});
