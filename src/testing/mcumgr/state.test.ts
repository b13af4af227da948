import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { createMemoryLinks, McumgrClient, readFirmware, upgradeFirmware } from "../../mcumgr/index.ts";
import { createImage } from "./create-image.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";
import type { SimulatedMcumgrState } from "./state.ts";

const IMAGE = createImage({ version: "2.0.0", bodySize: 40_000 });
const OPTIONS = { eraseMsPerSector: 5, writeMsPerKibibyte: 20, images: [{ slotSize: 64 << 10 }] } satisfies SimulatedMcumgrDeviceOptions;

/** Does something with a device, and gives what `save` says afterwards, as a file would hold it. */
async function during(
  state: SimulatedMcumgrState | undefined,
  act: (client: McumgrClient, device: SimulatedMcumgrDevice, clock: VirtualClock) => Promise<void>,
  options: SimulatedMcumgrDeviceOptions = OPTIONS,
): Promise<SimulatedMcumgrState> {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ ...options, clock, ...(state && { state }) });
  const open = async () => {
    const { client, server } = createMemoryLinks({ clock });
    device.attach(server);
    return client;
  };
  const client = await McumgrClient.open(open, { clock });
  await act(client, device, clock);
  await client[Symbol.asyncDispose]();
  const saved = structuredClone(await device.save());
  clock[Symbol.dispose]();
  return saved;
}

test.each([false, true])("an upload under way goes on in the next device, progressive erase %s", async (progressiveErase) => {
  const options = { ...OPTIONS, progressiveErase };
  let reached = 0;
  const state = await during(
    undefined,
    async (client) => {
      const stop = new AbortController();
      const onProgress = ({ done }: { done: number }): void => {
        if (done > 15_000) stop.abort("enough");
        reached = done;
      };
      await expect(client.uploadImage(IMAGE, { signal: stop.signal, onProgress })).rejects.toBe("enough");
    },
    options,
  );
  expect(state.upload).toMatchObject({ image: 0, slot: 1, len: IMAGE.length });
  await during(
    state,
    async (client, device) => {
      const { resumedFrom, isVerified } = await client.uploadImage(IMAGE);
      expect([resumedFrom >= reached, isVerified]).toEqual([true, true]);
      expect(device.slot(0, 1).isSound).toBe(true);
    },
    options,
  );
});

test("what had only begun to be erased begins anew", async () => {
  const before = await during(undefined, async (client) => void (await client.uploadImage(createImage({ bodySize: 30_000, seed: 9 }))));
  const state = await during(before, async (client, _device, clock) => {
    const stop = new AbortController();
    using _timer = clock.setTimer(20, "in the midst of the erase", () => stop.abort("enough"));
    await expect(client.uploadImage(IMAGE, { signal: stop.signal })).rejects.toBe("enough");
  });
  expect(state.upload).toBeUndefined();
  await during(state, async (client) => expect((await client.uploadImage(IMAGE)).isVerified).toBe(true));
});

test("a start under way, and a reset that was promised, are finished; an image on trial stays on trial", async () => {
  for (const stopAt of ["promised", "off", "starting"]) {
    const state = await during(undefined, async (client, device) => {
      await upgradeFirmware(client, readFirmware(IMAGE), { clock: device.clock, reset: false });
      await client.os.reset({});
      if (stopAt === "promised") return;
      await new Promise<void>((resolve) => {
        device.on("running", (running) => running === stopAt && resolve());
      });
    });
    expect(state.running).toBe("application");
    await during(state, async (client, device) => {
      expect((await client.image.state({})).images[0]).toMatchObject({ version: "2.0.0", active: true, confirmed: false });
      await device.reset();
      expect(device.runningImage()?.version).toBe("1.0.0");
    });
  }
});

test("a device without power, or whose power goes at its start, is what it is when it has started", async () => {
  const state = await during(undefined, async (client, device) => {
    await upgradeFirmware(client, readFirmware(IMAGE), { clock: device.clock, reset: false });
    device.powerCut();
    device.powerCutAfter(7);
  });
  await during(state, async (_client, device) => expect(device.runningImage()?.version).toBe("2.0.0"));
});

test("files and settings stay, saved or not; other options than a saved state has are refused", async () => {
  const options = { ...OPTIONS, settings: { "a/b": Uint8Array.of(1) }, files: { "/lfs1/x": Uint8Array.of(2) } };
  const state = await during(
    undefined,
    async (client) => {
      await client.settings.write({ name: "a/b", val: Uint8Array.of(7) });
      await client.uploadFile("/lfs1/y", new Uint8Array(3000));
    },
    options,
  );
  await during(state, async (client, device) => {
    expect((await client.settings.read({ name: "a/b" })).val).toEqual(Uint8Array.of(7));
    expect([...device.files].map(([name, { length }]) => [name, length])).toEqual([
      ["/lfs1/x", 1],
      ["/lfs1/y", 3000],
    ]);
    await device.reset();
    await client.reconnect();
    expect((await client.settings.read({ name: "a/b" })).val).toEqual(Uint8Array.of(1)); // what was not saved
  });
  const make = (change: object, other: SimulatedMcumgrDeviceOptions = {}) =>
    new SimulatedMcumgrDevice({ ...OPTIONS, ...other, state: { ...state, ...change } as SimulatedMcumgrState });
  const upload = { image: 0, slot: 1, len: 1000, off: 500, erasedTo: 4096 };
  for (const [change, other] of [
    [{ running: "off" }],
    [{ images: [] }],
    [{ images: [{ slots: [new Uint8Array(1)], active: 0 }] }],
    [{ images: [{ ...state.images[0], active: 2 }] }],
    [{ files: null }],
    [{ settings: { a: "b" } }],
    [{ nonsense: 1 }],
    [{ upload: { ...upload, slot: 2 } }],
    [{ upload: { ...upload, off: 1000 } }],
    [{ upload: { ...upload, len: 1 << 20 } }],
    [{}, { images: [{ slotSize: 128 << 10 }] }],
    [{}, { mode: "single-application" }],
  ] as [object, SimulatedMcumgrDeviceOptions?][])
    expect(() => make(change, other), JSON.stringify(change)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  await using _fits = make({ upload });
});

test("a disposed device has no state", async () => {
  const device = new SimulatedMcumgrDevice();
  await device.save();
  await expect(device.save()).rejects.toMatchObject({ code: "ERR_STATE" });
});
