import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import {
  encodeCommand,
  encodeEvent,
  LeExtendedAdvertisingReport,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingResponseReport,
  LeSetExtendedAdvertisingData,
  LeSetPeriodicAdvertisingData,
} from "../hci/index.ts";
import { CaptureAnonymizer } from "./anonymous/capture-anonymizer.ts";
import { CaptureDecoder, type DecodedPacket, packetJson, packetText } from "./index.ts";

const TO = "host-to-controller";
const FROM = "controller-to-host";
const octets = (hex: string): Uint8Array => fromHex(hex);
const record = (packet: Uint8Array) =>
  ({ direction: packet[0] === 1 ? TO : FROM, packet, timeMs: 0, originalLength: packet.length, drops: 0 }) as const;

function decoded(...packets: (string | Uint8Array)[]): DecodedPacket[] {
  const decoder = new CaptureDecoder();
  return packets.map((packet) => decoder.decode(record(typeof packet === "string" ? fromHex(packet) : packet)));
}
const text = (...packets: (string | Uint8Array)[]): string => packetText(decoded(...packets).at(-1)!);

function anonymized(...packets: (string | Uint8Array)[]): string[] {
  const anonymizer = new CaptureAnonymizer();
  return packets.map((packet) => toHex(anonymizer.anonymize(record(typeof packet === "string" ? fromHex(packet) : packet)).packet));
}
const plain = (hex: string): string => hex.replaceAll(" ", "");

const REPORT = {
  eventType: 0x0001,
  addressType: 1,
  address: octets("6655443322d1"),
  primaryPhy: 1,
  secondaryPhy: 2,
  advertisingSid: 5,
  txPower: 127,
  rssi: -60,
  periodicAdvertisingInterval: 0,
  directAddressType: 0,
  directAddress: new Uint8Array(6),
  data: octets("020106"),
};
const MORE = 0x20;
const TRUNCATED = 0x40;
const report = (change: Partial<typeof REPORT>, hex: string): Uint8Array =>
  encodeEvent(LeExtendedAdvertisingReport, { reports: [{ ...REPORT, ...change, data: octets(hex) }] });

