import { expect, test, vi } from "vitest";
import { delay } from "../src/async/clock.ts";
import { AttError } from "../src/att/error.ts";
import { AttErrorCode } from "../src/att/error-code.ts";
import { NO_SECURITY } from "../src/att/security.ts";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { ClosedError } from "../src/core/error.ts";
import type { CharacteristicDefinition, GattPeer, GattRequest } from "../src/gatt/index.ts";
import { GattServer, gapService, gattService } from "../src/gatt/index.ts";
import { BONDED } from "./support/gatt-pair.ts";
import { ask, raw, serverWith, text } from "./support/raw-client.ts";

const VENDOR = "00000900-0000-1000-0000-009132591325";
const VENDOR_HEX = "25135932910000000010000000090000";

/** The database of a phone as the pump wants it. */
function phone(): GattServer {
  const server = new GattServer();
  server.addService(gapService({ name: "Phone", centralAddressResolution: true }));
  server.addService(gattService({ robustCaching: false }));
  server.addService({ uuid: VENDOR, characteristics: [{ uuid: 0x2a29, properties: ["read"], value: text("Google") }] });
  server.addService({
    uuid: 0xfe82,
    characteristics: [{ uuid: "0000fe82-0000-1000-0000-009132591325", properties: ["write", "notify"] }],
  });
  return server;
}

// --- discovery --------------------------------------------------------------------------------------------------------------------

test("handles follow the order of the definition, the CCCD directly behind the value", () => {
  const server = phone();
  expect(server.services.map(({ handle, endHandle }) => [handle, endHandle])).toEqual([
    [1, 7],
    [8, 11],
    [12, 14],
    [15, 18],
  ]);
  const sake = server.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325");
  expect([sake?.handle, sake?.valueHandle, sake?.cccdHandle]).toEqual([16, 17, 18]);
});

test("GATT/SR/GAD/BV-01-C: primary services in groups of equal length", () => {
  using pair = raw(phone());
  expect(ask(pair, "100100ffff0028")).toEqual(["110601000700001808000b000118"]);
  expect(ask(pair, "100c00ffff0028")).toEqual([`11140c000e00${VENDOR_HEX}`]);
  expect(ask(pair, "100f00ffff0028")).toEqual(["11060f00120082fe"]);
  expect(ask(pair, "101300ffff0028")).toEqual(["011013000a"]);
  expect(ask(pair, "100100ffff0128")).toEqual(["011001000a"]); // no secondary services
  expect(ask(pair, "100100ffff0328")).toEqual(["0110010010"]); // not a group
  expect(ask(pair, "100000ffff0028")).toEqual(["0110000001"]);
  expect(ask(pair, "1005000400 0028")).toEqual(["0110050001"]);
});

test("GATT/SR/GAD/BV-02-C: primary services by UUID, 16 and 128 bits", () => {
  using pair = raw(phone());
  expect(ask(pair, "060100ffff002882fe")).toEqual(["070f001200"]);
  expect(ask(pair, `060100ffff0028${VENDOR_HEX}`)).toEqual(["070c000e00"]);
  expect(ask(pair, "061300ffff002882fe")).toEqual(["010613000a"]);
  expect(ask(pair, "060100ffff00280a18")).toEqual(["010601000a"]);
  expect(ask(pair, "060100ffff0028")).toEqual(["010601000a"]); // an empty value is no UUID
  // A 16-bit UUID in its 128-bit form is the same UUID (Vol 3 Part B 2.5.1).
  expect(ask(pair, "060100ffff0028fb349b5f80000080001000000018 0000")).toEqual(["0701000700"]);
  expect(ask(pair, "060100ffff0028fb349b5f800000800010000082fe 0000")).toEqual(["070f001200"]);
  expect(ask(pair, "060100ffff0028fb349b5f800000800010000082fe 0100")).toEqual(["010601000a"]); // a 32-bit UUID
  expect(ask(pair, `060100ffff292a${toHex(text("Google"))}`)).toEqual(["070e000e00"]); // any readable value, itself its group's end
});

test("a 16-bit UUID is the same in 2 and in 16 octets: as a type, as a service's value, in a characteristic's declaration", () => {
  const server = new GattServer();
  const long = (uuid: string): string => `fb349b5f80000080001000 00${uuid}0000`.replaceAll(" ", "");
  const battery = server.addService({ uuid: "0000180f-0000-1000-8000-00805f9b34fb", primary: false, characteristics: [] });
  server.addService({ uuid: 0xff10, includes: [battery], characteristics: [{ uuid: 0x2a19, properties: ["read"], value: hex("0f18") }] });
  server.addService({ uuid: VENDOR, characteristics: [{ uuid: VENDOR, properties: ["read"] }] });
  using pair = raw(server);
  expect(ask(pair, `060100ffff0028${long("10ff")}`, "060100ffff002810ff")).toEqual(["0702000500", "0702000500"]);
  expect(ask(pair, `060100ffff0128${long("0f18")}`, "060100ffff01280f18")).toEqual(["0701000100", "0701000100"]);
  expect(ask(pair, `060100ffff0328020500${long("192a")}`, "060100ffff0328020500192a")).toEqual(["0704000400", "0704000400"]);
  expect(ask(pair, `060100ffff0228010001 00${long("0f18")}`, "060100ffff0228010001000f18")).toEqual(["0703000300", "0703000300"]);
  // Another service, another property, another handle, another length; and a characteristic's value is octets and no UUID.
  for (const value of [
    `0028${long("11ff")}`,
    `0328080500${long("192a")}`,
    `0328020600${long("192a")}`,
    "002810ff00",
    `0028${long("10ff")}00`,
    `192a${long("0f18")}`,
  ])
    expect(ask(pair, `060100ffff${value}`)).toEqual(["010601000a"]);
  expect(ask(pair, `060100ffff0028${VENDOR_HEX}`, `060100ffff0028${VENDOR_HEX.replace("09", "08")}`)).toEqual(["0706000800", "010601000a"]);
  expect(ask(pair, `100100ffff${long("0028")}`, `080100ffff${long("0328")}`)).toEqual([
    "11060200050010ff",
    "0907040002050019 2a".replace(" ", ""),
  ]);
});

