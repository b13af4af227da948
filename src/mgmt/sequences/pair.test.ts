import { describe, expect, test } from "vitest";
import { fromHex } from "../../bytes/index.ts";
import { type KernelDeviceOptions, SimulatedKernel } from "../../testing/index.ts";
import { commands, events, type Mgmt, openMgmt } from "../index.ts";
import { acceptPairings, type PairingFailure } from "./accept-pairings.ts";
import { advertise } from "./advertise.ts";
import { pair } from "./pair.ts";
import type { MgmtPairingAgent } from "./pairing-agent.ts";
import type { MgmtPairingReport } from "./pairing-keys.ts";
import { powerOn } from "./power.ts";

const LE_SETTINGS = ["BREDR", "LowEnergy", "SecureSimplePairing", "SecureConnections"] as const;
const PEER = "C0:11:22:33:44:55";
const LE = { address: PEER, addressType: "LERandom" } as const;

async function kernelWith(device?: Partial<KernelDeviceOptions>): Promise<{ kernel: SimulatedKernel; mgmt: Mgmt }> {
  const devices = device ? [{ address: PEER, addressType: "LERandom" as const, ...device }] : [];
  const kernel = new SimulatedKernel({ controllers: [{ settings: LE_SETTINGS }, { settings: LE_SETTINGS }], devices });
  const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
  for (const index of [0, 1]) await powerOn(mgmt, index);
  return { kernel, mgmt };
}

/** Says yes to everything and tells what it was asked. */
function agreeable(answers: Partial<MgmtPairingAgent> = {}): MgmtPairingAgent & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    confirm: ({ peer }) => asked.push(`confirm ${peer.address}`) > 0,
    compare: ({ value }) => asked.push(`compare ${typeof value}`) > 0,
    enterPasskey: () => {
      asked.push("enterPasskey");
      return 123_456;
    },
    displayPasskey: ({ passkey }) => void asked.push(`displayPasskey ${typeof passkey}`),
    enterPin: ({ secure }) => {
      asked.push(`enterPin ${secure}`);
      return "0000";
    },
    ...answers,
  };
}

const bondable = async (mgmt: Mgmt): Promise<boolean> => ((await mgmt.readControllerInformation(0)).currentSettings & 0x10) !== 0;

describe("pairing with a device", () => {
  test.each([
    ["justWorks", []],
    ["compare", ["compare number"]],
    ["devicePasskey", ["enterPasskey"]],
    ["hostPasskey", ["displayPasskey number"]],
  ] as const)("that pairs by %s asks for that and reports the keys", async (pairing, questions) => {
    const { mgmt } = await kernelWith({ pairing });
    const agent = agreeable();
    const report = await pair(mgmt, 0, LE, { agent });
    expect(agent.asked.filter((question) => !question.startsWith("confirm"))).toEqual(questions);
    expect(report).toMatchObject({ address: PEER, addressType: 2, bonded: true, authenticated: pairing !== "justWorks", shortcomings: [] });
    expect(report.keys.map(({ kind }) => kind)).toContain("LongTermKey");
    expect(await bondable(mgmt)).toBe(false); // as before
  });

  test("shows its keys to programs and to nobody else", async () => {
    const { mgmt } = await kernelWith({ pairing: "compare" });
    const { keys } = await pair(mgmt, 0, LE, { agent: agreeable() });
    const key = keys.find(({ kind }) => kind === "LongTermKey")!;
    expect(key.kind === "LongTermKey" && key.entry.value).toHaveLength(16);
    expect(JSON.stringify(keys)).not.toContain("value");
    expect(Object.keys(key)).toEqual(["kind", "address", "addressType", "type", "authenticated", "store"]);
    if (key.kind === "LongTermKey") await mgmt.loadLongTermKeys(0, [key.entry]);
  });

  test("names the identity of a device with a private address, and has the keys under it", async () => {
    const identity = { address: "00:11:22:33:44:66" };
    const { mgmt } = await kernelWith({ address: "57:D9:53:3B:62:A8", identity });
    const report = await pair(mgmt, 0, { address: "57:D9:53:3B:62:A8", addressType: 2 }, { identityKeys: [], agent: agreeable() });
    expect(report).toMatchObject({ address: identity.address, addressType: 1, bonded: true, shortcomings: [] });
    expect(report.keys.map(({ kind }) => kind)).toContain("IdentityResolvingKey");
  });

  test("with a private address tells that it will not be recognised, without the exchange of identities", async () => {
    const { mgmt } = await kernelWith({ address: "57:D9:53:3B:62:A8", identity: { address: "00:11:22:33:44:66" } });
    const report = await pair(mgmt, 0, { address: "57:D9:53:3B:62:A8", addressType: 2 }, { agent: agreeable() });
    expect(report.bonded).toBe(false);
    expect(report.shortcomings).toEqual([expect.stringContaining("identityKeys")]);
  });

  test("of an adapter without LE has no identities to exchange, and pairs without", async () => {
    const kernel = new SimulatedKernel({
      controllers: [{ settings: ["BREDR"], supportedSettings: ["Powered", "Bondable", "BREDR", "SecureSimplePairing"] }],
      devices: [{ address: PEER, addressType: "BREDR", pairing: "pin" }],
    });
    const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    await powerOn(mgmt, 0);
    const report = await pair(mgmt, 0, { address: PEER, addressType: 0 }, { agent: agreeable(), identityKeys: [] });
    expect(report.bonded).toBe(true);
  });

  test("by PIN asks for it", async () => {
    const { mgmt } = await kernelWith({ addressType: "BREDR", pairing: "pin", pin: "0000" });
    const agent = agreeable();
    const report = await pair(mgmt, 0, { address: PEER, addressType: "BREDR" }, { agent });
    expect(agent.asked).toEqual(["enterPin false"]);
    expect(report.keys.map(({ kind }) => kind)).toEqual(["LinkKey"]);
  });
});

