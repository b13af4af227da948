import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Air } from "jelling/air";
import { Controller } from "jelling/controller";
import { serveController } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// `gatt export` writes a device as a file, `advertise --device` is the device of a file.

const HEART_RATE = "C0:4A:65:6C:6C:01/random";

let folder: string;
const clock = new FastClock();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => {
  clock[Symbol.dispose]();
  return rm(folder, { recursive: true });
});

const run = (commandLine: string | string[]) => jelling(commandLine, { clock, env: { XDG_STATE_HOME: folder, JELLING_TRANSPORT: "sim:" } });

/** Advertises `file` while `act` runs, with what reaches the same air. */
async function advertised(file: string, act: (spec: string, address: string) => Promise<void>, words: string[] = []): Promise<void> {
  const features = { extendedAdvertising: true };
  const air = new Air({ clock, seed: 3, traceCapacity: 0 });
  await using served = await serveController(new Controller({ air, name: "copy", features }), `unix:${join(folder, "copy")}`);
  await using central = await serveController(new Controller({ air, name: "central", features }), `unix:${join(folder, "central")}`);
  const io = fakeIo({ clock, env: { XDG_STATE_HOME: join(folder, "copy-state") } });
  const done = main(["advertise", "--device", file, "-t", served.spec, ...words], io);
  await Promise.race([io.saw("advertising  "), done.then(() => Promise.reject(new Error(io.err.text)))]);
  const [, address] = /advertising {2}(\S+)/.exec(io.out.text.replaceAll(/ +/g, "  "))!;
  await act(central.spec, address!);
  io.stop();
  expect(await done).toBe(130);
  air[Symbol.dispose]();
}

test("a device that was exported, advertised from its file and exported again is the same: attributes, values, advertising data", async () => {
  const first = await run(`gatt export ${HEART_RATE} --values`);
  expect(first.status).toBe(0);
  expect(first.err).toBe(
    "5 services with 13 characteristics, 8 of them with values: Device Name, Appearance, Server Supported Features, Body Sensor Location, Battery Level, Manufacturer Name String, Model Number String, Firmware Revision String\n" +
      "values may be personal or secret - names, serial numbers, measurements: look through the file before you give it away\n",
  );
  const path = join(folder, "device.json");
  await writeFile(path, first.out);
  await advertised(path, async (spec, address) => {
    const second = await jelling(["gatt", "export", address, "--values", "-t", spec], { clock, env: { XDG_STATE_HOME: folder } });
    expect(second.status).toBe(0);
    expect(JSON.parse(second.out)).toEqual(JSON.parse(first.out));
    const found = await jelling(["scan", "--timeout", "1s", "--json", "-t", spec], { clock, env: { XDG_STATE_HOME: folder } });
    expect(JSON.parse(found.out.split("\n")[0]!)).toMatchObject({ address, name: "Heart Rate", services: ["180d", "180f"] });
  });
});

test("without --values the structure alone is written; --json makes one line of it", async () => {
  const { out, err, status } = await run(`gatt export ${HEART_RATE} --no-advertising --json`);
  expect([status, err]).toEqual([0, expect.stringMatching(/^\d+ services with \d+ characteristics; no values \(--values reads them\)\n$/)]);
  expect(out.trim().split("\n")).toHaveLength(1);
  const file = JSON.parse(out) as Record<string, unknown>;
  expect(Object.keys(file)).toEqual(["format", "version", "gatt"]);
  expect(out).not.toContain('"value"');
});

const device = { format: "jelling-device", version: 1, gatt: { services: [] } };

test("a file by hand: extended, not connectable; options of the command come on top", async () => {
  const path = join(folder, "beacon.json");
  await writeFile(path, JSON.stringify({ ...device, advertising: { data: "0201 06 05ff ffff 0102", connectable: false, extended: true } }));
  await advertised(
    path,
    async (spec) => {
      const { out } = await jelling(["scan", "--timeout", "1s", "--json", "-t", spec], { clock, env: { XDG_STATE_HOME: folder } });
      expect(JSON.parse(out.split("\n")[0]!)).toMatchObject({ connectable: false, sid: 5 });
    },
    ["--sid", "5"],
  );
});

test.each<[string, unknown, string]>([
  ["no JSON", "{", "this is no JSON"],
  ["no UTF-8", Uint8Array.of(0xff), "this is no JSON"],
  ["null", "null", 'with "format": "jelling-device"'],
  ["an array", "[]", 'with "format": "jelling-device"'],
  ["another format", '{"format":"x"}', 'with "format": "jelling-device"'],
  ["another version", { ...device, version: 2 }, 'expected "version": 1'],
  ["an unknown name", { ...device, name: "x" }, 'unknown name "name"'],
  ["no database", { ...device, gatt: undefined }, "GATT description: expected an object"],
  [
    "a database that contradicts itself",
    { ...device, gatt: { services: [{ uuid: "180f", handle: 0, endHandle: 1 }] } },
    "gatt.services[0].handle: expected a whole number from 1 to 65535, got 0",
  ],
  ["advertising of another kind", { ...device, advertising: [1] }, "advertising: expected an object"],
  ["an empty list for advertising", { ...device, advertising: [] }, "advertising: expected an object"],
  ["text for advertising", { ...device, advertising: "x" }, "advertising: expected an object"],
  ["data that are none", { ...device, advertising: { data: "0" } }, "advertising.data: expected pairs of hexadecimal digits"],
  ["data of another kind", { ...device, advertising: { scanResponse: 7 } }, "advertising.scanResponse: expected pairs"],
  ["a word for a flag", { ...device, advertising: { connectable: "no" } }, "advertising.connectable: expected true or false"],
])("advertise --device with %s says so in one sentence", async (_, content, sentence) => {
  const path = join(folder, "bad.json");
  await writeFile(path, content instanceof Uint8Array || typeof content === "string" ? content : JSON.stringify(content));
  const { status, err, out } = await run(["advertise", "--device", path, "--timeout", "100ms"]);
  expect([status, out]).toEqual([1, ""]);
  expect(err).toContain(`${path}: `);
  expect(err).toContain(sentence);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("a word that is no device, a file that is not there, a name beside a file", async () => {
  expect(await run("advertise --device hart-rate")).toMatchObject({
    status: 2,
    err: expect.stringContaining("expected heart-rate, thermometer, battery, echo, or a file like device.json"),
  });
  expect(await run("advertise --device __proto__")).toMatchObject({ status: 2 });
  expect(await run("advertise --device ./none.json")).toMatchObject({
    status: expect.any(Number),
    err: expect.stringContaining("none.json"),
  });
  await writeFile(join(folder, "good.json"), JSON.stringify(device));
  expect(await run(["advertise", "--device", join(folder, "good.json"), "--name", "x"])).toMatchObject({
    status: 2,
    err: expect.stringContaining("--name is nothing for a device of a file"),
  });
  expect(JSON.parse(await readFile(join(folder, "good.json"), "utf8"))).toEqual(device);
});
