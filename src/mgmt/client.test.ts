import { describe, expect, test } from "vitest";
import { scriptedMgmt } from "../../test/support/scripted-kernel-socket.ts";
import { turn } from "../async/index.ts";
import { DecodeError } from "../bytes/index.ts";
import { ArgumentError, ClosedError, TimeoutError } from "../core/index.ts";
import { TransportClosed } from "../hci/transport.ts";
import { commands, encodeEvent, events, NO_CONTROLLER, Status } from "../mgmt-protocol/index.ts";
import { MgmtError, MgmtWriteError } from "./error.ts";

const DEVICE = { address: "C0:11:22:33:44:55", addressType: 2 };

describe("a command", () => {
  test("is one packet, and resolves with its typed return parameters", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.setPowered(0, true);
    expect(socket.written).toEqual([Uint8Array.of(5, 0, 0, 0, 1, 0, 1)]);
    socket.complete(commands.setPowered, 0, { currentSettings: 0x81 });
    const { currentSettings } = await reply;
    expect(currentSettings).toBe(0x81);
  });

  test("without controller takes no index, without parameters none, with several an object", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const list = mgmt.readControllerIndexList();
    socket.complete(commands.readControllerIndexList, NO_CONTROLLER, { controllerIndexes: [0, 3] });
    expect(await list).toEqual({ controllerIndexes: [0, 3] });
    const features = mgmt.readExperimentalFeaturesInformation(undefined);
    socket.complete(commands.readExperimentalFeaturesInformation, NO_CONTROLLER, { features: [] });
    expect(await features).toEqual({ features: [] });
    const pairing = mgmt.pairDevice(1, { ...DEVICE, ioCapability: "NoInputNoOutput" });
    socket.complete(commands.pairDevice, 1, DEVICE);
    expect(await pairing).toEqual(DEVICE);
    expect(socket.names).toEqual(["ReadControllerIndexList 65535", "ReadExperimentalFeaturesInformation 65535", "PairDevice 1"]);
  });

  test("that returns nothing resolves with nothing", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.setAppearance(0, 0x03c1);
    socket.complete(commands.setAppearance, 0);
    expect(await reply).toEqual({});
  });

  test("is answered by opcode and controller: six in flight, replies in another order", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const calls = [
      mgmt.setPowered(0, true),
      mgmt.setPowered(1, true),
      mgmt.setConnectable(0, true),
      mgmt.setConnectable(1, true),
      mgmt.setLowEnergy(0, true),
      mgmt.setLowEnergy(1, true),
    ];
    expect(socket.written).toHaveLength(6);
    const replies = [
      [commands.setLowEnergy, 1],
      [commands.setPowered, 0],
      [commands.setConnectable, 1],
      [commands.setLowEnergy, 0],
      [commands.setPowered, 1],
      [commands.setConnectable, 0],
    ] as const;
    for (const [command, index] of replies) socket.complete(command, index, { currentSettings: command.opcode * 2 + index });
    const settings = (await Promise.all(calls)).map(({ currentSettings }) => currentSettings);
    expect(settings).toEqual([10, 11, 14, 15, 26, 27]);
  });

  test.each([
    ["what a command usually takes", 10_000, (mgmt: Mgmt) => mgmt.setConnectable(0, true)],
    ["longer for power", 30_000, (mgmt: Mgmt) => mgmt.setPowered(0, true)],
    ["longer for a disconnection", 40_000, (mgmt: Mgmt) => mgmt.disconnect(0, DEVICE)],
    ["longest for a pairing", 120_000, (mgmt: Mgmt) => mgmt.pairDevice(0, { ...DEVICE, ioCapability: 3 })],
    ["what the call says", 250, (mgmt: Mgmt) => mgmt.setConnectable(0, true, { timeoutMs: 250 })],
  ])("whose reply never comes times out after %s, exactly", async (_, ms, call) => {
    const { mgmt, clock } = await scriptedMgmt();
    const outcome = outcomeOf(call(mgmt));
    await clock.advance(ms - 1);
    expect(outcome.error).toBeUndefined();
    await clock.advance(1);
    expect(outcome.error).toBeInstanceOf(TimeoutError);
    expect(outcome.error).toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: ms, message: expect.stringMatching(/ on hci0 did not finish/) });
  });

  test("takes the client's own timeout, if it has one", async () => {
    const { mgmt, clock } = await scriptedMgmt({ timeoutMs: 100 });
    const outcome = outcomeOf(mgmt.setPowered(0, true));
    await clock.advance(100);
    expect(outcome.error).toBeInstanceOf(TimeoutError);
  });

  test("is not sent when its signal is aborted before, and is given up when it is aborted later", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    await expect(mgmt.setPowered(0, true, { signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow("too late");
    expect(socket.written).toEqual([]);
    const abort = new AbortController();
    const reply = mgmt.setPowered(0, true, { signal: abort.signal });
    abort.abort(new Error("changed my mind"));
    await expect(reply).rejects.toThrow("changed my mind");
  });

  test("whose write fails is rejected with the errno, and the next goes on", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    socket.fault = { errno: 100, code: "ENETDOWN" };
    const error = await mgmt.addDevice(0, { ...DEVICE, action: "AutoConnect" }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(MgmtWriteError);
    expect(error).toMatchObject({ code: "ERR_MGMT_WRITE", command: "AddDevice", index: 0, errno: 100, errnoName: "ENETDOWN" });
    socket.fault = undefined;
    const next = mgmt.addDevice(0, { ...DEVICE, action: "AutoConnect" });
    socket.complete(commands.addDevice, 0, DEVICE);
    expect(await next).toEqual(DEVICE);
  });

  test("is not ended by a status that says it goes on", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.setPowered(0, true);
    socket.refuse(commands.setPowered, 0, Status.Success);
    socket.complete(commands.setPowered, 0, { currentSettings: 1 });
    expect(await reply).toEqual({ currentSettings: 1 });
  });

  test("whose reply cannot be decoded is rejected with what is wrong; the others go on", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const [broken, whole] = [mgmt.setPowered(0, true), mgmt.setConnectable(0, true)];
    socket.say(Uint8Array.of(1, 0, 0, 0, 3, 0, 5, 0, 0)); // Success without the settings
    await expect(broken).rejects.toBeInstanceOf(DecodeError);
    socket.complete(commands.setConnectable, 0, { currentSettings: 2 });
    expect(await whole).toEqual({ currentSettings: 2 });
  });

  test("whose runtime configuration Linux refuses in the name of another one is refused all the same", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const runtime = mgmt.setDefaultRuntimeConfiguration(0, [{ type: 1, value: new Uint8Array(2) }]);
    const system = mgmt.setDefaultSystemConfiguration(0, [{ type: 1, value: new Uint8Array(2) }]);
    expect(socket.names).toEqual(["SetDefaultRuntimeConfiguration 0"]); // which of the two the answer is for could not be told
    socket.refuse(commands.setDefaultSystemConfiguration, 0, Status.InvalidParameters);
    await expect(runtime).rejects.toMatchObject({ command: "SetDefaultRuntimeConfiguration", statusName: "InvalidParameters" });
    socket.complete(commands.setDefaultSystemConfiguration, 0);
    expect(await system).toEqual({});
  });
});

