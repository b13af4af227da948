import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { parseAdStructures } from "./ad-structure.ts";
import { AdType } from "./ad-types.ts";
import { Advertisement, addressKey, addressKeyAt, createAdvertisement } from "./advertisement.ts";
import { AdvertisingData } from "./advertising-data.ts";
import { DuplicateFilter } from "./duplicate-filter.ts";
import { AdvertisingEventType, EXTENDED_REPORT } from "./report-layout.ts";

const address = Address.from("C0:11:22:33:44:55/random");
const data = AdvertisingData.from({ flags: 6, name: "pump", serviceUuids: ["180D"] }).bytes;

test("a report is read in place", () => {
  const packet = fromHex("043e1a0201 00 01 5544332211c0 0b 020106 0309aabb 03030d18 c4");
  const report = new Advertisement(packet, 5, packet.length);
  expect(report.address.toString()).toBe("C0:11:22:33:44:55/random");
  expect(report.rssiDbm).toBe(-60);
  expect(report.connectable && report.scannable && !report.directed).toBe(true);
  expect(report.data.buffer).toBe(packet.buffer);
  expect(report.flags).toBe(6);
  expect(report.hasService("180d")).toBe(true);
  expect(report.hasService(0x180f)).toBe(false);
});

test("a signal strength of 127 means there is none", () => {
  expect(createAdvertisement({ address }).rssiDbm).toBeUndefined();
  expect(createAdvertisement({ address, rssiDbm: -127 }).rssiDbm).toBe(-127);
});

test("a scan response is shown together with its advertisement", () => {
  const advertisement = { address, data };
  const scanResponse = {
    address,
    eventType: AdvertisingEventType.ScanResponse,
    data: AdvertisingData.from({ shortenedName: "other", appearance: 7 }).bytes,
  };
  expect(createAdvertisement(scanResponse).connectable).toBe(false);
  for (const merged of [
    createAdvertisement({ ...scanResponse, other: createAdvertisement(advertisement) }),
    createAdvertisement({ ...advertisement, other: createAdvertisement(scanResponse) }),
  ]) {
    expect(merged.connectable).toBe(true);
    expect(merged.name).toBe("pump");
    expect(merged.appearance).toBe(7);
    expect(merged.serviceUuids.map(String)).toEqual(["180d"]);
  }
});

test("a report taken out of a larger buffer can be kept in octets of its own", () => {
  const buffer = new Uint8Array(65_536);
  const small = createAdvertisement({ address, data, rssiDbm: -1 });
  buffer.set(small.data, 109);
  buffer.set(Uint8Array.of(0, 1, ...address.bytes, data.length), 100);
  const report = new Advertisement(buffer, 100, 110 + data.length);
  const kept = report.keep();
  expect(kept.data.buffer.byteLength).toBeLessThan(100);
  expect([kept.name, kept.address.toString()]).toEqual([report.name, report.address.toString()]);
  expect(small.keep()).toBe(small);
});

test("a private address shows the identity behind it where it resolves", () => {
  const identity = Address.from("00:11:22:33:44:55");
  const rpa = Address.from("4A:00:00:00:00:01/random");
  expect(createAdvertisement({ address: rpa, resolve: () => identity }).identity).toBe(identity);
  expect(createAdvertisement({ address: rpa, resolve: () => undefined }).identity).toBeUndefined();
  expect(createAdvertisement({ address, resolve: () => identity }).identity).toEqual(address);
});

test("address keys are equal exactly for equal addresses", () => {
  const arbitrary = fc
    .tuple(fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.constantFrom(0, 1))
    .map(([bytes, type]) => new Address(bytes, type));
  fc.assert(
    fc.property(arbitrary, arbitrary, (a, b) => {
      expect(Number.isSafeInteger(addressKey(a))).toBe(true);
      expect(addressKey(a) === addressKey(b)).toBe(a.equals(b));
      expect(addressKeyAt(Uint8Array.of(a.type + 2, ...a.bytes), 0)).toBe(addressKey(a));
    }),
  );
});

