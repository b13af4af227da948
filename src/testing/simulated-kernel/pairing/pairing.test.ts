import { describe, expect, test } from "vitest";
import { type Program, program, statusOf, testKernel } from "../../../../test/support/kernel-client.ts";
import type { Mgmt, MgmtEvent } from "../../../mgmt/index.ts";
import type { KernelDeviceOptions, SettingName } from "../options.ts";
import { pairingMethod } from "./method.ts";

const READY: readonly SettingName[] = ["Powered", "Connectable", "Bondable", "BREDR", "LowEnergy", "SecureConnections"];
const ADDRESS = { address: "C0:11:22:33:44:55", addressType: 2 };
const CLASSIC = { address: "00:11:22:33:44:55", addressType: 0 };
const LOCK: KernelDeviceOptions = { address: ADDRESS.address, addressType: "LERandom" };

async function beside(device: Partial<KernelDeviceOptions>, settings = READY) {
  const { kernel, clock } = testKernel({ controllers: [{ settings }] });
  const present = kernel.addDevice({ ...LOCK, ...device });
  return { kernel, clock, present, ...(await program(kernel)), other: await program(kernel) };
}

/** Answers what is asked, as a user would. */
function answer(
  mgmt: Mgmt,
  how: Partial<Record<MgmtEvent["event"], (event: { address: string; addressType: number }) => Promise<unknown>>>,
): void {
  for (const [name, reply] of Object.entries(how))
    mgmt.on(name as "userPasskeyRequest", (event) => void reply!({ address: event.address, addressType: event.addressType }));
}

const told = (who: Program): string[] => who.told().map(({ event }) => event);

