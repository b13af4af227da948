import { readFileSync } from "node:fs";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import * as device from "../src/device/index.ts";
import { SimulatedAir, SimulatedUsb, SimulatedUsbAdapter } from "../src/testing/index.ts";
import * as transport from "../src/transport/index.ts";

// The programs of docs/transports.md that are for a page, as they stand there, with a browser that stands on our own simulation.

interface Programs {
  onClick(): Promise<device.Device>;
  onSerialClick(): Promise<device.Device>;
}

const page = readFileSync(new URL("../docs/transports.md", import.meta.url), "utf8");
const section = page.split("\n## In a page\n")[1]!.split("\n## ")[0]!;
const codes = [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);

async function load(names: object): Promise<Programs> {
  const programs = await Promise.all(
    codes.map(async (code, i) => {
      const name = `page-${i}.ts`;
      const bundle = await rolldown({
        input: name,
        external: ["jelling/device", "jelling/transport"],
        plugins: [{ name: "page", resolveId: (id) => (id === name ? id : undefined), load: (id) => (id === name ? code : undefined) }],
        transform: { target: "es2023" },
      });
      const globals = { "jelling/device": "library", "jelling/transport": "library" };
      const { output } = await bundle.generate({ format: "iife", name: "program", globals });
      await bundle.close();
      // oxlint-disable-next-line typescript/no-implied-eval -- the program of the page is what is tested
      return new Function("library", `${output[0].code}; return program;`)(names) as Partial<Programs>;
    }),
  );
  return Object.assign({}, ...programs) as Programs;
}

test("a click opens a USB adapter, another one a serial port", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { clock } = air;
  const usb = new SimulatedUsb();
  const stick = air.addController({ name: "stick" });
  usb.plug(new SimulatedUsbAdapter(stick, { clock }));
  const board = air.addController({ name: "board" });
  const streams = { there: new TransformStream<Uint8Array, Uint8Array>(), back: new TransformStream<Uint8Array, Uint8Array>() };
  board.attach(transport.createStreamTransport({ readable: streams.there.readable, writable: streams.back.writable, clock }));
  const opened: unknown[] = [];
  const port: transport.WebSerialPort = {
    readable: null,
    writable: null,
    async open(options) {
      opened.push(options);
      Object.assign(port, { readable: streams.back.readable, writable: streams.there.writable });
    },
    async close() {},
  };
  const programs = await load({
    Device: { open: (open: device.OpenController) => device.Device.open(open, { clock }) },
    requestUsbTransport: () => transport.requestUsbTransport({ usb, clock }),
    requestSerialTransport: (options: transport.RequestSerialOptions) =>
      transport.requestSerialTransport({ ...options, serial: { requestPort: async () => port }, clock }),
  });
  await using dongle = await programs.onClick();
  await using other = await programs.onSerialClick();
  expect([dongle, other].map((each) => String(each.publicAddress))).toEqual([stick, board].map(({ address }) => String(address)));
  expect(opened).toMatchObject([{ baudRate: 1_000_000, flowControl: "hardware" }]);
  expect(codes).toHaveLength(2);
});