test("a duplicate is the same but for its signal strength", () => {
  const filter = new DuplicateFilter();
  const packet = fromHex("00 01 5544332211c0 02 aabb c4");
  const see = (at?: number, byData = true) => {
    const copy = packet.slice();
    if (at !== undefined) copy[at]! ^= 0x80;
    const isKnown = filter.has(copy, 0, copy.length, byData);
    if (!isKnown) filter.note(copy, 0, copy.length, byData);
    return isKnown;
  };
  expect(see()).toBe(false);
  expect(see()).toBe(true);
  expect(see(11)).toBe(true); // signal strength
  expect(see(10)).toBe(false); // data
  expect(see(0)).toBe(false); // event type
  expect(see(1)).toBe(false); // address type
  expect(see(2)).toBe(false); // address
  expect(see(undefined, false)).toBe(false); // another question
  expect(see(10, false)).toBe(true);
});

test("asking notes nothing, and what was noted can be taken back", () => {
  const filter = new DuplicateFilter();
  const packet = fromHex("00 01 5544332211c0 02 aabb c4");
  const has = () => filter.has(packet, 0, packet.length, true);
  expect([has(), has()]).toEqual([false, false]);
  filter.note(packet, 0, packet.length, true);
  expect(has()).toBe(true);
  filter.forget(packet.slice(), 0, packet.length, true);
  expect(has()).toBe(false);
  // What was asked about last is not taken for another report at another place of the same event.
  const two = fromHex("00 01 5544332211c0 00 c4 00 01 5544332211c1 00 c4");
  filter.has(two, 0, 10, true);
  filter.note(two, 10, 20, true);
  expect([filter.has(two, 0, 10, true), filter.has(two, 10, 20, true)]).toEqual([false, true]);
});

test("a full duplicate filter forgets the oldest", () => {
  const filter = new DuplicateFilter(2);
  const see = (octet: number) => {
    const isKnown = filter.has(Uint8Array.of(octet, 1, 2), 0, 3, true);
    filter.note(Uint8Array.of(octet, 1, 2), 0, 3, true);
    return isKnown;
  };
  expect([see(1), see(2), see(3)]).toEqual([false, false, false]);
  expect(see(3)).toBe(true);
  expect(see(1)).toBe(false);
});

test("a report is compared with another one in octets, wherever they lie, signal strength aside", () => {
  const octets = fromHex("00 01 5544332211c0 03 aabbcc c4");
  const packet = fromHex(`eeee ${"00 01 5544332211c0 03 aabbcc c4".replaceAll(" ", "")} ee`);
  const own = new Advertisement(packet, 2, packet.length - 1);
  const isSame = (change: (copy: Uint8Array) => void = () => {}) => {
    const copy = octets.slice();
    change(copy);
    return own.isSameAs(copy, 0, copy.length);
  };
  expect(isSame()).toBe(true);
  expect(isSame((copy) => (copy[copy.length - 1]! ^= 1))).toBe(true);
  for (let i = 0; i < octets.length - 1; i++) expect([i, isSame((copy) => (copy[i]! ^= 1))]).toEqual([i, false]);
  expect(own.isSameAs(octets, 0, octets.length - 1)).toBe(false);
  expect(own.isSameAs(packet, 2, packet.length - 1)).toBe(true);
});

test("an extended report is compared without signal strength and TX power, which lie in its middle", () => {
  for (let length = 0; length < 9; length++) {
    const octets = Uint8Array.from({ length: 24 + length }, (_, i) => (i === 23 ? length : i + 1));
    const packet = Uint8Array.of(9, 9, 9, ...octets, 9);
    const own = new Advertisement(packet, 3, packet.length - 1, undefined, undefined, EXTENDED_REPORT);
    const differing = [...octets.keys()].filter((i) => {
      const copy = octets.slice();
      copy[i]! ^= 0x80;
      return !own.isSameAs(copy, 0, copy.length);
    });
    expect(differing).toEqual([...octets.keys()].filter((i) => i !== 12 && i !== 13));
    expect(own.isSameAs(octets, 0, octets.length - 1)).toBe(false);
  }
});

