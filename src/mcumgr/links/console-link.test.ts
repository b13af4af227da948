import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { concat } from "../../bytes/hex.ts";
import { SeededRandom } from "../../core/random.ts";
import { ConsoleDecoder, type ConsoleFault, encodeConsoleFrame } from "./console-framing.ts";
import { ConsoleLink, type ConsoleLinkOptions } from "./console-link.ts";
import { createMemoryPorts, type MemoryPortsOptions } from "./memory-port.ts";

const message = (value: number, length = 20): Uint8Array => new Uint8Array(length).fill(value);
const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);

function links(ports: MemoryPortsOptions = {}, options: ConsoleLinkOptions = {}) {
  const clock = new VirtualClock();
  const line = createMemoryPorts({ clock, ...ports });
  const client = new ConsoleLink(line.client, { clock, ...options });
  const server = new ConsoleLink(line.server, { clock, layout: "server" });
  return { clock, line, client, server };
}

test("messages of every length cross both ways, in order", async () => {
  const { clock, client, server } = links();
  const got: Uint8Array[] = [];
  client.onMessage = (octets) => got.push(octets);
  server.onMessage = (octets) => void server.send(octets);
  const sent = Array.from({ length: 300 }, (_, i) => message(i & 0xff, i));
  for (const octets of sent) await client.send(octets);
  await clock.advance(1000);
  expect(got).toEqual(sent);
});

test("what the console says arrives apart, in order and whole, and its lines between those of a message do no harm", async () => {
  const said: string[] = [];
  const { clock, line, client } = links({}, { onConsole: (octets) => said.push(text(octets)) });
  const got: Uint8Array[] = [];
  client.onMessage = (octets) => {
    got.push(octets);
    said.push("<message>");
  };
  const lines = encodeConsoleFrame(message(7, 300), { layout: "server" });
  const encoder = new TextEncoder();
  await line.server.write(encoder.encode("*** Booting ***\r\n"));
  for (const [at, octets] of lines.entries()) await line.server.write(concat(octets, encoder.encode(`[${at}] log\r\n`)));
  await line.server.write(encoder.encode("uart:~$ "));
  await clock.advance(1);
  expect(got).toEqual([message(7, 300)]);
  // The message is whole with its last line, before the log line behind that.
  expect(said.join("")).toBe("*** Booting ***\r\n[0] log\r\n[1] log\r\n[2] log\r\n<message>[3] log\r\nuart:~$ ");
});

test("damage loses the message it is in, and is told", async () => {
  const faults: ConsoleFault[] = [];
  let count = 0;
  const { clock, client, server } = links(
    { distort: (octets, to) => (to === "client" && count++ === 1 ? octets.fill(0x21) : octets) },
    { onFault: (fault) => faults.push(fault) },
  );
  const got: number[] = [];
  client.onMessage = (octets) => got.push(octets[0]!);
  for (const value of [1, 2, 3]) await server.send(message(value, 180));
  await clock.advance(10);
  expect(got).toEqual([2, 3]);
  expect(faults).toEqual(["bad-base64", "orphan-continuation"]);
});

test("writing waits for the line, and messages leave in the order of the calls", async () => {
  const { clock, client, server } = links({ octetsPerSecond: 11_520, buffer: 128 });
  const arrivals: [number, number][] = [];
  server.onMessage = (octets) => arrivals.push([octets[0]!, Math.round(clock.now())]);
  await Promise.all([client.send(message(1, 1000)), client.send(message(2, 8)), client.send(message(3, 8))]);
  expect(clock.now()).toBeGreaterThan(100); // 1378 octets less what the driver took ahead
  await clock.advance(100);
  expect(arrivals.map(([value]) => value)).toEqual([1, 2, 3]);
  const wire = concat(...encodeConsoleFrame(message(1, 1000))).length;
  expect(arrivals[0]![1]).toBe(Math.round((wire / 11_520) * 1000));
});