test("GATT/SR/GAD/BV-03-C: included services, with and without their UUID", () => {
  const server = new GattServer();
  const battery = server.addService({ uuid: 0x180f, primary: false, characteristics: [] });
  const vendor = server.addService({ uuid: VENDOR, primary: false, characteristics: [] });
  server.addService({ uuid: 0x1812, includes: [battery, vendor], characteristics: [] });
  using pair = raw(server);
  expect(ask(pair, "080100ffff0228")).toEqual(["09080400010001000f18"]);
  expect(ask(pair, "080500ffff0228")).toEqual(["0906050002000200"]);
  expect(ask(pair, "0a0200")).toEqual([`0b${VENDOR_HEX}`]);
  expect(() => server.removeService(battery)).toThrow(/included/);
});

test("GATT/SR/GAD/BV-04-C: characteristic declarations", () => {
  using pair = raw(phone());
  expect(ask(pair, "0801000700 0328")).toEqual(["09070200020300002a0400020500012a0600020700a62a"]);
  expect(ask(pair, "080f001200 0328")).toEqual(["0915100018110025135932910000000010000082fe0000"]);
  expect(ask(pair, "080200020 00028")).toEqual(["010802000a"]);
});

test("GATT/SR/GAD/BV-06-C: Find Information ends where the size of UUIDs changes", () => {
  using pair = raw(phone());
  expect(ask(pair, "041000ffff")).toEqual(["050110000328"]);
  expect(ask(pair, "041100ffff")).toEqual(["0502110025135932910000000010000082fe0000"]);
  expect(ask(pair, "041200ffff")).toEqual(["050112000229"]);
  expect(ask(pair, "041300ffff")).toEqual(["010413000a"]);
  expect(ask(pair, "0401000000")).toEqual(["0104010001"]);
});

test("Read By Type collects values of one length and reads 128-bit types too", () => {
  using pair = raw(phone());
  expect(ask(pair, "080100ffff0229")).toEqual(["09040b00000012000000"]);
  expect(ask(pair, "080100ffff002a")).toEqual([`09070300${toHex(text("Phone"))}`]);
  // 0x2A29 in its 128-bit form
  expect(ask(pair, "080100ffff fb349b5f8000008000100000292a0000")).toEqual([`09080e00${toHex(text("Google"))}`]);
  expect(ask(pair, "080100ffff ffff")).toEqual(["010801000a"]);
});

test("whatever was negotiated, no answer is longer than the policy allows", async () => {
  using pair = raw(phone(), { serverPolicy: { mtu: 184, maxTxPdu: 23 } });
  expect(ask(pair, "02b800")).toEqual(["03b800"]);
  expect(pair.serverBearer.mtu).toBe(184);
  const answers = ask(
    pair,
    "040100ffff",
    "080100ffff0328",
    "100100ffff0028",
    "060100ffff0028",
    "0a0300",
    "0c03000000",
    "200300050007000300",
  );
  await delay(pair.clock, 1);
  for (const pdu of pair.serverChannel.sent) expect(pdu.length).toBeLessThanOrEqual(23);
  expect(answers[0]).toBe("050101000028020003280300002a040003280500012a");
  const sake = pair.server.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325");
  ask(pair, "1212000100");
  void sake?.notify(new Uint8Array(100));
  expect(pair.serverChannel.sent.at(-1)).toHaveLength(23);
});

test("with a larger MTU answers fill it", () => {
  using pair = raw(phone(), { serverPolicy: { mtu: 100 } });
  ask(pair, "02b800");
  expect(ask(pair, "040100ffff")[0]).toHaveLength(2 * (2 + 16 * 4));
});

// --- reading ----------------------------------------------------------------------------------------------------------------------

test("GATT/SR/GAR/BV-01-C, BI-01-C to BI-05-C: reading, and every refusal", () => {
  const open: CharacteristicDefinition = { uuid: 0x2a19, properties: ["read"], value: Uint8Array.of(99) };
  using pair = raw(
    serverWith(
      open,
      { uuid: 0x2a1a, properties: ["write"] },
      { ...open, permissions: { read: "encrypted" } },
      { ...open, permissions: { read: "authenticated" } },
      { ...open, permissions: { read: { encrypted: true, minKeySize: 16 } } },
      { ...open, permissions: { read: { secureConnections: true } } },
    ),
  );
  const [plain, unreadable, encrypted, authenticated, longKey, modern] = ["0300", "0500", "0700", "0900", "0b00", "0d00"];
  expect(ask(pair, `0a${plain}`)).toEqual(["0b63"]);
  expect(ask(pair, "0aff00")).toEqual(["010aff0001"]);
  expect(ask(pair, "0a0000")).toEqual(["010a000001"]);
  expect(ask(pair, `0a${unreadable}`)).toEqual([`010a${unreadable}02`]);
  for (const handle of [encrypted, authenticated, longKey, modern]) expect(ask(pair, `0a${handle}`)).toEqual([`010a${handle}05`]);
  // Both have a key, and it is not in use: Insufficient Encryption (Vol 3 Part C 10.3.1).
  pair.secure({ ...NO_SECURITY, bonded: true });
  expect(ask(pair, `0a${encrypted}`)).toEqual([`010a${encrypted}0f`]);
  using known = raw(pair.server, { peer: { bonded: true } });
  expect(ask(known, `0a${encrypted}`)).toEqual([`010a${encrypted}0f`]);
  pair.secure({ encrypted: true, authenticated: false, secureConnections: false, keySize: 7, bonded: false });
  expect(ask(pair, `0a${encrypted}`)).toEqual(["0b63"]);
  expect(ask(pair, `0a${authenticated}`)).toEqual([`010a${authenticated}05`]);
  expect(ask(pair, `0a${longKey}`)).toEqual([`010a${longKey}0c`]);
  expect(ask(pair, `0a${modern}`)).toEqual([`010a${modern}05`]);
  expect(ask(pair, "080700ffff192a")).toEqual(["0903070063"]); // ends before the one that is refused
  expect(ask(pair, "080900ffff192a")).toEqual(["0108090005"]); // and refuses it as the first
  pair.secure(BONDED);
  for (const handle of [encrypted, authenticated, longKey, modern]) expect(ask(pair, `0a${handle}`)).toEqual(["0b63"]);
});

