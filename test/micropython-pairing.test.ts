import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { BLE, type BleEvent, type BleEventOf, IoCapability, type IrqResult, PasskeyAction } from "../src/micropython/index.ts";
import { connect, type Instance, ORDERS, openTwo, type Two } from "./support/micropython.ts";

const text = (octets: Uint8Array | null): string => (octets ? Buffer.from(octets).toString("hex") : "-");

/** What a MicroPython program keeps of its secrets, as its documentation shows: a dictionary by type and key. */
class Dictionary {
  readonly values = new Map<string, Uint8Array>();
  /** Questions about keys, in order. */
  readonly log: string[] = [];

  answer(event: BleEvent): IrqResult {
    if (event.type === "getSecret") {
      this.log.push(`get ${event.secType} ${event.index} ${text(event.key)}`);
      if (event.key) return this.values.get(`${event.secType} ${text(event.key)}`) ?? null;
      return [...this.values].filter(([key]) => key.startsWith(`${event.secType} `))[event.index]?.[1] ?? null;
    }
    if (event.type !== "setSecret") return undefined;
    const { secType, key, value } = event;
    this.log.push(`set ${secType} ${text(key)}${value ? "" : " None"}`);
    if (!value) return this.values.delete(`${secType} ${text(key)}`);
    this.values.set(`${secType} ${text(key)}`, value);
    return true;
  }

  /** Secrets of these types. */
  of(...types: number[]): string[] {
    return [...this.values.keys()].filter((key) => types.includes(Number.parseInt(key, 10)));
  }
}

/** Both keep their secrets. */
function keepSecrets({ central, peripheral }: Two): { atCentral: Dictionary; atPeripheral: Dictionary } {
  const [atCentral, atPeripheral] = [new Dictionary(), new Dictionary()];
  central.handle = (event) => atCentral.answer(event);
  peripheral.handle = (event) => atPeripheral.answer(event);
  return { atCentral, atPeripheral };
}

const flags = ({ encrypted, authenticated, bonded }: BleEventOf<"encryptionUpdate">): string =>
  [encrypted, authenticated, bonded].map(Number).join(" ");

/** What both hear of a pairing that one of them begins. */
async function pair(two: Two, by: "central" | "peripheral", { c, p }: { c: number; p: number }): Promise<string[]> {
  const heard = [two.central.next("encryptionUpdate"), two.peripheral.next("encryptionUpdate")];
  await two[by].ble.gapPair(by === "central" ? c : p);
  return (await Promise.all(heard)).map(flags);
}

async function configure({ central, peripheral }: Two, values: Parameters<Instance["ble"]["config"]>[0] & object): Promise<void> {
  await central.ble.config(values as object);
  await peripheral.ble.config(values as object);
}

