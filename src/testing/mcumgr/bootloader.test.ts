import { describe, expect, test } from "vitest";
import { TestClient } from "../../../test/support/mcumgr-test-client.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { equalBytes } from "../../bytes/hex.ts";
import { parseImage } from "../../mcumgr/image/mcuboot.ts";
import { createImage } from "./create-image.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";
import { MODES } from "./options.ts";

const OLD = createImage({ version: "1.0.0", bodySize: 700 });
const NEW = createImage({ version: "2.0.0", bodySize: 900 });
const SWAPPING = ["swap-scratch", "swap-move", "swap-offset"] as const;
// Small sectors, so that a swap has many steps and a test few of them to wait for.
const SMALL = { sectorSize: 128, bufSize: 600 } as const;
const slotOf = (more: object = {}) => ({ slotSize: 2048, primary: OLD, ...more });

function hashOf(image: Uint8Array): Uint8Array {
  return parseImage(image).digest!.value;
}

async function withDevice(
  options: SimulatedMcumgrDeviceOptions,
  act: (device: SimulatedMcumgrDevice, client: TestClient, clock: VirtualClock) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  await using device = new SimulatedMcumgrDevice({ clock, ...SMALL, images: [slotOf()], ...options });
  await act(device, new TestClient(device, clock), clock);
}

/** "0 1.0.0 active confirmed" */
function shown(device: SimulatedMcumgrDevice): string[] {
  return device.states.map((state) => {
    const flags = (["active", "confirmed", "pending", "permanent"] as const).filter((flag) => state[flag]);
    return [device.states.some(({ image }) => image > 0) ? `${state.image}.${state.slot}` : state.slot, state.version, ...flags].join(" ");
  });
}

describe("what may run", () => {
  const notBootable = createImage({ version: "3.0.0", bodySize: 900, flags: 0x10 });
  const boots = async (...primaries: (Uint8Array | "none")[]) => {
    const device = new SimulatedMcumgrDevice({
      clock: new VirtualClock(),
      ...SMALL,
      images: primaries.map((primary) => ({ slotSize: 8192, primary })),
    });
    return [device.running, await device.reset()];
  };

  test("is whole and bootable, of every image that the device has", async () => {
    const recovery = ["recovery", "recovery"];
    expect(await boots(OLD)).toEqual(["application", "application"]);
    expect(await boots(notBootable)).toEqual(recovery);
    expect(await boots(OLD.with(100, OLD[100]! ^ 1))).toEqual(recovery);
    expect(await boots(OLD, NEW)).toEqual(["application", "application"]);
    for (const other of [notBootable, "none"] as const) {
      expect(await boots(OLD, other)).toEqual(recovery);
      expect(await boots(other, OLD)).toEqual(recovery);
    }
  });

  test("an image that is not bootable is not exchanged, and not kept", async () => {
    await withDevice({}, async (device, client) => {
      await client.upload(notBootable, {}, 300);
      expect(device.states[1]).toMatchObject({ version: "3.0.0", bootable: false });
      await client.ask(1, 0, 2, { hash: hashOf(notBootable), confirm: false });
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed"]);
    });
  });

  test.each([
    ["1.0.0", true],
    ["1.0.0.1", false],
    ["0.9.9", true],
  ])("a dependency on image 1 from %s on, which has 1.0.0: exchanged %s", async (version, isMet) => {
    const dependent = createImage({ version: "2.0.0", bodySize: 500, dependencies: [{ image: 1, version }] });
    const images = [
      { slotSize: 8192, primary: OLD, secondary: dependent },
      { slotSize: 8192, primary: OLD },
    ];
    await withDevice({ images }, async (device, client) => {
      await client.ask(1, 0, 2, { hash: hashOf(dependent), confirm: false });
      await device.reset();
      expect(device.states[0]!.version).toBe(isMet ? "2.0.0" : "1.0.0");
    });
  });

  test("a dependency on an image that the device lacks, or that holds nothing, is not met", async () => {
    const dependent = (image: number) => createImage({ version: "2.0.0", bodySize: 500, dependencies: [{ image, version: "0.0.0" }] });
    for (const image of [1, 7]) {
      await withDevice({ images: [{ slotSize: 8192, primary: OLD, secondary: dependent(image) }] }, async (device, client) => {
        await client.ask(1, 0, 2, { hash: hashOf(dependent(image)), confirm: false });
        await device.reset();
        expect(device.states[0]!.version).toBe("1.0.0");
      });
    }
  });
});

