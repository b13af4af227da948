import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, fromHex } from "../src/bytes/hex.ts";
import { Address } from "../src/core/address.ts";
import { randomBytes, SeededRandom } from "../src/core/random.ts";
import { c1, DEBUG_PRIVATE_KEY, P256KeyPair, reversed, s1 } from "../src/crypto/index.ts";
import { type Bond, encodeSmp, IoCapability, type PairingAgent, PairingAttempts, type PairingPolicy } from "../src/smp/index.ts";
import { changed, type Role, type Sent, SmpLink, user } from "./smp-link.ts";

const { DisplayOnly, DisplayYesNo, KeyboardOnly } = IoCapability;

/** A request of a central in octets: NoInputNoOutput, bonding. */
const request = (authReq = 0x01): Uint8Array => Uint8Array.of(0x01, 0x03, 0x00, authReq, 0x10, 0x07, 0x07);

describe("public keys", () => {
  const spoilt =
    (role: Role, make: (sent: Sent, link: SmpLink) => Uint8Array) =>
    (link: SmpLink) =>
    (sent: Sent): Uint8Array[] =>
      sent.from === role && sent.pdu[0] === 0x0c ? [make(sent, link)] : [sent.pdu];
  const debug = P256KeyPair.fromPrivateKey(Uint8Array.from(DEBUG_PRIVATE_KEY)).publicKey;
  const kinds: [string, (sent: Sent, link: SmpLink) => Uint8Array][] = [
    ["off the curve", ({ pdu }) => pdu.with(64, pdu[64]! ^ 1)],
    ["with y = 0, of small order on another curve", ({ pdu }) => concat(pdu.subarray(0, 33), new Uint8Array(32))],
    ["at the origin", () => concat(Uint8Array.of(0x0c), new Uint8Array(64))],
    ["the debug key", () => encodeSmp({ name: "PairingPublicKey", ...debug })],
  ];
  test.each(kinds)("of the initiator, %s", async (_name, make) => {
    using link = new SmpLink();
    link.fault = spoilt("central", make)(link);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x0a, side: "peer" });
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x0a, side: "local" }]);
  });

  test.each(kinds)("of the responder, %s", async (_name, make) => {
    using link = new SmpLink();
    link.fault = spoilt("peripheral", make)(link);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x0a, side: "local" });
  });

  test("reflected, as it is or mirrored", async () => {
    for (const mirror of [false, true]) {
      using link = new SmpLink();
      let own: Uint8Array | undefined;
      link.fault = ({ from, pdu }) => {
        if (pdu[0] !== 0x0c) return [pdu];
        if (from === "central") {
          own = pdu;
          return [pdu];
        }
        if (!mirror) return [own!];
        // The point with the same x and the other y.
        const p = BigInt("0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
        const y = BigInt(`0x${Buffer.from(reversed(own!.subarray(33))).toString("hex")}`);
        return [concat(own!.subarray(0, 33), reversed(fromHex((p - y).toString(16).padStart(64, "0"))))];
      };
      await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x0a, side: "local" });
      expect(link.central.failures[0]!.message).toContain("reflected");
    }
  });

  test("the debug key passes where the policy says so", async () => {
    using link = new SmpLink({ central: { policy: { allowDebugKey: true } } });
    link.fault = spoilt("peripheral", () => encodeSmp({ name: "PairingPublicKey", ...debug }))(link);
    // The public key is accepted, but it is not the one the peripheral computes with.
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x04, side: "local" });
  });
});

describe("legacy confirm values", () => {
  test("an echo of the own confirm value proves nothing", async () => {
    using link = new SmpLink({ central: { policy: { secureConnections: false } } });
    let own: Uint8Array | undefined;
    link.fault = ({ from, pdu }) => {
      if (pdu[0] !== 0x03) return [pdu];
      if (from === "central") own = pdu;
      return [from === "central" ? pdu : own!];
    };
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x04, side: "local" });
  });

  test("a peer in octets: the responder follows c1 of the specification", async () => {
    using link = new SmpLink({ peripheral: { policy: { secureConnections: false } } });
    const central = Address.from("00:23:F7:01:02:03");
    const peripheral = Address.from("C0:11:22:33:44:55/random");
    const mrand = randomBytes(new SeededRandom(9), 16);
    const take = (code: number): Uint8Array => {
      const { pdu } = link.sent.at(-1)!;
      expect(pdu[0]).toBe(code);
      return pdu;
    };
    link.deliver("peripheral", request(0x05));
    await link.settle(1); // the agent's consent is a promise
    const response = take(0x02);
    const confirm = (r: Uint8Array): Uint8Array =>
      c1(new Uint8Array(16), r, reversed(request(0x05)), reversed(response), 0, 1, reversed(central.bytes), reversed(peripheral.bytes));
    link.deliver("peripheral", encodeSmp({ name: "PairingConfirm", confirmValue: confirm(mrand) }));
    const sconfirm = reversed(take(0x03).subarray(1));
    link.deliver("peripheral", encodeSmp({ name: "PairingRandom", randomValue: mrand }));
    const srand = reversed(take(0x04).subarray(1));
    expect(sconfirm).toEqual(confirm(srand));
    expect(link.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toEqual(reversed(s1(new Uint8Array(16), srand, mrand)));
  });
});