test("Insufficient Authorization, unless the peer's user agrees", async () => {
  const definition: CharacteristicDefinition = {
    uuid: 0x2a19,
    properties: ["read", "write", "write-without-response"],
    value: Uint8Array.of(1),
    permissions: { read: "authorized", write: "authorized" },
  };
  for (const [authorize, expected] of [
    [undefined, ["010a030008", "0112030008", "0116030008"]],
    [() => false, ["010a030008", "0112030008", "0116030008"]],
    [() => Promise.reject(new Error("no answer")), ["010a030008", "0112030008", "0116030008"]],
    [async () => true, ["0b01", "13", "170300000004"]],
  ] as const) {
    const peer: Partial<GattPeer> = authorize ? { authorize } : {};
    using pair = raw(serverWith(definition), { peer });
    const answers: string[] = [];
    for (const request of ["0a0300", "12030002", "160300000004"]) {
      ask(pair, request);
      await delay(pair.clock, 1);
      answers.push(toHex(pair.serverChannel.sent.at(-1)!));
    }
    expect(answers).toEqual(expected);
  }
});

test("GATT/SR/GAR/BV-04-C, BI-13-C: Read Blob, and an offset past the end", () => {
  const value = Uint8Array.from({ length: 44 }, (_, i) => i);
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], value }));
  expect(ask(pair, "0a0300")).toEqual([`0b${toHex(value.slice(0, 22))}`]);
  expect(ask(pair, "0c03001600")).toEqual([`0d${toHex(value.slice(22))}`]);
  expect(ask(pair, "0c03002c00")).toEqual(["0d"]);
  expect(ask(pair, "0c03002d00")).toEqual(["010c030007"]);
  expect(ask(pair, "0cff002d00")).toEqual(["010cff0001"]);
});

test("a value that a handler gives is the same for all parts of one long read", () => {
  let reads = 0;
  const read = (): Uint8Array => new Uint8Array(22).fill(++reads);
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["read"], read }));
  expect(ask(pair, "0a0300", "0c03001600")).toEqual([`0b${"01".repeat(22)}`, "0d"]);
  expect(reads).toBe(1);
  expect(ask(pair, "0a0300", "0c03000a00")).toEqual([`0b${"02".repeat(22)}`, `0d${"02".repeat(12)}`]);
});

test("GATT/SR/GAR/BV-05-C: Read Multiple, and its variable form", async () => {
  using pair = raw(
    serverWith(
      { uuid: 0x2a19, properties: ["read"], value: hex("0102") },
      { uuid: 0x2a1a, properties: ["read"], read: async () => new Uint8Array(30).fill(3) },
      { uuid: 0x2a1b, properties: ["write"] },
    ),
  );
  const later = async (request: string): Promise<string> => {
    ask(pair, request);
    await delay(pair.clock, 1);
    return toHex(pair.serverChannel.sent.at(-1)!);
  };
  expect(await later("0e03000500")).toBe(`0f0102${"03".repeat(20)}`);
  expect(await later("2003000500")).toBe(`210200 0102 1e00${"03".repeat(16)}`.replaceAll(" ", ""));
  expect(await later("2005000300")).toBe(`211e00${"03".repeat(20)}`);
  expect(await later("0e03000700")).toBe("010e070002");
  expect(await later("0e03000900")).toBe("010e090001");
  expect(await later("0e0300")).toBe("010e000004");
  expect(await later("0e030003")).toBe("010e000004");
});

// --- writing ----------------------------------------------------------------------------------------------------------------------

test("GATT/SR/GAW/BV-03-C, BV-01-C: writing with and without a response, and every refusal", () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write", "write-without-response"], value: hex("0102"), maxLength: 4 },
    { uuid: 0x2a1a, properties: ["read"], value: hex("01") },
    { uuid: 0x2a1b, properties: ["write", "write-without-response"], permissions: { write: "encrypted" } },
    { uuid: 0x2a1c, properties: ["read", "write"], value: hex("01020304"), fixedLength: true },
  );
  using pair = raw(server);
  const characteristic = server.characteristic(0x180f, 0x2a19)!;
  expect(ask(pair, "120300aabbcc")).toEqual(["13"]);
  expect(toHex(characteristic.value)).toBe("aabbcc");
  expect(ask(pair, "120300")).toEqual(["13"]);
  expect(characteristic.value).toHaveLength(0);
  expect(ask(pair, "1203000102030405")).toEqual(["011203000d"]);
  expect(ask(pair, "1205000a")).toEqual(["0112050003"]);
  expect(ask(pair, "12ff000a")).toEqual(["0112ff0001"]);
  expect(ask(pair, "1207000a")).toEqual(["0112070005"]);
  expect(ask(pair, "1209")).toEqual(["0112000004"]);
  expect(ask(pair, "120900ff")).toEqual(["13"]);
  expect(ask(pair, "0a0900")).toEqual(["0bff020304"]);
  expect(ask(pair, "1209000102030405")).toEqual(["011209000d"]);
  // Commands are never answered, whatever becomes of them.
  expect(ask(pair, "520300ee", "520500ee", "52ff00ee", "520700ee", "52030001020304 05", "5203", "52", "d203000102")).toEqual([]);
  expect(toHex(characteristic.value)).toBe("ee");
});

test("a handler takes the value and refuses with its own code; anything else it throws is Unlikely Error", async () => {
  const written: string[] = [];
  const write = (value: Uint8Array, { operation }: GattRequest): void | Promise<void> => {
    written.push(`${operation} ${toHex(value)}`);
    if (value[0] === 0x80) throw new AttError(0x80);
    if (value[0] === 0x81) return Promise.reject(new AttError({ errorCode: 0x81, requestOpcode: 0x12, attributeHandle: 0x77 }));
    if (value[0] === 0x82) throw new Error("a bug");
    if (value[0] === 0x83) return Promise.resolve();
  };
  using pair = raw(serverWith({ uuid: 0x2a19, properties: ["write", "write-without-response"], write }));
  for (const request of ["12030001", "12030080", "12030081", "12030082", "12030083", "52030083", "52030080"]) {
    ask(pair, request);
    await delay(pair.clock, 1);
  }
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "0112030080", "0112030081", "011203000e", "13"]);
  expect(written).toEqual(["write 01", "write 80", "write 81", "write 82", "write 83", "command 83", "command 80"]);
  expect(pair.log).toEqual(["test: a GATT handler failed: Error: a bug"]);
});

