import fc from "fast-check";
import { expect, test } from "vitest";
import { isFull } from "../../test/support/left-out.ts";
import { createExtended, octets, setParameters } from "../../test/support/raw-extended.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { createSync, PERIODIC, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";
import { answer, feed, parameters, RESPONDING, startTrain } from "../../test/support/raw-responses.ts";
import { Address } from "../core/index.ts";
import {
  encodeCommand,
  LeAddDeviceToPeriodicAdvertiserList,
  LeCreateConnectionCancel,
  LeExtendedCreateConnectionV2,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LePeriodicAdvertisingSetInfoTransfer,
  LePeriodicAdvertisingSyncTransfer,
  LePeriodicAdvertisingTerminateSync,
  LeRemoveAdvertisingSet,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetHostChannelClassification,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingParametersV2,
  LeSetPeriodicAdvertisingReceiveEnable,
  LeSetPeriodicAdvertisingResponseData,
  LeSetPeriodicAdvertisingSubeventData,
  LeSetPeriodicSyncSubevent,
  Reset,
} from "../hci/index.ts";

const PEER = Address.from("00:00:00:00:00:02");
const range = { periodicAdvertisingIntervalMin: 80, periodicAdvertisingIntervalMax: 90, periodicAdvertisingProperties: 0x40 };
const listed = { advertiserAddressType: 0, advertiserAddress: PEER.bytes, advertisingSid: 6 };
const response = { requestEvent: 0, requestSubevent: 1, responseSubevent: 2, responseSlot: 1, responseData: octets(5) };
const data = { subevent: 1, responseSlotStart: 0, responseSlotCount: 4, subeventData: octets(9) };

/** Commands as a host sends them. */
const COMMANDS: readonly Uint8Array[] = [
  encodeCommand(LeSetExtendedAdvertisingParametersV2, setParameters({ primaryAdvertisingIntervalMin: 32 })),
  encodeCommand(LeSetPeriodicAdvertisingParameters, { advertisingHandle: 0, ...range }),
  encodeCommand(LeSetPeriodicAdvertisingParametersV2, parameters()),
  ...[0, 1, 2, 3, 4].map((operation) =>
    encodeCommand(LeSetPeriodicAdvertisingData, { advertisingHandle: 0, operation, advertisingData: octets(operation === 4 ? 0 : 200) }),
  ),
  ...[0, 1, 3].map((enable) => encodeCommand(LeSetPeriodicAdvertisingEnable, { enable, advertisingHandle: 0 })),
  encodeCommand(LeSetExtendedAdvertisingEnable, {
    enable: true,
    sets: [{ advertisingHandle: 0, duration: 0, maxExtendedAdvertisingEvents: 3 }],
  }),
  encodeCommand(LeSetPeriodicAdvertisingSubeventData, { advertisingHandle: 0, subevents: [data, { ...data, subevent: 2 }] }),
  encodeCommand(LeExtendedCreateConnectionV2, { advertisingHandle: 0, subevent: 1, ...createExtended(PEER) }),
  encodeCommand(LeCreateConnectionCancel, {}),
  encodeCommand(LeRemoveAdvertisingSet, { advertisingHandle: 0 }),
  encodeCommand(LeSetExtendedScanEnable, { enable: true, filterDuplicates: 0, duration: 0, period: 0 }),
  encodeCommand(LeAddDeviceToPeriodicAdvertiserList, listed),
  encodeCommand(LePeriodicAdvertisingCreateSync, createSync(PEER, { sid: 6 })),
  encodeCommand(LePeriodicAdvertisingCreateSync, createSync(PEER, { options: 1 })),
  encodeCommand(LePeriodicAdvertisingCreateSyncCancel, {}),
  encodeCommand(LeSetPeriodicSyncSubevent, { syncHandle: 0, periodicAdvertisingProperties: 0, subevents: [0, 1] }),
  encodeCommand(LeSetPeriodicAdvertisingResponseData, { syncHandle: 0, ...response }),
  encodeCommand(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle: 0, enable: 3 }),
  encodeCommand(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 }),
  encodeCommand(LePeriodicAdvertisingSyncTransfer, { connectionHandle: 1, serviceData: 0, syncHandle: 0 }),
  encodeCommand(LePeriodicAdvertisingSetInfoTransfer, { connectionHandle: 1, serviceData: 0, advertisingHandle: 0 }),
  encodeCommand(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, { mode: 2, skip: 0, syncTimeout: 20, cteType: 0 }),
  encodeCommand(LeSetHostChannelClassification, { channelMap: Uint8Array.of(0xff, 0, 0, 0, 1) }),
];

