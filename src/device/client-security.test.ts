import { beforeEach, expect, test } from "vitest";
import type { OperationOptions } from "../async/index.ts";
import { VirtualClock } from "../async/index.ts";
import { AttError, type LinkSecurity, NO_SECURITY, type SecurityRequirement } from "../att/index.ts";
import { StateError } from "../core/error.ts";
import { DisconnectedError, HciErrorCode } from "../hci/index.ts";
import type { PairOptions } from "../smp/index.ts";
import { ClientSecurity } from "./client-security.ts";
import type { ConnectionPolicy } from "./policy.ts";

const ENCRYPTED: LinkSecurity = { encrypted: true, authenticated: false, secureConnections: false, keySize: 16, bonded: true };
const STRONG: LinkSecurity = { ...ENCRYPTED, authenticated: true, secureConnections: true };
const REFUSED = new AttError({ errorCode: 5, requestOpcode: 0x0a, attributeHandle: 3 });

let security: LinkSecurity;
let calls: string[];
let pairings: PairOptions[];
let givenUp: unknown[];
/** What encrypting comes to. */
let encrypting: (options: OperationOptions) => Promise<void>;

beforeEach(() => {
  security = NO_SECURITY;
  calls = [];
  pairings = [];
  givenUp = [];
  encrypting = () => {
    security = ENCRYPTED;
    return Promise.resolve();
  };
});

function create(
  policy: ConnectionPolicy = {},
  { role = "central", hasKey = true }: { role?: "central" | "peripheral"; hasKey?: boolean } = {},
) {
  return new ClientSecurity({
    clock: new VirtualClock(),
    role,
    policy: { elevate: "encrypt", ...policy },
    hasKey: () => hasKey,
    security: () => security,
    encrypt: (options) => {
      calls.push("encrypt");
      return encrypting(options);
    },
    pair: (options) => {
      calls.push("pair");
      pairings.push(options);
      security = STRONG;
      return Promise.resolve();
    },
    giveUp: (error) => givenUp.push(error),
  });
}

test.each<[ConnectionPolicy, boolean, SecurityRequirement]>([
  [{}, false, {}],
  [{}, true, { encrypted: true }],
  [{ dangerouslyTrustUnencryptedPeer: true }, true, {}],
  [{ dangerouslyTrustUnencryptedPeer: true, security: { minKeySize: 16 } }, true, { minKeySize: 16 }],
  [{ security: { authenticated: true } }, false, { authenticated: true }],
  [{ security: { authenticated: true } }, true, { encrypted: true, authenticated: true }],
])("a policy of %j with a key: %s demands %j", (policy, hasKey, demand) => {
  expect(JSON.parse(JSON.stringify(create(policy, { hasKey }).demand))).toEqual(demand);
});

test("a central encrypts once, by itself, and whoever waits for it waits with an own signal", async () => {
  let encrypted!: () => void;
  encrypting = () =>
    new Promise((resolve) => {
      encrypted = resolve;
    });
  const client = create();
  client.begin();
  expect(calls).toEqual(["encrypt"]);
  const abort = new AbortController();
  const waits = [client.whenBegun({}), client.whenBegun({ signal: abort.signal })];
  abort.abort(new Error("enough"));
  await expect(waits[1]).rejects.toThrow("enough");
  encrypted();
  await waits[0];
  await client.whenBegun({});
  expect([calls, givenUp]).toEqual([["encrypt"], []]);
});

test.each<[ConnectionPolicy, "central" | "peripheral", boolean]>([
  [{}, "peripheral", true],
  [{}, "central", false],
  [{ dangerouslyTrustUnencryptedPeer: true }, "central", true],
])("with %j as %s, a key: %s, nothing is begun", async (policy, role, hasKey) => {
  const client = create(policy, { role, hasKey });
  client.begin();
  await client.whenBegun({});
  expect(calls).toEqual([]);
});

test("a link that cannot be encrypted is given up, and its failure is what everybody hears", async () => {
  const failure = new StateError("refused");
  encrypting = () => Promise.reject(failure);
  const client = create({ elevate: "pair" });
  client.begin();
  await expect(client.whenBegun({})).rejects.toBe(failure);
  expect(givenUp).toEqual([failure]);
  await expect(client.whenBegun({})).rejects.toBe(failure);
  await expect(client.raise({ requirement: { encrypted: true }, refusal: undefined }, {})).rejects.toBe(failure);
  expect(calls).toEqual(["encrypt"]);
});

