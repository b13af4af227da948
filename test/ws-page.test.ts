import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Air } from "../src/air/index.ts";
import { SystemClock } from "../src/async/index.ts";
import { Controller } from "../src/controller/index.ts";
import { Address } from "../src/core/index.ts";
import { serveController } from "../src/transport/index.ts";
import { leaveOut } from "./support/left-out.ts";

// A page's host on a controller that Node serves. Without a browser this is left out, and says so; with JELLING_LAB=required it fails.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const isWanted = existsSync(executablePath) || process.env.JELLING_LAB === "required";
if (!isWanted) leaveOut("ws: in a page (apt-get install chromium)");

const root = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = `
import { Device } from "${root}src/index.ts";
globalThis.look = async (spec) => {
  const device = await Device.open(spec);
  const address = String(device.publicAddress);
  await device[Symbol.asyncDispose]();
  return address;
};`;

let browser: Browser;
let url: string;
const server = createServer(
  (_request, response) => void response.setHeader("content-type", "text/html").end("<!doctype html><title>ws</title>"),
);

beforeAll(async () => {
  if (!isWanted) return;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  server.close();
});

test.runIf(isWanted)("a page with leave uses a controller that Node serves, one without does not", { timeout: 60_000 }, async () => {
  const build = await rolldown({
    input: "program",
    cwd: root,
    platform: "browser",
    transform: { target: "es2023" },
    resolve: { conditionNames: ["@jelling/source", "browser", "import", "default"] },
    plugins: [{ name: "program", resolveId: (id) => (id === "program" ? id : null), load: (id) => (id === "program" ? PROGRAM : null) }],
  });
  const { output } = await build.generate({ format: "iife", codeSplitting: false });
  await build.close();
  const page = await browser.newPage();
  await page.goto(url);
  await page.addScriptTag({ content: output[0].code });
  const look = (spec: string): Promise<string> =>
    page.evaluate((at) => (globalThis as unknown as { look(spec: string): Promise<string> }).look(at).catch(String), spec);
  const controller = new Controller({ air: new Air({ clock: new SystemClock() }), address: Address.from("C0:FF:EE:00:00:03") });
  {
    await using served = await serveController(controller, "ws:0", { origins: [url] });
    expect(await look(served.spec)).toBe("C0:FF:EE:00:00:03/public");
    expect(await look(served.spec)).toBe("C0:FF:EE:00:00:03/public"); // and again, when it has left
  }
  await using served = await serveController(controller, "ws:0", { origins: ["https://example.org"] });
  expect(await look(served.spec)).toContain("it does not take this page (its origin)");
});
