import { describe, expect, test } from "vitest";
import { fromHex } from "../src/bytes/hex.ts";
import { HciError } from "../src/hci/error.ts";
import { type Bond, IoCapability } from "../src/smp/index.ts";
import { type Role, SmpLink } from "./smp-link.ts";

// Events and data come by different ways, with no order between them: each pair of the two is tried both ways round.

/** Lets Encryption Change of one side come later than what the other side sent on the encrypted link. */
function lateEvent(link: SmpLink, role: Role, byMs: number): void {
  const { manager } = link.end(role);
  const { onEncryptionChange } = manager;
  manager.onEncryptionChange = (status, enabled) => {
    link.clock.setTimer(byMs, "late event", () => onEncryptionChange.call(manager, status, enabled));
  };
}

describe.each([true, false])("the first keys and Encryption Change (Secure Connections %s)", (secureConnections) => {
  const policy = { secureConnections };

  test("overtaken at the central", async () => {
    let started: (() => void) | undefined;
    // The promise of the command comes with the event.
    using link: SmpLink = new SmpLink({
      central: {
        policy,
        more: {
          link: {
            startEncryption: async (ltk, rand, ediv) => {
              await link.startEncryption(ltk, rand, ediv);
              await new Promise<void>((resolve) => (started = resolve));
            },
          },
        },
      },
    });
    lateEvent(link, "central", 200);
    const pairing = link.central.manager.pair();
    await link.settle(150);
    expect(link.central.manager.security.encrypted).toBe(false);
    expect(link.codes()).toMatch(/<0a$/);
    expect(await pairing).toMatchObject({ bonded: true, peerKeys: ["ltk", "irk", "identity", "csrk"] });
    started?.();
    await link.settle();
    expect([link.central.bonds.length, link.peripheral.bonds.length]).toEqual([1, 1]);
    expect([...link.central.failures, ...link.peripheral.failures]).toEqual([]);
  });

  test("overtaken at the peripheral, which gives no keys itself", async () => {
    using link = new SmpLink({ central: { policy: { ...policy, peerKeys: 0 } } });
    lateEvent(link, "peripheral", 200);
    const pairing = link.central.manager.pair();
    await link.settle(150);
    expect(link.peripheral.manager.security.encrypted).toBe(false);
    expect(await pairing).toMatchObject({ bonded: true });
    await link.settle();
    expect(link.peripheral.bond!.peerIrk).toEqual(link.central.identity.irk);
    expect(link.peripheral.failures).toEqual([]);
  });

  test("more keys than are expected are not held", async () => {
    using link = new SmpLink({ central: { policy: { ...policy, peerKeys: 4 } } });
    link.fault = ({ from, pdu }) => (from === "peripheral" && pdu[0] === 0x0a ? [pdu, pdu] : [pdu]);
    lateEvent(link, "central", 200);
    link.central.manager.pair().catch(() => undefined);
    await link.settle();
    expect(link.central.bonds).toHaveLength(1); // the second came when all was done, or ended it before: never two keys
    using early = new SmpLink({
      central: { policy: { ...policy, peerKeys: 4 }, more: { link: { startEncryption: () => new Promise(() => {}) } } },
    });
    const pairing = early.central.manager.pair();
    await early.settle(200);
    const key = fromHex(`0a${"11".repeat(16)}`);
    early.deliver("central", key);
    expect(early.central.failures).toEqual([]);
    early.deliver("central", key);
    await expect(pairing).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x08, side: "local" });
  });

  test("keys that are not the expected ones fail when they are looked at", async () => {
    using link = new SmpLink({ central: { policy: { ...policy, peerKeys: 4 } }, peripheral: {} });
    link.fault = ({ from, pdu }) => (from === "peripheral" && pdu[0] === 0x0a ? [fromHex(`08${"11".repeat(16)}`)] : [pdu]);
    lateEvent(link, "central", 200);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "local" });
    expect(link.central.bonds).toEqual([]);
  });

  test("held keys of a link that is never encrypted are never looked at", async () => {
    let fail: ((error: Error) => void) | undefined;
    using link = new SmpLink({
      central: { policy, more: { link: { startEncryption: () => new Promise((_resolve, reject) => (fail = reject)) } } },
    });
    const pairing = link.central.manager.pair();
    await link.settle(200);
    const first = secureConnections ? `08${"11".repeat(16)}` : `06${"11".repeat(16)}`;
    link.deliver("central", fromHex(first));
    fail!(new HciError({ status: 0x06, command: "LeEnableEncryption" }));
    await expect(pairing).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x08, cause: { code: "ERR_HCI" } });
    expect(link.central.manager.bond).toBeUndefined();
  });

  test("keys before the peripheral was asked for the key of the pairing are sent in the clear, and refused", async () => {
    using link = new SmpLink({ central: { policy: { ...policy, peerKeys: 0 } } });
    link.fault = ({ from, pdu }) => {
      const isLast = from === "peripheral" && pdu[0] === (secureConnections ? 0x0d : 0x04);
      if (isLast) link.clock.setTimer(1, "in the clear", () => link.deliver("peripheral", fromHex(`08${"11".repeat(16)}`)));
      return isLast ? [] : [pdu];
    };
    const pairing = link.central.manager.pair().catch(() => undefined);
    await link.settle();
    await pairing;
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x08, side: "local" }]);
    expect(link.peripheral.bonds).toEqual([]);
  });
});

