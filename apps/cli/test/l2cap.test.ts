import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "jelling/core";
import { serveController } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Population } from "../src/population.ts";
import { main } from "../src/run.ts";
import { type FakeIo, type FakeIoOptions, fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

const ECHO = "C0:4A:65:6C:6C:04/random";
/** Of the first controller that a population hands out. */
const LISTENER = "02:4A:65:6C:00:01/public";

let folder: string;
const clock = new FastClock();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => {
  clock[Symbol.dispose]();
  return rm(folder, { recursive: true });
});

const env = { JELLING_TRANSPORT: "sim:" };
const started = (commandLine: string, options: FakeIoOptions = {}): { io: FakeIo; done: Promise<number> } => {
  const io = fakeIo({ clock, ...options, env: { XDG_STATE_HOME: folder, ...env, ...options.env } });
  return { io, done: main(["l2cap", ...commandLine.split(" ")], io) };
};
const run = (commandLine: string, options: FakeIoOptions = {}) =>
  jelling(`l2cap ${commandLine}`, { clock, ...options, env: { XDG_STATE_HOME: folder, ...env, ...options.env } });
const objects = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Standard input that a test writes to. */
function typed(): { stdin: AsyncIterable<Uint8Array>; write(text: string): void; end(): void } {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  return {
    stdin: readable as unknown as AsyncIterable<Uint8Array>,
    write: (text) => void writer.write(octets(text)),
    end: () => void writer.close(),
  };
}

/** Two controllers in one air, served over TCP as `jelling sim` does it, for commands as of two processes. */
async function served(): Promise<{ specs: string[]; remove(index: number): void } & AsyncDisposable> {
  const population = new Population({ clock, logger: Logger.silent, folder, tell: () => {} });
  const servers: AsyncDisposable[] = [];
  const specs: string[] = [];
  const controllers = [population.addController(), population.addController()];
  for (const controller of controllers) {
    const server = await serveController(controller, "tcp:127.0.0.1:0", {});
    servers.push(server);
    specs.push(server.spec);
  }
  return {
    specs,
    remove: (index) => controllers[index]!.remove(),
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await population[Symbol.asyncDispose]();
    },
  };
}

test("standard input goes out and what comes back goes to standard output, longer than an SDU too", async () => {
  const long = "x".repeat(5000);
  const input = typed();
  const { io, done } = started(`connect ${ECHO} --at-end stay`, { stdin: input.stdin });
  input.write("hello ");
  await io.saw("hello ");
  input.write(`${long}.`);
  input.end();
  await io.saw(".");
  expect(io.out.text).toBe(`hello ${long}.`); // nothing but the octets
  expect(io.err.text).toBe(`channel      ${ECHO}  SPSM 0x80, credit; SDUs of 2221 octets out and 2221 in, K-frames of 247 and 247\n`);
  io.stop();
  expect(await done).toBe(130);
  expect(io.listeners).toBe(0);
});

test("behind the end of standard input the rest of an answer is waited for, however long it is", async () => {
  const long = "0123456789".repeat(5000);
  const stdin = (async function* () {
    yield octets(long);
  })();
  const { status, out } = await run(`connect ${ECHO}`, { stdin });
  expect([status, out.length, out === long]).toEqual([0, long.length, true]);
});

test.each([
  ["", 1000],
  [" --linger 5s", 5000],
  [" --linger 20ms", 20],
])("connect%s closes when nothing has come for so long", async (options, ms) => {
  const silent = (async function* (): AsyncGenerator<Uint8Array> {})();
  const { io, done } = started(`connect ${ECHO}${options}`, { stdin: silent });
  await io.saw("channel ", "err");
  const startMs = clock.now();
  expect(await done).toBe(0);
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(ms);
});

test("with --json SDUs are objects; the channel is asked for as the options say", async () => {
  const { io, done } = started(`connect ${ECHO} --json --mode enhanced --mtu 500 --mps 100 --window 1000 --at-end stay`, {
    stdin: (async function* () {
      yield octets("hi");
    })(),
  });
  await io.saw('"sdu"');
  io.stop();
  expect(await done).toBe(130);
  expect(objects(io.out.text)).toEqual([
    {
      event: "opened",
      peer: ECHO,
      spsm: 0x80,
      mode: "enhanced",
      localCid: 0x40,
      remoteCid: 0x40,
      mtu: 500,
      peerMtu: 2221,
      mps: 100,
      peerMps: 247,
    },
    { event: "sdu", octets: 2, value: "6869" },
  ]);
});

