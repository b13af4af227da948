import { expect, test } from "vitest";
import { RawHost } from "../../test/support/raw-host.ts";
import { connectedPair, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { Address } from "../core/index.ts";
import { DEBUG_PRIVATE_KEY, P256KeyPair, reversed } from "../crypto/index.ts";
import {
  HciErrorCode,
  HostNumberOfCompletedPackets,
  LeDataLengthChange,
  LeGenerateDhKeyComplete,
  LeGenerateDhKeyV2,
  LeReadLocalP256PublicKey,
  LeReadLocalP256PublicKeyComplete,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeSetAdvertisingParameters,
  LeSetDataLength,
  ReadBdAddr,
} from "../hci/index.ts";
import { CommandCredits } from "./command-credits.ts";

const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };

test("directed advertising takes a public and a random target", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  for (const peerAddress of [Address.from("00:00:00:00:00:07"), Address.from("C0:00:00:00:00:07/random")])
    expect(
      await host.command(LeSetAdvertisingParameters, {
        advertisingIntervalMin: 160,
        advertisingIntervalMax: 160,
        advertisingType: 4,
        ownAddressType: 0,
        peerAddress,
        advertisingChannelMap: 7,
        advertisingFilterPolicy: 0,
      }),
    ).toEqual({ status: 0 });
  air[Symbol.dispose]();
});

test("a DHKey of the debug key where that is asked for, of the own key else; other kinds are invalid", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const peer = P256KeyPair.generate({ fill: (into) => into.fill(3) });
  const { x, y } = peer.publicKey;
  const ask = (keyType: number) => host.command(LeGenerateDhKeyV2, { keyXCoordinate: reversed(x), keyYCoordinate: reversed(y), keyType });
  const key = async (keyType: number) => {
    const made = host.event(LeGenerateDhKeyComplete);
    await ask(keyType);
    return reversed((await made).dhKey);
  };
  const debug = P256KeyPair.fromPrivateKey(Uint8Array.from(DEBUG_PRIVATE_KEY));
  expect(await ask(2)).toEqual(INVALID);
  expect(await ask(0)).toEqual(DISALLOWED); // there is no own key yet
  expect(await key(1)).toEqual(peer.dhKey(debug.publicKey));
  const own = await publicKeyOf(host);
  expect(await key(0)).toEqual(peer.dhKey(own));
  air[Symbol.dispose]();
});

test("one key is made at a time, of either kind", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air);
  const { x, y } = await publicKeyOf(host);
  const point = { keyXCoordinate: reversed(x), keyYCoordinate: reversed(y) };
  const made = host.event(LeReadLocalP256PublicKeyComplete);
  expect(await host.command(LeReadLocalP256PublicKey, {})).toEqual({ status: 0 });
  expect(await host.command(LeReadLocalP256PublicKey, {})).toEqual(DISALLOWED);
  expect(await host.command(LeGenerateDhKeyV2, { ...point, keyType: 1 })).toEqual(DISALLOWED);
  await made;
  expect(await host.command(LeGenerateDhKeyV2, { ...point, keyType: 1 })).toEqual({ status: 0 });
  air[Symbol.dispose]();
});

async function publicKeyOf(host: RawHost): Promise<{ x: Uint8Array; y: Uint8Array }> {
  const made = host.event(LeReadLocalP256PublicKeyComplete);
  await host.command(LeReadLocalP256PublicKey, {});
  const { keyXCoordinate, keyYCoordinate } = await made;
  return { x: reversed(keyXCoordinate), y: reversed(keyYCoordinate) };
}

test("features that the peer does not give are an error of the event, and those that both have are told", async () => {
  for (const isThere of [true, false]) {
    const pair = await connectedPair({ central: { features: { peripheralFeaturesExchange: isThere, le2M: false } } });
    const { peripheral, handles, air } = pair;
    const read = peripheral.event(LeReadRemoteFeaturesComplete);
    expect(await peripheral.command(LeReadRemoteFeatures, { connectionHandle: handles.peripheral })).toEqual({ status: 0 });
    const { status, connectionHandle, leFeatures } = await read;
    expect([status, connectionHandle]).toEqual([isThere ? 0 : HciErrorCode.UnsupportedRemoteFeature, handles.peripheral]);
    expect([leFeatures !== 0n, (leFeatures >> 8n) & 1n]).toEqual([isThere, 0n]);
    air[Symbol.dispose]();
  }
});

test("the data length in force is the lesser of what both want, and told where it changes", async () => {
  const { central, peripheral, handles, air, clock } = await connectedPair();
  const changes = [central.event(LeDataLengthChange), peripheral.event(LeDataLengthChange)] as const;
  await central.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: 100, txTime: 912 });
  const [atCentral, atPeripheral] = [await changes[0], await changes[1]];
  expect(atCentral).toMatchObject({ connectionHandle: handles.central, maxTxOctets: 100, maxTxTime: 912, maxRxOctets: 27, maxRxTime: 328 });
  expect(atPeripheral).toMatchObject({ connectionHandle: handles.peripheral, maxTxOctets: 27, maxRxOctets: 100, maxRxTime: 912 });
  const before = central.events.length;
  await central.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: 100, txTime: 912 });
  await clock.advance(1000);
  expect(central.events.slice(before).filter(({ name }) => name === "LeDataLengthChange")).toEqual([]);
  air[Symbol.dispose]();
});

test("a transport that was closed before does nothing to the host that came after it", async () => {
  const { air, clock } = makeAir();
  const { controller, host } = await makeHost(air);
  const old = host.transport;
  await old[Symbol.asyncDispose]();
  const next = await new RawHost(controller.transport, clock).start();
  await old[Symbol.asyncDispose]();
  expect((await next.command(ReadBdAddr, {})).bdAddr.equals(controller.address)).toBe(true);
  expect(next.closed).toBeUndefined();
  air[Symbol.dispose]();
});

test("command credits: one at first, then as many as granted, less what is under way; completed packets need none", () => {
  const credits = new CommandCredits(3);
  const opcode = 0x0c03;
  expect([credits.take(opcode), credits.take(opcode), credits.take(HostNumberOfCompletedPackets.opcode)]).toEqual([true, false, true]);
  expect(credits.grant()).toBe(2);
  expect([credits.take(opcode), credits.take(opcode), credits.take(opcode)]).toEqual([true, true, false]);
  credits.release(HostNumberOfCompletedPackets.opcode);
  expect(credits.grant()).toBe(0);
  for (let i = 0; i < 5; i++) credits.release(opcode);
  expect(credits.grant()).toBe(3);
  credits.take(opcode);
  credits.reset();
  expect([credits.take(opcode), credits.take(opcode)]).toEqual([true, false]);
});
