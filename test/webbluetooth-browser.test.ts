import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./support/browser-bundle.ts";
import { leaveOut } from "./support/left-out.ts";

// The host, two virtual controllers and the air between them in a real browser without a screen. Without one this is left out, and says so; with
// JELLING_LAB=required it fails.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const found = existsSync(executablePath);
const isRequired = process.env.JELLING_LAB === "required";
if (!found && !isRequired) leaveOut("a GATT session in a browser (apt-get install chromium)");

const PROGRAM = `
import { Air } from "jelling/air";
import { SystemClock } from "jelling/async";
import { Controller } from "jelling/controller";
import { Device } from "jelling/device";
import { chooseStrongest, createBluetooth } from "jelling/webbluetooth";

/** A belt and a page's program, each on a host and a controller of its own. */
export async function session(log) {
  const clock = new SystemClock();
  const air = new Air({ clock, mode: "instant", seed: 1 });
  const open = (name) => Device.open(new Controller({ air, name }).transport, { name, clock });
  const belt = await open("belt");
  const service = belt.gattServer.addService({
    uuid: 0x180d,
    characteristics: [
      { uuid: 0x2a37, properties: ["notify"], onSubscription: (peer, { notify }) => notify && void service.characteristics[0].notify(Uint8Array.of(0, 72)) },
      { uuid: 0x2a38, properties: ["read"], value: Uint8Array.of(1) },
      { uuid: 0x2a39, properties: ["write"], write: (value) => log("written " + value) },
    ],
  });
  await belt.advertise({ intervalMs: 30, data: { name: "belt", serviceUuids: [0x180d] } });
  const host = await open("page");
  const bluetooth = createBluetooth(host, { choose: chooseStrongest({ withinMs: 500 }) });

  const device = await bluetooth.requestDevice({ filters: [{ services: ["heart_rate"] }] });
  log("chosen " + device.name);
  const server = await device.gatt.connect();
  const heartRate = await server.getPrimaryService("heart_rate");
  const location = await heartRate.getCharacteristic("body_sensor_location");
  log("location " + (await location.readValue()).getUint8(0));
  const point = await heartRate.getCharacteristic("heart_rate_control_point");
  await point.writeValueWithResponse(Uint8Array.of(1));
  const measurement = await heartRate.getCharacteristic("heart_rate_measurement");
  const beat = new Promise((resolve) => bluetooth.addEventListener("characteristicvaluechanged", resolve, { once: true }));
  await measurement.startNotifications();
  const { target, currentTarget } = await beat;
  log("beat " + target.value.getUint8(1) + " " + (target === measurement) + " " + (currentTarget === null));
  device.addEventListener("gattserverdisconnected", (event) => log("disconnected " + (event instanceof Event)));
  const paired = host.links[0].pair();
  log("paired " + (await paired).secureConnections);
  server.disconnect();
  await host.close();
  await belt.close();
}
`;

describe.skipIf(!found && !isRequired)("in a browser", () => {
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
    page = await browser.newPage();
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(String(error.stack)));
  });
  afterAll(() => browser?.close());

  test("two hosts on two virtual controllers: chosen, connected, read, written, notified, paired, disconnected", async () => {
    const { code, problems: unfit } = await bundle("program.ts", PROGRAM);
    expect(unfit).toEqual([]);
    await page.addScriptTag({ content: code });
    const log = await page.evaluate(async () => {
      const lines: string[] = [];
      const { jelling } = globalThis as unknown as { jelling: { session(log: (line: string) => void): Promise<void> } };
      await jelling.session((line) => void lines.push(line));
      return lines;
    });
    expect(log).toEqual(["chosen belt", "location 1", "written 1", "beat 72 true true", "paired true", "disconnected true"]);
    expect(problems).toEqual([]);
  });
});
