import { describe, expect, test } from "vitest";
import { decodeOutOfBandData, encodeOutOfBandData, OutOfBandRole } from "../src/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

describe("data of a device, carried by a tag", () => {
  test("the central that has read it pairs protected, and the link is worth it on both sides", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const { central, peripheral } = await air.connectedPair();
    const data = peripheral.device.createOutOfBandData({ role: OutOfBandRole.OnlyPeripheral });
    expect(data.address!.equals(peripheral.device.identity)).toBe(true);
    const read = decodeOutOfBandData(encodeOutOfBandData(data));
    expect(await central.connection.pair({ outOfBand: read })).toMatchObject({ method: "out-of-band", authenticated: true, bonded: true });
    await air.advance(1000);
    const worth = { encrypted: true, authenticated: true, secureConnections: true, keySize: 16, bonded: true };
    expect([central.connection.security, peripheral.connection.security]).toEqual([worth, worth]);
    // It is used up, and a third one that has read the tag gets nothing by it.
    await expect(central.connection.pair({ outOfBand: read })).rejects.toMatchObject({ reason: 0x02, side: "peer" });
  });

  test("the peripheral has read the central's, in its policy, and asks for the pairing", async () => {
    await using air = new SimulatedAir({ seed: 2 });
    const { central, peripheral } = await air.connectedPair();
    const outOfBand = central.device.createOutOfBandData();
    expect(await peripheral.connection.pair({ outOfBand })).toMatchObject({ method: "out-of-band", secureConnections: true });
  });

  test("the next call takes the place of the data before, and their time passes", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    const first = peripheral.device.createOutOfBandData({ lifetimeMs: 5000 });
    const second = peripheral.device.createOutOfBandData({ lifetimeMs: 5000 });
    await expect(central.connection.pair({ outOfBand: first })).rejects.toMatchObject({ reason: 0x04 });
    await air.advance(6000);
    await expect(central.connection.pair({ outOfBand: second })).rejects.toMatchObject({ reason: 0x02 });
    const legacy = peripheral.device.createOutOfBandData({ temporaryKey: true });
    const { temporaryKey } = legacy;
    expect(await central.connection.pair({ outOfBand: { temporaryKey } })).toMatchObject({
      method: "out-of-band",
      secureConnections: false,
    });
  });

  test("what createOutOfBandData does not know is refused", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    const device = await air.device();
    for (const options of [{ lifetimeMs: 0 }, { lifetimeMs: 1e9 }, { role: 4 }, { temporaryKey: 1 }, { lifetime: 1 }])
      expect(() => device.createOutOfBandData(options as object), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: "ERR_ARGUMENT" }),
      );
    expect(device.createOutOfBandData()).toMatchObject({ role: OutOfBandRole.PeripheralPreferred });
    expect(device.createOutOfBandData().temporaryKey).toBeUndefined();
  });
});
