import { request } from "node:http";
import { expect, test } from "vitest";
import { Air } from "../../air/index.ts";
import { SystemClock, VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Controller } from "../../controller/index.ts";
import { Address } from "../../core/index.ts";
import { Hci, type HciTransport } from "../../hci/index.ts";
import { openTransport, serveController } from "../index.ts";
import { platformKinds as pageKinds } from "../kinds-browser.ts";
import { loadWs, watch } from "./node.ts";
import { openPageWs } from "./page.ts";
import { type AnyWebSocket, urlOf, WsTransport } from "./ws-transport.ts";

const clock = new SystemClock();
const newController = () => new Controller({ air: new Air({ clock }), address: Address.from("C0:FF:EE:00:00:02") });
const { WebSocket } = loadWs();

test("a controller is served and opened, by one host after the other; a second one at a time is turned away", async () => {
  await using server = await serveController(newController(), "ws:0");
  expect(server.spec).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/$/);
  for (let host = 0; host < 2; host++) {
    await using hci = await Hci.open(await openTransport(server.spec), { clock });
    expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:02");
    if (host === 0)
      await expect(openTransport(server.spec)).rejects.toMatchObject({
        code: "ERR_TRANSPORT",
        reason: "refused",
        message: expect.stringContaining("503"),
      });
  }
});

test.each([
  [undefined, [], true],
  ["https://example.org", [], false],
  ["https://example.org", ["https://example.org"], true],
  ["https://example.org:8443", ["https://example.org"], false],
  ["null", ["https://example.org"], false],
  ["https://other.example", ["*"], true],
])("a page of %s, where %j have leave", async (origin, origins, isTaken) => {
  await using server = await serveController(newController(), "ws:0", { origins });
  const status = await new Promise<number | undefined>((resolve) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      ...(origin && { origin }),
    };
    const asked = request(server.spec.replace("ws:", "http:"), { headers });
    asked.on("response", (response) => resolve(response.statusCode));
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    asked.end();
  });
  expect(status).toBe(isTaken ? 101 : 403);
});

test("ws-server: waits for a controller, and takes one only", async () => {
  const abort = new AbortController();
  const never = openTransport("ws-server:0", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(never).rejects.toThrow("enough");
  let listening: (port: number) => void = () => {};
  const port = new Promise<number>((resolve) => {
    listening = resolve;
  });
  const opening = openTransport("ws-server:0", { onListening: listening });
  newController().attach(await openTransport(`ws:127.0.0.1:${await port}`));
  await using hci = await Hci.open(await opening, { clock });
  expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:02");
});

test("a server that knows no sub-protocol is taken too", async () => {
  const { WebSocketServer } = loadWs();
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => false }) as unknown as {
    on(event: string, act: (socket: { send(octets: Uint8Array): void }) => void): void;
    address(): { port: number };
    close(): void;
  };
  server.on("connection", (socket) => socket.send(fromHex("04ff00")));
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  await using transport = await openTransport(`ws://127.0.0.1:${server.address().port}/any/path`);
  const packet = await new Promise<Uint8Array>((resolve) => {
    transport.onPacket = resolve;
  });
  expect(toHex(packet)).toBe("04ff00");
  server.close();
});

test("what is no server of WebSockets, or none at all, is one sentence", async () => {
  await expect(openTransport("ws://127.0.0.1:1/")).rejects.toMatchObject({
    reason: "refused",
    message: "nothing listens at ws://127.0.0.1:1/: start the other side first",
  });
  await expect(serveController(newController(), "ws:host")).rejects.toMatchObject({ reason: "unknown-spec" });
  await expect(serveController(newController(), "ws:0", { origins: ["example.org"] })).rejects.toThrow(
    'expected an origin like "https://example.org"',
  );
  expect(() =>
    loadWs(() => {
      throw new Error("Cannot find module");
    }),
  ).toThrow('run "npm install ws"');
});

test.each([
  ["//host:9001/path", "ws://host:9001/path"],
  ["host:9001", "ws://host:9001/"],
  ["//[::1]:9001", "ws://[::1]:9001/"],
])("ws:%s is %s", (rest, url) => expect(urlOf("ws", rest)).toBe(url));

test.each(["", "//", "///x", "host:99999", "//h/#part"])("ws:%s is refused", (rest) => {
  expect(() => urlOf("ws", rest)).toThrow("expected ws://HOST:PORT/PATH");
});