describe("a failure", () => {
  test("carries command, controller, status, its usual cause, and what was returned all the same", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.disconnect(2, DEVICE);
    socket.complete(commands.disconnect, 2, DEVICE, Status.NotConnected);
    const error = await reply.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(MgmtError);
    expect(error).toMatchObject({ code: "ERR_MGMT", command: "Disconnect", opcode: 0x14, index: 2, status: 2, returns: DEVICE });
    expect(error).toMatchObject({ message: expect.stringMatching(/^Disconnect on hci2: NotConnected \(0x02\)/) });
  });

  test("for want of the right to it says what gives the right", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.setPowered(0, true);
    socket.refuse(commands.setPowered, 0, Status.PermissionDenied);
    await expect(reply).rejects.toThrow(/PermissionDenied.*CAP_NET_ADMIN.*run "the line that helps"/);
  });

  test("with a status that has no name is told by number", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.setPowered(0, true);
    socket.refuse(commands.setPowered, 0, 0x15);
    await expect(reply).rejects.toMatchObject({ status: 0x15, statusName: "0x15" });
  });
});

describe("an argument that is wrong", () => {
  const wrong = (value: unknown): never => value as never;
  test.each<[string, (mgmt: Mgmt) => Promise<unknown>, RegExp]>([
    ["no controller", (mgmt) => mgmt.setPowered(wrong(undefined), true), /SetPowered belongs to a controller/],
    ["a controller too many", (mgmt) => mgmt.request(commands.readControllerIndexList, 0, {}), /ReadControllerIndexList belongs to no/],
    ["a controller that cannot be", (mgmt) => mgmt.setPowered(70_000, true), /70000: expected 0 to 65534/],
    ["no value", (mgmt) => mgmt.setPowered(0, wrong(undefined)), /SetPowered: powered: expected a value/],
    ["a name that is none", (mgmt) => mgmt.setPowered(0, wrong("Maybe")), /SetPowered: powered: "Maybe": expected/],
    ["a value out of its field", (mgmt) => mgmt.setAppearance(0, 0x1_0000), /SetAppearance: appearance: 65536/],
    ["a value out of its limits", (mgmt) => mgmt.setScanParameters(0, { interval: 3, window: 4 }), /interval: 3: expected 4 to 16384/],
    ["an unknown parameter", (mgmt) => mgmt.disconnect(0, wrong({ ...DEVICE, reason: 1 })), /unknown parameter "reason": expected address/],
    ["an address that is none", (mgmt) => mgmt.disconnect(0, { ...DEVICE, address: "here" }), /Disconnect: address: device address "here"/],
    [
      "too many arguments",
      (mgmt) => (mgmt.setPowered as (...args: unknown[]) => Promise<unknown>)(0, true, {}, 1),
      /4 arguments: expected/,
    ],
  ])("%s: its field is named and nothing is written", async (_, call, message) => {
    const { mgmt, socket } = await scriptedMgmt();
    const error = await call(mgmt).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toMatch(message);
    expect(socket.written).toEqual([]);
  });

  test("goes to the kernel when the limits are not to be checked", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const reply = mgmt.request(commands.setScanParameters, 0, { interval: 3, window: 4 }, { unchecked: true });
    socket.refuse(commands.setScanParameters, 0, Status.InvalidParameters);
    await expect(reply).rejects.toBeInstanceOf(MgmtError);
  });

  test("never shows a passkey, a PIN or a key", async () => {
    const { mgmt } = await scriptedMgmt();
    const key = new Uint8Array(15).fill(0xab);
    const calls = [
      mgmt.userPasskeyReply(0, { ...DEVICE, passkey: 4_820_193 }),
      mgmt.userPasskeyReply(0, { ...DEVICE, passkey: 48_201_931_234 }),
      mgmt.pinCodeReply(0, { ...DEVICE, pinCode: new TextEncoder().encode("48201948201948201948") }),
      mgmt.setPrivacy(0, { privacy: 1, identityResolvingKey: key }),
    ];
    for (const call of calls) {
      const { message } = (await call.catch((cause: unknown) => cause)) as Error;
      expect(message).toMatch(/^(UserPasskeyReply|PINCodeReply|SetPrivacy)/);
      expect(message).not.toMatch(/4820|171|abab|52, 56/i);
    }
  });
});

