import { describe, expect, test, vi } from "vitest";
import { delay } from "../src/async/clock.ts";
import { NO_SECURITY } from "../src/att/security.ts";
import { toHex } from "../src/bytes/hex.ts";
import { type GattPeer, GattServer, gattService, type ServiceDefinition } from "../src/gatt/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { BONDED, type GattPair } from "./support/gatt-pair.ts";
import { ask, raw } from "./support/raw-client.ts";

// What a bonded client configured lasts for as long as the characteristic does (Vol 3 Part G 3.3.3.3), and the last write counts.

/** What is kept of a peer between its connections. */
class Keeper {
  readonly cccd: Record<number, number> = {};
  readonly of: Record<number, string> = {};
  hash: string | undefined;
  readonly told: string[] = [];

  /** @param live shows what was told at once, as a bond does; else what was there when the peer connected */
  peer({ live = true, names = true } = {}): Partial<GattPeer> {
    const [cccd, of] = live ? [this.cccd, this.of] : [{ ...this.cccd }, { ...this.of }];
    const { hash } = this;
    const knownHash = (): string | undefined => (live ? this.hash : hash);
    return {
      id: "bonded",
      storedCccd: cccd,
      ...(names && { storedCccdOf: of }),
      get storedDatabaseHash() {
        return knownHash();
      },
      onCccdChanged: (handle, value, name) => {
        this.told.push(`${handle}=${value}`);
        if (value === 0) delete this.cccd[handle];
        else this.cccd[handle] = value;
        if (name === undefined) delete this.of[handle];
        else this.of[handle] = name;
      },
      onDatabaseHash: (text) => {
        this.hash = text;
      },
    };
  }
}

const battery: ServiceDefinition = { uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["notify"] }] };
const thermometer: ServiceDefinition = { uuid: 0x1809, characteristics: [{ uuid: 0x2a1c, properties: ["indicate"] }] };
const heartRate: ServiceDefinition = { uuid: 0x180d, characteristics: [{ uuid: 0x2a37, properties: ["notify"] }] };

/** A server with these services after its GATT service (handles 1 to 8; Service Changed is 3, its CCCD 4, the features 6). */
function serverOf(...services: ServiceDefinition[]): GattServer {
  const server = new GattServer();
  server.addService(gattService());
  for (const service of services) server.addService(service);
  return server;
}

/** One connection of the bonded client: encrypted, then `act`. */
async function connection(server: GattServer, peer: Partial<GattPeer>, act: (pair: GattPair) => void | Promise<void>): Promise<void> {
  using pair = raw(server, { peer });
  pair.secure(BONDED);
  await act(pair);
}

// --- zero is not absence ----------------------------------------------------------------------------------------------------------

test.each([true, false])(
  "a client that writes 0 before it encrypts does not find its old 1 restored (keeper shows at once: %s)",
  async (live) => {
    const server = serverOf(battery);
    const keeper = new Keeper();
    await connection(server, keeper.peer({ live }), (pair) => void ask(pair, "120c000100"));
    expect(keeper.cccd[12]).toBe(1);
    {
      using pair = raw(server, { peer: keeper.peer({ live }) });
      expect(ask(pair, "120c000000")).toEqual(["13"]);
      pair.secure(BONDED);
      expect(ask(pair, "0a0c00")).toEqual(["0b0000"]);
      expect(server.characteristic(0x180f, 0x2a19)!.subscribers).toEqual([]);
    }
    expect(keeper.cccd[12]).toBeUndefined();
    await connection(server, keeper.peer({ live }), (pair) => expect(ask(pair, "0a0c00")).toEqual(["0b0000"]));
  },
);

test.each([true, false])(
  "the last write counts, whatever was written before it in the same connection (keeper shows at once: %s)",
  async (live) => {
    const server = serverOf(battery);
    const keeper = new Keeper();
    await connection(server, keeper.peer({ live }), (pair) => void ask(pair, "120c000100", "120c000000"));
    expect(keeper.cccd).toEqual({});
    await connection(server, keeper.peer({ live }), (pair) => void ask(pair, "120c000000", "120c000100"));
    expect(keeper.cccd).toEqual({ 12: 1 });
    await connection(server, keeper.peer({ live }), (pair) => void ask(pair, "120c000000", "120c000100", "120c000000"));
    expect(keeper.cccd).toEqual({});
  },
);

