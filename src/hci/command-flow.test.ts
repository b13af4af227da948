import { expect, test } from "vitest";
import { openScriptedHci } from "../../test/support/scripted-hci.ts";
import { fromHex, rest } from "../bytes/index.ts";
import {
  command,
  commands,
  decodeCommand,
  decodeEvent,
  encodeCommandComplete,
  encodeCommandStatus,
  HciErrorCode,
  LeCreateConnectionCancel,
  LeRand,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeSetScanEnable,
  LeSetScanParameters,
  ReadLocalVersionInformation,
  ReadRssi,
  Reset,
} from "./index.ts";

const ENABLE = { leScanEnable: true, filterDuplicates: false };
const VERSION = { hciVersion: 1, hciSubversion: 1, lmpVersion: 1, companyIdentifier: 1, lmpSubversion: 1 };

/** A command without an answer, after which the sign of life has come. */
async function loseScanEnable() {
  const opened = await openScriptedHci();
  opened.controller.answer(LeSetScanEnable, "held");
  const lost = expect(opened.hci.send(LeSetScanEnable, ENABLE)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await opened.clock.advance(5000);
  await lost;
  return opened;
}

test("an answer that comes after the sign of life is not taken for that of the next command", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  const next = hci.send(LeSetScanEnable, ENABLE);
  controller.complete(LeSetScanEnable, 0x0c); // to the first
  controller.complete(LeSetScanEnable); // to the second
  await next;
  expect(clock.pending).toEqual([]);
});

test("neither is it where the late answer is a success and the true one is not", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  const next = hci.send(LeSetScanEnable, ENABLE);
  const refused = expect(next).rejects.toMatchObject({ code: "ERR_HCI", status: 0x0c });
  controller.complete(LeSetScanEnable);
  await clock.advance(99);
  controller.complete(LeSetScanEnable, 0x0c);
  await refused;
});

test("nor is one that names the connection that the lost command was about", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const lost = expect(hci.send(ReadRssi, { handle: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(5000);
  await lost;
  const next = hci.send(ReadRssi, { handle: 1 });
  controller.complete(ReadRssi, { handle: 1, rssi: -40 });
  await clock.advance(50);
  controller.complete(ReadRssi, { handle: 1, rssi: -70 });
  expect(await next).toMatchObject({ rssi: -70 });
});

test.each([
  ["Command Status", (opcode: number) => encodeCommandStatus(opcode, 0), undefined],
  ["Command Complete", (opcode: number) => encodeCommandComplete(opcode, fromHex("000102")), fromHex("000102")],
])("a command of which nothing is known is answered by %s", async (_name, answer, returned) => {
  const { hci, controller } = await openScriptedHci();
  const unknown = command("Unknown", { ogf: 0x3f, ocf: 1, parameters: rest, returns: rest, anyAnswer: true });
  controller.answer(unknown, "held");
  const sent = hci.send(unknown, fromHex("07"));
  controller.send(answer(unknown.opcode));
  expect(await sent).toEqual(returned);
});

test("a Command Complete too short to grant anything grants nothing, and takes nothing back", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  for (const hex of ["04 0e 00", "04 0e 01 00", "04 0e 02 00 01"]) controller.send(fromHex(hex));
  const before = clock.now();
  await hci.send(LeSetScanEnable, ENABLE);
  expect(clock.now()).toBe(before);
});

test.each<[unknown, string]>([
  [{ signal: 5 }, "signal"],
  [{ signal: new AbortController() }, "signal"],
  [{ timeoutMs: "5" }, "timeoutMs"],
  [{ timeoutMs: -1 }, "timeoutMs"],
  [5, "expected an object of options"],
  [null, "expected an object of options"],
])("a command with the options %j is refused by a rejection, and not sent", async (options, message) => {
  const { hci, controller } = await openScriptedHci();
  await expect(hci.send(LeSetScanEnable, ENABLE, options as never)).rejects.toMatchObject({
    code: "ERR_ARGUMENT",
    message: expect.stringContaining(message),
  });
  expect(controller.commands).toEqual([]);
});

test.each([-1, 0x0f00, 1.5, Number.NaN, "1", undefined])("%j is no handle of a link", async (handle) => {
  const { hci } = await openScriptedHci();
  expect(() => hci.acl.open(handle as never)).toThrow("AclManager.open: handle");
});

test("nobody waits for a grant of commands when the last one that needs it was given up", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.credits = 0;
  await hci.send(LeSetScanEnable, ENABLE);
  const abort = new AbortController();
  const waiting = hci.send(LeSetScanEnable, ENABLE, { signal: abort.signal });
  expect(clock.pending).toHaveLength(1);
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(clock.pending).toEqual([]);
});