describe("a device pairs", () => {
  test("by being looked for, connected, confirmed, with keys for everybody, and the reply at the end", async () => {
    const { clock, mgmt, other, ...who } = await beside({});
    answer(mgmt, { userConfirmationRequest: (device) => mgmt.userConfirmationReply(0, device) });
    expect(await clock.run(mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }))).toEqual(ADDRESS);
    const expected = ["deviceConnected", "newConnectionParameter", "userConfirmationRequest", "newLongTermKey"];
    expect([told({ ...who, mgmt }), told(other)]).toEqual([expected, expected]);
    expect(await statusOf(clock, mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }))).toBe("AlreadyPaired");
    expect(await clock.run(mgmt.getConnections(0))).toEqual({ connections: [ADDRESS] });
    await clock.run(mgmt.unpairDevice(0, { ...ADDRESS, disconnect: true }));
    expect(told(other)).toEqual(["deviceDisconnected", "deviceUnpaired"]);
    expect(await clock.run(mgmt.getConnections(0))).toEqual({ connections: [] });
  });

  test("with the number that both sides show", async () => {
    const { clock, mgmt, ...who } = await beside({ pairing: "compare" });
    answer(mgmt, { userConfirmationRequest: (device) => mgmt.userConfirmationReply(0, device) });
    await clock.run(mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }));
    expect(who.told().find(({ event }) => event === "userConfirmationRequest")).toMatchObject({ confirmHint: 0 });
  });

  test("with the passkey that the device shows, and only with that one", async () => {
    for (const [typed, status] of [
      [4711, "Success"],
      [4712, "AuthenticationFailed"],
    ] as const) {
      const { clock, mgmt, other } = await beside({ pairing: "devicePasskey", passkey: 4711 });
      answer(mgmt, { userPasskeyRequest: (device) => mgmt.userPasskeyReply(0, { ...device, passkey: typed }) });
      expect(await statusOf(clock, mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 2 }))).toBe(status);
      expect(told(other).includes("authenticationFailed")).toBe(status !== "Success");
    }
  });

  test("with the passkey that is shown here", async () => {
    const { clock, mgmt, ...who } = await beside({ pairing: "hostPasskey", passkey: 4711 });
    expect(await statusOf(clock, mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 0 }))).toBe("Success");
    expect(who.told().filter(({ event }) => event === "passkeyNotify")).toMatchObject([{ passkey: 4711, entered: 0 }]);
  });

  test("of BR/EDR with its PIN, or without one where there is none to give", async () => {
    const device = { ...CLASSIC, addressType: "BREDR", pairing: "pin", pin: "1234" } as const;
    for (const [pin, status] of [
      ["1234", "Success"],
      ["0000", "AuthenticationFailed"],
      [undefined, "AuthenticationFailed"],
    ] as const) {
      const { clock, mgmt, ...who } = await beside(device);
      const pinCode = new TextEncoder().encode(pin);
      answer(mgmt, { pinCodeRequest: (from) => (pin ? mgmt.pinCodeReply(0, { ...from, pinCode }) : mgmt.pinCodeNegativeReply(0, from)) });
      expect(await statusOf(clock, mgmt.pairDevice(0, { ...CLASSIC, ioCapability: 1 }))).toBe(status);
      expect(who.told().filter(({ event }) => event === "newLinkKey")).toMatchObject(
        pin === "1234" ? [{ key: { keyType: 0, pinLength: 4 } }] : [],
      );
    }
  });

  test("without Secure Connections, on either side, with a key for each role, and the user is asked all the same", async () => {
    for (const [device, settings] of [
      [{ secureConnections: false }, READY],
      [{}, READY.filter((name) => name !== "SecureConnections")],
    ] as const) {
      const { clock, mgmt, ...who } = await beside(device, settings);
      answer(mgmt, { userConfirmationRequest: (device) => mgmt.userConfirmationReply(0, device) });
      await clock.run(mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 3 }));
      const keys = who.told().flatMap((event) => (event.event === "newLongTermKey" ? [event.key] : []));
      expect(keys.map(({ central, keyType }) => [central, keyType])).toEqual([
        [1, 0],
        [0, 0],
      ]);
      expect(keys[0]!.randomNumber).not.toBe(keys[1]!.randomNumber);
    }
  });

  test("under a private address: its identity is told to who takes part in that, and the reply names it", async () => {
    const identity = { address: "00:AA:BB:CC:DD:EE", addressType: "LEPublic" } as const;
    const { clock, mgmt, ...who } = await beside({ address: "40:11:22:33:44:55", identity });
    answer(mgmt, { userConfirmationRequest: (device) => mgmt.userConfirmationReply(0, device) });
    await mgmt.loadIdentityResolvingKeys(0, []);
    const reply = await clock.run(mgmt.pairDevice(0, { address: "40:11:22:33:44:55", addressType: 2, ioCapability: 1 }));
    expect(reply).toEqual({ address: identity.address, addressType: 1 });
    expect(who.told().find(({ event }) => event === "newIdentityResolvingKey")).toMatchObject({ randomAddress: "40:11:22:33:44:55" });
  });

  test("from its side, when the controller is connectable", async () => {
    const { clock, mgmt, present, ...who } = await beside({ pairing: "compare" });
    answer(mgmt, { userConfirmationRequest: (device) => mgmt.userConfirmationReply(0, device) });
    await mgmt.setIoCapability(0, "DisplayYesNo");
    present.connect(0, { pair: true });
    await clock.advance(100);
    expect(told({ ...who, mgmt, names: who.names })).toEqual(["deviceConnected", "userConfirmationRequest", "newLongTermKey"]);
    await clock.run(mgmt.setConnectable(0, false));
    present.disconnect();
    expect(() => present.connect(0)).toThrow(/does not take a connection/);
  });
});

