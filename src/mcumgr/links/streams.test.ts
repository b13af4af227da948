import { expect, test } from "vitest";
import { turn } from "../../async/turn.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { ConsoleLink } from "./console-link.ts";
import { createStreamPort } from "./streams.ts";

const message = Uint8Array.from({ length: 300 }, (_, i) => i);

function lines() {
  const clock = new VirtualClock();
  const up = new TransformStream<Uint8Array, Uint8Array>();
  const down = new TransformStream<Uint8Array, Uint8Array>();
  const client = createStreamPort({ readable: down.readable, writable: up.writable, target: "the port", clock });
  const server = createStreamPort({ readable: up.readable, writable: down.writable, clock });
  return { clock, client, server, up, down };
}

test("messages cross a pair of streams", async () => {
  const { clock, client, server } = lines();
  const [a, b] = [new ConsoleLink(client, { clock }), new ConsoleLink(server, { clock })];
  expect(a.info).toEqual({ kind: "stream", target: "the port" });
  const back = new Promise<Uint8Array>((resolve) => {
    a.onMessage = resolve;
  });
  b.onMessage = (octets) => void b.send(octets);
  await a.send(message);
  expect(await back).toEqual(message);
});

test("reading begins with the first receiver, and what came before is not lost", async () => {
  const { client, server } = lines();
  expect(client.onOctets).toBeUndefined();
  client.onOctets = undefined;
  const writing = server.write(Uint8Array.of(1, 2));
  await new Promise((resolve) => setImmediate(resolve));
  const receiver = await new Promise<Uint8Array>((resolve) => {
    client.onOctets = resolve;
    expect(client.onOctets).toBe(resolve);
  });
  await writing;
  expect(receiver).toEqual(Uint8Array.of(1, 2));
});

test("a stream that takes nothing keeps the sender waiting; closing rejects it at once", async () => {
  const clock = new VirtualClock();
  const writable = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
  const link = new ConsoleLink(createStreamPort({ readable: new ReadableStream(), writable, clock }), { clock });
  const stuck = expect(link.send(message)).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await turn();
  const closing = link[Symbol.asyncDispose]();
  await stuck;
  await closing; // after half a second of the clock at most
  expect(clock.now()).toBe(500);
});

test("the other side closes, or a stream fails: the link ends with the cause", async () => {
  const closed = lines();
  const ends: string[] = [];
  const first = new ConsoleLink(closed.client, { clock: closed.clock });
  first.onClose = (reason) => ends.push(reason.message);
  await closed.server[Symbol.asyncDispose]();
  await turn();
  expect(ends).toEqual(["the port was closed by the other side"]);

  const failing = createStreamPort({
    readable: new ReadableStream({ start: (controller) => controller.error(new Error("unplugged")) }),
    writable: new WritableStream(),
    target: "port 2",
  });
  const second = new ConsoleLink(failing);
  await new Promise<void>((resolve) => {
    second.onClose = (reason) => {
      ends.push(reason.message);
      resolve();
    };
  });
  expect(ends[1]).toBe("port 2 failed: unplugged");
  await expect(second.send(message)).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("a stream for writing that fails or ends by itself is the end too", async () => {
  const ended = async (act: (controller: WritableStreamDefaultController) => void): Promise<string> => {
    let controller!: WritableStreamDefaultController;
    const writable = new WritableStream<Uint8Array>({
      start: (own) => {
        controller = own;
      },
    });
    const port = createStreamPort({ readable: new ReadableStream(), writable, target: "the port" });
    const end = new Promise<string>((resolve) => {
      port.onClose = (reason) => resolve(reason.message);
    });
    act(controller);
    return await end;
  };
  expect(await ended((controller) => controller.error(new Error("unplugged")))).toBe("the port failed: unplugged");
});

test("closing lets go of the streams, so that the port behind them can be closed", async () => {
  const { client, up, down } = lines();
  client.onOctets = () => {};
  await client[Symbol.asyncDispose]();
  expect([up.writable.locked, down.readable.locked]).toEqual([false, false]);
});

test("whoever closes the port is not told of the end, and reads nothing more", async () => {
  const { client, server } = lines();
  let told = 0;
  let got = 0;
  client.onClose = () => told++;
  client.onOctets = () => got++;
  client.onOctets = undefined;
  expect(client.onOctets).toBeUndefined();
  client.onOctets = () => got++; // one reader, however often it is set
  await server.write(message);
  await turn();
  expect(got).toBe(1);
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await turn();
  expect([told, got]).toEqual([0, 1]);
});

test("the end is told once, also to who asks late", async () => {
  const { client, server } = lines();
  client.onOctets = () => {};
  await server[Symbol.asyncDispose]();
  await turn();
  let told = 0;
  client.onClose = () => told++;
  client.onClose = () => told++;
  expect(told).toBe(1);
});

test("a stream of something else than octets is the end, a view of a Buffer is not", async () => {
  const got: Uint8Array[] = [];
  const port = createStreamPort({
    readable: new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(Buffer.from("ab"));
        controller.enqueue("text" as unknown as Uint8Array);
      },
    }),
    writable: new WritableStream(),
  });
  const ended = new Promise<Error>((resolve) => {
    port.onClose = resolve;
  });
  port.onOctets = (octets) => got.push(octets);
  expect((await ended).message).toMatch(/expected octets/);
  expect(got).toEqual([Uint8Array.of(0x61, 0x62)]);
  expect(got[0]!.constructor).toBe(Uint8Array);
});

test("streams in use and no streams are refused", () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  readable.getReader();
  expect(() => createStreamPort({ readable, writable })).toThrow(/readable: the stream is in use/);
  expect(() => createStreamPort({ readable: {} as ReadableStream<Uint8Array>, writable })).toThrow(/expected a ReadableStream/);
});