test("a subscription that its handler refuses leaves what the bond restores", () => {
  const server = serverOf({
    uuid: 0x180f,
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["notify"],
        onSubscription: (_peer, { notify }) => {
          if (!notify) throw new Error("not now");
        },
      },
    ],
  });
  const keeper = new Keeper();
  keeper.cccd[12] = 1;
  using pair = raw(server, { peer: keeper.peer() });
  expect(ask(pair, "120c000000")).toEqual(["01120c000e"]);
  pair.secure(BONDED);
  expect(ask(pair, "0a0c00")).toEqual(["0b0100"]);
});

test("nothing is restored to a link that is encrypted without the bond's key, and nothing is stored for it", async () => {
  const server = serverOf(battery);
  const keeper = new Keeper();
  keeper.cccd[12] = 1;
  using pair = raw(server, { peer: keeper.peer() });
  for (const security of [NO_SECURITY, { ...NO_SECURITY, bonded: true }, { ...BONDED, bonded: false }]) {
    pair.secure(security);
    expect(ask(pair, "0a0c00")).toEqual(["0b0000"]);
  }
  ask(pair, "1204000200");
  expect(keeper.told).toEqual([]);
});

// --- consent ----------------------------------------------------------------------------------------------------------------------

describe("a restored subscription where each client needs the application's consent", () => {
  const onSubscription = vi.fn();
  const openAnswer = () => {
    let resolve!: (granted: boolean) => void;
    const promise = new Promise<boolean>((settle) => {
      resolve = settle;
    });
    return { promise, resolve };
  };
  const guarded: ServiceDefinition = {
    uuid: 0x180f,
    characteristics: [{ uuid: 0x2a19, properties: ["notify"], permissions: { subscribe: "authorized" }, onSubscription }],
  };
  /** A peer whose bond restores a subscription; `answer` is the application's. */
  const restored = (answer: () => Promise<boolean>): { pair: GattPair; keeper: Keeper; asked: unknown[]; notify(): Promise<void> } => {
    onSubscription.mockClear();
    const keeper = new Keeper();
    keeper.cccd[12] = 1;
    const asked: unknown[] = [];
    const server = serverOf(guarded);
    const authorize = (access: unknown): Promise<boolean> => {
      asked.push(access);
      return answer();
    };
    const pair = raw(server, { peer: { ...keeper.peer(), authorize } });
    pair.secure(BONDED);
    return { pair, keeper, asked, notify: () => server.characteristic(0x180f, 0x2a19)!.notify(Uint8Array.of(7)) };
  };
  const told = { notify: true, indicate: false, restored: true };

  test("sends nothing before the application has agreed again", async () => {
    const consent = openAnswer();
    const { pair, asked, notify } = restored(() => consent.promise);
    using _ = pair;
    expect(asked).toEqual([{ handle: 12, write: true }]);
    await notify();
    expect(ask(pair, "0a0c00")).toEqual(["0b0100"]); // it stands, without effect
    expect(onSubscription).not.toHaveBeenCalled();
    pair.serverChannel.sent.length = 0;
    pair.secure({ ...BONDED }); // nor does anything else open it
    await notify();
    expect(pair.serverChannel.sent).toEqual([]);
    consent.resolve(true);
    await delay(pair.clock, 1);
    expect(onSubscription).toHaveBeenCalledExactlyOnceWith(expect.anything(), told);
    await notify();
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["1b0b0007"]);
  });

  test.each<[string, () => Promise<boolean>]>([
    ["refuses", () => Promise.resolve(false)],
    ["fails", () => Promise.reject(new Error("nobody is there"))],
  ])("sends nothing where the application %s, and stays in the bond", async (_name, answer) => {
    const { pair, keeper, notify } = restored(answer);
    using _ = pair;
    await delay(pair.clock, 1);
    await notify();
    expect(pair.serverChannel.sent).toEqual([]);
    expect(onSubscription).not.toHaveBeenCalled();
    expect(keeper.cccd).toEqual({ 12: 1 });
  });

  test("is opened by a write that the application agrees to, whatever becomes of the first question", async () => {
    const answers = [openAnswer(), openAnswer()];
    let questions = 0;
    const { pair, notify } = restored(() => answers[questions++]!.promise);
    using _ = pair;
    ask(pair, "120c000100");
    answers[1]!.resolve(true);
    await delay(pair.clock, 1);
    await notify();
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "1b0b0007"]);
    answers[0]!.resolve(true);
    await delay(pair.clock, 1);
    expect(onSubscription).toHaveBeenCalledExactlyOnceWith(expect.anything(), { ...told, restored: false });
  });

  test("is closed again where the handler refuses that write", async () => {
    onSubscription.mockReset();
    const answers = [openAnswer(), Promise.resolve(true)];
    let questions = 0;
    const { pair, notify } = restored(() => {
      const answer = answers[questions++]!;
      return "promise" in answer ? answer.promise : answer;
    });
    using _ = pair;
    onSubscription.mockImplementationOnce(() => {
      throw new Error("not now");
    });
    ask(pair, "120c000000");
    await delay(pair.clock, 1);
    await notify();
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["01120c000e"]);
    onSubscription.mockReset();
  });

  test("is not told of when the client is gone before the answer", async () => {
    const consent = openAnswer();
    const { pair } = restored(() => consent.promise);
    pair[Symbol.dispose]();
    consent.resolve(true);
    await delay(pair.clock, 1);
    expect(onSubscription).not.toHaveBeenCalled();
  });
});

