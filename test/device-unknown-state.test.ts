import { describe, expect, test } from "vitest";
import { Address, type BleError } from "../src/core/index.ts";
import { Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { type CommandFault, FaultyTransport } from "./support/faulty-transport.ts";

/** How an operation may end while commands go wrong. */
const TYPED = /^(done|ERR_HCI|ERR_TIMEOUT)$/;
const NOBODY = Address.from("00:00:00:00:0B:AD");

/** The extended command in place of a legacy one. */
const EXTENDED_NAMES: Readonly<Record<string, string>> = {
  LeSetAdvertisingData: "LeSetExtendedAdvertisingData",
  LeSetScanResponseData: "LeSetExtendedScanResponseData",
  "LeSetAdvertisingEnable off": "LeSetExtendedAdvertisingEnable off",
  LeSetScanParameters: "LeSetExtendedScanParameters",
  "LeSetScanEnable on": "LeSetExtendedScanEnable on",
  "LeSetScanEnable off": "LeSetExtendedScanEnable off",
};

/** A device whose commands go wrong as told, and another that it can meet. */
async function meet(air: SimulatedAir, isExtended: boolean) {
  const features = { extendedAdvertising: isExtended };
  const transport = new FaultyTransport(air.addController({ name: "faulty", features }).transport, air.clock);
  const device = await Device.open(transport, { clock: air.clock, random: air.random("faulty") });
  const other = await air.device({ name: "other", controller: { position: { x: 1, y: 0 } } });
  transport.commands.length = 0;
  return { transport, device, other };
}
type Meeting = Awaited<ReturnType<typeof meet>>;

const outcome = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "done",
    (error: unknown) => (error as BleError).code ?? String(error),
  );

/** Scanning, advertising and connecting, in both roles, and each stopped again. Throws where one does not work. */
async function everythingWorks({ device, other }: Meeting): Promise<void> {
  for (const link of device.links) await link.disconnect(); // a disconnection that was refused has left it
  const beacon = await other.advertise({ intervalMs: 20, data: { name: "beacon" }, restart: "connected" });
  for await (const { name } of device.scan({ signal: AbortSignal.timeout(20_000) })) if (name === "beacon") break;
  const connection = await device.connect(other.address, { timeoutMs: 10_000 });
  await connection.gatt.read(3);
  await connection.disconnect();
  await beacon.stop();
  const advertising = await device.advertise({ intervalMs: 20, ownAddress: "resolvable" });
  const link = await other.connect(advertising.ownAddress!, { timeoutMs: 10_000 });
  await (await advertising.connection({ timeoutMs: 10_000 })).disconnect();
  await link.closed;
  await advertising.stop();
}

/** What is done while a command goes wrong. Its own outcome is free, but for being typed. */
const OPERATIONS: readonly [name: string, run: (meeting: Meeting) => Promise<unknown>][] = [
  [
    "advertising",
    async ({ device }) => {
      const advertising = await device.advertise({ intervalMs: 20, ownAddress: "random" });
      await advertising.stop();
    },
  ],
  [
    "advertising that changes its data",
    async ({ device }) => {
      const advertising = await device.advertise({ intervalMs: 20, data: { name: "a" } });
      const updated = await outcome(advertising.update({ data: { name: "b" }, scanResponse: { name: "c" } }));
      await advertising.stop();
      expect(updated).toMatch(TYPED);
    },
  ],
  [
    "scanning",
    async ({ device }) => {
      const scan = await device.startScan({ ownAddress: "random" }, () => {});
      await scan[Symbol.asyncDispose]();
    },
  ],
  ["connecting to nobody", async ({ device }) => await device.connect(NOBODY, { timeoutMs: 500 })],
  [
    "connecting",
    async ({ device, other }) => {
      const advertising = await other.advertise({ intervalMs: 20 });
      try {
        await (await device.connect(other.address, { timeoutMs: 20_000 })).disconnect();
      } finally {
        await advertising.stop();
      }
    },
  ],
  [
    "connecting while advertising needs another address",
    async ({ device }) => {
      const advertising = await device.advertise({ intervalMs: 20, ownAddress: "resolvable", connectable: false });
      const connected = await outcome(device.connect(NOBODY, { timeoutMs: 500, ownAddress: "random" }));
      await advertising.stop();
      expect(connected).toMatch(TYPED);
    },
  ],
];
const FAULTS: readonly CommandFault[] = ["lost", "late", "refused"];