describe("a key request", () => {
  const noRand = new Uint8Array(8);

  test("before the value that the key comes from has no key: its sender waits for our answer first", async () => {
    for (const [secureConnections, code] of [
      [true, 0x0d],
      [false, 0x04],
    ] as const) {
      using link = new SmpLink({ central: { policy: { secureConnections } } });
      let answer: Uint8Array | undefined = noRand;
      link.fault = ({ from, pdu }) => {
        if (from !== "central" || pdu[0] !== code) return [pdu];
        answer = link.peripheral.manager.onLongTermKeyRequest(noRand, 0);
        return [pdu];
      };
      expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
      expect(answer).toBeUndefined();
    }
  });

  test.each([true, false])(
    "that overtakes the last key of the central gets the key of this pairing (Secure Connections %s)",
    async (sc) => {
      using first = new SmpLink({ central: { policy: { secureConnections: sc } } });
      await first.central.manager.pair();
      await first.settle();
      using link = new SmpLink({
        central: { policy: { secureConnections: sc }, agent: { replaceBond: async () => true } },
        peripheral: { bond: first.peripheral.bond, policy: { allowEqualReplacement: true }, agent: { replaceBond: async () => true } },
        seed: 2,
      });
      let answer: Uint8Array | undefined;
      link.fault = ({ from, pdu }) => {
        if (from !== "central" || pdu[0] !== 0x0a) return [pdu];
        const { rand, ediv } = sc ? { rand: noRand, ediv: 0 } : given(link);
        answer = link.peripheral.manager.onLongTermKeyRequest(rand, ediv);
        link.peripheral.manager.onEncryptionChange(0, true);
        return [pdu];
      };
      await link.central.manager.pair();
      await link.settle();
      expect(link.peripheral.bonds).toHaveLength(1);
      expect(answer).toEqual(link.peripheral.bond!.localLtk!.key.toReversed());
      expect(link.peripheral.security).toMatchObject({ encrypted: true, bonded: true });
    },
  );

  /** What the peripheral gave as EDIV and Rand. */
  function given(link: SmpLink): { rand: Uint8Array; ediv: number } {
    const { pdu } = link.sent.find(({ from, pdu: [code] }) => from === "peripheral" && code === 0x07)!;
    return { ediv: pdu[1]! | (pdu[2]! << 8), rand: pdu.slice(3) };
  }
});

