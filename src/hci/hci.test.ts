import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openScriptedHci, ScriptedController } from "../../test/support/scripted-hci.ts";
import { VirtualClock } from "../async/index.ts";
import { fromHex, rest, u8 } from "../bytes/index.ts";
import { ClosedError } from "../core/index.ts";
import { createTransportPair } from "../transport/memory-pipe.ts";
import {
  command,
  Disconnect,
  DisconnectedError,
  DisconnectionComplete,
  EncryptionChange,
  encodeCommandStatus,
  encodeEvent,
  event,
  HardwareError,
  Hci,
  HciError,
  HostNumberOfCompletedPackets,
  LeAdvertisingReport,
  LeCreateConnection,
  LeFeature,
  LeRand,
  LeReadBufferSize,
  LeReadBufferSizeV2,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeSetPrivacyMode,
  LeSetScanEnable,
  NumberOfCompletedPackets,
  Ogf,
  ReadBdAddr,
  ReadBufferSize,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadLocalVersionInformation,
  ReadRssi,
  Reset,
  SetEventMask,
} from "./index.ts";

const uncaught: unknown[] = [];
let listeners: NodeJS.UncaughtExceptionListener[] = [];
const keep = (error: unknown): void => void uncaught.push(error);
beforeEach(() => {
  uncaught.length = 0;
  listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", keep);
});
afterEach(() => {
  process.off("uncaughtException", keep);
  for (const listener of listeners) process.on("uncaughtException", listener);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ENABLE = { leScanEnable: true, filterDuplicates: false };
const encryptionChange = (connectionHandle: number): Uint8Array =>
  encodeEvent(EncryptionChange, { status: 0, connectionHandle, encryptionEnabled: 1 });

/** A pair of transports with a scripted controller at one end, for opening by hand. */
function unopened(): { clock: VirtualClock; host: ReturnType<typeof createTransportPair>[0]; controller: ScriptedController } {
  const [host, end] = createTransportPair();
  return { clock: new VirtualClock({ auto: false }), host, controller: new ScriptedController(end) };
}

test("opening resets the controller, reads what it is and switches events on", async () => {
  const { clock, host, controller } = unopened();
  await using hci = await Hci.open(host, { clock });
  expect(controller.commands).toEqual([
    "Reset",
    "ReadLocalVersionInformation",
    "ReadLocalSupportedCommands",
    "ReadLocalSupportedFeatures",
    "ReadBdAddr",
    "SetEventMask",
    "LeReadLocalSupportedFeatures",
    "LeSetEventMask",
    "LeReadBufferSizeV2",
    "LeReadSuggestedDefaultDataLength",
    "LeReadMaximumDataLength",
    "LeReadSupportedStates",
    "LeReadFilterAcceptListSize",
    "LeReadResolvingListSize",
  ]);
  expect(controller.parameters[controller.commands.indexOf("SetEventMask")]).toEqual({ eventMask: 0x2000_8000_0200_8890n });
  expect(controller.parameters[controller.commands.indexOf("LeSetEventMask")]).toEqual({ leEventMask: 0x0008_0fffn });
  expect(hci.controller).toMatchObject({
    hciVersion: 13,
    leAclDataPacketLength: 27,
    totalNumLeAclDataPackets: 4,
    supportedMaxTxOctets: 251,
  });
  expect(hci.controller.address.toString()).toBe("02:00:00:00:00:01/public");
  expect(hci.hasLeFeature(LeFeature.LlPrivacy)).toBe(true);
  expect(hci.hasLeFeature(LeFeature.MinimumNumberOfUsedChannelsProcedure)).toBe(false);
  expect(hci.acl.freePackets).toBe(4);
  expect(hci.ended).toBeUndefined();
});

test("a Bluetooth 4.0 controller is asked only for what it has", async () => {
  const { clock, host, controller } = unopened();
  const supportedCommands = new Uint8Array(64);
  supportedCommands.set([0x20, 0, 0x80, 0, 0, 0xc0]);
  supportedCommands.set([0xf7, 0xff, 0xff, 0x0f], 25);
  controller.answer(ReadLocalSupportedCommands, { supportedCommands });
  controller.answer(LeReadLocalSupportedFeatures, { leFeatures: 1n });
  await using hci = await Hci.open(host, { clock });
  expect(controller.commands).toContain("LeReadBufferSize");
  expect(controller.commands).not.toContain("LeReadResolvingListSize");
  expect(controller.commands).not.toContain("LeReadSuggestedDefaultDataLength");
  expect(controller.parameters[controller.commands.indexOf("LeSetEventMask")]).toEqual({ leEventMask: 0x1fn });
  expect(hci.controller).toMatchObject({ suggestedMaxTxOctets: 27, supportedMaxTxTime: 328, resolvingListSize: 0 });
  expect(hci.supports(LeSetScanEnable)).toBe(true);
  await expect(hci.send(LeSetPrivacyMode, { peerIdentityAddress: hci.controller.address, privacyMode: 0 })).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: "the controller does not support LeSetPrivacyMode",
  });
});

