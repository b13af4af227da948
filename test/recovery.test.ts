import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { Device } from "../src/device/index.ts";
import {
  Hci,
  type HciRecovery,
  type HciTransport,
  LeRand,
  ReadBdAddr,
  ReadLocalVersionInformation,
  Reset,
  TransportClosed,
} from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { createTransportPair } from "../src/transport/memory-pipe.ts";
import { ScriptedController } from "./support/scripted-hci.ts";

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});

/** Controllers, one for each time that the transport is opened; `prepare` has its way with each. */
function controllers(prepare: (controller: ScriptedController, number: number) => void = () => {}) {
  const made: ScriptedController[] = [];
  const open = (): HciTransport => {
    const [host, end] = createTransportPair({ spec: `memory:${made.length}` });
    const controller = new ScriptedController(end);
    controller.answer(LeRand, { randomNumber: RANDOM });
    made.push(controller);
    prepare(controller, made.length);
    return host;
  };
  return { made, open };
}

async function opened(recovery: Partial<HciRecovery> | undefined, prepare?: (controller: ScriptedController, number: number) => void) {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const { made, open } = controllers(prepare);
  const told: string[] = [];
  const hci = await Hci.open(open(), {
    clock,
    recovery: recovery && {
      ...recovery,
      onRecovering: (reason) => told.push(`recovering: ${reason.message}`),
      onRecovered: ({ by }) => told.push(`recovered by ${by}`),
    },
  });
  hci.onReset(() => told.push("links lost"));
  hci.onClose((reason) => told.push(`closed: ${reason.message}`));
  made[0]!.commands.length = 0;
  return { clock, made, open, hci, told };
}

const RANDOM = new Uint8Array(8).fill(7);
const SILENT = "the controller does not answer commands any more";
const silence = (controller: ScriptedController): void => {
  controller.answer(LeRand, "held");
  controller.answer(ReadLocalVersionInformation, "held");
};

