import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type HciTransport, TransportClosed } from "../hci/transport.ts";
import { openTransport } from "./open.ts";
import { serveController } from "./serve.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Echoes every packet to the host, as a controller that has nothing else to do. */
class Echo {
  closed: TransportClosed[] = [];
  transports: HciTransport[] = [];
  attach(transport: HciTransport): void {
    this.transports.push(transport);
    transport.onPacket = (packet) => transport.send(packet);
    transport.onClose = (reason) => this.closed.push(reason);
  }
}

function nextPackets(transport: HciTransport, count: number): Promise<number[][]> {
  const got: number[][] = [];
  return new Promise((resolve, reject) => {
    transport.onPacket = (packet) => {
      got.push([...packet]);
      if (got.length === count) resolve(got);
    };
    transport.onClose = reject;
  });
}

const closeOf = (transport: HciTransport): Promise<TransportClosed> =>
  new Promise((resolve) => {
    transport.onClose = resolve;
  });

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

test.each(["tcp:0", "tcp:127.0.0.1:0", ...(hasIpv6 ? ["tcp:[::1]:0"] : []), "unix:"])("packets go both ways over %s", async (spec) => {
  const echo = new Echo();
  await using server = await serveController(echo, spec === "unix:" ? `unix:${join(folder, "hci")}` : spec);
  await using host = await openTransport(server.spec);
  expect(host.info.spec).toBe(server.spec);
  const long = new Uint8Array(5 + 60_000).fill(7);
  long.set([2, 1, 0, 60_000 & 0xff, 60_000 >> 8]);
  const got = nextPackets(host, 3);
  host.send(Uint8Array.of(1, 3, 12, 0));
  host.send(long);
  host.send(Uint8Array.of(4, 0xff, 1, 9));
  expect(await got).toEqual([[1, 3, 12, 0], [...long], [4, 0xff, 1, 9]]);
});

test("a second host is turned away and may come when the first has left", async () => {
  const echo = new Echo();
  await using server = await serveController(echo, "tcp:0");
  const first = await openTransport(server.spec);
  await using second = await openTransport(server.spec);
  expect(await closeOf(second)).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
  await first[Symbol.asyncDispose]();
  await expect.poll(() => echo.closed.length).toBe(1);
  await using third = await openTransport(server.spec);
  const got = nextPackets(third, 1);
  third.send(Uint8Array.of(4, 1, 0));
  await got;
});

test("a controller that cannot be had turns the host away and the server goes on", async () => {
  const taken = {
    attach: () => {
      throw new Error("removed");
    },
  };
  await using server = await serveController(taken, "tcp:0");
  for (let i = 0; i < 2; i++) {
    await using host = await openTransport(server.spec);
    expect(await closeOf(host)).toBeInstanceOf(TransportClosed);
  }
});

test("what was sent right before closing still arrives", async () => {
  const echo = new Echo();
  await using server = await serveController(echo, "tcp:0");
  const host = await openTransport(server.spec);
  await expect.poll(() => echo.transports.length).toBe(1);
  const got = nextPackets(echo.transports[0]!, 1);
  host.send(Uint8Array.of(4, 1, 0));
  await host[Symbol.asyncDispose]();
  expect(await got).toEqual([[4, 1, 0]]);
});

test("a peer that goes away is told with its reason, once; sending afterwards is silent", async () => {
  const { server, spec, peer } = await bareServer();
  const host = await openTransport(spec);
  const closed = closeOf(host);
  (await peer).destroy();
  expect(await closed).toBeInstanceOf(TransportClosed);
  expect((await closed).message).toBe(`transport "${spec}" was closed by the other side`);
  expect(host.writable).toBe(false);
  host.send(Uint8Array.of(4, 1, 0));
  await host[Symbol.asyncDispose]();
  server.close();
});

test("a peer that does not speak H4 ends the transport with a typed error", async () => {
  const { server, spec, peer } = await bareServer();
  await using host = await openTransport(spec);
  const closed = closeOf(host);
  (await peer).write("HTTP/1.1 400 Bad Request\r\n");
  expect(await closed).toMatchObject({ message: `transport "${spec}" ended: the peer does not speak H4`, cause: { code: "ERR_DECODE" } });
  (await peer).destroy();
  server.close();
});

