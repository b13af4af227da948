import { expect, test } from "vitest";
import { ScriptedController } from "../../test/support/scripted-controller.ts";
import { VirtualClock } from "../async/index.ts";
import { Device } from "../device/index.ts";
import type { HciTransport, TransportClosed } from "../hci/index.ts";
import { createStreamTransport, H4Framer, type StreamTransportOptions } from "./index.ts";

const EVENT = Uint8Array.of(4, 0x0e, 4, 1, 3, 12, 0);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = (): WritableStream<Uint8Array> => new WritableStream({ write: () => new Promise(() => {}) });

/** A stream that a test feeds, and what became of it. */
function source() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const seen = { cancelled: 0, pulls: 0 };
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (own) => {
        controller = own;
      },
      pull: () => void seen.pulls++,
      cancel: () => void seen.cancelled++,
    },
    { highWaterMark: 0 },
  );
  return { readable, controller, seen };
}

/** A stream that keeps what it gets, as fast as a test lets it. */
function sink() {
  const got: number[][] = [];
  const seen = { closed: 0, aborted: 0 };
  let gate: Promise<void> | undefined;
  let open = (): void => {};
  const writable = new WritableStream<Uint8Array>({
    write: async (chunk) => {
      await gate;
      got.push([...chunk]);
    },
    close: () => void seen.closed++,
    abort: () => void seen.aborted++,
  });
  const hold = (): void => {
    gate = new Promise((resolve) => {
      open = resolve;
    });
  };
  return { writable, got, seen, hold, release: () => open() };
}

function open(options: Partial<StreamTransportOptions> = {}) {
  const clock = new VirtualClock({ auto: false });
  const [from, to] = [source(), sink()];
  const transport = createStreamTransport({ readable: from.readable, writable: to.writable, clock, ...options });
  const packets: number[][] = [];
  const ends: TransportClosed[] = [];
  transport.onPacket = (packet) => packets.push([...packet]);
  transport.onClose = (reason) => ends.push(reason);
  return { clock, transport, from, to, packets, ends };
}

test("packets go both ways, however the octets are cut", async () => {
  const { transport, from, to, packets } = open({ spec: "serial:", address: "00:11:22:33:44:55" });
  expect(transport.info).toEqual({ spec: "serial:", address: "00:11:22:33:44:55" });
  expect(transport.writable).toBe(true);
  transport.send(Uint8Array.of(1, 3, 12, 0));
  transport.send(EVENT);
  for (const octet of EVENT) from.controller.enqueue(Uint8Array.of(octet));
  from.controller.enqueue(Uint8Array.of(...EVENT, ...EVENT));
  await turn();
  expect(packets).toEqual([[...EVENT], [...EVENT], [...EVENT]]);
  expect(to.got).toEqual([[1, 3, 12, 0], [...EVENT]]);
  await transport[Symbol.asyncDispose]();
});

test("chunks of a Node stream and bare buffers are octets too; a packet is a plain Uint8Array", async () => {
  const { transport, from, packets, ends } = open();
  let kind: unknown;
  transport.onPacket = (packet) => {
    kind = packet.constructor;
    packets.push([...packet]);
  };
  from.controller.enqueue(Buffer.from(EVENT));
  await turn();
  expect(kind).toBe(Uint8Array);
  from.controller.enqueue(EVENT.buffer.slice(0) as unknown as Uint8Array);
  await turn();
  expect(packets).toHaveLength(2);
  from.controller.enqueue("text" as unknown as Uint8Array);
  await turn();
  expect(ends).toMatchObject([{ message: 'transport "stream:" failed: the stream gave a string, expected octets' }]);
});

test("a device runs over a pair of streams", async () => {
  const controller = new ScriptedController();
  const [up, down] = [new TransformStream<Uint8Array, Uint8Array>(), new TransformStream<Uint8Array, Uint8Array>()];
  const far = createStreamTransport({ readable: down.readable, writable: up.writable });
  far.onPacket = (packet) => controller.transport.send(packet);
  controller.transport.onPacket = (packet) => far.send(packet);
  const device = await Device.open(createStreamTransport({ readable: up.readable, writable: down.writable }));
  expect(device.identity.toString()).toBe("00:11:22:33:44:55/public");
  await device.close();
  expect(controller.commands.at(-1)).toBe("Reset");
  await far[Symbol.asyncDispose]();
});

test.each<[string, (opened: ReturnType<typeof open>) => unknown, object]>([
  ["the other side closes", ({ from }) => from.controller.close(), { message: 'transport "stream:" was closed by the other side' }],
  [
    "reading fails",
    ({ from }) => from.controller.error(new Error("unplugged")),
    { message: 'transport "stream:" failed: unplugged', cause: { message: "unplugged" } },
  ],
  [
    "the peer does not speak H4",
    ({ from }) => from.controller.enqueue(Uint8Array.of(0x48)),
    { message: 'transport "stream:" ended: the peer does not speak H4', cause: { code: "ERR_DECODE" } },
  ],
])("it ends once when %s, and gives both streams back", async (_name, act, reason) => {
  const opened = open();
  const { transport, to, ends, clock } = opened;
  await act(opened);
  await turn();
  expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", ...reason }]);
  expect(transport.writable).toBe(false);
  transport.send(EVENT);
  await turn();
  expect([to.got, to.seen.closed, clock.pending]).toEqual([[], 1, []]);
  await transport[Symbol.asyncDispose]();
  expect(ends).toHaveLength(1);
});

