import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { leaveOut } from "../../test/support/left-out.ts";
import { message } from "../../test/support/mcumgr-messages.ts";
import { delay, VirtualClock } from "../async/index.ts";
import { encodeConsoleFrame } from "../mcumgr/links/console-framing.ts";
import { ConsoleLink } from "../mcumgr/links/console-link.ts";
import type { McumgrLink } from "../mcumgr/links/link.ts";
import { type CreateSerialStream, loadSerialPackages, type SerialStream } from "../transport/lines/serial-packages.ts";
import { createSerialOpener, openSerialLink, openSerialPort, type SerialLinkOptions } from "./mcumgr-serial.ts";
import { openPseudoTerminal } from "./pseudo-terminal.ts";

type Callback = (error: Error | null) => void;

/** A port of the packages, as a test wants it. */
class FakeStream implements SerialStream {
  isOpen = false;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly written: Uint8Array[] = [];
  readonly lines: object[] = [];
  takesWrites = true;
  failsLines: boolean | "never" = false;
  readonly #listeners = new Map<string, ((value?: never) => void)[]>();
  readonly #refusal: () => string | undefined;
  #late: Callback | undefined;

  constructor(settings: Readonly<Record<string, unknown>>, refusal: () => string | undefined) {
    this.settings = settings;
    this.#refusal = refusal;
  }
  open(callback: Callback): void {
    const refusal = this.#refusal();
    if (refusal === "silence") this.#late = callback;
    else if (refusal !== undefined) callback(new Error(refusal));
    else {
      this.isOpen = true;
      callback(null);
    }
  }
  /** What was silent opens after all. */
  openLate(): void {
    this.isOpen = true;
    this.#late?.(null);
  }
  close(callback: Callback): void {
    this.isOpen = false;
    callback(null);
    this.emit("close", null);
  }
  set(lines: object, callback: Callback): void {
    this.lines.push(lines);
    if (this.failsLines !== "never") callback(this.failsLines ? new Error("Inappropriate ioctl") : null);
  }
  write(octets: Uint8Array, callback: Callback): boolean {
    this.written.push(octets.slice());
    if (this.takesWrites) queueMicrotask(() => callback(null));
    return true;
  }
  on(event: string, listener: (value: never) => void): unknown {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener as (value?: never) => void]);
    return this;
  }
  emit(event: string, value: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(value as never);
  }
}

function ports(refusal: (attempt: number) => string | undefined = () => undefined) {
  const streams: FakeStream[] = [];
  const create: CreateSerialStream = (settings) => {
    const stream: FakeStream = new FakeStream(settings, () => refusal(streams.length));
    streams.push(stream);
    return stream;
  };
  return { streams, create, clock: new VirtualClock() };
}
const ends = (link: Pick<McumgrLink, "onClose">): Promise<Error & { code: string }> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

test("the options reach the packages by their names", async () => {
  const { streams, create, clock } = ports();
  await openSerialPort({ path: "/dev/x", clock }, create);
  await openSerialPort(
    {
      path: "COM3",
      baudRate: 1_000_000,
      dataBits: 7,
      parity: "even",
      stopBits: 2,
      rtscts: true,
      xonxoff: true,
      exclusive: false,
      interByteTimeoutMs: 150,
      dtr: false,
      clock,
    },
    create,
  );
  const plain = {
    path: "/dev/x",
    baudRate: 115_200,
    dataBits: 8,
    parity: "none",
    stopBits: 1,
    rtscts: false,
    xon: false,
    xoff: false,
    lock: true,
  };
  expect(streams.map(({ settings }) => settings)).toEqual([
    plain,
    {
      path: "COM3",
      baudRate: 1_000_000,
      dataBits: 7,
      parity: "even",
      stopBits: 2,
      rtscts: true,
      xon: true,
      xoff: true,
      lock: false,
      vmin: 255,
      vtime: 2,
    },
  ]);
  expect(streams.map(({ lines }) => lines)).toEqual([[], [{ dtr: false }]]);
});