test("each reset is one: the next has its own, those who ask meanwhile share it", async () => {
  const { hci, controller } = await openScriptedHci();
  for (let i = 1; i <= 3; i++) {
    await Promise.all([hci.reset(), hci.reset()]);
    expect(controller.commands.filter((name) => name === "Reset")).toHaveLength(i);
  }
});

test("a disposed handler of the end is not called, the others are", async () => {
  const { hci, controller } = await openScriptedHci();
  const told: string[] = [];
  const [first] = [hci.onClose(() => told.push("first")), hci.onClose(() => told.push("second"))];
  expect(hci.listenerCount).toBe(2);
  first[Symbol.dispose]();
  expect(hci.listenerCount).toBe(1);
  await controller.transport[Symbol.asyncDispose]();
  expect(told).toEqual(["second"]);
});

test("a late Command Status is no answer to the next command either", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(LeReadRemoteFeatures, "held");
  const lost = expect(hci.send(LeReadRemoteFeatures, { connectionHandle: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(5000);
  await lost;
  const next = hci.send(LeReadRemoteFeatures, { connectionHandle: 2 });
  controller.send(encodeCommandStatus(LeReadRemoteFeatures.opcode, HciErrorCode.UnknownConnectionIdentifier));
  controller.send(encodeCommandStatus(LeReadRemoteFeatures.opcode, 0));
  await next;
});

test("where only one answer comes it counts, a tenth of a second later, and the doubt is over", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  let done = false;
  const next = hci.send(LeSetScanEnable, ENABLE).then(() => {
    done = true;
  });
  const behind = hci.send(LeRand, {});
  controller.answer(LeRand, { randomNumber: new Uint8Array(8) });
  controller.complete(LeSetScanEnable);
  await clock.advance(99);
  expect(done).toBe(false);
  expect(controller.commands.at(-1)).toBe("LeSetScanEnable"); // one at a time
  await clock.advance(1);
  await next;
  await behind;
  const third = hci.send(LeSetScanEnable, ENABLE);
  controller.complete(LeSetScanEnable);
  await third;
  expect(clock.pending).toEqual([]);
});

test("a late answer that comes while another command is under way ends the doubt", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  controller.complete(LeSetScanEnable); // nobody waits for it
  const next = hci.send(LeSetScanEnable, ENABLE);
  controller.complete(LeSetScanEnable);
  await next;
  expect(clock.pending).toEqual([]);
});

test("a reset ends every doubt", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  await hci.send(Reset, {});
  const next = hci.send(LeSetScanEnable, ENABLE);
  controller.complete(LeSetScanEnable);
  await next;
  expect(clock.pending).toEqual([]);
});

test("the end of the Hci settles a command whose answer is in doubt", async () => {
  const { hci, controller, clock } = await loseScanEnable();
  const next = expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
  controller.complete(LeSetScanEnable);
  await controller.transport[Symbol.asyncDispose]();
  await next;
  expect(clock.pending).toEqual([]);
});

