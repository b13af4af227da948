// What a program may choose where the Security Manager would choose itself: the passkey, and what becomes of a pairing that leaves no bond.
import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { IoCapability, type PairingAgent, type PairingReport } from "../src/smp/index.ts";
import { SmpLink } from "./smp-link.ts";

const { DisplayOnly, KeyboardOnly } = IoCapability;

describe("choosePasskey", () => {
  const shown = (choosePasskey: NonNullable<PairingAgent["choosePasskey"]>): Partial<PairingAgent> => ({
    choosePasskey,
    displayPasskey: () => expect.unreachable("the program shows what it has chosen itself"),
  });
  const typed = (passkey: number): Partial<PairingAgent> => ({ enterPasskey: async () => passkey });

  test.each([
    ["central", true],
    ["central", false],
    ["peripheral", true],
    ["peripheral", false],
  ] as const)("the %s shows the number of its program (Secure Connections: %s), also where that takes its time", async (role, secure) => {
    for (const delayMs of [0, 5000]) {
      using link: SmpLink = new SmpLink({
        [role]: {
          policy: { ioCapability: DisplayOnly, mitm: true, secureConnections: secure },
          agent: shown(async (): Promise<number> => {
            if (delayMs > 0) await delay(link.clock, delayMs);
            return 12;
          }),
        },
        [role === "central" ? "peripheral" : "central"]: {
          policy: { ioCapability: KeyboardOnly, secureConnections: secure },
          agent: typed(12),
        },
      });
      expect(await link.central.manager.pair()).toMatchObject({ method: "passkey-entry", authenticated: true, secureConnections: secure });
    }
  });

  const noNumbers: [string, () => Promise<number | undefined>][] = [
    ["no number", () => Promise.resolve(undefined)],
    ["a number with seven digits", () => Promise.resolve(1_000_000)],
    ["an error", () => Promise.reject(new Error("no display"))],
  ];
  test.each(noNumbers)("%s is Passkey Entry Failed", async (_, choose) => {
    using link = new SmpLink({
      central: { policy: { ioCapability: KeyboardOnly }, agent: { enterPasskey: () => new Promise(() => undefined) } },
      peripheral: { policy: { ioCapability: DisplayOnly, mitm: true }, agent: shown(choose) },
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x01, side: "peer" });
    expect(link.peripheral.failures[0]!.message).toContain("no passkey was chosen");
  });

  test("is enough of a display", async () => {
    using link = new SmpLink({ central: { policy: { ioCapability: DisplayOnly }, agent: { choosePasskey: async () => 1 } } });
    link.central.manager.agent = { choosePasskey: async () => 1 };
    expect(await link.central.manager.pair({ policy: { ioCapability: DisplayOnly } })).toMatchObject({ method: "just-works" });
  });
});

describe("a store that refuses", () => {
  const refusing = { onBond: () => Promise.reject(new Error("disk full")) };

  test("with allowUnstored the pairing stands, for this link", async () => {
    const exchanged: PairingReport[] = [];
    const onExchanged = (report: PairingReport): void => void exchanged.push(report);
    using link = new SmpLink({ peripheral: { policy: { allowUnstored: true }, more: { ...refusing, onExchanged } } });
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    expect(exchanged).toMatchObject([{ bonded: true }]);
    expect(link.peripheral.reports).toMatchObject([{ bonded: false, refused: [expect.stringContaining("could not be stored")] }]);
    expect(link.peripheral.failures).toEqual([]);
    expect(link.peripheral.manager.security).toMatchObject({ encrypted: true, bonded: false });
    expect(link.peripheral.manager.bond).toBeUndefined();
    expect(link.codes()).not.toContain("<05");
  });

  test("without it the pairing fails, and the peer is told", async () => {
    using link = new SmpLink({ peripheral: { more: refusing } });
    await link.central.manager.pair();
    await link.settle();
    expect(link.peripheral.reports).toEqual([]);
    expect(link.peripheral.failures).toMatchObject([{ code: "ERR_STATE" }]);
    expect(link.codes()).toContain("<05");
  });
});

test("nothing begins while the program is told that the keys are exchanged", async () => {
  let again: Promise<PairingReport> | undefined;
  let wasPairing = false;
  const onExchanged = (): void => {
    again ??= link.central.manager.pair();
    wasPairing ||= link.central.manager.isPairing;
  };
  using link: SmpLink = new SmpLink({ central: { more: { onExchanged } } });
  const first = await link.central.manager.pair();
  expect(wasPairing).toBe(true);
  expect(await again).toBe(first); // it joined the one that was ending
  expect(link.codes().match(/>01/g)).toHaveLength(1);
});

test.each([
  [true, "resolves"],
  [false, "rejects"],
] as const)(
  "a pairing without a bond in the place of a bond: with allowDowngrade %s it %s where the user says so",
  async (allowDowngrade, outcome) => {
    using first = new SmpLink();
    await first.central.manager.pair();
    await first.settle();
    const bond = first.peripheral.bond!;
    let asked = 0;
    const replaceBond = async (): Promise<boolean> => {
      asked++;
      return true;
    };
    using link = new SmpLink({
      central: { policy: { bonding: false } },
      peripheral: { bond, policy: { allowDowngrade }, agent: { replaceBond } },
    });
    const pairing = link.central.manager.pair();
    if (outcome === "resolves") expect(await pairing).toMatchObject({ bonded: false });
    else await expect(pairing).rejects.toMatchObject({ reason: 0x03 });
    expect(asked).toBe(allowDowngrade ? 1 : 0);
  },
);
