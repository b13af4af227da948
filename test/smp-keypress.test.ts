import { describe, expect, test } from "vitest";
import { IoCapability, type PasskeyQuestion } from "../src/smp/index.ts";
import { keypressEffects } from "../src/smp/keypress.ts";
import type { State } from "../src/smp/state.ts";
import { type EndOptions, type Role, SmpLink } from "./smp-link.ts";

const { DisplayOnly, KeyboardOnly } = IoCapability;

/** One side shows the passkey, the other one types it when the test lets it. */
class Typing implements Disposable {
  readonly link: SmpLink;
  readonly typist: Role;
  readonly heard: string[] = [];
  question: PasskeyQuestion | undefined;
  shown = -1;
  type!: (passkey: number | undefined) => void;

  constructor(at: { typist: Role; secureConnections: boolean; keypress?: [shows: boolean, types: boolean] }) {
    const [shows, types] = at.keypress ?? [true, true];
    this.typist = at.typist;
    const display: EndOptions = {
      policy: { ioCapability: DisplayOnly, mitm: true, secureConnections: at.secureConnections, keypress: shows },
      agent: {
        displayPasskey: ({ passkey }) => {
          this.shown = passkey;
        },
        onKeypress: ({ keypress }) => void this.heard.push(keypress),
      },
    };
    const keyboard: EndOptions = {
      policy: { ioCapability: KeyboardOnly, mitm: true, secureConnections: at.secureConnections, keypress: types },
      agent: {
        enterPasskey: (question) => {
          this.question = question;
          return new Promise((resolve) => {
            this.type = resolve;
          });
        },
      },
    };
    this.link = new SmpLink(
      at.typist === "central" ? { central: keyboard, peripheral: display } : { central: display, peripheral: keyboard },
    );
  }

  /** What the typist told the peer, by the values on air. */
  get told(): number[] {
    return this.link.sent.filter(({ from, pdu }) => from === this.typist && pdu[0] === 0x0e).map(({ pdu }) => pdu[1]!);
  }

  [Symbol.dispose](): void {
    this.link[Symbol.dispose]();
  }
}

const every = (["central", "peripheral"] as const).flatMap((typist) =>
  [true, false].map((secureConnections) => ({ typist, secureConnections })),
);

describe.each(every)("%o", (at) => {
  test("the peer hears of every key, from the first to the last (3.5.8)", async () => {
    using typing = new Typing(at);
    const { link } = typing;
    const pairing = link.central.manager.pair();
    await link.settle();
    expect(typing.heard).toEqual(["started"]);
    for (const keypress of ["digit", "digit", "erased", "cleared", "digit"] as const) typing.question!.keypress!(keypress);
    typing.type(typing.shown);
    await link.settle(3000);
    expect(await pairing).toMatchObject({ method: "passkey-entry", authenticated: true });
    expect(typing.heard).toEqual(["started", "digit", "digit", "erased", "cleared", "digit", "completed"]);
    expect(typing.told).toEqual([0, 1, 1, 2, 3, 1, 4]);
    for (const { pdu } of [link.sent[0]!, link.sent[1]!]) expect(pdu[3]! & 0x10).toBe(0x10);
    typing.question!.keypress!("digit"); // too late: nothing goes out
    expect(typing.told).toHaveLength(7);
    expect(link.clock.pending).toEqual([]);
  });

  test("a user who goes on typing has more than the 30 s, on both sides", async () => {
    using typing = new Typing(at);
    const { link } = typing;
    const pairing = link.central.manager.pair();
    for (let i = 0; i < 5; i++) {
      await link.settle(20_000);
      typing.question!.keypress!("digit");
    }
    await link.settle(20_000);
    typing.type(typing.shown);
    await link.settle(3000);
    expect(await pairing).toMatchObject({ method: "passkey-entry" });
  });

  test("who stops typing has 28 s from the last key, and not longer", async () => {
    using typing = new Typing(at);
    const { link } = typing;
    const failed = expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x01 });
    await link.settle(20_000);
    typing.question!.keypress!("digit");
    await link.settle(27_900);
    expect(link.end(typing.typist).manager.isPairing).toBe(true);
    await link.settle(200);
    await failed;
    expect(typing.told).toEqual([0, 1]);
  });
});