test("a dual-mode controller is told of the host, and shares its buffers where LE has none", async () => {
  const { clock, host, controller } = unopened();
  controller.answer(ReadLocalSupportedFeatures, { lmpFeatures: 0x40_0000_0000n });
  controller.answer(LeReadBufferSizeV2, {
    leAclDataPacketLength: 0,
    totalNumLeAclDataPackets: 0,
    isoDataPacketLength: 0,
    totalNumIsoDataPackets: 0,
  });
  controller.answer(ReadBufferSize, {
    aclDataPacketLength: 1021,
    synchronousDataPacketLength: 64,
    totalNumAclDataPackets: 5,
    totalNumSynchronousDataPackets: 4,
  });
  await using hci = await Hci.open(host, { clock });
  expect(controller.parameters[controller.commands.indexOf("WriteLeHostSupport")]).toMatchObject({ leSupportedHost: true });
  expect(hci.controller).toMatchObject({ leAclDataPacketLength: 1021, totalNumLeAclDataPackets: 5 });
});

test.each<[string, (controller: ScriptedController) => void, object]>([
  ["there is no LE", (controller) => controller.answer(ReadLocalSupportedFeatures, { lmpFeatures: 0n }), { code: "ERR_UNSUPPORTED" }],
  ["a mandatory command is refused", (controller) => controller.answer(SetEventMask, 0x12), { code: "ERR_HCI", status: 0x12 }],
  [
    "an answer is malformed",
    (controller) =>
      controller.answer(ReadBdAddr, () => {
        controller.send(fromHex("04 0e 06 01 0910 000102"));
        return "held";
      }),
    { code: "ERR_DECODE", path: "ReadBdAddr.bdAddr" },
  ],
  [
    "the buffers are too small",
    (controller) =>
      controller.answer(LeReadBufferSizeV2, {
        leAclDataPacketLength: 26,
        totalNumLeAclDataPackets: 1,
        isoDataPacketLength: 0,
        totalNumIsoDataPackets: 0,
      }),
    { message: "the controller offers 1 buffers of 26 octets, expected at least one of 27" },
  ],
])("opening fails and closes the transport when %s", async (_name, prepare, error) => {
  const { clock, host, controller } = unopened();
  prepare(controller);
  let closed = 0;
  controller.transport.onClose = () => closed++;
  await expect(Hci.open(host, { clock })).rejects.toMatchObject(error);
  expect(closed).toBe(1);
  expect(clock.pending).toEqual([]);
});

test("opening fails when the controller does not answer, when the transport ends, and when the signal says so", async () => {
  const silent = unopened();
  silent.controller.answer(Reset, "held");
  await expect(silent.clock.run(Hci.open(silent.host, { clock: silent.clock, commandTimeoutMs: 700 }))).rejects.toMatchObject({
    code: "ERR_TIMEOUT",
    operation: "Reset",
    timeoutMs: 700,
  });
  expect(silent.clock.pending).toEqual([]);

  const gone = unopened();
  gone.controller.answer(ReadBdAddr, () => {
    void gone.controller.transport[Symbol.asyncDispose]();
    return "held";
  });
  await expect(Hci.open(gone.host, { clock: gone.clock })).rejects.toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });

  const refused = unopened();
  refused.controller.answer(Reset, "held");
  const abort = new AbortController();
  const opening = Hci.open(refused.host, { clock: refused.clock, signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
});