describe("the ladder of a silent controller", () => {
  test("without it, silence is the end", async () => {
    const { clock, made, hci, told } = await opened(undefined);
    silence(made[0]!);
    const lost = expect(hci.send(LeRand, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(10_000);
    await lost;
    expect(told).toEqual([`closed: ${SILENT}`]);
  });

  test("first rung: a command without answer, a sign of life without answer, then HCI_Reset brings it back", async () => {
    const { clock, made, hci, told } = await opened({});
    silence(made[0]!);
    const lost = expect(hci.send(LeRand, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(9999);
    await lost;
    expect(told).toEqual([]);
    made[0]!.answer(ReadLocalVersionInformation, {
      hciVersion: 13,
      hciSubversion: 1,
      lmpVersion: 13,
      companyIdentifier: 1,
      lmpSubversion: 1,
    });
    await clock.advance(1);
    expect(made[0]!.commands.slice(0, 3)).toEqual(["LeRand", "ReadLocalVersionInformation", "Reset"]);
    expect(told).toEqual(["links lost", `recovering: ${SILENT}`, "recovered by reset"]);
    made[0]!.answer(LeRand, { randomNumber: RANDOM });
    expect(await hci.send(LeRand, {})).toMatchObject({ randomNumber: RANDOM });
    expect(hci.ended).toBeUndefined();
  });

  test("second rung: no answer to Reset, so the transport is opened again; what waited meanwhile leaves then", async () => {
    let again: () => HciTransport = () => {
      throw new Error("not yet");
    };
    const { clock, made, open, hci, told } = await opened({ reopen: async () => again() });
    again = open;
    silence(made[0]!);
    made[0]!.answer(Reset, "held");
    const lost = expect(hci.send(LeRand, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(10_000);
    await lost;
    const waiting = hci.send(LeRand, {});
    await clock.advance(5000);
    expect(made).toHaveLength(2);
    await expect(waiting).resolves.toBeDefined();
    expect(told).toEqual(["links lost", `recovering: ${SILENT}`, "recovered by reopening"]);
    expect(made[1]!.commands[0]).toBe("Reset");
  });

  test("a transport that ends is opened again at once, and as often as is wanted", async () => {
    let failures = 3;
    let again: () => HciTransport = () => {
      throw new Error("not yet");
    };
    const reopen = async (): Promise<HciTransport> => {
      if (failures-- > 0) throw new Error("there is no /dev/ttyACM0");
      return again();
    };
    const { clock, made, open, hci, told } = await opened({ reopen, attempts: 4, waitMs: 2000 });
    again = open;
    made[0]!.answer(LeRand, "held");
    const lost = expect(hci.send(LeRand, {})).rejects.toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
    await made[0]!.transport[Symbol.asyncDispose]();
    await lost;
    await clock.advance(5999);
    expect(told).toHaveLength(2);
    await clock.advance(1);
    expect(told.slice(2)).toEqual(["recovered by reopening"]);
    expect(made).toHaveLength(2);
  });

  test("last rung: a controller that does not come back is given up with a ControllerError", async () => {
    const reopen = async (): Promise<HciTransport> => {
      throw new Error("there is no /dev/ttyACM0");
    };
    const { clock, made, hci, told } = await opened({ reopen, attempts: 3 });
    await made[0]!.transport[Symbol.asyncDispose]();
    await clock.advance(2000);
    expect(told.at(-1)).toBe("closed: the controller could not be brought back");
    expect(hci.ended).toMatchObject({ code: "ERR_CONTROLLER", cause: { message: "there is no /dev/ttyACM0" } });
    await expect(hci.send(LeRand, {})).rejects.toMatchObject({ code: "ERR_CONTROLLER" });
  });

  test("a Reset is the last rung where nothing can be opened again", async () => {
    const { clock, made, hci, told } = await opened({});
    silence(made[0]!);
    made[0]!.answer(Reset, "held");
    hci.send(LeRand, {}).catch(() => undefined);
    await clock.advance(15_000);
    expect(told.at(-1)).toBe("closed: the controller could not be brought back");
  });

  test("another controller at the same place is not taken for it", async () => {
    let again: () => HciTransport = () => {
      throw new Error("not yet");
    };
    const { clock, made, open, hci, told } = await opened({ reopen: async () => again(), attempts: 2 }, (controller, number) => {
      if (number === 2) controller.answer(ReadBdAddr, { bdAddr: Address.from("02:00:00:00:00:99") });
    });
    again = open;
    await made[0]!.transport[Symbol.asyncDispose]();
    await clock.advance(1000);
    expect([made.length, told.at(-1), hci.ended]).toEqual([3, "recovered by reopening", undefined]);
  });

  test("a Hardware Error is answered by Reset (Vol 4 Part E 7.7.16)", async () => {
    const { made, hci, told, clock } = await opened({});
    made[0]!.send(Uint8Array.of(0x04, 0x10, 1, 0x42));
    await clock.advance(0);
    expect(told).toEqual(["links lost", "recovering: the controller reported hardware error 0x42", "recovered by reset"]);
    expect(hci.ended).toBeUndefined();
  });

  test("an opening that hangs is given up after 15 s, and what it opens later is closed", async () => {
    let finish: (transport: HciTransport) => void = () => {};
    const reopen = (): Promise<HciTransport> =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const { clock, made, open, told } = await opened({ reopen, attempts: 1 });
    await made[0]!.transport[Symbol.asyncDispose]();
    await clock.advance(15_000);
    expect(told.at(-1)).toBe("closed: the controller could not be brought back");
    const late = open();
    let isClosed = false;
    made[1]!.transport.onClose = () => {
      isClosed = true;
    };
    finish(late);
    await clock.advance(0);
    expect(isClosed).toBe(true);
  });

  test("who closes it meanwhile is not kept waiting, and nothing is opened any more", async () => {
    let openings = 0;
    const reopen = async (): Promise<HciTransport> => {
      openings++;
      throw new Error("not there");
    };
    const { clock, made, hci, told } = await opened({ reopen, attempts: 100 });
    await made[0]!.transport[Symbol.asyncDispose]();
    await clock.advance(1500);
    const closing = hci[Symbol.asyncDispose]();
    await clock.advance(60_000);
    await closing;
    expect(openings).toBe(2);
    expect(told.at(-1)).toBe("closed: the controller was closed by its user");
  });

  test.each([[{ attempts: 0 }], [{ waitMs: -1 }], [{ reopen: 1 }], [{ other: 1 }]])("%j is refused", async (recovery) => {
    const clock = new VirtualClock({ auto: false });
    clocks.push(clock);
    await expect(Hci.open(controllers().open(), { clock, recovery: recovery as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("a device whose controller is lost", () => {
  test("opens it again: links end with a typed error, advertising and a scan begin anew", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const controller = air.addController({ name: "dongle" });
    const hosts: HciTransport[] = [];
    const plug = async (): Promise<HciTransport> => {
      const [host, end] = createTransportPair({ spec: "serial:/dev/ttyACM0" });
      hosts.push(host);
      controller.attach(end);
      return host;
    };
    await using device = await Device.open(plug, { clock: air.clock, recovery: { waitMs: 100 } });
    await using peer = await air.device({ name: "peer" });
    const told: string[] = [];
    device.on("recovering", (reason) => told.push(`recovering ${reason.code}`));
    device.on("recovered", ({ by }) => told.push(`recovered ${by}`));
    device.on("closed", () => told.push("closed"));

    const scanning = (async () => {
      for await (const _ of device.scan({ duplicates: "report" })) if (told.includes("recovered reopening")) return;
    })();
    await peer.advertise({ data: { name: "Peer" } });
    await device.advertise({ data: { name: "Lamp" } });
    const other = await air.device({ name: "other" });
    const link = await other.connect(device.address, { timeoutMs: 5000 });
    await air.advance(100);
    const ended = new Promise<unknown>((resolve) => device.links[0]!.on("disconnected", resolve));
    const advertising = await device.advertise({ data: { name: "Lamp" } });
    hosts[0]!.onClose?.(new TransportClosed("it was unplugged"));
    expect(await ended).toMatchObject({ code: "ERR_DISCONNECTED", cause: { code: "ERR_TRANSPORT_CLOSED" } });
    await scanning;
    expect(told).toEqual(["recovering ERR_TRANSPORT_CLOSED", "recovered reopening"]);
    expect([hosts.length, device.links.length]).toEqual([2, 0]);
    const answered = advertising.connection({ timeoutMs: 5000 });
    await link.closed.catch(() => undefined);
    await other.connect(device.address, { timeoutMs: 5000 });
    expect((await answered).peerAddress.equals(other.address)).toBe(true);
  });
});