test("manufacturer data are those of the structures, whatever the octets are", () => {
  const structure = fc.record({ length: fc.integer({ min: 0, max: 19 }), isOfMaker: fc.boolean(), body: fc.uint8Array({ maxLength: 19 }) });
  const octets = fc
    .array(structure, { maxLength: 8 })
    .map((all) =>
      Uint8Array.from(all.flatMap(({ length, isOfMaker, body }) => [length, isOfMaker ? 0xff : 0x08, ...body.subarray(1, length)])),
    );
  const plain = (bytes: Uint8Array) =>
    parseAdStructures(bytes)
      .structures.filter(({ type, data: { length } }) => type === AdType.ManufacturerSpecificData && length >= 2)
      .map(({ data: value }) => ({ companyIdentifier: value[0]! | (value[1]! << 8), data: value.slice(2) }));
  fc.assert(
    fc.property(octets, octets, (advertised, answered) => {
      const other = createAdvertisement({ address, eventType: AdvertisingEventType.ScanResponse, data: answered });
      const both = createAdvertisement({ address, data: advertised, other });
      expect(both.manufacturerData).toEqual([...plain(advertised), ...plain(answered)]);
      expect(both.advertisingData.manufacturerData).toEqual(plain(advertised));
    }),
  );
});

test("manufacturer data that were given away are the program's own: what it writes there nobody else reads", () => {
  const { bytes } = AdvertisingData.from({ manufacturerData: { companyIdentifier: 1, data: fromHex("02") } });
  const report = createAdvertisement({ address, data: bytes });
  report.manufacturerData[0]!.data[0] = 9;
  report.manufacturerData.pop();
  expect(report.manufacturerData).toEqual([{ companyIdentifier: 1, data: fromHex("02") }]);
});

test("without a scan response there is what the advertisement has, and nothing else", () => {
  const advertised = AdvertisingData.from({
    manufacturerData: { companyIdentifier: 1, data: fromHex("02") },
    serviceData: { uuid: 0x180f, data: fromHex("64") },
  }).bytes;
  const report = createAdvertisement({ address, data: advertised });
  expect(report.manufacturerData).toEqual([{ companyIdentifier: 1, data: fromHex("02") }]);
  expect(report.serviceData.map(({ uuid, data: octets }) => [uuid.toString(), ...octets])).toEqual([["180f", 0x64]]);
  expect([report.appearance, report.txPowerDbm, report.name, report.scanResponseData]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect([report.serviceUuids, report.solicitedServiceUuids, report.flags]).toEqual([[], [], 0]);
  const other = createAdvertisement({
    address,
    eventType: AdvertisingEventType.ScanResponse,
    data: AdvertisingData.from({
      manufacturerData: { companyIdentifier: 3, data: fromHex("04") },
      solicitedServiceUuids: ["1805"],
      txPowerDbm: 4,
    }).bytes,
  });
  const both = createAdvertisement({ address, data: advertised, other });
  expect(both.manufacturerData.map(({ companyIdentifier }) => companyIdentifier)).toEqual([1, 3]);
  expect([both.serviceData.length, both.solicitedServiceUuids.map(String), both.txPowerDbm]).toEqual([1, ["1805"], 4]);
});

test("what is noted a second time pushes nothing out", () => {
  const filter = new DuplicateFilter(2);
  const packets = [1, 2].map((octet) => Uint8Array.of(octet, 1, 2));
  for (const packet of [...packets, packets[1]!, packets[1]!.slice()]) filter.note(packet, 0, 3, true);
  expect(packets.map((packet) => filter.has(packet, 0, 3, true))).toEqual([true, true]);
});