describe("wrong answers of people", () => {
  const passkey: Partial<PairingPolicy> = { ioCapability: KeyboardOnly, mitm: true };
  const typing = (enterPasskey: NonNullable<PairingAgent["enterPasskey"]>): Partial<PairingAgent> => ({ enterPasskey });

  test.each([true, false])("another passkey (Secure Connections: %s)", async (secureConnections) => {
    using link = new SmpLink({
      central: { policy: { ...passkey, secureConnections }, agent: typing(async () => 1) },
      peripheral: { policy: { ioCapability: DisplayOnly } },
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x04 });
    await link.settle();
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x04 }]);
  });

  test.each<[string, NonNullable<PairingAgent["enterPasskey"]>]>([
    ["no passkey", async () => undefined],
    ["a passkey of seven digits", async () => 1_000_000],
    ["a negative passkey", async () => -1],
    ["a fraction", async () => 0.5],
    ["text", (async () => "123456") as unknown as NonNullable<PairingAgent["enterPasskey"]>],
    ["a rejection", () => Promise.reject(new Error("cancelled"))],
    [
      "an exception",
      () => {
        throw new Error("no screen");
      },
    ],
    ["nothing at all", () => new Promise(() => {})],
  ])("%s is a refusal (Passkey Entry Failed)", async (_name, enterPasskey) => {
    for (const secureConnections of [true, false]) {
      using link = new SmpLink({
        central: { policy: { ...passkey, secureConnections }, agent: typing(enterPasskey) },
        peripheral: { policy: { ioCapability: DisplayOnly } },
      });
      await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x01, side: "local" });
      expect(link.clock.now()).toBeLessThan(30_000);
      await link.settle();
      expect(link.peripheral.failures).toMatchObject([{ reason: 0x01, side: "peer" }]);
      expect(link.clock.pending).toEqual([]);
    }
  });

  test("numbers that differ, on either side", async () => {
    for (const refusing of ["central", "peripheral"] as const) {
      const agent = (role: Role): Partial<PairingAgent> => ({ compare: async () => role !== refusing });
      const policy = { ioCapability: DisplayYesNo, mitm: true };
      using link = new SmpLink({ central: { policy, agent: agent("central") }, peripheral: { policy, agent: agent("peripheral") } });
      const side = refusing === "central" ? "local" : "peer";
      await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x0c, side });
    }
  });

  test("a Just Works pairing that is not allowed, or nobody answers for", async () => {
    for (const confirm of [async () => false, () => new Promise<boolean>(() => {}), async () => "yes" as unknown as boolean]) {
      using link = new SmpLink({ peripheral: { agent: { confirm } } });
      await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x08, side: "peer" });
      expect(link.clock.pending).toEqual([]);
    }
  });

  test("a passkey that cannot be shown", async () => {
    const agent: Partial<PairingAgent> = {
      displayPasskey: () => {
        throw new Error("no display");
      },
    };
    using link = new SmpLink({
      central: { policy: passkey, agent: typing(async () => 1) },
      peripheral: { policy: { ioCapability: DisplayOnly }, agent },
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x01, side: "peer" });
  });

  test("every question's signal aborts when the pairing is over, and an answer after that is nothing", async () => {
    const signals: AbortSignal[] = [];
    let answer: ((value: number) => void) | undefined;
    const agent: Partial<PairingAgent> = {
      enterPasskey: ({ signal }) => {
        signals.push(signal);
        return new Promise((resolve) => (answer = resolve));
      },
      displayPasskey: ({ signal }) => void signals.push(signal),
    };
    using link = new SmpLink({ central: { policy: passkey, agent }, peripheral: { policy: { ioCapability: DisplayOnly }, agent } });
    const pairing = link.central.manager.pair();
    await link.settle(100);
    expect(signals).toHaveLength(2);
    expect(signals.some(({ aborted }) => aborted)).toBe(false);
    link.disconnect(0x08);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(signals[0]!.reason).toMatchObject({ code: "ERR_DISCONNECTED" });
    answer!(1);
    await expect(pairing).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await link.settle();
    expect(link.clock.pending).toEqual([]);
  });

  test("the passkey is shown until the pairing ends, also in success", async () => {
    const people = user();
    const signals: AbortSignal[] = [];
    const display = people.peripheral.displayPasskey!;
    const agent: Partial<PairingAgent> = {
      displayPasskey: (question) => {
        signals.push(question.signal);
        display(question);
      },
    };
    using link = new SmpLink({
      central: { policy: passkey, agent: people.central },
      peripheral: { policy: { ioCapability: DisplayOnly }, agent },
    });
    await link.central.manager.pair();
    await link.settle();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });
});