describe("the end", () => {
  test("of the socket rejects what is on its way and queued, ends loops with the error, and is told once", async () => {
    const { mgmt, socket } = await scriptedMgmt();
    const calls = [mgmt.setPowered(0, true), mgmt.setPowered(0, true), mgmt.setConnectable(0, true)].map(outcomeOf);
    const reader = mgmt.events("newSettings");
    socket.say(encodeEvent(events.newSettings, 0, { currentSettings: 1 }));
    const told: Error[] = [];
    mgmt.on("close", (reason) => told.push(reason));
    socket.lose("unplugged");
    socket.lose("unplugged again");
    await turn();
    for (const { error } of calls) expect(error).toBeInstanceOf(TransportClosed);
    expect(await reader.next()).toMatchObject({ done: false }); // what came before is still read
    await expect(reader.next()).rejects.toThrow("unplugged");
    expect(told).toHaveLength(1);
    expect(mgmt.ended).toBe(told[0]);
    await expect(mgmt.setPowered(0, true)).rejects.toBe(told[0]);
    expect(socket.written).toHaveLength(2);
  });

  test("of the client rejects what is on its way, ends loops quietly, and closes the socket", async () => {
    const { mgmt, socket, clock } = await scriptedMgmt();
    const call = outcomeOf(mgmt.setPowered(0, true));
    const reader = mgmt.events();
    await mgmt[Symbol.asyncDispose]();
    await turn();
    expect(call.error).toBeInstanceOf(ClosedError);
    expect(await reader.next()).toEqual({ value: undefined, done: true });
    expect(socket.isClosed).toBe(true);
    expect(clock.pending).toEqual([]);
    await expect(mgmt.setPowered(0, true)).rejects.toBeInstanceOf(ClosedError);
    await expect(mgmt.events().next()).rejects.toBeInstanceOf(ClosedError);
    socket.complete(commands.setPowered, 0, { currentSettings: 1 }); // comes too late for anything
  });
});