test.each([
  [
    "01 3620 19 01 1300 a00000 f00000 07 01 00 665544332211 00 7f 01 00 02 0f 01",
    "LeSetExtendedAdvertisingParameters advertisingHandle=0x01 advertisingEventProperties=0x13 (connectable, scannable, legacy) " +
      "primaryAdvertisingIntervalMin=160 (100 ms) primaryAdvertisingIntervalMax=240 (150 ms) primaryAdvertisingChannelMap=0x07 (37, 38, 39) " +
      "ownAddressType=1 (random) peerAddress=11:22:33:44:55:66/public advertisingFilterPolicy=0 advertisingTxPower=127 (no preference) " +
      "primaryAdvertisingPhy=1 (1M) secondaryAdvertisingMaxSkip=0 secondaryAdvertisingPhy=2 (2M) advertisingSid=15 scanRequestNotificationEnable=true",
  ],
  [
    "01 3720 0b 01 03 01 07 020106 03030d18",
    "LeSetExtendedAdvertisingData advertisingHandle=0x01 operation=3 (complete) fragmentPreference=1 (should not be fragmented) " +
      "advertisingData={flags=0x06 (general discoverable, no BR/EDR) serviceUuids=[180d (Heart Rate)]}",
  ],
  [
    "01 3920 06 01 01 00 f401 05",
    "LeSetExtendedAdvertisingEnable enable=true sets=[{advertisingHandle=0x00 duration=500 (5000 ms) maxExtendedAdvertisingEvents=5}]",
  ],
  [
    "01 4120 0d 01 01 05 01 6000 3000 00 6000 6000",
    "LeSetExtendedScanParameters ownAddressType=1 (random) scanningFilterPolicy=0x01 (Filter Accept List) scanningPhys=0x05 (1M, coded) " +
      "phys=[{scanType=1 (active) scanInterval=96 (60 ms) scanWindow=48 (30 ms)}, {scanType=0 (passive) scanInterval=96 (60 ms) scanWindow=96 (60 ms)}]",
  ],
  [
    "01 4220 06 01 02 0000 0800",
    "LeSetExtendedScanEnable enable=true filterDuplicates=2 (on, reset each period) duration=0 (no limit) period=8 (10240 ms)",
  ],
  ["01 7420 02 26 01", "LeSetHostFeature bitNumber=38 (Connection Subrating (Host Support)) bitValue=true"],
  [
    "04 3e 21 0d 01 3300 ff 000000000000 03 03 02 f4 c4 5000 fe 010203040541 07 020106 03030d18",
    "LeExtendedAdvertisingReport reports=[{eventType=0x33 (connectable, scannable, legacy), more to come addressType=255 (anonymous) " +
      "address=00:00:00:00:00:00/random primaryPhy=3 (coded) secondaryPhy=3 (coded) advertisingSid=2 txPower=-12 dBm rssi=-60 dBm " +
      "periodicAdvertisingInterval=80 (100 ms) directAddressType=254 (not resolved) directAddress=41:05:04:03:02:01/public " +
      "data={flags=0x06 (general discoverable, no BR/EDR) serviceUuids=[180d (Heart Rate)]}}]",
  ],
  [
    "04 3e 06 12 3c 01 4000 05",
    "LeAdvertisingSetTerminated status=Advertising Timeout (0x3c) advertisingHandle=0x01 connectionHandle=0x0040 numCompletedExtendedAdvertisingEvents=5",
  ],
  [
    "04 3e 10 0e 00 0200 05 00 665544332211 02 5000 07",
    "LePeriodicAdvertisingSyncEstablished status=Success (0x00) syncHandle=0x0002 advertisingSid=5 advertiserAddress=11:22:33:44:55:66/public " +
      "advertiserPhy=2 (2M) periodicAdvertisingInterval=80 (100 ms) advertiserClockAccuracy=7",
  ],
  [
    "04 3e 0e 25 0200 7f c4 ff 3412 ff 00 03 020106",
    "LePeriodicAdvertisingReportV2 syncHandle=0x0002 txPower=not available rssi=-60 dBm cteType=255 (none) periodicEventCounter=4660 " +
      "subevent=255 (none) dataStatus=0 (complete) data={flags=0x06 (general discoverable, no BR/EDR)}",
  ],
  [
    "04 3e 09 21 00 4000 00 04 7e 01 fd",
    "LeTransmitPowerReporting status=Success (0x00) connectionHandle=0x0040 reason=0 (local change) phy=4 (coded S=2) " +
      "txPowerLevel=126 (not managed) txPowerLevelFlag=0x01 (minimum) delta=-3 dB",
  ],
  ["04 3e 05 20 4000 ff 02", "LePathLossThreshold connectionHandle=0x0040 currentPathLoss=255 (not available) zoneEntered=2 (high)"],
  ["04 57 02 4000", "AuthenticatedPayloadTimeoutExpired connectionHandle=0x0040"],
  [
    "04 0e 0c 01 0320 00 0110000000000000",
    "CommandComplete LeReadLocalSupportedFeatures status=Success (0x00) leFeatures=0x1001 (LE Encryption, LE Extended Advertising)",
  ],
])("%s is told in words", (hex, expected) => {
  expect(text(hex)).toBe(expected);
});

test("a link that LeEnhancedConnectionCompleteV2 brings has a peer", () => {
  const [, packet] = decoded(
    "04 3e 22 29 00 4000 00 01 6655443322d1 000000000000 000000000000 1800 0000 c800 05 ff ffff",
    "02 4020 0700 0300 0400 0a0300",
  );
  expect(packet!.peer?.toString()).toBe("D1:22:33:44:55:66/random");
});