describe("swapping", () => {
  test.each(SWAPPING)("%s: test, run, revert; test, run, confirm, stay", async (mode) => {
    await withDevice({ mode }, async (device, client) => {
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed"]);
      expect(await client.upload(NEW, {}, 300)).toMatchObject({ off: NEW.length });
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0"]);
      expect(await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false })).toHaveProperty("images");
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0 pending"]);
      expect(await device.reset()).toBe("application");
      expect(shown(device)).toEqual(["0 2.0.0 active", "1 1.0.0 confirmed"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0"]);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
      await device.reset();
      expect(await client.ask(1, 0, 2, { confirm: true })).toHaveProperty("images");
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed", "1 1.0.0"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed", "1 1.0.0"]);
      expect(equalBytes(device.slot(0, 0).octets.subarray(0, NEW.length), NEW)).toBe(true);
    });
  });

  test.each(SWAPPING)("%s: a permanent image stays without being confirmed", async (mode) => {
    await withDevice({ mode }, async (device, client) => {
      await client.upload(NEW, {}, 300);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: true });
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0 pending permanent"]);
      await device.reset();
      await device.reset();
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed", "1 1.0.0"]);
    });
  });

  test.each(MODES.filter((mode) => mode !== "single-application"))(
    "%s: an image that is damaged is not started, whatever the server was told",
    async (mode) => {
      const bad = NEW.slice();
      bad[100]! ^= 1;
      await withDevice({ mode }, async (device, client) => {
        await client.upload(bad, {}, 300);
        await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: true });
        expect(await device.reset()).toBe("application");
        expect(device.runningImage()?.version).toBe("1.0.0");
        expect(await device.reset()).toBe("application");
        expect(shown(device)[0]).toBe("0 1.0.0 active confirmed");
      });
    },
  );

  test("overwrite only: there is no way back", async () => {
    await withDevice({ mode: "overwrite-only" }, async (device, client) => {
      await client.upload(NEW, {}, 300);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0 pending"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed"]);
    });
  });

  test("an older image is not taken where the bootloader forbids it", async () => {
    await withDevice({ noDowngrade: true, images: [{ slotSize: 2048, primary: NEW, secondary: OLD }] }, async (device, client) => {
      expect(await client.ask(0, 8, 0, { query: "mode" })).toEqual({ mode: 3, "no-downgrade": true });
      await client.ask(1, 0, 2, { hash: hashOf(OLD), confirm: true });
      await device.reset();
      expect(shown(device)).toEqual(["0 2.0.0 active confirmed"]);
    });
  });

  test("the bootloader's own check decides", async () => {
    await withDevice({ accepts: ({ version }) => version !== "2.0.0" }, async (device, client) => {
      await client.upload(NEW, {}, 300);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: true });
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed"]);
    });
  });

  test("an image that leaves no room for the trailer, or for the way of swapping, is not taken", async () => {
    for (const mode of SWAPPING) {
      const large = createImage({ version: "3.0.0", bodySize: 2048 - 128 - 72 });
      await withDevice({ mode }, async (device, client) => {
        await client.upload(large, {}, 300);
        await client.ask(1, 0, 2, { hash: hashOf(large), confirm: true });
        await device.reset();
        expect(device.runningImage()?.version).toBe(mode === "swap-scratch" ? "3.0.0" : "1.0.0");
      });
    }
  });

  test("a padded image brings its own trailer: it is started without being asked", async () => {
    await withDevice({ mode: "swap-scratch" }, async (device, client) => {
      const padded = createImage({ version: "4.0.0", slotSize: 2048, confirmed: true });
      await client.upload(padded, {}, 500);
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 4.0.0 pending permanent"]);
      await device.reset();
      expect(shown(device)[0]).toBe("0 4.0.0 active confirmed");
    });
  });
});

