// A GATT database as data: loaded, described, copied from a peer.
import { describe, expect, test } from "vitest";
import { fromHex as hex, toHex } from "../src/bytes/hex.ts";
import { SeededRandom } from "../src/core/random.ts";
import {
  type CharacteristicDescription,
  type DescriptorDescription,
  describeRemote,
  describeServer,
  type GattDescription,
  type GattDescriptionError,
  GattServer,
  gapService,
  gattService,
  parseGattDescription,
  type ServiceDescription,
} from "../src/gatt/index.ts";
import { BONDED, createGattPair, type GattPair } from "./support/gatt-pair.ts";
import { code, sent } from "./support/gatt-script.ts";

const OWN = "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11";

/** Gaps, ends, a secondary service before the one that includes it, no CCCD, two of them, properties of their own. */
const odd: GattDescription = {
  services: [
    {
      uuid: "1800",
      handle: 1,
      endHandle: 9,
      primary: true,
      includes: [],
      characteristics: [{ uuid: "2a00", handle: 3, valueHandle: 5, properties: ["read"], value: "6f6464", descriptors: [] }],
    },
    {
      uuid: OWN,
      handle: 0x10,
      endHandle: 0x20,
      primary: false,
      includes: [],
      characteristics: [
        {
          uuid: "2a19",
          handle: 0x12,
          valueHandle: 0x13,
          properties: ["read", "notify"],
          value: "64",
          maxLength: 1,
          descriptors: [{ uuid: "2904", handle: 0x1a, value: "04000127010000" }],
        },
        {
          uuid: "2a1a",
          handle: 0x1b,
          valueHandle: 0x1c,
          properties: ["notify", "extended-properties"],
          readable: true,
          permissions: { read: "encrypted", subscribe: "authenticated" },
          descriptors: [
            { uuid: "2901", handle: 0x1d, value: "41", writable: true },
            { uuid: "2902", handle: 0x1e },
            { uuid: "2902", handle: 0x1f, value: "0000", maxLength: 2 },
            { uuid: "2900", handle: 0x20, value: "0100" },
          ],
        },
      ],
    },
    {
      uuid: "180f",
      handle: 0x100,
      endHandle: 0xffff,
      primary: true,
      includes: [{ handle: 0x102, service: 0x10 }],
      characteristics: [
        {
          uuid: "2a19",
          handle: 0x103,
          valueHandle: 0x200,
          properties: ["read", "write"],
          readable: false,
          readError: 0x80,
          descriptors: [],
        },
        {
          uuid: OWN,
          handle: 0x300,
          valueHandle: 0x301,
          properties: ["indicate"],
          writable: true,
          anyWrite: true,
          value: "0102",
          fixedLength: true,
          descriptors: [],
        },
        { uuid: "2a1b", handle: 0xfffe, valueHandle: 0xffff, properties: ["broadcast", "write"], writable: false, descriptors: [] },
      ],
    },
  ],
};

const loaded = (description: GattDescription): GattServer => {
  const server = new GattServer();
  server.load(description);
  return server;
};

test("a description is loaded as it is, and described as it was", () => {
  const server = loaded(odd);
  expect(server.services.map(({ handle, endHandle, primary }) => [handle, endHandle, primary])).toEqual([
    [1, 9, true],
    [0x10, 0x20, false],
    [0x100, 0xffff, true],
  ]);
  expect(describeServer(server)).toEqual(odd);
  expect(JSON.parse(JSON.stringify(describeServer(server)))).toEqual(odd);
});

test("without values the structure is left, and what may be done by it", () => {
  const described = describeServer(loaded(odd), { values: false });
  const text = JSON.stringify(described);
  expect([...text.matchAll(/"value":"(\w+)"/g)].map(([, value]) => value)).toEqual(["0100"]); // extended properties
  expect(loaded(described).databaseHash).toEqual(loaded(odd).databaseHash);
});