test("a command's return parameters come back; an error status is an HciError, whichever event brings it", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(ReadRssi, { handle: 1, rssi: -50 });
  expect(await hci.send(ReadRssi, { handle: 1 })).toEqual({ status: 0, handle: 1, rssi: -50 });
  controller.answer(ReadRssi, 0x02);
  await expect(hci.send(ReadRssi, { handle: 1 })).rejects.toMatchObject({
    code: "ERR_HCI",
    status: 2,
    command: "ReadRssi",
    message: "ReadRssi failed: Unknown Connection Identifier (0x02)",
  });
  controller.answer(LeSetScanEnable, "held");
  const refused = hci.send(LeSetScanEnable, ENABLE);
  controller.send(encodeCommandStatus(LeSetScanEnable.opcode, 0x01));
  await expect(refused).rejects.toThrow("LeSetScanEnable failed: Unknown HCI Command (0x01)");
});

test("a command answered by Command Status resolves when it is accepted", async () => {
  const { hci, controller } = await openScriptedHci();
  expect(await hci.send(LeReadRemoteFeatures, { connectionHandle: 1 })).toBeUndefined();
  controller.answer(LeReadRemoteFeatures, 0x0c);
  await expect(hci.send(LeReadRemoteFeatures, { connectionHandle: 1 })).rejects.toBeInstanceOf(HciError);
  // Some controllers answer with Command Complete all the same.
  controller.answer(Disconnect, "held");
  const refused = hci.send(Disconnect, { connectionHandle: 1, reason: 0x13 });
  controller.send(fromHex("04 0e 04 01 0604 02"));
  await expect(refused).rejects.toMatchObject({ status: 2 });
});

test("a Command Status of success before the Command Complete changes nothing", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(LeRand, "held");
  const random = hci.send(LeRand, {});
  controller.send(encodeCommandStatus(LeRand.opcode, 0));
  controller.complete(LeRand, { randomNumber: new Uint8Array(8).fill(7) });
  expect((await random).randomNumber).toEqual(new Uint8Array(8).fill(7));
});

test("commands leave one at a time and in order, however much the controller grants", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.credits = 5;
  for (const declaration of [LeSetScanEnable, LeRand, ReadBdAddr]) controller.answer(declaration, "held");
  const all = [hci.send(LeSetScanEnable, ENABLE), hci.send(LeRand, {}), hci.send(ReadBdAddr, {})];
  expect(controller.commands).toEqual(["LeSetScanEnable"]);
  controller.complete(LeSetScanEnable);
  expect(controller.commands).toEqual(["LeSetScanEnable", "LeRand"]);
  controller.complete(LeRand, { randomNumber: new Uint8Array(8) });
  controller.complete(ReadBdAddr, { bdAddr: hci.controller.address });
  await Promise.all(all);
  expect(controller.commands).toEqual(["LeSetScanEnable", "LeRand", "ReadBdAddr"]);
});

test("a controller that grants no command gets none until an event of opcode 0x0000 grants again", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.credits = 0;
  await hci.send(LeSetScanEnable, ENABLE);
  controller.credits = 1;
  const waiting = [hci.send(LeRand, {}), hci.send(LeSetScanEnable, ENABLE)];
  controller.answer(LeRand, { randomNumber: new Uint8Array(8) });
  expect(controller.commands).toEqual(["LeSetScanEnable"]);
  controller.send(fromHex("04 0f 04 00 00 0000"));
  expect(controller.commands).toEqual(["LeSetScanEnable"]);
  controller.send(fromHex("04 0e 03 01 0000"));
  await Promise.all(waiting);
  controller.credits = 0;
  await hci.send(LeSetScanEnable, ENABLE);
  const last = hci.send(LeSetScanEnable, ENABLE);
  controller.send(fromHex("04 0f 04 00 01 0000"));
  await last;
});

test("where a grant does not come the next command is sent all the same, after the time for an answer", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.credits = 0;
  await hci.send(LeSetScanEnable, ENABLE);
  controller.credits = 1;
  const waiting = hci.send(LeSetScanEnable, ENABLE);
  await clock.advance(4999);
  expect(controller.commands).toEqual(["LeSetScanEnable"]);
  await clock.advance(1);
  await waiting;
  expect(clock.pending).toEqual([]);
});