describe("requests out of place", () => {
  test.each([
    ["a Pairing Request to a central", "central", "01030001100707", 0x07],
    ["a Security Request to a peripheral", "peripheral", "0b01", 0x07],
    ["an IO capability that does not exist", "peripheral", "01050001100707", 0x0a],
    ["an OOB flag that does not exist", "peripheral", "01030201100707", 0x0a],
    ["a key size of 6", "peripheral", "01030001060707", 0x0a],
    ["a key size of 17", "peripheral", "01030001110707", 0x0a],
    ["a key size of 15", "peripheral", "010300010f0707", 0x06],
    ["out-of-band data with Secure Connections", "peripheral", "01030109100707", 0x02],
    ["a Pairing Request cut short", "peripheral", "010300011007", 0x0a],
    ["a Pairing Request too long", "peripheral", "0103000110070700", 0x0a],
  ] as const)("%s is refused", async (_name, role, octets, reason) => {
    using link = new SmpLink();
    link.deliver(role, fromHex(octets));
    await link.settle();
    expect(link.sent.map(({ pdu }) => [...pdu])).toEqual([[0x05, reason]]);
    expect(link.end(role).failures).toMatchObject([{ code: "ERR_PAIRING", reason, side: "local" }]);
    expect(link.clock.pending).toEqual([]);
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
  });

  test("reserved bits and out-of-band data of a legacy peer do not matter", async () => {
    using link = new SmpLink();
    link.deliver("peripheral", fromHex("010301d110f7f7"));
    await link.settle(5);
    expect([...link.sent[0]!.pdu]).toEqual([0x02, 0x03, 0x00, 0x09, 0x10, 0x07, 0x07]);
  });

  test("while nothing is under way, leftovers of a pairing and unknown codes are ignored", async () => {
    using link = new SmpLink();
    for (const hex of [
      "02030001100707",
      `03${"00".repeat(16)}`,
      `04${"00".repeat(16)}`,
      "0508",
      `06${"11".repeat(16)}`,
      `0c${"11".repeat(64)}`,
      "0e00",
      "00",
      "0f",
      "ff00",
      "",
      "05",
      "03",
    ]) {
      for (const role of ["central", "peripheral"] as const) link.deliver(role, fromHex(hex));
    }
    await link.settle();
    expect(link.sent).toEqual([]);
    expect([...link.central.failures, ...link.peripheral.failures]).toEqual([]);
  });

  test("a response that names keys the request did not is refused", async () => {
    using link = new SmpLink({ central: { policy: { localKeys: 1, peerKeys: 1 } } });
    link.fault = ({ pdu }) => (pdu[0] === 0x02 ? [pdu.with(6, 0x07)] : [pdu]);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x0a, side: "local" });
  });

  test("a keypress notification changes nothing", async () => {
    const people = user();
    using link = new SmpLink({
      central: { policy: { ioCapability: KeyboardOnly, mitm: true }, agent: people.central },
      peripheral: { policy: { ioCapability: DisplayOnly }, agent: people.peripheral },
    });
    link.fault = ({ from, pdu }) => (from === "central" && pdu[0] === 0x03 ? [Uint8Array.of(0x0e, 0x01), pdu] : [pdu]);
    expect(await link.central.manager.pair()).toMatchObject({ authenticated: true });
  });

  test("keys on a link that is not encrypted are refused", async () => {
    using link = new SmpLink();
    link.fault = ({ pdu }) => (pdu[0] === 0x0d ? [pdu, Uint8Array.of(0x08, ...new Uint8Array(16))] : [pdu]);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING" });
  });

  test.each([
    ["a private identity address", `0901${"010203040540".padStart(12, "0")}`, 0x0a],
    ["the identity address of this side", "0900030201f72300", 0x0f],
  ])("%s is refused", async (_name, octets, reason) => {
    using link = new SmpLink();
    link.fault = ({ from, pdu }) => (from === "peripheral" && pdu[0] === 0x09 ? [fromHex(octets)] : [pdu]);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason, side: "local" });
    expect(link.central.bonds).toEqual([]);
  });
});