test.each<[SerialLinkOptions["framing"], (octets: Uint8Array) => Uint8Array[]]>([
  ["console", (octets) => encodeConsoleFrame(octets)],
  ["raw", (octets) => [octets]],
])("messages by %s framing, both ways", async (framing, encode) => {
  const { streams, create, clock } = ports();
  const said: string[] = [];
  const open = createSerialOpener(
    { path: "/dev/x", framing, clock, ...(framing === "console" && { onConsole: (text) => said.push(new TextDecoder().decode(text)) }) },
    create,
  );
  const link = await open();
  expect(link.info).toEqual({ kind: "serial", target: "/dev/x at 115200 baud" });
  const got: Uint8Array[] = [];
  link.onMessage = (octets) => got.push(octets);
  await link.send(message(1, 200));
  const [stream] = streams;
  expect(Buffer.concat(stream!.written)).toEqual(Buffer.concat(encode(message(1, 200))));
  if (framing === "console") stream!.emit("data", Buffer.from("boot\r\n"));
  for (const octets of encode(message(2, 300))) stream!.emit("data", Buffer.from(octets));
  expect(got).toEqual([message(2, 300)]);
  expect(said).toEqual(framing === "console" ? ["boot\r\n"] : []);
});

test("a port that is not there yet is tried again until the time is over, and the refusal is told in one sentence", async () => {
  const { streams, create, clock } = ports((attempt) => (attempt < 4 ? "Error: No such file or directory, cannot open /dev/x" : undefined));
  await openSerialPort({ path: "/dev/x", clock }, create);
  expect([streams.length, clock.now()]).toEqual([4, 750]);
});

test.each([
  ["Error: No such file or directory, cannot open /dev/x", "not-found"],
  ["Opening COM9: File not found", "not-found"],
  ["Error: Permission denied, cannot open /dev/x", "permission"],
  ["Opening COM3: Access denied", "permission"],
  ["Error Resource temporarily unavailable Cannot lock port", "busy"],
  ["Error: something else", "io"],
])('"%s" is "%s"', async (text, reason) => {
  const { create, clock } = ports(() => text);
  await expect(openSerialPort({ path: "/dev/x", clock, timeoutMs: 1000 }, create)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason });
  expect(clock.now()).toBe(1000);
});