test("commands queued from within an answer, a hundred deep, do not nest", async () => {
  const { hci, controller } = await openScriptedHci();
  await Promise.all(Array.from({ length: 100 }, () => hci.send(LeSetScanEnable, ENABLE)));
  expect(controller.commands).toHaveLength(100);
});

test("Host Number Of Completed Packets needs no credit and no answer", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(LeSetScanEnable, "held");
  const held = hci.send(LeSetScanEnable, ENABLE);
  await hci.send(HostNumberOfCompletedPackets, { handles: [] });
  expect(controller.commands).toEqual(["LeSetScanEnable", "HostNumberOfCompletedPackets"]);
  controller.complete(LeSetScanEnable);
  await held;
});

test("the answer to a command that its caller gave up is not taken for the answer to a later one", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const abort = new AbortController();
  const given = hci.send(ReadRssi, { handle: 1 }, { signal: abort.signal });
  const next = hci.send(ReadRssi, { handle: 2 });
  abort.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  expect(controller.commands).toEqual(["ReadRssi"]);
  controller.complete(ReadRssi, { handle: 1, rssi: -1 });
  expect(controller.commands).toEqual(["ReadRssi", "ReadRssi"]);
  controller.complete(ReadRssi, { handle: 2, rssi: -2 });
  expect(await next).toMatchObject({ handle: 2, rssi: -2 });
});

test("a command given up while it waits is never sent", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(LeSetScanEnable, "held");
  const first = hci.send(LeSetScanEnable, ENABLE);
  const abort = new AbortController();
  const aborted = hci.send(ReadRssi, { handle: 1 }, { signal: abort.signal });
  const late = hci.send(ReadRssi, { handle: 2 }, { timeoutMs: 50 });
  const outcomes = Promise.allSettled([aborted, late]);
  abort.abort(new Error("enough"));
  await clock.advance(50);
  expect(await outcomes).toMatchObject([{ reason: { message: "enough" } }, { reason: { code: "ERR_TIMEOUT", timeoutMs: 50 } }]);
  controller.complete(LeSetScanEnable);
  await first;
  expect(controller.commands).toEqual(["LeSetScanEnable"]);
  await expect(hci.send(ReadRssi, { handle: 1 }, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
});

test("an unanswered command times out, a sign of life is asked for, and later commands go on", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const lost = expect(hci.send(ReadRssi, { handle: 1 })).rejects.toMatchObject({
    code: "ERR_TIMEOUT",
    operation: "ReadRssi",
    timeoutMs: 5000,
  });
  const next = hci.send(ReadRssi, { handle: 2 });
  await clock.advance(5000);
  await lost;
  expect(controller.commands).toEqual(["ReadRssi", "ReadLocalVersionInformation", "ReadRssi"]);
  controller.complete(ReadRssi, { handle: 2, rssi: -2 });
  expect(await next).toMatchObject({ handle: 2 });
  expect(hci.ended).toBeUndefined();
  expect(clock.pending).toEqual([]);
});