test("handles chosen in code: gaps, a service's end, descriptors as they are listed", () => {
  const server = new GattServer();
  const included = server.addService({ uuid: 0x1801, handle: 5, endHandle: 8, characteristics: [] });
  server.addService({
    uuid: 0x180f,
    handle: 0x10,
    endHandle: 0x40,
    includes: [{ uuid: included.uuid, handle: 5, endHandle: 8, includeHandle: 0x40 }],
    characteristics: [
      { uuid: 0x2a19, properties: ["notify"], handle: 0x12, valueHandle: 0x14, descriptors: [{ uuid: 0x2901, handle: 0x20 }] },
      { uuid: 0x2a1a, properties: ["notify"], descriptorsAsListed: true },
    ],
  });
  const [, service] = describeServer(server).services as [ServiceDescription, ServiceDescription];
  expect(
    service.characteristics!.map(({ handle, valueHandle, descriptors }) => [handle, valueHandle, descriptors!.map((d) => d.handle)]),
  ).toEqual([
    [0x12, 0x14, [0x15, 0x20]],
    [0x21, 0x22, []],
  ]);
  expect(service.includes).toEqual([{ handle: 0x40, service: 5 }]);
  expect(server.addService({ uuid: 0x180a, characteristics: [] }).handle).toBe(0x41);
});

test.each<[string, object, RegExp]>([
  ["handles without the service's", { characteristics: [{ uuid: 1, properties: [], handle: 9 }] }, /expected its own handle too/],
  ["a value handle without it", { characteristics: [{ uuid: 1, properties: [], valueHandle: 9 }] }, /expected its own handle too/],
  ["an end without it", { endHandle: 9, characteristics: [] }, /expected its own handle too/],
  ["an end before its attributes", { handle: 3, endHandle: 4, characteristics: [{ uuid: 1, properties: [] }] }, /expected 5 or more/],
  ["a characteristic before its service", { handle: 3, characteristics: [{ uuid: 1, properties: [], handle: 3 }] }, /expected 4 or more/],
  ["a value before its declaration", { handle: 3, characteristics: [{ uuid: 1, properties: [], valueHandle: 4 }] }, /expected 5 or more/],
  ["a handle of another kind", { handle: 3, characteristics: [{ uuid: 1, properties: [], valueHandle: "6" }] }, /valueHandle/],
  ["a handle beyond", { handle: 3, endHandle: 0x10000, characteristics: [] }, /endHandle/],
  [
    "a descriptor before its value",
    { handle: 3, characteristics: [{ uuid: 1, properties: [], descriptors: [{ uuid: 2, handle: 5 }] }] },
    /expected 6 or more/,
  ],
  ["a value that runs beyond the last handle", { handle: 0xfffe, characteristics: [{ uuid: 1, properties: [] }] }, /expected 1 to/],
  ["a word for a flag", { characteristics: [{ uuid: 1, properties: [], readable: "no" }] }, /readable/],
  ["another one", { characteristics: [{ uuid: 1, properties: [], descriptorsAsListed: 1 }] }, /descriptorsAsListed/],
])("%s is refused, and nothing is added", (_, definition, message) => {
  const server = new GattServer();
  expect(() => server.addService({ uuid: 0x180f, ...definition } as never)).toThrow(message);
  expect(server.services).toEqual([]);
});

test("an include where another attribute is, or before its service, is refused", () => {
  for (const includeHandle of [9, 10, 12]) {
    const server = new GattServer();
    const { uuid } = server.addService({ uuid: 0x1801, handle: 5, characteristics: [] });
    const includes = [{ uuid, handle: 5, endHandle: 5, includeHandle }];
    expect(() => server.addService({ uuid: 0x180f, handle: 10, includes, characteristics: [{ uuid: 1, properties: [] }] })).toThrow(
      /an include at handle|taken/,
    );
  }
});

