// Requests that need more security than the link has: what is raised for whom, and what is not sent or delivered.
import { beforeEach, describe, expect, test } from "vitest";
import { delay } from "../src/async/clock.ts";
import type { OperationOptions } from "../src/async/pending.ts";
import { setClientDemand } from "../src/att/bearer.ts";
import type { LinkSecurity } from "../src/att/security.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { StateError } from "../src/core/error.ts";
import type { ElevationDemand, GattServer } from "../src/gatt/index.ts";
import { BONDED, createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { battery, code, scripted, sent, serverWith } from "./support/gatt-script.ts";

const ENCRYPTED: LinkSecurity = { ...BONDED, authenticated: false };

describe("requests that need more security", () => {
  const server = (): GattServer =>
    serverWith({
      uuid: 0x2a19,
      properties: ["read", "write"],
      value: hex("01"),
      permissions: { read: "encrypted", write: "authenticated" },
    });
  let demands: ElevationDemand[];
  let signals: (AbortSignal | undefined)[];
  beforeEach(() => {
    demands = [];
    signals = [];
  });
  const create = (raise: (demand: ElevationDemand, options: OperationOptions) => Promise<void>): GattPair => {
    const pair: GattPair = createGattPair({
      server: server(),
      client: {
        elevate: async (demand, options) => {
          demands.push(demand);
          signals.push(options.signal);
          await delay(pair.clock, 1000, { signal: options.signal });
          await raise(demand, options);
        },
      },
    });
    return pair;
  };

  test("two that were refused share one elevation; aborting one harms the other not", async () => {
    using pair = create(async () => pair.secure(ENCRYPTED));
    const abort = new AbortController();
    const first = pair.client.read(3, { signal: abort.signal });
    const second = pair.client.read(3);
    await delay(pair.clock, 500);
    abort.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    expect(await second).toEqual(hex("01"));
    expect(demands).toHaveLength(1);
  });

  test("it is given up when the last one has left, and begun anew for the next", async () => {
    using pair = create(async () => pair.secure(ENCRYPTED));
    expect(await code(pair.client.read(3, { timeoutMs: 500 }))).toBe("ERR_TIMEOUT");
    expect(signals[0]!.aborted).toBe(true);
    expect(await pair.client.read(3)).toEqual(hex("01"));
    expect(demands).toHaveLength(2);
  });

  test("one that demands more does not make do with it, and one that demands less does", async () => {
    using pair = create(async ({ requirement }) => pair.secure(requirement.authenticated ? BONDED : ENCRYPTED));
    const plain = pair.client.read(3);
    await delay(pair.clock, 100); // until it was refused
    const strong = pair.client.read(3, { security: { authenticated: true } });
    const short = pair.client.read(3, { security: { encrypted: true } });
    await Promise.all([plain, strong, short]);
    expect(demands.map(({ requirement }) => requirement.authenticated ?? false)).toEqual([false, true]);
    expect(pair.clientBearer.security).toEqual(BONDED);
  });

  test.each([{ authenticated: true }, { secureConnections: true }, { minKeySize: 16 }, { encrypted: true }])(
    "two that demand %o share one elevation",
    async (security) => {
      using pair = create(async () => pair.secure(BONDED));
      await Promise.all([pair.client.read(3, { security }), pair.client.read(3, { security })]);
      expect(demands).toHaveLength(1);
    },
  );

  test.each([{ authenticated: true }, { secureConnections: true }, { minKeySize: 16 }])(
    "one that demands %o does not join one that does not",
    async (security) => {
      using pair = create(async ({ requirement }) => {
        if (Object.keys(security).some((name) => requirement[name as keyof typeof requirement])) pair.secure(BONDED);
        else pair.secure({ ...BONDED, authenticated: false, secureConnections: false, keySize: 7 });
      });
      const plain = pair.client.read(3, { security: { encrypted: true } });
      await delay(pair.clock, 100);
      await Promise.all([plain, pair.client.read(3, { security })]);
      expect(demands).toHaveLength(2);
      expect(demands[1]!.requirement).toMatchObject(security);
    },
  );

  test.each([{ encrypted: true }, { authenticated: true }, { secureConnections: true }, { minKeySize: 16 }])(
    "where it fails, it fails for all who demand %o, and is not tried for each",
    async (security) => {
      using pair = create(() => Promise.reject(new StateError("the user is away")));
      const asked = [pair.client.read(3, { security }), pair.client.read(3, { security }), pair.client.write(3, hex("01"), { security })];
      expect(await Promise.all(asked.map(code))).toEqual(Array(3).fill("ERR_STATE"));
      expect(demands).toHaveLength(1);
    },
  );

  test("what a lesser one brings may be enough", async () => {
    using pair = create(async () => pair.secure(BONDED));
    const plain = pair.client.read(3, { security: { encrypted: true } });
    await delay(pair.clock, 100);
    await Promise.all([plain, pair.client.read(3, { security: { authenticated: true } })]);
    expect(demands).toHaveLength(1);
  });

  test("the failure of the lesser one is not the failure of the greater", async () => {
    using pair = create(async ({ requirement }) => {
      if (!requirement.authenticated) throw new StateError("no bond");
      pair.secure(BONDED);
    });
    const plain = code(pair.client.read(3));
    await delay(pair.clock, 100);
    const strong = pair.client.read(3, { security: { authenticated: true } });
    expect(await plain).toBe("ERR_STATE");
    expect(await strong).toEqual(hex("01"));
  });

  test("refused in the clear it asks for encryption, refused again for a key with protection against man in the middle", async () => {
    using pair = create(async ({ requirement }) => pair.secure(requirement.authenticated ? BONDED : ENCRYPTED));
    await pair.client.write(3, hex("02"));
    expect(demands.map(({ requirement, refusal }) => [requirement.authenticated ?? false, refusal?.errorCode])).toEqual([
      [false, 5],
      [true, 5],
    ]);
    expect(sent(pair, 0x12)).toHaveLength(3);
  });

  test("a refusal that was on its way while the link was secured is no reason to secure it again", async () => {
    using pair = create(() => Promise.reject(new StateError("not asked for")));
    pair.clientChannel.filter = (pdu) => {
      if (pdu[0] !== 0x0a || pair.clientBearer.security.encrypted) return true;
      pair.clock.setTimer(100, "refusal", () => {
        pair.secure(ENCRYPTED);
        pair.clientChannel.receive(hex("010a030005"));
      });
      return false;
    };
    expect(await pair.client.read(3)).toEqual(hex("01"));
    expect(demands).toEqual([]);
  });

  test.each([
    ["0f", { encrypted: true }],
    ["0c", { minKeySize: 16 }],
  ])("error 0x%s asks for %o", async (error, requirement) => {
    using pair = scripted(() => `010a0300${error}`, { client: { elevate: async (demand) => void demands.push(demand) } });
    await expect(pair.client.read(3)).rejects.toMatchObject({ errorCode: Number.parseInt(error, 16) });
    expect(demands[0]!.requirement).toMatchObject(requirement);
    expect(demands).toHaveLength(1); // it did not help: another one would not either
  });

  test("another refusal has nothing to do with it", async () => {
    using pair = scripted(() => "010a030002", { client: { elevate: async (demand) => void demands.push(demand) } });
    await expect(pair.client.read(3)).rejects.toMatchObject({ errorCode: 2 });
    expect(demands).toEqual([]);
  });

  test("what is demanded before anything is asked is had first, or nothing is asked", async () => {
    using pair = create(async () => pair.secure(ENCRYPTED));
    setClientDemand(pair.clientBearer, { encrypted: true });
    expect(await pair.client.read(3)).toEqual(hex("01"));
    expect(demands).toMatchObject([{ requirement: { encrypted: true }, refusal: undefined }]);
    expect(sent(pair, 0x0a)).toHaveLength(1);

    using stubborn = create(async () => {});
    const refused = [
      stubborn.client.read(3, { security: { encrypted: true } }),
      stubborn.client.services({ security: { encrypted: true } }),
      stubborn.client.exchangeMtu({ security: { encrypted: true } }),
      stubborn.client.writeWithoutResponse(3, hex("01"), { security: { minKeySize: 7 } }),
      stubborn.client.reliableWrite([{ handle: 3, value: hex("01") }], { security: { secureConnections: true } }),
      stubborn.client.readByUuid(0x2a19, { security: { encrypted: true } }),
    ];
    expect(new Set(await Promise.all(refused.map(code)))).toEqual(new Set(["ERR_INSUFFICIENT_SECURITY"]));
    expect(stubborn.clientChannel.sent).toEqual([]);
  });

  test("what the link has already is raised for nobody", async () => {
    using pair = create(() => Promise.reject(new StateError("not asked for")));
    pair.secure(BONDED);
    setClientDemand(pair.clientBearer, { encrypted: true });
    const security = { authenticated: true, secureConnections: true, minKeySize: 16 };
    expect(await pair.client.exchangeMtu({ security })).toBe(247);
    expect(await pair.client.read(3, { security })).toEqual(hex("01"));
    await pair.client.writeWithoutResponse(3, hex("01"), { security });
    expect(demands).toEqual([]);
  });

  test("a link that loses its security while a request waits secures it again", async () => {
    using pair = create(async () => pair.secure(ENCRYPTED));
    pair.secure(ENCRYPTED);
    setClientDemand(pair.clientBearer, { encrypted: true });
    pair.server.pause();
    const first = code(pair.client.read(3));
    const second = pair.client.read(3);
    pair.secure({ ...ENCRYPTED, encrypted: false, keySize: 0 });
    pair.server.resume();
    expect(await first).toBe("done");
    expect(await second).toEqual(hex("01"));
    expect(demands).toHaveLength(1);
  });

  test("a value that demands more than the link still has is not delivered", async () => {
    const values: string[] = [];
    using pair = createGattPair({ server: serverWith({ uuid: 0x2a19, properties: ["notify"] }), security: BONDED });
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    await characteristic.subscribe((value) => values.push(`strong ${toHex(value)}`), { security: { authenticated: true } });
    await characteristic.subscribe((value) => values.push(`any ${toHex(value)}`));
    const flow = characteristic.notifications({ security: { authenticated: true } });
    const next = flow.next();
    await delay(pair.clock, 1);
    pair.secure(ENCRYPTED);
    pair.clientChannel.receive(hex("1b030001"));
    pair.secure(BONDED);
    pair.clientChannel.receive(hex("1b030002"));
    expect(values).toEqual(["any 01", "strong 02", "any 02"]);
    expect(toHex((await next).value!)).toBe("02");
  });

  test("a link that loses its security again and again ends the request after the third try", async () => {
    using pair = create(async () => pair.secure(ENCRYPTED));
    pair.secure(ENCRYPTED);
    const lose = (): void => pair.secure({ ...ENCRYPTED, encrypted: false, keySize: 0 });
    // Each time another request is on its way, and while the one waits behind it the link is in the clear again.
    const occupy = (): Promise<unknown> =>
      code(pair.client.bearer.request(pair.clientBearer.valueFrame(0x0a, 3, hex("")), () => undefined));
    pair.server.pause();
    const others = [occupy()];
    pair.clientBearer.on("security", ({ encrypted }) => {
      if (encrypted) others.push(occupy());
    });
    const strong = code(pair.client.read(3, { security: { encrypted: true } }));
    for (let tries = 1; tries <= 3; tries++) {
      await delay(pair.clock, 10);
      lose();
      pair.server.resume();
      await delay(pair.clock, 10);
      pair.server.pause();
      await delay(pair.clock, 1000);
    }
    pair.server.resume();
    expect(await strong).toBe("ERR_INSUFFICIENT_SECURITY");
    expect(demands).toHaveLength(2);
    await Promise.all(others);
  });
});

describe("what is done behind the caller's back", () => {
  /** A peer that refuses to write the CCCD to zero, and to cancel prepared writes, for lack of security. */
  const refusing = (demands: ElevationDemand[]): GattPair =>
    scripted(
      (request) => {
        if (request === "1204000000") return "0112040005";
        if (request.startsWith("12")) return "13";
        if (request.startsWith("16")) return `17${request.slice(2)}00`; // an echo that differs
        if (request === "1800") return "0118000005";
        return battery(request);
      },
      { client: { elevate: async (demand) => void demands.push(demand) } },
    );

  test("unsubscribing secures nothing where the peer refuses it for lack of security; waited for, it does", async () => {
    const demands: ElevationDemand[] = [];
    using pair = refusing(demands);
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const flow = characteristic.notifications();
    const next = flow.next();
    await delay(pair.clock, 1);
    await flow.return();
    await next;
    await delay(pair.clock, 100);
    await (await characteristic.subscribe(() => {}))[Symbol.asyncDispose]();
    await delay(pair.clock, 100);
    expect(sent(pair, 0x12)).toEqual(["1204000100", "1204000000", "1204000000"]);
    expect(demands).toEqual([]);
    const subscription = await characteristic.subscribe(() => {});
    expect(await code(subscription.unsubscribe())).toBe("ERR_ATT");
    expect(demands).toHaveLength(1);
  });

  test("cancelling prepared writes secures nothing either", async () => {
    const demands: ElevationDemand[] = [];
    using pair = refusing(demands);
    expect(await code(pair.client.writeLong(3, hex("0102")))).toBe("ERR_ATT_PROTOCOL");
    await delay(pair.clock, 100);
    expect(sent(pair, 0x18)).toEqual(["1800"]);
    expect(demands).toEqual([]);
  });

  test("prepared writes are not cancelled on a link that has lost its security: nobody is asked for it", async () => {
    const demands: ElevationDemand[] = [];
    const fail = new StateError("the user is away");
    using pair = scripted(
      (request) => {
        pair.secure({ ...ENCRYPTED, encrypted: false, keySize: 0 });
        return `17${request.slice(2)}`;
      },
      {
        client: {
          elevate: (demand) => {
            demands.push(demand);
            return Promise.reject(fail);
          },
        },
        security: ENCRYPTED,
        clientPolicy: { exchangeMtu: "never" },
      },
    );
    setClientDemand(pair.clientBearer, { encrypted: true });
    await expect(pair.client.writeLong(3, new Uint8Array(40))).rejects.toBe(fail);
    await delay(pair.clock, 100);
    expect(sent(pair, 0x18)).toEqual([]);
    expect(demands).toHaveLength(1);
  });

  test("a subscription that demands what the link has lost is left without a word to the peer", async () => {
    const demands: ElevationDemand[] = [];
    using pair = refusing(demands);
    pair.secure(BONDED);
    const characteristic = await pair.client.characteristic(0x180f, 0x2a19);
    const subscription = await characteristic.subscribe(() => {}, { security: { authenticated: true } });
    pair.secure(ENCRYPTED);
    await subscription[Symbol.asyncDispose]();
    await delay(pair.clock, 100);
    expect(sent(pair, 0x12)).toEqual(["1204000100"]);
    expect(demands).toEqual([]);
  });
});