// --- pairing anew -----------------------------------------------------------------------------------------------------------------

test("a new bond in place of the old one gets what is in force: configurations, features and the hash that the client knows", async () => {
  const server = serverOf(battery, heartRate);
  const keeper = new Keeper();
  await connection(server, keeper.peer(), (pair) => void ask(pair, "120c000100", "1204000200", "12060001"));
  using pair = raw(server, { peer: keeper.peer() });
  pair.secure(BONDED);
  const before = { ...keeper.cccd };
  expect(before).toEqual({ 4: 2, 6: 1, 12: 1 });
  const { hash } = keeper;
  const forget = (): void => {
    for (const handle of Object.keys(keeper.cccd)) delete keeper.cccd[Number(handle)];
    keeper.hash = undefined;
  };
  forget();
  pair.secure({ ...BONDED, bonded: false }); // the new key is in use, the bond not stored yet
  pair.secure(BONDED);
  expect(keeper.cccd).toEqual(before);
  expect(keeper.of).toEqual({ 4: "1801/2a05", 6: "client-features", 12: "180f/2a19" });
  expect(keeper.hash).toBe(hash);
  // While the client does not know of a change, a new bond must not say that it does.
  server.addService(thermometer);
  forget();
  pair.secure(BONDED);
  expect(keeper.hash).toBe(hash);
  expect(toHex(server.databaseHash)).not.toBe(hash);
});