test("who gives up while waiting sends nothing; who gives up while sending is free at once, and the message goes out whole", async () => {
  const { clock, client, server } = links({ octetsPerSecond: 1000, buffer: 8 });
  const got: number[] = [];
  server.onMessage = (octets) => got.push(octets[0]!);
  const [first, second] = [new AbortController(), new AbortController()];
  const sending = expect(client.send(message(1, 300), { signal: first.signal })).rejects.toBe("first");
  const waiting = expect(client.send(message(2, 300), { signal: second.signal })).rejects.toBe("second");
  const late = expect(client.send(message(3, 300), { timeoutMs: 20 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const last = client.send(message(4, 30));
  await clock.advance(10);
  second.abort("second");
  await waiting;
  first.abort("first");
  await sending;
  await late;
  await last;
  await clock.advance(1000);
  expect(got).toEqual([1, 4]);
});

test("a line that goes rejects what waits at once and tells the reason once", async () => {
  const { line, client } = links({ octetsPerSecond: 100, buffer: 8 });
  const told: string[] = [];
  client.onClose = (reason) => told.push(reason.code);
  const sends = [client.send(message(1, 300)), client.send(message(2))].map((sent) =>
    expect(sent).rejects.toMatchObject({ code: "ERR_CLOSED" }),
  );
  await line.server[Symbol.asyncDispose]();
  await Promise.all(sends);
  await expect(client.send(message(3))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  expect(told).toEqual(["ERR_CLOSED"]);
});

test("closing the link closes the line", async () => {
  const { client, server } = links();
  const told: string[] = [];
  server.onClose = (reason) => told.push(reason.message);
  await client[Symbol.asyncDispose]();
  expect(told).toEqual(["the line was closed by the other side"]);
});

test("who gave up when its turn came is not sent, and the next one is", async () => {
  const { clock, client, server } = links({ octetsPerSecond: 1000, buffer: 8 });
  const got: number[] = [];
  server.onMessage = (octets) => got.push(octets[0]!);
  const leaving = new AbortController();
  const first = client.send(message(1, 100)).then(() => leaving.abort("enough"));
  const second = expect(client.send(message(2, 100), { signal: leaving.signal })).rejects.toBe("enough");
  const third = client.send(message(3, 100));
  await Promise.all([first, second, third]);
  await clock.advance(1000);
  expect(got.filter((value) => value !== 2)).toEqual([1, 3]);
  expect(server.info.kind).toBe("memory");
});

test("too many messages at once are refused instead of kept", async () => {
  const { client } = links({ octetsPerSecond: 1, buffer: 1 });
  const sends = Array.from({ length: 260 }, () => client.send(message(1)));
  const outcomes = Promise.allSettled(sends);
  await expect(sends.at(-1)).rejects.toMatchObject({ code: "ERR_STATE" });
  await client[Symbol.asyncDispose]();
  const codes = (await outcomes).map((outcome) => outcome.status === "rejected" && (outcome.reason as { code: string }).code);
  expect(codes.filter((code) => code === "ERR_STATE")).toHaveLength(3);
  expect(codes.filter((code) => code === "ERR_CLOSED")).toHaveLength(257);
});

test("limits: what the server tells, less length and checksum, and two lines until it has", () => {
  const limits = (options: ConsoleLinkOptions): number[] => {
    const { client } = links({}, options);
    return [client.provenLimit, client.messageLimit(undefined), client.messageLimit({ bufSize: 2048, bufCount: 4 })];
  };
  expect(limits({})).toEqual([169, 169, 2044]);
  expect(limits({ lineLength: 256 })).toEqual([361, 361, 2044]);
  expect(limits({ sizing: { bufSize: 512 } })).toEqual([508, 508, 508]);
  expect(limits({ sizing: { lineBuffers: 8 } })).toEqual([685, 685, 685]);
});

test("a message over a limit that was set is refused, one over what the server tells is not: trying shows", async () => {
  const { client } = links({}, { sizing: { bufSize: 512 } });
  await expect(client.send(message(1, 509))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 508 });
  await client.send(message(1, 508));
  const auto = links();
  await auto.client.send(message(1, 2044));
  await expect(auto.client.send(message(1, 65_534))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 65_533 });
});

test("wrong options are refused", () => {
  for (const options of [
    { lineLength: 7 },
    { sizing: { bufSize: 4 } },
    { sizing: { lineBuffers: 0 } },
    { sizing: "big" },
    { lineLenght: 1 },
  ])
    expect(() => links({}, options as ConsoleLinkOptions)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("typing at the console goes between messages", async () => {
  const { clock, line, client } = links();
  const got: string[] = [];
  line.server.onOctets = (octets) => got.push(text(octets));
  await Promise.all([client.send(message(1)), client.writeConsole(new TextEncoder().encode("help\r\n")), client.send(message(2))]);
  await clock.advance(1);
  expect(got.join("")).toBe(
    [...encodeConsoleFrame(message(1)).map(text), "help\r\n", ...encodeConsoleFrame(message(2)).map(text)].join(""),
  );
});

test("hostile lines: whatever comes, a good message behind it arrives, and nothing is held beyond a line and a frame", () => {
  const random = new SeededRandom(5, "console");
  const pieces = ["\x06\x09", "\x04\x14", "\n", "\r\n", "AAAA", "//8=", "====", "uart:~$ ", "\x06", "\x09", "\x04", "\x00", "\xff", "ABQL"];
  const draw = new Uint8Array(400);
  const good = message(9, 100);
  for (let round = 0; round < 100; round++) {
    random.fill(draw);
    const noise = Array.from(draw, (octet) => pieces[octet % pieces.length]!).join("");
    const got: Uint8Array[] = [];
    const decoder = new ConsoleDecoder({ onMessage: (octets) => got.push(octets) });
    decoder.push(Uint8Array.from(noise, (character) => character.charCodeAt(0)));
    decoder.push(concat(...encodeConsoleFrame(good)));
    expect(got.at(-1)).toEqual(good);
  }
});

test("a line without an end is dropped when no frame could be so long, and the next message is found", () => {
  const faults: ConsoleFault[] = [];
  const got: Uint8Array[] = [];
  const decoder = new ConsoleDecoder({ onMessage: (octets) => got.push(octets), onFault: (fault) => faults.push(fault) });
  decoder.push(Uint8Array.of(6, 9));
  const endless = new Uint8Array(4096).fill(0x41);
  for (let i = 0; i < 100; i++) decoder.push(endless);
  expect(faults).toEqual(["line-too-long"]);
  expect(decoder.isPending).toBe(false);
  decoder.push(concat(...encodeConsoleFrame(message(1))));
  expect(got).toEqual([message(1)]);
});

test("faults and text that nobody listens to do no harm", () => {
  const got: Uint8Array[] = [];
  const decoder = new ConsoleDecoder({ onMessage: (octets) => got.push(octets) });
  const bad = (text: string) => decoder.push(new TextEncoder().encode(text));
  for (const text of [
    "log\n",
    "\u0006\u0009!!!!\n",
    "\u0004\u0014AAAA\n",
    "\u0006\u0009AA==\n",
    "\u0006\u0009AAA\u0006\u0009",
    "\u0006",
    "x",
  ])
    bad(text);
  bad(`\u0006\u0009${"A".repeat(100_000)}\n`);
  decoder.reset();
  for (const line of encodeConsoleFrame(message(9))) decoder.push(line);
  expect([got, decoder.isPending]).toEqual([[message(9)], false]);
});

test("a frame on one line, however long, is taken", () => {
  const got: Uint8Array[] = [];
  const decoder = new ConsoleDecoder({ onMessage: (octets) => got.push(octets) });
  const longest = message(3, 65_533);
  decoder.push(concat(...encodeConsoleFrame(longest, { lineLength: 87_388 })));
  expect(got).toEqual([longest]);
});

test("more than a frame announced, a marker within a line and a first line without room are told apart", () => {
  const faultsOf = (...lines: string[]): ConsoleFault[] => {
    const faults: ConsoleFault[] = [];
    const decoder = new ConsoleDecoder({ onMessage: () => expect.unreachable(), onFault: (fault) => faults.push(fault) });
    for (const line of lines) decoder.push(Uint8Array.from(line, (character) => character.charCodeAt(0)));
    return faults;
  };
  expect(faultsOf("\x06\x09AAMA\n", "\x04\x14AAAAAAAA\n")).toEqual(["overrun"]);
  expect(faultsOf("\x06\x09AAkA\n", "\x04\x14AA\x06\x09AAkA\n")).toEqual(["cut-line"]);
  expect(faultsOf("\x06\x09AA==\n")).toEqual(["short-start"]);
  expect(faultsOf("\x06\x09AA=A\n", "\x06\x09=AAA\n", "\x06\x09A===\n", "\x06\x09AA!A\n")).toEqual(Array(4).fill("bad-base64"));
});

test("after a loss what came of a message is forgotten", async () => {
  const faults: ConsoleFault[] = [];
  const { clock, line, client } = links({}, { onFault: (fault) => faults.push(fault) });
  const got: Uint8Array[] = [];
  client.onMessage = (octets) => got.push(octets);
  const lines = encodeConsoleFrame(message(1, 180));
  await line.server.write(lines[0]!);
  await clock.advance(1);
  client.resynchronise();
  await line.server.write(lines[1]!);
  await clock.advance(1);
  expect([got, faults]).toEqual([[], ["orphan-continuation"]]);
});

test("half a marker within a line is nothing that the console said", () => {
  const decoder = new ConsoleDecoder({ onMessage: () => {}, onText: () => expect.unreachable() });
  decoder.push(Uint8Array.of(6, 9, 0x41, 6));
  decoder.reset();
});

test("closing a line tells the other end, and not the own one", async () => {
  const { line } = links();
  const told: string[] = [];
  line.client.onClose = () => told.push("client");
  line.server.onClose = () => told.push("server");
  await line.client[Symbol.asyncDispose]();
  await line.client[Symbol.asyncDispose]();
  await line.server[Symbol.asyncDispose]();
  expect(told).toEqual(["server"]);
  await expect(line.client.write(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("what was held back as half a marker is text once the decoder is reset", () => {
  const said: string[] = [];
  const decoder = new ConsoleDecoder({ onMessage: () => {}, onText: (octets) => said.push(text(octets)) });
  decoder.push(new TextEncoder().encode("a\x06"));
  decoder.reset();
  expect(said).toEqual(["a", "\x06"]);
});
