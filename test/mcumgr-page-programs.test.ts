import { readFileSync } from "node:fs";
import { rolldown } from "rolldown";
import { beforeAll, expect, test } from "vitest";
import * as library from "../src/mcumgr/index.ts";
import { createImage, SimulatedAir, SimulatedMcumgrDevice, serveOverGatt, serveOverLine } from "../src/testing/index.ts";
import { BrowserBluetooth } from "./support/web-bluetooth.ts";

// The programs of docs/mcumgr.md that are for a page, as they stand there, with a browser that stands on our own stack.

type Library = typeof library;
interface Programs {
  update(file: File, onProgress: (progress: library.TransferProgress) => void): Promise<string>;
  openSerialClient(port: object): Promise<library.McumgrClient>;
}

const page = readFileSync(new URL("../docs/mcumgr.md", import.meta.url), "utf8");
const section = page.split("\n## In a page\n")[1]!.split("\n## ")[0]!;
const codes = [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);

/** What a program exports, run with `jelling/mcumgr` as it is given. */
let load: (names: Library) => Programs;
beforeAll(async () => {
  const makers = await Promise.all(
    codes.map(async (code, i) => {
      const name = `page-${i}.ts`;
      const bundle = await rolldown({
        input: name,
        external: ["jelling/mcumgr"],
        plugins: [{ name: "page", resolveId: (id) => (id === name ? id : undefined), load: (id) => (id === name ? code : undefined) }],
        transform: { target: "es2023" },
      });
      const { output } = await bundle.generate({ format: "iife", name: "program", globals: { "jelling/mcumgr": "library" } });
      await bundle.close();
      // oxlint-disable-next-line typescript/no-implied-eval -- the program of the page is what is tested
      return new Function("library", `${output[0].code}; return program;`) as (names: Library) => Partial<Programs>;
    }),
  );
  load = (names) => Object.assign({}, ...makers.map((make) => make(names))) as Programs;
});

test("there are two, for Web Bluetooth and for Web Serial", () => {
  expect(codes).toHaveLength(2);
});

test("Web Bluetooth: a click updates the device, which is asked for once", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const { clock } = air;
  await using device = new SimulatedMcumgrDevice({ clock });
  await using _served = await serveOverGatt(device, await air.device({ att: { mtu: 498 } }), { name: "Sensor 12" });
  const bluetooth = new BrowserBluetooth(await air.device());
  const { update } = load({
    ...library,
    createWebBluetoothOpener: (options) => library.createWebBluetoothOpener({ ...options, bluetooth, clock }),
    McumgrClient: { open: (open, options) => library.McumgrClient.open(open, { ...options, clock }) } as Library["McumgrClient"],
    upgradeFirmware: (client, firmware, options) => library.upgradeFirmware(client, firmware, { ...options, clock }),
  });
  const shares: number[] = [];
  const image = createImage({ version: "2.0.0", bodySize: 20_000 });
  const said = await update(new File([new Uint8Array(image)], "app.bin"), ({ done, total }) => shares.push(done / total));
  expect(said.trim()).toBe("complete");
  expect(shares.at(-1)).toBe(1);
  expect([device.runningImage()?.version, device.states[0]?.confirmed, bluetooth.asked]).toEqual(["2.0.0", true, 1]);
});

test("Web Serial: a port of two streams is opened once, and again when the device was away", async () => {
  await using device = new SimulatedMcumgrDevice({ bootMs: 0 });
  let opened = 0;
  let served: AsyncDisposable | undefined;
  const port = {
    readable: null as ReadableStream<Uint8Array> | null,
    writable: null as WritableStream<Uint8Array> | null,
    async open({ baudRate }: { baudRate: number }): Promise<void> {
      expect(baudRate).toBe(115_200);
      opened++;
      const [there, back] = [new TransformStream<Uint8Array, Uint8Array>(), new TransformStream<Uint8Array, Uint8Array>()];
      served = serveOverLine(device, library.createStreamPort({ readable: there.readable, writable: back.writable }));
      port.readable = back.readable;
      port.writable = there.writable;
    },
  };
  const { openSerialClient } = load(library);
  await using client = await openSerialClient(port);
  expect(await client.os.echo({ d: "hello" })).toMatchObject({ r: "hello" });
  await served![Symbol.asyncDispose](); // unplugged
  port.readable = port.writable = null;
  await client.reconnect();
  expect(await client.os.echo({ d: "again" })).toMatchObject({ r: "again" });
  expect(opened).toBe(2);
});
