import fc from "fast-check";
import { expect, test } from "vitest";
import type { MgmtEventOf } from "../index.ts";
import { FoundDevices } from "./found-device.ts";

const event = (eirData: Uint8Array, more: Partial<MgmtEventOf<"deviceFound">> = {}): MgmtEventOf<"deviceFound"> => ({
  event: "deviceFound",
  index: 0,
  address: "00:00:00:00:AA:01",
  addressType: 1,
  rssi: -60,
  flags: 0,
  eirData,
  ...more,
});
const yes = (): boolean => true;
const octets = (...parts: number[][]): Uint8Array => Uint8Array.from(parts.flat());
const FLAGS = [2, 0x01, 0x06];
const NAME = [4, 0x09, 0x61, 0x62, 0x63];

test("whatever a device sends, it is found, and the same again is no news", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 63 }),
      (reports, flags) => {
        const devices = new FoundDevices(16);
        for (const report of reports) {
          const { device } = devices.add(event(report, { flags }), yes);
          expect(device.eirData).toBe(report);
          expect(device.data.structures.length).toBeGreaterThanOrEqual(0);
          expect(devices.add(event(report, { flags }), yes).news).toBe("none");
        }
      },
    ),
  );
});

test("an advertisement and its scan response are one device, in whatever order and form they come", () => {
  const forms = [octets(FLAGS), octets(NAME), octets(FLAGS, NAME)];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...forms), { minLength: 1, maxLength: 8 }), (reports) => {
      const devices = new FoundDevices(16);
      devices.add(event(octets(FLAGS)), yes);
      devices.add(event(octets(NAME)), yes);
      for (const report of reports) {
        const { device, news } = devices.add(event(report), yes);
        expect(news).toBe("none");
        expect(device.name).toBe("abc");
        expect(device.data.flags).toBe(6);
      }
    }),
  );
});

test("what a device says anew replaces what it has said of that", () => {
  const devices = new FoundDevices(16);
  const temperature = (value: number): number[] => [4, 0xff, 0xff, 0xff, value];
  devices.add(event(octets(FLAGS, temperature(20))), yes);
  devices.add(event(octets(NAME)), yes);
  const { device, news } = devices.add(event(octets(FLAGS, temperature(21))), yes);
  expect(news).toBe("change");
  expect(device.data.manufacturerData).toEqual([{ companyIdentifier: 0xffff, data: Uint8Array.of(21) }]);
  expect(device.name).toBe("abc");
});

test("in a crowd those heard longest ago are forgotten", () => {
  const devices = new FoundDevices(2);
  const at = (last: number) => devices.add(event(octets(FLAGS), { address: `00:00:00:00:AA:0${last}` }), yes).news;
  expect([at(1), at(2), at(1), at(3), at(1), at(2)]).toEqual(["device", "device", "none", "device", "none", "device"]);
});
