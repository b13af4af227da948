import { expect, test } from "vitest";
import { advertiseExtended, connectExtended, EXTENDED, reportsOf, scanExtended } from "../../test/support/raw-extended.ts";
import { advertise, createConnection, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import {
  Disconnect,
  DisconnectionComplete,
  HciErrorCode,
  LeConnectionComplete,
  LeCreateConnection,
  LeCreateConnectionCancel,
  LeEnhancedConnectionComplete,
  LeSetAdvertisingEnable,
  LeSetExtendedAdvertisingEnable,
} from "../hci/index.ts";

// Advertising that is switched off in the middle of an event: whoever is in an exchange with it is not left hanging.

const OFF = { enable: false, sets: [] };
const ON = { enable: true, sets: [{ advertisingHandle: 0, duration: 0, maxExtendedAdvertisingEvents: 0 }] };

test("switched off while CONNECT_IND is on its way: the link of the initiator fails, and it can go on", async () => {
  const { air, clock } = makeAir({ seed: 1 });
  const peripheral = await makeHost(air, { name: "peripheral" });
  const central = await makeHost(air, { name: "central" });
  let isOff = false;
  air.onPacket(({ pdu }) => {
    if (isOff || (pdu[0]! & 0x0f) !== 0) return undefined;
    isOff = true;
    clock.setTimer(0.2, "off", () => void peripheral.host.command(LeSetAdvertisingEnable, { advertisingEnable: false }));
    return undefined;
  });
  await advertise(peripheral.host);
  await central.host.command(LeCreateConnection, createConnection(peripheral.controller.address));
  const { connectionHandle } = await central.host.event(LeConnectionComplete);
  const end = await central.host.event(DisconnectionComplete);
  expect(end).toMatchObject({ connectionHandle, reason: HciErrorCode.ConnectionFailedToBeEstablished });
  expect(peripheral.host.all(LeConnectionComplete)).toEqual([]);
  await advertise(peripheral.host);
  expect((await central.host.command(LeCreateConnection, createConnection(peripheral.controller.address))).status).toBe(0);
  expect((await central.host.event(LeConnectionComplete)).status).toBe(0);
  air[Symbol.dispose]();
});

test("a set switched off while AUX_CONNECT_REQ or AUX_CONNECT_RSP is on its way: no link, and the initiator goes on", async () => {
  for (const delayMs of [0.2, 0.6]) {
    const { air, clock } = makeAir({ seed: 1 });
    const peripheral = await makeHost(air, { ...EXTENDED, name: "peripheral" });
    const central = await makeHost(air, { ...EXTENDED, name: "central" });
    let isOff = false;
    air.onPacket(({ channel }) => {
      if (isOff || channel > 36) return undefined;
      isOff = true;
      clock.setTimer(delayMs, "off", () => void peripheral.host.command(LeSetExtendedAdvertisingEnable, OFF));
      return undefined;
    });
    await advertiseExtended(peripheral.host, { advertisingEventProperties: 1 });
    expect(await connectExtended(central.host, peripheral.controller.address)).toBe(0);
    await clock.advance(1000);
    expect([isOff, central.host.all(LeEnhancedConnectionComplete), peripheral.host.all(LeEnhancedConnectionComplete)]).toEqual([
      true,
      [],
      [],
    ]);
    await peripheral.host.command(LeSetExtendedAdvertisingEnable, ON);
    const { status, connectionHandle } = await central.host.event(LeEnhancedConnectionComplete);
    expect(status).toBe(0);
    await central.host.command(Disconnect, { connectionHandle, reason: 0x13 });
    await central.host.event(DisconnectionComplete);
    expect(await connectExtended(central.host, peripheral.controller.address)).toBe(0);
    expect((await central.host.command(LeCreateConnectionCancel, {})).status).toBe(0);
    air[Symbol.dispose]();
  }
});

test("a set switched off in the middle of a chain: what was heard of it is truncated, not left open", async () => {
  const { air, clock } = makeAir({ seed: 1 });
  const advertiser = await makeHost(air, { ...EXTENDED, name: "advertiser" });
  const scanner = await makeHost(air, { ...EXTENDED, name: "scanner" });
  let count = 0;
  air.onPacket(({ channel }) => {
    if (channel < 37 && ++count === 1) clock.setTimer(0.5, "off", () => void advertiser.host.command(LeSetExtendedAdvertisingEnable, OFF));
    return undefined;
  });
  await advertiseExtended(advertiser.host, { data: new Uint8Array(700) });
  await scanExtended(scanner.host);
  await clock.advance(500);
  expect(reportsOf(scanner.host).map(({ eventType }) => eventType)).toEqual([0x20, 0x40]);
  air[Symbol.dispose]();
});

test("a controller pulled out in the middle of an exchange leaves nobody hanging", async () => {
  for (const who of ["peripheral", "central"] as const)
    for (const delayMs of [0.1, 0.3, 0.6, 1]) {
      const { air, clock } = makeAir({ seed: 1 });
      const hosts = {
        peripheral: await makeHost(air, { ...EXTENDED, name: "peripheral" }),
        central: await makeHost(air, { ...EXTENDED, name: "central" }),
      };
      air.onPacket(({ channel }) => {
        if (channel < 37) clock.setTimer(delayMs, "pulled", () => hosts[who].controller.remove());
        return undefined;
      });
      await advertiseExtended(hosts.peripheral.host, { advertisingEventProperties: 1 });
      await connectExtended(hosts.central.host, hosts.peripheral.controller.address);
      await clock.advance(3000);
      const left = who === "central" ? hosts.peripheral.host : hosts.central.host;
      const links = left.all(LeEnhancedConnectionComplete).length;
      expect(left.all(DisconnectionComplete)).toHaveLength(links); // whatever began has ended
      air[Symbol.dispose]();
    }
});