test("a late answer that comes before the sign of life is dropped", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  controller.answer(ReadLocalVersionInformation, "held");
  const lost = expect(hci.send(ReadRssi, { handle: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  const next = hci.send(ReadRssi, { handle: 2 });
  await clock.advance(5000);
  await lost;
  controller.complete(ReadRssi, { handle: 1, rssi: -1 });
  expect(controller.commands).toEqual(["ReadRssi", "ReadLocalVersionInformation"]);
  controller.complete(ReadLocalVersionInformation, {
    hciVersion: 1,
    hciSubversion: 1,
    lmpVersion: 1,
    companyIdentifier: 1,
    lmpSubversion: 1,
  });
  controller.complete(ReadRssi, { handle: 2, rssi: -2 });
  expect(await next).toMatchObject({ handle: 2 });
});

test("a controller that gives no sign of life is dead: everything pending is rejected", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  controller.answer(ReadLocalVersionInformation, "held");
  const link = hci.acl.open(1);
  const reasons: unknown[] = [];
  link.onClose = (reason) => reasons.push(reason);
  hci.onClose((reason) => reasons.push(reason));
  const outcomes = Promise.allSettled([hci.send(ReadRssi, { handle: 1 }), hci.send(ReadRssi, { handle: 2 })]);
  await clock.advance(10_000);
  expect(await outcomes).toMatchObject([{ reason: { code: "ERR_TIMEOUT" } }, { reason: { code: "ERR_CONTROLLER" } }]);
  expect(reasons).toMatchObject([
    { code: "ERR_DISCONNECTED", reason: 0x03, cause: { code: "ERR_CONTROLLER" } },
    { code: "ERR_CONTROLLER" },
  ]);
  await expect(hci.send(ReadRssi, { handle: 1 })).rejects.toBe(hci.ended);
  expect(clock.pending).toEqual([]);
});

test("the command queue is bounded", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(LeSetScanEnable, "held");
  const waiting = Promise.allSettled(Array.from({ length: 257 }, () => hci.send(LeSetScanEnable, ENABLE)));
  await expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toMatchObject({ code: "ERR_STATE" });
  await controller.transport[Symbol.asyncDispose]();
  expect((await waiting).every(({ status }) => status === "rejected")).toBe(true);
});

