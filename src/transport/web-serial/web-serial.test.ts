/// <reference types="w3c-web-serial" preserve="true" />
import { afterEach, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Hci, type TransportClosed } from "../../hci/index.ts";
import { SimulatedAir } from "../../testing/index.ts";
import { H5Link } from "../h5/link.ts";
import { H4Framer, openWebSerial, requestSerialTransport, type WebSerial, type WebSerialPort } from "../index.ts";

// What a page has fits: the type check is the test.
export const fits = (port: SerialPort, serial: Serial): [WebSerialPort, WebSerial] => [port, serial];

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});
function newClock(): VirtualClock {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  return clock;
}

/** A port as the browser has it: streams while it is open, a new one to read after a fault, closed only when neither is in use. */
class Port implements WebSerialPort {
  readable: ReadableStream<Uint8Array> | null = null;
  writable: WritableStream<Uint8Array> | null = null;
  readonly calls: unknown[] = [];
  readonly sent: string[] = [];
  onSent: (octets: Uint8Array) => void = (octets) => this.sent.push(toHex(octets));
  take: () => Promise<void> = async () => {};
  refusal: Error | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  async open(options: object): Promise<void> {
    this.calls.push(options);
    if (this.refusal) throw this.refusal;
    this.#newReadable();
    this.writable = new WritableStream({
      write: async (octets) => {
        await this.take();
        this.onSent(octets);
      },
    });
  }
  #newReadable(): void {
    this.readable = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
    });
  }
  async close(): Promise<void> {
    this.calls.push("close");
    if (this.readable?.locked || this.writable?.locked) throw new TypeError("Cannot cancel a locked stream");
    this.readable = this.writable = null;
  }
  receive(octets: Uint8Array): void {
    this.#controller.enqueue(octets);
  }
  /** Octets were lost, and the stream with them. */
  fault(): void {
    const controller = this.#controller;
    this.#newReadable();
    controller.error(new DOMException("Parity error", "ParityError"));
  }
  unplug(): void {
    this.readable = null;
    this.#controller.error(new DOMException("The device has been lost.", "NetworkError"));
  }
}

async function opened(options: Parameters<typeof openWebSerial>[1] = {}) {
  const [port, clock] = [new Port(), newClock()];
  const transport = await openWebSerial(port, { clock, ...options });
  const packets: string[] = [];
  const ends: TransportClosed[] = [];
  transport.onPacket = (packet) => packets.push(toHex(packet));
  transport.onClose = (reason) => ends.push(reason);
  return { port, clock, transport, packets, ends };
}

test("a port is opened for H4: hardware flow control, no parity, room for packets; packets pass both ways, however they are cut", async () => {
  const { port, clock, transport, packets } = await opened();
  expect(port.calls).toEqual([
    { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: "none", flowControl: "hardware", bufferSize: 65_536 },
  ]);
  transport.send(fromHex("01091000"));
  port.receive(fromHex("04ff"));
  port.receive(fromHex("01aa04"));
  port.receive(fromHex("ff00"));
  await clock.advance(0);
  expect([port.sent, packets, transport.info.spec]).toEqual([["01091000"], ["04ff01aa", "04ff00"], "serial:"]);
});

test("a port that the program has opened is taken as it is; one whose streams are in use is refused", async () => {
  const port = new Port();
  await port.open({});
  await using transport = await openWebSerial(port, { clock: newClock(), spec: "serial:dongle" });
  expect([port.calls.length, transport.info.spec]).toEqual([1, "serial:dongle"]);
  await expect(openWebSerial(port)).rejects.toThrow("in use (locked)");
});

test("closing waits for what was written, lets go of the streams, and closes the port", async () => {
  const { port, clock, transport, ends } = await opened();
  let go: () => void = () => {};
  port.take = () =>
    new Promise((resolve) => {
      go = resolve;
    });
  transport.send(fromHex("01030c00"));
  const closing = transport[Symbol.asyncDispose]();
  await clock.advance(499);
  go();
  await clock.advance(0);
  await closing;
  expect([port.sent, port.calls.at(-1), port.readable, ends]).toEqual([["01030c00"], "close", null, []]);
});

test("a port that takes nothing, and is never closed, holds the closing for a second and a half", async () => {
  const { port, clock, transport } = await opened();
  port.take = () => new Promise(() => {});
  transport.send(fromHex("01030c00"));
  let isClosed = false;
  void transport[Symbol.asyncDispose]().then(() => {
    isClosed = true;
  });
  await clock.advance(1499);
  expect(isClosed).toBe(false);
  await clock.advance(1);
  expect(isClosed).toBe(true);
});

test("a fault of the line is read on behind; what H4 lost by it is found by a Reset", async () => {
  const { port, clock, packets, ends } = await opened();
  port.receive(fromHex("04ff00"));
  await clock.advance(0);
  port.fault();
  await clock.advance(0);
  port.receive(fromHex("04ff0155"));
  await clock.advance(0);
  expect([packets, ends]).toEqual([["04ff00", "04ff0155"], []]);
  port.fault();
  await clock.advance(0);
  port.receive(fromHex("77"));
  await clock.advance(0);
  expect(port.sent).toEqual(["01030c00"]);
  port.receive(fromHex("040e0401030c00"));
  await clock.advance(0);
  expect(packets.at(-1)).toBe("04100100"); // Hardware Error
});

test("faults without end are the end", async () => {
  const { port, clock, ends } = await opened();
  for (let i = 0; i < 64; i++) {
    port.fault();
    await clock.advance(0);
  }
  expect(ends).toEqual([]);
  port.fault();
  await clock.advance(0);
  expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", cause: { name: "ParityError" } }]);
});