test("a handler that takes 29 s is answered for, and told", async () => {
  let signal: AbortSignal | undefined;
  let finish: (() => void) | undefined;
  using pair = raw(
    serverWith({
      uuid: 0x2a19,
      properties: ["write"],
      write: (_value, request) => {
        signal = request.signal;
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    }),
  );
  ask(pair, "12030001");
  await pair.clock.advance(28_999);
  expect(pair.serverChannel.sent).toEqual([]);
  await pair.clock.advance(1);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["011203000e"]);
  expect(signal?.reason).toMatchObject({ code: "ERR_TIMEOUT" });
  finish?.();
  await delay(pair.clock, 1);
  expect(pair.serverChannel.sent).toHaveLength(1);
});

test("commands run one after the other while a request is being answered, and a flood is dropped", async () => {
  const order: number[] = [];
  using pair = raw(
    serverWith(
      {
        uuid: 0x2a19,
        properties: ["write-without-response"],
        write: async (value) => {
          await delay(pair.clock, 10);
          order.push(value[0]!);
        },
      },
      { uuid: 0x2a1a, properties: ["read"], read: () => new Promise(() => {}) },
    ),
  );
  ask(pair, "0a0500");
  for (let i = 0; i < 100; i++) ask(pair, `520300${i.toString(16).padStart(2, "0")}`);
  await pair.clock.advance(2000);
  expect(order).toEqual(Array.from({ length: 65 }, (_, i) => i));
  expect(pair.serverChannel.sent).toEqual([]);
});

test("GATT/SR/GAW/BV-05-C, BV-06-C: prepared writes are echoed, joined and written in order", () => {
  const written: string[] = [];
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write"], value: hex("000000000000") },
    {
      uuid: 0x2a1a,
      properties: ["write"],
      write: (value, { offset, operation }) => void written.push(`${operation} ${offset} ${toHex(value)}`),
    },
  );
  using pair = raw(server);
  expect(ask(pair, "1603000000aabb")).toEqual(["1703000000aabb"]);
  expect(ask(pair, "1603000200cc", "1605000000 01", "1605000100 02")).toHaveLength(3);
  expect(server.characteristic(0x180f, 0x2a19)?.value).toHaveLength(6);
  expect(ask(pair, "1801")).toEqual(["19"]);
  expect(ask(pair, "0a0300")).toEqual(["0baabbcc"]);
  expect(written).toEqual(["execute 0 0102"]);
  expect(ask(pair, "1801")).toEqual(["19"]); // nothing queued
  ask(pair, "1603000000dd");
  expect(ask(pair, "1800", "1801")).toEqual(["19", "19"]);
  expect(ask(pair, "1603000100ee", "1801", "0a0300")).toEqual(["1703000100ee", "19", "0baaeecc"]);
  expect(ask(pair, "1802")).toEqual(["0118000004"]);
});

test("GATT/SR/GAW/BI-12-C and others: what is wrong with a prepared write shows when it is executed, and nothing is written", () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["read", "write"], value: hex("0102"), maxLength: 4 },
    { uuid: 0x2a1a, properties: ["read", "write"], value: hex("05") },
    {
      uuid: 0x2a1b,
      properties: ["write"],
      write: () => {
        throw new AttError(0x85);
      },
    },
    { uuid: 0x2a1c, properties: ["read"], value: hex("00") },
  );
  using pair = raw(server);
  expect(ask(pair, "1603000300ff")).toEqual(["1703000300ff"]);
  expect(ask(pair, "1801")).toEqual(["0118030007"]);
  expect(ask(pair, "1605000000ee", "160300020003040506", "1801").at(-1)).toBe("011803000d");
  expect(ask(pair, "1605000000ee", "1607000000ff", "1801").at(-1)).toBe("0118070085");
  expect(ask(pair, "0a0300", "0a0500")).toEqual(["0b0102", "0b05"]);
  expect(ask(pair, "1609000000ff", "16ff000000ff", "160300")).toEqual(["0116090003", "0116ff0001", "0116000004"]);
  expect(ask(pair, "1801")).toEqual(["19"]);
});

test("a full prepare queue says so and keeps what it has", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "write"], value: hex("00") });
  using pair = raw(server);
  const answers = Array.from({ length: 129 }, () => ask(pair, "160300000001")[0]);
  expect(new Set(answers.slice(0, 128))).toEqual(new Set(["170300000001"]));
  expect(answers[128]).toBe("0116030009");
  expect(ask(pair, "1801")).toEqual(["19"]);
  expect(ask(pair, "160300000001")).toEqual(["170300000001"]);
});

test("prepared writes to a service that was removed meanwhile are out of sync", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["write"], value: hex("00") });
  using pair = raw(server);
  ask(pair, "160300000001");
  server.removeService(server.services[0]!);
  expect(ask(pair, "1801")).toEqual(["0118030012"]);
});

test("PDUs of a wrong length are Invalid PDU, at every length", () => {
  using pair = raw(phone());
  const requests = [
    "040100ffff",
    "060100ffff0028",
    "080100ffff0028",
    "0a0300",
    "0c03000000",
    "0e03000500",
    "100100ffff0028",
    "120300",
    "1603000000",
    "1801",
  ];
  for (const request of requests)
    for (let length = 1; length < request.length / 2; length++) {
      const cut = request.slice(0, 2 * length);
      const [answer] = ask(pair, cut);
      const isWhole = cut.startsWith("0e") && length === 5;
      if (!isWhole) expect(answer, cut).toBe(`01${cut.slice(0, 2)}000004`);
    }
  expect(ask(pair, "0a030000", "0c0300000000", "080100ffff002800", "19", "1b0300")).toEqual(["010a000004", "010c000004", "0108000004"]);
});

// --- order --------------------------------------------------------------------------------------------------------------------------