test("an answer about another connection is none", async () => {
  const { hci, controller, log } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const rssi = hci.send(ReadRssi, { handle: 0x0041 });
  controller.complete(ReadRssi, { handle: 0x0042, rssi: -1 });
  controller.send(fromHex("04 0e 07 01 0514 02 4200 00")); // refused, for the other one
  expect(log.filter((line) => line.includes("handle 66"))).toHaveLength(2);
  controller.complete(ReadRssi, { handle: 0x0041, rssi: -70 });
  expect(await rssi).toMatchObject({ handle: 0x0041, rssi: -70 });
});

test("an error that names no connection, or zeros, is the answer all the same", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  for (const answer of ["04 0e 04 01 0514 02", "04 0e 06 01 0514 02 0000", "04 0e 07 01 0514 02 0000 00", "04 0e 07 01 0514 02 4100 00"]) {
    const rssi = expect(hci.send(ReadRssi, { handle: 0x0041 })).rejects.toMatchObject({ code: "ERR_HCI", status: 0x02 });
    controller.send(fromHex(answer));
    await rssi;
  }
});

test.each([
  ["whole", "04 0e 0a 01 0910 01 001122334455"],
  ["not counted in the event's length", "04 0e 09 01 0910 01 001122334455"],
  ["cut", "04 0e 09 01 0910 01 0011223344"],
  ["missing", "04 0e 04 01 0910 01"],
  ["missing and counted", "04 0e 0a 01 0910 01"],
])("an error status is decoded, and believed, where what follows it is %s", async (_name, hex) => {
  const packet = fromHex(hex);
  expect(decodeEvent(packet).answers).toMatchObject({ name: "ReadBdAddr", returns: { status: 0x01 } });
  const { hci, controller } = await openScriptedHci();
  const readBdAddr = commands.get(0x1009)!;
  controller.answer(readBdAddr, "held");
  const answer = expect(hci.send(readBdAddr, {})).rejects.toMatchObject({ code: "ERR_HCI", status: 0x01, command: "ReadBdAddr" });
  controller.send(packet);
  await answer;
});

test("the return parameters of every command may be cut anywhere after an error status, and nowhere after success", () => {
  let cut = 0;
  for (const { opcode, returns, name } of commands.values()) {
    if (!returns) continue;
    for (let length = 1; length < 70; length++) {
      const event = (status: number): Uint8Array =>
        Uint8Array.of(4, 0x0e, 3 + length, 1, opcode & 0xff, opcode >> 8, status, ...new Uint8Array(length - 1));
      expect([name, decodeEvent(event(0x0c)).answers]).toMatchObject([name, { name, returns: { status: 0x0c } }]);
      try {
        decodeEvent(event(0));
      } catch (error) {
        expect(error).toMatchObject({ code: "ERR_DECODE" });
        cut++;
      }
    }
  }
  expect(cut).toBeGreaterThan(1000);
});

test("a length that is a lie is told with what is there", () => {
  expect(() => decodeEvent(fromHex("04 0e 06 01 0514 00 0100 ba"))).toThrow("length 6, has 7 octets of parameters");
  expect(() => decodeCommand(fromHex("01 0514 03 0100"))).toThrow("length 3, has 2 octets of parameters");
  expect(() => decodeCommand(fromHex("01 05"))).toThrow("needs 4 bytes, has 2");
  expect(() => decodeEvent(fromHex("04"))).toThrow("needs 3 bytes, has 1");
  expect(() => encodeCommandComplete(ReadRssi, { status: 0 } as never)).toThrow();
});

test("an event whose length is a lie is none, where it is no failed command", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(ReadRssi, "held");
  const rssi = hci.send(ReadRssi, { handle: 1 });
  controller.send(fromHex("04 0e 06 01 0514 00 0100 ba"));
  controller.complete(ReadRssi, { handle: 1, rssi: -2 });
  expect(await rssi).toMatchObject({ rssi: -2 });
});

