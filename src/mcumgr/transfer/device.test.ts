import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { crc32 } from "../../bytes/crc32.ts";
import { SeededRandom } from "../../core/random.ts";
import { createImage, type McumgrFault, SimulatedMcumgrDevice, type SimulatedMcumgrDeviceOptions } from "../../testing/index.ts";
import { McumgrClient } from "../client/client.ts";
import type { McumgrClientOptions } from "../client/options.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks, type MemoryLinks, type MemoryLinksOptions } from "../links/memory.ts";

const image = createImage({ version: "2.0.0", bodySize: 5000 });
const file = image.slice(0, 3000);

async function setUp(
  options: SimulatedMcumgrDeviceOptions = {},
  { link, client }: { link?: MemoryLinksOptions; client?: McumgrClientOptions } = {},
) {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, bufSize: 512, ...options });
  let links: MemoryLinks | undefined;
  const open = async (): Promise<McumgrLink> => {
    if (device.running === "off") throw new Error("nobody is there");
    links = createMemoryLinks({ clock, delayMs: 5, ...link });
    device.attach(links.server);
    return links.client;
  };
  return { clock, device, client: await McumgrClient.open(open, { clock, ...client }), cut: () => links!.cut() };
}

const hasImage = (device: SimulatedMcumgrDevice, slot = 1) => {
  const { octets } = device.slot(0, slot);
  return crc32(octets.subarray(0, image.length)) === crc32(image);
};

const faults: Record<string, McumgrFault> = {
  "is lost": { kind: "lose-request" },
  "is not answered": { kind: "lose-answer" },
  "is answered late": { kind: "late-answer", ms: 4000 },
  "takes long": { kind: "slow", ms: 5000 },
  "is answered twice": { kind: "duplicate-answer" },
  "is answered with a lower offset": { kind: "wrong-offset", by: -1 },
  "is answered with another sequence": { kind: "wrong-sequence", by: 3 },
  "finds the server out of memory": { kind: "error", rc: 2 },
  "finds the server busy": { kind: "error", rc: 10 },
  "comes damaged": { kind: "error", rc: 9 },
  "is cut": { kind: "trim", multipleOf: 64 },
  "resets the device": { kind: "reset" },
  "resets the device when it is done": { kind: "reset", after: true },
  "cuts the power for a while": { kind: "power-cut", offMs: 3000 },
  "is answered with noise": { kind: "mangle", mangle: (answer) => answer.with(answer.length - 1, 0x61) },
  "is answered with half": { kind: "mangle", mangle: (answer) => answer.subarray(0, 9) },
};

describe("an image gets there although a request", () => {
  test.each(Object.entries(faults))("%s, whichever it is", async (_, fault) => {
    let unverified = 0;
    for (let skip = 0; skip < 14; skip++) {
      const { device, client } = await setUp({ eraseMsPerSector: 5, recovery: false });
      device.inject(fault, { on: "image.upload", skip });
      const result = await client.uploadImage(image);
      expect(hasImage(device), `request ${skip}`).toBe(true);
      if (!result.isVerified) unverified++;
    }
    // Where the last answer is lost, the list of images shows that all has arrived, and the server's verdict is not heard.
    expect(unverified).toBeLessThan(2);
  });
});

describe("a file gets there and back although a request", () => {
  const { "is answered with a lower offset": _, ...others } = faults;
  test.each(Object.entries(others))("%s, whichever it is", async (_name, fault) => {
    for (let skip = 0; skip < 8; skip++) {
      const { device, client } = await setUp();
      device.inject(fault, { on: "files.upload", skip });
      device.inject(fault, { on: "files.download", skip });
      await client.uploadFile("/lfs1/a", file);
      expect(crc32(device.files.get("/lfs1/a")!), `request ${skip}`).toBe(crc32(file));
      expect(crc32((await client.downloadFile("/lfs1/a")).data)).toBe(crc32(file));
    }
  });
});