test("keys that differ are a bond that is lost; other ends of the link are not", async () => {
  const mic = new DisconnectedError(HciErrorCode.ConnectionTerminatedDueToMicFailure);
  const other = new DisconnectedError(HciErrorCode.RemoteUserTerminatedConnection);
  for (const [error, told] of [
    [mic, { code: "ERR_BOND_LOST", side: "peer", cause: mic }],
    [other, { code: "ERR_DISCONNECTED", reason: 0x13 }],
  ] as const) {
    encrypting = () => Promise.reject(error);
    await expect(create().raise({ requirement: { encrypted: true }, refusal: undefined }, {})).rejects.toMatchObject(told);
  }
});

test("the bond is tried first; a pairing only where it does not suffice and the policy lets it", async () => {
  await create({ elevate: "pair" }).raise({ requirement: { encrypted: true }, refusal: undefined }, {});
  expect(calls).toEqual(["encrypt"]);
  security = NO_SECURITY;
  await create({ elevate: "pair" }).raise({ requirement: { authenticated: true }, refusal: undefined }, {});
  expect(calls).toEqual(["encrypt", "encrypt", "pair"]);
  security = NO_SECURITY;
  const needed = create().raise({ requirement: { authenticated: true }, refusal: undefined }, {});
  await expect(needed).rejects.toMatchObject({ code: "ERR_INSUFFICIENT_SECURITY", required: { authenticated: true }, security: ENCRYPTED });
  expect(calls.slice(3)).toEqual(["encrypt"]);
});

test("after a refusal another request tells whether the bond was enough", async () => {
  await create({ elevate: "pair" }).raise({ requirement: { authenticated: true }, refusal: REFUSED }, {});
  expect(calls).toEqual(["encrypt"]);
});

test("a refusal on a link that seems to have what it takes is answered by pairing, or stands", async () => {
  security = ENCRYPTED;
  await create({ elevate: "pair" }).raise({ requirement: { encrypted: true }, refusal: REFUSED }, {});
  expect(calls).toEqual(["pair"]);
  for (const elevate of ["encrypt", "never"] as const)
    await expect(create({ elevate }).raise({ requirement: { encrypted: true }, refusal: REFUSED }, {})).rejects.toBe(REFUSED);
  await create({ elevate: "pair" }, { hasKey: false }).raise({ requirement: { encrypted: true }, refusal: undefined }, {});
  expect(calls).toEqual(["pair"]); // what is demanded is there
});

test("without a key a link is paired, or the demand stands", async () => {
  const client = create({}, { hasKey: false });
  await expect(client.raise({ requirement: { encrypted: true }, refusal: undefined }, {})).rejects.toMatchObject({
    code: "ERR_INSUFFICIENT_SECURITY",
  });
  const { signal } = new AbortController();
  await create({ elevate: "pair" }, { hasKey: false }).raise({ requirement: { encrypted: true }, refusal: undefined }, { signal });
  expect([calls, pairings]).toEqual([["pair"], [{ signal, policy: {} }]]);
});

test.each<[SecurityRequirement, ConnectionPolicy, PairOptions["policy"]]>([
  [{ encrypted: true }, {}, {}],
  [{ authenticated: true }, {}, { requireAuthentication: true, mitm: true }],
  [{ secureConnections: true }, {}, { secureConnections: true, secureConnectionsOnly: true }],
  [{ minKeySize: 7 }, {}, { minKeySize: 16 }],
  [{ minKeySize: 10 }, { pairing: { minKeySize: 7 } }, { minKeySize: 10 }],
  [{ minKeySize: 7 }, { pairing: { minKeySize: 12 } }, { minKeySize: 12 }],
])("a pairing for want of %j with a policy of %j ends with that or not at all", async (requirement, policy, asked) => {
  await create({ elevate: "pair", ...policy }, { hasKey: false }).raise({ requirement, refusal: undefined }, {});
  expect(pairings[0]!.policy).toEqual(asked);
});
