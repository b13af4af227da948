import { delay } from "jelling/async";
import { toHex } from "jelling/bytes";
import { Address, SeededRandom } from "jelling/core";
import { type Bond, createBond } from "jelling/smp";
import { describe, expect, test } from "vitest";
import { ageMs } from "../src/connector/reading.ts";
import { inventKeys } from "../src/simulator/keys.ts";
import { Scenario } from "./scenario.ts";

describe("coming back", () => {
  test("the pump finds the phone again after the session was ended, and after the link was lost", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const first = await scenario.pair(connector);
    await first.session.disconnect();
    expect(first.session.ended).toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
    const second = await connector.session({ timeoutMs: 300_000 });
    const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
    await expect(second.session.readLatest()).rejects.toMatchObject({
      code: "ERR_PUMP_SESSION_ENDED",
      cause: { code: "ERR_DISCONNECTED" },
    });
    wall[Symbol.dispose]();
    const third = await connector.session({ timeoutMs: 300_000 });
    expect(await third.session.readLatest()).toMatchObject({ kind: "reading" });
    expect(scenario.pump.handshakes).toBe(3);
    expect(scenario.of("advertising").map(({ mode, address, bonded }) => [mode, address, bonded])).toContainEqual([
      "reconnect",
      "resolvable",
      true,
    ]);
    expect(scenario.of("services").map(({ count }) => count)).toEqual([6, 6, 6]); // asked for at every connection
  });

  test("it is found within a minute or two at our intervals, and practically never at one second", async () => {
    const found: Record<string, number[]> = { ours: [], second: [] };
    for (const [name, intervalsMs] of [
      ["ours", undefined],
      ["second", { fast: [1000, 1010], slow: [1000, 1010] }],
    ] as const)
      for (let seed = 1; seed <= 12; seed++) {
        await using scenario = await Scenario.open({ seed, traceCapacity: 0 });
        await using pairing = await scenario.connector();
        const { session } = await scenario.pair(pairing);
        await session.disconnect();
        await pairing.close();
        const startMs = scenario.clock.now();
        await using connector = await scenario.connector({ mode: "reconnect", ...(intervalsMs && { intervalsMs }) });
        const outcome = await connector.session({ timeoutMs: 120_000 }).then(
          () => true,
          () => false,
        );
        if (outcome) found[name]!.push(scenario.clock.now() - startMs);
      }
    expect(found.ours).toHaveLength(12);
    expect(found.second!.length).toBeLessThanOrEqual(4);
  });

  test("a pump that does not write its subscription again is woken after 5 s", async () => {
    await using scenario = await Scenario.open({ pump: { writesSubscriptionAgain: false } });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    await session.disconnect();
    await connector.session({ timeoutMs: 300_000 });
    const encryptedMs = scenario.of("encrypted").at(-1)!.timeMs;
    const wakeUpMs = scenario.of("sake").findLast(({ stage }) => stage === 0)!.timeMs;
    expect(wakeUpMs - encryptedMs).toBeGreaterThan(4900);
    expect(wakeUpMs - encryptedMs).toBeLessThan(5300);
  });

  test("a new connector with the stored bond needs no pairing", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    await (await scenario.pair(first)).session.disconnect();
    await first.close();
    await using second = await scenario.connector({ mode: "reconnect" });
    await second.session({ timeoutMs: 300_000 });
    expect(scenario.of("paired")).toHaveLength(1);
  });

  test("FE81 without a bond is impossible", async () => {
    await using scenario = await Scenario.open();
    await expect(scenario.connector({ mode: "reconnect" })).rejects.toMatchObject({ code: "ERR_PUMP_NOT_BONDED" });
  });

  test("a key of the bond that no longer fits is told, with what helps", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    await (await scenario.pair(first)).session.disconnect();
    await first.close();
    for await (const bond of scenario.bonds.all())
      await scenario.bonds.save(createBond({ ...bond, localLtk: { ...bond.localLtk!, ediv: bond.localLtk!.ediv ^ 1 } }));
    await using second = await scenario.connector({ mode: "reconnect" });
    await expect(second.session({ timeoutMs: 180_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(scenario.of("warning").map(({ hint }) => hint)).toContainEqual(expect.stringContaining("remove this device on the pump"));
  });
});