test("a write response leaves before anything its handler notified, now or later", async () => {
  const server = new GattServer();
  const held = server.addService({
    uuid: 0x1810,
    characteristics: [
      {
        uuid: 0x2a01,
        properties: ["write", "notify", "indicate"],
        write: async (value) => {
          const [control, data] = held.characteristics;
          await control!.notify(Uint8Array.of(1)); // must not wait for its own response
          expect(data!.tryNotify(Uint8Array.of(2))).toBe(true);
          void control!.indicate(Uint8Array.of(3)).catch(() => {});
          if (value[0] === 0) return;
          await delay(pair.clock, 100);
          await data!.notify(Uint8Array.of(4));
          if (value[0] === 2) throw new AttError(0x80);
        },
      },
      { uuid: 0x2a02, properties: ["notify"] },
    ],
  });
  const other = server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["notify"] }] });
  using pair = raw(server);
  ask(pair, "1204000300", "1207000100", "120b000100");
  const after = async (request: string): Promise<string[]> => {
    const before = pair.serverChannel.sent.length;
    ask(pair, request);
    await delay(pair.clock, 50);
    await other.characteristics[0]!.notify(Uint8Array.of(0xbb)); // another service is not held up by a handler that runs on
    await delay(pair.clock, 100);
    pair.serverChannel.receive(hex("1e"));
    return pair.serverChannel.sent.slice(before).map(toHex);
  };
  expect(await after("12030000")).toEqual(["13", "1b030001", "1b060002", "1d030003", "1b0a00bb"]);
  expect(await after("12030001")).toEqual(["1b0a00bb", "13", "1b030001", "1b060002", "1d030003", "1b060004"]);
  expect(await after("12030002")).toEqual(["1b0a00bb", "0112030080", "1b030001", "1b060002", "1d030003", "1b060004"]);
});

test("the response to a CCCD write leaves before what its handler notified", async () => {
  const events: unknown[] = [];
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify"],
    onSubscription: (peer, state) => {
      events.push([peer.id, state]);
      void server.characteristic(0x180f, 0x2a19)!.notify(new Uint8Array(20));
    },
  });
  using pair = raw(server);
  expect(ask(pair, "1204000100")).toEqual(["13", `1b0300${"00".repeat(20)}`]);
  expect(ask(pair, "1204000100")).toEqual(["13", `1b0300${"00".repeat(20)}`]); // each write starts over
  expect(ask(pair, "1204000000")).toEqual(["13"]);
  expect(events).toEqual([
    ["peer", { notify: true, indicate: false, restored: false }],
    ["peer", { notify: true, indicate: false, restored: false }],
    ["peer", { notify: false, indicate: false, restored: false }],
  ]);
});

test("a callback after the response runs after it, and its fault is its own", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["write", "notify"],
    write: (_value, request) => request.afterResponse(() => void server.characteristic(0x180f, 0x2a19)!.notify(Uint8Array.of(7))),
  });
  using pair = raw(server);
  ask(pair, "1204000100");
  expect(ask(pair, "12030001")).toEqual(["13", "1b030007"]);
});

test("an unanswered read does not hold up notifications", () => {
  const server = serverWith(
    { uuid: 0x2a19, properties: ["notify", "read"], read: () => new Promise(() => {}) },
    { uuid: 0x2a1a, properties: ["read"] },
  );
  using pair = raw(server);
  ask(pair, "1204000100", "0a0300");
  expect(server.characteristic(0x180f, 0x2a19)!.tryNotify(Uint8Array.of(9))).toBe(true);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "1b030009"]);
});

// --- subscriptions ----------------------------------------------------------------------------------------------------------------

test("GATT/SR/GAN/BV-01-C, GATT/SR/GAI/BV-01-C: only what was enabled is sent", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify", "indicate"] }, { uuid: 0x2a1a, properties: ["notify"] });
  using pair = raw(server);
  const both = server.characteristic(0x180f, 0x2a19)!;
  const one = server.characteristic(0x180f, 0x2a1a)!;
  await both.notify(Uint8Array.of(1));
  await both.indicate(Uint8Array.of(1));
  expect(both.tryNotify(Uint8Array.of(1))).toBe(true);
  await expect(both.notify(Uint8Array.of(1), { to: pair.session.peer })).rejects.toMatchObject({ code: "ERR_STATE" });
  await expect(both.indicate(Uint8Array.of(1), { to: pair.session.peer })).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(pair.serverChannel.sent).toEqual([]);
  expect(ask(pair, "0a0400", "1204000200", "0a0400")).toEqual(["0b0000", "13", "0b0200"]);
  expect(both.subscribers).toEqual([pair.session.peer]);
  await both.notify(Uint8Array.of(1));
  const indication = both.indicate(Uint8Array.of(2));
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1d030002");
  ask(pair, "1e");
  await indication;
  // Refusals: too short, too long, a bit that the characteristic lacks, a reserved bit
  expect(
    ask(pair, "12040001", "120400010000", "1207000200", "1204000400", "1604000000 01", "1801").map((answer) => answer.slice(-2)),
  ).toEqual(["0d", "0d", "13", "13", "01", "0d"]);
  expect(one.subscribers).toEqual([]);
  pair.serverChannel.close(new ClosedError("gone"));
  expect(both.subscribers).toEqual([]);
  expect(server.sessions).toEqual([]);
});

test("a subscription that its handler refuses does not come about", async () => {
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["notify"],
    onSubscription: (_peer, { notify }) => {
      if (notify) throw new AttError(AttErrorCode.ProcedureAlreadyInProgress);
    },
  });
  const asynchronous = serverWith({ uuid: 0x2a19, properties: ["notify"], onSubscription: () => Promise.reject(new AttError(0x80)) });
  using first = raw(server);
  expect(ask(first, "1204000100", "0a0400")).toEqual(["01120400fe", "0b0000"]);
  using second = raw(asynchronous);
  ask(second, "1204000100");
  await delay(second.clock, 1);
  expect(ask(second, "0a0400")).toEqual(["0b0000"]);
  expect(toHex(second.serverChannel.sent[0]!)).toBe("0112040080");
});

test("nothing that must be encrypted is notified on a link that is not", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["read", "notify"], permissions: { read: "encrypted" } });
  using pair = raw(server, { security: { ...BONDED, bonded: false } });
  const [characteristic] = server.services[0]!.characteristics;
  expect(ask(pair, "1204000100")).toEqual(["13"]);
  await characteristic!.notify(Uint8Array.of(1));
  pair.secure(NO_SECURITY);
  await characteristic!.notify(Uint8Array.of(2));
  expect(ask(pair, "1204000000")).toEqual(["0112040005"]);
  pair.secure({ ...BONDED, bonded: false });
  await characteristic!.notify(Uint8Array.of(3));
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["13", "1b030001", "0112040005", "1b030003"]);
});