describe("while the link is being encrypted with the bond", () => {
  async function bonds(): Promise<{ central: Bond; peripheral: Bond }> {
    using link = new SmpLink();
    await link.central.manager.pair();
    await link.settle();
    return { central: link.central.bond!, peripheral: link.peripheral.bond! };
  }

  test("a Pairing Request waits for the event, and then comes from the proved peer", async () => {
    const { central, peripheral } = await bonds();
    for (const eventComes of [true, false]) {
      using link = new SmpLink({ central: { bond: central }, peripheral: { bond: peripheral }, seed: 2 });
      const { manager } = link.peripheral;
      expect(manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeDefined();
      link.deliver("peripheral", fromHex("01030009100707"));
      expect(link.sent).toEqual([]);
      if (eventComes) manager.onEncryptionChange(0, true);
      await link.settle(eventComes ? 1 : 2000);
      expect(link.sent[0]!.pdu[0]).toBe(eventComes ? 0x02 : 0x05);
    }
  });

  test("a Pairing Request of an encryption that fails comes from anybody", async () => {
    const { peripheral } = await bonds();
    using link = new SmpLink({ peripheral: { bond: peripheral }, seed: 2 });
    const { manager } = link.peripheral;
    manager.onLongTermKeyRequest(new Uint8Array(8), 0);
    link.deliver("peripheral", fromHex("01030009100707"));
    manager.onEncryptionChange(0x1f, false);
    await link.settle(1);
    expect([...link.sent[0]!.pdu]).toEqual([0x05, 0x03]);
    await link.settle(20);
    expect(link.clock.pending).toEqual([]);
  });

  test("a Security Request is judged by what the link is then", async () => {
    const { central, peripheral } = await bonds();
    const policy = { ioCapability: IoCapability.KeyboardDisplay };
    for (const [request, codes] of [
      ["0b01", ""],
      ["0b05", ">01 <02 >05"],
    ] as const) {
      using link = new SmpLink({ central: { bond: central, policy }, peripheral: { bond: peripheral }, seed: 2 });
      const encrypting = link.central.manager.encrypt();
      link.deliver("central", fromHex(request));
      await encrypting;
      await link.settle();
      expect(link.codes()).toBe(codes);
    }
  });

  describe("a Security Request while the store of the key is asked", () => {
    /** A central whose store answers when it is told to. */
    async function asked(known: "before" | "then", mitm = false) {
      const { central, peripheral } = await bonds();
      let questions = 0;
      let answer: (() => void) | undefined;
      const beforeKey = (): Promise<void> => {
        questions++;
        return new Promise((resolve) => (answer = resolve));
      };
      const policy = { ioCapability: mitm ? IoCapability.KeyboardDisplay : IoCapability.NoInputNoOutput };
      const ofCentral = { policy, more: { beforeKey }, ...(known === "before" && { bond: central }) };
      const ofPeripheral = { bond: peripheral, policy: { allowEqualReplacement: true }, agent: { replaceBond: async () => true } };
      const link = new SmpLink({ central: ofCentral, peripheral: ofPeripheral, seed: 2 });
      return { link, central, answer: () => answer?.(), questions: () => questions };
    }

    test("nothing is answered before; then the key that came meanwhile is used", async () => {
      const { link, central, answer } = await asked("then");
      using _ = link;
      link.deliver("central", fromHex("0b01"));
      await link.settle();
      expect(link.codes()).toBe("");
      link.central.manager.bond = central;
      answer();
      await link.settle();
      expect(link.codes()).toBe("");
      expect(link.central.security).toMatchObject({ encrypted: true, bonded: true });
    });

    test("a key that is gone meanwhile is not used: it pairs", async () => {
      const { link, answer } = await asked("before");
      using _ = link;
      link.deliver("central", fromHex("0b01"));
      link.central.forget();
      answer();
      await link.settle();
      expect(link.codes()).toMatch(/^>01 /);
      expect(link.central.bonds).toHaveLength(1);
    });

    test("the last of several counts, and one question is asked", async () => {
      const { link, answer, questions } = await asked("before", true);
      using _ = link;
      for (const request of ["0b01", "0b01", "0b05"]) link.deliver("central", fromHex(request));
      answer();
      await link.settle();
      expect(questions()).toBe(1);
      expect(link.codes()).toBe(">01 <02 >05"); // with the key first; then protection is asked for, which the other cannot give
    });

    test("what this side begins meanwhile is not disturbed, nor what it has done", async () => {
      for (const late of [false, true]) {
        const { link, answer, questions } = await asked("before");
        using _ = link;
        link.deliver("central", fromHex("0b01"));
        const encrypting = link.central.manager.encrypt();
        if (!late) answer();
        await encrypting;
        answer();
        await link.settle();
        expect(link.codes()).toBe("");
        expect(link.central.securities.filter(({ encrypted }) => encrypted)).toHaveLength(1);
        link.deliver("central", fromHex("0b01"));
        expect(questions()).toBe(1); // the link is encrypted: no key is about to be used
      }
    });

    test("a pairing that was begun and has ended meanwhile has answered it", async () => {
      const { link, answer } = await asked("then");
      using _ = link;
      link.deliver("central", fromHex("0b01"));
      await link.central.manager.pair();
      await link.settle();
      const codes = link.codes();
      answer();
      await link.settle();
      expect(link.codes()).toBe(codes);
    });

    test("a link that is lost meanwhile stays silent, and leaves nothing", async () => {
      const { link, answer } = await asked("before");
      using _ = link;
      link.deliver("central", fromHex("0b01"));
      link.disconnect(0x13);
      answer();
      await link.settle();
      expect(link.codes()).toBe("");
      expect(link.clock.pending).toEqual([]);
    });

    test("a peripheral refuses it without a question", async () => {
      let isAsked = false;
      const beforeKey = async (): Promise<void> => {
        isAsked = true;
      };
      using link = new SmpLink({ peripheral: { more: { beforeKey } } });
      link.deliver("peripheral", fromHex("0b01"));
      await link.settle();
      expect([isAsked, link.codes()]).toEqual([false, "<05"]);
    });
  });

  test("the central's own pairing waits, and then needs no question", async () => {
    const { central, peripheral } = await bonds();
    using link = new SmpLink({ central: { bond: central }, peripheral: { bond: peripheral }, seed: 2 });
    const encrypting = link.central.manager.encrypt();
    const pairing = link.central.manager.pair();
    expect(link.sent).toEqual([]);
    await encrypting;
    expect(await pairing).toMatchObject({ bonded: true });
  });

  test("a lost link leaves nothing held", async () => {
    const { peripheral } = await bonds();
    using link = new SmpLink({ peripheral: { bond: peripheral }, seed: 2 });
    link.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 0);
    link.deliver("peripheral", fromHex("01030009100707"));
    link.disconnect();
    expect(link.clock.pending).toEqual([]);
    expect(link.sent).toEqual([]);
  });
});

