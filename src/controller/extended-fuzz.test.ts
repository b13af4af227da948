import fc from "fast-check";
import { expect, test } from "vitest";
import { isFull } from "../../test/support/left-out.ts";
import {
  advertiseExtended,
  connectExtended,
  createExtended,
  EXTENDED,
  scanExtended,
  setParameters,
} from "../../test/support/raw-extended.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { Address } from "../core/index.ts";
import {
  encodeCommand,
  LeAddDeviceToResolvingList,
  LeClearAdvertisingSets,
  LeCreateConnectionCancel,
  LeEnhancedConnectionComplete,
  LeExtendedCreateConnection,
  LeRemoveAdvertisingSet,
  LeSetAddressResolutionEnable,
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
  LeSetPrivacyMode,
  LeSetResolvablePrivateAddressTimeout,
  Reset,
} from "../hci/index.ts";

const PEER = Address.from("00:00:00:00:00:02");
const RANDOM = Address.from("C0:00:00:00:00:07/random");
const of = { scanType: 1, scanInterval: 16, scanWindow: 16 };
const set = (handle: number) => ({ advertisingHandle: handle, duration: 3, maxExtendedAdvertisingEvents: 2 });

/** Commands as a host sends them. */
const COMMANDS: readonly Uint8Array[] = [
  ...[0, 1, 2, 4, 5, 0x10, 0x12, 0x13, 0x15, 0x1d, 0x20].map((advertisingEventProperties) =>
    encodeCommand(LeSetExtendedAdvertisingParametersV2, setParameters({ advertisingEventProperties, primaryAdvertisingIntervalMin: 32 })),
  ),
  ...[0, 1, 2, 3, 4].map((operation) =>
    encodeCommand(LeSetExtendedAdvertisingData, {
      advertisingHandle: 0,
      operation,
      fragmentPreference: 0,
      advertisingData: new Uint8Array(operation === 4 ? 0 : 60),
    }),
  ),
  encodeCommand(LeSetExtendedScanResponseData, {
    advertisingHandle: 0,
    operation: 3,
    fragmentPreference: 0,
    scanResponseData: new Uint8Array(30),
  }),
  encodeCommand(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 0, randomAddress: RANDOM }),
  encodeCommand(LeSetExtendedAdvertisingEnable, { enable: true, sets: [set(0)] }),
  encodeCommand(LeSetExtendedAdvertisingEnable, { enable: true, sets: [set(0), set(1)] }),
  encodeCommand(LeSetExtendedAdvertisingEnable, { enable: false, sets: [] }),
  encodeCommand(LeRemoveAdvertisingSet, { advertisingHandle: 0 }),
  encodeCommand(LeClearAdvertisingSets, {}),
  encodeCommand(LeSetExtendedScanParameters, { ownAddressType: 0, scanningFilterPolicy: 0, scanningPhys: 5, phys: [of, of] }),
  encodeCommand(LeSetExtendedScanEnable, { enable: true, filterDuplicates: 1, duration: 1, period: 0 }),
  encodeCommand(LeExtendedCreateConnection, createExtended(PEER, { phys: 7 })),
  encodeCommand(LeCreateConnectionCancel, {}),
  encodeCommand(LeAddDeviceToResolvingList, {
    peerIdentityAddress: PEER,
    peerIrk: new Uint8Array(16).fill(1),
    localIrk: new Uint8Array(16).fill(2),
  }),
  encodeCommand(LeSetPrivacyMode, { peerIdentityAddress: PEER, privacyMode: 1 }),
  encodeCommand(LeSetAddressResolutionEnable, { addressResolutionEnable: true }),
  encodeCommand(LeSetResolvablePrivateAddressTimeout, { rpaTimeout: 1 }),
];

test("whatever a host makes of the extended commands, the controller answers each once, and afterwards too", async () => {
  const { air, clock } = makeAir({ traceCapacity: 0 });
  const { host } = await makeHost(air, { ...EXTENDED, name: "fuzzed", numHciCommandPackets: 255 });
  const other = await makeHost(air, { ...EXTENDED, name: "other", address: PEER });
  await advertiseExtended(other.host, { advertisingEventProperties: 1, primaryAdvertisingIntervalMin: 32 });
  const changed = fc.record({
    packet: fc.constantFrom(...COMMANDS),
    at: fc.nat(60),
    value: fc.constantFrom(undefined, undefined, 0, 1, 2, 3, 4, 0x10, 0x13, 0x20, 0x7f, 0xff),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(changed, { maxLength: 12 }), async (list) => {
      for (const { packet, at, value } of list) {
        const sent = packet.slice();
        // The header stays: a length that lies is a test of its own.
        if (value !== undefined && sent.length > 4) sent[4 + (at % (sent.length - 4))] = value;
        await host.raw(sent, sent[1]! | (sent[2]! << 8));
        await clock.advance(at / 2);
      }
      expect(await host.command(Reset, {})).toEqual({ status: 0 });
      await host.start();
    }),
    { numRuns: isFull ? 200 : 40 },
  );
  air[Symbol.dispose]();
});

test("whatever arrives on the advertising channels, no controller minds, and an attempt still comes to its end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 12 }), fc.nat(255), async (pdus, seed) => {
      const { air, clock } = makeAir({ traceCapacity: 0, seed });
      const advertiser = await makeHost(air, { ...EXTENDED, name: "advertiser" });
      const scanner = await makeHost(air, { ...EXTENDED, name: "scanner" });
      const initiator = await makeHost(air, { ...EXTENDED, name: "initiator" });
      let left = pdus.length * 3;
      const hook = air.onPacket(({ pdu }) => {
        if (--left < 0) return undefined;
        const other = pdus[left % pdus.length]!;
        const deliver = pdu.slice();
        // Another beginning of the same packet, which keeps its type, or another packet.
        if (left % 2) deliver.set(other.subarray(0, Math.max(0, deliver.length - 2)), 2);
        return { deliver: left % 2 ? deliver : Uint8Array.of(pdu[0]!, other.length, ...other) };
      });
      await advertiseExtended(advertiser.host, {
        advertisingEventProperties: 1,
        data: new Uint8Array(20),
        primaryAdvertisingIntervalMin: 32,
      });
      await advertiseExtended(advertiser.host, { advertisingHandle: 1, data: new Uint8Array(400), primaryAdvertisingIntervalMin: 32 });
      await advertiseExtended(advertiser.host, {
        advertisingHandle: 2,
        advertisingEventProperties: 2,
        scanResponse: new Uint8Array(300),
        primaryAdvertisingIntervalMin: 32,
      });
      await scanExtended(scanner.host, { active: true });
      await connectExtended(initiator.host, advertiser.controller.address);
      await clock.advance(300);
      hook[Symbol.dispose]();
      await clock.advance(1500);
      const ends = initiator.host.all(LeEnhancedConnectionComplete);
      expect(ends.map(({ status }) => status)).toEqual([0]);
      air[Symbol.dispose]();
    }),
    { numRuns: isFull ? 25 : 5 },
  );
});