test("a port that is pulled out is TransportClosed", async () => {
  const { port, clock, ends, transport } = await opened();
  port.unplug();
  await clock.advance(0);
  expect(ends).toMatchObject([{ code: "ERR_TRANSPORT_CLOSED", cause: { name: "NetworkError" } }]);
  expect(ends[0]!.message).toBe('transport "serial:" is gone: The device has been lost.');
  expect(transport.writable).toBe(false);
});

test("a queue that is long is told, and that it is short again; what nobody takes is left with the browser", async () => {
  const { port, clock, transport } = await opened();
  const goes: (() => void)[] = [];
  port.take = () => new Promise((resolve) => goes.push(resolve));
  let told = 0;
  transport.onWritable = () => told++;
  const packet = new Uint8Array(9000).fill(1);
  transport.send(packet);
  expect(transport.writable).toBe(true);
  transport.send(packet);
  expect(transport.writable).toBe(false);
  for (let i = 0; i < 4; i++) {
    goes.shift()?.();
    await clock.advance(0);
  }
  expect([told, transport.writable]).toEqual([1, true]);
  transport.onPacket = undefined;
  for (let i = 0; i < 1100; i++) port.receive(fromHex("04ff00"));
  await clock.advance(0);
  let taken = 0;
  transport.onPacket = () => taken++;
  await clock.advance(0);
  expect(taken).toBe(1100);
});

test("by H5 it opens when the other side answers, with even parity and without flow control", async () => {
  const [port, clock] = [new Port(), newClock()];
  const link = new H5Link({
    clock,
    role: "controller",
    write: (octets: Uint8Array) => port.receive(octets),
    onPacket: (packet: Uint8Array) => got.push(toHex(packet)),
    onActive: () => {},
    onPeerReset: () => {},
    onSilent: () => {},
    onWritable: () => {},
    onFault: () => {},
  } as never);
  const got: string[] = [];
  port.onSent = (octets) => link.receive(octets);
  const opening = openWebSerial(port, { clock, framing: "h5", baudRate: 921_600 });
  link.start();
  await clock.advance(1000);
  const transport = await opening;
  expect(port.calls[0]).toMatchObject({ baudRate: 921_600, parity: "even", flowControl: "none" });
  transport.send(fromHex("01030c00"));
  await clock.advance(100);
  expect(got).toEqual(["01030c00"]);
});

test.each([
  [new DOMException("Failed to open serial port.", "NetworkError"), "busy"],
  [new TypeError("bufferSize"), "io"],
])("a port that does not open (%s) is one sentence", async (refusal, reason) => {
  const port = new Port();
  port.refusal = refusal;
  await expect(openWebSerial(port)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason, cause: refusal });
});

test("a signal gives it up, and what opens later is closed", async () => {
  const [port, clock, abort] = [new Port(), newClock(), new AbortController()];
  let go: () => void = () => {};
  const open = port.open.bind(port);
  port.open = async (options) => {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    await open(options);
  };
  const opening = openWebSerial(port, { clock, signal: abort.signal }).catch((error: unknown) => error);
  abort.abort(new Error("enough"));
  expect(await opening).toMatchObject({ message: "enough" });
  go();
  await clock.advance(0);
  expect([port.calls.at(-1), port.readable]).toEqual(["close", null]);
});

test.each([
  [{}, {}, "expected a SerialPort"],
  [new Port(), { baudRate: 0 }, "baudRate"],
  [new Port(), { flowControl: "software" }, "flowControl"],
  [new Port(), { framing: "h6" }, "framing"],
  [new Port(), { parity: "mark" }, "parity"],
  [new Port(), { baud: 1 }, 'unknown option "baud"'],
])("openWebSerial(%o, %o) is refused", async (port, options, text) => {
  await expect(openWebSerial(port as never, options as never)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(text),
  });
});

test("the user chooses the port, from those that are wanted", async () => {
  const port = new Port();
  const asked: unknown[] = [];
  const serial: WebSerial = {
    requestPort: async (options) => {
      asked.push(options);
      return port;
    },
  };
  await using _ = await requestSerialTransport({ serial, clock: newClock(), filters: [{ usbVendorId: 0x1915 }] });
  expect(asked).toEqual([{ filters: [{ usbVendorId: 0x1915 }] }]);
  const refusing = (name: string): WebSerial => ({ requestPort: () => Promise.reject(new DOMException("no", name)) });
  await expect(requestSerialTransport({ serial: refusing("NotFoundError") })).rejects.toMatchObject({
    reason: "refused",
    message: "no serial port was chosen",
    cause: { name: "NotFoundError" },
  });
  await expect(requestSerialTransport({ serial: refusing("SecurityError") })).rejects.toThrow("only while a click is handled");
  await expect(requestSerialTransport({ serial: refusing("Other") })).rejects.toMatchObject({ reason: "io" });
  await expect(requestSerialTransport()).rejects.toMatchObject({ reason: "unsupported" });
  await expect(requestSerialTransport({ serial, filters: 1 as never })).rejects.toThrow("expected a list");
});

test("an Hci opens over it", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const controller = air.addController({});
  const port = new Port();
  const host = controller.transport;
  host.onPacket = (packet) => port.receive(packet);
  const framer = new H4Framer((packet) => host.send(packet.slice()));
  port.onSent = (octets) => framer.push(octets);
  await using hci = await Hci.open(await openWebSerial(port, { clock: air.clock }), { clock: air.clock });
  expect(hci.controller.address.toString()).toBe(controller.address.toString());
});