test("advertising data in pieces is put together with the last of them", () => {
  const name = "0c094a616e6527732070756d70"; // "Jane's pump"
  const packets = [
    report({ eventType: MORE }, `020106${name.slice(0, 8)}`),
    report({ eventType: MORE, address: octets("010203040506") }, "020104"), // of another advertiser
    report({ eventType: MORE }, name.slice(8, 20)),
    report({ eventType: 0 }, name.slice(20)),
    report({ eventType: 0, address: octets("010203040506") }, "03030d18"),
  ];
  const shown = decoded(...packets).map((packet) => (packet.fields.reports as Record<string, { fields?: unknown }>[])[0]!);
  expect(shown.map(({ data, wholeData }) => [data instanceof Uint8Array, wholeData?.fields])).toEqual([
    [true, undefined],
    [true, undefined],
    [true, undefined],
    [true, expect.objectContaining({ name: "Jane's pump", flags: 6 })],
    [true, expect.objectContaining({ flags: 4, serviceUuids: [expect.anything()] })],
  ]);
  expect(decoded(...packets).filter(({ malformed }) => malformed)).toEqual([]);
  expect(JSON.stringify(packetJson(decoded(...packets)[3]!))).toContain("Jane's pump");
});

test("pieces of commands follow their operation, and of a set each", () => {
  const set = (advertisingHandle: number, operation: number, hex: string): Uint8Array =>
    encodeCommand(LeSetExtendedAdvertisingData, { advertisingHandle, operation, fragmentPreference: 0, advertisingData: octets(hex) });
  const whole = (...packets: Uint8Array[]): unknown =>
    (decoded(...packets).at(-1)!.fields.wholeAdvertisingData as { bytes: Uint8Array } | undefined)?.bytes;
  expect(whole(set(1, 1, "0201"), set(2, 1, "ffff"), set(1, 0, "06"), set(1, 2, "020aff"))).toEqual(octets("020106020aff"));
  expect(whole(set(1, 1, "0201"), set(1, 1, "02"), set(1, 2, "0104"))).toEqual(octets("020104")); // begun anew
  // The beginning is not in the capture: octets, and nothing malformed.
  const [middle, last] = decoded(set(1, 0, "4a616e65"), set(1, 2, "4a616e65"));
  for (const packet of [middle!, last!]) {
    expect(packet.fields.advertisingData).toEqual(octets("4a616e65"));
    expect(packet.malformed).toBeUndefined();
  }
});

test("data that the controller has not received to its end is nobody's fault, unless it is", () => {
  const [cut, whole, wrong] = decoded(
    report({ eventType: TRUNCATED }, "0201060c09"),
    report({ eventType: TRUNCATED }, "020106"),
    report({}, "0c09"),
  );
  expect(cut!.malformed).toBeUndefined();
  expect(packetText(cut!)).toContain("data=0201060c09");
  expect(packetText(whole!)).toContain("data={flags=0x06");
  expect(wrong!.malformed).toContain("advertising data");
});

test("data in pieces is bounded, in length and in number", () => {
  const piece = "c8ff" + "00".repeat(198);
  const chain = Array.from({ length: 20 }, () => report({ eventType: MORE }, piece));
  expect(packetText(decoded(...chain, report({ eventType: 0 }, "020106")).at(-1)!).length).toBeLessThan(4000);
  const many = Array.from({ length: 70 }, (_, i) => report({ eventType: MORE, address: Uint8Array.of(i, 1, 1, 1, 1, 1) }, "0201"));
  const last = report({ eventType: 0, address: Uint8Array.of(0, 1, 1, 1, 1, 1) }, "020106");
  expect(packetText(decoded(...many, last).at(-1)!)).toContain("data={flags=0x06"); // its beginning was forgotten
});

