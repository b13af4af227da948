import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { PHONE_ADDRESS, Scenario } from "./scenario.ts";

const ATT_OVERHEAD = 9; // H4 type, ACL header, L2CAP header

describe("the link as the pump wants it", () => {
  test("pairing: legacy Just Works with the MITM bit and without input or output; both give all keys", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    const pdu = (name: string, at: string) =>
      scenario.air
        .trace(name)
        .filter((packet) => packet.at === at)
        .map(({ bytes }) => toHex(bytes.subarray(ATT_OVERHEAD)));
    expect(pdu("PairingRequest", "pump")).toEqual(["01030005100707"]);
    expect(pdu("PairingResponse", "phone")).toEqual(["02030001100707"]);
    expect(scenario.of("paired")).toMatchObject([{ method: "just-works", authenticated: false, keySize: 16 }]);
    expect(scenario.of("connected")).toMatchObject([{ intervalMs: 125, latency: 0, timeoutMs: 3000 }]);
  });

  test("the phone sends no PDU over 23 octets, no MTU request, and asks for no other parameters", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    await session.readSensorDetails();
    const names = (at: string) => scenario.air.trace().filter((packet) => packet.at === at && packet.layer === "att");
    const fromPhone = names("phone");
    expect(fromPhone.length).toBeGreaterThan(60);
    expect(Math.max(...fromPhone.map(({ bytes }) => bytes.length - ATT_OVERHEAD))).toBe(23);
    expect(fromPhone.map(({ name }) => name)).not.toContain("AttExchangeMtuReq");
    const mtu = scenario.air.trace().filter(({ name }) => name.startsWith("AttExchangeMtu"));
    expect(mtu.map(({ name, at, bytes }) => [name, at, toHex(bytes.subarray(ATT_OVERHEAD))])).toEqual([
      ["AttExchangeMtuReq", "pump", "02b800"],
      ["AttExchangeMtuRsp", "phone", "03b800"],
    ]);
    const all = scenario.air.trace().map(({ name }) => name);
    for (const name of ["ConnectionParameterUpdateRequest", "LeConnectionUpdate", "LeSetDataLength"]) expect(all).not.toContain(name);
  });

  test("the pump discovers in its order, with its requests", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    const requests = scenario.air
      .trace()
      .filter(({ at, name }) => at === "pump" && name.endsWith("Req"))
      .map(({ name }) => name);
    const order = requests.filter((name, i) => name !== requests[i - 1]);
    expect(order.slice(0, 6)).toEqual([
      "AttFindByTypeValueReq",
      "AttFindInformationReq",
      "AttReadByTypeReq",
      "AttExchangeMtuReq",
      "AttReadReq",
      "AttWriteReq",
    ]);
    const read = scenario.air.trace("AttReadReq").filter(({ at }) => at === "pump");
    expect(read).toHaveLength(11);
  });

  test("the response to the subscription leaves before the wake-up, and each write is answered before its reply", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    const trace = scenario.air.trace();
    const from = trace.findIndex(({ at, name }) => at === "pump" && name === "AttWriteReq");
    const handshake = trace.slice(from).filter(({ layer }) => layer === "att");
    expect(handshake.slice(0, 13).map(({ at, name }) => `${at} ${name}`)).toEqual([
      "pump AttWriteReq", // the subscription
      "phone AttWriteRsp",
      "phone AttHandleValueNtf", // wake-up
      "pump AttWriteReq",
      "phone AttWriteRsp",
      "phone AttHandleValueNtf", // message 0
      "pump AttWriteReq",
      "phone AttWriteRsp",
      "phone AttHandleValueNtf", // message 2
      "pump AttWriteReq",
      "phone AttWriteRsp",
      "phone AttHandleValueNtf", // message 4
      "pump AttWriteReq",
    ]);
    const sake = handshake.slice(2, 13).filter(({ name }) => name !== "AttWriteRsp");
    for (const { bytes } of sake) expect(bytes.length - ATT_OVERHEAD).toBe(23);
    expect(toHex(sake[0]!.bytes.subarray(ATT_OVERHEAD + 3))).toBe("00".repeat(20));
  });

  test("the phone's own discovery waits until the pump is authenticated", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    await scenario.pair(connector);
    const authenticatedMs = scenario.of("authenticated")[0]!.timeMs;
    const asked = scenario.air.trace().filter(({ at, name }) => at === "phone" && name.startsWith("Att") && name.endsWith("Req"));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked[0]!.timeMs).toBeGreaterThanOrEqual(authenticatedMs + 250);
  });

  test("no key, name, serial number or address in full is logged or told", async () => {
    const lines: string[] = [];
    const { Logger, LogLevel } = await import("jelling/core");
    await using scenario = await Scenario.open();
    const logger = new Logger("", LogLevel.Trace, (_level, scope, message) => lines.push(`${scope} ${message}`));
    await using connector = await scenario.connector({ logger });
    const { session, snapshot } = await scenario.pair(connector);
    await session.readLatest();
    const told = JSON.stringify(scenario.events) + lines.join("\n");
    expect(lines.some((line) => line.includes("request cgmRecordAccess 0x01"))).toBe(true);
    expect(lines.some((line) => /connected as peripheral to [0-9A-F]{2}:··:··:··:··:[0-9A-F]{2}/.test(line))).toBe(true);
    expect(lines.join("\n")).not.toMatch(/([0-9A-F]{2}:){5}/);
    expect(snapshot.information.serial).toBe(scenario.pump.identity.serial);
    expect(told).not.toContain(scenario.pump.identity.digits);
    expect(told).not.toContain(scenario.pump.identity.address.toHex());
    const entry = scenario.keys.phone.entries[0]!;
    for (const key of [entry.derivationKey, entry.handshakeAuthKey, entry.permitAuthKey, entry.permitDecryptKey])
      expect(told).not.toContain(toHex(key));
  });

  test("a capture has the pump's name, serial number and address with zeros for what names it, each packet in its form, unless it is asked for", async () => {
    const captured = async (captureIdentity: boolean): Promise<{ packets: Uint8Array[]; digits: string; addresses: string[] }> => {
      const packets: Uint8Array[] = [];
      await using scenario = await Scenario.open();
      await using connector = await scenario.connector({ captureIdentity, capture: (_direction, packet) => void packets.push(packet) });
      const { snapshot } = await scenario.pair(connector);
      expect(snapshot.information.serial).toBe(scenario.pump.identity.serial); // the program still gets it
      await scenario.pump.disconnect();
      await connector.session({ timeoutMs: 300_000 }); // with its bond
      return {
        packets,
        digits: scenario.pump.identity.digits,
        addresses: [scenario.pump.identity.address, PHONE_ADDRESS].map(({ bytes }) => toHex(bytes)),
      };
    };
    const holds = (packets: readonly Uint8Array[], text: string): boolean =>
      packets.some((packet) => new TextDecoder("latin1").decode(packet).includes(text));
    const hidden = await captured(false);
    expect(holds(hidden.packets, hidden.digits)).toBe(false);
    expect(holds(hidden.packets, "NG0000000H")).toBe(true);
    const shown = await captured(true);
    expect(holds(shown.packets, `NG${shown.digits}H`)).toBe(true);
    expect(hidden.packets.map(({ length }) => length)).toEqual(shown.packets.map(({ length }) => length));
    const all = (packets: readonly Uint8Array[]): string => packets.map((packet) => toHex(packet)).join(" ");
    for (const address of shown.addresses) {
      expect(all(shown.packets)).toContain(address);
      expect(all(hidden.packets)).not.toContain(address);
      expect(all(hidden.packets)).toContain(`000000${address.slice(6)}`);
    }
    // Of what goes over the air as data, the serial number's value each time it is read, and who both sides are.
    const differing = hidden.packets.filter((packet, i) => packet[0] === 2 && toHex(packet) !== toHex(shown.packets[i]!));
    expect(differing.map((packet) => (packet[7] === 6 ? "identity" : "value"))).toEqual(["identity", "identity", "value", "value"]);
  });
});

test.each(["300000", Number.NaN, 0, -1, Number.POSITIVE_INFINITY, undefined as never])("a pairing window of %j ms", async (durationMs) => {
  await using scenario = await Scenario.open();
  await using connector = await scenario.connector({ mode: "pair", pairingWindowMs: 1000 });
  await scenario.air.advance(2000);
  if (durationMs === undefined) connector.openPairingWindow();
  else expect(() => connector.openPairingWindow(durationMs as number)).toThrow("pairing window");
  expect(connector.pairingWindowOpen).toBe(durationMs === undefined);
});