async function part({ central, peripheral }: Two, { c }: { c: number }): Promise<void> {
  const over = [central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")];
  await central.ble.gapDisconnect(c);
  await Promise.all(over);
}

/** Two seconds are enough for everything that is under way. */
const settle = ({ air }: Two): Promise<void> => delay(air.clock, 2000);

describe.each(ORDERS)("pairing (%s)", (order) => {
  test.each([
    { bond: false, mitm: true, leSecure: true, by: "central", result: "1 0 0" },
    { bond: true, mitm: true, leSecure: true, by: "central", result: "1 0 1" },
    { bond: false, mitm: true, leSecure: true, by: "peripheral", result: "1 0 0" },
    { bond: true, mitm: true, leSecure: false, by: "peripheral", result: "1 0 1" },
  ] as const)("$by begins, bond=$bond mitm=$mitm le_secure=$leSecure: $result on both sides", async ({ by, result, ...features }) => {
    await using two = await openTwo(order);
    keepSecrets(two);
    await configure(two, features);
    const handles = await connect(two);
    expect(await pair(two, by, handles)).toEqual([result, result]);
    await settle(two);
    const once = (instance: Instance): number => instance.types.filter((type) => type === "encryptionUpdate").length;
    expect([once(two.central), once(two.peripheral)]).toEqual([1, 1]);
    expect(two.central.events.findLast(({ type }) => type === "encryptionUpdate")).toMatchObject({ keySize: 16 });
  });

  test("a bond: the update, then our keys, then the peer's; stored under its identity, octets as on air", async () => {
    await using two = await openTwo(order);
    const { atCentral, atPeripheral } = keepSecrets(two);
    await configure(two, { bond: true, leSecure: true });
    const handles = await connect(two);
    for (const instance of [two.central, two.peripheral]) instance.clear();
    await pair(two, "central", handles);
    await settle(two);
    expect(two.peripheral.types).toEqual(["encryptionUpdate", "setSecret", "setSecret"]);
    expect(two.central.types).toEqual(["getSecret", "encryptionUpdate", "setSecret", "setSecret"]);
    const keyOf = ({ ble }: Instance): string => {
      const { addrType, addr } = ble.config("mac");
      return `0${addrType}${text(addr.slice().reverse())}`;
    };
    expect(atPeripheral.log).toEqual([`set 1 ${keyOf(two.central)}`, `set 2 ${keyOf(two.central)}`]);
    const [ofPeripheral] = [keyOf(two.peripheral)];
    expect(atCentral.log).toEqual([`get 2 0 ${ofPeripheral}`, `set 1 ${ofPeripheral}`, `set 2 ${ofPeripheral}`]);
  });

  test.each(["central", "peripheral"] as const)("comes back with a bond when the %s asks for it, and pairs no more", async (by) => {
    await using two = await openTwo(order);
    const { atCentral, atPeripheral } = keepSecrets(two);
    await configure(two, { bond: true, leSecure: true });
    const first = await connect(two);
    await pair(two, "central", first);
    await settle(two);
    await part(two, first);
    const before = [new Map(atCentral.values), new Map(atPeripheral.values)];
    expect(await pair(two, by, await connect(two))).toEqual(["1 0 1", "1 0 1"]);
    await settle(two);
    expect([atCentral.values, atPeripheral.values]).toEqual(before);
  });

  test("comes back after both were started anew, by secrets that are asked for at the start, with private addresses", async () => {
    await using two = await openTwo(order);
    const { atCentral, atPeripheral } = keepSecrets(two);
    const restart = async (): Promise<void> => {
      for (const { ble } of [two.central, two.peripheral]) {
        await ble.active(false);
        await ble.active(true);
        await ble.config({ addrMode: 2 });
      }
    };
    await configure(two, { bond: true });
    await restart();
    atPeripheral.log.length = 0;
    const first = await connectPrivately(two);
    await pair(two, "central", first);
    await settle(two);
    await restart();
    expect(atPeripheral.log.filter((entry) => entry.startsWith("get"))).toEqual([
      `get 10 0 ${text(Buffer.from("irk"))}`,
      "get 2 0 -",
      expect.stringMatching(/^get 1 0 0/),
      "get 2 1 -",
    ]);
    const kept = atCentral.of(1, 2).length;
    two.peripheral.clear();
    const again = await connectPrivately(two);
    // The peripheral knows the central behind its private address.
    const connected = two.peripheral.events.findLast(({ type }) => type === "centralConnect") as BleEventOf<"centralConnect">;
    expect(connected.addr).toEqual(two.central.ble.config("mac").addr);
    expect(await pair(two, "central", again)).toEqual(["1 0 1", "1 0 1"]);
    expect(atCentral.of(1, 2)).toHaveLength(kept);
  });
});

/** With resolvable private addresses: what is found is connected to. */
async function connectPrivately(two: Two): Promise<{ c: number; p: number }> {
  const { central, peripheral } = two;
  await peripheral.ble.gapAdvertise(20_000);
  await central.ble.gapScan(0, 30_000, 30_000);
  const { addrType, addr } = await central.next("scanResult");
  await central.ble.gapScan(null);
  const [atCentral, atPeripheral] = [central.next("peripheralConnect"), peripheral.next("centralConnect")];
  await central.ble.gapConnect(addrType, addr, 5000);
  return { c: (await atCentral).connHandle, p: (await atPeripheral).connHandle };
}

describe("passkeys", () => {
  const { DisplayOnly, DisplayYesNo, KeyboardOnly, KeyboardDisplay } = IoCapability;

  /** Two with these capabilities, connected; what each was asked for is noted. */
  async function withIo(two: Two, central: number, peripheral: number, leSecure: boolean) {
    keepSecrets(two);
    await configure(two, { mitm: true, leSecure });
    await two.central.ble.config({ io: central });
    await two.peripheral.ble.config({ io: peripheral });
    return await connect(two);
  }

  test.each([
    [DisplayOnly, KeyboardOnly, true],
    [DisplayOnly, KeyboardOnly, false],
    [KeyboardOnly, DisplayOnly, true],
    [KeyboardOnly, DisplayOnly, false],
    [KeyboardDisplay, KeyboardDisplay, false],
  ] as const)("io %i and %i, le_secure=%s: one shows the number that its program chose, the other types it", async (io, peer, leSecure) => {
    for (const answerLater of [false, true]) {
      await using two = await openTwo();
      const handles = await withIo(two, io, peer, leSecure);
      const actions: [string, number, number][] = [];
      for (const name of ["central", "peripheral"] as const) {
        const { ble } = two[name];
        two[name].handle = (event) => {
          if (event.type !== "passkeyAction") return undefined;
          actions.push([name, event.action, event.passkey]);
          const answer = (): Promise<void> => ble.gapPasskey(event.connHandle, event.action as PasskeyAction, 4711);
          if (!answerLater) void answer();
          else void delay(two.air.clock, 3000).then(answer);
          return undefined;
        };
      }
      expect(await pair(two, "central", handles)).toEqual(["1 1 0", "1 1 0"]);
      const shower = io === KeyboardOnly ? "peripheral" : "central";
      const typist = io === KeyboardOnly ? "central" : "peripheral";
      expect(actions).toHaveLength(2);
      expect(actions).toContainEqual([shower, PasskeyAction.Display, 0]);
      expect(actions).toContainEqual([typist, PasskeyAction.Input, 0]);
    }
  });

  /** Vol 3 Part H Table 2.8, by what the central (row) and the peripheral (column) can do: Just Works, a passkey (who shows it), a comparison. */
  const [J, N, SHOWS, TYPES, BOTH] = ["-", "4 4", "3 2", "2 3", "2 2"] as const;
  const METHODS = {
    legacy: [
      [J, J, SHOWS, J, SHOWS],
      [J, J, SHOWS, J, SHOWS],
      [TYPES, TYPES, BOTH, J, TYPES],
      [J, J, J, J, J],
      [TYPES, TYPES, SHOWS, J, SHOWS],
    ],
    secure: [
      [J, J, SHOWS, J, SHOWS],
      [J, N, SHOWS, J, N],
      [TYPES, TYPES, BOTH, J, TYPES],
      [J, J, J, J, J],
      [TYPES, N, SHOWS, J, N],
    ],
  } as const;

  test.each(["legacy", "secure"] as const)(
    "every capability with every other (%s): who is asked for what, and what it is worth",
    async (kind) => {
      const found: string[][] = [];
      await using two = await openTwo();
      const { central, peripheral } = two;
      await configure(two, { mitm: true, leSecure: kind === "secure" });
      const asked: Partial<Record<string, number>> = {};
      for (const [name, { ble }] of Object.entries({ central, peripheral }))
        two[name as "central" | "peripheral"].handle = (event) => {
          if (event.type !== "passkeyAction") return;
          asked[name] = event.action;
          const { connHandle, action } = event;
          void ble.gapPasskey(connHandle, action as PasskeyAction, action === PasskeyAction.NumericComparison ? 1 : 0); // six zeros
        };
      for (let io = 0; io < 5; io++) {
        found.push([]);
        for (let peer = 0; peer < 5; peer++) {
          await central.ble.config({ io });
          await peripheral.ble.config({ io: peer });
          [asked.central, asked.peripheral] = [undefined, undefined];
          const handles = await connect(two);
          const by = peer % 2 === 0 ? "central" : "peripheral";
          const told = await pair(two, by, handles);
          const method = asked.central === undefined && asked.peripheral === undefined ? J : `${asked.central} ${asked.peripheral}`;
          expect([io, peer, ...told]).toEqual([io, peer, ...Array(2).fill(method === J ? "1 0 0" : "1 1 0")]);
          found.at(-1)!.push(method);
          await part(two, handles);
          await delay(two.air.clock, 300_000); // who pairs again and again is made to wait
        }
      }
      expect(found).toEqual(METHODS[kind]);
    },
  );

  test.each(["central", "peripheral"] as const)(
    "the %s types a wrong number, and then the right one: the second pairing stands",
    async (typist) => {
      for (const leSecure of [true, false]) {
        await using two = await openTwo();
        const shower = typist === "central" ? "peripheral" : "central";
        const io = { [typist]: KeyboardOnly, [shower]: DisplayOnly } as Record<"central" | "peripheral", number>;
        const handles = await withIo(two, io.central, io.peripheral, leSecure);
        let guess = 999_999;
        for (const name of ["central", "peripheral"] as const)
          two[name].handle = (event) => {
            if (event.type !== "passkeyAction") return;
            const number = name === typist ? guess : 0;
            void two[name].ble.gapPasskey(event.connHandle, event.action as PasskeyAction, number);
          };
        expect(await pair(two, "central", handles)).toEqual(["0 0 0", "0 0 0"]);
        const told = two.central.events.findLast(({ type }) => type === "encryptionUpdate") as BleEventOf<"encryptionUpdate">;
        expect(told.reason).toBe(0x04);
        guess = 0;
        await delay(two.air.clock, 10_000); // who guesses is made to wait
        expect(await pair(two, "central", handles)).toEqual(["1 1 0", "1 1 0"]);
      }
    },
  );

  test("nobody answers: 30 s later the pairing has failed on both sides, and an answer has nothing to answer", async () => {
    await using two = await openTwo();
    const { c, p } = await withIo(two, KeyboardOnly, DisplayOnly, true);
    expect(await pair(two, "central", { c, p })).toEqual(["0 0 0", "0 0 0"]);
    await expect(two.central.ble.gapPasskey(c, PasskeyAction.Input, 1)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(two.peripheral.ble.gapPasskey(p, PasskeyAction.Display, 1)).rejects.toMatchObject({ code: "ENOENT" });
    await settle(two);
    for (const { types } of [two.central, two.peripheral]) expect(types.filter((type) => type === "encryptionUpdate")).toHaveLength(1);
  });

  test.each(["central", "peripheral"] as const)("numbers that differ end it, as does the %s that says nothing", async (silent) => {
    for (const guess of [4712, undefined]) {
      await using two = await openTwo();
      const handles = await withIo(two, DisplayOnly, KeyboardOnly, true);
      for (const name of ["central", "peripheral"] as const) {
        two[name].handle = (event) => {
          if (event.type !== "passkeyAction" || (guess === undefined && name === silent)) return;
          const number = name === silent ? guess! : 4711;
          void two[name].ble.gapPasskey(event.connHandle, event.action as PasskeyAction, number);
        };
      }
      expect(await pair(two, "central", handles)).toEqual(["0 0 0", "0 0 0"]);
      const told = two[silent].events.findLast(({ type }) => type === "encryptionUpdate") as BleEventOf<"encryptionUpdate">;
      expect(told.reason).toBe(guess === undefined ? 0x01 : 0x04);
      await settle(two);
      expect(two[silent].types.filter((type) => type === "encryptionUpdate")).toHaveLength(1);
    }
  });

  test.each([
    [true, true, "1 1 0", undefined],
    [1, 1, "1 1 0", undefined],
    [false, true, "0 0 0", 0x0c],
    [1, 0, "0 0 0", 0x0c],
  ] as const)("numeric comparison: central %s, peripheral %s: %s", async (central, peripheral, result, reason) => {
    await using two = await openTwo();
    const handles = await withIo(two, DisplayYesNo, KeyboardDisplay, true);
    const numbers: number[] = [];
    for (const [instance, answer] of [
      [two.central, central],
      [two.peripheral, peripheral],
    ] as const) {
      instance.handle = async (event) => {
        if (event.type !== "passkeyAction") return;
        expect(event.action).toBe(PasskeyAction.NumericComparison);
        numbers.push(event.passkey);
        // A refusal is no error, whatever MicroPython makes of it.
        expect(await instance.ble.gapPasskey(event.connHandle, PasskeyAction.NumericComparison, answer)).toBeUndefined();
      };
    }
    expect(await pair(two, "central", handles)).toEqual([result, result]);
    expect(numbers).toHaveLength(2);
    expect(numbers[0]).toBe(numbers[1]);
    const told = two.central.events.findLast(({ type }) => type === "encryptionUpdate") as BleEventOf<"encryptionUpdate">;
    expect(told.reason).toBe(reason);
  });

  test("what is no answer to what was asked", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    const { c, p } = await withIo(two, KeyboardOnly, DisplayOnly, true);
    await expect(ble.gapPasskey(c, PasskeyAction.Input, 1)).rejects.toMatchObject({ code: "ENOENT", errno: 2 });
    const asked = two.central.next("passkeyAction");
    const shown = two.peripheral.next("passkeyAction");
    await ble.gapPair(c);
    await asked;
    for (const [args, error] of [
      [[c, PasskeyAction.None, 1], { code: "EINVAL" }],
      [[c, 1, 1], { code: "EINVAL" }],
      [[c, 5, 1], { code: "EINVAL" }],
      [[c, PasskeyAction.Display, 1], { code: "EINVAL" }],
      [[c, PasskeyAction.Input, 1_000_000], { code: "EINVAL" }],
      [[c, PasskeyAction.Input, -1], { code: "EINVAL" }],
      [[c + 1, PasskeyAction.Input, 1], { code: "ENOTCONN" }],
      [[c, PasskeyAction.Input, "1"], { pythonName: "TypeError" }],
      [[c, PasskeyAction.Input, 1.5], { pythonName: "TypeError" }],
      [[c, "2", 1], { pythonName: "TypeError" }],
      [[-1, PasskeyAction.Input, 1], { pythonName: "ValueError" }],
    ] as const)
      await expect(ble.gapPasskey(...(args as unknown as [number, PasskeyAction, number]))).rejects.toMatchObject(error);
    await ble.gapPasskey(c, PasskeyAction.Input, 0);
    await expect(ble.gapPasskey(c, PasskeyAction.Input, 0)).rejects.toMatchObject({ code: "EALREADY", errno: 114 });
    await shown;
    const over = two.central.next("encryptionUpdate");
    await two.peripheral.ble.gapPasskey(p, PasskeyAction.Display, 0);
    expect(flags(await over)).toBe("1 1 0");
    await expect(ble.gapPasskey(c, PasskeyAction.Input, 0)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("gapPair", () => {
  test("who may call it when", async () => {
    await using two = await openTwo();
    const { c } = await connect(two);
    await expect(two.central.ble.gapPair(c + 1)).rejects.toMatchObject({ code: "ENOTCONN", errno: 107 });
    await expect(two.central.ble.gapPair("1" as unknown as number)).rejects.toMatchObject({ pythonName: "TypeError" });
    await two.central.ble.gapPair(c);
    await expect(two.central.ble.gapPair(c)).rejects.toMatchObject({ code: "EALREADY", errno: 114 });
    await two.central.next("encryptionUpdate");
    await two.central.ble.active(false);
    await expect(two.central.ble.gapPair(c)).rejects.toMatchObject({ code: "ENODEV", errno: 19 });
    await expect(two.central.ble.gapPasskey(c, PasskeyAction.Input, 1)).rejects.toMatchObject({ code: "ENODEV" });
  });

  test("LE Secure Connections are an offer, and a demand where the program says so", async () => {
    for (const [secureConnectionsOnly, result] of [
      [false, "1 0 0"],
      [true, "0 0 0"],
    ] as const) {
      await using two = await openTwo("central first", { secureConnectionsOnly });
      await using other = new BLE({ controller: two.air.addController({ name: "legacy" }).transport, clock: two.air.clock });
      await other.active(true);
      const told = new Promise<string>((resolve) => {
        other.irq((event) => {
          if (event.type === "centralConnect") void other.gapPair(event.connHandle);
          if (event.type === "encryptionUpdate") resolve(`${flags(event)} ${event.reason}`);
        });
      });
      await other.gapAdvertise(20_000);
      const { addrType, addr } = other.config("mac");
      await two.central.ble.gapConnect(addrType, addr, 5000);
      expect(await told).toBe(`${result} ${secureConnectionsOnly ? 3 : undefined}`);
    }
  });

  test("on a link that is encrypted already: protection that cannot be had is not missed", async () => {
    await using two = await openTwo();
    await configure(two, { mitm: true });
    await two.central.ble.config({ io: IoCapability.KeyboardDisplay });
    const handles = await connect(two);
    expect(await pair(two, "central", handles)).toEqual(["1 0 0", "1 0 0"]);
    for (const by of ["central", "peripheral"] as const) {
      expect(await pair(two, by, handles)).toEqual(["1 0 0", "1 0 0"]);
      await settle(two);
    }
  });

  test("both at once is one pairing", async () => {
    await using two = await openTwo();
    const { c, p } = await connect(two);
    const heard = [two.central.next("encryptionUpdate"), two.peripheral.next("encryptionUpdate")];
    await Promise.all([two.central.ble.gapPair(c), two.peripheral.ble.gapPair(p)]);
    expect((await Promise.all(heard)).map(flags)).toEqual(["1 0 0", "1 0 0"]);
    await settle(two);
    expect(two.peripheral.types.filter((type) => type === "encryptionUpdate")).toHaveLength(1);
  });

  test("a link that is lost in the midst of it: the update first, with the reason, and the disconnection last", async () => {
    for (const by of ["central", "peripheral"] as const) {
      await using two = await openTwo();
      const { c, p } = await connect(two);
      two[by].clear();
      await two[by].ble.gapPair(by === "central" ? c : p);
      using _cut = two.air.cut(two.central.controller, two.peripheral.controller);
      await two[by].next(by === "central" ? "peripheralDisconnect" : "centralDisconnect");
      expect(two[by].types.slice(-2)).toEqual(["encryptionUpdate", by === "central" ? "peripheralDisconnect" : "centralDisconnect"]);
      expect(two[by].events.at(-2)).toMatchObject({ encrypted: false, hciStatus: 0x08 });
    }
  });

  test("a link that ends while numbers are asked for ends the pairing on both sides, with one update each, whoever began", async () => {
    for (const by of ["central", "peripheral"] as const) {
      await using two = await openTwo();
      const { central, peripheral } = two;
      await configure(two, { mitm: true, leSecure: true });
      await central.ble.config({ io: IoCapability.KeyboardOnly });
      await peripheral.ble.config({ io: IoCapability.DisplayOnly });
      const { c, p } = await connect(two);
      await two[by].ble.gapPair(by === "central" ? c : p);
      await Promise.all([central.next("passkeyAction"), peripheral.next("passkeyAction")]);
      for (const instance of [central, peripheral]) instance.clear();
      await two[by].ble.gapDisconnect(by === "central" ? c : p);
      await Promise.all([central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")]);
      expect(central.types).toEqual(["encryptionUpdate", "peripheralDisconnect"]);
      expect(peripheral.types).toEqual(["encryptionUpdate", "centralDisconnect"]);
      await expect(central.ble.gapPasskey(c, PasskeyAction.Input, 1)).rejects.toMatchObject({ code: "ENOTCONN" });
    }
  });

  test("features are those that are configured when it begins, whoever begins", async () => {
    await using two = await openTwo();
    keepSecrets(two);
    const handles = await connect(two);
    await configure(two, { bond: true });
    expect(await pair(two, "central", handles)).toEqual(["1 0 1", "1 0 1"]);
  });
});

describe("secrets", () => {
  async function bonded(two: Two): Promise<{ atCentral: Dictionary; atPeripheral: Dictionary }> {
    const dictionaries = keepSecrets(two);
    await configure(two, { bond: true });
    const first = await connect(two);
    await pair(two, "central", first);
    await settle(two);
    await part(two, first);
    return dictionaries;
  }

  test("one of two has lost its keys: the link is not encrypted with them; who forgets them too can pair again", async () => {
    for (const loser of ["central", "peripheral"] as const) {
      await using two = await openTwo();
      const { atCentral, atPeripheral } = await bonded(two);
      const [lost, other] = loser === "central" ? [atCentral, atPeripheral] : [atPeripheral, atCentral];
      for (const key of lost.of(1, 2)) lost.values.delete(key);
      const handles = await connect(two);
      other.log.length = 0;
      if (loser === "peripheral") {
        expect(await pair(two, "central", handles)).toEqual(["0 0 0", "0 0 0"]);
        const told = two.central.events.findLast(({ type }) => type === "encryptionUpdate");
        expect(told).toMatchObject({ hciStatus: 0x06 });
        for (const key of atCentral.of(1, 2)) atCentral.values.delete(key);
      }
      expect(await pair(two, "central", handles)).toEqual(["1 0 1", "1 0 1"]);
      await settle(two);
      // The peripheral is told to forget the old keys before it gets new ones, until it says that there are none.
      if (loser === "central")
        expect(other.log.map((entry) => entry.replace(/ 0\w{13}/, ""))).toEqual([
          "set 1 None",
          "set 1 None",
          "set 2 None",
          "set 2 None",
          "set 1",
          "set 2",
        ]);
      expect(atCentral.of(1, 2)).toHaveLength(2);
      expect(atPeripheral.of(1, 2)).toHaveLength(2);
    }
  });

  test("who is bonded pairs again without bonding: the old bond goes, and the link is encrypted", async () => {
    await using two = await openTwo();
    const { atCentral, atPeripheral } = await bonded(two);
    atCentral.values.clear();
    await configure(two, { bond: false });
    expect(await pair(two, "central", await connect(two))).toEqual(["1 0 0", "1 0 0"]);
    await settle(two);
    expect(atPeripheral.of(1, 2)).toEqual([]);
  });

  test.each([
    ["answers nothing", () => undefined],
    ["says no", () => false],
    ["throws", () => Promise.reject(new Error("out of flash"))],
    ["never answers", () => new Promise<never>(() => undefined)],
    ["says no to the second", (event: BleEvent) => event.type === "setSecret" && event.secType === 1],
  ] as const)("a program that %s has no bond, and a link that is encrypted all the same", async (_, answer) => {
    await using two = await openTwo("central first", { onHandlerError: () => undefined });
    const { central, peripheral } = two;
    await configure(two, { bond: true });
    keepSecrets(two);
    peripheral.handle = (event) => (event.type === "setSecret" ? (answer as (event: BleEvent) => IrqResult)(event) : undefined);
    const first = await connect(two);
    expect(await pair(two, "central", first)).toEqual(["1 0 1", "1 0 1"]);
    await delay(two.air.clock, 60_000);
    expect(peripheral.ble.device!.links[0]!.security).toMatchObject({ encrypted: true, bonded: false });
    expect(peripheral.types.filter((type) => type === "encryptionUpdate")).toHaveLength(1);
    await part(two, first);
    const again = await connect(two);
    const told = peripheral.next("encryptionUpdate");
    await central.ble.gapPair(again.c);
    expect(flags(await told)).toBe("0 0 0");
  });

  test("a handler that was not there at the start is asked when a key is needed", async () => {
    await using two = await openTwo();
    const { atPeripheral, atCentral } = await bonded(two);
    for (const instance of [two.central, two.peripheral]) {
      await instance.ble.active(false);
      instance.ble.irq(null);
      await instance.ble.active(true);
      instance.listen();
      expect(instance.ble.device).toBeDefined();
    }
    atCentral.log.length = 0;
    atPeripheral.log.length = 0;
    expect(await pair(two, "central", await connect(two))).toEqual(["1 0 1", "1 0 1"]);
    expect([...atCentral.log, ...atPeripheral.log].map((entry) => entry.slice(0, 7))).toEqual(["get 2 0", "get 1 0", "get 1 0", "get 2 0"]);
  });

  /** A peripheral asks for security; what both hear, and what was asked of the central's program. */
  async function askedFor(two: Two, atCentral: Dictionary): Promise<{ heard: string[]; asked: string[]; types: (readonly string[])[] }> {
    const handles = await connect(two);
    atCentral.log.length = 0;
    for (const instance of [two.central, two.peripheral]) instance.clear();
    const heard = await pair(two, "peripheral", handles);
    await settle(two);
    return {
      heard,
      asked: atCentral.log.map((entry) => entry.replace(/ 0\w{13}/, "")),
      types: [two.central, two.peripheral].map((instance) => instance.types.filter((type) => !type.endsWith("Secret"))),
    };
  }

  test("a peripheral asks a central that has the key: it is asked for, and one update each", async () => {
    await using two = await openTwo();
    const { atCentral } = await bonded(two);
    await configure(two, { io: IoCapability.KeyboardDisplay });
    const { heard, asked, types } = await askedFor(two, atCentral);
    expect(heard).toEqual(["1 0 1", "1 0 1"]);
    expect(asked).toEqual(["get 2 0"]);
    expect(types).toEqual([["encryptionUpdate"], ["encryptionUpdate"]]);
  });

  test("a peripheral asks a central whose program has forgotten the keys: they are not used, and it pairs", async () => {
    await using two = await openTwo();
    const { atCentral } = await bonded(two);
    const before = new Map(atCentral.values);
    for (const key of atCentral.of(1, 2)) atCentral.values.delete(key);
    const { heard, asked, types } = await askedFor(two, atCentral);
    expect(heard).toEqual(["1 0 1", "1 0 1"]);
    expect(asked).toEqual(["get 2 0", "set 1", "set 2"]);
    expect(types).toEqual([["encryptionUpdate"], ["encryptionUpdate"]]);
    for (const key of atCentral.of(2)) expect(atCentral.values.get(key)).not.toEqual(before.get(key));
  });

  test("a peripheral asks a central whose program was not there at the start: its key is used, and not replaced", async () => {
    await using two = await openTwo();
    const { atCentral } = await bonded(two);
    const { central } = two;
    await central.ble.active(false);
    central.ble.irq(null);
    await central.ble.active(true);
    central.listen();
    const before = new Map(atCentral.values);
    const { heard, asked } = await askedFor(two, atCentral);
    expect(heard).toEqual(["1 0 1", "1 0 1"]);
    expect(asked).toEqual(["get 2 0", "get 1 0"]);
    expect(atCentral.values).toEqual(before);
  });

  test.each([
    ["is slow", (answer: () => IrqResult, wait: () => Promise<void>) => wait().then(answer)],
    ["refuses", () => Promise.reject(new Error("out of flash"))],
    ["gives garbage", () => Uint8Array.of(1, 2, 3)],
  ] as const)("a peripheral asks, and asks again, while the central's program %s: one outcome", async (_, give) => {
    await using two = await openTwo("central first", { onHandlerError: () => undefined });
    const { atCentral } = await bonded(two);
    const { central, peripheral } = two;
    const handles = await connect(two);
    for (const instance of [central, peripheral]) instance.clear();
    let questions = 0;
    central.handle = (event) => {
      if (event.type !== "getSecret") return atCentral.answer(event);
      if (event.secType === 2) questions++;
      return give(
        () => atCentral.answer(event) as IrqResult,
        () => delay(two.air.clock, 500),
      );
    };
    const heard = [central.next("encryptionUpdate"), peripheral.next("encryptionUpdate")];
    await peripheral.ble.gapPair(handles.p);
    await expect(peripheral.ble.gapPair(handles.p)).rejects.toMatchObject({ code: "EALREADY" });
    expect((await Promise.all(heard)).map(flags)).toEqual(["1 0 1", "1 0 1"]);
    await settle(two);
    expect(questions).toBe(1);
    for (const { types } of [central, peripheral]) expect(types.filter((type) => type === "encryptionUpdate")).toHaveLength(1);
  });

  test("the link ends while the central's program thinks about a key: nothing comes after the end", async () => {
    await using two = await openTwo();
    const { atCentral } = await bonded(two);
    const { central, peripheral } = two;
    const handles = await connect(two);
    central.handle = (event) => (event.type === "getSecret" ? delay(two.air.clock, 1000).then(() => atCentral.answer(event)) : undefined);
    for (const instance of [central, peripheral]) instance.clear();
    await peripheral.ble.gapPair(handles.p);
    await central.next("getSecret");
    await part(two, handles);
    await settle(two);
    expect(central.types.filter((type) => !type.endsWith("Secret"))).toEqual(["peripheralDisconnect"]);
    expect(peripheral.types).toEqual(["encryptionUpdate", "centralDisconnect"]);
  });

  test("a store in place of the program's secrets", async () => {
    const store = new MemoryBondStore();
    await using two = await openTwo("central first", { bonds: store, irk: Uint8Array.from({ length: 16 }, (_, i) => i) });
    await configure(two, { bond: true });
    const first = await connect(two);
    expect(await pair(two, "central", first)).toEqual(["1 0 1", "1 0 1"]);
    await settle(two);
    expect(store.size).toBe(2);
    for (const { types } of [two.central, two.peripheral]) {
      expect(types).not.toContain("getSecret");
      expect(types).not.toContain("setSecret");
    }
  });
});