describe("images that run in place", () => {
  test.each(["direct-xip", "ram-load"] as const)("%s: the newest runs, a reset is enough", async (mode) => {
    await withDevice({ mode }, async (device, client) => {
      await client.upload(NEW, {}, 300);
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0 pending permanent"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0", "1 2.0.0 active confirmed"]);
      const newest = createImage({ version: "3.0.0", bodySize: 600 });
      await client.upload(newest, {}, 300); // into the slot that does not run
      await device.reset();
      expect(shown(device)).toEqual(["0 3.0.0 active confirmed", "1 2.0.0"]);
    });
  });

  test("with revert: an image runs once it is marked, and stays once it is confirmed", async () => {
    await withDevice({ mode: "direct-xip-revert" }, async (device, client) => {
      await client.upload(NEW, {}, 300);
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0"]);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed", "1 2.0.0 pending"]);
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 confirmed", "1 2.0.0 active"]);
      expect(await client.ask(1, 5, 2)).toEqual({ err: { group: 1, rc: 9 } }); // the fallback
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0 active confirmed"]);
      await client.upload(NEW, {}, 300);
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
      await device.reset();
      await client.ask(1, 0, 2, { confirm: true });
      await device.reset();
      expect(shown(device)).toEqual(["0 1.0.0", "1 2.0.0 active confirmed"]);
    });
  });
});

describe("several images", () => {
  const network = createImage({ version: "1.0.0", bodySize: 500, seed: 5 });
  const newNetwork = createImage({ version: "1.1.0", bodySize: 600, seed: 5 });
  const images = [slotOf(), { slotSize: 2048, primary: network }];

  test("each is uploaded by its number, marked and swapped", async () => {
    await withDevice({ images }, async (device, client) => {
      expect(await client.upload(newNetwork, { image: 1 }, 300)).toMatchObject({ off: newNetwork.length });
      await client.upload(NEW, { image: 0 }, 300);
      expect(await client.ask(1, 1, 2, { image: 2, off: 0, len: NEW.length, data: NEW.subarray(0, 64) })).toEqual({
        err: { group: 1, rc: 9 },
      });
      await client.ask(1, 0, 2, { hash: hashOf(newNetwork), confirm: false });
      await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
      expect(shown(device)).toEqual(["0.0 1.0.0 active confirmed", "0.1 2.0.0 pending", "1.0 1.0.0 active confirmed", "1.1 1.1.0 pending"]);
      await device.reset();
      expect(shown(device)).toEqual(["0.0 2.0.0 active", "0.1 1.0.0 confirmed", "1.0 1.1.0 active", "1.1 1.0.0 confirmed"]);
      await client.ask(1, 0, 2, { confirm: true });
      await client.ask(1, 0, 2, { hash: hashOf(newNetwork), confirm: true });
      expect(shown(device)).toEqual(["0.0 2.0.0 active confirmed", "0.1 1.0.0", "1.0 1.1.0 active confirmed", "1.1 1.0.0"]);
      expect(await client.ask(1, 5, 2, { slot: 3 })).toEqual({});
      expect(shown(device)).toHaveLength(3);
      expect(await client.ask(1, 6, 0)).toMatchObject({
        images: [
          { image: 0, slots: [{ slot: 0 }, { slot: 1, upload_image_id: 0 }] },
          { image: 1, slots: [{ slot: 0 }, { slot: 1, upload_image_id: 1 }] },
        ],
      });
    });
  });

  test("an image that needs another is not started without it", async () => {
    const needy = createImage({ version: "2.0.0", bodySize: 900, dependencies: [{ image: 1, version: "1.1.0" }] });
    await withDevice({ images }, async (device, client) => {
      await client.upload(needy, { image: 0 }, 300);
      await client.ask(1, 0, 2, { hash: hashOf(needy), confirm: true });
      await device.reset();
      expect(device.runningImage(0)?.version).toBe("1.0.0");
      await client.upload(newNetwork, { image: 1 }, 300);
      await client.ask(1, 0, 2, { hash: hashOf(newNetwork), confirm: true });
      await device.reset();
      expect([0, 1].map((image) => device.runningImage(image)?.version)).toEqual(["2.0.0", "1.1.0"]);
    });
  });
});