class FakeSocket implements AnyWebSocket {
  binaryType = "blob";
  readyState = 1;
  bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message?: string; error?: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: string[] = [];
  closings = 0;
  pauses = 0;
  send(packet: Uint8Array): void {
    this.sent.push(toHex(packet));
  }
  close(): void {
    this.closings++;
  }
  pause(): void {
    this.pauses++;
  }
}

function fake() {
  const socket = new FakeSocket();
  const virtual = new VirtualClock({ auto: false });
  const transport: HciTransport = new WsTransport(socket, { spec: "ws:test" }, virtual);
  const ends: string[] = [];
  const packets: string[] = [];
  transport.onClose = (reason) => ends.push(reason.message);
  transport.onPacket = (packet) => packets.push(toHex(packet));
  return { socket, virtual, transport, ends, packets };
}

test.each([
  ["text", "04ff00", "ended: a message of text came, which is no HCI packet"],
  ["a part of a packet", fromHex("04ff02aa").buffer, "ended: a message held a part of an HCI packet"],
  ["no packet", fromHex("aa").buffer, "ended: the peer does not speak HCI"],
])("a message with %s ends the transport", (_, data, what) => {
  const { socket, ends } = fake();
  socket.onmessage?.({ data });
  expect(ends).toEqual([`transport "ws:test" ${what}`]);
  expect(socket.closings).toBe(1);
});

test("a queue that is long is told, and that it is short again; one that grows on is the end", async () => {
  const { socket, virtual, transport, ends } = fake();
  let told = 0;
  transport.onWritable = () => told++;
  socket.bufferedAmount = 256 * 1024;
  transport.send(fromHex("01030c00"));
  expect(transport.writable).toBe(false);
  await virtual.advance(100);
  expect(told).toBe(0);
  socket.bufferedAmount = 0;
  await virtual.advance(10);
  expect([told, transport.writable]).toEqual([1, true]);
  socket.bufferedAmount = 16 * 1024 * 1024 + 1;
  transport.send(fromHex("01030c00"));
  expect(ends).toEqual(['transport "ws:test" ended: the other side does not read']);
  virtual[Symbol.dispose]();
});

test("packets that nobody takes stop the reading; a close says why", () => {
  const { socket, transport, ends } = fake();
  transport.onPacket = undefined;
  for (let i = 0; i < 1024; i++) socket.onmessage?.({ data: fromHex("04ff00").buffer });
  expect(socket.pauses).toBe(1);
  transport.onPacket = () => {};
  socket.onclose?.({ code: 1006, reason: "" });
  expect(ends).toEqual(['transport "ws:test" was closed (code 1006)']);
});

test("a peer that gives no sign of life for twice ten seconds is gone; one that answers stays", async () => {
  const virtual = new VirtualClock({ auto: false });
  const listeners = new Map<string, (() => void) | ((error: Error) => void)>();
  let [pings, ends, answers] = [0, 0, true];
  const socket = {
    on: (event: string, listener: (() => void) | ((error: Error) => void)) => listeners.set(event, listener),
    ping: () => {
      pings++;
      if (answers) (listeners.get("pong") as () => void)();
    },
    terminate: () => {
      ends++;
      (listeners.get("close") as () => void)();
    },
  };
  watch(socket, "ws:test", undefined, virtual);
  await virtual.advance(100_000);
  expect([pings, ends]).toEqual([10, 0]);
  answers = false;
  await virtual.advance(20_000);
  expect([pings, ends]).toEqual([11, 1]);
  await virtual.advance(100_000);
  expect([pings, ends]).toEqual([11, 1]);
  virtual[Symbol.dispose]();
});

test("a page opens it by its own WebSocket, and none where there is none", async () => {
  expect(Object.keys(pageKinds)).toEqual(expect.arrayContaining(["ws", "wss"]));
  await using server = await serveController(newController(), "ws:0");
  const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    Object.defineProperty(globalThis, "WebSocket", { configurable: true, value: WebSocket });
    await using hci = await Hci.open(await openPageWs("ws", server.spec.slice(3), {}), { clock });
    expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:02");
    Object.defineProperty(globalThis, "WebSocket", { configurable: true, value: undefined });
    await expect(openPageWs("ws", server.spec.slice(3), {})).rejects.toMatchObject({ reason: "unsupported" });
  } finally {
    if (before) Object.defineProperty(globalThis, "WebSocket", before);
    else Reflect.deleteProperty(globalThis, "WebSocket");
  }
});