describe("downgrade of a bond", () => {
  async function authenticatedBonds(): Promise<{ central: Bond; peripheral: Bond }> {
    const people = user();
    using link = new SmpLink({
      central: { policy: { ioCapability: KeyboardOnly, mitm: true }, agent: people.central },
      peripheral: { policy: { ioCapability: DisplayOnly }, agent: people.peripheral },
    });
    await link.central.manager.pair();
    await link.settle();
    return { central: link.central.bond!, peripheral: link.peripheral.bond! };
  }

  test("an authenticated bond is not replaced by an unauthenticated pairing", async () => {
    const { peripheral, central } = await authenticatedBonds();
    using link = new SmpLink({ peripheral: { bond: peripheral } });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "peer" });
    using other = new SmpLink({ central: { bond: central } });
    await expect(other.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "local" });
    expect(other.central.failures[0]!.message).toContain("authenticated");
  });

  test("nor one of Secure Connections by a legacy one, nor by a shorter key", async () => {
    using first = new SmpLink();
    await first.central.manager.pair();
    await first.settle();
    const bond = first.peripheral.bond;
    using legacy = new SmpLink({ central: { policy: { secureConnections: false } }, peripheral: { bond } });
    await expect(legacy.central.manager.pair()).rejects.toMatchObject({ reason: 0x03 });
    const policy = { minKeySize: 7 };
    using short = new SmpLink({ central: { policy: { ...policy, maxKeySize: 7 } }, peripheral: { bond, policy } });
    await expect(short.central.manager.pair()).rejects.toMatchObject({ reason: 0x03 });
  });

  test("unless the policy allows it", async () => {
    const { peripheral } = await authenticatedBonds();
    const policy = { allowDowngrade: true };
    using refusing = new SmpLink({ peripheral: { bond: peripheral, policy } });
    await expect(refusing.central.manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "peer" });
    const agent = { replaceBond: async () => true };
    using link = new SmpLink({ peripheral: { bond: changed(peripheral, { name: "meter" }), policy, agent } });
    expect(await link.central.manager.pair()).toMatchObject({ authenticated: false });
    await link.settle();
    expect(link.peripheral.bond).toMatchObject({ authenticated: false, name: "meter" });
  });
});

describe("repeated attempts", () => {
  const wrong: Partial<PairingAgent> = { enterPasskey: async () => 1 };
  const options = {
    central: { policy: { ioCapability: KeyboardOnly, mitm: true }, agent: wrong },
    peripheral: { policy: { ioCapability: DisplayOnly } },
  };

  test("wait longer and longer, on this link and the next, and are forgiven in time", async () => {
    using first = new SmpLink(options);
    const { clock } = first;
    const attempts = new PairingAttempts({ clock });
    // The central keeps no count here, so that the peripheral's is seen.
    const open = (): SmpLink =>
      new SmpLink({
        clock,
        central: { ...options.central, more: { attempts: new PairingAttempts({ clock, freeFailures: 1000 }) } },
        peripheral: { ...options.peripheral, more: { attempts } },
      });
    for (let i = 0; i < 4; i++) await expect(open().central.manager.pair()).rejects.toMatchObject({ reason: 0x04 });
    await expect(open().central.manager.pair()).rejects.toMatchObject({ reason: 0x09, side: "peer" });
    await clock.advance(1000);
    await expect(open().central.manager.pair()).rejects.toMatchObject({ reason: 0x04 });
    await clock.advance(1000);
    const link = open();
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x09, side: "peer" });
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x09, side: "local" }]);
    await clock.advance(3_600_000);
    await expect(open().central.manager.pair()).rejects.toMatchObject({ reason: 0x04 });
  });

  test("of this side are refused here, with the wait", async () => {
    using link = new SmpLink(options);
    for (let i = 0; i < 4; i++) {
      await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x04 });
      await link.settle(50);
    }
    const count = link.sent.length;
    const refusal = { code: "ERR_PAIRING", reason: 0x09, side: "local", retryAfterMs: expect.closeTo(950, -2) };
    await expect(link.central.manager.pair()).rejects.toMatchObject(refusal);
    await expect(link.peripheral.manager.pair()).rejects.toMatchObject(refusal);
    expect(link.sent).toHaveLength(count);
  });

  test("hanging up in the middle counts as a failure; refusals before anything was tried do not", async () => {
    using clockLink = new SmpLink();
    const { clock } = clockLink;
    const attempts = new PairingAttempts({ clock, freeFailures: 0 });
    using refused = new SmpLink({ clock, peripheral: { policy: { pairable: false }, more: { attempts } } });
    await expect(refused.central.manager.pair()).rejects.toMatchObject({ reason: 0x05 });
    expect(attempts.size).toBe(0);
    using link = new SmpLink({ clock, peripheral: { more: { attempts } } });
    const pairing = link.central.manager.pair();
    await clock.advance(35);
    link.disconnect();
    await expect(pairing).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    expect(attempts.size).toBe(1);
  });

  test("success forgets", async () => {
    using link = new SmpLink();
    const attempts = new PairingAttempts({ clock: link.clock });
    attempts.failed("00:23:F7:01:02:03/public");
    using next = new SmpLink({ clock: link.clock, peripheral: { more: { attempts } } });
    await next.central.manager.pair();
    await next.settle();
    expect(attempts.size).toBe(0);
  });
});

