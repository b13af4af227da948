import type { FoundTransport } from "jelling/transport";
import { expect, test } from "vitest";
import { type AdapterSources, adapters } from "../src/commands/adapters.ts";
import { Context } from "../src/context.ts";
import { fakeIo, jelling } from "./fake-io.ts";

const dongle: FoundTransport = { spec: "usb:1-6", kind: "usb", name: "UB500", usbId: "2357:0604" };
const own: FoundTransport = { spec: "hci:0", kind: "hci", address: "00:1A:7D:DA:71:13" };

function sourcesOf(given: Partial<AdapterSources> = {}): AdapterSources {
  return {
    transports: async () => [dongle, own],
    async *changes() {
      yield { change: "added", transport: dongle };
      yield { change: "removed", transport: dongle };
    },
    ports: async () => [{ path: "/dev/ttyACM0", stablePath: "/dev/serial/by-id/usb-Zephyr", manufacturer: "ZEPHYR" }, { path: "COM3" }],
    ...given,
  };
}

async function run(options: { json?: boolean; watch?: boolean }, sources = sourcesOf()) {
  const io = fakeIo();
  using context = new Context(io, { log: "warn", ...(options.json ? { json: true } : {}) });
  await adapters(context, options.watch ? { watch: true } : {}, sources);
  return { out: io.out.text, err: io.err.text };
}

test("adapters and serial ports, each by what opens it", async () => {
  expect((await run({})).out).toBe(
    "usb:1-6  UB500, 2357:0604\nhci:0  00:1A:7D:DA:71:13\nserial:/dev/serial/by-id/usb-Zephyr  ZEPHYR\nserial:COM3\n",
  );
  const lines = (await run({ json: true })).out.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    dongle,
    own,
    { spec: "serial:/dev/serial/by-id/usb-Zephyr", kind: "serial", name: "ZEPHYR" },
    { spec: "serial:COM3", kind: "serial" },
  ]);
});

test("ports that cannot be listed are left out; where there is nothing a note says so", async () => {
  const nothing = sourcesOf({ transports: async () => [], ports: () => Promise.reject(new Error("no package")) });
  const { out, err } = await run({}, nothing);
  expect([out, err]).toEqual(["", expect.stringContaining("jelling doctor says what is missing")]);
});

test("with --watch each change is a line", async () => {
  expect((await run({ watch: true })).out).toBe("added    usb:1-6  UB500, 2357:0604\nremoved  usb:1-6  UB500, 2357:0604\n");
});

test("the command looks at this machine, and ends with --timeout", async () => {
  const { status } = await jelling(["adapters", "--watch", "--timeout", "0.3"]);
  expect(status).toBe(0);
});