test("a peer that does not read makes the transport unwritable, and ends it before it grows for ever", async () => {
  const { server, spec, peer } = await bareServer();
  await using host = await openTransport(spec);
  (await peer).pause();
  const packet = new Uint8Array(5 + 65_535);
  packet.set([2, 0, 0, 0xff, 0xff]);
  const closed = closeOf(host);
  for (let i = 0; i < 400; i++) host.send(packet);
  expect(host.writable).toBe(false);
  expect((await closed).message).toBe(`transport "${spec}" ended: the other side does not read`);
  (await peer).destroy();
  server.close();
});

test("tcp-server waits for one controller", async () => {
  let port = 0;
  const opening = openTransport("tcp-server:0", {
    onListening: (listening) => {
      port = listening;
    },
  });
  await expect.poll(() => port).toBeGreaterThan(0);
  await using controller = await openTransport(`tcp:127.0.0.1:${port}`);
  await using host = await opening;
  const got = nextPackets(host, 1);
  controller.send(Uint8Array.of(4, 1, 0));
  expect(await got).toEqual([[4, 1, 0]]);
  await expect(openTransport(`tcp:127.0.0.1:${port}`)).rejects.toMatchObject({ reason: "refused" });
});

test("waiting for a controller ends with the signal, and the port is free again", async () => {
  const abort = new AbortController();
  let port = 0;
  const opening = openTransport("tcp-server:0", {
    signal: abort.signal,
    onListening: (listening) => {
      port = listening;
      abort.abort(new Error("enough"));
    },
  });
  await expect(opening).rejects.toThrow("enough");
  await expect(openTransport(`tcp:127.0.0.1:${port}`)).rejects.toMatchObject({ reason: "refused" });
});

test("connecting ends with the signal", async () => {
  const { server, spec } = await bareServer();
  const abort = new AbortController();
  const opening = openTransport(spec, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
  server.close();
});

test("each way to fail is one sentence with a reason for programs", async () => {
  const { server, spec } = await bareServer();
  server.close();
  await expect(openTransport(spec)).rejects.toMatchObject({
    code: "ERR_TRANSPORT",
    reason: "refused",
    message: `nothing listens at ${spec}: start the other side first`,
  });
  const missing = `unix:${join(folder, "missing")}`;
  await expect(openTransport(missing)).rejects.toMatchObject({
    reason: "not-found",
    message: `${missing}: there is no such socket or folder`,
  });
  await using served = await serveController(new Echo(), "tcp:0");
  await expect(serveController(new Echo(), served.spec)).rejects.toMatchObject({
    reason: "busy",
    message: `${served.spec} is in use by another program`,
  });
  await expect(openTransport(`tcp-server:${served.spec.slice(4)}`)).rejects.toMatchObject({ reason: "busy" });
  await expect(openTransport("tcp:host.invalid:1")).rejects.toMatchObject({ reason: "not-found" });
});

test("a socket file that a dead process left is taken over, a living one and an ordinary file are not", async () => {
  const path = join(folder, "hci");
  await using served = await serveController(new Echo(), `unix:${path}`);
  await expect(serveController(new Echo(), `unix:${path}`)).rejects.toMatchObject({ reason: "busy" });
  await served[Symbol.asyncDispose]();

  const file = join(folder, "file");
  await writeFile(file, "precious");
  await expect(serveController(new Echo(), `unix:${file}`)).rejects.toMatchObject({ reason: "busy" });

  const stale = join(folder, "stale");
  const script = `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  expect(spawnSync(process.execPath, ["-e", script]).signal).toBe("SIGKILL"); // which leaves the file behind
  await using taken = await serveController(new Echo(), `unix:${stale}`);
  await using host = await openTransport(taken.spec);
  expect(host.writable).toBe(true);
});

async function bareServer(): Promise<{ server: Server; spec: string; peer: Promise<Socket> }> {
  const server = createServer();
  const peer = new Promise<Socket>((resolve) =>
    server.once("connection", (socket) => {
      socket.on("error", () => {});
      resolve(socket);
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { server, spec: `tcp:127.0.0.1:${port}`, peer };
}