test.each([
  ["LeSetAdvertisingSetRandomAddress", "01352007 01 6655443322d1", "01352007 01 0100000000c0"],
  [
    "LeSetExtendedAdvertisingParameters",
    "01362019 01 1300 a00000 f00000 07 01 01 6655443322d1 00 7f 01 00 02 0f 01",
    "01362019 01 1300 a00000 f00000 07 01 01 0100000000c0 00 7f 01 00 02 0f 01",
  ],
  ["LeSetExtendedAdvertisingData", "0137200d 01 03 01 09 020106 05094a616e65", "0137200d 01 03 01 09 020106 050978787878"],
  ["LeSetExtendedScanResponseData", "0138200a 01 03 01 06 05ff0601aabb", "0138200a 01 03 01 06 05ff06010000"],
  ["LeSetPeriodicAdvertisingData", "013f200a 01 03 07 0616 4a18 0102 03", "013f200a 01 03 07 0616 4a18 0000 00"],
  [
    "LeExtendedCreateConnection",
    "0143201a 00 01 01 6655443322d1 01 6000 3000 0600 0c00 0000 c800 0000 0000",
    "0143201a 00 01 01 0100000000c0 01 6000 3000 0600 0c00 0000 c800 0000 0000",
  ],
  ["LePeriodicAdvertisingCreateSync", "0144200e 00 05 01 6655443322d1 0000 0a00 00", "0144200e 00 05 01 0100000000c0 0000 0a00 00"],
  ["LeAddDeviceToPeriodicAdvertiserList", "01472008 01 6655443322d1 02", "01472008 01 0100000000c0 02"],
  ["LeRemoveDeviceFromPeriodicAdvertiserList", "01482008 01 6655443322d1 02", "01482008 01 0100000000c0 02"],
  ["LeSetPeriodicAdvertisingSubeventData", "0182200c 01 01 00 00 01 06 05094a616e65", "0182200c 01 01 00 00 01 06 050978787878"],
  ["LeSetPeriodicAdvertisingResponseData", "0183200e 0200 3412 00 00 01 06 05094a616e65", "0183200e 0200 3412 00 00 01 06 050978787878"],
  [
    "LeExtendedAdvertisingReport",
    "043e20 0d 01 0100 01 6655443322d1 01 02 05 7f c4 0000 01 010203040541 06 05094a616e65",
    "043e20 0d 01 0100 01 0100000000c0 01 02 05 7f c4 0000 01 020000000040 06 050978787878",
  ],
  [
    "LePeriodicAdvertisingSyncEstablished",
    "043e10 0e 00 0200 05 01 6655443322d1 02 5000 07",
    "043e10 0e 00 0200 05 01 0100000000c0 02 5000 07",
  ],
  [
    "LePeriodicAdvertisingSyncTransferReceivedV2",
    "043e18 26 00 4000 7856 0200 05 01 6655443322d1 02 5000 07 01 06 01 02",
    "043e18 26 00 4000 7856 0200 05 01 0100000000c0 02 5000 07 01 06 01 02",
  ],
  ["LeScanRequestReceived", "043e09 13 01 01 6655443322d1", "043e09 13 01 01 0100000000c0"],
  [
    "LeEnhancedConnectionCompleteV2",
    "043e22 29 00 4000 00 01 6655443322d1 010203040541 000000000000 1800 0000 c800 05 ff ffff",
    "043e22 29 00 4000 00 01 0100000000c0 020000000040 000000000000 1800 0000 c800 05 ff ffff",
  ],
  ["LePeriodicAdvertisingReport", "043e0e 0f 0200 7f c4 ff 00 06 05094a616e65", "043e0e 0f 0200 7f c4 ff 00 06 050978787878"],
  [
    "LePeriodicAdvertisingReportV2",
    "043e11 25 0200 7f c4 ff 3412 01 00 06 05094a616e65",
    "043e11 25 0200 7f c4 ff 3412 01 00 06 050978787878",
  ],
  [
    "LePeriodicAdvertisingResponseReport",
    "043e11 28 01 02 00 01 7f c4 ff 03 00 06 05094a616e65",
    "043e11 28 01 02 00 01 7f c4 ff 03 00 06 050978787878",
  ],
] as const)("anonymous: %s", (name, packet, expected) => {
  expect(decoded(packet)[0]!.name).toBe(name);
  expect(anonymized(packet)[0]).toBe(plain(expected));
});

/** Flags, service UUIDs, a name, an address, a value of a company, a class of device. */
const WHOLE = octets("020106 03030d18 0c094a616e6527732070756d70 0717aabbccddeeff 0bff06010102030405060708 030daa10");
const ANONYMOUS = "020106 03030d18 0c097878787878787878787878 0717#0bff06010000000000000000 030daa10";
const ADDRESS_AT = plain(ANONYMOUS).indexOf("#") / 2;