test("a reset brings the controller back: links end, who asked to know is told, and what was sent meanwhile leaves afterwards", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  const link = hci.acl.open(1);
  const seen: unknown[] = [];
  link.onClose = (reason) => seen.push(reason);
  using _told = hci.onReset((reason) => {
    seen.push(reason);
    void hci.send(LeCreateConnectionCancel, {});
  });
  controller.answer(LeSetScanEnable, "held");
  controller.answer(Reset, "held");
  const underWay = hci.send(LeSetScanEnable, ENABLE);
  const waiting = expect(hci.send(LeRand, {})).rejects.toThrow("the controller was reset");
  const [resetting, joined] = [hci.reset(), hci.reset()];
  await waiting;
  expect(controller.commands).toEqual(["LeSetScanEnable"]); // whose answer comes first
  controller.complete(LeSetScanEnable);
  await underWay;
  const later = hci.send(LeSetScanEnable, ENABLE);
  expect(seen).toEqual([]);
  controller.answer(LeReadLocalSupportedFeatures, { leFeatures: 1n });
  controller.answer(LeSetScanEnable, {});
  controller.complete(Reset);
  await Promise.all([resetting, joined, later]);
  expect(seen).toMatchObject([{ code: "ERR_DISCONNECTED", reason: 0x03, cause: { code: "ERR_STATE" } }, { code: "ERR_STATE" }]);
  expect(controller.commands.filter((name) => name === "Reset")).toHaveLength(1);
  // Sent while the controller was not ready yet.
  expect(controller.commands.slice(-2)).toEqual(["LeSetScanEnable", "LeCreateConnectionCancel"]);
  expect(controller.commands.indexOf("SetEventMask")).toBeLessThan(controller.commands.lastIndexOf("LeSetScanEnable"));
  expect(hci.controller.leFeatures).toBe(1n);
  expect(hci.acl.freePackets).toBe(4);
  expect([hci.ended, clock.pending]).toEqual([undefined, []]);
});

test("a reset that fails ends the Hci, and the caller hears why", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(Reset, 0x03);
  const ended: unknown[] = [];
  hci.onClose((reason) => ended.push(reason));
  await expect(hci.reset()).rejects.toMatchObject({ code: "ERR_CONTROLLER", cause: { code: "ERR_HCI", status: 0x03 } });
  expect(ended).toMatchObject([{ code: "ERR_CONTROLLER" }]);
  await expect(hci.reset()).rejects.toBe(hci.ended);
  expect([clock.pending, hci.listenerCount]).toEqual([[], 0]);
});

test("a controller that gives no answer to a reset is dead", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  for (const declaration of [Reset, ReadLocalVersionInformation]) controller.answer(declaration, "held");
  const outcome = expect(hci.reset()).rejects.toMatchObject({ code: "ERR_CONTROLLER" });
  const later = expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toMatchObject({ code: "ERR_CONTROLLER" });
  await clock.advance(10_000);
  await Promise.all([outcome, later]);
  expect(clock.pending).toEqual([]);
});

test("a reset is possible while many commands wait, and while the controller grants none", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.credits = 0;
  await hci.send(LeSetScanEnable, ENABLE);
  const waiting = Promise.allSettled(Array.from({ length: 256 }, () => hci.send(LeRand, {})));
  const resetting = hci.reset();
  expect((await waiting).every(({ status }) => status === "rejected")).toBe(true);
  controller.credits = 1;
  await clock.advance(5000);
  await resetting;
  expect(clock.pending).toEqual([]);
});

test("a disposed handler of resets is not called, and one that throws harms nobody", async () => {
  const { hci } = await openScriptedHci();
  const seen: string[] = [];
  hci.onReset(() => seen.push("gone"))[Symbol.dispose]();
  hci.onReset(() => seen.push("one"));
  hci.onReset(() => seen.push("two"));
  expect(hci.listenerCount).toBe(2);
  await hci.reset();
  expect(seen).toEqual(["one", "two"]);
});