describe("a description that contradicts itself is refused, with the place", () => {
  const service = (fields: object): unknown => ({ services: [{ uuid: "180f", handle: 4, endHandle: 9, ...fields }] });
  const characteristic = (fields: object): unknown =>
    service({ characteristics: [{ uuid: "2a19", handle: 5, valueHandle: 6, properties: ["read", "notify"], ...fields }] });
  const descriptors = (...list: unknown[]): unknown => characteristic({ descriptors: list });
  test.each<[unknown, string]>([
    [undefined, ""],
    [null, ""],
    [[], ""],
    [{}, "services"],
    [{ services: {} }, "services"],
    [{ services: [], name: "x" }, ""],
    [{ services: [null] }, "services[0]"],
    [{ services: [undefined] }, "services[0]"],
    [service({ uuid: undefined }), "services[0].uuid"],
    [service({ uuid: 0x180f }), "services[0].uuid"],
    [service({ uuid: "180" }), "services[0].uuid"],
    [service({ handle: 0 }), "services[0].handle"],
    [service({ handle: 1.5 }), "services[0].handle"],
    [service({ handle: "4" }), "services[0].handle"],
    [service({ endHandle: 3 }), "services[0].endHandle"],
    [service({ endHandle: 0x10000 }), "services[0].endHandle"],
    [service({ endHandle: undefined }), "services[0].endHandle"],
    [service({ primary: "yes" }), "services[0].primary"],
    [service({ includes: {} }), "services[0].includes"],
    [service({ includes: [{ handle: 4, service: 4 }] }), "services[0].includes[0].handle"],
    [service({ includes: [{ handle: 10, service: 4 }] }), "services[0].includes[0].handle"],
    [service({ includes: [{ handle: 5, service: 3 }] }), "services[0].includes[0].service"],
    [service({ includes: [{ handle: 5, service: 0 }] }), "services[0].includes[0].service"],
    [service({ includes: [{ handle: 5, service: 4, uuid: "180f" }] }), "services[0].includes[0]"],
    [
      service({
        includes: [
          { handle: 5, service: 4 },
          { handle: 5, service: 4 },
        ],
      }),
      "services[0].includes[1].handle",
    ],
    [service({ characteristics: "none" }), "services[0].characteristics"],
    [
      service({ includes: [{ handle: 5, service: 4 }], characteristics: [{ uuid: "2a19", handle: 5, valueHandle: 6, properties: [] }] }),
      "services[0].characteristics[0].handle",
    ],
    [
      {
        services: [
          { uuid: "180f", handle: 4, endHandle: 9 },
          { uuid: "180a", handle: 9, endHandle: 12 },
        ],
      },
      "services[1].handle",
    ],
    [
      {
        services: [
          { uuid: "180f", handle: 4, endHandle: 9 },
          { uuid: "180a", handle: 1, endHandle: 2 },
        ],
      },
      "services[1].handle",
    ],
    [characteristic({ handle: 4 }), "services[0].characteristics[0].handle"],
    [characteristic({ handle: 10 }), "services[0].characteristics[0].handle"],
    [characteristic({ valueHandle: 5 }), "services[0].characteristics[0].valueHandle"],
    [characteristic({ valueHandle: 10 }), "services[0].characteristics[0].valueHandle"],
    [characteristic({ properties: "read" }), "services[0].characteristics[0].properties"],
    [characteristic({ properties: ["reed"] }), "services[0].characteristics[0].properties[0]"],
    [characteristic({ properties: ["reliable-write"] }), "services[0].characteristics[0].properties"],
    [characteristic({ value: 12 }), "services[0].characteristics[0].value"],
    [characteristic({ value: "1" }), "services[0].characteristics[0].value"],
    [characteristic({ value: "xx" }), "services[0].characteristics[0].value"],
    [characteristic({ value: "00".repeat(513) }), "services[0].characteristics[0].value"],
    [characteristic({ value: "0000", maxLength: 1 }), "services[0].characteristics[0].value"],
    [characteristic({ maxLength: 513 }), "services[0].characteristics[0].maxLength"],
    [characteristic({ fixedLength: true }), "services[0].characteristics[0].fixedLength"],
    [characteristic({ fixedLength: 1, value: "00" }), "services[0].characteristics[0].fixedLength"],
    [characteristic({ readable: 1 }), "services[0].characteristics[0].readable"],
    [characteristic({ writable: null }), "services[0].characteristics[0].writable"],
    [characteristic({ anyWrite: "" }), "services[0].characteristics[0].anyWrite"],
    [characteristic({ readError: 0 }), "services[0].characteristics[0].readError"],
    [characteristic({ readError: 256 }), "services[0].characteristics[0].readError"],
    [characteristic({ readError: 0x80, value: "" }), "services[0].characteristics[0].readError"],
    [characteristic({ permissions: "open" }), "services[0].characteristics[0].permissions"],
    [characteristic({ permissions: { reed: "open" } }), "services[0].characteristics[0].permissions"],
    [characteristic({ permissions: { read: "secret" } }), "services[0].characteristics[0].permissions.read"],
    [characteristic({ permissions: { write: null } }), "services[0].characteristics[0].permissions.write"],
    [characteristic({ permissions: { read: { minKeySize: 6 } } }), "services[0].characteristics[0].permissions.read"],
    [characteristic({ cccd: true }), "services[0].characteristics[0]"],
    [descriptors({ uuid: "2901", handle: 6 }), "services[0].characteristics[0].descriptors[0].handle"],
    [descriptors({ uuid: "2901", handle: 10 }), "services[0].characteristics[0].descriptors[0].handle"],
    [descriptors({ uuid: "2803", handle: 7 }), "services[0].characteristics[0].descriptors[0].uuid"],
    [descriptors({ uuid: "00002800-0000-1000-8000-00805f9b34fb", handle: 7 }), "services[0].characteristics[0].descriptors[0].uuid"],
    [descriptors({ uuid: "2902", handle: 7, value: "0000" }), "services[0].characteristics[0].descriptors[0]"],
    [descriptors({ uuid: "2901", handle: 8 }, { uuid: "2901", handle: 8 }), "services[0].characteristics[0].descriptors[1].handle"],
  ])("%j: %s", (description, path) => {
    const server = new GattServer();
    const error = ((): unknown => {
      try {
        return server.load(description as GattDescription);
      } catch (caught) {
        return caught;
      }
    })() as GattDescriptionError;
    expect(error).toMatchObject({ code: "ERR_GATT_DESCRIPTION", path });
    expect(error.message.startsWith(path === "" ? "GATT description: " : `${path}: `)).toBe(true);
    expect(error.message).not.toMatch(/: : /);
    expect(server.services).toEqual([]);
  });

  test("handles that the server has already", () => {
    const server = new GattServer();
    server.addService({ uuid: 0x1801, handle: 0x20, characteristics: [] });
    expect(() => server.load(odd)).toThrow(expect.objectContaining({ code: "ERR_GATT_DESCRIPTION", path: "services[1]" }));
    expect(server.services).toHaveLength(1);
    server.load({ services: odd.services.slice(0, 1) });
    expect(server.services.map(({ handle }) => handle)).toEqual([1, 0x20]);
  });
});

