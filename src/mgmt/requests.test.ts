import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ScriptedKernelSocket, scriptedMgmt } from "../../test/support/scripted-kernel-socket.ts";
import { turn, VirtualClock } from "../async/index.ts";
import { StateError, TimeoutError } from "../core/index.ts";
import { type AnyMgmtCommand, commands, ExperimentalFeature, encodeEvent, events, Status } from "../mgmt-protocol/index.ts";
import { type Mgmt, openMgmt } from "./client.ts";

const SETTINGS = [commands.setPowered, commands.setConnectable, commands.setDefaultSystemConfiguration] as const;

describe("identical commands", () => {
  test("go one after the other; others do not wait for them", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const replies = [mgmt.setConnectable(0, true), mgmt.setConnectable(0, false), mgmt.setConnectable(0, true)];
    const others = [mgmt.setConnectable(1, true), mgmt.setPowered(0, true)];
    expect(socket.names).toEqual(["SetConnectable 0", "SetConnectable 1", "SetPowered 0"]);
    for (const currentSettings of [1, 2, 3]) {
      socket.complete(commands.setConnectable, 0, { currentSettings });
      await turn();
    }
    expect(socket.written.filter((packet) => packet[0] === 7 && packet[2] === 0).map((packet) => packet[6])).toEqual([1, 0, 1]);
    expect((await Promise.all(replies)).map(({ currentSettings }) => currentSettings)).toEqual([1, 2, 3]);
    socket.complete(commands.setConnectable, 1, { currentSettings: 4 });
    socket.complete(commands.setPowered, 0, { currentSettings: 5 });
    expect(await Promise.all(others)).toEqual([{ currentSettings: 4 }, { currentSettings: 5 }]);
  });

  test("are bounded: sixty-four wait for the first, the next is refused", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const calls = Array.from({ length: 65 }, () => mgmt.setConnectable(0, true));
    await expect(mgmt.setConnectable(0, true)).rejects.toBeInstanceOf(StateError);
    expect(socket.written).toHaveLength(1);
    for (let i = 0; i < 65; i++) socket.complete(commands.setConnectable, 0, { currentSettings: i });
    expect((await Promise.all(calls)).at(-1)).toEqual({ currentSettings: 64 });
    expect(socket.written).toHaveLength(65);
  });

  test("that are aborted while they wait are never sent", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const abort = new AbortController();
    const first = mgmt.setConnectable(0, true);
    const second = mgmt.setConnectable(0, false, { signal: abort.signal });
    const third = mgmt.setConnectable(0, true);
    abort.abort(new Error("not this one"));
    await expect(second).rejects.toThrow("not this one");
    socket.complete(commands.setConnectable, 0, { currentSettings: 1 });
    socket.complete(commands.setConnectable, 0, { currentSettings: 3 });
    expect([await first, await third]).toEqual([{ currentSettings: 1 }, { currentSettings: 3 }]);
    expect(socket.written.map((packet) => packet[6])).toEqual([1, 1]);
  });

  test("go on one after the other when their writes fail", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const first = mgmt.setConnectable(0, true);
    const rest = [mgmt.setConnectable(0, true), mgmt.setConnectable(0, true)].map((call) => call.catch((error: unknown) => error));
    socket.fault = { errno: 100, code: "ENETDOWN" };
    socket.complete(commands.setConnectable, 0, { currentSettings: 1 });
    await first;
    for (const error of await Promise.all(rest)) expect(error).toMatchObject({ code: "ERR_MGMT_WRITE" });
    socket.fault = undefined;
    const next = mgmt.setConnectable(0, true);
    socket.complete(commands.setConnectable, 0, { currentSettings: 2 });
    expect(await next).toEqual({ currentSettings: 2 });
  });
});

describe("a reply that comes after its command was given up", () => {
  test("is not taken for the next identical one, which is sent then", async () => {
    const { mgmt, socket, clock } = await scriptedMgmt();
    const given = mgmt.setConnectable(0, true, { timeoutMs: 100 }).catch((error: unknown) => error);
    const next = mgmt.setConnectable(0, false);
    await clock.advance(100);
    expect(await given).toBeInstanceOf(TimeoutError);
    expect(socket.written).toHaveLength(1);
    socket.complete(commands.setConnectable, 0, { currentSettings: 111 });
    expect(socket.written).toHaveLength(2);
    socket.complete(commands.setConnectable, 0, { currentSettings: 222 });
    expect(await next).toEqual({ currentSettings: 222 });
  });

  test("is waited for no longer than two seconds", async () => {
    const { mgmt, socket, clock } = await scriptedMgmt();
    const abort = new AbortController();
    const given = mgmt.setConnectable(0, true, { signal: abort.signal }).catch((error: unknown) => error);
    abort.abort(new Error("enough"));
    const next = mgmt.setConnectable(0, false);
    await clock.advance(1999);
    expect(socket.written).toHaveLength(1);
    await clock.advance(1);
    expect(socket.written).toHaveLength(2);
    socket.complete(commands.setConnectable, 0, { currentSettings: 2 });
    expect(await next).toEqual({ currentSettings: 2 });
    expect(await given).toMatchObject({ message: "enough" });
    expect(clock.pending).toEqual([]);
  });

  test("does not hold up the end", async () => {
    const { mgmt, clock } = await scriptedMgmt();
    const given = mgmt.setConnectable(0, true, { timeoutMs: 100 }).catch((error: unknown) => error);
    const next = mgmt.setConnectable(0, false).catch((error: unknown) => error);
    await clock.advance(100);
    await given;
    await mgmt[Symbol.asyncDispose]();
    expect(await next).toMatchObject({ code: "ERR_CLOSED" });
    expect(clock.pending).toEqual([]);
  });
});