describe("a refusal", () => {
  const refusals: Record<string, MgmtPairingAgent> = {
    "an answer": { compare: () => false },
    "a missing method": { displayPasskey: () => undefined },
    "a missing answer": { compare: () => undefined as never },
    "silence for 28 s": { compare: () => new Promise(() => undefined) },
  };
  test.each(Object.keys(refusals))("is %s, and is told as a failed authentication", async (how) => {
    const { mgmt } = await kernelWith({ pairing: "compare" });
    const pairing = pair(mgmt, 0, LE, { agent: refusals[how]!, ioCapability: "DisplayYesNo" });
    await expect(pairing).rejects.toMatchObject({ code: "ERR_MGMT", statusName: "AuthenticationFailed" });
    expect(await bondable(mgmt)).toBe(false);
  });

  const fault = new Error("the window is closed");
  const throws = (): never => {
    throw fault;
  };
  test.each<[string, KernelDeviceOptions["pairing"], MgmtPairingAgent]>([
    ["comparing throws", "compare", { compare: throws }],
    ["comparing rejects", "compare", { compare: () => Promise.reject(fault) }],
    ["confirming throws", "justWorks", { confirm: throws }],
    ["asking for a passkey throws", "devicePasskey", { enterPasskey: throws }],
    ["showing a passkey throws", "hostPasskey", { displayPasskey: throws }],
  ])("is no exception of the agent: %s, and the pairing fails with that", async (_, pairing, agent) => {
    const { kernel, mgmt } = await kernelWith({ pairing });
    await expect(pair(mgmt, 0, LE, { agent })).rejects.toBe(fault);
    expect(await bondable(mgmt)).toBe(false);
    await new Promise<void>((resolve) => kernel.clock.setTimer(10, "the link goes", resolve));
    await expect(pair(mgmt, 0, LE, { agent: agreeable() })).resolves.toMatchObject({ address: PEER }); // it was refused in the kernel too
  });

  test("of a PIN that throws likewise", async () => {
    const { mgmt } = await kernelWith({ addressType: "BREDR", pairing: "pin" });
    await expect(pair(mgmt, 0, { address: PEER, addressType: 0 }, { agent: { enterPin: throws } })).rejects.toBe(fault);
  });

  test("of the device is told likewise", async () => {
    const { mgmt } = await kernelWith({ pairing: "refuse" });
    await expect(pair(mgmt, 0, LE, { agent: agreeable() })).rejects.toMatchObject({ statusName: "AuthenticationFailed" });
  });

  test("is a passkey or PIN that cannot be one", async () => {
    for (const passkey of [-1, 1_000_000, 1.5, "123456" as never, undefined]) {
      const { mgmt } = await kernelWith({ pairing: "devicePasskey" });
      const failing = pair(mgmt, 0, LE, { agent: agreeable({ enterPasskey: () => passkey }) });
      await expect(failing).rejects.toMatchObject({ statusName: "AuthenticationFailed" });
    }
    for (const pin of ["", "12345678901234567", undefined, 1234 as never]) {
      const { mgmt } = await kernelWith({ addressType: "BREDR", pairing: "pin" });
      const failing = pair(mgmt, 0, { address: PEER, addressType: 0 }, { agent: agreeable({ enterPin: () => pin }) });
      await expect(failing).rejects.toMatchObject({ code: "ERR_MGMT" });
    }
  });
});