describe("letting a pump in", () => {
  test("nobody came: the window closes, and says so", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ pairingWindowMs: 60_000 });
    await expect(connector.session()).rejects.toMatchObject({ code: "ERR_PUMP_PAIRING_WINDOW_CLOSED" });
    expect(scenario.clock.now()).toBeGreaterThanOrEqual(60_000);
    expect(scenario.clock.now()).toBeLessThan(61_000);
    expect(connector.ended).toMatchObject({ code: "ERR_PUMP_PAIRING_WINDOW_CLOSED" });
    await connector.closed;
  });

  test("a pump that was re-added replaces its bond inside the window only", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    await scenario.pump.forgetPhone();
    await expect(scenario.pump.pairNewPhone({ timeoutMs: 60_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    connector.openPairingWindow();
    const again = await scenario.pair(connector);
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
    expect(scenario.of("paired")).toHaveLength(2);
    let bonds = 0;
    for await (const _ of scenario.bonds.all()) bonds++;
    expect(bonds).toBe(1);
  });

  test("a peer that connected while the window was open and asks to pair when it has closed is refused", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ pairingWindowMs: 10_000 });
    const stranger = await scenario.air.device({ name: "stranger", address: "random" });
    for await (const found of stranger.scan({ services: [0xfe82] })) {
      const connection = await stranger.connect(found.address);
      expect(connector.pairingWindowOpen).toBe(true);
      await delay(scenario.clock, 11_000);
      expect(connector.pairingWindowOpen).toBe(false);
      await expect(connection.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", side: "peer" });
      expect(connection.security.encrypted).toBe(false);
      await connection.disconnect();
      break;
    }
    await stranger.close();
    expect(scenario.of("pairing")).toEqual([]);
    expect(scenario.of("paired")).toEqual([]);
    expect(scenario.of("warning")).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("the pairing window is closed") }),
    );
  });

  test("with a bond at hand pairing is refused with what to do; anew, the new bond takes the old one's place", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    await (await scenario.pair(first)).session.disconnect();
    await first.close();
    await expect(scenario.connector()).rejects.toMatchObject({
      code: "ERR_PUMP_BONDED",
      message: "There is a bond with a pump already: reconnect to it, or pair anew, which replaces that bond.",
    });
    // Another pump's bond, as it stands in the store after a change of pumps.
    let own: Bond | undefined;
    for await (const bond of scenario.bonds.all()) own = bond;
    const other = createBond({ ...own!, identity: Address.from("00:23:F7:01:02:03"), peerIrk: new Uint8Array(16).fill(7) });
    await scenario.bonds.save(other);
    await scenario.pump.forgetPhone();
    await using anew = await scenario.connector({ anew: true });
    expect(await scenario.bonds.load(other.identity)).toBeDefined(); // nothing is lost before the new one has proved itself
    await (await scenario.pair(anew)).session.disconnect();
    await delay(scenario.clock, 1000);
    const identities: string[] = [];
    for await (const bond of scenario.bonds.all()) identities.push(bond.identity.toHex());
    expect(identities).toEqual([scenario.pump.identity.address.toHex()]);
  });

  test("who pairs under a bonded pump's address without its keys does not cost the pump its bond", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    await (await scenario.pair(first)).session.disconnect();
    await first.close();
    const identity = scenario.pump.identity.address;
    const key = async (): Promise<string> => toHex((await scenario.bonds.load(identity))!.localLtk!.key);
    const before = await key();
    await scenario.pump[Symbol.asyncDispose]();
    scenario.pumpController.remove();
    await using anew = await scenario.connector({ anew: true });
    const impostor = await scenario.air.device({ name: "impostor", controller: { address: identity } });
    for await (const found of impostor.scan({ services: [0xfe82] })) {
      const connection = await impostor.connect(found.address);
      await connection.pair({ policy: { secureConnections: false } }).catch(() => undefined);
      await connection.disconnect();
      break;
    }
    await delay(scenario.clock, 1000);
    expect(await key()).toBe(before);
    expect(anew.ended).toBeUndefined();
    await impostor.close();
  });

  test("another bonded pump than the one that is named is sent away", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    await (await scenario.pair(first)).session.disconnect();
    await first.close();
    const own = await scenario.bonds.load(scenario.pump.identity.address);
    const other = createBond({ ...own!, identity: Address.from("00:23:F7:01:02:03"), peerIrk: new Uint8Array(16).fill(7) });
    await scenario.bonds.save(other);
    await using connector = await scenario.connector({ mode: "reconnect", pump: other.identity });
    await expect(connector.session({ timeoutMs: 180_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(scenario.of("connected").length).toBeGreaterThan(1);
    expect(scenario.of("warning")).toContainEqual(expect.objectContaining({ message: expect.stringContaining("Another pump") }));
    expect(scenario.of("authenticated")).toHaveLength(1);
  });

  test("a stranger that asks to pair while the window is closed is refused, and the bond stays", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await (await scenario.pair(connector)).session.disconnect();
    const stranger = await scenario.air.device({ name: "stranger", address: "random" });
    for await (const found of stranger.scan({ services: [0xfe81] })) {
      const connection = await stranger.connect(found.address);
      await expect(connection.pair()).rejects.toMatchObject({ code: "ERR_PAIRING" });
      await connection.disconnect();
      break;
    }
    await stranger.close();
    expect(await (await connector.session({ timeoutMs: 300_000 })).session.readLatest()).toMatchObject({ kind: "reading" });
  });

  test("a stranger that pairs inside the window gets nothing without SAKE keys, and the pump can still come", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const stranger = await scenario.air.device({ name: "stranger", address: "random" });
    for await (const found of stranger.scan({ services: [0xfe82] })) {
      const connection = await stranger.connect(found.address);
      const characteristic = await connection.gatt.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325");
      await expect(characteristic.write(new Uint8Array(20))).rejects.toMatchObject({ errorCode: 0x05 });
      await connection.pair();
      const heard: number[][] = [];
      await characteristic.subscribe((value) => heard.push([...value.slice(0, 2)]));
      await delay(scenario.clock, 500);
      await characteristic.write(new Uint8Array(20));
      await delay(scenario.clock, 500);
      expect(heard).toEqual([
        [0, 0],
        [4, 1],
      ]);
      await characteristic.write(new Uint8Array(20).fill(7)).catch(() => undefined);
      expect(await connection.closed).toMatchObject({ code: "ERR_DISCONNECTED" });
      break;
    }
    await stranger.close();
    expect(scenario.of("warning")[0]!.message).toContain("device type not supported");
    expect(scenario.of("authenticated")).toEqual([]);
    await scenario.pair(connector);
    expect(scenario.of("authenticated")).toHaveLength(1);
  });

  test("keys that do not fit end the handshake on both sides, and the user is told", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector({ keyDatabase: inventKeys(new SeededRandom(98)).phone });
    await expect(scenario.pump.pairNewPhone()).rejects.toMatchObject({ code: "ERR_SAKE_HANDSHAKE", failure: "challenge-response-invalid" });
    expect(connector.ended).toBeUndefined();
    expect(scenario.pump.hasPhone).toBe(false);
  });

  test("a key database of the wrong kind is refused before anything is advertised", async () => {
    await using scenario = await Scenario.open();
    await expect(scenario.connector({ keyDatabase: scenario.keys.pump })).rejects.toMatchObject({
      code: "ERR_KEY_DATABASE_UNSUITABLE",
      message: "The key database is for another kind of device (insulin pump); this mode needs that of a mobile application.",
    });
    await expect(scenario.connector({ mode: "carelink", confirmationCode: 1 })).rejects.toMatchObject({ code: expect.any(String) });
    await expect(scenario.connector({ name: "Telephone" })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("a pump takes one phone at a time", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    await expect(scenario.pump.pairNewPhone()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("both forms of advertising, and every kind of address, are found", async () => {
    for (const form of ["name", "manufacturer"] as const)
      for (const pairingAddress of ["identity", "public", "random", "resolvable"] as const) {
        await using scenario = await Scenario.open();
        await using connector = await scenario.connector({ form, pairingAddress, name: "Mobile 123456" });
        const { session } = await scenario.pair(connector);
        expect(scenario.said).toContain('shows "Mobile 123456"; the user confirms');
        await session.disconnect();
        await connector.session({ timeoutMs: 300_000 });
      }
  });
});

describe("reading", () => {
  test("without a sensor there is no error, and the latest reading says so", async () => {
    await using scenario = await Scenario.open({ pump: { sensor: false } });
    await using connector = await scenario.connector();
    const { session, snapshot } = await scenario.pair(connector);
    expect(snapshot).toMatchObject({ sensor: { start: undefined, runTimeHours: undefined }, latest: { kind: "no-sensor" } });
    scenario.pump.startSensor();
    expect(await session.readLatest()).toMatchObject({ kind: "no-value", timeOffsetMin: 0 });
    await scenario.air.advance(3 * 3_600_000);
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
    scenario.pump.stopSensor();
    expect(await session.readLatest()).toMatchObject({ kind: "no-sensor" });
    await expect(session.readSensorDetails()).resolves.toMatchObject({ maximumSensorLifeMin: 10080 });
  });

  test("0 is no reading, and a value is what the sensor says", async () => {
    let mgdl = 30;
    await using scenario = await Scenario.open({ pump: { sensor: () => mgdl } });
    await using connector = await scenario.connector();
    const { session, snapshot } = await scenario.pair(connector);
    expect(snapshot.latest).toMatchObject({ kind: "no-value" });
    mgdl = 123;
    expect(await session.readLatest()).toMatchObject({
      kind: "reading",
      mgdl: 123,
      mmolPerLitre: 6.8,
      trendMgdlPerMin: 0,
      arrows: 0,
      quality: 10,
    });
  });

  test("readings come as they are new, by asking; a sensor that is changed begins another count", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const controller = new AbortController();
    const seen: (number | string)[] = [];
    const loop = (async () => {
      for await (const latest of session.readings({ signal: controller.signal })) {
        seen.push(latest.kind === "no-sensor" ? latest.kind : latest.timeOffsetMin);
        if (latest.kind !== "no-sensor") expect(ageMs(latest, scenario.clock.now())).toBeLessThan(6 * 60_000);
        if (seen.length === 4) {
          scenario.pump.stopSensor();
          scenario.pump.startSensor();
        }
        if (seen.length === 6) controller.abort(new Error("enough"));
      }
    })();
    await expect(loop).rejects.toThrow("enough");
    const [first] = seen as number[];
    expect(seen).toEqual([first, first! + 5, first! + 10, first! + 15, 0, 5]);
    expect(scenario.pump.forbiddenWrites).toBe(0);
  });

  test("a session's operations run one after the other, and one that is given up does not disturb the next", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const controller = new AbortController();
    const [a, b, c] = [session.readLatest({ signal: controller.signal }), session.readBattery(), session.readLatest()];
    a.catch(() => undefined);
    await delay(scenario.clock, 300);
    controller.abort(new Error("never mind"));
    await expect(a).rejects.toThrow("never mind");
    expect(await b).toBe(75);
    expect(await c).toMatchObject({ kind: "reading" });
    await expect(session.readLatest({ timeoutMs: 10 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
  });

  test("a pump that answers no more ends the session after 10 s, and it is waited for again", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    scenario.pump.device.gattServer.pause();
    const startMs = scenario.clock.now();
    await expect(session.readLatest()).rejects.toMatchObject({ code: "ERR_PUMP_SESSION_ENDED", cause: { code: "ERR_TIMEOUT" } });
    expect(scenario.clock.now() - startMs).toBeLessThan(11_000);
    scenario.pump.device.gattServer.resume();
    expect(await (await connector.session({ timeoutMs: 300_000 })).session.readLatest()).toMatchObject({ kind: "reading" });
  });

  test("an idle session asks whether the pump is there, and notices when it is not", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    await scenario.air.advance(3_600_000);
    expect(session.ended).toBeUndefined();
    scenario.pump.device.gattServer.pause();
    await scenario.air.advance(6 * 60_000);
    expect(session.ended).toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
  });

  test("eight frames in a row that do not open end the session; seven do not", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const handle = scenario.pumpHandle(0x181f, 0x2aa7);
    const bad = Uint8Array.of(0x1b, handle & 0xff, handle >> 8, 1, 2, 3, 4, 5);
    const forge = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) scenario.pump.connection!.att.channel.send(bad);
      await delay(scenario.clock, 3000);
    };
    await forge(7);
    expect(session.ended).toBeUndefined();
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
    await forge(8);
    expect(session.ended).toMatchObject({ cause: { code: "ERR_SAKE_FRAME", final: true } });
  });
});