test("arguments that do not fit are refused at once and cost nothing", async () => {
  const { hci, controller } = await openScriptedHci();
  await expect(hci.send(Disconnect, { connectionHandle: -1, reason: 0 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(controller.commands).toEqual([]);
});

test("a transport that closes settles everything within one turn and tells once", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const link = hci.acl.open(1);
  link.sendFrame(new Uint8Array(9 + 200));
  const settled: unknown[] = [];
  const watch = (promise: Promise<unknown>): void => void promise.catch((error: unknown) => settled.push(error));
  watch(hci.send(ReadRssi, { handle: 1 }));
  watch(hci.send(ReadRssi, { handle: 1 }));
  watch(link.whenSent());
  hci.onClose(() => settled.push("closed"));
  await controller.transport[Symbol.asyncDispose]();
  await turn();
  expect(settled).toHaveLength(4);
  expect(settled.filter((error) => error instanceof DisconnectedError)).toHaveLength(1);
  expect(hci.ended).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
  expect(hci.listenerCount).toBe(0);
  expect(clock.pending).toEqual([]);
  const late: unknown[] = [];
  hci.onClose((reason) => late.push(reason));
  expect(late).toEqual([hci.ended]);
  await hci[Symbol.asyncDispose]();
});

test("a hardware error ends the Hci; its own handlers hear of it first", async () => {
  const { hci, controller } = await openScriptedHci();
  const log: unknown[] = [];
  hci.on(HardwareError, ({ hardwareCode }) => log.push(hardwareCode));
  hci.onClose((reason) => log.push(reason.message));
  controller.send(encodeEvent(HardwareError, { hardwareCode: 5 }), encryptionChange(1));
  expect(log).toEqual([5, "the controller reported hardware error 0x05"]);
  expect(hci.ended).toMatchObject({ code: "ERR_CONTROLLER", hardwareCode: 5 });
});

test("an overflow of the controller's buffers is told in the log", async () => {
  const { controller, log } = await openScriptedHci();
  controller.send(fromHex("04 1a 01 01"));
  expect(log.filter((line) => line.includes("overflowed"))).toHaveLength(1);
});

test("events reach their handlers decoded, in order, until disposed", async () => {
  const { hci, controller } = await openScriptedHci();
  const log: unknown[] = [];
  const first = hci.on(EncryptionChange, ({ connectionHandle }) => {
    log.push(connectionHandle);
    if (connectionHandle === 2) second[Symbol.dispose]();
  });
  const second = hci.on(EncryptionChange, ({ connectionHandle }) => log.push(-connectionHandle));
  controller.send(encryptionChange(1), encryptionChange(2), encryptionChange(3));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  controller.send(encryptionChange(4));
  expect(log).toEqual([1, -1, 2, 3]);
  expect(hci.listenerCount).toBe(0);
});

test("a vendor's event is declared by whoever wants it; two declarations of one event do not mix", async () => {
  const { hci, controller } = await openScriptedHci();
  const log: unknown[] = [];
  hci.on(event("Vendor", { eventCode: 0xff, parameters: rest }), (parameters) => log.push([...parameters]));
  hci.on(event("VendorByte", { eventCode: 0xff, parameters: u8 }), (parameters) => log.push(parameters));
  controller.send(fromHex("04 ff 01 09"), fromHex("04 ff 02 0102"));
  expect(log).toEqual([[9], 9, [1, 2]]);
  const vendor = command("VendorRead", { ogf: Ogf.VendorSpecific, ocf: 1, parameters: rest, returns: rest });
  const answer = hci.send(vendor, Uint8Array.of(1));
  controller.send(fromHex("04 0e 05 01 01fc 0042"));
  expect(await answer).toEqual(Uint8Array.of(0, 0x42));
});

test("a handler that throws breaks neither the others nor the stack", async () => {
  const { hci, controller } = await openScriptedHci();
  const log: unknown[] = [];
  hci.on(EncryptionChange, () => {
    throw new Error("handler");
  });
  hci.on(EncryptionChange, ({ connectionHandle }) => log.push(connectionHandle));
  hci.onAdvertisingReport = (_packet, offset) => {
    log.push(offset);
    throw new Error("report");
  };
  hci.acl.open(1).onPdu = () => {
    throw new Error("pdu");
  };
  hci.onClose(() => {
    throw new Error("close");
  });
  hci.onClose(() => log.push("closed"));
  controller.send(
    encryptionChange(1),
    fromHex("02 0120 0400 0000 0400"),
    fromHex("04 3e 16 02 02 00 00 010203040506 00 c4 00 00 010203040506 00 c4"),
  );
  await controller.transport[Symbol.asyncDispose]();
  await turn();
  expect(log).toEqual([1, 5, 15, "closed"]);
  expect(uncaught.map((error) => (error as Error).message)).toEqual(["handler", "pdu", "report", "report", "close"]);
});

test("events of wrong length are dropped and the log says so", async () => {
  const { hci, controller, log } = await openScriptedHci();
  let seen = 0;
  hci.on(DisconnectionComplete, () => seen++);
  const link = hci.acl.open(1);
  for (const hex of [
    "04",
    "04 05",
    "04 05 04 00 0100",
    "04 05 05 00 0100 13 00",
    "04 05 03 00 0100",
    "04 3e 00",
    "04 0e 02 0100",
    "04 0f 03 00 01 00",
  ])
    controller.send(fromHex(hex));
  controller.send(fromHex("04 13 00"), fromHex("04 13 05 02 0100 0100"), fromHex("03 0000 00"), fromHex("09"));
  expect(seen).toBe(0);
  expect(link.ended).toBeUndefined();
  expect(log.filter((line) => line.includes("dropped")).length).toBeGreaterThanOrEqual(10);
});

test("a disconnection closes the link before its handlers hear of it; a failed one does not", async () => {
  const { hci, controller } = await openScriptedHci();
  const log: string[] = [];
  const link = hci.acl.open(0x40);
  link.onClose = (reason) => log.push(`link ${reason.message}`);
  hci.on(DisconnectionComplete, ({ reason }) => log.push(`event ${reason}`));
  controller.send(encodeEvent(DisconnectionComplete, { status: 0x0c, connectionHandle: 0x40, reason: 0 }));
  expect(link.ended).toBeUndefined();
  controller.send(encodeEvent(DisconnectionComplete, { status: 0, connectionHandle: 0x40, reason: 0x08 }));
  expect(log).toEqual(["event 0", "link disconnected: Connection Timeout (0x08)", "event 8"]);
});

test("advertising reports are handed out in place, one by one, and those that lie about their length are not", async () => {
  const { hci, controller, log } = await openScriptedHci();
  const got: string[] = [];
  hci.onAdvertisingReport = (packet, offset, end) => got.push(Buffer.from(packet.subarray(offset, end)).toString("hex"));
  const decoded: unknown[] = [];
  hci.on(LeAdvertisingReport, ({ reports }) => decoded.push(...reports));
  controller.send(fromHex("04 3e 19 02 02 00 01 5544332211c0 03 020106 c4 04 00 5544332211c0 00 7f"));
  expect(got).toEqual(["00015544332211c003020106c4", "04005544332211c0007f"]);
  expect(decoded).toHaveLength(2);
  got.length = 0;
  for (const hex of [
    "04 3e 02 02 00",
    "04 3e 02 02 01",
    "04 3e 0b 02 01 00 01 5544332211c0 00",
    "04 3e 0c 02 01 00 01 5544332211c0 01 c4",
    "04 3e 01 02",
  ])
    controller.send(fromHex(hex));
  expect(got).toEqual([]);
  expect(log.filter((line) => line.includes("advertising report longer")).length).toBe(3);
});

test("disposing leaves the controller reset and the transport closed", async () => {
  const { hci, controller } = await openScriptedHci();
  let closed = 0;
  controller.transport.onClose = () => closed++;
  controller.answer(ReadRssi, "held");
  const pending = expect(hci.send(ReadRssi, { handle: 1 })).rejects.toBeInstanceOf(ClosedError);
  await Promise.all([hci[Symbol.asyncDispose](), hci[Symbol.asyncDispose]()]);
  await pending;
  expect(controller.commands).toEqual(["ReadRssi", "Reset"]);
  expect(closed).toBe(1);
});

test("disposing waits for the answer to the Reset, and takes nothing else for it", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(Reset, "held");
  let isDisposed = false;
  const disposal = hci[Symbol.asyncDispose]().then(() => {
    isDisposed = true;
  });
  for (const hex of ["04 0e 04 01 0514 00", "04 0f 04 00 01 030c", "02 0e04 0403 0c00", "04 13 04 01 030c 00", "04 0e 04 01 031c 00"])
    controller.send(fromHex(hex));
  await clock.advance(999);
  expect(isDisposed).toBe(false);
  controller.complete(Reset);
  await clock.run(disposal);
  expect(clock.pending).toEqual([]);
});

test("disposing does not wait longer than a second for a silent controller, nor for a transport that ends", async () => {
  const silent = await openScriptedHci();
  silent.controller.answer(Reset, "held");
  const startMs = silent.clock.now();
  await silent.clock.run(silent.hci[Symbol.asyncDispose]());
  expect(silent.clock.now() - startMs).toBe(1000);

  const ending = await openScriptedHci();
  ending.controller.answer(Reset, () => {
    void ending.controller.transport[Symbol.asyncDispose]();
    return "held";
  });
  await ending.hci[Symbol.asyncDispose]();
});

test("random packets never throw, whatever is open", async () => {
  const { hci, controller } = await openScriptedHci();
  hci.acl.open(1).onPdu = () => {};
  hci.onAdvertisingReport = () => {};
  for (const declaration of [DisconnectionComplete, LeAdvertisingReport, NumberOfCompletedPackets, EncryptionChange])
    hci.on(declaration as typeof DisconnectionComplete, () => {});
  controller.answer(LeCreateConnection, "held");
  const packets = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .tuple(fc.constantFrom(0x05, 0x08, 0x0e, 0x0f, 0x13, 0x1a, 0x3e, 0x59, 0xff), fc.uint8Array({ maxLength: 40 }))
      .map(([code, data]) => Uint8Array.of(4, code, data.length, ...data)),
    fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 40 }))
      .map(([flags, data]) => Uint8Array.of(2, 1, flags, data.length, 0, ...data)),
  );
  fc.assert(
    fc.property(packets, (packet) => {
      fc.pre(!(packet[0] === 4 && packet[1] === 0x10));
      if (!hci.ended) hci.acl.open(1).onPdu = () => {};
      controller.send(packet);
    }),
    { numRuns: 5000 },
  );
  await turn();
  expect(uncaught).toEqual([]);
  expect(hci.ended).toBeUndefined();
  controller.answer(LeReadBufferSize, { leAclDataPacketLength: 27, totalNumLeAclDataPackets: 1 });
  controller.send(fromHex("04 0e 03 01 0000"));
  expect(await hci.send(LeReadBufferSize, {})).toMatchObject({ totalNumLeAclDataPackets: 1 });
});