describe("a pairing fails", () => {
  test.each<[string, Partial<KernelDeviceOptions>, readonly SettingName[], string]>([
    ["when the device refuses", { pairing: "refuse" }, READY, "AuthenticationFailed"],
    ["after thirty seconds when it says nothing", { pairing: "never" }, READY, "AuthenticationFailed"],
    ["when only one side keeps keys", {}, READY.filter((name) => name !== "Bondable"), "AuthenticationFailed"],
    ["when a BR/EDR device does not answer", { ...CLASSIC, addressType: "BREDR", isConnectable: false }, READY, "ConnectFailed"],
  ])("%s", async (_, device, settings, status) => {
    const { clock, mgmt, other } = await beside(device, settings);
    const address = device.addressType === "BREDR" ? CLASSIC : ADDRESS;
    expect(await statusOf(clock, mgmt.pairDevice(0, { ...address, ioCapability: 3 }))).toBe(status);
    await clock.advance(1);
    expect(told(other).slice(-2)).toEqual(status === "ConnectFailed" ? ["connectFailed"] : ["authenticationFailed", "deviceDisconnected"]);
  });

  test("when the user refuses, when power goes, when the device goes", async () => {
    const endings: [(mgmt: Mgmt, present: Disposable) => unknown, string][] = [
      [(mgmt) => mgmt.userConfirmationNegativeReply(0, ADDRESS), "AuthenticationFailed"],
      [(mgmt) => mgmt.setPowered(0, false), "Disconnected"],
      [(_, present) => present[Symbol.dispose](), "Disconnected"],
      [(mgmt) => mgmt.cancelPairDevice(0, ADDRESS), "Cancelled"],
    ];
    for (const [end, status] of endings) {
      const { clock, mgmt, present } = await beside({ pairing: "compare" });
      const ended = statusOf(clock, mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }));
      mgmt.on("userConfirmationRequest", () => void end(mgmt, present));
      expect(await ended).toBe(status);
      await clock.advance(100);
      expect(await statusOf(clock, mgmt.disconnect(0, ADDRESS))).toMatch(/Disconnected|NotPowered/);
    }
  });

  test("never, as long as the device does not advertise: until it is cancelled; a second one is refused meanwhile", async () => {
    const { clock, mgmt, present, other } = await beside({});
    present[Symbol.dispose]();
    const first = mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }).catch((error: unknown) => error);
    await clock.advance(100_000);
    expect(await statusOf(clock, other.mgmt.pairDevice(0, { ...ADDRESS, ioCapability: 1 }))).toBe("Busy");
    await other.mgmt.cancelPairDevice(0, ADDRESS);
    expect(await first).toMatchObject({ statusName: "Cancelled" });
    await clock.advance(1);
    expect(told(other)).toEqual(["connectFailed"]);
  });
});

test("a link that nobody uses is closed after two seconds; a device to be kept is connected again", async () => {
  const { clock, mgmt, other } = await beside({});
  await mgmt.addDevice(0, { ...ADDRESS, action: "AutoConnect" });
  await clock.advance(5000);
  expect(told(other).slice(2)).toEqual([
    "deviceConnected",
    "deviceDisconnected",
    "deviceConnected",
    "deviceDisconnected",
    "deviceConnected",
  ]);
  await clock.run(mgmt.removeDevice(0, ADDRESS));
  await clock.run(mgmt.disconnect(0, ADDRESS));
  await clock.advance(5000);
  expect(told(other)).toEqual(["deviceRemoved", "deviceDisconnected"]);
});

test("who is asked follows from what both users can do", () => {
  const [displayOnly, displayYesNo, keyboardOnly, nothing, keyboardDisplay] = [0, 1, 2, 3, 4] as const;
  const methods = [displayOnly, displayYesNo, keyboardOnly, nothing, keyboardDisplay].map((responder) =>
    [displayOnly, displayYesNo, keyboardOnly, nothing, keyboardDisplay].map((initiator) => pairingMethod(initiator, responder, true)),
  );
  // Vol 3 Part H table 2.8: rows are responders, columns initiators.
  expect(methods).toEqual([
    ["justWorks", "justWorks", "initiatorTypes", "justWorks", "initiatorTypes"],
    ["justWorks", "compare", "initiatorTypes", "justWorks", "compare"],
    ["responderTypes", "responderTypes", "bothType", "justWorks", "responderTypes"],
    ["justWorks", "justWorks", "justWorks", "justWorks", "justWorks"],
    ["responderTypes", "compare", "initiatorTypes", "justWorks", "compare"],
  ]);
});

/*
 * What Linux 6.1 did with every combination of capabilities, rows responders, columns initiators, in the order of IoCapability: refused (-),
 * asked without a number (?), numbers compared (=), typed by the initiator (i), by the responder (r), by both (b).
 */