test("notifications wait for room on the link, in order, and no further than 256", async () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"] });
  using pair = raw(server);
  const [characteristic] = server.services[0]!.characteristics;
  ask(pair, "1204000100");
  pair.serverChannel.writable = false;
  expect(characteristic!.tryNotify(Uint8Array.of(0))).toBe(false);
  const all = Array.from({ length: 256 }, (_, i) => characteristic!.notify(Uint8Array.of(i)));
  await expect(characteristic!.notify(Uint8Array.of(0))).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(pair.serverChannel.sent).toHaveLength(1);
  pair.serverChannel.writable = true;
  await Promise.all(all);
  expect(pair.serverChannel.sent.slice(1).map((pdu) => pdu[3])).toEqual(Array.from({ length: 256 }, (_, i) => i));
});

test("configurations of a bonded client are stored, and restored when the link is encrypted", async () => {
  const onSubscription = vi.fn();
  const server = serverWith({ uuid: 0x2a19, properties: ["notify"], onSubscription }, { uuid: 0x2a1a, properties: ["notify"] });
  server.addService(gattService());
  const stored: Record<number, number> = {};
  const hashes: string[] = [];
  const peer = (): Partial<GattPeer> => ({
    id: "bonded",
    storedCccd: stored,
    storedDatabaseHash: hashes.at(-1),
    onCccdChanged: (handle, value) => {
      stored[handle] = value;
    },
    onDatabaseHash: (hash) => hashes.push(hash),
  });
  {
    using pair = raw(server, { peer: peer() });
    ask(pair, "1204000100"); // before pairing
    expect(stored).toEqual({});
    pair.secure(BONDED);
    expect(stored).toEqual({ 4: 1 });
    ask(pair, "1207000100", "1207000000", "120b000200", "120d0005");
    expect(stored).toEqual({ 4: 1, 7: 0, 11: 2, 13: 5 });
    expect(hashes).toHaveLength(1);
  }
  const [characteristic] = server.services[0]!.characteristics;
  expect(characteristic!.subscribers).toEqual([]);
  {
    onSubscription.mockClear();
    using pair = raw(server, { peer: peer() });
    expect(characteristic!.subscribers).toEqual([]);
    pair.secure(BONDED);
    expect(onSubscription.mock.calls).toEqual([[pair.session.peer, { notify: true, indicate: false, restored: true }]]);
    await characteristic!.notify(Uint8Array.of(5));
    expect(pair.serverChannel.sent.map(toHex)).toEqual(["1b030005"]);
    pair.secure(BONDED);
    expect(onSubscription).toHaveBeenCalledTimes(1);
  }
});

// --- changes ------------------------------------------------------------------------------------------------------------------------

/** GATT service at 1..9: Service Changed 3 with CCCD 4, Client Supported Features 6, Database Hash 8. */
function changing(): GattServer {
  const server = new GattServer();
  server.addService(gattService());
  server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read", "notify"], value: hex("64") }] });
  return server;
}

test("the Database Hash is that of the specification's example (Vol 3 Part G Appendix B)", () => {
  const server = new GattServer();
  server.addService({
    uuid: 0x1800,
    characteristics: [
      { uuid: 0x2a00, properties: ["read", "write"] },
      { uuid: 0x2a01, properties: ["read"] },
    ],
  });
  server.addService(gattService());
  const battery = server.addService({
    uuid: 0x180f,
    primary: false,
    handle: 0x14,
    characteristics: [{ uuid: 0x2a19, properties: ["read"] }],
  });
  server.addService({
    uuid: 0x1808,
    handle: 0x0e,
    includes: [battery],
    characteristics: [
      {
        uuid: 0x2a18,
        properties: ["read", "indicate", "extended-properties"],
        descriptors: [{ uuid: 0x2900, value: hex("0000") }],
      },
    ],
  });
  expect(toHex(server.databaseHash.reverse())).toBe("f1ca2d48ecf58bac8a8830bbb9fba990");
});

test("GATT/SR/GAS/BV-01-C: subscribed clients are told what changed, changes meanwhile together", async () => {
  const server = changing();
  using pair = raw(server);
  ask(pair, "1204000200");
  const first = server.addService({ uuid: 0x1810, characteristics: [] });
  expect([first.handle, first.endHandle]).toEqual([13, 13]);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1d03000d000d00");
  const second = server.addService({ uuid: 0x1811, characteristics: [] });
  server.removeService(first);
  expect(server.services.map(({ handle }) => handle)).toEqual([1, 9, 14]);
  expect(pair.serverChannel.sent).toHaveLength(2);
  ask(pair, "1e");
  await delay(pair.clock, 1);
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1d03000d000e00");
  ask(pair, "1e");
  await delay(pair.clock, 1);
  expect(second.handle).toBe(14);
  expect(server.addService({ uuid: 0x1812, characteristics: [] }).handle).toBe(15); // handles are not used again
  expect(ask(pair, "0a0a00")).toEqual(["0b120b00192a"]);
});

test("robust caching: a client that does not know of the change is told once (Vol 3 Part G 2.5.2.1)", async () => {
  const server = changing();
  using pair = raw(server);
  expect(ask(pair, "12060001", "0a0600", "12060000", "1206000100")).toEqual(["13", "0b01", "0112060013", "13"]);
  ask(pair, "120c000100"); // subscribes to the battery level
  const change = (): void => server.removeService(server.addService({ uuid: 0x1810, characteristics: [] }));
  const battery = server.characteristic(0x180f, 0x2a19)!;
  change();
  expect(battery.tryNotify(Uint8Array.of(1))).toBe(true); // to nobody
  const discovery = ["100100ffff0028", "040100ffff", "060100ffff00280f18", "080100ffff0328"];
  for (const request of discovery) expect(ask(pair, request)[0]?.slice(0, 2)).not.toBe("01");
  expect(ask(pair, "0a0b00")).toEqual(["010a0b0012"]);
  expect(battery.tryNotify(Uint8Array.of(1))).toBe(true);
  expect(ask(pair, "0a0b00")).toEqual(["0b64"]); // and is aware by asking again
  await battery.notify(Uint8Array.of(2));
  expect(toHex(pair.serverChannel.sent.at(-1)!)).toBe("1b0b0002");

  change();
  expect(ask(pair, "080a00ffff192a")).toEqual(["01080a0012"]);
  change(); // told again, since it changed again
  expect(ask(pair, "120c000000")).toEqual(["01120c0012"]);
  change();
  const [hash] = ask(pair, "080100ffff2a2b");
  expect(hash).toBe(`09120800${toHex(server.databaseHash)}`);
  expect(ask(pair, "0a0b00")).toEqual(["0b64"]); // reading the hash makes aware
});