test("a client that pairs when it has missed a change is told of it in its next connection", async () => {
  const server = serverOf(battery);
  const keeper = new Keeper();
  {
    using pair = raw(server, { peer: keeper.peer() });
    ask(pair, "1204000200");
    server.addService(thermometer); // indicated, and not confirmed
    pair.secure(BONDED);
  }
  await connection(server, keeper.peer(), (pair) => expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff"]));
});

// --- the database changes while the client is away --------------------------------------------------------------------------------

test.each([
  ["with names, in a new run of the program", true, true],
  ["with names, in the same run", true, false],
  ["without names, in the same run", false, false],
])("a service that is added leaves the configurations of the others: %s", async (_name, names, restarted) => {
  const keeper = new Keeper();
  const server = serverOf(battery, heartRate);
  await connection(server, keeper.peer({ names }), (pair) => void ask(pair, "1204000200", "120c000100", "1210000100"));
  let after = server;
  if (restarted) after = serverOf(battery, heartRate, thermometer);
  else server.addService(thermometer);
  await connection(after, keeper.peer({ names }), async (pair) => {
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff"]);
    expect(ask(pair, "1e", "0a0c00", "0a1000", "0a0400")).toEqual(["0b0100", "0b0100", "0b0200"]);
    await after.characteristic(0x180f, 0x2a19)!.notify(Uint8Array.of(5));
    expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1b0b0005");
  });
  expect(keeper.cccd).toEqual({ 4: 2, 12: 1, 16: 1 });
});

test("only what really went is dropped", async () => {
  const keeper = new Keeper();
  const server = serverOf(battery, heartRate);
  await connection(server, keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100", "1210000100"));
  await connection(serverOf({ ...heartRate, handle: 13 }), keeper.peer(), (pair) => {
    expect(ask(pair, "0a1000")).toEqual(["0b0100"]);
  });
  expect(keeper.cccd).toEqual({ 4: 2, 16: 1 });
});

test("another characteristic under the old handle is not subscribed", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100"));
  const other = serverOf(heartRate);
  await connection(other, keeper.peer(), (pair) => expect(ask(pair, "0a0c00")).toEqual(["0b0000"]));
  expect(keeper.cccd).toEqual({ 4: 2 });
  // Nor is one that was taken out and is back as another thing, in the same run and without names.
  const nameless = new Keeper();
  const server = serverOf(battery, { ...heartRate, handle: 13 });
  await connection(server, nameless.peer({ names: false }), (pair) => void ask(pair, "1204000200", "120c000100", "1210000100"));
  server.removeService(server.service(0x180f)!);
  server.addService({ ...thermometer, handle: 9 });
  await connection(server, nameless.peer({ names: false }), (pair) => expect(ask(pair, "0a0c00", "0a1000")).toEqual(["0b0000", "0b0100"]));
});

test("a characteristic that moved keeps its configuration, and sends nothing before the client knows where it is", async () => {
  const keeper = new Keeper();
  const onSubscription = vi.fn();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100"));
  const moved: ServiceDefinition = {
    uuid: 0x180f,
    characteristics: [{ uuid: 0x2a19, properties: ["notify"], onSubscription }],
  };
  const server = serverOf(thermometer, moved);
  await connection(server, keeper.peer(), async (pair) => {
    const characteristic = server.characteristic(0x180f, 0x2a19)!;
    expect(characteristic.cccdHandle).toBe(16);
    expect(onSubscription).toHaveBeenCalledWith(expect.anything(), { notify: true, indicate: false, restored: true });
    await characteristic.notify(Uint8Array.of(1));
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff"]);
    ask(pair, "1e");
    await delay(pair.clock, 1);
    await characteristic.notify(Uint8Array.of(2));
    expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1b0f0002");
    expect(ask(pair, "0a0c00", "0a1000")).toEqual(["0b0000", "0b0100"]);
  });
  expect(keeper.cccd).toEqual({ 4: 2, 16: 1 });
  expect(keeper.of).toEqual({ 4: "1801/2a05", 16: "180f/2a19" });
});

test("where the client cannot be told of the change, what moved is gone; a write to the new place opens it at once", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "120c000100"));
  const silent = serverOf(thermometer, battery);
  await connection(silent, keeper.peer(), (pair) => expect(ask(pair, "0a1000")).toEqual(["0b0000"]));
  expect(keeper.cccd).toEqual({});
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100"));
  const server = serverOf(thermometer, battery);
  await connection(server, keeper.peer(), async (pair) => {
    ask(pair, "1210000100");
    await server.characteristic(0x180f, 0x2a19)!.notify(Uint8Array.of(2));
    expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1b0f0002");
  });
});

