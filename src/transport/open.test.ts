import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import type { HciTransport } from "../hci/transport.ts";
import { createTransportPair } from "./memory-pipe.ts";
import { openTransport } from "./open.ts";
import type { TransportOptions } from "./types.ts";

test.each([
  [
    "bluetooth:0",
    'transport "bluetooth:0" is not known: expected one of sim:, tcp:HOST:PORT, tcp-server:PORT, unix:/PATH, serial:PORT[@BAUD][,h5], usb:[N|VID:PID|BUS-PORT], pty:[/LINK], ws://HOST:PORT, wss://HOST, ws-server:PORT, hci:N, vhci:',
  ],
  [
    "",
    'transport "" is not known: expected one of sim:, tcp:HOST:PORT, tcp-server:PORT, unix:/PATH, serial:PORT[@BAUD][,h5], usb:[N|VID:PID|BUS-PORT], pty:[/LINK], ws://HOST:PORT, wss://HOST, ws-server:PORT, hci:N, vhci:',
  ],
  ["constructor:", /is not known/],
  ["tcp", 'transport "tcp": expected tcp:HOST:PORT'],
  ["tcp:", 'transport "tcp:": expected tcp:HOST:PORT'],
  ["tcp:host", 'transport "tcp:host": expected tcp:HOST:PORT'],
  ["tcp:9000", 'transport "tcp:9000": expected tcp:HOST:PORT'],
  ["tcp:host:65536", 'transport "tcp:host:65536": expected tcp:HOST:PORT'],
  ["tcp:::1:9000", 'transport "tcp:::1:9000": expected tcp:HOST:PORT'],
  ["tcp-server:x", 'transport "tcp-server:x": expected tcp-server:PORT or tcp-server:HOST:PORT'],
  ["unix:", 'transport "unix:": expected unix:/PATH'],
  ["hci:zero", 'transport "hci:zero": expected hci:N, for example hci:0'],
  ["hci:", 'transport "hci:": expected hci:N, for example hci:0'],
  ["vhci:1", 'transport "vhci:1": expected vhci: and nothing more'],
])("%j is refused with one sentence", async (spec, message) => {
  await expect(openTransport(spec)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "unknown-spec" });
  await expect(openTransport(spec)).rejects.toThrow(message);
});

test.each<[unknown, string]>([
  [null, "expected an object of options, got null"],
  [{ signal: 5 }, "openTransport: signal"],
  [{ signal: new AbortController() }, "openTransport: signal"],
  [{ onListening: 9000 }, "openTransport: onListening: expected a function, got 9000"],
  [{ kinds: null }, "openTransport: kinds: expected an object of functions, got null"],
  [{ kinds: "usb" }, "openTransport: kinds: expected an object of functions, got a string"],
])("the options %j are refused", async (options, message) => {
  await expect(openTransport("sim:", options as never)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(message),
  });
});

test("a signal that has aborted already opens nothing", async () => {
  await expect(openTransport("sim:", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
});

test.each(["before it answers", "while it opens"])(
  "a program's own kind that knows of no signal is not waited for (aborted %s), and what it opens too late is closed",
  async (when) => {
    const control = new AbortController();
    let closed = 0;
    const late = { [Symbol.asyncDispose]: () => Promise.resolve(void closed++) } as unknown as HciTransport;
    let finish = (): void => {};
    const kinds = {
      slow: () => {
        if (when === "while it opens") control.abort(new Error("enough"));
        return new Promise<HciTransport>((resolve) => {
          finish = () => resolve(late);
        });
      },
    };
    const opening = expect(openTransport("slow:", { kinds, signal: control.signal })).rejects.toThrow("enough");
    control.abort(new Error("enough"));
    await opening;
    finish();
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(1);
  },
);

test("a program's own kind that opens in time is not touched by a signal that aborts later, and its failure is its own", async () => {
  const control = new AbortController();
  let closed = 0;
  const transport = { [Symbol.asyncDispose]: () => Promise.resolve(void closed++) } as unknown as HciTransport;
  const kinds = { quick: () => Promise.resolve(transport), broken: () => Promise.reject(new Error("no such thing")) };
  expect(await openTransport("quick:", { kinds, signal: control.signal })).toBe(transport);
  await expect(openTransport("broken:", { kinds, signal: control.signal })).rejects.toThrow("no such thing");
  control.abort(new Error("enough"));
  expect(closed).toBe(0);
});

test("a program's own kinds are opened like the others", async () => {
  const [transport] = createTransportPair();
  const got: unknown[] = [];
  const kinds = {
    spi: async (rest: string, options: TransportOptions) => {
      got.push(rest, options);
      return transport;
    },
    sim: () => Promise.reject(new Error("no air today")),
  };
  const clock = new VirtualClock();
  expect(await openTransport("spi:1a2b:3c4d", { kinds, clock })).toBe(transport);
  expect(got).toEqual(["1a2b:3c4d", { clock }]); // kinds are not handed on
  await expect(openTransport("sim:", { kinds })).rejects.toThrow("no air today"); // one that takes the place of a known one
  await expect(openTransport("spi", { kinds })).rejects.toMatchObject({
    reason: "unknown-spec",
    message: 'transport "spi": expected spi:…',
  });
  await expect(openTransport("spj:", { kinds })).rejects.toThrow("hci:N, vhci:, spi:…");
  await expect(openTransport("spi:0")).rejects.toMatchObject({ reason: "unknown-spec" }); // known in that call only
  await expect(openTransport("toString:0", { kinds })).rejects.toMatchObject({ reason: "unknown-spec" });
});

test.each<[unknown, unknown, string]>([
  [undefined, {}, 'expected a text such as "hci:0", got undefined'],
  [5, {}, "got 5"],
  ["sim:", { timeoutMs: 5 }, 'unknown option "timeoutMs"'],
  ["sim:", "virtual", "expected an object of options, got a string"],
  ["sim:", { kinds: { spi: 5 } }, "openTransport: kinds.spi: expected a function, got 5"],
  ["sim:", { kinds: { "spi:": async () => undefined } }, '"spi:" is no word before a colon'],
])("openTransport(%j, %j) is refused", async (spec, options, message) => {
  await expect(openTransport(spec as string, options as TransportOptions)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(message) as string,
  });
});
