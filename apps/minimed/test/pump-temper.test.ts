import { delay } from "jelling/async";
import { AttOpcode } from "jelling/att";
import { toHex } from "jelling/bytes";
import type { Connection, Device } from "jelling/device";
import { IoCapability } from "jelling/smp";
import { describe, expect, test } from "vitest";
import { pairAdvertisement } from "../src/connector/advertising.ts";
import { mobileInformation } from "../src/connector/phone-database.ts";
import { PhoneServer } from "../src/connector/phone-server.ts";
import { ServiceUuid } from "../src/uuids.ts";
import { authenticatedPhone } from "./raw-phone.ts";
import { Scenario } from "./scenario.ts";

/** A phone made by hand, that may do what the connector never does. */
async function clumsyPhone(
  scenario: Scenario,
  { careLink = false, onSubscription = () => {} }: { careLink?: boolean; onSubscription?: () => void } = {},
): Promise<{ phone: Device; connected: Promise<Connection> }> {
  const phone = await scenario.air.device({ name: "clumsy phone", address: "random", gattServer: "empty", att: { mtu: 184 } });
  new PhoneServer(
    phone.gattServer,
    { name: "Mobile 2", careLink, information: mobileInformation("Mobile 2") },
    { isPump: () => true, onRead: () => {}, onSubscription, onWrite: () => {} },
  );
  const advertising = await phone.advertise({
    data: pairAdvertisement("Mobile 2"),
    intervalMs: 40,
    policy: { pairing: { ioCapability: IoCapability.NoInputNoOutput, secureConnections: false }, dataLength: "never" },
  });
  return { phone, connected: advertising.connection({ timeoutMs: 60_000 }) };
}