test("of several services of one type each keeps its own, and what cannot be told apart is not guessed", async () => {
  const keeper = new Keeper();
  const server = serverOf(battery, battery);
  await connection(server, keeper.peer(), (pair) => void ask(pair, "1204000200", "1210000100"));
  expect(keeper.of[16]).toBe("180f#2of2/2a19");
  await connection(serverOf(battery, battery, thermometer), keeper.peer(), (pair) => {
    expect(ask(pair, "0a0c00", "0a1000")).toEqual(["0b0000", "0b0100"]);
    ask(pair, "1e");
    return delay(pair.clock, 1);
  });
  await connection(serverOf(thermometer, battery, battery), keeper.peer(), (pair) => {
    expect(ask(pair, "0a1000", "0a1400")).toEqual(["0b0100", "0b0000"]); // the same handle, the same types
  });
  const moved = new Keeper();
  await connection(server, moved.peer(), (pair) => void ask(pair, "1204000200", "1210000100"));
  await connection(serverOf(battery), moved.peer(), (pair) => expect(ask(pair, "0a0c00")).toEqual(["0b0000"])); // which of the two it is, nobody knows
});

test("the client's features survive a change, where they stand too", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "12060001"));
  expect(keeper.cccd).toEqual({ 6: 1 });
  const server = new GattServer();
  server.addService(battery);
  server.addService(gattService());
  await connection(server, keeper.peer(), (pair) => {
    expect(pair.session.clientFeatures).toBe(1);
    expect(ask(pair, "0a0300")).toEqual(["010a030012"]); // robust caching: it is told
  });
  expect(keeper.cccd).toEqual({ 10: 1 });
  // What it wrote in this connection goes before.
  {
    using pair = raw(server, { peer: keeper.peer() });
    ask(pair, "120a0005");
    pair.secure(BONDED);
    expect(pair.session.clientFeatures).toBe(5);
  }
  expect(keeper.cccd).toEqual({ 10: 5 });
});

test("a subscription handler that notifies at once does not overtake Service Changed to a client with robust caching", async () => {
  const keeper = new Keeper();
  const eager: ServiceDefinition = {
    uuid: 0x180f,
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["notify"],
        onSubscription: () => void server.characteristic(0x180f, 0x2a19)?.notify(Uint8Array.of(9)),
      },
    ],
  };
  let server = serverOf(eager);
  await connection(server, keeper.peer(), (pair) => void ask(pair, "1204000200", "12060001", "120c000100"));
  server = serverOf(eager, thermometer);
  await connection(server, keeper.peer(), (pair) => expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff"]));
});

test("Service Changed that could not be told for lack of security is told when the link has it", async () => {
  const server = new GattServer();
  const { characteristics } = gattService({ robustCaching: false });
  server.addService({ uuid: 0x1801, characteristics: [{ ...characteristics[0]!, permissions: { subscribe: "authenticated" } }] });
  using pair = raw(server, { security: BONDED });
  ask(pair, "1204000200");
  pair.secure({ ...BONDED, authenticated: false });
  server.addService(battery);
  await delay(pair.clock, 1);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13"]);
  pair.secure(BONDED);
  await delay(pair.clock, 1);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1d030005000800");
});

test("a keeper that throws harms neither the answer nor what is in force", async () => {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", note);
  try {
    const server = serverOf(battery);
    const peer: Partial<GattPeer> = {
      onCccdChanged: () => {
        throw new Error("disk full");
      },
      onDatabaseHash: () => {
        throw new Error("disk full");
      },
    };
    await connection(server, peer, (pair) => {
      expect(ask(pair, "120c000100", "0a0c00")).toEqual(["13", "0b0100"]);
      return delay(pair.clock, 1);
    });
  } finally {
    process.off("uncaughtException", note);
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
  expect(thrown.map(String)).toEqual(["Error: disk full", "Error: disk full"]);
});

test("a bond from before names were stored gets them", async () => {
  const keeper = new Keeper();
  keeper.cccd[12] = 1;
  keeper.cccd[6] = 1;
  await connection(serverOf(battery), keeper.peer(), () => undefined);
  expect(keeper.of).toEqual({ 6: "client-features", 12: "180f/2a19" });
  const { length } = keeper.told;
  await connection(serverOf(battery), keeper.peer(), () => undefined);
  expect(keeper.told).toHaveLength(length); // and nothing is said twice
});

test("a write to what moved, when its handler refuses it, leaves it closed until the client knows", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100"));
  const refusing: ServiceDefinition = {
    uuid: 0x180f,
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["notify"],
        onSubscription: (_peer, { restored }) => {
          if (!restored) throw new Error("not now");
        },
      },
    ],
  };
  const server = serverOf(thermometer, refusing);
  await connection(server, keeper.peer(), async (pair) => {
    expect(ask(pair, "1210000100")).toEqual(["011210000e"]);
    await server.characteristic(0x180f, 0x2a19)!.notify(Uint8Array.of(1));
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff", "011210000e"]);
  });
});