test("what is written differently and means the same is described in one form", () => {
  const parsed = parseGattDescription({
    services: [
      {
        uuid: "0x180F",
        handle: 1,
        endHandle: 4,
        characteristics: [
          {
            uuid: "00002A19-0000-1000-8000-00805F9B34FB",
            handle: 2,
            valueHandle: 3,
            properties: ["notify", "read", "notify"],
            value: "AB CD",
          },
        ],
      },
    ],
  });
  expect(parsed.services).toEqual([
    {
      uuid: "180f",
      handle: 1,
      endHandle: 4,
      primary: true,
      includes: [],
      characteristics: [{ uuid: "2a19", handle: 2, valueHandle: 3, properties: ["read", "notify"], value: "abcd", descriptors: [] }],
    },
  ]);
});

test("clients are told once of all that was loaded", async () => {
  const server = new GattServer();
  server.addService({ ...gattService(), handle: 0x30 });
  using pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  const changes: unknown[] = [];
  pair.client.onServiceChanged((change) => changes.push(change));
  server.load({ services: odd.services.slice(0, 2) });
  await pair.clock.advance(10);
  expect(changes).toEqual([{ startHandle: 1, endHandle: 0x20 }]);
});

test("the copy answers as its description says: refusals, codes, lengths, ways to write", async () => {
  using pair = createGattPair({ server: loaded(odd) });
  const { client } = pair;
  const read = (handle: number): Promise<string> =>
    client.read(handle).then(toHex, (error: { errorCode: number }) => `error 0x${error.errorCode.toString(16)}`);
  expect(await Promise.all([5, 0x13, 0x1a, 0x1c, 0x1f, 0x200, 0x301, 0xffff].map(read))).toEqual([
    "6f6464",
    "64",
    "04000127010000",
    "error 0x5",
    "0000",
    "error 0x2",
    "error 0x2",
    "error 0x2",
  ]);
  const write = (handle: number, value: string): Promise<string> =>
    client.write(handle, hex(value)).then(
      () => "written",
      (error: { errorCode: number }) => `error 0x${error.errorCode.toString(16)}`,
    );
  expect(
    await Promise.all([
      write(0x301, "05"),
      write(0x301, "050607"),
      write(0xffff, "00"),
      write(0x1f, "0100"),
      write(0x1f, "010000"),
      write(0x1d, "42"),
    ]),
  ).toEqual(["written", "error 0xd", "error 0x3", "written", "error 0xd", "written"]);
  await client.writeWithoutResponse(0x301, hex("09"));
  await pair.clock.advance(10);
  expect(toHex(pair.server.characteristic("180f", OWN)!.value)).toBe("0902");
  pair.secure({ ...BONDED, authenticated: false });
  expect(await read(0x1c)).toBe("");
  expect(await write(0x1e, "0100")).toBe("error 0x5"); // subscribing asks for more than reading
  pair.secure(BONDED);
  expect(await write(0x1e, "0100")).toBe("written");
});