describe("serial recovery", () => {
  test("where no image can run, and where a reset asks for it", async () => {
    await withDevice({ mode: "single-application", images: [{ slotSize: 2048, primary: "none" }] }, async (device, client) => {
      expect(device.running).toBe("recovery");
      expect(await client.upload(NEW, {}, 300)).toEqual({ rc: 0, off: NEW.length });
      expect(await client.ask(1, 0, 0)).toMatchObject({ images: [{ slot: 0, version: "2.0.0", hash: hashOf(NEW) }] });
      await client.ask(0, 5, 2);
      await new Promise((resolve) => device.on("running", (running) => running === "application" && resolve(running)));
      expect(device.runningImage()?.version).toBe("2.0.0");
      expect(await client.ask(1, 1, 2, { off: 0, len: 64, data: NEW.subarray(0, 64) })).toEqual({ err: { group: 1, rc: 9 } });
      await client.ask(0, 5, 2, { boot_mode: 1 });
      await new Promise((resolve) => device.on("running", (running) => running === "recovery" && resolve(running)));
      expect(await client.ask(0, 6, 0)).toEqual({ buf_size: 1024, buf_count: 1 });
    });
  });

  test("without it a device without an image says nothing", async () => {
    await withDevice({ recovery: false, images: [{ slotSize: 2048, primary: "none" }] }, async (device, client) => {
      expect(device.running).toBe("nothing");
      expect(await client.ask(0, 0, 2, { d: "hello" })).toBeUndefined();
      expect(device.record.at(-1)).toMatchObject({ kind: "lost", why: "not-running" });
    });
  });

  test("chunks are trimmed to what the flash can write, and a wrong offset is answered with the right one", async () => {
    const options = { startInRecovery: true, recovery: { alignment: 8 }, images: [slotOf()] } as const;
    await withDevice(options, async (device, client) => {
      const first = { off: 0, len: NEW.length, image: 2, data: NEW.subarray(0, 101) };
      expect(await client.ask(1, 1, 2, first)).toEqual({ rc: 0, off: 96 });
      expect(await client.ask(1, 1, 2, { off: 101, data: NEW.subarray(101, 200) })).toEqual({ rc: 0, off: 96 });
      expect(await client.upload(NEW, { image: 2 }, 99)).toEqual({ rc: 0, off: NEW.length });
      expect(equalBytes(device.slot(0, 1).octets.subarray(0, NEW.length), NEW)).toBe(true);
    });
  });
});