describe("Encryption Change of a pairing that was given up", () => {
  test.each(["central", "peripheral"] as const)("is believed by nobody (%s)", async (role) => {
    const startEncryption = async (ltk: Uint8Array, rand: Uint8Array, ediv: number): Promise<void> => {
      await link.startEncryption(ltk, rand, ediv);
      await new Promise(() => {}); // its end is told by the event
    };
    const link = new SmpLink({ central: { more: { link: { startEncryption } } } });
    using _ = link;
    lateEvent(link, role, 500);
    link.central.manager.pair().catch(() => undefined);
    await link.settle(115); // the key was given, the event is on its way
    link.deliver(role, fromHex("0508"));
    await link.settle(2000);
    expect(link.end(role).securities).toEqual([]);
    expect(link.end(role).manager.security.encrypted).toBe(false);
    expect(link.end(role).bonds).toEqual([]);
  });

  test("takes from the link what its bond gave it", async () => {
    using link = new SmpLink();
    await link.central.manager.pair();
    await link.settle();
    expect(link.peripheral.security).toMatchObject({ encrypted: true, bonded: true });
    lateEvent(link, "peripheral", 500);
    link.central.manager.pair().catch(() => undefined);
    await link.settle(115);
    link.deliver("peripheral", fromHex("0508"));
    await link.settle(2000);
    expect(link.peripheral.security).toMatchObject({ encrypted: false, authenticated: false, bonded: false });
    // Nothing is proved any more: a new pairing is put to the user.
    link.deliver("peripheral", fromHex("01030009100707"));
    await link.settle();
    expect([...link.sent.at(-1)!.pdu].slice(0, 1)).toEqual([0x05]);
  });
});