test("a characteristic that answers reads with an error of its own is described with it", () => {
  const description: GattDescription = {
    services: [
      {
        uuid: "180f",
        handle: 1,
        endHandle: 3,
        primary: true,
        includes: [],
        characteristics: [{ uuid: "2a19", handle: 2, valueHandle: 3, properties: ["read"], readError: 0x8f, descriptors: [] }],
      },
    ],
  };
  expect(describeServer(loaded(description))).toEqual(description);
  const own = new GattServer();
  own.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], read: () => hex("01") }] });
  expect(describeServer(own).services[0]!.characteristics).toEqual([
    { uuid: "2a19", handle: 2, valueHandle: 3, properties: ["read"], descriptors: [] }, // what a handler gives is not asked for
  ]);
});

test.each<[string, object, string | undefined]>([
  ["open", {}, undefined],
  ["a word", { read: "encrypted" }, '{"read":"encrypted"}'],
  [
    "its parts",
    { read: { encrypted: true }, write: { authenticated: true, encrypted: true } },
    '{"read":"encrypted","write":"authenticated"}',
  ],
  ["more", { write: { minKeySize: 16, encrypted: true, authorized: false } }, '{"write":{"minKeySize":16,"encrypted":true}}'],
  ["authorized", { write: "authorized" }, '{"write":"authorized"}'],
  ["subscribing apart", { read: "encrypted", subscribe: "open" }, '{"read":"encrypted","subscribe":"open"}'],
  ["subscribing alone", { subscribe: "authenticated" }, '{"subscribe":"authenticated"}'],
])("permissions that are %s", (_, permissions, text) => {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read", "write", "notify"], permissions }] });
  const described = describeServer(server).services[0]!.characteristics![0]!.permissions;
  expect(JSON.stringify(described)).toBe(text);
});