test("two commands: what one is given arrives at the other whole, and both end with it", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const listening = started("listen --name Far", { env: { JELLING_TRANSPORT: near } });
  await listening.io.saw("listening ", "err");
  const sent = "0123456789".repeat(1000);
  const connect = await run("connect name:Far", {
    env: { JELLING_TRANSPORT: far },
    stdin: (async function* () {
      yield octets(sent);
    })(),
  });
  expect([connect.status, connect.out]).toEqual([0, ""]);
  expect(await listening.done).toBe(0);
  expect(listening.io.out.text).toBe(sent);
  const peer = "02:4A:65:6C:00:02/public";
  expect(listening.io.err.text.split("\n")).toEqual([
    `listening    ${LISTENER}  Far, SPSM 0x80`,
    expect.stringMatching(`^connected    ${peer}`),
    expect.stringMatching(`^channel      ${peer}  SPSM 0x80, credit; `),
    `closed       ${peer}`,
    ...listening.io.err.text.split("\n").slice(4),
  ]);
});

test("what goes to a listener with --echo comes back whole, and a listener with --at-end close waits for its answer, too", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const sent = "0123456789".repeat(2000);
  const stdin = async function* (): AsyncGenerator<Uint8Array> {
    yield octets(sent);
  };
  const echoing = started("listen --echo --once", { env: { JELLING_TRANSPORT: near } });
  await echoing.io.saw("listening ");
  const piped = await run(`connect ${LISTENER}`, { env: { JELLING_TRANSPORT: far }, stdin: stdin() });
  expect([piped.status, piped.out === sent]).toEqual([0, true]);
  expect(await echoing.done).toBe(0);
  const listening = started("listen --at-end close", { env: { JELLING_TRANSPORT: near }, stdin: stdin() });
  await listening.io.saw("listening ", "err");
  const back = started(`connect ${LISTENER} --echo`, { env: { JELLING_TRANSPORT: far } });
  expect([await listening.done, await back.done]).toEqual([0, 0]);
  expect(listening.io.out.text).toBe(sent);
});

test("measuring tells the rate every second and at the end; an echo at the other side brings both directions", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const echoing = started("listen --echo --once", { env: { JELLING_TRANSPORT: near } });
  await echoing.io.saw("listening ");
  const measuring = started(`connect ${LISTENER} --measure --json --size 100`, { env: { JELLING_TRANSPORT: far } });
  await measuring.io.saw('"rate"');
  measuring.io.stop();
  expect(await measuring.done).toBe(130);
  const told = objects(measuring.io.out.text);
  expect(told[1]).toMatchObject({ event: "rate", seconds: expect.closeTo(1, 1) });
  const last = told.at(-1) as {
    event: string;
    sentOctets: number;
    sentSdus: number;
    receivedOctets: number;
    receivedOctetsPerSecond: number;
  };
  expect(last.event).toBe("measured");
  expect(last.sentOctets).toBe(100 * last.sentSdus);
  expect(last.receivedOctets).toBeGreaterThan(10_000);
  expect(last.sentOctets - last.receivedOctets).toBeLessThan(128 * 247 * 2);
  expect(await echoing.done).toBe(1); // the link is gone without a goodbye to the channel
  expect(echoing.io.err.text).toMatch(
    /\njelling: the link was lost: disconnected: Remote User Terminated Connection \(0x13\)\n$|^jelling: the link was lost: /,
  );
});

test("a measurement of so many SDUs ends by itself, with the sums at both sides", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const listening = started("listen --measure --once --spsm 0xff --mtu 300", { env: { JELLING_TRANSPORT: near } });
  await listening.io.saw("listening ");
  const { status, out } = await run(`connect ${LISTENER} --spsm 0xff --measure --count 20`, { env: { JELLING_TRANSPORT: far } });
  expect(status).toBe(0);
  expect(out).toMatch(
    /^channel .*SDUs of 300 octets out and 2221 in.*\n\d\.\d s in all {2}out +\d+\.\d kB\/s, 20 SDUs of 6\.0 kB; in +0 B\/s, 0 SDUs of 0 B\nclosed .*\n$/,
  );
  expect(await listening.done).toBe(0);
  expect(listening.io.out.text).toMatch(/in +\d+\.\d kB\/s, 20 SDUs of 6\.0 kB\n/);
});

test("a command that ends by its time ends well", async () => {
  expect(await run(`connect ${ECHO} --timeout 1s`)).toMatchObject({ status: 0, out: "" });
  expect(await run("listen --timeout 1s --spsm 0x25")).toMatchObject({ status: 0, out: "" });
});

test("nobody reads any more: quietly, status 0", async () => {
  const { io, done } = started(`connect ${ECHO} --at-end stay`, {
    stdin: (async function* () {
      yield octets("hello");
    })(),
  });
  await io.saw("hello");
  io.stop("output-closed");
  expect(await done).toBe(0);
  expect(io.err.text).not.toContain("jelling: ");
});