test("anonymous: data in pieces loses what whole data loses, wherever it is cut", () => {
  const dataOf = (packets: string[]): string => packets.map((hex) => hex.slice(2 * 29)).join("");
  const whole = plain(ANONYMOUS).replace("#", "0200000000c0"); // after the advertiser's own
  expect(dataOf(anonymized(report({ eventType: 0 }, toHex(WHOLE))))).toBe(whole);
  for (let first = 1; first < WHOLE.length; first++)
    for (const second of [first + 1, first + 5, WHOLE.length - 1]) {
      if (second <= first || second >= WHOLE.length) continue;
      const [one, two, three] = [WHOLE.subarray(0, first), WHOLE.subarray(first, second), WHOLE.subarray(second)].map(toHex);
      const shown = dataOf(
        anonymized(report({ eventType: MORE }, one!), report({ eventType: MORE }, two!), report({ eventType: 0 }, three!)),
      );
      const isCut = [first, second].some((cut) => cut > ADDRESS_AT && cut < ADDRESS_AT + 6);
      expect([first, second, shown]).toEqual([first, second, isCut ? plain(ANONYMOUS).replace("#", "000000000000") : whole]);
    }
});

test("anonymous: pieces of several advertisers, trains and slots do not mix", () => {
  const piece = (slot: number, dataStatus: number, hex: string): Uint8Array =>
    encodeEvent(LePeriodicAdvertisingResponseReport, {
      advertisingHandle: 1,
      subevent: 0,
      txStatus: 0,
      responses: [{ txPower: 0, rssi: 0, cteType: 0xff, responseSlot: slot, dataStatus, data: octets(hex) }],
    });
  const train = (syncHandle: number, dataStatus: number, hex: string): Uint8Array =>
    encodeEvent(LePeriodicAdvertisingReport, { syncHandle, txPower: 0, rssi: 0, cteType: 0xff, dataStatus, data: octets(hex) });
  const subevent = (number: number, dataStatus: number, hex: string): Uint8Array =>
    encodeEvent(LePeriodicAdvertisingReportV2, {
      syncHandle: 1,
      txPower: 0,
      rssi: 0,
      cteType: 0xff,
      periodicEventCounter: 0,
      subevent: number,
      dataStatus,
      data: octets(hex),
    });
  for (const [make, head] of [
    [piece, 14],
    [train, 11],
    [subevent, 14],
  ] as const)
    expect(
      anonymized(make(1, 1, "05094a61"), make(2, 1, "0201"), make(1, 0, "6e65"), make(2, 0, "06")).map((hex) => hex.slice(2 * head)),
    ).toEqual(["05097878", "0201", "7878", "06"]);
});

test("anonymous: a piece whose beginning is not there goes whole", () => {
  const periodic = (operation: number, hex: string): Uint8Array =>
    encodeCommand(LeSetPeriodicAdvertisingData, { advertisingHandle: 1, operation, advertisingData: octets(hex) });
  const shown = (packet: Uint8Array): string => anonymized(packet)[0]!.slice(2 * 7);
  expect(shown(periodic(0, "0201064a"))).toBe("00000000");
  expect(shown(periodic(2, "020106"))).toBe("000000");
  expect(shown(periodic(3, "020106"))).toBe("020106");
  expect(shown(periodic(1, "0201064a616e"))).toBe("0201064a6100"); // begins: its length and type are those of a structure
  // A report does not say that it continues: what does not look like a beginning goes.
  expect(anonymized(report({ eventType: 0 }, "0201064a616e"))[0]!.slice(2 * 29)).toBe("000000000000");
  expect(anonymized(report({ eventType: 0x10 }, "0201064a616e"))[0]!.slice(2 * 29)).toBe("020106000000"); // legacy data is whole
});

test("anonymous: after a packet that cannot be read nothing of the pieces behind it stays", () => {
  const first = report({ eventType: MORE }, "020106 0509".replaceAll(" ", ""));
  const unreadable = concat(report({ eventType: MORE }, "4a61").subarray(0, 20));
  unreadable[2] = 17;
  const last = report({ eventType: 0 }, "020106");
  expect(anonymized(first, unreadable, last)[2]!.slice(2 * 29)).toBe("000000");
});

test("anonymous: zeros end the data, and what is behind them goes, in the next piece too", () => {
  expect(anonymized(report({ eventType: MORE }, "020106004a"), report({ eventType: 0 }, "020106")).map((hex) => hex.slice(2 * 29))).toEqual(
    ["0201060000", "000000"],
  );
});