describe.each([
  [false, true],
  [true, false],
  [false, false],
] as const)("display wants them: %s, keyboard wants them: %s", (shows, types) => {
  test("where one side does not want them none is sent, and none is heard", async () => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true, keypress: [shows, types] });
    const { link } = typing;
    const pairing = link.central.manager.pair();
    await link.settle();
    expect(typing.question!.keypress).toBeUndefined();
    link.deliver("central", Uint8Array.of(0x0e, 1));
    typing.type(typing.shown);
    await link.settle(3000);
    await pairing;
    expect([typing.told, typing.heard]).toEqual([[], []]);
  });
});

describe("nonsense", () => {
  const begin = async (typing: Typing): Promise<void> => {
    typing.link.central.manager.pair().catch(() => undefined);
    await typing.link.settle();
  };

  test("kinds that there are not, and from who shows the number, are not heard", async () => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true });
    await begin(typing);
    for (const kind of [5, 0x7f, 0xff]) typing.link.deliver("central", Uint8Array.of(0x0e, kind));
    typing.link.deliver("peripheral", Uint8Array.of(0x0e, 1));
    expect(typing.heard).toEqual(["started"]);
    typing.type(typing.shown);
    await typing.link.settle(3000);
    expect(typing.link.central.reports).toHaveLength(1);
  });

  test.each([[0x0e], [0x0e, 1, 1]])("a wrong length ends the pairing: Invalid Parameters (%#)", async (...pdu) => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true });
    await begin(typing);
    typing.link.deliver("central", Uint8Array.from(pdu));
    expect(typing.link.central.failures[0]).toMatchObject({ code: "ERR_PAIRING", reason: 0x0a, side: "local" });
    await typing.link.settle();
  });

  test("before the passkey and after it they are not heard", async () => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true });
    const { link } = typing;
    link.deliver("central", Uint8Array.of(0x0e, 1));
    const pairing = link.central.manager.pair();
    link.deliver("central", Uint8Array.of(0x0e, 1));
    await link.settle();
    typing.type(typing.shown);
    link.fault = ({ from, pdu }) => (from === "peripheral" && pdu[0] === 0x03 ? [pdu, Uint8Array.of(0x0e, 1)] : [pdu]);
    await link.settle(3000);
    expect(await pairing).toMatchObject({ method: "passkey-entry" });
    expect(typing.heard).toEqual(["started", "completed"]);
  });

  test("a peer that types for ever is not waited for: after 100 keys it gets no more time, and nobody hears of them", async () => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true });
    const { link } = typing;
    await begin(typing);
    for (let i = 0; i < 150; i++) link.deliver("central", Uint8Array.of(0x0e, 1));
    expect(typing.heard).toHaveLength(100);
    for (let i = 0; i < 6; i++) {
      link.deliver("central", Uint8Array.of(0x0e, 1));
      await link.settle(5100);
    }
    expect(link.central.failures).toHaveLength(1);
    expect(link.central.manager.isPairing).toBe(false);
  });

  test("the own user cannot hold the pairing for ever either, and has only the keys of a keyboard", async () => {
    using typing = new Typing({ typist: "peripheral", secureConnections: true });
    const { link } = typing;
    await begin(typing);
    expect(() => typing.question!.keypress!("completed" as "digit")).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    for (let i = 0; i < 150; i++) typing.question!.keypress!("digit");
    expect(typing.told).toHaveLength(101);
    link.disconnect();
  });
});

test.each([
  ["legacy-confirm", {}, true],
  ["legacy-confirm", { peerConfirm: new Uint8Array(16) }, false],
  ["passkey", {}, true],
  ["passkey", { peerConfirm: new Uint8Array(16) }, false],
  ["passkey-confirm", { round: 0 }, true],
  ["passkey-confirm", { round: 1 }, false],
  ["passkey-random", { round: 0 }, false],
  ["dhkey-check", {}, false],
  ["keys", {}, false],
])("in %s %o a key is heard: %s", (at, more, isHeard) => {
  const state = { at, agreement: { keypress: { own: false, peer: true } }, ...more } as unknown as State;
  expect(keypressEffects(state, 1)).toEqual(isHeard ? [{ do: "keypress", keypress: "digit" }] : []);
});

test("a number that is no passkey has not been completed", async () => {
  using typing = new Typing({ typist: "peripheral", secureConnections: false });
  const failed = expect(typing.link.central.manager.pair()).rejects.toMatchObject({ reason: 0x01, side: "peer" });
  await typing.link.settle();
  typing.type(1_000_000);
  await typing.link.settle();
  await failed;
  expect(typing.told).toEqual([0]);
});
