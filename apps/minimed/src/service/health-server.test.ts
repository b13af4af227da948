import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ServiceHealth } from "./health.ts";
import { type HealthServer, serveHealth } from "./health-server.ts";

const open: HealthServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop();
});

async function served(health: () => unknown = () => ({ status: "ok", problems: [] })) {
  const server = await serveHealth(health as () => ServiceHealth, { host: "127.0.0.1", port: 0 });
  open.push(server);
  return { server, ask: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init) };
}

test("all is well: 200, as JSON that nobody keeps; else 503", async () => {
  let status = "ok";
  const { ask } = await served(() => ({ status, problems: [] }));
  const well = await ask("/health");
  expect([well.status, await well.text()]).toEqual([200, '{"status":"ok","problems":[]}\n']);
  expect(Object.fromEntries(well.headers)).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  status = "failing";
  const ill = await ask("/health?verbose&x=/y");
  expect([ill.status, await ill.json()]).toEqual([503, { status: "failing", problems: [] }]);
});

test("HEAD has the status alone; other methods and other paths have nothing", async () => {
  let asked = 0;
  const { ask } = await served(() => {
    asked++;
    return { status: "failing", problems: [] };
  });
  const head = await ask("/health", { method: "HEAD" });
  expect([head.status, await head.text(), head.headers.get("cache-control")]).toEqual([503, "", "no-store"]);
  expect(asked).toBe(1);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const refused = await ask("/health", { method, ...(method === "POST" && { body: "x" }) });
    expect([refused.status, refused.headers.get("allow"), await refused.json()]).toEqual([
      405,
      "GET, HEAD",
      { status: "method not allowed" },
    ]);
  }
  for (const path of ["/", "/health/", "/healthy", "//health", "/?/health", "/x/health"]) {
    const missing = await ask(path);
    expect([missing.status, missing.headers.get("allow"), await missing.json()]).toEqual([404, null, { status: "not found" }]);
  }
  expect(asked).toBe(1);
});

test("a health that cannot be told is no secret's way out", async () => {
  const { ask } = await served(() => {
    throw new Error("geheim");
  });
  const answer = await ask("/health");
  expect([answer.status, await answer.json()]).toEqual([500, { status: "failing", problems: ["The health could not be told."] }]);
});

test("what is no HTTP is not talked to", async () => {
  const { server, ask } = await served();
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write("\u0016\u0003\u0001 geheim\r\n\r\n"));
    let text = "";
    socket.on("data", (octets) => {
      text += octets.toString();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
  expect(answer).toBe("");
  expect((await ask("/health")).status).toBe(200);
});

test("a port that is taken is told by its number; a server that is stopped is gone, whoever is still connected", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  await expect(serveHealth(() => ({}) as ServiceHealth, { host: "127.0.0.1", port })).rejects.toMatchObject({
    code: "ERR_PUMP_PAGE_PORT",
    message: `The health cannot be served on port ${port} (EADDRINUSE).`,
  });
  await new Promise((resolve) => other.close(resolve));

  const { server, ask } = await served();
  const socket = connect(server.port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  await ask("/health"); // so that the server has the other one too
  await server.stop();
  await closed;
  await expect(ask("/health")).rejects.toThrow();
});
