import { expect, test } from "vitest";
import { Address } from "../src/core/address.ts";
import { MCUMGR_CHARACTERISTIC, MCUMGR_SERVICE, openBleLink, serveMcumgrOverGatt } from "../src/mcumgr/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { answerEach, message } from "./support/mcumgr-messages.ts";

// How an mcumgr link over BLE is opened where nobody answers, and what a peer gets that does not listen.

test("an address whose kind is said is never looked for; whoever was not found is named", async () => {
  await using air = new SimulatedAir({ seed: 31 });
  const central = await air.device({ name: "central" });
  const address = Address.from("C0:00:00:00:00:99/random");
  for (const target of [address, { address }, `${address}`, { address: `${address}` }])
    await expect(openBleLink(central, target, { timeoutMs: 4000 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      operation: `opening the mcumgr link to ${address}`,
    });
  expect(air.trace("LeSetScanEnable").length + air.trace("LeSetExtendedScanEnable").length).toBe(0);
  await expect(openBleLink(central, undefined, { timeoutMs: 500 })).rejects.toMatchObject({
    operation: "opening the mcumgr link to a device with an mcumgr server",
  });
  expect(air.trace("LeSetScanEnable").length + air.trace("LeSetExtendedScanEnable").length).toBeGreaterThan(0);
});

test("a device that is closed while it looks for the server ends the opening", async () => {
  await using air = new SimulatedAir({ seed: 32 });
  const central = await air.device({ name: "central" });
  const opening = openBleLink(central, "Nobody").catch((error: unknown) => error);
  await air.advance(100);
  await central.close();
  expect(await opening).toMatchObject({ code: "ERR_CLOSED" });
});

test("a peer that writes without listening is served, and gets no answer", async () => {
  await using air = new SimulatedAir({ seed: 33 });
  const { central, peripheral } = await air.connectedPair();
  const got: Uint8Array[] = [];
  serveMcumgrOverGatt(peripheral.device, {
    onLink: (link) => {
      answerEach(link);
      const answer = link.onMessage!;
      link.onMessage = (octets) => {
        got.push(octets);
        answer(octets);
      };
    },
  });
  const characteristic = await central.gatt.characteristic(MCUMGR_SERVICE, MCUMGR_CHARACTERISTIC);
  await characteristic.writeWithoutResponse(message(4));
  await air.advance(200);
  expect(got).toEqual([message(4)]);
  expect(peripheral.device.links.length).toBe(1);
});