describe("two controllers pair as those of Linux 6.1 do", () => {
  const LEGACY = ["--i?i", "--i?i", "rrb?r", "?????", "rri?r"];
  const SECURE = ["--i?i", "-=i?=", "rrb?r", "?????", "r=i?="];
  const addresses = ["00:AA:01:00:00:00", "00:AA:01:01:00:01"] as const;

  async function outcome(initiator: number, responder: number, settings: readonly SettingName[]): Promise<string> {
    const { kernel, clock } = testKernel({ controllers: [{ settings }, { settings }] });
    const { mgmt } = await program(kernel);
    await mgmt.setIoCapability(1, responder);
    await clock.run(mgmt.addAdvertising(1, { instance: 1, flags: ["Connectable"] }));
    const asked: string[] = [];
    let shown = 1234;
    const peerOf = ({ address, addressType }: { address: string; addressType: number }) => ({ address, addressType });
    mgmt.on("passkeyNotify", ({ passkey }) => {
      shown = passkey;
    });
    mgmt.on("userPasskeyRequest", (event) => {
      asked.push(event.index === 0 ? "i" : "r");
      clock.setTimer(1, "user", () => void mgmt.userPasskeyReply(event.index, { ...peerOf(event), passkey: shown }));
    });
    mgmt.on("userConfirmationRequest", (event) => {
      asked.push(event.confirmHint === 1 ? "?" : "=");
      void mgmt.userConfirmationReply(event.index, peerOf(event));
    });
    const keyTypes = new Set<number>();
    mgmt.on("newLongTermKey", ({ key }) => keyTypes.add(key.keyType));
    const pairing = mgmt.pairDevice(0, { address: addresses[1], addressType: "LEPublic", ioCapability: initiator });
    const status = await statusOf(clock, pairing);
    await clock.advance(0);
    if (status === "AuthenticationFailed") return asked.length === 0 ? "-" : "failed later";
    const [how = ""] = asked.length === 2 && asked[0] !== asked[1] ? ["b"] : asked;
    const authenticated = how === "?" ? 0 : 1;
    expect([...keyTypes]).toEqual([(settings.includes("SecureConnections") ? 2 : 0) + authenticated]);
    return how;
  }

  test.each([
    ["without Secure Connections", READY.filter((name) => name !== "SecureConnections"), LEGACY],
    ["with Secure Connections", READY, SECURE],
  ] as const)("%s", async (_, settings, expected) => {
    const rows: string[] = [];
    for (let responder = 0; responder < 5; responder++) {
      let row = "";
      for (let initiator = 0; initiator < 5; initiator++) row += await outcome(initiator, responder, settings);
      rows.push(row);
    }
    expect(rows).toEqual(expected);
  });
});

test.each([
  ["a device that compares numbers, where this side has no Secure Connections", { pairing: "compare" }, ["SecureConnections"], 1],
  ["a device that shows a number, where nobody here can type", { pairing: "devicePasskey" }, [], 1],
  ["a device with keys, where nobody here can show", { pairing: "hostPasskey", secureConnections: false }, [], 3, "Success"],
] as const)("%s", async (_, device, without, ioCapability, status: string = "AuthenticationFailed") => {
  const settings = READY.filter((name) => !(without as readonly string[]).includes(name));
  const { clock, mgmt } = await beside(device, settings);
  answer(mgmt, { userConfirmationRequest: (peer) => mgmt.userConfirmationReply(0, peer) });
  expect(await statusOf(clock, mgmt.pairDevice(0, { ...ADDRESS, ioCapability }))).toBe(status);
});

test("a BR/EDR device without Secure Simple Pairing on this side asks for a PIN, with it for the number", async () => {
  const device = { ...CLASSIC, addressType: "BREDR", pairing: "compare", secureConnections: false } as const;
  for (const [settings, question] of [
    [READY, "pinCodeRequest"],
    [[...READY, "SecureSimplePairing"], "userConfirmationRequest"],
  ] as [SettingName[], string][]) {
    const { clock, mgmt, ...who } = await beside(device, settings);
    const pairing = statusOf(clock, mgmt.pairDevice(0, { ...CLASSIC, ioCapability: 1 }));
    mgmt.on("pinCodeRequest", () => void mgmt.pinCodeReply(0, { ...CLASSIC, pinCode: new TextEncoder().encode("0000") }));
    mgmt.on("userConfirmationRequest", () => void mgmt.userConfirmationReply(0, CLASSIC));
    expect(await pairing).toBe("Success");
    expect(told({ ...who, mgmt })).toContain(question);
  }
});
