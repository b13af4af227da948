import { describe, expect, test } from "vitest";
import { IoCapability, type PairingPolicy, type PairingReport } from "../src/smp/index.ts";
import { type Sent, SmpLink, user } from "./smp-link.ts";
import { samples } from "./support/samples.ts";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput } = IoCapability;

/** Of the PDUs of a pairing, all but where it has twenty rounds. */
const SAMPLES = 24;

const methods: { name: string; central: Partial<PairingPolicy>; peripheral: Partial<PairingPolicy>; bySecurityRequest?: boolean }[] = [
  { name: "legacy Just Works", central: { secureConnections: false }, peripheral: {} },
  {
    name: "legacy passkey, typed by the central",
    central: { secureConnections: false, ioCapability: KeyboardOnly, mitm: true },
    peripheral: { ioCapability: DisplayOnly },
  },
  {
    name: "legacy passkey, typed by the peripheral",
    central: { secureConnections: false, ioCapability: DisplayOnly, mitm: true },
    peripheral: { ioCapability: KeyboardOnly },
  },
  { name: "Secure Connections Just Works", central: { ioCapability: NoInputNoOutput }, peripheral: {}, bySecurityRequest: true },
  {
    name: "numeric comparison",
    central: { ioCapability: DisplayYesNo, mitm: true },
    peripheral: { ioCapability: DisplayYesNo },
  },
  {
    name: "Secure Connections passkey",
    central: { ioCapability: KeyboardOnly, mitm: true },
    peripheral: { ioCapability: DisplayOnly },
  },
];

const faults: Record<string, (sent: Sent) => Uint8Array[]> = {
  dropped: () => [],
  duplicated: ({ pdu }) => [pdu, pdu],
  "with another code": ({ pdu }) => [pdu.with(0, pdu[0]! ^ 0x01)],
  "with a reserved code": ({ pdu }) => [pdu.with(0, 0x7f)],
  "with a bit changed": ({ pdu }) => [pdu.with(pdu.length - 1, pdu.at(-1)! ^ 0x01)],
  "cut short": ({ pdu }) => [pdu.subarray(0, -1)],
  "one octet too long": ({ pdu }) => [Uint8Array.of(...pdu, 0)],
  empty: () => [new Uint8Array(0)],
  "far too long": ({ pdu }) => [new Uint8Array(600).fill(pdu[0]!)],
};

function open(method: (typeof methods)[number]) {
  const people = user();
  const link = new SmpLink({
    central: { policy: method.central, agent: people.central },
    peripheral: { policy: method.peripheral, agent: people.peripheral },
  });
  const begin = (): Promise<PairingReport> => (method.bySecurityRequest ? link.peripheral : link.central).manager.pair();
  return { link, begin };
}

describe.each(methods)("$name", (method) => {
  async function countOfPdus(): Promise<number> {
    const { link, begin } = open(method);
    using _ = link;
    await begin();
    await link.settle();
    return link.sent.length;
  }

  test.each(Object.keys(faults))("any one PDU %s: both sides end, and nothing is left behind", async (name) => {
    const count = await countOfPdus();
    expect(count).toBeGreaterThan(10);
    for (const index of samples({ of: "PDUs of a pairing, each to be struck", at: `${method.name} ${name}` }, count, SAMPLES)) {
      const { link, begin } = open(method);
      using _ = link;
      link.fault = (sent) => (sent.index === index ? faults[name]!(sent) : [sent.pdu]);
      const outcome = await begin().catch((error: unknown) => error);
      await link.settle(120_000);
      const where = `PDU ${index} of ${link.codes()}`;
      for (const end of [link.central, link.peripheral]) {
        expect(end.manager.isPairing, where).toBe(false);
        for (const failure of end.failures) expect(failure.code, where).toMatch(/^ERR_PAIRING(_TIMEOUT)?$/);
      }
      if (outcome instanceof Error)
        expect(outcome, where).toMatchObject({ code: expect.stringMatching(/^ERR_(PAIRING(_TIMEOUT)?|TIMEOUT)$/) });
      expect(link.clock.pending, where).toEqual([]);
    }
  });

  test("the link lost after any one PDU rejects what waits, and nothing is left behind", async () => {
    const count = await countOfPdus();
    for (const index of samples({ of: "PDUs of a pairing, each to be struck", at: `${method.name} link lost` }, count, SAMPLES)) {
      const { link, begin } = open(method);
      using _ = link;
      link.fault = (sent) => {
        if (sent.index !== index) return [sent.pdu];
        link.clock.setTimer(15, "link loss", () => link.disconnect(0x08));
        return [sent.pdu];
      };
      const outcome = await begin().catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "ERR_DISCONNECTED", reason: 0x08 });
      await link.settle(100);
      expect(link.clock.pending).toEqual([]);
      expect(link.central.manager.isPairing || link.peripheral.manager.isPairing).toBe(false);
    }
  });
});

test("after a failure the next pairing on the same link succeeds", async () => {
  for (let index = 0; index < 9; index++) {
    const { link } = open(methods[3]!);
    using _ = link;
    let spoilt = false;
    link.fault = ({ index: at, pdu }) => {
      if (at !== index || spoilt) return [pdu];
      spoilt = true;
      return [pdu.subarray(0, -1)];
    };
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x0a });
    await link.settle();
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    expect(link.peripheral.bonds).toHaveLength(1);
  }
});