test("descriptors of every kind are described as they are, and loaded so", async () => {
  const server = new GattServer();
  const read = (): Uint8Array => hex("09");
  server.addService({
    uuid: 0x180f,
    characteristics: [
      {
        uuid: 0x2a19,
        properties: ["write-without-response", "write", "reliable-write"],
        maxLength: 3,
        value: hex("01"),
        descriptors: [
          { uuid: 0x2901, value: hex("41"), readable: false, writable: true, anyWrite: true, maxLength: 4 },
          { uuid: 0x2903, value: hex("0000"), fixedLength: true, permissions: { read: "encrypted", write: "authenticated" } },
          { uuid: 0x2904, read },
          { uuid: 0x2905 },
        ],
      },
      {
        uuid: 0x2a1a,
        properties: ["read"],
        descriptorsAsListed: true,
        descriptors: [{ uuid: 0x2902, writable: false, value: hex("0100") }],
      },
    ],
  });
  const described = describeServer(server);
  const [first, second] = described.services[0]!.characteristics!;
  expect(first).toEqual({
    uuid: "2a19",
    handle: 2,
    valueHandle: 3,
    properties: ["write-without-response", "write", "extended-properties"],
    value: "01",
    maxLength: 3,
    descriptors: [
      { uuid: "2900", handle: 4, value: "0100" },
      { uuid: "2901", handle: 5, readable: false, writable: true, anyWrite: true, value: "41", maxLength: 4 },
      { uuid: "2903", handle: 6, permissions: { read: "encrypted", write: "authenticated" }, value: "0000", fixedLength: true },
      { uuid: "2904", handle: 7 },
      { uuid: "2905", handle: 8 },
    ],
  });
  expect(second!.descriptors).toEqual([{ uuid: "2902", handle: 11, writable: false, value: "0100", maxLength: 512 }]);
  expect(describeServer(loaded(described))).toEqual(described);
  using pair = createGattPair({ server: loaded(described) });
  await pair.client.reliableWrite([{ handle: 3, value: hex("0203") }]);
  expect(toHex(pair.server.characteristic(0x180f, 0x2a19)!.value)).toBe("0203");
  await pair.client.writeWithoutResponse(5, hex("42"));
  await pair.clock.advance(10);
  expect(describeServer(pair.server).services[0]!.characteristics![0]!.descriptors![1]!.value).toBe("42");
  const bare = describeServer(server, { values: false });
  expect(bare.services[0]!.characteristics![0]!.descriptors![2]).toEqual({
    uuid: "2903",
    handle: 6,
    permissions: { read: "encrypted", write: "authenticated" },
    maxLength: 2,
  });
});

test.each([
  [{}, { value: "0000", maxLength: 2 }],
  [{ value: "" }, { value: "", maxLength: 2 }],
  [{ value: "7572af" }, { value: "7572af", maxLength: 3 }],
  [{ maxLength: 0 }, { value: "", maxLength: 0 }],
  [{ maxLength: 512 }, { value: "0000", maxLength: 512 }],
  [
    { value: "010203", fixedLength: true },
    { value: "010203", fixedLength: true },
  ],
  [{ readError: 0x81 }, { maxLength: 2, readError: 0x81 }],
])("a configuration that configures nothing, said to be %o, comes back as it is", (said, described) => {
  const configuration = { uuid: "2902", handle: 4 };
  const withDescriptor = (descriptor: DescriptorDescription): GattDescription => ({
    services: [
      {
        uuid: "180f",
        handle: 1,
        endHandle: 4,
        primary: true,
        includes: [],
        characteristics: [{ uuid: "2a19", handle: 2, valueHandle: 3, properties: ["read"], descriptors: [descriptor] }],
      },
    ],
  });
  const once = describeServer(loaded(withDescriptor({ ...configuration, ...said })));
  expect(once).toEqual(withDescriptor({ ...configuration, ...described }));
  expect(describeServer(loaded(once))).toEqual(once);
});

test("what is said without includes and characteristics is loaded without", () => {
  const server = loaded({ services: [{ uuid: "180f", handle: 1, endHandle: 4 }] });
  expect(describeServer(server)).toEqual({
    services: [{ uuid: "180f", handle: 1, endHandle: 4, primary: true, includes: [], characteristics: [] }],
  });
});

// --- a peer's database ----------------------------------------------------------------------------------------------------------

/** Everything that a client may ask about the structure, and the answers octet by octet. */
async function interrogate({ client, clientChannel, serverChannel }: GattPair): Promise<string[]> {
  const from = serverChannel.sent.length;
  for (const uuid of [undefined, 0x1800, 0x180f, OWN]) await client.services({ refresh: true, ...(uuid !== undefined && { uuid }) });
  for (const service of await client.services({ refresh: true })) {
    await service.includedServices();
    for (const characteristic of await service.characteristics()) await characteristic.descriptors();
  }
  for (const uuid of [0x2800, 0x2801, 0x2802, 0x2803, 0x2900, 0x2902]) await client.readByUuid(uuid).catch(() => undefined);
  expect(clientChannel.sent.length).toBeGreaterThan(10);
  return serverChannel.sent.slice(from).map(toHex);
}

/** Without what cannot be seen from afar. */
const seen = ({ services }: GattDescription): unknown =>
  services.map((service) => ({
    ...service,
    characteristics: service.characteristics?.map(({ uuid, handle, valueHandle, properties, descriptors }) => ({
      uuid,
      handle,
      valueHandle,
      properties,
      descriptors: descriptors?.map((descriptor) => [descriptor.uuid, descriptor.handle]),
    })),
  }));