test.each([
  ["ReadLocalVersionInformation", { hciVersion: 0, companyIdentifier: 0xffff }],
  ["ReadLocalSupportedCommands", {}],
  ["ReadLocalSupportedFeatures", { lmpFeatures: 0x60_0000_0000n }],
  ["ReadBdAddr", {}],
  ["LeReadLocalSupportedFeatures", { leFeatures: 0n, supportedMaxTxOctets: 27 }],
  ["LeReadSuggestedDefaultDataLength", { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 328 }],
  ["LeReadMaximumDataLength", { supportedMaxTxOctets: 27, supportedMaxTxTime: 328 }],
  ["LeReadSupportedStates", { leStates: 0n }],
  ["LeReadFilterAcceptListSize", { filterAcceptListSize: 0 }],
  ["LeReadResolvingListSize", { resolvingListSize: 0 }],
  ["LeReadBufferSizeV2", { leAclDataPacketLength: 27 }],
])("a controller that does not know %s is opened without it", async (name, expected) => {
  const declaration = [...commands.values()].find((command) => command.name === name)!;
  const { hci } = await openScriptedHci((controller) => controller.answer(declaration, HciErrorCode.UnknownHciCommand));
  expect(hci.controller).toMatchObject(expected);
  if (name === "ReadBdAddr") expect([...hci.controller.address.bytes]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(hci.supports(LeSetScanParameters)).toBe(true);
});

test("a controller that refuses the mask of LE events gets the one of version 4.0", async () => {
  const masks: bigint[] = [];
  const setMask = [...commands.values()].find(({ name }) => name === "LeSetEventMask")!;
  await openScriptedHci((controller) =>
    controller.answer(setMask, ({ leEventMask }: { leEventMask: bigint }) => {
      masks.push(leEventMask);
      return masks.length === 1 ? HciErrorCode.InvalidHciCommandParameters : {};
    }),
  );
  expect(masks).toHaveLength(2);
  expect(masks[0]! > 0x1fn).toBe(true);
  expect(masks[1]).toBe(0x1fn);
});

test("the answer to a sign of life is not believed to be that of the command which was lost", async () => {
  const { hci, controller, clock } = await openScriptedHci();
  controller.answer(ReadLocalVersionInformation, "held");
  const lost = expect(hci.send(ReadLocalVersionInformation, {})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await clock.advance(5000);
  await lost;
  expect(controller.commands).toEqual(["ReadLocalVersionInformation", "ReadBdAddr"]);
  const again = hci.send(ReadLocalVersionInformation, {});
  controller.complete(ReadLocalVersionInformation, { ...VERSION, hciVersion: 2 });
  controller.complete(ReadLocalVersionInformation, { ...VERSION, hciVersion: 3 });
  expect(await again).toMatchObject({ hciVersion: 3 });
});

test("what is no command, no event, no parameters or no option is refused at once", async () => {
  const { hci, controller } = await openScriptedHci();
  const refused = async (outcome: Promise<unknown>, message: string): Promise<void> => {
    await expect(outcome).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(message) as string });
  };
  await refused(hci.send(undefined as never, {}), "Hci.send: expected the declaration of a command, got undefined");
  await refused(hci.send("Reset" as never, {}), "got a string");
  await refused(hci.send(ReadRssi, undefined as never), "ReadRssi: expected an object of parameters, got undefined");
  await refused(hci.send(ReadRssi, { handle: 1 }, { timeout: 5 } as never), 'unknown option "timeout", did you mean "timeoutMs"?');
  await refused(hci.send(ReadRssi, { handle: "1" } as never), "");
  expect(() => hci.on("Reset" as never, () => {})).toThrow("Hci.on: expected the declaration of an event, got a string");
  expect(() => hci.on({ eventCode: 5, name: "Five" } as never, "callback" as never)).toThrow(
    "Hci.on(Five): expected a function, got a string",
  );
  for (const decode of [decodeEvent, decodeCommand])
    for (const packet of [undefined, "040e", [4, 14]]) expect(() => decode(packet as never)).toThrow("expected a Uint8Array");
  expect(controller.commands).toEqual([]);
});