test("30 s without an answer end pairing on the link for good (Vol 3 Part H 3.4)", async () => {
  using link = new SmpLink();
  link.fault = ({ index, pdu }) => (index === 4 ? [] : [pdu]);
  await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING_TIMEOUT", timeoutMs: 30_000 });
  await link.settle(60_000);
  expect(link.peripheral.failures).toMatchObject([{ code: "ERR_PAIRING_TIMEOUT" }]);
  const count = link.sent.length;
  await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING_TIMEOUT" });
  await expect(link.peripheral.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING_TIMEOUT" });
  link.deliver("peripheral", Uint8Array.of(1, 3, 0, 1, 16, 7, 7));
  await link.settle();
  expect(link.sent).toHaveLength(count);
});

test("the timer starts anew with every PDU sent", async () => {
  using link = new SmpLink({
    central: { policy: { ioCapability: KeyboardOnly, mitm: true } },
    peripheral: { policy: { ioCapability: DisplayOnly } },
  });
  link.central.manager.agent = {
    confirm: () => Promise.resolve(false),
    compare: () => Promise.resolve(false),
    displayPasskey: () => {},
    enterPasskey: () => new Promise((resolve) => link.clock.setTimer(27_000, "slow fingers", () => resolve(shown))),
  };
  let shown: number | undefined;
  link.peripheral.manager.agent = {
    confirm: () => Promise.resolve(false),
    compare: () => Promise.resolve(false),
    enterPasskey: () => Promise.resolve(undefined),
    displayPasskey: ({ passkey }) => {
      shown = passkey;
    },
  };
  expect(await link.central.manager.pair()).toMatchObject({ method: "passkey-entry", authenticated: true });
});

describe("cancelling", () => {
  test("a signal ends the pairing on both sides and leaves the link able to pair", async () => {
    using link = new SmpLink();
    const controller = new AbortController();
    const pairing = link.central.manager.pair({ signal: controller.signal });
    link.clock.setTimer(35, "abort", () => controller.abort(new Error("never mind")));
    await expect(pairing).rejects.toThrow("never mind");
    await link.settle();
    expect(link.peripheral.failures).toMatchObject([{ code: "ERR_PAIRING", reason: 0x08, side: "peer" }]);
    expect(link.clock.pending).toEqual([]);
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await expect(link.central.manager.pair({ signal: controller.signal })).rejects.toThrow("never mind");
    await expect(link.central.manager.encrypt({ signal: controller.signal })).rejects.toThrow("never mind");
  });

  test("a time limit does the same", async () => {
    using link = new SmpLink();
    await expect(link.central.manager.pair({ timeoutMs: 35 })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "pairing" });
    await link.settle();
    expect(link.peripheral.failures).toHaveLength(1);
    expect(link.clock.pending).toEqual([]);
  });

  test("while others wait for the same pairing it goes on", async () => {
    using link = new SmpLink();
    const first = link.central.manager.pair({ timeoutMs: 35 });
    const second = link.central.manager.pair();
    const encrypted = link.central.manager.encrypt();
    await expect(first).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(await second).toMatchObject({ bonded: true });
    await encrypted;
  });

  test("one who joined a pairing of the peer only leaves it", async () => {
    using link = new SmpLink();
    const pairing = link.central.manager.pair();
    await link.clock.advance(25);
    await expect(link.peripheral.manager.pair({ timeoutMs: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(await pairing).toMatchObject({ bonded: true });
  });

  test("a Security Request given up is forgotten", async () => {
    using link = new SmpLink({ central: { policy: { pairable: false } } });
    link.fault = () => [];
    await expect(link.peripheral.manager.pair({ timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(link.clock.pending).toEqual([]);
  });
});

test("closing rejects everything, and what comes after it", async () => {
  using link = new SmpLink();
  const pairing = link.central.manager.pair();
  const encrypting = link.central.manager.encrypt();
  link.central.manager.close();
  await expect(pairing).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(encrypting).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  link.central.manager.close();
  link.central.manager.onEncryptionChange(0, true);
  expect(link.central.manager.security.encrypted).toBe(false);
  expect(link.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeUndefined();
});

describe("storing the bond", () => {
  test("pair() waits for the store, and fails with it", async () => {
    using link = new SmpLink({ central: { more: { onBond: () => Promise.reject(new Error("disk full")) } } });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_STATE", cause: { message: "disk full" } });
    expect(link.central.manager.bond).toBeUndefined();
    expect(link.central.manager.security).toMatchObject({ encrypted: true, bonded: false });
    await link.settle();
    expect(link.peripheral.reports).toHaveLength(1);
  });

  test("a Pairing Request meanwhile is refused, and a lost link ends the wait", async () => {
    let store: (() => void) | undefined;
    using link = new SmpLink({ peripheral: { more: { onBond: () => new Promise((resolve) => (store = resolve)) } } });
    await link.central.manager.pair();
    await link.settle();
    expect(link.peripheral.manager.isPairing).toBe(true);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "peer" });
    const joined = link.peripheral.manager.pair();
    link.disconnect();
    await expect(joined).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    store?.();
    await link.settle();
    expect(link.peripheral.reports).toEqual([]);
  });
});

test("an encryption that the controller refuses fails the pairing on both sides", async () => {
  using link = new SmpLink({
    central: { more: { link: { startEncryption: () => Promise.reject(new Error("command disallowed")) } } },
  });
  await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x08 });
  await link.settle();
  expect(link.peripheral.failures).toMatchObject([{ code: "ERR_PAIRING", side: "peer" }]);
  expect(link.clock.pending).toEqual([]);
});

test("an encryption switched off is told", async () => {
  using link = new SmpLink();
  await link.central.manager.pair();
  link.central.manager.onEncryptionChange(0, false);
  expect(link.central.security).toMatchObject({ encrypted: false, bonded: false });
});