test("the copy of a peer's database answers every procedure octet by octet as the peer", async () => {
  using original = createGattPair({ server: loaded(odd) });
  const copied = await describeRemote(original.client, { values: true });
  expect(seen(copied)).toEqual(seen(odd));
  using copy = createGattPair({ server: loaded(JSON.parse(JSON.stringify(copied)) as GattDescription) });
  expect(copy.server.databaseHash).toEqual(original.server.databaseHash);
  expect(await interrogate(copy)).toEqual(await interrogate(original));
});

test("values are read where they may be, and what refuses them is noted", async () => {
  using pair = createGattPair({ server: loaded(odd) });
  const { services } = await describeRemote(pair.client, { values: true });
  const flat = services.flatMap(({ characteristics }) => characteristics ?? []);
  const partsOf = ({ uuid, value, permissions, readError, readable }: Partial<CharacteristicDescription>) =>
    Object.values({ uuid, value, permissions, readError, readable }).filter((part) => part !== undefined);
  expect(flat.map(partsOf)).toEqual([["2a00", "6f6464"], ["2a19", "64"], ["2a1a"], ["2a19", false], [OWN], ["2a1b"]]);
  expect(flat[2]!.descriptors!.map(partsOf)).toEqual([["2901", "41"], ["2902"], ["2902"], ["2900", "0100"]]);
});

test.each<[number, boolean, object]>([
  [0x01, false, { readError: 0x01 }],
  [0x02, false, { readable: false }],
  [0x05, false, { permissions: { read: "encrypted" } }],
  [0x05, true, { permissions: { read: "authenticated" } }],
  [0x08, false, { permissions: { read: "authorized" } }],
  [0x0c, true, { permissions: { read: { encrypted: true, minKeySize: 16 } } }],
  [0x0f, false, { permissions: { read: "encrypted" } }],
  [0x0e, false, { readError: 0x0e }],
  [0x80, false, { readError: 0x80 }],
  [0xfd, true, { readError: 0xfd }],
])("a read that is refused with 0x%s (encrypted: %s)", async (errorCode, encrypted, noted) => {
  const { AttError } = await import("../src/att/error.ts");
  const server = new GattServer();
  const read = (): never => {
    throw new AttError(errorCode);
  };
  server.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], read }] });
  using pair = createGattPair({ server, ...(encrypted && { security: { ...BONDED, bonded: false } }) });
  const { services } = await describeRemote(pair.client, { values: true });
  expect(services[0]!.characteristics).toEqual([
    { uuid: "2a19", handle: 2, valueHandle: 3, properties: ["read"], ...noted, descriptors: [] },
  ]);
});

test("what a peer refuses with a code that is none can be loaded too", async () => {
  using pair = createGattPair({ server: loaded(odd) });
  pair.clientChannel.filter = (pdu) => {
    if (toHex(pdu.subarray(0, 3)) !== "0a1300") return true;
    pair.clientChannel.receive(Uint8Array.of(1, 0x0a, 0x13, 0x00, 0x00));
    return false;
  };
  const described = await describeRemote(pair.client, { values: true });
  expect(described.services[1]!.characteristics![0]!.readError).toBe(0x0e);
  expect(describeServer(loaded(described)).services[1]!.characteristics![0]!.readError).toBe(0x0e);
});

test("without values nothing is read but the structure; a lost link ends it", async () => {
  using pair = createGattPair({ server: loaded(odd) });
  const { services } = await describeRemote(pair.client);
  expect(JSON.stringify(services)).not.toContain("6f6464");
  expect(sent(pair, 0x0a)).toHaveLength(1); // the 128-bit UUID of what is included (Vol 3 Part G 3.2)
  const lost = describeRemote(pair.client);
  pair[Symbol.dispose]();
  expect(await code(lost)).toBe("ERR_CLOSED");
  expect(await code(describeRemote(pair.client, { value: true } as never))).toBe("ERR_ARGUMENT");
  expect(await code(describeRemote(pair.client, { values: 1 } as never))).toBe("ERR_ARGUMENT");
});