/** The commands that an operation sends when nothing goes wrong, and what may go wrong with each. */
async function faultsOf(
  isExtended: boolean,
  run: (meeting: Meeting) => Promise<unknown>,
): Promise<[command: string, fault: CommandFault][]> {
  await using air = new SimulatedAir({ seed: 3 });
  await using meeting = disposable(await meet(air, isExtended));
  await outcome(run(meeting));
  await air.advance(1000);
  const commands = new Set(meeting.transport.commands.filter((command) => /Random|Adv|Scan|Create|Disc/.test(command)));
  return [...commands].flatMap((command) => FAULTS.map((fault): [string, CommandFault] => [command, fault]));
}
const CASES = async (isExtended: boolean) =>
  await Promise.all(OPERATIONS.map(async ([name, run]) => ({ name, run, faults: await faultsOf(isExtended, run) })));
const BOTH = await Promise.all([false, true].map(async (isExtended) => ({ isExtended, cases: await CASES(isExtended) })));

describe.each(BOTH)("extended commands: $isExtended", ({ isExtended, cases }) => {
  const named = (command: string): string => (isExtended ? EXTENDED_NAMES[command]! : command);

  test("the operations send every command that switches something", () => {
    const commands = new Set(cases.flatMap(({ faults }) => faults.map(([command]) => command)));
    const extended = [
      "Disconnect",
      "LeCreateConnectionCancel",
      "LeExtendedCreateConnection",
      "LeRemoveAdvertisingSet",
      "LeSetAdvertisingSetRandomAddress",
      "LeSetExtendedAdvertisingData",
      "LeSetExtendedAdvertisingEnable off",
      "LeSetExtendedAdvertisingEnable on",
      "LeSetExtendedAdvertisingParameters",
      "LeSetExtendedScanEnable off",
      "LeSetExtendedScanEnable on",
      "LeSetExtendedScanParameters",
      "LeSetExtendedScanResponseData",
      "LeSetRandomAddress",
    ];
    const legacy = [
      "Disconnect",
      "LeCreateConnection",
      "LeCreateConnectionCancel",
      "LeSetAdvertisingData",
      "LeSetAdvertisingEnable off",
      "LeSetAdvertisingEnable on",
      "LeSetAdvertisingParameters",
      "LeSetRandomAddress",
      "LeSetScanEnable off",
      "LeSetScanEnable on",
      "LeSetScanParameters",
      "LeSetScanResponseData",
    ];
    expect([...commands].sort()).toEqual(isExtended ? extended : legacy);
  });

  describe.each(cases)("$name", ({ run, faults }) => {
    test.each(faults)("with %s %s once: afterwards everything works", async (command, fault) => {
      await using air = new SimulatedAir({ seed: 3 });
      await using meeting = disposable(await meet(air, isExtended));
      let left = 1;
      meeting.transport.faultOf = (sent) => (sent === command && left-- > 0 ? fault : undefined);
      expect(await outcome(run(meeting))).toMatch(TYPED);
      left = 0;
      await everythingWorks(meeting);
      expect(meeting.device.ended).toBeUndefined();
    });

    test.each(faults)("with %s %s for a minute: everything works when the controller does again", async (command, fault) => {
      await using air = new SimulatedAir({ seed: 4 });
      await using meeting = disposable(await meet(air, isExtended));
      const { transport, device } = meeting;
      transport.faultOf = (sent) => (sent === command ? fault : undefined);
      expect(await outcome(run(meeting))).toMatch(TYPED);
      await air.advance(60_000); // what has to be repaired behind everybody's back
      transport.faultOf = () => undefined;
      await everythingWorks(meeting);
      expect(device.ended).toBeUndefined();
    });
  });

  test.each([
    ["is refused", "refused", { code: "ERR_HCI", status: 0x1f }],
    ["is not answered", "lost", { code: "ERR_TIMEOUT" }],
  ] as const)("who stops something is told that it %s, and it is off a little later", async (_how, fault, error) => {
    await using air = new SimulatedAir({ seed: 5 });
    await using meeting = disposable(await meet(air, isExtended));
    const { transport, device, other } = meeting;
    const advertising = await device.advertise({ intervalMs: 20 });
    const scan = await device.startScan({}, () => {});
    let isFaulty = true;
    transport.faultOf = (sent) => (isFaulty && sent.endsWith(" off") ? fault : undefined);
    await expect(advertising.stop()).rejects.toMatchObject(error);
    await expect(scan[Symbol.asyncDispose]()).rejects.toMatchObject(error);
    isFaulty = false;
    await air.advance(3000);
    let heard = 0;
    await using _listening = await other.startScan({ duplicates: "report" }, () => heard++);
    await air.advance(1000);
    expect(heard).toBe(0);
    await advertising.stop(); // again: it is off
  });

  test("a controller that cannot be made to stop is reset: its links are lost, and what is wanted begins anew", async () => {
    await using air = new SimulatedAir({ seed: 6 });
    await using meeting = disposable(await meet(air, isExtended));
    const { transport, device, other } = meeting;
    const beacon = await other.advertise({ intervalMs: 20, restart: "connected", data: { name: "beacon" } });
    const link = await device.connect(other.address);
    const names: (string | undefined)[] = [];
    await using _scan = await device.startScan({ duplicates: "report" }, ({ name }) => names.push(name));
    const advertising = await device.advertise({ intervalMs: 20, connectable: false });
    transport.faultOf = (sent) => (sent === named("LeSetAdvertisingEnable off") ? "refused" : undefined);
    await expect(advertising.stop()).rejects.toMatchObject({ code: "ERR_HCI" });
    expect(await link.closed).toMatchObject({ reason: 0x03, cause: { code: "ERR_CONTROLLER", cause: { code: "ERR_HCI", status: 0x1f } } });
    expect(transport.commands).toContain("Reset");
    names.length = 0;
    await air.advance(1000);
    expect(names).toContain("beacon");
    expect(device.ended).toBeUndefined();
    let heard = 0;
    await using _listening = await other.startScan({ duplicates: "report" }, () => heard++);
    await air.advance(1000);
    expect(heard).toBe(0);
    await beacon.stop();
  });

  test("a scan that the controller refuses does not end the one that works", async () => {
    await using air = new SimulatedAir({ seed: 7 });
    await using meeting = disposable(await meet(air, isExtended));
    const { transport, device, other } = meeting;
    await using _beacon = await other.advertise({ intervalMs: 20 });
    let heard = 0;
    await using _first = await device.startScan({ active: false, duplicates: "report" }, () => heard++);
    for (const command of ["LeSetScanParameters", "LeSetScanEnable on", "LeSetScanEnable off"]) {
      let left = 1;
      transport.faultOf = (sent) => (sent === named(command) && left-- > 0 ? "refused" : undefined);
      await expect(device.startScan({ intervalMs: 100, windowMs: 100 }, () => {})).rejects.toMatchObject({ code: "ERR_HCI", status: 0x1f });
      heard = 0;
      await air.advance(1000);
      expect([command, heard > 5]).toEqual([command, true]);
    }
    await using _second = await device.startScan({ intervalMs: 100, windowMs: 100 }, () => {});
  });

  test("a change of data that is refused is refused for good; one in the middle of a restart is on the air", async () => {
    await using air = new SimulatedAir({ seed: 8 });
    await using meeting = disposable(await meet(air, isExtended));
    const { transport, device, other } = meeting;
    const advertising = await device.advertise({ intervalMs: 20, data: { name: "one" }, restart: "connected" });
    const heard = async (): Promise<string[]> => {
      const names = new Set<string>();
      await using _scan = await other.startScan({ duplicates: "report" }, ({ name = "" }) => names.add(name));
      await air.advance(500);
      return [...names];
    };
    for (const command of ["LeSetAdvertisingData", "LeSetScanResponseData"]) {
      let left = 1;
      transport.faultOf = (sent) => (sent === named(command) && left-- > 0 ? "refused" : undefined);
      await expect(advertising.update({ data: { name: "two" }, scanResponse: { appearance: 64 } })).rejects.toMatchObject({
        code: "ERR_HCI",
      });
      expect(await heard()).toEqual(["one"]);
    }
    await (await other.connect(device.address)).disconnect(); // a restart
    await air.advance(100);
    expect(await heard()).toEqual(["one"]);
    let left = 1;
    transport.faultOf = (sent) => (sent === named("LeSetAdvertisingData") && left-- > 0 ? "lost" : undefined);
    await expect(advertising.update({ data: { name: "three" } })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await air.advance(100);
    expect(await heard()).toEqual(["one"]);
    // While the restart after a connection has sent the data, and has not switched on yet.
    let updated: Promise<void> | undefined;
    transport.faultOf = (sent) => {
      if (sent === named("LeSetScanResponseData")) updated ??= advertising.update({ data: { name: "four" } });
      return undefined;
    };
    await (await other.connect(device.address)).disconnect();
    await updated;
    await air.advance(100);
    expect(await heard()).toEqual(["four"]);
  });
});

/** The device is no `air.device`, so it is closed here. */
function disposable(meeting: Meeting): Meeting & AsyncDisposable {
  return { ...meeting, [Symbol.asyncDispose]: () => meeting.device.close() };
}