test("it ends when writing fails, at once or between packets", async () => {
  const broken = new Error("broken pipe");
  const first = open({
    writable: new WritableStream({
      write: () => {
        throw broken;
      },
    }),
  });
  first.transport.send(EVENT);
  await turn();
  expect(first.ends).toMatchObject([{ message: 'transport "stream:" failed: broken pipe', cause: broken }]);
  expect(first.from.seen.cancelled).toBe(1);
  let fail!: (error: Error) => void;
  const second = open({
    writable: new WritableStream({
      start: (controller) => {
        fail = (error) => controller.error(error);
      },
    }),
  });
  fail(broken);
  await turn();
  expect(second.ends).toMatchObject([{ cause: broken }]);
});

test("a stream that is full makes it unwritable, and tells when there is room again", async () => {
  const { transport, to } = open();
  let told = 0;
  transport.onWritable = () => told++;
  to.hold();
  transport.send(EVENT);
  transport.send(EVENT);
  await turn();
  expect([transport.writable, told]).toEqual([false, 0]);
  to.release();
  await turn();
  expect([transport.writable, told, to.got.length]).toEqual([true, 1, 2]);
});

test("a stream that takes nothing ends it before it grows for ever", () => {
  const { transport, ends } = open({ writable: never() });
  const packet = new Uint8Array(5 + 65_535);
  for (let i = 0; i < 255; i++) transport.send(packet);
  expect(ends).toEqual([]);
  for (let i = 0; i < 5; i++) transport.send(packet);
  expect(ends).toMatchObject([{ message: 'transport "stream:" ended: the other side does not read' }]);
});

test("a host that does not take what is read keeps the stream waiting", async () => {
  const { transport, from, packets } = open();
  const handler = transport.onPacket!;
  transport.onPacket = undefined;
  const many = new Uint8Array(EVENT.length * 1100);
  for (let i = 0; i < 1100; i++) many.set(EVENT, i * EVENT.length);
  from.controller.enqueue(many);
  await turn();
  const { pulls } = from.seen;
  from.controller.enqueue(EVENT);
  await turn();
  expect(from.seen.pulls).toBe(pulls); // nothing more was asked for
  transport.onPacket = handler;
  await turn();
  expect(packets).toHaveLength(1101);
});

test("what was sent right before closing still arrives; closing tells nobody and frees both streams", async () => {
  const { transport, from, to, ends, clock } = open();
  transport.send(EVENT);
  await transport[Symbol.asyncDispose]();
  await transport[Symbol.asyncDispose]();
  expect([to.got, to.seen.closed, from.seen.cancelled, ends, clock.pending]).toEqual([[[...EVENT]], 1, 1, [], []]);
});

test("closing waits half a second at most for a stream that takes nothing", async () => {
  const { transport, clock } = open({ writable: never() });
  transport.send(EVENT);
  let closed = false;
  const closing = (async () => {
    await transport[Symbol.asyncDispose]();
    closed = true;
  })();
  await clock.advance(499);
  expect(closed).toBe(false);
  await clock.advance(1);
  await closing;
  expect(clock.pending).toEqual([]);
});

test.each<[string, unknown, string]>([
  ["nothing", undefined, "readable: expected a ReadableStream, got undefined"],
  ["a number", 5, "expected an object of options, got 5"],
  ["no readable", { writable: never() }, "readable: expected a ReadableStream, got undefined"],
  ["no writable", { readable: source().readable, writable: "x" }, "writable: expected a WritableStream, got a string"],
  ["a mistyped option", { readable: source().readable, writable: never(), specs: "" }, 'unknown option "specs", did you mean "spec"?'],
  ["a name that is none", { readable: source().readable, writable: never(), spec: 5 }, "spec"],
])("it is not made of %s", (_name, options, message) => {
  expect(() => createStreamTransport(options as StreamTransportOptions)).toThrow(message);
});

test("it is not made of streams that are in use", () => {
  const { readable } = source();
  const reader = readable.getReader();
  expect(() => createStreamTransport({ readable, writable: never() })).toThrow("readable: the stream is in use");
  reader.releaseLock();
  const writable = never();
  writable.getWriter();
  expect(() => createStreamTransport({ readable, writable })).toThrow("writable: the stream is in use");
});

test("the framer takes octets and a function, and nothing else", () => {
  expect(() => new H4Framer(undefined as never)).toThrow("H4Framer: expected a function, got undefined");
  const framer = new H4Framer(() => {});
  expect(() => framer.push("04" as never)).toThrow("expected a Uint8Array, got a string");
});

test("an end of a stream reaches a host that is set later", async () => {
  const { readable, controller } = source();
  const transport: HciTransport = createStreamTransport({ readable, writable: never(), clock: new VirtualClock({ auto: false }) });
  controller.enqueue(EVENT);
  controller.close();
  await turn();
  const seen: string[] = [];
  transport.onPacket = () => seen.push("packet");
  transport.onClose = () => seen.push("end");
  expect(seen).toEqual(["packet", "end"]);
});