test("what each client has for itself is left out, and a hash that is as it should be", async () => {
  const server = new GattServer();
  server.addService(gapService({ name: "Original" }));
  server.addService(gattService({ serverFeatures: true }));
  using pair = createGattPair({ server });
  await pair.client.watchServiceChanged();
  const { services } = await describeRemote(pair.client, { values: true });
  expect(services[1]!.characteristics!.map(({ uuid, value }) => [uuid, value])).toEqual([
    ["2a05", undefined],
    ["2b29", undefined],
    ["2b2a", undefined],
    ["2b3a", "00"],
  ]);
  using copy = createGattPair({ server: loaded({ services }) });
  expect(await copy.client.readDatabaseHash()).toEqual(server.databaseHash);
  await copy.client.watchServiceChanged(); // the copy keeps them by itself
  expect(copy.session.clientFeatures).toBe(0x05);
  const wrong = new GattServer();
  wrong.addService({ uuid: 0x1801, characteristics: [{ uuid: 0x2b2a, properties: ["read"], value: new Uint8Array(16) }] });
  using other = createGattPair({ server: wrong });
  const described = await describeRemote(other.client, { values: true });
  expect(described.services[0]!.characteristics![0]!.value).toBe("00".repeat(16));
});

test("a peer that does not tell of secondary services by their type tells of them where they are included", async () => {
  const whole = await describeRemote(createGattPair({ server: loaded(odd) }).client);
  for (const errorCode of [0x06, 0x10, 0x04]) {
    using pair = createGattPair({ server: loaded(odd) });
    pair.clientChannel.filter = (pdu) => {
      if (toHex(pdu.subarray(0, 1)) !== "10" || toHex(pdu.subarray(5)) !== "0128") return true;
      pair.clientChannel.receive(Uint8Array.of(1, 0x10, pdu[1]!, pdu[2]!, errorCode));
      return false;
    };
    expect(await describeRemote(pair.client)).toEqual(whole);
  }
});

test("random databases are the same after a round trip through a peer", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const description = randomDescription(seed);
    const server = loaded(description);
    expect(describeServer(server)).toEqual(description);
    using pair = createGattPair({ server, clientPolicy: { mtu: 23 + seed * 7 } });
    const copied = await describeRemote(pair.client, { values: true });
    expect(seen(copied)).toEqual(seen(description));
    expect(loaded(copied).databaseHash).toEqual(server.databaseHash);
  }
});

function randomDescription(seed: number): GattDescription {
  const random = new SeededRandom(seed, "description");
  const octets = new Uint8Array(1);
  const below = (limit: number): number => {
    random.fill(octets);
    return octets[0]! % limit;
  };
  let handle = 0;
  const next = (): number => {
    handle += 1 + (below(4) === 0 ? below(300) : 0);
    return handle;
  };
  const uuid = (): string =>
    below(3) === 0 ? `9a3f00${(0x10 + below(200)).toString(16)}-6e5b-4c44-9d4e-3a1c5b7f0a11` : `2a${(0x10 + below(200)).toString(16)}`;
  const services: ServiceDescription[] = [];
  for (let i = below(5); i >= 0; i--) {
    const start = next();
    const before = services.map((service) => service.handle);
    const includes = before.length > 0 && below(2) ? [{ handle: next(), service: before[below(before.length)]! }] : [];
    const characteristics = Array.from({ length: below(5) }, (): CharacteristicDescription => {
      const properties = (["read", "write-without-response", "write", "notify", "indicate"] as const).filter(() => below(2));
      const declaration = next();
      const valueHandle = next();
      const isSubscribable = properties.includes("notify") || properties.includes("indicate");
      const cccd = isSubscribable && below(4) > 0 ? [{ uuid: "2902", handle: next() }] : [];
      const others = Array.from({ length: below(3) }, () => ({
        uuid: `29${(0x10 + below(100)).toString(16)}`,
        handle: next(),
        value: "0102",
      }));
      return { uuid: uuid(), handle: declaration, valueHandle, properties, descriptors: [...cccd, ...others] };
    });
    handle += below(3);
    services.push({ uuid: uuid(), handle: start, endHandle: handle, primary: below(4) > 0, includes, characteristics });
  }
  return { services };
}
