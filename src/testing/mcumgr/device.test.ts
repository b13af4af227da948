import { describe, expect, test } from "vitest";
import { TestClient } from "../../../test/support/mcumgr-test-client.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { createMemoryLinks } from "../../mcumgr/links/memory.ts";
import { ShellGroup } from "../../mcumgr/protocol/groups/shell.ts";
import { encodeMessage } from "../../mcumgr/protocol/message.ts";
import { createImage } from "./create-image.ts";
import { SimulatedMcumgrDevice } from "./device.ts";
import type { SimulatedMcumgrDeviceOptions } from "./options.ts";
import type { SimulatedRunning } from "./record.ts";
import type { SimulatedBootloaderMode } from "./swap.ts";

function setUp(options: SimulatedMcumgrDeviceOptions = {}) {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const running: SimulatedRunning[] = [];
  device.on("running", (now) => running.push(now));
  return { clock, device, running };
}
const echo = (d: string) => encodeMessage({ op: 2, group: 0, command: 0, sequence: 1 }, { d });

describe("power", () => {
  test("that is cut stays off until it is switched on", async () => {
    const { clock, device, running } = setUp();
    device.powerCut();
    await clock.advance(3_600_000);
    expect([device.running, device.runningImage()]).toEqual(["off", undefined]);
    const started = device.powerOn();
    expect(device.running).toBe("starting");
    expect([await started, clock.now()]).toEqual(["application", 3_600_100]);
    expect([await device.powerOn(), clock.now()]).toEqual(["application", 3_600_100]); // it is on
    expect(running).toEqual(["off", "starting", "application"]);
    expect(device.runningImage()?.version).toBe("1.0.0");
  });

  test("comes back by itself after the time that is said", async () => {
    for (const offMs of [0, 500]) {
      const { clock, device } = setUp();
      device.powerCut({ offMs });
      await clock.advance(offMs + 99);
      expect(device.running).toBe("starting");
      await clock.advance(2);
      expect(device.running).toBe("application");
    }
  });

  test("that is cut at the start leaves it off", async () => {
    const { clock, device, running } = setUp();
    const starting = device.reset();
    await clock.advance(50);
    device.powerCut();
    expect(await starting).toBe("off");
    await clock.advance(1000);
    expect(running).toEqual(["off", "starting", "off"]);
  });
});