describe("power cuts", () => {
  /** Runs an upgrade while the power goes at one step of the flash memory after the other, until one run needs no more steps. */
  async function everywhere(
    options: SimulatedMcumgrDeviceOptions,
    upgrade: (device: SimulatedMcumgrDevice, client: TestClient, clock: VirtualClock) => Promise<void>,
    check: (device: SimulatedMcumgrDevice, wasCut: boolean) => void,
    again = false,
  ): Promise<number> {
    for (let step = 0; ; step++) {
      let wasCut = false;
      await withDevice(options, async (device, client, clock) => {
        device.powerCutAfter(step);
        await upgrade(device, client, clock);
        wasCut = device.record.some((entry) => entry.kind === "off" && entry.why === "power");
        if (device.running === "off") await device.powerOn();
        expect(device.running, `cut at step ${step}`).toBe("application");
        expect(device.slot(0, device.states.find(({ active }) => active)!.slot).isSound, `cut at step ${step}`).toBe(true);
        check(device, wasCut);
        if (!again) return;
        // Whatever was left over, the same once more ends right.
        if (device.runningImage()?.version !== "2.0.0") {
          await upgrade(device, client, clock);
          expect(device.runningImage()?.version, `again after step ${step}`).toBe("2.0.0");
        }
      });
      if (!wasCut) return step;
    }
  }

  test.each([...SWAPPING, "overwrite-only", "direct-xip", "direct-xip-revert", "ram-load"] as const)(
    "%s: whatever step of upload, marking and swap it strikes, an image that is whole runs, and another attempt completes",
    async (mode) => {
      const steps = await everywhere(
        { mode },
        async (device, client) => {
          await client.upload(NEW, {}, 300);
          await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: true });
          if (device.running === "application") await device.reset();
        },
        (device, wasCut) => {
          const version = device.runningImage()?.version;
          expect(["1.0.0", "2.0.0"]).toContain(version);
          if (!wasCut) expect(version).toBe("2.0.0");
        },
        true,
      );
      expect(steps).toBeGreaterThan(mode.startsWith("swap") ? 50 : 3);
    },
  );

  test.each(SWAPPING)("%s: an image that is to be tested runs once, however often its swap is cut", async (mode) => {
    for (let step = 0; ; step++) {
      let wasCut = false;
      await withDevice({ mode, images: [slotOf({ secondary: NEW })] }, async (device, client, clock) => {
        await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
        device.powerCutAfter(step, { offMs: 10 });
        void device.reset();
        await clock.advance(1000);
        wasCut = device.record.some((entry) => entry.kind === "off" && entry.why === "power");
        expect(shown(device), `cut at step ${step}`).toEqual(["0 2.0.0 active", "1 1.0.0 confirmed"]);
        if (!wasCut) return;
        await device.reset();
        expect(shown(device), `cut at step ${step}`).toEqual(["0 1.0.0 active confirmed", "1 2.0.0"]);
      });
      if (!wasCut) return;
    }
  });

  test("several images come together or not at all", async () => {
    const network = createImage({ version: "1.0.0", bodySize: 200, seed: 5 });
    const newNetwork = createImage({ version: "2.0.0", bodySize: 300, seed: 5 });
    const images = [slotOf({ secondary: NEW }), { slotSize: 2048, primary: network, secondary: newNetwork }];
    for (let step = 0; ; step++) {
      let wasCut = false;
      await withDevice({ images }, async (device, client, clock) => {
        for (const image of [NEW, newNetwork]) await client.ask(1, 0, 2, { hash: hashOf(image), confirm: false });
        device.powerCutAfter(step, { offMs: 10 });
        void device.reset();
        await clock.advance(1000);
        wasCut = device.record.some((entry) => entry.kind === "off" && entry.why === "power");
        const versions = () => [0, 1].map((image) => device.runningImage(image)?.version);
        expect(versions(), `cut at step ${step}`).toEqual(["2.0.0", "2.0.0"]);
        if (!wasCut) return;
        await device.reset();
        expect(versions(), `cut at step ${step}`).toEqual(["1.0.0", "1.0.0"]);
      });
      if (!wasCut) return;
    }
  });

  test.each(SWAPPING)("%s: a revert that is cut is a revert all the same", async (mode) => {
    await everywhere(
      { mode, images: [slotOf({ secondary: NEW })] },
      async (device, client) => {
        await client.ask(1, 0, 2, { hash: hashOf(NEW), confirm: false });
        for (let round = 0; round < 3; round++) {
          if (device.running === "off") await device.powerOn();
          else await device.reset();
        }
      },
      (device) => expect(shown(device)[0]).toMatch(/^0 [12].0.0 active( confirmed)?$/),
    );
  });

  test("a cut while an octet takes its time leaves what was written so far", async () => {
    await withDevice({ writeMsPerKibibyte: 1000, eraseMsPerSector: 50 }, async (device, client, clock) => {
      client.post(1, 1, 2, { off: 0, len: NEW.length, data: NEW.subarray(0, 512) });
      await clock.advance(100);
      device.powerCut({ offMs: 1000 });
      expect(device.running).toBe("off");
      expect(equalBytes(device.slot(0, 1).octets.subarray(0, 256), NEW.subarray(0, 256))).toBe(true);
      expect(device.slot(0, 1).octets[256]).toBe(0xff);
      await clock.advance(1200);
      expect(device.running).toBe("application");
    });
  });
});