describe("what the simulated pump minds", () => {
  test("a PDU over 23 octets during its discovery makes it fall silent, and later leave", async () => {
    await using scenario = await Scenario.open();
    const { connected } = await clumsyPhone(scenario);
    const paired = scenario.pump.pairNewPhone();
    paired.catch(() => undefined);
    const connection = await connected;
    // What a host with its own MTU request does: 184 is agreed before the pump's discovery, and answers become long.
    expect(await connection.gatt.exchangeMtu()).toBe(184);
    const gone = await connection.closed;
    await expect(paired).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    expect(gone.reason).toBe(0x13);
    expect(scenario.said).toContainEqual(expect.stringMatching(/^falls silent: received an ATT PDU of \d+ octets$/));
    expect(scenario.pump.hasPhone).toBe(false);
  });

  test("a phone with the standard information service alone is refused", async () => {
    await using scenario = await Scenario.open();
    const { connected } = await clumsyPhone(scenario, { careLink: true });
    const paired = scenario.pump.pairNewPhone();
    await expect(paired).rejects.toMatchObject({ code: "ERR_PUMP_SERVICE_MISSING" });
    expect(await (await connected).closed).toMatchObject({ reason: 0x13 });
  });

  test("a notification that overtakes the response to the subscription ends the link with 0x13", async () => {
    await using scenario = await Scenario.open();
    let connection: Connection | undefined;
    const { phone, connected } = await clumsyPhone(scenario, {
      onSubscription: () => {
        const { valueHandle } = phone.gattServer.service(ServiceUuid.Sake)!.characteristics[0]!;
        connection!.att.channel.send(Uint8Array.of(AttOpcode.HandleValueNtf, valueHandle & 0xff, valueHandle >> 8, ...new Uint8Array(20)));
      },
    });
    const paired = scenario.pump.pairNewPhone();
    paired.catch(() => undefined);
    connection = await connected;
    expect(await connection.closed).toMatchObject({ reason: 0x13 });
    await expect(paired).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    expect(scenario.said).toContain("a notification came before the response to the subscription");
  });

  test("other connection parameters are refused", async () => {
    await using scenario = await Scenario.open();
    await using phone = await authenticatedPhone(scenario);
    await expect(phone.connection.updateParameters({ intervalMs: 50 })).rejects.toMatchObject({ status: 0x3b });
    expect(phone.connection.parameters.intervalMs).toBe(125);
  });

  test("forbidden writes are refused and counted; there is no GATT service", async () => {
    await using scenario = await Scenario.open();
    await using phone = await authenticatedPhone(scenario);
    const { gatt } = phone.connection;
    const start = await gatt.characteristic(0x181f, 0x2aaa);
    await expect(start.write(new Uint8Array(14))).rejects.toMatchObject({ errorCode: 0x03 });
    const recordAccess = await gatt.characteristic(0x181f, 0x2a52);
    await expect(recordAccess.write(Uint8Array.of(2, 1))).rejects.toMatchObject({ errorCode: 0x03 });
    expect(scenario.pump.forbiddenWrites).toBe(2);
    scenario.expectedRefusals = 2;
    expect(scenario.watch.offences.splice(0)).toHaveLength(2); // the watch sees them as well
    expect((await gatt.services()).map(({ uuid }) => uuid.text)).toEqual([
      "1800",
      "180a",
      "180f",
      "1805",
      "181f",
      ServiceUuid.InsulinDelivery.text,
    ]);
  });

  test("it pairs while its user lets it: the window bounds finding, connecting and pairing together, and nobody else opens it", async () => {
    await using scenario = await Scenario.open();
    // A phone that answers Pairing Request after the window has closed.
    const phone = await scenario.air.device({ name: "slow phone", address: "random", gattServer: "empty" });
    const advertising = await phone.advertise({
      data: pairAdvertisement("Mobile 4"),
      intervalMs: 40,
      policy: {
        pairing: { ioCapability: IoCapability.NoInputNoOutput, secureConnections: false },
        agent: {
          confirm: async () => {
            await delay(scenario.clock, 20_000);
            return true;
          },
          compare: () => Promise.resolve(false),
          enterPasskey: () => Promise.resolve(undefined),
          displayPasskey: () => {},
        },
      },
    });
    const connected = advertising.connection({ timeoutMs: 60_000 });
    const startMs = scenario.clock.now();
    await expect(scenario.pump.pairNewPhone({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(scenario.clock.now() - startMs).toBeLessThan(11_000);
    await (await connected).closed;
    expect(scenario.pump.hasPhone).toBe(false);
    for await (const bond of scenario.pump.device.bonds.all()) expect.fail(`a bond was made: ${bond.identity}`);
  });

  test("a phone's Security Request does not make it pair again", async () => {
    await using scenario = await Scenario.open();
    await using phone = await authenticatedPhone(scenario);
    const requests = (): number => scenario.air.trace("PairingRequest").filter(({ at }) => at === "pump").length;
    const before = requests();
    expect(before).toBe(1);
    const keys = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const bond of scenario.pump.device.bonds.all()) found.push(toHex(bond.peerLtk!.key));
      return found;
    };
    const known = await keys();
    void phone.connection.pair({ signal: AbortSignal.timeout(60_000) }).catch(() => undefined);
    await scenario.air.advance(5000);
    expect([requests(), await keys()]).toEqual([before, known]);
  });

  test("control points answer as the service says", async () => {
    await using scenario = await Scenario.open();
    await using phone = await authenticatedPhone(scenario);
    const { gatt } = phone.connection;
    const recordAccess = await gatt.characteristic(0x181f, 0x2a52);
    const handle = { value: recordAccess.valueHandle, cccd: (await recordAccess.descriptor(0x2902)).handle };
    await gatt.write(handle.cccd, Uint8Array.of(2, 0));
    const answers: string[] = [];
    using _ = gatt.onValue(({ value, indication }) => indication && answers.push([...value].join(" ")));
    await gatt.write(handle.value, Uint8Array.of(4, 1));
    await scenario.air.advance(1000);
    await gatt.write(handle.value, Uint8Array.of(7, 1));
    await scenario.air.advance(1000);
    await gatt.write(handle.value, Uint8Array.of(1, 9));
    await scenario.air.advance(1000);
    expect(answers[0]).toMatch(/^5 0 \d+ \d+$/);
    expect(answers).toContain("6 0 7 2");
    expect(answers).toContain("6 0 1 5");
    await gatt.write(handle.cccd, Uint8Array.of(0, 0));
    await expect(gatt.write(handle.value, Uint8Array.of(1, 6))).rejects.toMatchObject({ errorCode: 0xfd });
    const specificOps = await gatt.characteristic(0x181f, 0x2aac);
    expect(scenario.watch.offences.splice(0)).toHaveLength(3); // written by hand, and seen by the watch
    await expect(gatt.write(specificOps.valueHandle, new Uint8Array(6))).rejects.toMatchObject({ errorCode: 0x08 });
  });
});