test("a driver that does not answer, and a caller that leaves; what opens too late is closed", async () => {
  const { streams, create, clock } = ports(() => "silence");
  await expect(openSerialPort({ path: "/dev/x", clock, timeoutMs: 1000 }, create)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  streams[0]!.openLate();
  expect(streams[0]!.isOpen).toBe(false);
  const leaving = new AbortController();
  const opening = expect(openSerialPort({ path: "/dev/x", clock, signal: leaving.signal }, create)).rejects.toBe("enough");
  await delay(clock, 1);
  leaving.abort("enough");
  await opening;
  const refused = ports(() => "no such device");
  const waiting = new AbortController();
  const retrying = expect(openSerialPort({ path: "/dev/x", clock: refused.clock, signal: waiting.signal }, refused.create)).rejects.toBe(
    "enough",
  );
  await delay(refused.clock, 300);
  waiting.abort("enough");
  await retrying;
});

test.each([[true], ["never"] as const])("lines that cannot be set (%s): the port is closed again", async (failsLines) => {
  const { create, clock, streams } = ports();
  const failing: CreateSerialStream = (settings) => {
    const stream = create(settings) as FakeStream;
    stream.failsLines = failsLines;
    return stream;
  };
  await expect(openSerialPort({ path: "/dev/x", dtr: true, clock, timeoutMs: 500 }, failing)).rejects.toMatchObject(
    failsLines === true ? { reason: "io" } : { code: "ERR_TIMEOUT" },
  );
  expect(streams.every(({ isOpen }) => !isOpen)).toBe(true);
});

test("a port that vanishes is the end: what is being written is rejected at once", async () => {
  const { streams, create, clock } = ports();
  const link = await createSerialOpener({ path: "/dev/x", clock }, create)();
  streams[0]!.takesWrites = false;
  const end = ends(link);
  const sends = [link.send(message(1)), link.send(message(2))].map((sent) => expect(sent).rejects.toMatchObject({ code: "ERR_CLOSED" }));
  await delay(clock, 1);
  streams[0]!.isOpen = false;
  streams[0]!.emit("close", new Error("bad file descriptor"));
  await Promise.all(sends);
  expect(await end).toMatchObject({ code: "ERR_CLOSED", message: "/dev/x is gone", cause: { message: "bad file descriptor" } });
});

test("a port that takes nothing is given up after the time that was set", async () => {
  const { streams, create, clock } = ports();
  const link = await createSerialOpener({ path: "/dev/x", clock, writeTimeoutMs: 300 }, create)();
  streams[0]!.takesWrites = false;
  const end = ends(link);
  await expect(link.send(message(1))).rejects.toThrow();
  expect(await end).toMatchObject({ code: "ERR_CLOSED", message: "/dev/x at 115200 baud took nothing for 300 ms" });
  expect([streams[0]!.isOpen, clock.now()]).toEqual([false, 300]);
});

test("closing closes the port, once", async () => {
  const { streams, create, clock } = ports();
  const link = await createSerialOpener({ path: "/dev/x", clock }, create)();
  let told = 0;
  link.onClose = () => told++;
  await link[Symbol.asyncDispose]();
  await link[Symbol.asyncDispose]();
  expect([streams[0]!.isOpen, told]).toEqual([false, 0]);
  await expect(link.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("missing packages are one clear sentence", () => {
  const require = (name: string): unknown => {
    throw new Error(`Cannot find module '${name}'`);
  };
  expect(() => loadSerialPackages(require)).toThrow(
    expect.objectContaining({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("npm install @serialport/bindings-cpp @serialport/stream"),
    }),
  );
});

test.each([
  { path: "" },
  { path: "/dev/x", baudRate: 0 },
  { path: "/dev/x", dataBits: 9 },
  { path: "/dev/x", parity: "odd " },
  { path: "/dev/x", stopBits: 3 },
  { path: "/dev/x", rtscts: 1 },
  { path: "/dev/x", framing: "cooked" },
  { path: "/dev/x", lineLength: 7 },
  { path: "/dev/x", sizing: "big" },
  { path: "/dev/x", framing: "raw", silenceMs: -1 },
  { path: "/dev/x", baud: 1 },
  { path: "/dev/x", bufSize: 1024 },
  { path: "/dev/x", framing: "raw", sizing: "auto" },
  undefined,
])("%o is refused before anything is opened", (options) => {
  const { create, streams } = ports();
  expect(() => createSerialOpener(options as unknown as SerialLinkOptions, create)).toThrow(
    expect.objectContaining({ code: "ERR_ARGUMENT" }),
  );
  expect(streams).toEqual([]);
});

const hasTerminals = process.platform === "linux" && existsSync("/dev/ptmx");
if (!hasTerminals) leaveOut("mcumgr over a pseudo-terminal");

test.runIf(hasTerminals)("over a pseudo-terminal, with the packages themselves", async () => {
  const terminal = openPseudoTerminal();
  await using server = new ConsoleLink(terminal, { layout: "server" });
  server.onMessage = (octets) => void server.send(octets);
  const said: string[] = [];
  const text = new Promise<void>((resolve) => {
    said.push = (...parts) => {
      const length = Array.prototype.push.apply(said, parts);
      if (said.join("").includes("ready")) resolve();
      return length;
    };
  });
  await using link = await openSerialLink({ path: terminal.path, onConsole: (octets) => said.push(new TextDecoder().decode(octets)) });
  for (const length of [8, 169, 380, 2044, 30_000]) {
    const answer = new Promise<Uint8Array>((resolve) => {
      link.onMessage = resolve;
    });
    await link.send(message(length & 0xff, length));
    expect(await answer).toEqual(message(length & 0xff, length));
  }
  await server.writeConsole(new TextEncoder().encode("ready\r\n"));
  await text;
  await expect(openSerialLink({ path: terminal.path, timeoutMs: 300 })).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "busy" });
  const end = ends(link);
  await server[Symbol.asyncDispose]();
  expect(await end).toMatchObject({ code: "ERR_CLOSED" });
  await expect(openSerialLink({ path: terminal.path, timeoutMs: 300 })).rejects.toMatchObject({
    code: "ERR_TRANSPORT",
    reason: "not-found",
  });
});

test.runIf(hasTerminals)("what nobody reads is lost, and nobody waits for ever", async () => {
  await using terminal = openPseudoTerminal();
  await terminal.write(new Uint8Array(100_000));
  await using link = await openSerialLink({ path: terminal.path });
  expect(link.info.target).toContain(terminal.path);
});
