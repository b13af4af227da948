import { expect, test } from "vitest";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import type { McumgrFault } from "../../testing/mcumgr/faults.ts";
import type { SimulatedMcumgrDeviceOptions } from "../../testing/mcumgr/options.ts";
import { createMemoryLinks } from "../links/memory.ts";
import { UpgradeSetup } from "./test-setup.ts";

const V2 = createImage({ version: "2.0.0", bodySize: 1100 });
const small = { sectorSize: 512, images: [{ slotSize: 8 << 10 }] } as const;

/** A link that a reset leaves as it is, and that may lose messages, as a line or datagrams. */
function lineSetup(device: SimulatedMcumgrDeviceOptions): UpgradeSetup {
  const setup = new UpgradeSetup(device);
  setup.open = async () => {
    setup.links = createMemoryLinks({ clock: setup.clock, delayMs: 1, provenLimit: 256, loss: () => false });
    setup.device.attach(setup.links.server, { survivesReset: true });
    return setup.links.client;
  };
  return setup;
}

test("a device that starts by itself between two questions is not reset once more, which would send the new image back", async () => {
  await using setup = lineSetup({ ...small, mode: "swap-move" });
  const { device } = setup;
  let resets = 0;
  using _ = device.on("request", ({ title }) => {
    if (title === "os.reset") resets++;
    // Marked, and its images were read as they are before the start.
    if (title === "os.bootloaderInfo" && device.states.some(({ pending }) => pending)) void device.reset();
  });
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
  expect([resets, device.runningImage()?.version]).toEqual([0, "2.0.0"]);
});

test("a program that begins while the device erases for another one waits, and completes the upgrade", async () => {
  await using setup = new UpgradeSetup({
    ...small,
    images: [{ slotSize: 8 << 10, secondary: createImage({ version: "1.5.0", bodySize: 1500 }) }],
    eraseMsPerSector: 2000,
  });
  const killed = new AbortController();
  using _ = setup.device.on("request", ({ title }) => {
    if (title === "image.upload") killed.abort(new Error("killed"));
  });
  await expect(setup.upgrade(V2, { signal: killed.signal })).rejects.toThrow("killed");
  _[Symbol.dispose]();
  expect(await setup.upgrade(V2, { startTimeoutMs: 3_600_000 })).toMatchObject({ outcome: "complete" });
  expect(setup.events.some((event) => event.type === "again" && /image\.state/.test(event.why))).toBe(true);
});

test("a device that answers nothing at all is given up after 45 s", async () => {
  await using setup = new UpgradeSetup(small);
  setup.onReady = () => void setup.device.inject({ kind: "lose-request" }, { times: 10_000 });
  const begunMs = setup.clock.now();
  await expect(setup.upgrade(V2)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect((setup.clock.now() - begunMs) / 1000).toBeCloseTo(47, -1);
});

const MANGLED: McumgrFault = { kind: "mangle", mangle: (answer) => answer.subarray(0, answer.length - 3) };

test.each<[string, McumgrFault]>([
  ["is short of memory", { kind: "error", rc: 2 }],
  ["is busy", { kind: "error", rc: 10 }],
  ["got the question damaged", { kind: "error", rc: 9 }],
  ["has its answer damaged", MANGLED],
  ["is silent", { kind: "lose-answer" }],
])("a bootloader's mode is not guessed from a server that %s just then", async (_, fault) => {
  await using setup = new UpgradeSetup({ ...small, mode: "direct-xip" });
  setup.device.inject(fault, { on: "os.bootloaderInfo", times: 2 });
  const result = await setup.upgrade(V2);
  expect([result.outcome, result.plan.method]).toEqual(["complete", "direct-xip"]);
});

test("a mode that a busy server never tells is an error, not a guess", async () => {
  await using setup = new UpgradeSetup({ ...small, mode: "direct-xip" });
  setup.device.inject({ kind: "error", rc: 10 }, { on: "os.bootloaderInfo", times: 10_000 });
  await expect(setup.upgrade(V2)).rejects.toMatchObject({ code: "ERR_MCUMGR", rcName: "Busy" });
  expect(setup.device.states.every(({ pending }) => !pending)).toBe(true);
});

test.each([
  ["image.state", MANGLED],
  ["image.state", { kind: "error", rc: 2 }],
  ["image.setState", MANGLED],
  ["image.setState", { kind: "error", rc: 2 }],
  ["os.reset", MANGLED],
  ["os.reset", { kind: "error", rc: 2 }],
] as const)("%s, answered with what may be another answer the next time (%o): it is looked at again", async (on, fault) => {
  await using setup = new UpgradeSetup(small);
  setup.device.inject(fault, { on, times: 1 });
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete" });
  expect(setup.device.runningImage()?.version).toBe("2.0.0");
});

test.each(["image.setState", "os.reset", "image.erase"])(
  "a lost answer to %s costs seconds, not the time that an erase may take",
  async (on) => {
    await using setup = lineSetup({
      ...small,
      images: [{ slotSize: 8 << 10, secondary: createImage({ version: "1.5.0", bodySize: 500 }) }],
    });
    // Another image waits, so that there is something to erase.
    await setup.run(async (client) => {
      const { images } = await client.image.state();
      await client.image.setState({ hash: images[1]!.hash!, confirm: false });
    });
    const begunMs = setup.clock.now();
    setup.device.inject({ kind: "lose-answer" }, { on });
    expect(await setup.upgrade(V2, { force: true })).toMatchObject({ outcome: "complete" });
    expect(setup.clock.now() - begunMs).toBeLessThan(on === "image.erase" ? 45_000 : 12_000);
  },
);

test("a device that went back is told as such, and the same call completes the upgrade over any kind of link", async () => {
  await using setup = lineSetup(small);
  let isFirst = true;
  using _ = setup.device.on("request", ({ title, payload }) => {
    if (title !== "image.setState" || payload.confirm !== true || !isFirst) return;
    isFirst = false;
    void setup.device.reset(); // before it is confirmed: the bootloader goes back
  });
  await expect(setup.upgrade(V2)).rejects.toMatchObject({ code: "ERR_UPGRADE", reason: "reverted" });
  expect(setup.device.runningImage()?.version).toBe("1.0.0");
  expect(await setup.upgrade(V2)).toMatchObject({ outcome: "complete", wasThere: false });
  expect(setup.device.runningImage()?.version).toBe("2.0.0");
});

test("an image that crashes before its confirmation arrives is not made permanent by it", async () => {
  await using setup = new UpgradeSetup(small);
  let marks = 0;
  setup.open = async () => {
    setup.links = createMemoryLinks({
      clock: setup.clock,
      provenLimit: 256,
      loss: () => false,
      delayMs: ({ 0: op, 5: group, 7: command }, to) => {
        const isConfirmation = to === "server" && (op! & 7) === 2 && group === 1 && command === 0 && ++marks === 2;
        if (isConfirmation) void setup.device.reset();
        return isConfirmation ? 5000 : 1;
      },
    });
    setup.device.attach(setup.links.server, { survivesReset: true });
    return setup.links.client;
  };
  await expect(setup.upgrade(V2)).rejects.toMatchObject({ code: "ERR_UPGRADE", reason: "reverted" });
  expect(setup.device.states.some(({ permanent }) => permanent)).toBe(false);
  expect(setup.device.runningImage()?.version).toBe("1.0.0");
});
