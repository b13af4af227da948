import { createSocket } from "node:dgram";
import { expect, test } from "vitest";
import { answerEach, answerTo, message } from "../../test/support/mcumgr-messages.ts";
import { concat } from "../bytes/hex.ts";
import type { McumgrLink } from "../mcumgr/links/link.ts";
import { createUdpOpener, openUdpLink, serveMcumgrOverUdp, type UdpLinkOptions, type UdpServerOptions } from "./mcumgr-udp.ts";
import type { UdpServer } from "./mcumgr-udp-links.ts";

const echoing = async (options: Partial<UdpServerOptions> = {}): Promise<UdpServer> =>
  await serveMcumgrOverUdp({
    host: "127.0.0.1",
    port: 0,
    onLink: answerEach,
    ...options,
  });
const ends = (link: McumgrLink): Promise<Error & { code: string }> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

test.each<[string, string, Partial<UdpLinkOptions>]>([
  ["127.0.0.1", "127.0.0.1", {}],
  ["localhost", "127.0.0.1", {}],
  ["localhost", "127.0.0.1", { family: 4 }],
  ["::1", "::1", {}],
  ["[::1]", "::1", { family: 6 }],
])("messages to %s and back, whole", async (host, at, options) => {
  let peer: unknown;
  await using server = await echoing({
    host: at,
    onLink: (link, from) => {
      peer = from;
      link.onMessage = (octets) => void link.send(octets);
    },
  });
  await using link = await openUdpLink({ host, port: server.port, ...options });
  expect(link.info).toMatchObject({ kind: "udp", target: expect.stringContaining(`${host}:${server.port}`) });
  const limit = 1500 - (at === "::1" ? 48 : 28);
  expect([link.isLossy, link.provenLimit, link.messageLimit({ bufSize: 2048, bufCount: 2 })]).toEqual([true, 1024, limit]);
  expect(link.messageLimit({ bufSize: 384, bufCount: 4 })).toBe(384);
  for (const length of [8, 100, limit])
    expect(await answerTo(link, message(length & 0xff, length))).toEqual(message(length & 0xff, length));
  await expect(link.send(message(1, limit + 1))).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit });
  expect(peer).toMatchObject({ address: at, family: at === "::1" ? 6 : 4 });
});

test("a larger or smaller MTU moves the limit", async () => {
  await using server = await echoing();
  await using jumbo = await openUdpLink({ host: "127.0.0.1", port: server.port, mtu: 9000 });
  expect(await answerTo(jumbo, message(1, 8972))).toHaveLength(8972);
  await using small = await openUdpLink({ host: "127.0.0.1", port: server.port, mtu: 576 });
  expect([small.provenLimit, small.messageLimit(undefined)]).toEqual([548, 548]);
});

test("a host that says that nobody listens ends the link at once; the opener opens it anew", async () => {
  const server = await echoing();
  const open = createUdpOpener({ host: "127.0.0.1", port: server.port });
  const link = await open();
  expect(await answerTo(link, message(1))).toEqual(message(1));
  const end = ends(link);
  await server[Symbol.asyncDispose]();
  await link.send(message(2)).catch(() => undefined);
  expect(await end).toMatchObject({ code: "ERR_CLOSED", message: expect.stringContaining("nobody listens") });
  await expect(link.send(message(3))).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await using again = await echoing({ port: server.port });
  await using second = await open();
  expect([again.port, await answerTo(second, message(4))]).toEqual([server.port, message(4)]);
});

test("an answer over several datagrams is joined; one after a loss is not spoilt by it", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  const pieces = [
    message(5, 100).subarray(0, 60),
    message(5, 100).subarray(60),
    message(6, 100).subarray(0, 60),
    concat(message(7), message(8)),
  ];
  socket.on("message", (_, from) => {
    for (const piece of pieces) socket.send(piece, from.port, from.address);
  });
  await using link = await openUdpLink({ host: "127.0.0.1", port: socket.address().port });
  const got: Uint8Array[] = [];
  const all = new Promise<void>((resolve) => {
    link.onMessage = (octets) => {
      if (got.push(octets) === 3) resolve();
    };
  });
  await link.send(message(1));
  await all;
  expect(got).toEqual([message(5, 100), message(7), message(8)]);
  socket.close();
});

test("a server keeps its peers apart, forgets the most silent beyond its bound, and takes what lies about its length", async () => {
  const links: McumgrLink[] = [];
  const ended: number[] = [];
  const got: string[] = [];
  await using server = await echoing({
    maxPeers: 2,
    onLink: (link) => {
      const number = links.push(link);
      link.onClose = () => ended.push(number);
      link.onMessage = (octets) => {
        got.push(`${number}: ${octets.length}`);
        void link.send(message(number));
      };
    },
  });
  const open = createUdpOpener({ host: "127.0.0.1", port: server.port });
  await using a = await open();
  await using b = await open();
  await using c = await open();
  expect(await answerTo(a, message(0, 9).subarray(0, 5))).toEqual(message(1));
  expect(await answerTo(b, message(0, 30))).toEqual(message(2));
  expect(await answerTo(a, message(0, 31))).toEqual(message(1));
  expect(await answerTo(c, message(0, 32))).toEqual(message(3));
  expect(ended).toEqual([2]);
  expect(await answerTo(b, message(0, 33))).toEqual(message(4)); // a new one
  expect(got).toEqual(["1: 5", "2: 30", "1: 31", "3: 32", "4: 33"]);
  await server[Symbol.asyncDispose]();
  expect(ended).toEqual([2, 1, 3, 4]);
  await expect(links[3]!.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("names that nobody knows, ports in use, signals and wrong options", async () => {
  await expect(openUdpLink({ host: "nowhere.invalid" })).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_(TRANSPORT|TIMEOUT)$/),
  });
  await expect(openUdpLink({ host: "127.0.0.1", signal: AbortSignal.abort("before") })).rejects.toBe("before");
  await using server = await echoing();
  await expect(echoing({ port: server.port })).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "busy" });
  await expect(openUdpLink({ host: "::1", family: 4 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  for (const options of [{ host: "" }, { host: "a", port: 0 }, { host: "a", family: 5 }, { host: "a", mtu: 60 }, { hots: "a" }, undefined])
    expect(() => createUdpOpener(options as UdpLinkOptions)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  await expect(serveMcumgrOverUdp({ host: "name", onLink: () => {} })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  const link = await openUdpLink({ host: "127.0.0.1", port: server.port });
  await link[Symbol.asyncDispose]();
  await expect(link.send(message(1))).rejects.toMatchObject({ code: "ERR_CLOSED" });
});