test("robust caching: Service Changed, once confirmed, makes aware; commands are ignored until then", async () => {
  const server = changing();
  server.addService({
    uuid: 0x1815,
    characteristics: [{ uuid: 0x2a56, properties: ["read", "write-without-response"], value: hex("00") }],
  });
  using pair = raw(server);
  ask(pair, "12060001", "1204000200");
  server.addService({ uuid: 0x1810, characteristics: [] });
  const value = (): string => toHex(server.characteristic(0x1815, 0x2a56)!.value);
  ask(pair, "520f0001");
  expect(value()).toBe("00");
  ask(pair, "1e");
  await delay(pair.clock, 1);
  ask(pair, "520f0001");
  expect(value()).toBe("01");
  expect(ask(pair, "0a0b00")).toEqual(["0b64"]);
});

test("a bonded client that missed a change is told when it comes back, and its configurations do not carry over", async () => {
  const stored: Record<number, number> = { 4: 2, 6: 1, 12: 1 };
  const hashes: string[] = [];
  const server = changing();
  const peer: Partial<GattPeer> = {
    storedCccd: stored,
    storedDatabaseHash: "00112233445566778899aabbccddeeff",
    onCccdChanged: (handle, value) => {
      stored[handle] = value;
    },
    onDatabaseHash: (hash) => hashes.push(hash),
  };
  using pair = raw(server, { peer });
  pair.secure(BONDED);
  expect(pair.serverChannel.sent.map(toHex)).toEqual(["1d03000100ffff"]);
  expect(ask(pair, "0a0b00")).toEqual(["010a0b0012"]); // its robust caching bit was restored
  expect(hashes).toEqual([]);
  ask(pair, "1e");
  await delay(pair.clock, 1);
  expect(hashes).toEqual([toHex(server.databaseHash)]);
  expect(stored).toEqual({ 4: 2, 6: 1, 12: 0 });
  expect(ask(pair, "0a0c00")).toEqual(["0b0000"]);
});

test("several values go as one notification to a client that understands it", async () => {
  const server = changing();
  server.addService({ uuid: 0x1810, characteristics: [{ uuid: 0x2a35, properties: ["notify"] }] });
  using pair = raw(server);
  const values = [
    { characteristic: server.characteristic(0x180f, 0x2a19)!, value: Uint8Array.of(1) },
    { characteristic: server.characteristic(0x1810, 0x2a35)!, value: Uint8Array.of(2, 3) },
  ];
  ask(pair, "120c000100", "1210000100");
  const before = pair.serverChannel.sent.length;
  await pair.session.notifyMultiple(values);
  ask(pair, "12060004");
  await pair.session.notifyMultiple(values);
  expect(pair.serverChannel.sent.slice(before).map(toHex)).toEqual(["1b0b0001", "1b0f000203", "13", "230b000100010f0002000203"]);
});

// --- the database itself ------------------------------------------------------------------------------------------------------------

test("a single value is a service of its own", () => {
  const server = new GattServer();
  const handle = server.add({ uuid: 0x2a29, value: text("Jelling") });
  using pair = raw(server);
  expect(handle).toBe(3);
  expect(ask(pair, "0a0300")).toEqual([`0b${toHex(text("Jelling"))}`]);
});

test("descriptors: user description, extended properties, a CCCD where it is wanted, a writable one", () => {
  using pair = raw(
    serverWith({
      uuid: 0x2a19,
      properties: ["read", "notify", "reliable-write"],
      value: hex("01"),
      description: "Level",
      descriptors: [{ uuid: 0x2904, value: hex("04") }, { uuid: 0x2902 }, { uuid: 0x2910, value: hex("00"), writable: true }],
    }),
  );
  expect(ask(pair, "040100ffff", "040600ffff")).toEqual(["050101000028020003280300192a0400002905000129", "0501060004290700022908001029"]);
  expect(ask(pair, "0a0200", "0a0400", "0a0500", "0a0700")).toEqual(["0b920300192a", "0b0100", `0b${toHex(text("Level"))}`, "0b0000"]);
  expect(ask(pair, "12080005", "0a0800", "12050005", "1207000100")).toEqual(["13", "0b05", "0112050003", "13"]);
});

test("what may be written any way is written by request and by command, whichever of them the properties name", () => {
  const written: string[] = [];
  const write = (value: Uint8Array, { handle, operation }: GattRequest): void =>
    void written.push(`${handle} ${operation} ${toHex(value)}`);
  using pair = raw(
    serverWith(
      { uuid: 0x2a19, properties: ["write"], anyWrite: true, write },
      { uuid: 0x2a19, properties: ["write-without-response"], anyWrite: true, write },
      {
        uuid: 0x2a19,
        properties: ["read"],
        anyWrite: true,
        write,
        descriptors: [
          { uuid: 0x2910, anyWrite: true, write },
          { uuid: 0x2911, write },
        ],
      },
      { uuid: 0x2a19, properties: ["write"], write },
    ),
  );
  // Handles of the values: 3, 5, 7 with descriptors 8 and 9, 11.
  expect(ask(pair, "12030001", "52030002", "12050003", "52050004")).toEqual(["13", "13"]);
  expect(ask(pair, "12070005", "52070006", "12080007", "52080008")).toEqual(["0112070003", "13"]);
  expect(ask(pair, "12090009", "5209000a", "120b000b", "520b000c")).toEqual(["13", "13"]);
  expect(written).toEqual([
    "3 write 01",
    "3 command 02",
    "5 write 03",
    "5 command 04",
    "8 write 07",
    "8 command 08",
    "9 write 09",
    "11 write 0b",
  ]);
});

test("a descriptor may be one that cannot be read", () => {
  using pair = raw(
    serverWith({ uuid: 0x2a19, properties: ["read"], descriptors: [{ uuid: 0x2910, value: hex("01"), readable: false, writable: true }] }),
  );
  expect(ask(pair, "0a0400", "12040002", "0a0400")).toEqual(["010a040002", "13", "010a040002"]);
});

test("0x2902 with handlers of its own is a descriptor like any other", () => {
  const written: string[] = [];
  using pair = raw(
    serverWith({
      uuid: 0x2a19,
      properties: ["read"],
      descriptors: [{ uuid: 0x2902, read: () => hex("0100"), write: (value) => void written.push(toHex(value)) }],
    }),
  );
  expect(ask(pair, "0a0400", "1204000500")).toEqual(["0b0100", "13"]);
  expect(written).toEqual(["0500"]);
});