test("a characteristic that can no longer be subscribed to is not found again", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "1204000200", "120c000100"));
  const server = serverOf(thermometer, { uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"] }] });
  await connection(server, keeper.peer(), () => expect(server.characteristic(0x180f, 0x2a19)!.subscribers).toEqual([]));
  expect(keeper.cccd).toEqual({ 4: 2 });
});

test("of many services of one type, one more does not make the others strangers", async () => {
  const keeper = new Keeper();
  const many = (count: number): GattServer => serverOf(...Array.from({ length: count }, () => battery));
  await connection(many(11), keeper.peer(), (pair) => void ask(pair, "1204000200", "1234000100"));
  expect(keeper.of[0x34]).toBe("180f#11of11/2a19");
  await connection(many(12), keeper.peer(), (pair) => expect(ask(pair, "0a3400")).toEqual(["0b0100"]));
});

test("what goes while the client is connected is forgotten at once", async () => {
  const keeper = new Keeper();
  const server = serverOf(battery, heartRate);
  await connection(server, keeper.peer(), (pair) => {
    ask(pair, "120c000100", "1210000100");
    server.removeService(server.service(0x180f)!);
    expect(server.characteristic(0x180d, 0x2a37)!.subscribers).toHaveLength(1);
  });
  expect(keeper.cccd).toEqual({ 16: 1 });
});

test("a client that takes indications, though not of Service Changed, is not told and not waited for", async () => {
  const keeper = new Keeper();
  await connection(serverOf(thermometer), keeper.peer(), (pair) => void ask(pair, "120c000200"));
  const server = serverOf(thermometer, battery);
  await connection(server, keeper.peer(), (pair) => {
    expect(pair.serverChannel.sent).toEqual([]);
    expect(keeper.hash).toBe(toHex(server.databaseHash));
    expect(ask(pair, "0a0c00")).toEqual(["0b0200"]);
  });
});

test("features of a client are dropped with the characteristic that held them", async () => {
  const keeper = new Keeper();
  await connection(serverOf(battery), keeper.peer(), (pair) => void ask(pair, "12060001"));
  const server = new GattServer();
  server.addService(battery);
  await connection(server, keeper.peer(), (pair) => expect(ask(pair, "0a0400")).toEqual(["0b0000"]));
  expect(keeper.cccd).toEqual({});
});

// --- two devices ------------------------------------------------------------------------------------------------------------------

test("on the air: subscriptions survive a new pairing on the link and a service that is added while the client is away", async () => {
  await using air = new SimulatedAir({ seed: 4 });
  const { central, peripheral } = await air.connectedPair();
  const server = peripheral.device.gattServer;
  server.addService(battery);
  await central.connection.pair();
  const characteristic = await central.connection.gatt.characteristic(0x180f, 0x2a19);
  await characteristic.subscribe(() => {});
  await central.connection.pair();
  await central.connection.disconnect();
  server.addService(heartRate);
  await peripheral.device.advertise({ data: { name: "again" } });
  const second = await central.device.connect(peripheral.device.identity);
  await second.encrypt();
  const local = server.characteristic(0x180f, 0x2a19)!;
  expect(local.subscribers).toHaveLength(1);
});
