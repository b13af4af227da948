import { describe, expect, test } from "vitest";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { beginAsInitiator, beginAsResponder, step } from "./pairing.ts";
import type { PairingFeatures, SmpPdu } from "./pdus.ts";
import { completePolicy } from "./policy.ts";
import { drawSecrets, type Effect, type Input, type Session, type State, type Step } from "./state.ts";
import type { PairingPolicy } from "./types.ts";

function session(role: "central" | "peripheral", policy: Partial<PairingPolicy> = {}): Session {
  return {
    role,
    initiator: Address.from("00:23:F7:01:02:03"),
    responder: Address.from("C0:11:22:33:44:55/random"),
    identity: {
      address: Address.from(role === "central" ? "00:23:F7:01:02:03" : "C0:11:22:33:44:55/random"),
      irk: new Uint8Array(16).fill(3),
    },
    policy: completePolicy(policy),
    secrets: drawSecrets(new SeededRandom(1, role)),
    isProved: false,
    wanted: true,
  };
}

const pdu = (value: SmpPdu): Input => ({ kind: "pdu", pdu: value });
const sends = (effects: readonly Effect[]): SmpPdu[] => effects.flatMap((effect) => (effect.do === "send" ? [effect.pdu] : []));

/** Both machines without anything between them: every PDU is the other's next input, encryption starts at once. */
function run(
  policies: [Partial<PairingPolicy>, Partial<PairingPolicy>] = [{}, {}],
  seen: (state: State) => void = () => {},
): [State, State] {
  let [central, effects] = beginAsInitiator(session("central", policies[0]));
  let peripheral: State | undefined;
  const toPeripheral = sends(effects);
  const toCentral: SmpPdu[] = [];
  const find = (state: State, list: readonly Effect[]): Step =>
    list.some((effect) => effect.do === "find")
      ? step(state, { kind: "found", bond: undefined, irkHolder: undefined, isOnAnotherLink: false })
      : [state, []];
  const perform = (list: readonly Effect[], target: SmpPdu[]): void => {
    target.push(...sends(list));
    const own = target === toPeripheral ? central : peripheral!;
    const [found, more] = find(own, list);
    if (target === toPeripheral) central = found;
    else peripheral = found;
    target.push(...sends(more));
    if (!list.some((effect) => effect.do === "encrypt")) return;
    [peripheral, effects] = step(peripheral!, { kind: "encrypted" });
    toCentral.push(...sends(effects));
    [central, effects] = step(central, { kind: "encrypted" });
    toPeripheral.push(...sends(effects));
  };
  while (toPeripheral.length > 0 || toCentral.length > 0) {
    const arriving = toPeripheral.shift();
    if (arriving) {
      [peripheral, effects] = peripheral
        ? step(peripheral, pdu(arriving))
        : beginAsResponder(session("peripheral", policies[1]), arriving as PairingFeatures & { name: "PairingRequest" });
      seen(peripheral);
      perform(effects, toCentral);
      continue;
    }
    [central, effects] = step(central, pdu(toCentral.shift()!));
    seen(central);
    perform(effects, toPeripheral);
  }
  return [central, peripheral!];
}

test("two machines joined end with the same keys", () => {
  for (const secureConnections of [true, false]) {
    const [central, peripheral] = run([{ secureConnections }, {}]);
    if (central.at !== "done" || peripheral.at !== "done") throw new Error(`${central.at}, ${peripheral.at}`);
    expect(central.outcome.agreement).toMatchObject({ secureConnections, keySize: 16, bonding: true, method: "just-works" });
    expect(central.outcome.peer).toEqual(peripheral.outcome.local);
    expect(peripheral.outcome.peer).toEqual(central.outcome.local);
    expect([central.outcome.identity?.toString(), peripheral.outcome.identity?.toString()]).toEqual([
      "C0:11:22:33:44:55/random",
      "00:23:F7:01:02:03/public",
    ]);
  }
});

test("a step changes neither its state nor its input", () => {
  const states: { state: State; text: string }[] = [];
  const text = (state: State): string =>
    JSON.stringify(state, (_key, value: unknown) => (value instanceof Uint8Array ? [...value] : value));
  run([{}, {}], (state) => states.push({ state, text: text(state) }));
  expect(states.length).toBeGreaterThan(10);
  for (const { state, text: before } of states) expect(text(state)).toBe(before);
});

test("the same state and input give the same step", () => {
  const [state] = beginAsInitiator(session("central"));
  const response: Input = pdu({
    name: "PairingResponse",
    ioCapability: 3,
    oobDataFlag: 0,
    authReq: 9,
    maximumEncryptionKeySize: 16,
    initiatorKeyDistribution: 0,
    responderKeyDistribution: 0,
  });
  expect(step(state, response)[1]).toEqual(step(state, response)[1]);
});

describe("any state", () => {
  const states: State[] = [];
  for (const secureConnections of [true, false]) run([{ secureConnections }, {}], (state) => states.push(state));
  const live = states.filter(({ at }) => at !== "done" && at !== "failed");

  test("ends with Pairing Failed of the peer, and says nothing in return", () => {
    for (const state of live) {
      expect(step(state, pdu({ name: "PairingFailed", reason: 0x42 }))).toEqual([{ at: "failed", reason: 0x42, side: "peer" }, []]);
    }
  });

  test("answers a PDU that has no place there with Unspecified Reason", () => {
    for (const state of live) {
      const [next, effects] = step(state, pdu({ name: "PairingRequest", ...(features as PairingFeatures) }));
      expect(next).toMatchObject({ at: "failed", reason: 0x08, side: "local" });
      expect(sends(effects)).toEqual([{ name: "PairingFailed", reason: 0x08 }]);
    }
  });

  test("takes no notice of keypresses and of answers that nobody waits for", () => {
    for (const state of live) {
      expect(step(state, pdu({ name: "PairingKeypressNotification", notificationType: 9 }))).toEqual([state, []]);
      expect(step(state, { kind: "compared", equal: false })).toEqual([state, []]);
      expect(step(state, { kind: "consent", allowed: false })).toEqual([state, []]);
    }
  });

  test("once done or failed stays as it is", () => {
    const [done] = run();
    const failed: State = { at: "failed", reason: 4, side: "local" };
    for (const state of [done, failed]) expect(step(state, pdu({ name: "PairingRequest", ...features }))).toEqual([state, []]);
  });
});

const features: PairingFeatures = {
  ioCapability: 3,
  oobDataFlag: 0,
  authReq: 1,
  maximumEncryptionKeySize: 16,
  initiatorKeyDistribution: 7,
  responderKeyDistribution: 7,
};

test("secrets are drawn from the source of chance alone, and a passkey has six digits", () => {
  expect(drawSecrets(new SeededRandom(1))).toEqual(drawSecrets(new SeededRandom(1)));
  const passkeys = Array.from({ length: 2000 }, (_, i) => drawSecrets(new SeededRandom(i)).passkey);
  expect(Math.min(...passkeys)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...passkeys)).toBeLessThan(1_000_000);
  expect(new Set(passkeys.map((passkey) => Math.floor(passkey / 100_000))).size).toBe(10);
});

test.each([
  [{ ioCapability: 5 as never }, "ioCapability"],
  [{ minKeySize: 6 }, "key sizes"],
  [{ maxKeySize: 17 }, "key sizes"],
  [{ minKeySize: 16, maxKeySize: 10 }, "key sizes"],
  [{ secureConnectionsOnly: true, secureConnections: false }, "secureConnectionsOnly"],
])("a policy of %j is refused", (policy, named) => {
  expect(() => completePolicy(policy)).toThrow(named);
});
