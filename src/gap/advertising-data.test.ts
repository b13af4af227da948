import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { Uuid } from "../core/uuid.ts";
import type { AdvertisingDataFields } from "./ad-fields.ts";
import { encodeAdStructures, parseAdStructures } from "./ad-structure.ts";
import { AdFlag, AdType } from "./ad-types.ts";
import { AdvertisingData } from "./advertising-data.ts";

const hex = (text: string) => fromHex(text);
const uuids = (...list: (string | number)[]) => list.map((uuid) => Uuid.from(uuid));

const VALUES: [name: string, fields: AdvertisingDataFields, hex: string][] = [
  ["nothing", {}, ""],
  ["flags", { flags: AdFlag.LeGeneralDiscoverable | AdFlag.BrEdrNotSupported }, "020106"],
  ["flags beyond the first octet", { flags: 0x0102 }, "03010201"],
  ["one 16-bit service", { serviceUuids: uuids("FE82") }, "030382fe"],
  ["an incomplete list", { incompleteServiceUuids: uuids("FE82", "180D") }, "050282fe0d18"],
  ["a 32-bit service", { serviceUuids: uuids("12345678") }, "050578563412"],
  ["a 128-bit service", { serviceUuids: uuids("6e400001-b5a3-f393-e0a9-e50e24dcca9e") }, "11079ecadc240ee5a9e093f3a3b50100406e"],
  ["services of every length", { serviceUuids: uuids("180D", "12345678") }, "03030d18 050578563412"],
  ["the statement that there is no service", { serviceUuids: [] }, "0103"],
  ["solicitation", { solicitedServiceUuids: uuids("1805") }, "03140518"],
  ["a 32-bit solicitation", { solicitedServiceUuids: uuids("12345678") }, "051f78563412"],
  ["the name", { name: "Mobile PB" }, "0a094d6f62696c65205042"],
  ["a shortened name", { shortenedName: "Mob" }, "04084d6f62"],
  ["a name beyond ASCII", { name: "Zähler" }, "08095ac3a4686c6572"],
  ["TX power", { txPowerDbm: -20 }, "020aec"],
  ["manufacturer data", { manufacturerData: [{ companyIdentifier: 0x01f9, data: hex("0041") }] }, "05fff9010041"],
  ["16-bit service data", { serviceData: [{ uuid: Uuid.from(0x180d), data: hex("2a") }] }, "04160d182a"],
  ["32-bit service data", { serviceData: [{ uuid: Uuid.from(0x12345678), data: hex("2a") }] }, "0620785634122a"],
  [
    "128-bit service data",
    { serviceData: [{ uuid: Uuid.from("6e400001-b5a3-f393-e0a9-e50e24dcca9e"), data: hex("") }] },
    "11219ecadc240ee5a9e093f3a3b50100406e",
  ],
  ["appearance", { appearance: 0x0340 }, "03194003"],
  ["a connection interval range", { connectionIntervalRange: { minMs: 7.5, maxMs: 4000 } }, "05120600800c"],
  ["half a connection interval range", { connectionIntervalRange: { maxMs: 20 } }, "0512ffff1000"],
  ["the advertising interval", { advertisingIntervalMs: 100 }, "031aa000"],
  ["a long advertising interval", { advertisingIntervalMs: 60_000 }, "042f007701"],
  ["a target address", { publicTargetAddresses: [Address.from("00:11:22:33:44:55")] }, "0717554433221100"],
  ["a random target address", { randomTargetAddresses: [Address.from("C0:11:22:33:44:55/random")] }, "07185544332211c0"],
  ["the device address", { deviceAddress: Address.from("C0:11:22:33:44:55/random") }, "081b5544332211c001"],
  ["a public device address", { deviceAddress: Address.from("C0:11:22:33:44:55") }, "081b5544332211c000"],
  ["the longest advertising interval", { advertisingIntervalMs: 0xff_ffff * 0.625 }, "042fffffff"],
  ["the shortest advertising interval", { advertisingIntervalMs: 20 }, "031a2000"],
  ["the role", { leRole: 2 }, "021c02"],
  ["a URI, as it is", { uri: hex("172f2f6578616d706c652e6f7267") }, "0f24172f2f6578616d706c652e6f7267"],
  ["LE features", { leSupportedFeatures: hex("21") }, "022721"],
  ["what has no field", { other: [{ type: AdType.MeshBeacon, data: hex("0011") }] }, "032b0011"],
];