describe("a reply that names what it is about", () => {
  const [A, B] = [
    { address: "C0:00:00:00:00:0A", addressType: 2 },
    { address: "C0:00:00:00:00:0B", addressType: 2 },
  ] as const;
  const give = { timeoutMs: 100 };
  type Pair = readonly [first: (mgmt: Mgmt) => Promise<unknown>, second: (mgmt: Mgmt) => Promise<unknown>];
  const cases: Record<string, readonly [command: AnyMgmtCommand, calls: Pair, returns: readonly [object, object]]> = {
    pairDevice: [
      commands.pairDevice,
      [(mgmt) => mgmt.pairDevice(0, { ...A, ioCapability: 3 }, give), (mgmt) => mgmt.pairDevice(0, { ...B, ioCapability: 3 })],
      [A, B],
    ],
    unpairDevice: [commands.unpairDevice, [(mgmt) => mgmt.unpairDevice(0, A, give), (mgmt) => mgmt.unpairDevice(0, B)], [A, B]],
    disconnect: [
      commands.disconnect,
      [(mgmt) => mgmt.disconnect(0, A, give), (mgmt) => mgmt.disconnect(0, { ...A, addressType: "LEPublic" })],
      [A, { ...A, addressType: 1 }],
    ],
    addAdvertising: [
      commands.addAdvertising,
      [(mgmt) => mgmt.addAdvertising(0, { instance: 1 }, give), (mgmt) => mgmt.addAdvertising(0, { instance: 2 })],
      [{ instance: 1 }, { instance: 2 }],
    ],
    removeAdvertisementMonitor: [
      commands.removeAdvertisementMonitor,
      [(mgmt) => mgmt.removeAdvertisementMonitor(0, 1, give), (mgmt) => mgmt.removeAdvertisementMonitor(0, 2)],
      [{ monitorHandle: 1 }, { monitorHandle: 2 }],
    ],
    setExperimentalFeature: [
      commands.setExperimentalFeature,
      [
        (mgmt) => mgmt.setExperimentalFeature(0, { uuid: ExperimentalFeature.MgmtMesh.uuid, action: 1 }, give),
        (mgmt) => mgmt.setExperimentalFeature(0, { uuid: ExperimentalFeature.LLPrivacy.uuid, action: 1 }),
      ],
      [
        { uuid: ExperimentalFeature.MgmtMesh.uuid, flags: 1 },
        { uuid: ExperimentalFeature.LLPrivacy.uuid, flags: 3 },
      ],
    ],
  };

  test.each(Object.keys(cases))("is not taken for another's answer, however late it comes: %s", async (name) => {
    const [command, [first, second], [late, own]] = cases[name]!;
    const { mgmt, socket, clock } = await scriptedMgmt();
    const given = first(mgmt).catch((error: unknown) => error);
    await clock.advance(100);
    expect(await given).toBeInstanceOf(TimeoutError);
    let settled: unknown;
    const next = second(mgmt).then((value) => {
      settled = value;
      return value;
    });
    await clock.advance(2_500); // longer than late replies are waited for
    expect(socket.written).toHaveLength(2);
    socket.complete(command, 0, late as never);
    await turn();
    expect(settled).toBeUndefined();
    socket.complete(command, 0, own as never);
    expect(JSON.stringify(await next)).toContain(JSON.stringify(Object.values(own)[0]));
  });

  test("a failure that names nothing is the answer to the one that waits", async () => {
    const { mgmt, socket, clock } = await scriptedMgmt();
    const given = mgmt.getDeviceFlags(0, A, give).catch(() => undefined);
    await clock.advance(2_500);
    await given;
    const next = mgmt.getDeviceFlags(0, B).catch((error: unknown) => error);
    const nothing = { address: "00:00:00:00:00:00", addressType: 0, supportedFlags: 0, currentFlags: 0 };
    socket.complete(commands.getDeviceFlags, 0, nothing, Status.InvalidParameters);
    expect(await next).toMatchObject({ statusName: "InvalidParameters" });
  });

  test("under the identity that the device has told is its answer, and nobody else's", async () => {
    const rpa = { address: "40:00:00:00:00:0A", addressType: 2 };
    const identity = { address: "00:11:22:33:44:55", addressType: 1 };
    const tell = (socket: ScriptedKernelSocket, randomAddress: string): void =>
      socket.say(
        encodeEvent(events.newIdentityResolvingKey, 0, { storeHint: 1, randomAddress, key: { ...identity, value: new Uint8Array(16) } }),
      );
    const { mgmt, socket, clock } = await scriptedMgmt();
    const own = mgmt.pairDevice(0, { ...rpa, ioCapability: 3 });
    tell(socket, rpa.address);
    socket.complete(commands.pairDevice, 0, identity);
    expect(await own).toEqual(identity);

    const given = mgmt.pairDevice(0, { ...rpa, ioCapability: 3 }, give).catch(() => undefined);
    await clock.advance(2_500);
    await given;
    let settled = false;
    const next = mgmt.pairDevice(0, { ...B, ioCapability: 3 });
    void next.then(() => {
      settled = true;
    });
    tell(socket, rpa.address);
    socket.complete(commands.pairDevice, 0, identity); // of the one that was given up
    await turn();
    expect(settled).toBe(false);
    socket.complete(commands.pairDevice, 0, B);
    expect(await next).toEqual(B);
  });

  test("an identity that the kernel knew before is the answer to a pairing by private address", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const pairing = mgmt.pairDevice(0, { address: "40:00:00:00:00:0A", addressType: 2, ioCapability: 3 });
    socket.complete(commands.pairDevice, 0, B);
    expect(await pairing).toEqual(B);
  });
});