test("whatever a host makes of the periodic commands, the controller answers each once, and afterwards too", async () => {
  const { air, clock } = makeAir({ traceCapacity: 0 });
  const { host } = await makeHost(air, { ...RESPONDING, name: "fuzzed", numHciCommandPackets: 255 });
  const other = await makeHost(air, { ...RESPONDING, name: "other", address: PEER });
  feed(other.host, () => octets(4));
  await startTrain(other.host);
  const changed = fc.record({
    packet: fc.constantFrom(...COMMANDS),
    at: fc.nat(60),
    value: fc.constantFrom(undefined, undefined, undefined, 0, 1, 2, 3, 4, 6, 0x10, 0x7f, 0xff),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(changed, { maxLength: 16 }), async (list) => {
      for (const { packet, at, value } of list) {
        const sent = packet.slice();
        if (value !== undefined && sent.length > 4) sent[4 + (at % (sent.length - 4))] = value;
        await host.raw(sent, sent[1]! | (sent[2]! << 8));
        await clock.advance(at / 2);
      }
      expect(await host.command(Reset, {})).toEqual({ status: 0 });
      await host.start();
    }),
    { numRuns: isFull ? 300 : 30 },
  );
  air[Symbol.dispose]();
});

test("whatever arrives on a train, no controller minds, and it is followed again when that is over", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 12 }), fc.nat(255), async (pdus, seed) => {
      const { air, clock } = makeAir({ traceCapacity: 0, seed });
      const sender = await makeHost(air, { ...RESPONDING, name: "sender" });
      const plain = await makeHost(air, { ...PERIODIC, name: "plain" });
      const listener = await makeHost(air, { ...RESPONDING, name: "listener" });
      feed(sender.host, () => octets(4));
      await startTrain(sender.host);
      await startPeriodic(plain.host, { data: octets(400), enable: 3, interval: 40 });
      const { syncHandle } = await synchronize(listener.host, sender.controller.address, { sid: 6 });
      await synchronize(listener.host, plain.controller.address);
      await listener.host.command(LeSetPeriodicSyncSubevent, { syncHandle, periodicAdvertisingProperties: 0, subevents: [0, 2] });
      answer(listener.host, () => ({ slot: 1, data: octets(3) }));
      let left = pdus.length * 3;
      const hook = air.onPacket(({ pdu }) => {
        if (--left < 0) return undefined;
        const changed = pdus[left % pdus.length]!;
        const deliver = pdu.slice();
        if (left % 2) deliver.set(changed.subarray(0, Math.max(0, deliver.length - 2)), 2);
        return { deliver: left % 2 ? deliver : Uint8Array.of(pdu[0]!, changed.length, ...changed) };
      });
      await clock.advance(300);
      await sender.host.command(LeExtendedCreateConnectionV2, {
        advertisingHandle: 0,
        subevent: 2,
        ...createExtended(listener.controller.address),
      });
      await clock.advance(500);
      hook[Symbol.dispose]();
      const again = await makeHost(air, { ...PERIODIC, name: "again" });
      expect((await synchronize(again.host, sender.controller.address, { sid: 6 })).status).toBe(0);
      expect((await synchronize(again.host, plain.controller.address)).status).toBe(0);
      air[Symbol.dispose]();
    }),
    { numRuns: isFull ? 25 : 4 },
  );
});
