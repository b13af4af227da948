import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { fromHex, toHex } from "../../bytes/hex.ts";
import { parseImage } from "../../mcumgr/image/mcuboot.ts";
import { createMemoryLinks } from "../../mcumgr/links/memory.ts";
import type { CborMap } from "../../mcumgr/protocol/cbor.ts";
import { decodeMessage, encodeMessage, type McumgrMessage } from "../../mcumgr/protocol/message.ts";
import { createImage } from "./create-image.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";

interface Exchange {
  name: string;
  server: string;
  request: { hex: string; header: { op: number } };
  response: { hex: string };
}
const { exchanges }: { exchanges: Exchange[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../test/vectors/mcumgr.json"), "utf8"),
);

/** A client without any cleverness: octets in, octets out. */
async function exchange(device: SimulatedMcumgrDevice, clock: VirtualClock, ...requests: Uint8Array[]): Promise<Uint8Array[]> {
  const { client, server } = createMemoryLinks({ clock });
  const answers: Uint8Array[] = [];
  using _attached = device.attach(server);
  client.onMessage = (message) => answers.push(message);
  for (const request of requests) await client.send(request);
  await clock.advance(1);
  await client[Symbol.asyncDispose]();
  return answers;
}

const named = (name: string) => exchanges.find((exchange) => exchange.name === name)!;
/** Answers that are those of other hardware: numbers of threads, names of statistics. */
const OTHERS = new Set(["taskstat"]);

/** What takes the place of something in the vectors: digests of images that are not in the repository. */
type Replacements = readonly (readonly [theirs: string, ours: Uint8Array])[];

function replaced(hex: string, replacements: Replacements): string {
  return replacements.reduce((text, [theirs, ours]) => text.replaceAll(theirs, toHex(ours)), hex);
}

interface Scenario {
  readonly device: SimulatedMcumgrDevice;
  replay(...names: string[]): Promise<void>;
  send(request: McumgrMessage): Promise<CborMap>;
}

async function withDevice(
  options: SimulatedMcumgrDeviceOptions,
  act: (scenario: Scenario) => Promise<void>,
  replacements: Replacements = [],
): Promise<void> {
  const clock = new VirtualClock();
  await using device = new SimulatedMcumgrDevice({ clock, ...options });
  await act({
    device,
    async replay(...names) {
      for (const name of names) {
        const { request, response } = named(name);
        const answers = await exchange(device, clock, fromHex(replaced(request.hex, replacements)));
        expect(answers.map(toHex), name).toEqual([replaced(response.hex, replacements)]);
      }
    },
    async send({ header, payload }) {
      const answers = await exchange(device, clock, encodeMessage(header, payload));
      expect(answers).toHaveLength(1);
      return decodeMessage(answers[0]!).payload;
    },
  });
}

describe("exchanges with real servers give the same octets here", () => {
  test("an application over UDP", async () => {
    const names = exchanges.filter(({ server }) => server === "Zephyr 4.4.0 application (UDP)").map(({ name }) => name);
    const options = {
      bufSize: 2048,
      bufCount: 2,
      without: ["os.dateTime", "os.setDateTime", "os.bootloaderInfo", "image"],
      files: { "/lfs1/a.txt": new TextEncoder().encode("0123456789") },
      canSaveSettings: false,
      statistics: { flash_sim_stats: {}, flash_sim_thresholds: {} },
    };
    await withDevice(options, async ({ replay }) => await replay(...names.filter((name) => !OTHERS.has(name))));
  });

  const running = createImage({ version: "0.0.0", headerSize: 512, bodySize: 40_000 });
  const second = createImage({ version: "1.2.3.4", headerSize: 512, bodySize: 40_000 });
  const digests: Replacements = [
    ["1baa222074cc805faf4e09846d2377886b1e5ef7cfccd9eac1554d82d9aa9d5a", parseImage(running).digest!.value],
    ["f3a3210b8f68e945f0c1c7ed1ad10cd3aa6f63617a0eada429b14f56c8a04c2e", parseImage(second).digest!.value],
  ];
  const serial = { bufSize: 384, without: ["os.dateTime", "os.setDateTime", "os.bootloaderInfo"], mode: "swap-scratch" } as const;

  test("an application with a bootloader, its upload and its states", async () => {
    const options = { ...serial, images: [{ slotSize: 106_496, primary: running }] };
    await withDevice(
      options,
      async ({ replay }) => {
        await replay("image state", "slot info", "bootloader mode", "bootloader bad query v1", "datetime read", "datetime read 2");
        await replay("upload first chunk 20 bytes", "upload bad magic", "upload no len", "upload too large", "upload sha 33 bytes");
        await replay("upload upgrade same version v1", "upload again same image", "upload next", "upload gap", "upload restart other sha");
        await replay(
          "state test no hash",
          "state test unknown hash v1",
          "image state 2",
          "state confirm active",
          "erase slot 0",
          "erase slot 9",
        );
        await replay("upload again same image", "erase without slot v1", "app params");
      },
      digests,
    );
  });

  test("an application that is tested, reset and confirmed", async () => {
    const options = { ...serial, images: [{ slotSize: 106_496, primary: running, secondary: second }] };
    await withDevice(
      options,
      async ({ device, replay }) => {
        await replay("image state both slots", "state test second", "reset");
        await new Promise((resolve) => device.on("running", (what) => what === "application" && resolve(what)));
        await replay("image state v1 after swap", "erase other while unconfirmed");
        await device.confirm();
        expect(device.states.map(({ slot, confirmed, active }) => ({ slot, confirmed, active }))).toEqual([
          { slot: 0, confirmed: true, active: true },
          { slot: 1, confirmed: false, active: false },
        ]);
      },
      digests,
    );
  });

  test("the state after confirming, where the old image is erased", async () => {
    const options = { ...serial, images: [{ slotSize: 106_496, primary: second }] };
    await withDevice(options, async ({ replay }) => await replay("image state after confirm"), digests);
  });

  test("MCUboot's serial recovery", async () => {
    await withDevice({ startInRecovery: true, images: [{ slotSize: 512 << 10 }] }, async ({ replay, send }) => {
      await replay("mb params", "mb echo", "mb slot info", "mb osinfo", "mb unknown group", "mb upload first");
      const header = { op: 2, version: 1, reserved: 0, flags: 0, length: 0, group: 1, sequence: 7, command: 1 };
      expect(await send({ header, payload: { off: 300, data: new Uint8Array(300) } })).toEqual({ rc: 0, off: 600 });
      await replay("mb upload wrong off", "mb short first", "mb image 9", "mb confirm", "mb reset");
    });
  });
});