type Act =
  | { readonly kind: "call"; readonly command: number; readonly index: number; readonly timeoutMs: number }
  | { readonly kind: "reply"; readonly command: number; readonly index: number; readonly status: number }
  | { readonly kind: "refuse"; readonly command: number; readonly index: number; readonly status: number }
  | { readonly kind: "abort"; readonly which: number }
  | { readonly kind: "fault"; readonly isOn: boolean }
  | { readonly kind: "event"; readonly octets: Uint8Array }
  | { readonly kind: "rubbish"; readonly octets: Uint8Array }
  | { readonly kind: "wait"; readonly ms: number };

const which = { command: fc.nat(SETTINGS.length - 1), index: fc.nat(1) };
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant("call" as const), ...which, timeoutMs: fc.integer({ min: 1, max: 3000 }) }),
  fc.record({ kind: fc.constant("reply" as const), ...which, status: fc.constantFrom<number>(Status.Success, Status.Busy) }),
  fc.record({ kind: fc.constant("refuse" as const), ...which, status: fc.nat(0x20) }),
  fc.record({ kind: fc.constant("abort" as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant("fault" as const), isOn: fc.boolean() }),
  fc.record({ kind: fc.constant("event" as const), octets: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ kind: fc.constant("rubbish" as const), octets: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(2500) }),
);

/** Does what is drawn to a client; gives the promises of its calls. */
async function perform(acts: readonly Act[], socket: ScriptedKernelSocket, clock: VirtualClock): Promise<Promise<unknown>[]> {
  const mgmt = await openMgmt({ socket, clock });
  const calls: Promise<unknown>[] = [];
  const aborts: AbortController[] = [];
  for (const each of acts) {
    if (each.kind === "call") {
      const abort = new AbortController();
      aborts.push(abort);
      const parameters = [{ powered: 1 }, { connectable: 1 }, { parameters: [] }][each.command]!;
      const options = { signal: abort.signal, timeoutMs: each.timeoutMs };
      calls.push(mgmt.request(SETTINGS[each.command]! as never, each.index, parameters as never, options));
      calls.at(-1)!.catch(() => undefined);
    } else if (each.kind === "reply") {
      const returns = each.command === 2 ? {} : { currentSettings: 1 };
      socket.complete(SETTINGS[each.command]!, each.index, returns, each.status);
    } else if (each.kind === "refuse") socket.refuse(SETTINGS[each.command]!, each.index, each.status);
    else if (each.kind === "abort") aborts[each.which]?.abort(new Error("aborted"));
    else if (each.kind === "fault") socket.fault = each.isOn ? { errno: 100, code: "ENETDOWN" } : undefined;
    else if (each.kind === "event") socket.say(encodeEvent(events.newSettings, 0, { currentSettings: each.octets.length }));
    else if (each.kind === "rubbish") socket.say(each.octets);
    else if (each.kind === "wait") await clock.advance(each.ms);
  }
  return calls;
}

test("whatever comes in whatever order, every command settles, and nothing is left waiting", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const socket = new ScriptedKernelSocket();
      const clock = new VirtualClock({ auto: false });
      const calls = await perform(acts, socket, clock);
      let settled = 0;
      for (const call of calls) call.catch(() => undefined).finally(() => settled++);
      await clock.advance(200_000);
      expect(settled).toBe(calls.length);
      expect(clock.pending).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test("whatever came before, the end of the socket settles what is left at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const socket = new ScriptedKernelSocket();
      const clock = new VirtualClock({ auto: false });
      const calls = await perform(acts, socket, clock);
      socket.lose();
      await Promise.allSettled(calls);
      expect(clock.pending).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