test("a handler is asked for each part of a long read where it wants to be, else once", () => {
  const asked: number[] = [];
  const read = ({ offset }: GattRequest): Uint8Array => {
    asked.push(offset);
    return new Uint8Array(50).fill(asked.length);
  };
  using pair = raw(
    serverWith({ uuid: 0x2a19, properties: ["read"], read, readEachPart: true }, { uuid: 0x2a19, properties: ["read"], read }),
  );
  expect(ask(pair, "0a0300", "0c03001600", "0c03002c00")).toEqual([`0b${"01".repeat(22)}`, `0d${"02".repeat(22)}`, `0d${"03".repeat(6)}`]);
  expect(ask(pair, "0a0500", "0c05001600", "0c05002c00")).toEqual([`0b${"04".repeat(22)}`, `0d${"04".repeat(22)}`, `0d${"04".repeat(6)}`]);
  expect(asked).toEqual([0, 22, 44, 0]);
});

test("a read handler that is asked for the rest of a value sees for which write", () => {
  const asked: string[] = [];
  using pair = raw(
    serverWith({
      uuid: 0x2a19,
      properties: ["read", "write"],
      read: ({ operation }) => {
        asked.push(operation);
        return hex("0102");
      },
      write: (value) => void asked.push(toHex(value)),
    }),
  );
  expect(ask(pair, "160300010009", "1801")).toEqual(["170300010009", "19"]);
  expect(asked).toEqual(["execute", "0109"]);
});

test("what a peer has configured can be asked for", () => {
  const server = serverWith({ uuid: 0x2a19, properties: ["notify", "indicate"] });
  using pair = raw(server);
  const [characteristic] = server.services[0]!.characteristics;
  const { peer } = pair.session;
  for (const [bits, expected] of [
    ["0000", { notify: false, indicate: false }],
    ["0100", { notify: true, indicate: false }],
    ["0200", { notify: false, indicate: true }],
    ["0300", { notify: true, indicate: true }],
  ] as const) {
    expect(ask(pair, `120400${bits}`)).toEqual(["13"]);
    expect(characteristic!.configuredBy(peer)).toEqual(expected);
  }
  expect(characteristic!.configuredBy({ ...peer, id: "another" })).toEqual({ notify: false, indicate: false });
});

test("definitions that contradict themselves are refused", () => {
  const server = new GattServer();
  expect(() => serverWith({ uuid: 0x2a19, properties: ["read"], descriptors: [{ uuid: 0x2902 }] })).toThrow(/CCCD/);
  expect(() => serverWith({ uuid: 0x2a19, properties: ["read"], maxLength: 513 })).toThrow(/maxLength: .*513/);
  for (const [name, definition] of [
    ["anyWrite", { anyWrite: 1 }],
    ["readEachPart", { readEachPart: "yes" }],
    ["readable", { descriptors: [{ uuid: 0x2910, readable: 1 }] }],
  ] as const)
    expect(() => serverWith({ uuid: 0x2a19, properties: ["read"], ...(definition as object) })).toThrow(new RegExp(name));
  server.addService({ uuid: 0x1810, handle: 10, characteristics: [] });
  expect(() => server.addService({ uuid: 0x1810, handle: 10, characteristics: [] })).toThrow(/taken/);
  expect(() => server.addService({ uuid: 0x1810, handle: 0x10000, characteristics: [] })).toThrow(/expected 1 to/);
  expect(() => server.removeService(phone().services[0]!)).toThrow(/not in the database/);
  expect(() => server.addService({ uuid: 0x1811, includes: [phone().services[0]!], characteristics: [] })).toThrow(/not in the database/);
});

test("when handles run out, gaps are filled", () => {
  const server = new GattServer();
  const first = server.addService({ uuid: 0x1810, characteristics: [{ uuid: 0x2a19, properties: ["read"] }] });
  server.addService({ uuid: 0x1811, handle: 0xffff, characteristics: [] });
  expect(server.addService({ uuid: 0x1812, characteristics: [] }).handle).toBe(4);
  server.removeService(first);
  expect(server.addService({ uuid: 0x1812, characteristics: [] }).handle).toBe(1);
});

test("the GAP service: a name that is asked for, written and checked", () => {
  const names: string[] = [];
  const server = new GattServer();
  server.addService(
    gapService({
      name: "Old",
      appearance: 0x0340,
      onNameWritten: (name) => names.push(name),
      preferredConnectionParameters: { intervalMin: 24, intervalMax: 40, latency: 0, timeout: 400 },
    }),
  );
  using pair = raw(server);
  expect(ask(pair, "0a0300", `120300${toHex(text("New"))}`, "0a0300", "120300ff", "0a0500", "0a0700")).toEqual([
    `0b${toHex(text("Old"))}`,
    "13",
    `0b${toHex(text("New"))}`,
    "0112030013",
    "0b4003",
    "0b1800280000009001",
  ]);
  expect(names).toEqual(["New"]);
  expect(() => gapService({ name: "x".repeat(249) })).toThrow(/248/);
});

test("a paused server answers when it goes on", () => {
  const server = phone();
  server.pause();
  using pair = raw(server);
  expect(ask(pair, "0a0300")).toEqual([]);
  server.resume();
  expect(pair.serverChannel.sent.map(toHex)).toEqual([`0b${toHex(text("Phone"))}`]);
  expect(() => server.attach(pair.serverBearer, pair.session.peer)).toThrow(/already/);
  server.close();
  expect(ask(pair, "0a0300")).toEqual(["010a000006"]);
});

test("a link that is lost while a handler runs tells it, and nothing is left", async () => {
  let signal: AbortSignal | undefined;
  const server = serverWith({
    uuid: 0x2a19,
    properties: ["read", "write-without-response"],
    read: (request) => {
      signal = request.signal;
      return new Promise(() => {});
    },
    write: () => new Promise(() => {}),
  });
  using pair = raw(server);
  ask(pair, "0a0300", "52030001");
  const reason = new ClosedError("gone");
  pair.serverChannel.close(reason);
  expect(signal?.reason).toBe(reason);
  await delay(pair.clock, 1);
  expect(pair.clock.pending).toEqual([]);
});