describe("random octets", () => {
  const pdu = fc.oneof(
    fc.uint8Array({ maxLength: 70 }),
    fc
      .tuple(fc.integer({ min: 0, max: 15 }), fc.uint8Array({ minLength: 64, maxLength: 64 }))
      .map(([code, body]) => Uint8Array.of(code, ...body.subarray(0, [0, 6, 6, 16, 16, 1, 16, 10, 16, 7, 16, 1, 64, 16, 1, 3][code]))),
    fc.constantFrom(...[0x01, 0x05, 0x09, 0x0d].map((authReq) => request(authReq))),
  );

  test("at any time never throw, leave no timer, and a new pairing works", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.nat(150), to: fc.constantFrom<Role>("central", "peripheral"), pdu }), { maxLength: 8 }),
        fc.boolean(),
        async (injected, secureConnections) => {
          using link = new SmpLink({ central: { policy: { secureConnections } } });
          for (const { at, to, pdu: octets } of injected) link.clock.setTimer(at, "injected", () => link.deliver(to, octets));
          await link.central.manager.pair().catch((error) => expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_/) }));
          await link.settle(200_000);
          expect(link.clock.pending).toEqual([]);
          expect(link.central.manager.isPairing || link.peripheral.manager.isPairing).toBe(false);
          using next = new SmpLink({ clock: link.clock });
          expect(await next.central.manager.pair()).toMatchObject({ bonded: true });
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  });
});

test("no key, passkey or octet of a PDU gets into logs, errors or reports", async () => {
  const { Logger, LogLevel } = await import("../src/core/logger.ts");
  const { inspect } = await import("node:util");
  const { toHex } = await import("../src/bytes/hex.ts");
  const lines: string[] = [];
  const logger = new Logger("", LogLevel.Trace, (_level, scope, message) => lines.push(`${scope} ${message}`));
  const people = user();
  let passkey = "";
  const display = people.peripheral.displayPasskey!;
  using link = new SmpLink({
    central: { policy: { ioCapability: KeyboardOnly, mitm: true, secureConnections: false }, agent: people.central, more: { logger } },
    peripheral: {
      policy: { ioCapability: DisplayOnly },
      agent: {
        displayPasskey: (question) => {
          passkey = String(question.passkey);
          display(question);
        },
      },
      more: { logger },
    },
  });
  const report = await link.central.manager.pair();
  await link.settle();
  const bond = link.central.bond!;
  const text = [
    ...lines,
    inspect(report),
    inspect(bond, { showHidden: false, depth: 9 }),
    JSON.stringify(bond),
    JSON.stringify(report),
  ].join("\n");
  expect(lines.length).toBeGreaterThan(10);
  expect(passkey.length).toBeGreaterThan(2);
  expect(text).not.toContain(passkey);
  for (const key of [bond.peerLtk!.key, bond.localLtk!.key, bond.peerIrk!, bond.peerCsrk!, bond.localCsrk!]) {
    expect(text).not.toContain(toHex(key));
    expect(text).not.toContain([...key.subarray(0, 4)].join(", "));
    expect(text).not.toContain([...key.subarray(0, 4)].join(","));
  }
});