describe("a pairing that does not come about", () => {
  test("because the device is absent is cancelled when its time is over, and can be tried again", async () => {
    const { kernel, mgmt } = await kernelWith();
    await expect(pair(mgmt, 0, LE, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    kernel.addDevice(LE);
    expect(await pair(mgmt, 0, LE, { agent: agreeable() })).toMatchObject({ address: PEER });
  });

  test("ends with the reason of its signal, and ends its questions", async () => {
    const { kernel, mgmt } = await kernelWith({ pairing: "compare" });
    const abort = new AbortController();
    let question: AbortSignal | undefined;
    const compare: MgmtPairingAgent["compare"] = ({ signal }) => {
      question = signal;
      abort.abort(new Error("enough"));
      return new Promise(() => undefined);
    };
    await expect(pair(mgmt, 0, LE, { agent: { compare }, signal: abort.signal })).rejects.toThrow("enough");
    expect(question?.aborted).toBe(true);
    expect(await bondable(mgmt)).toBe(false);
    await new Promise<void>((resolve) => kernel.clock.setTimer(1, "the link goes", resolve));
    expect((await mgmt.getConnections(0)).connections).toEqual([]);
  });

  test("settles when neither the pairing nor its cancellation is answered", async () => {
    const { kernel, mgmt } = await kernelWith();
    kernel.silence({ command: commands.cancelPairDevice });
    kernel.silence({ command: commands.pairDevice });
    await expect(pair(mgmt, 0, LE, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("ends with the adapter, and with the client", async () => {
    const { kernel, mgmt } = await kernelWith();
    const unplugged = pair(mgmt, 0, LE);
    const closed = pair(mgmt, 1, LE);
    kernel.clock.setTimer(1_000, "unplug", () => kernel.unplug(0));
    await expect(unplugged).rejects.toMatchObject({ statusName: "InvalidIndex" });
    const ended = expect(closed).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await mgmt[Symbol.asyncDispose]();
    await ended;
  });

  test("because there are keys is AlreadyPaired", async () => {
    const { mgmt } = await kernelWith({ pairing: "compare" });
    await pair(mgmt, 0, LE, { agent: agreeable() });
    await expect(pair(mgmt, 0, LE, { agent: agreeable() })).rejects.toMatchObject({ statusName: "AlreadyPaired" });
  });
});

describe("questions about other devices", () => {
  const OTHER = { address: "C0:66:77:88:99:AA", addressType: "LERandom" } as const;

  test.each(["a static address", "a private address"])("are not answered by a pairing with %s", async (kind) => {
    const { kernel, mgmt } = await kernelWith();
    const absent = { address: kind === "a static address" ? PEER : "57:D9:53:3B:62:A8", addressType: "LERandom" } as const;
    const other = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    await other.setConnectable(0, true);
    const agent = agreeable();
    const pairing = pair(mgmt, 0, absent, { agent, timeoutMs: 20_000 }).catch((error: unknown) => error);
    const present = kernel.addDevice({ ...OTHER, pairing: "compare" });
    await other.setIoCapability(0, "DisplayYesNo");
    const asked = new Promise<void>((resolve) => void other.on("userConfirmationRequest", () => resolve()));
    await other.addDevice(0, { ...OTHER, action: "AutoConnect" }); // a link that the kernel initiates, as it does for the pairing
    await new Promise<void>((resolve) => void other.on("deviceConnected", () => resolve()));
    present.disconnect();
    await other.removeDevice(0, OTHER);
    present.connect(0, { pair: true });
    await asked;
    expect(await pairing).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(agent.asked).toEqual([]);
  });

  test("are answered under the identity that a given key finds behind the private address", async () => {
    const { kernel, mgmt } = await kernelWith();
    const identity = { address: "00:11:22:33:44:66", addressType: 1 };
    // Vol 3 Part H D.7: this key makes 70:81:94:0D:FB:AA; the kernel gives the least significant octet first.
    const value = fromHex("9b7d390aa610103405adc857a33402ec");
    const agent = agreeable();
    const rpa = { address: "70:81:94:0D:FB:AA", addressType: 2 };
    const pairing = pair(mgmt, 0, rpa, { agent, identityKeys: [{ ...identity, value }], timeoutMs: 5_000 }).catch(() => undefined);
    kernel.clock.setTimer(100, "question", () =>
      kernel.send(events.userConfirmationRequest, 0, { ...identity, confirmHint: 0, value: 123_456 }),
    );
    await pairing;
    expect(agent.asked).toEqual(["compare number"]);
  });
});

describe("Bondable", () => {
  const powered = async () => {
    const { kernel, mgmt } = await kernelWith({ pairing: "compare" });
    const other = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    return { kernel, mgmt, other };
  };

  test("that another program switches off at the end of its own pairing is on again, and off at the end", async () => {
    const { mgmt, other } = await powered();
    const first = await acceptPairings(other, 0, agreeable());
    const second = await acceptPairings(mgmt, 0, agreeable());
    await first[Symbol.asyncDispose]();
    expect(await pair(mgmt, 0, LE, { agent: agreeable() })).toMatchObject({ bonded: true });
    expect(await bondable(mgmt)).toBe(true);
    await second[Symbol.asyncDispose]();
    expect(await bondable(mgmt)).toBe(false);
  });

  test("that another program wants on by the end stays on", async () => {
    const { kernel, mgmt, other } = await powered();
    const third = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    const accepting = await acceptPairings(mgmt, 0, agreeable());
    await other.setConnectable(0, true); // tells of the settings, and wants nothing of this one
    await Promise.all([other.setBondable(0, false), third.setBondable(0, true)]);
    await mgmt.readManagementVersionInformation();
    await accepting[Symbol.asyncDispose]();
    expect(await bondable(mgmt)).toBe(true);
  });

  test("is not fought for without end", async () => {
    const { kernel, mgmt, other } = await powered();
    const accepting = await acceptPairings(mgmt, 0, agreeable());
    let switchedOff = 0;
    other.on("newSettings", ({ currentSettings }) => {
      if ((currentSettings & 0x10) !== 0) void other.setBondable(0, false).then(() => switchedOff++);
    });
    await other.setBondable(0, false);
    await new Promise<void>((resolve) => kernel.clock.setTimer(10_000, "a while", resolve));
    expect(switchedOff).toBeLessThan(30);
    await accepting[Symbol.asyncDispose]();
  });

  test("is let go by one that gives up while another still waits for it, and held for that one", async () => {
    const { mgmt } = await powered();
    const abort = new AbortController();
    const given = acceptPairings(mgmt, 0, agreeable(), { signal: abort.signal }).catch((error: unknown) => error);
    const kept = pair(mgmt, 0, LE, { agent: agreeable() });
    abort.abort(new Error("not me"));
    expect(await given).toMatchObject({ message: "not me" });
    expect(await kept).toMatchObject({ bonded: true });
    expect(await bondable(mgmt)).toBe(false);
  });

  test("of another adapter with the same number is left alone", async () => {
    const { kernel, mgmt } = await powered();
    const accepting = await acceptPairings(mgmt, 0, agreeable());
    kernel.unplug(0);
    kernel.plug({ index: 0, settings: [...LE_SETTINGS, "Bondable"] });
    await mgmt.readManagementVersionInformation();
    await accepting[Symbol.asyncDispose]();
    expect(await bondable(mgmt)).toBe(true);
  });
});

describe("accepting pairings", () => {
  async function both(responder: MgmtPairingAgent, initiator: MgmtPairingAgent) {
    const { kernel, mgmt } = await kernelWith();
    const paired: MgmtPairingReport[] = [];
    const failed: PairingFailure[] = [];
    const accepting = await acceptPairings(mgmt, 0, responder, {
      onPaired: (report) => paired.push(report),
      onFailed: (failure) => failed.push(failure),
    });
    await advertise(mgmt, 0);
    const { address } = await mgmt.readControllerInformation(0);
    const own = (await mgmt.readControllerInformation(1)).address;
    const pairing = pair(mgmt, 1, { address, addressType: "LEPublic" }, { agent: initiator });
    return { kernel, mgmt, accepting, pairing, paired, failed, address, own };
  }

  test("answers the other side of a pairing, and reports its keys", async () => {
    const values: number[] = [];
    const agent = agreeable({ compare: ({ value }) => values.push(value) > 0 });
    const { mgmt, accepting, pairing, paired, address, own } = await both(agent, agent);
    expect(await pairing).toMatchObject({ address, authenticated: true });
    await accepting[Symbol.asyncDispose]();
    expect(values).toHaveLength(2);
    expect(values[0]).toBe(values[1]);
    expect(paired).toMatchObject([{ address: own, authenticated: true, bonded: true }]);
    expect(await accepting.ended).toBeUndefined();
    expect(await bondable(mgmt)).toBe(false);
  });

  test("refuses by its agent, and tells of it", async () => {
    const { accepting, pairing, paired, failed, own } = await both(agreeable({ compare: () => false }), agreeable());
    await expect(pairing).rejects.toMatchObject({ statusName: "AuthenticationFailed" });
    await accepting[Symbol.asyncDispose]();
    expect(paired).toEqual([]);
    expect(failed).toMatchObject([{ address: own, statusName: "AuthenticationFailed" }]);
  });

  test("whose agent throws refuses, and tells what was thrown", async () => {
    const fault = new Error("no window");
    const compare = () => {
      throw fault;
    };
    const { accepting, pairing, failed, own } = await both(agreeable({ compare }), agreeable());
    await expect(pairing).rejects.toMatchObject({ statusName: "AuthenticationFailed" });
    await accepting[Symbol.asyncDispose]();
    expect(failed).toMatchObject([{ address: own, agentError: fault }]);
  });

  test("ends soon though the kernel answers nothing any more", async () => {
    const { kernel, mgmt } = await kernelWith();
    const accepting = await acceptPairings(mgmt, 0, agreeable());
    kernel.silence({ index: 0 });
    const began = kernel.clock.now();
    await accepting[Symbol.asyncDispose]();
    expect(kernel.clock.now() - began).toBeLessThanOrEqual(500);
  });

  test("that ends while its user is asked refuses, so that the other side need not wait", async () => {
    let question: AbortSignal | undefined;
    const never: MgmtPairingAgent["compare"] = ({ signal }) => {
      question = signal;
      return new Promise(() => undefined);
    };
    const { kernel, accepting, pairing } = await both(agreeable({ compare: never }), agreeable());
    const began = kernel.clock.now();
    kernel.clock.setTimer(1_000, "stop", () => void accepting[Symbol.asyncDispose]());
    await expect(pairing).rejects.toMatchObject({ statusName: "AuthenticationFailed" });
    expect(kernel.clock.now() - began).toBeLessThan(2_000);
    expect(question?.aborted).toBe(true);
  });

  test("leaves the devices of this client's own pairings to them, and keeps Bondable on for itself", async () => {
    const { mgmt } = await kernelWith({ pairing: "compare" });
    const [responder, initiator] = [agreeable(), agreeable()];
    const paired: MgmtPairingReport[] = [];
    const accepting = await acceptPairings(mgmt, 0, responder, { onPaired: (report) => paired.push(report) });
    await pair(mgmt, 0, LE, { agent: initiator });
    expect([responder.asked, initiator.asked]).toEqual([[], ["compare number"]]);
    expect(await bondable(mgmt)).toBe(true);
    await accepting[Symbol.asyncDispose]();
    expect(await bondable(mgmt)).toBe(false);
    expect(paired).toEqual([]);
  });

  test("ends with its adapter, its client and its signal", async () => {
    const { kernel, mgmt } = await kernelWith();
    const onFirst = await acceptPairings(mgmt, 0, agreeable());
    kernel.unplug(0);
    expect(await onFirst.ended).toMatchObject({ code: "ERR_CLOSED" });
    const abort = new AbortController();
    const untilAborted = await acceptPairings(mgmt, 1, agreeable(), { signal: abort.signal });
    abort.abort();
    expect(await untilAborted.ended).toBeUndefined();
    const onSecond = await acceptPairings(mgmt, 1, agreeable());
    await mgmt[Symbol.asyncDispose]();
    expect(await onSecond.ended).toMatchObject({ code: "ERR_CLOSED" });
  });
});