test("what a device refuses is one sentence, with the way out where there is one", async () => {
  const no = async (commandLine: string): Promise<[number, string]> => {
    const { status, err } = await run(commandLine);
    return [status, err];
  };
  expect(await no(`connect ${ECHO} --spsm 0x81`)).toEqual([1, "jelling: nothing on the device takes channels of SPSM 0x81\n"]);
  expect(await no(`connect ${ECHO} --security authenticated`)).toEqual([
    1,
    `jelling: the link is not what --security asks for: jelling pair ${ECHO}, or --pair\n`,
  ]);
  for (const [options, sentence] of [
    ["--size 10", "--size is of SDUs of --measure"],
    ["--echo --linger 1s", "--linger is of standard input, which --echo and --measure do not read"],
    ["--at-end stay --linger 1s", "--linger is of --at-end close"],
    ["--measure --size 3000", "--size 3000: the peer takes 2221 octets at most"],
    ["--spsm 0x100", 'SPSM "0x100": expected a whole number from 1 to 255'],
    ["--mode enhanced --mtu 30", "--mtu 30: the enhanced mode has 64 at least; --mode credit takes it"],
    ["--key-size 16", "--key-size: a key is there with --security encrypted or authenticated"],
    ["--echo --measure", "option '-e, --echo' cannot be used with option '-m, --measure'"],
  ] as const)
    expect(await no(`connect ${ECHO} ${options}`)).toEqual([2, `jelling: ${sentence}\n`]);
  expect((await no(`listen --name ${"x".repeat(30)}`))[0]).toBe(2);
});

test("a listener that demands security is told so, and taken with --pair", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const listening = started("listen --security encrypted --key-size 16", {
    env: { JELLING_TRANSPORT: near, XDG_STATE_HOME: join(folder, "near") },
  });
  await listening.io.saw("listening ", "err");
  const at = { JELLING_TRANSPORT: far, XDG_STATE_HOME: join(folder, "far") };
  const refused = await run(`connect ${LISTENER}`, { env: at });
  expect([refused.status, refused.err]).toEqual([
    1,
    `jelling: the device wants to be paired with for this: jelling pair ${LISTENER}, or --pair\n`,
  ]);
  const stdin = (async function* () {
    yield octets("secret");
  })();
  expect(await run(`connect ${LISTENER} --pair`, { env: at, stdin })).toMatchObject({ status: 0 });
  expect(await listening.done).toBe(0);
  expect(listening.io.out.text).toBe("secret");
});

test.each([
  ["is closed by a peer that ends", (io: FakeIo) => io.stop(), 0, /\nclosed {7}02:4A:65:6C:00:01\/public\n/],
  [
    "is lost with the link",
    (_io: FakeIo, remove: (index: number) => void) => remove(0),
    1,
    /\njelling: the link was lost: disconnected: .*\n$/,
  ],
] as const)("a channel that %s, while nothing was to be sent", async (_name, end, status, said) => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  const input = typed();
  const listening = started("listen", { env: { JELLING_TRANSPORT: near } });
  await listening.io.saw("listening ", "err");
  const connected = started(`connect ${LISTENER}`, { env: { JELLING_TRANSPORT: far }, stdin: input.stdin });
  input.write("hello");
  await listening.io.saw("hello");
  end(listening.io, air.remove);
  expect(await connected.done).toBe(status);
  expect(connected.io.err.text).toMatch(said);
  expect(await listening.done).toBe(status === 0 ? 130 : 1);
  expect([connected.io.listeners, listening.io.listeners]).toEqual([0, 0]);
});

test("a channel that the peer closes in the middle of standard input is a failure", async () => {
  await using air = await served();
  const [near, far] = air.specs as [string, string];
  // The listener takes nothing more than its window while nobody reads its output.
  const listening = started("listen --window 500 --mtu 100", { env: { JELLING_TRANSPORT: near } });
  await listening.io.saw("listening ", "err");
  listening.io.stdout.drained = () => new Promise(() => undefined);
  const { write } = listening.io.stdout;
  listening.io.stdout.write = (text) => write(text) && false;
  const connected = started(`connect ${LISTENER}`, {
    env: { JELLING_TRANSPORT: far },
    stdin: (async function* () {
      yield octets("x".repeat(5000));
    })(),
  });
  await listening.io.saw("x");
  listening.io.stop();
  expect(await connected.done).toBe(1);
  expect(connected.io.err.text).toMatch(/\njelling: the peer closed the channel before everything was sent\n$/);
});