describe("what runs", () => {
  test.each<[string, SimulatedMcumgrDeviceOptions, number, SimulatedRunning]>([
    ["the application", {}, 0, "application"],
    ["the recovery, when asked for it", {}, 1, "recovery"],
    ["the application, where there is no recovery", { recovery: false }, 1, "application"],
    ["the recovery, where there is no image", { images: [{ primary: "none" }] }, 0, "recovery"],
    ["nothing, where there is neither", { images: [{ primary: "none" }], recovery: false }, 0, "nothing"],
    ["one application", { mode: "single-application" }, 0, "application"],
  ])("after a start: %s", async (_, options, bootMode, expected) => {
    const { device } = setUp(options);
    expect(await device.reset(bootMode)).toBe(expected);
    expect(device.record.at(-1)).toMatchObject({ kind: "started", running: expected });
  });

  test("at first: the newest image where images run in place, and the recovery where it is wanted", () => {
    const [primary, secondary] = ["1.0.0", "2.0.0"].map((version) => createImage({ version })) as [Uint8Array, Uint8Array];
    const version = (mode: SimulatedBootloaderMode) => setUp({ mode, images: [{ primary, secondary }] }).device.runningImage()?.version;
    expect([version("direct-xip"), version("ram-load"), version("direct-xip-revert"), version("swap-move")]).toEqual([
      "2.0.0",
      "2.0.0",
      "1.0.0",
      "1.0.0",
    ]);
    expect(setUp({ startInRecovery: true }).device.running).toBe("recovery");
    expect(setUp({ startInRecovery: true, recovery: false }).device.running).toBe("application");
  });

  test("next is a newer image that waits where images run in place, and none of the same version", () => {
    const pending = (mode: SimulatedBootloaderMode, version: string) => {
      const secondary = createImage({ version, seed: 2 });
      const { device } = setUp({ mode, images: [{ primary: createImage({ version: "1.0.0" }), secondary }] });
      return device.states.map(({ active, pending, permanent }) => [active, pending, permanent]);
    };
    for (const mode of ["direct-xip", "ram-load"] as const)
      for (const version of ["1.0.0", "0.9.0"])
        expect(pending(mode, version)).toEqual([
          [true, false, false],
          [false, false, false],
        ]);
  });

  test("messages that come while nothing runs are lost, and counted", async () => {
    const { clock, device } = setUp({ images: [{ primary: "none" }], recovery: false });
    const client = new TestClient(device, clock);
    client.post(0, 0, 2, { d: "x" });
    await clock.advance(1);
    expect(device.counters).toMatchObject({ requests: 0, lost: 1 });
    expect(device.record.at(-1)).toMatchObject({ kind: "lost", why: "not-running", length: 13 });
  });

  test("slots that it has are shown as a copy", () => {
    const { device } = setUp({ mode: "single-application" });
    const { octets, image, isSound } = device.slot(0, 0);
    expect([image?.version, isSound]).toEqual(["1.0.0", true]);
    octets.fill(0);
    expect(device.slot(0, 0).isSound).toBe(true);
    expect(() => device.slot(0, 1)).toThrow("the device has no slot 1 of image 0");
    expect(() => device.slot(1, 0)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  });
});

describe("links", () => {
  test("end with a reset and with the power, but for those that survive", async () => {
    for (const end of ["reset", "power"] as const) {
      const { clock, device } = setUp();
      const [ends, stays] = [createMemoryLinks({ clock }), createMemoryLinks({ clock })];
      const closed: string[] = [];
      ends.client.onClose = () => closed.push("ends");
      stays.client.onClose = () => closed.push("stays");
      device.attach(ends.server);
      device.attach(stays.server, { survivesReset: true });
      if (end === "reset") await device.reset();
      else device.powerCut({ offMs: 10 });
      await clock.advance(1000);
      expect(closed).toEqual(["ends"]);
      const answers: Uint8Array[] = [];
      stays.client.onMessage = (octets) => answers.push(octets);
      await stays.client.send(echo("x"));
      await clock.advance(1);
      expect(answers.length).toBe(1);
    }
  });

  test("are left open by who only stops serving them", async () => {
    const { clock, device } = setUp();
    const { client, server } = createMemoryLinks({ clock });
    const attached = device.attach(server, { longestMessage: 13 });
    await client.send(echo("x"));
    await client.send(echo("xy"));
    await clock.advance(1);
    expect(device.counters).toMatchObject({ requests: 1, lost: 1 });
    expect(device.record.at(-1)).toMatchObject({ kind: expect.stringMatching(/^(lost|answer)$/) as string });
    attached[Symbol.dispose]();
    attached[Symbol.dispose]();
    await client.send(echo("x"));
    await device.reset();
    await clock.advance(1);
    expect(device.counters).toMatchObject({ requests: 1, lost: 1 });
    await client.send(echo("x")); // it stands
  });

  test("of a disposed device end, and no more are taken", async () => {
    const { clock, device } = setUp();
    const { client, server } = createMemoryLinks({ clock });
    let closed = 0;
    client.onClose = () => void closed++;
    device.attach(server, { survivesReset: true });
    await device[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
    await clock.advance(1);
    expect(closed).toBe(1);
    expect(() => device.attach(createMemoryLinks({ clock }).server)).toThrow(expect.objectContaining({ code: "ERR_STATE" }));
  });
});

test("a group of one's own takes the place of the device's", async () => {
  const { clock, device } = setUp();
  device.serve(ShellGroup, { execute: ({ argv }) => ({ o: argv.join("+"), ret: 1 }) });
  const client = new TestClient(device, clock);
  expect(await client.ask(9, 0, 2, { argv: ["a", "b"] })).toEqual({ o: "a+b", ret: 1 });
  expect(await client.ask(10, 0, 0)).toEqual({ count: 8 });
});

test("text on the console is told and recorded", () => {
  const { device } = setUp();
  const heard: string[] = [];
  const listening = device.on("console", (text) => heard.push(text));
  device.print("one");
  listening[Symbol.dispose]();
  device.print("two");
  expect(heard).toEqual(["one"]);
  expect(device.record.filter(({ kind }) => kind === "console").map((entry) => (entry as { text?: string }).text)).toEqual(["one", "two"]);
});