type Mgmt = Awaited<ReturnType<typeof scriptedMgmt>>["mgmt"];

/** How a promise settles, to be looked at while time is moved. */
function outcomeOf(promise: Promise<unknown>): { error: unknown } {
  const outcome = { error: undefined as unknown };
  promise.catch((error: unknown) => {
    outcome.error = error;
  });
  return outcome;
}

describe("the edge", () => {
  test.each<[string, (mgmt: Mgmt) => Promise<unknown>, RegExp]>([
    [
      "a mistyped option",
      (mgmt) => mgmt.setPowered(0, true, { timeout: 5 } as never),
      /unknown option "timeout", did you mean "timeoutMs"/,
    ],
    ["a time that is none", (mgmt) => mgmt.setPowered(0, true, { timeoutMs: Number.NaN }), /timeoutMs: expected milliseconds/],
    ["text for a number", (mgmt) => mgmt.setAppearance(0, "5" as never), /expected a number, got a string/],
    [
      "text for octets",
      (mgmt) => mgmt.addAdvertising(0, { instance: 1, advData: "hello" as never }),
      /expected a Uint8Array, got a string/,
    ],
    ["a number for text", (mgmt) => mgmt.setLocalName(0, { name: 5 as never }), /expected a string, got 5/],
    ["one thing for a list", (mgmt) => mgmt.loadIdentityResolvingKeys(0, {} as never), /expected a list, got an object/],
    ["a word for a list of words", (mgmt) => mgmt.startDiscovery(0, "LEPublic" as never), /expected a number, or a list/],
    ["a number for an address", (mgmt) => mgmt.setStaticAddress(0, 5 as never), /expected an address/],
    ["nothing for a UUID", (mgmt) => mgmt.removeUuid(0, null as never), /expected a/],
    ["a list for parameters", (mgmt) => mgmt.disconnect(0, [] as never), /expected an object of address, addressType/],
    ["a mistyped parameter", (mgmt) => mgmt.disconnect(0, { adress: "x" } as never), /unknown parameter "adress": did you mean "address"/],
    [
      "a mistyped name in an entry",
      (mgmt) => mgmt.loadBlockedKeys(0, [{ keyTyp: 0, value: new Uint8Array(16) }] as never),
      /keys\[0\]: unknown parameter "keyTyp": did you mean "keyType"/,
    ],
    ["a command that is none", (mgmt) => mgmt.request("SetPowered" as never, 0, {} as never), /expected one of `commands`, got a string/],
    ["a name that is none", (mgmt) => mgmt.send(5 as never, 0), /expected a string like "SetPowered", got 5/],
  ])("refuses %s, and sends nothing", async (_, call, message) => {
    const { mgmt, socket } = await scriptedMgmt();
    const error = await call(mgmt).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toMatch(message);
    expect(socket.written).toEqual([]);
  });

  test("refuses options of openMgmt that it does not know", async () => {
    await expect(scriptedMgmt({ timeoutms: 5 } as never)).rejects.toThrow(/did you mean "timeoutMs"/);
  });
});