describe.each(VALUES)("advertising data with %s", (_name, fields, text) => {
  const octets = hex(text);

  test("is built", () => {
    expect(toHex(AdvertisingData.from(fields).bytes)).toBe(toHex(octets));
  });

  test("is read", () => {
    const data = new AdvertisingData(octets);
    expect(data.problems).toEqual([]);
    expect(data.fields).toEqual(fields);
  });

  test("is read without failing wherever it is cut", () => {
    for (let length = 0; length < octets.length; length++) {
      const data = new AdvertisingData(octets.subarray(0, length));
      expect(() => data.fields).not.toThrow();
    }
  });
});

test("fields leave in the order they are written", () => {
  expect(toHex(AdvertisingData.from({ flags: 6, serviceUuids: ["FE82"], name: "Mobile PB" }).bytes)).toBe(
    "020106030382fe0a094d6f62696c65205042",
  );
  expect(toHex(AdvertisingData.from({ name: "A", flags: 6 }).bytes)).toBe("020941020106");
});

test("everything together reads back as it was said", () => {
  const data = AdvertisingData.from(
    {
      flags: 6,
      serviceUuids: ["180D", "180F", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"],
      manufacturerData: { companyIdentifier: 0xffff, data: hex("01") },
      serviceData: { uuid: 0x180f, data: hex("64") },
      name: "x",
      txPowerDbm: 4,
      appearance: 833,
    },
    255,
  );
  expect(data.flags).toBe(6);
  expect(data.serviceUuids.map(String)).toEqual(["180d", "180f", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"]);
  expect(data.manufacturerData).toEqual([{ companyIdentifier: 0xffff, data: hex("01") }]);
  expect(data.serviceData).toEqual([{ uuid: Uuid.from(0x180f), data: hex("64") }]);
  expect([data.name, data.txPowerDbm, data.appearance]).toEqual(["x", 4, 833]);
  expect(toHex(AdvertisingData.from(data.fields, 255).bytes)).toBe(toHex(data.bytes));
});

test("31 octets fit and 32 are refused with what takes how much", () => {
  expect(AdvertisingData.from({ name: "x".repeat(29) }).bytes).toHaveLength(31);
  expect(() => AdvertisingData.from({ flags: 6, name: "x".repeat(27) })).toThrow(
    "advertising data of 32 octets: at most 31 fit (Flags 3, CompleteLocalName 29)",
  );
  expect(() => AdvertisingData.from(new Uint8Array(32))).toThrow("advertising data of 32 octets: at most 31 fit");
});

test.each<[AdvertisingDataFields, string]>([
  [{ appearance: 0x10000 }, "appearance 65536: expected a whole number from 0 to 65535"],
  [{ txPowerDbm: 128 }, "TX power 128: expected a whole number from -127 to 127"],
  [{ flags: -1 }, "flags -1"],
  [{ connectionIntervalRange: { minMs: 5 } }, "connection interval 5 ms: expected 7.5 to 4000 ms"],
  [{ connectionIntervalRange: { minMs: 50, maxMs: 20 } }, "from 50 ms to 20 ms: expected the smaller one first"],
  [{ serviceUuids: ["18"] }, 'UUID "18": expected 4, 8 or 32 hexadecimal digits'],
  [{ manufacturerData: { companyIdentifier: -1, data: hex("") } }, "company identifier -1"],
  [{ advertisingIntervalMs: 1 }, "advertising interval 1 ms"],
  [{ colour: 1 } as AdvertisingDataFields, 'advertising data field "colour": expected one of flags, serviceUuids'],
])("%j is refused with what was expected", (fields, message) => {
  expect(() => AdvertisingData.from(fields)).toThrow(message);
  expect(() => AdvertisingData.from(fields)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("a length of zero ends the significant part; what follows is padding", () => {
  const data = new AdvertisingData(hex("020106 00 030382fe 0000"));
  expect(data.fields).toEqual({ flags: 6 });
  expect(data.problems).toEqual([]);
});

test("a length beyond the end ends the parse and is reported", () => {
  const data = new AdvertisingData(hex("020106 0a0941"));
  expect(data.fields).toEqual({ flags: 6 });
  expect(data.malformed).toBe(true);
  expect(data.problems).toEqual(["AD structure at offset 3: its length says 10, 2 octets follow"]);
});

test("a structure of a wrong length is reported and kept as it is", () => {
  const data = new AdvertisingData(hex("030a0102 021901 0416 0d18 00"));
  expect(data.txPowerDbm).toBeUndefined();
  expect(data.appearance).toBeUndefined();
  expect(data.serviceData).toEqual([{ uuid: Uuid.from(0x180d), data: hex("00") }]);
  expect(data.problems).toEqual(["TxPowerLevel of 2 octets has no such value", "Appearance of 1 octet has no such value"]);
  expect(data.fields.other).toHaveLength(2);
});

test("the whole UUIDs of a list with octets left over are read", () => {
  const data = new AdvertisingData(hex("06 03 0d18 0f18 ff"));
  expect(data.serviceUuids.map(String)).toEqual(["180d", "180f"]);
  expect(data.problems).toEqual(["CompleteServiceUuids16 of 5 octets: not a whole number of UUIDs"]);
});

test("flags without an octet are no flags", () => {
  expect(new AdvertisingData(hex("0101")).flags).toBe(0);
});

test("the first of two names counts, the complete one before the shortened one", () => {
  expect(new AdvertisingData(hex("020841 020942 020943")).name).toBe("B");
});

test("a name that is not UTF-8 is shown with replacement characters", () => {
  expect(new AdvertisingData(hex("0309c341")).name).toBe("\ufffdA");
});

test("any octets are read without failing, and their structures say the same again", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 255 }), (octets) => {
      const data = new AdvertisingData(octets);
      expect(Array.isArray(data.problems)).toBe(true);
      const { structures } = parseAdStructures(octets);
      const significant = encodeAdStructures(structures, 255);
      expect(toHex(octets.subarray(0, significant.length))).toBe(toHex(significant));
      AdvertisingData.from(data.fields, 1000);
    }),
  );
});

/** Octets with structures of the types that matter, of any length, with lengths that lie and padding among them. */
const arbitraryData = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .tuple(
            fc.constantFrom(
              ...[0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x12, 0x14, 0x15, 0x16, 0x19, 0x1f, 0x20, 0x21, 0xff],
            ),
            fc.oneof(
              fc.uint8Array({ maxLength: 36 }),
              fc.string({ maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
            ),
          )
          .map(([type, data]) => [data.length + 1, type, ...data]),
      },
      { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 4 }) },
    ),
    { maxLength: 8 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

test("what one field gives by a walk is what all fields decoded say, wherever in a larger array the data lie", () => {
  fc.assert(
    fc.property(arbitraryData, fc.nat(9), fc.nat(9), (octets, before, behind) => {
      const whole = new Uint8Array(before + octets.length + behind).fill(0xff);
      whole.set(octets, before);
      const walked = () => new AdvertisingData(whole, before, before + octets.length); // each asked for one field only
      const structures = parseAdStructures(octets).structures.map(({ type, data }) => ({ type, data: data.slice() }));
      const of = (...types: number[]) => structures.filter(({ type }) => types.includes(type));
      const { fields } = new AdvertisingData(octets);
      expect(walked().fields).toEqual(fields);
      expect([walked().flags, walked().completeName, walked().shortenedName]).toEqual([
        fields.flags ?? 0,
        fields.name,
        fields.shortenedName,
      ]);
      expect([walked().txPowerDbm, walked().appearance]).toEqual([fields.txPowerDbm, fields.appearance]);
      const manufacturer = of(0xff).filter(({ data }) => data.length >= 2);
      const told = manufacturer.map(({ data }) => ({ companyIdentifier: data[0]! | (data[1]! << 8), data: data.slice(2) }));
      expect(walked().manufacturerData).toEqual(told);
      expect(fields.manufacturerData ?? []).toEqual(told);
      const widths = (short: number, middle: number, long: number) =>
        new Map([
          [short, 2],
          [middle, 4],
          [long, 16],
        ]);
      const uuids = (types: Map<number, number>) =>
        of(...types.keys()).flatMap(({ type, data }) => {
          const width = types.get(type)!;
          return Array.from(
            { length: Math.floor(data.length / width) },
            (_, i) => Uuid.fromBytes(data.slice(i * width, (i + 1) * width)).text,
          );
        });
      const services = [...new Set([...uuids(widths(3, 5, 7)), ...uuids(widths(2, 4, 6))])];
      expect(walked().serviceUuids.map(String)).toEqual(services);
      expect([...(fields.serviceUuids ?? []), ...(fields.incompleteServiceUuids ?? [])].map(String)).toEqual([
        ...uuids(widths(3, 5, 7)),
        ...uuids(widths(2, 4, 6)),
      ]);
      expect(walked().solicitedServiceUuids.map(String)).toEqual([...new Set(uuids(widths(0x14, 0x1f, 0x15)))]);
      for (const text of services) expect(walked().hasService(text)).toBe(true);
      for (const text of ["180d", "0000180e", "00112233-4455-6677-8899-aabbccddeeff"])
        expect(walked().hasService(text)).toBe(services.includes(Uuid.from(text).text));
      const data = widths(0x16, 0x20, 0x21);
      const toldOfServices = of(...data.keys()).flatMap(({ type, data: each }) => {
        const width = data.get(type)!;
        return each.length < width ? [] : [[Uuid.fromBytes(each.slice(0, width)).text, each.slice(width)]];
      });
      expect(walked().serviceData.map((each) => [each.uuid.text, each.data])).toEqual(toldOfServices);
    }),
  );
});

test("a service is found whatever the length its UUID comes in, and no other is taken for it", () => {
  const base = "fb349b5f8000008000100000"; // of the base UUID, little-endian
  expect(new AdvertisingData(hex(`1107${base}0d180000`)).hasService("180D")).toBe(true);
  expect(new AdvertisingData(hex("05050d180000")).hasService(0x180d)).toBe(true);
  expect(new AdvertisingData(hex("03020d18")).hasService("0000180d-0000-1000-8000-00805f9b34fb")).toBe(true);
  expect(new AdvertisingData(hex("05050d180100")).hasService(0x180d)).toBe(false);
  expect(new AdvertisingData(hex("03140d18")).hasService(0x180d)).toBe(false); // solicited
  expect(new AdvertisingData(hex("03030d18")).hasService("0000180d-0000-1000-8000-00805f9b34fc")).toBe(false);
  expect(new AdvertisingData(hex(`1107${base}0d180000`)).hasService("1234180d")).toBe(false);
});

test("the octets that a field gives belong to who asked", () => {
  const data = new AdvertisingData(hex("05ff01000203 06160d18010203"));
  data.manufacturerData[0]!.data[0] = 9;
  data.serviceData[0]!.data[0] = 9;
  data.first(0xff)![0] = 9;
  expect([data.manufacturerData, data.serviceData.map((each) => [...each.data])]).toEqual([
    [{ companyIdentifier: 1, data: hex("0203") }],
    [[1, 2, 3]],
  ]);
});

test("what is right is not malformed", () => {
  expect(new AdvertisingData(hex("020106")).malformed).toBe(false);
  expect(AdvertisingData.empty.malformed).toBe(false);
});

test("of the last octet of a device address only the lowest bit counts; another length is no address", () => {
  expect(new AdvertisingData(hex("081b5544332211c0fe")).fields.deviceAddress).toEqual(Address.from("C0:11:22:33:44:55"));
  expect(new AdvertisingData(hex("081b5544332211c0ff")).fields.deviceAddress).toEqual(Address.from("C0:11:22:33:44:55/random"));
  for (const text of ["071b5544332211c0", "091b5544332211c00000"]) {
    const data = new AdvertisingData(hex(text));
    expect([data.fields.deviceAddress, data.malformed]).toEqual([undefined, true]);
  }
});

test("an advertising interval below 20 ms is none", () => {
  const data = new AdvertisingData(hex("031a1f00"));
  expect([data.fields.advertisingIntervalMs, data.malformed]).toEqual([undefined, true]);
});

test("structures have a type of one octet and at most 254 octets of data", () => {
  const encode = (type: number, length: number) => encodeAdStructures([{ type, data: new Uint8Array(length) }], 1000);
  expect(encode(0, 254)).toHaveLength(256);
  expect(toHex(encode(255, 1))).toBe("02ff00");
  for (const [type, length] of [
    [255, 255],
    [256, 1],
    [-1, 1],
    [1.5, 1],
  ] as const)
    expect(() => encode(type, length)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  expect(() => encodeAdStructures([{ type: 1, data: new Uint8Array(30) }])).toThrow("advertising data of 32 octets");
  expect(encodeAdStructures([{ type: 1, data: new Uint8Array(29) }])).toHaveLength(31);
});

const random = Address.from("C0:11:22:33:44:55/random");
const fixed = Address.from("C0:11:22:33:44:55");
test.each<[string, AdvertisingDataFields, string]>([
  ["a text for a list", { serviceUuids: "180D" as never }, "service UUIDs: expected an array"],
  ["a random address among public ones", { publicTargetAddresses: [random] }, "expected public addresses"],
  ["a public address among random ones", { randomTargetAddresses: [fixed] }, "expected random addresses"],
  ["a text for an address", { deviceAddress: "C0:11:22:33:44:55" as never }, "device address: expected an Address"],
  ["an interval too short", { advertisingIntervalMs: 19 }, "expected 20 to 10485759 ms"],
  ["an interval too long", { advertisingIntervalMs: 10_485_760 }, "expected 20 to 10485759 ms"],
  ["a text for an interval", { advertisingIntervalMs: "20" as never }, "advertising interval"],
  ["no octets", { uri: "http" as never }, "uri"],
  ["a role of two octets", { leRole: 256 }, "LE role 256"],
  ["flags of five octets", { flags: 0x1_0000_0000 }, "flags 4294967296"],
  ["an unknown option", { manufacturerData: { companyIdentifier: 1, data: hex(""), company: 2 } as never }, "company"],
  ["a company of three octets", { manufacturerData: { companyIdentifier: 0x1_0000, data: hex("") } }, "company identifier 65536"],
  ["a TX power too low", { txPowerDbm: -128 }, "TX power -128"],
  ["a structure of a type too large", { other: [{ type: 256, data: hex("") }] }, "AD type 256"],
  ["the smaller interval last", { connectionIntervalRange: { minMs: 20, maxMs: 19 } }, "expected the smaller one first"],
  ["a field of every object", { toString: 1 } as never, 'field "toString"'],
])("%s is refused", (_what, fields, message) => {
  expect(() => AdvertisingData.from(fields)).toThrow(message);
  expect(() => AdvertisingData.from(fields)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("where ranges begin and end", () => {
  const built = (fields: AdvertisingDataFields) => toHex(AdvertisingData.from(fields).bytes);
  expect(built({ advertisingIntervalMs: 0xffff * 0.625 })).toBe("031affff");
  expect(built({ advertisingIntervalMs: 0x10000 * 0.625 })).toBe("042f000001");
  expect(built({ flags: 0xff00ff00 })).toBe("050100ff00ff");
  expect(built({ flags: 0x010000 })).toBe("0401000001");
  expect(built({ flags: 0 })).toBe("020100");
  expect(built({ txPowerDbm: -127 })).toBe("020a81");
  expect(built({ txPowerDbm: 127 })).toBe("020a7f");
  expect(built({ connectionIntervalRange: { minMs: 20, maxMs: 20 } })).toBe("051210001000");
  expect(built({ name: undefined, flags: 6 } as AdvertisingDataFields)).toBe("020106");
});

test.each([
  ["0512050006 00", "below 7.5 ms"],
  ["05120600 810c", "above 4 s"],
  ["0512 0700 0600", "the smaller one last"],
  ["0412060006", "of three octets"],
])("a connection interval range %s (%s) is none", (text) => {
  const data = new AdvertisingData(hex(text));
  expect([data.fields.connectionIntervalRange, data.malformed]).toEqual([undefined, true]);
});

test("a connection interval range with one end open, or both, is one", () => {
  const range = (text: string) => new AdvertisingData(hex(text)).fields.connectionIntervalRange;
  expect([range("0512ffff0600"), range("05120600ffff"), range("0512ffffffff"), range("051206000600")]).toEqual([
    { maxMs: 7.5 },
    { minMs: 7.5 },
    {},
    { minMs: 7.5, maxMs: 7.5 },
  ]);
});

test("what is said in a Buffer of Node's is copied, however short, and is no Buffer afterwards", () => {
  const octets = Buffer.from(hex("04ff ffff07"));
  const data = AdvertisingData.from(octets);
  const read = new AdvertisingData(octets);
  octets.fill(0);
  expect(toHex(data.bytes)).toBe("04ffffff07");
  for (const { manufacturerData, bytes, structures } of [data, read])
    for (const each of [manufacturerData[0]!.data, bytes, structures[0]!.data]) expect(each.constructor).toBe(Uint8Array);
  read.manufacturerData[0]!.data.fill(9);
  expect(toHex(read.bytes)).toBe("04ffffff07");
});