describe("MCUboot's recovery takes an image although a request", () => {
  const { "is answered with a lower offset": _, ...others } = faults;
  test.each(Object.entries(others))("%s, whichever it is", async (_name, fault) => {
    for (let skip = 0; skip < 14; skip += 3) {
      const { device, client } = await setUp({
        startInRecovery: true,
        recovery: { bufSize: 512, alignment: 8 },
        images: [{ primary: "none" }],
      });
      expect(device.running).toBe("recovery");
      device.inject(fault, { on: "image.upload", skip });
      await client.uploadImage(image);
      expect(hasImage(device, 0), `request ${skip}`).toBe(true);
    }
  });
});

test("whatever goes wrong, and however often: it ends, and a further upload completes", async () => {
  const random = new SeededRandom(5, "mcumgr transfers");
  const drawn = new Uint32Array(1);
  const draw = (below: number): number => {
    random.fill(new Uint8Array(drawn.buffer));
    return drawn[0]! % below;
  };
  const kinds = Object.values(faults);
  for (let round = 0; round < 40; round++) {
    const lossy = round % 2 === 0;
    const { device, client, cut, clock } = await setUp(
      { bufCount: 1 + draw(5), progressiveErase: draw(2) === 0, errors: draw(2) === 0 ? "first-only" : "by-version" },
      { link: lossy ? { loss: (_octets, _to) => draw(12) === 0, delayMs: () => draw(30) } : {} },
    );
    for (let i = draw(6); i > 0; i--) device.inject(kinds[draw(kinds.length)]!, { on: "image.upload", skip: draw(16) });
    const timer = draw(3) === 0 ? clock.setTimer(draw(300), "cut", cut) : undefined;
    const code = await client.uploadImage(image).then(
      () => "done",
      (error: unknown) => (error as { code?: string }).code,
    );
    expect(["done", "ERR_MCUMGR_STALLED", "ERR_MCUMGR_RESPONSE"], `round ${round}`).toContain(code);
    timer?.[Symbol.dispose]();
    if (code !== "done") await client.uploadImage(image);
    expect(hasImage(device), `round ${round}`).toBe(true);
    expect(clock.now()).toBeLessThan(600_000);
    await client[Symbol.asyncDispose]();
  }
});

test("an answer to the last chunk that is lost does not begin the upload anew: the server shows the image", async () => {
  const { device, client } = await setUp({ imageCheck: false });
  let firsts = 0;
  device.on("request", ({ title, payload }) => {
    if (title === "image.upload" && payload.off === 0) firsts++;
  });
  device.inject({ kind: "lose-answer" }, { on: ({ title, payload }) => title === "image.upload" && isLast(payload) });
  const result = await client.uploadImage(image);
  expect([hasImage(device), firsts, result.isVerified]).toEqual([true, 1, false]);
});

const isLast = (payload: object) => {
  const { off, data } = payload as { off: number; data: Uint8Array };
  return off + data.length === image.length;
};

test("a digest that differs is an error, and the next upload starts anew", async () => {
  const { device, client } = await setUp();
  device.inject({ kind: "bad-hash" }, { on: "image.upload", skip: 3 });
  await expect(client.uploadImage(image)).rejects.toMatchObject({ code: "ERR_MCUMGR_MISMATCH" });
  expect((await client.uploadImage(image)).isVerified).toBe(true);
  expect(hasImage(device)).toBe(true);
});

test("a program that starts again goes on where the one before was", async () => {
  const { device, client, clock } = await setUp();
  const controller = new AbortController();
  const stopped = client.uploadImage(image, {
    signal: controller.signal,
    onProgress: ({ done }) => {
      if (done > 2000) controller.abort("Ctrl-C");
    },
  });
  await expect(stopped).rejects.toBe("Ctrl-C");
  await client[Symbol.asyncDispose]();
  const links = createMemoryLinks({ clock });
  device.attach(links.server);
  await using again = await McumgrClient.open(async () => links.client, { clock });
  const result = await again.uploadImage(image);
  expect(result.resumedFrom).toBeGreaterThan(2000);
  expect(hasImage(device)).toBe(true);
});
