import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../src/bytes/index.ts";
import {
  CaptureDecoder,
  type CaptureRecord,
  CaptureWriter,
  MemorySink,
  MonitorOpcode,
  packetJson,
  packetLine,
  readCapture,
} from "../src/capture/index.ts";
import { Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const VALUE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";

/** Both sides of a link, from the opening of both to their end: what each packet is, and the call that it is said to come from. */
async function life(
  anonymous = false,
): Promise<{ central: string[]; peripheral: string[]; address: string; file: Uint8Array; handle: string }> {
  await using air = new SimulatedAir({ seed: 3 });
  const sinks = { central: new MemorySink(), peripheral: new MemorySink() };
  const open = (name: "central" | "peripheral"): Promise<Device> => {
    const writer = new CaptureWriter(sinks[name], { format: "pcapng", anonymous });
    return Device.open(air.addController({ name }).transport, { clock: air.clock, random: air.random(name), capture: writer.write });
  };
  const peripheral = await open("peripheral");
  const service = peripheral.gattServer.addService({
    uuid: SERVICE,
    characteristics: [{ uuid: VALUE, properties: ["read", "write", "notify"], value: fromHex("0102") }],
  });
  await peripheral.advertise({ payload: { serviceUuids: [SERVICE] } });
  const central = await open("central");
  let handle = "";
  for await (const { address } of central.scan()) {
    const connection = await central.connect(address);
    await connection.pair();
    const value = await connection.gatt.characteristic(SERVICE, VALUE);
    handle = `0x${value.valueHandle.toString(16).padStart(4, "0")}`;
    await value.read();
    await value.write(fromHex("0a"));
    const subscription = await value.subscribe(() => undefined);
    await service.characteristic(VALUE)!.notify(fromHex("0b"));
    await subscription.unsubscribe();
    await connection.rssi();
    await connection.disconnect();
    break;
  }
  const address = peripheral.address.toString();
  await central.close();
  await peripheral.close();
  const told = (sink: MemorySink): string[] => {
    const decoder = new CaptureDecoder();
    return readCapture(sink.bytes()).map((record) => {
      const { name, direction, comment } = decoder.decode(record);
      return `${direction === "host-to-controller" ? ">" : "<"} ${name}: ${comment ?? "-"}`;
    });
  };
  return { central: told(sinks.central), peripheral: told(sinks.peripheral), address, file: sinks.central.bytes(), handle };
}

test("each packet of a session is told with the call that it comes from, and each answer with it", async () => {
  const { central, peripheral, address, handle } = await life();
  const connect = `device.connect(${address})`;
  const characteristic = `gatt.characteristic(${SERVICE}, ${VALUE})`;
  const expected = [
    "> Reset: Device.open()",
    "< CommandComplete Reset: Device.open()",
    expect.stringMatching(/^> LeSet(Extended)?ScanEnable: device\.scan\(\)$/),
    expect.stringMatching(/^< Le(Extended)?AdvertisingReport: device\.scan\(\)$/),
    expect.stringMatching(/^> Le(Extended)?CreateConnection: device\.connect\(/),
    expect.stringMatching(/^< CommandStatus: device\.connect\(/),
    expect.stringMatching(/^< Le(Enhanced)?ConnectionComplete: device\.connect\(/),
    "> PairingRequest: connection.pair()",
    "< PairingResponse: connection.pair()",
    "> LeEnableEncryption: connection.pair()",
    "< EncryptionChange: connection.pair()",
    `> AttReadReq: gatt.read ${handle}`,
    `< AttReadRsp: gatt.read ${handle}`,
    `> AttWriteReq: gatt.write ${handle}`,
    `< AttWriteRsp: gatt.write ${handle}`,
    "< AttHandleValueNtf: -",
    "> ReadRssi: connection.rssi()",
    "< CommandComplete ReadRssi: connection.rssi()",
    "> Disconnect: connection.disconnect()",
    "< DisconnectionComplete: connection.disconnect()",
  ];
  expect(central).toEqual(expect.arrayContaining(expected));
  expect(central.some((line) => line.endsWith(connect))).toBe(true);
  // What the client looks for by itself, such as Service Changed, is no call of the program.
  const discovery = central.filter((line) => /> AttReadByTypeReq|> AttFindByTypeValueReq/.test(line));
  expect([...new Set(discovery.map((line) => line.slice(line.indexOf(": ") + 2)))]).toEqual([characteristic]);
  expect(central.filter((line) => line.endsWith(characteristic)).length).toBeGreaterThan(3);
  expect(central.at(-1)).toBe("< CommandComplete Reset: device.close()");
  expect(peripheral).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^> LeSet(Extended)?AdvertisingEnable: device\.advertise\(\)$/),
      expect.stringMatching(/^< Le(Enhanced)?ConnectionComplete: device\.advertise\(\)$/),
      "< AttReadReq: -",
      "> AttReadRsp: gattServer: the peer's request",
      expect.stringMatching(/^> AttHandleValueNtf: gattServer\.notify 0x[0-9a-f]{4}$/),
    ]),
  );
  // Nobody here has asked for the end of the link.
  expect(peripheral).toContain("< DisconnectionComplete: -");
});

test("an anonymous capture names the same invented address in comments as in packets", async () => {
  const { central, address, file } = await life(true);
  expect(central.join("\n")).not.toContain(address.slice(0, 17));
  const connecting = central.find((line) => line.includes("CreateConnection:"))!;
  const [pseudonym] = /(?:[0-9A-F]{2}:){5}[0-9A-F]{2}/.exec(connecting)!;
  const decoder = new CaptureDecoder();
  const command = readCapture(file)
    .map((record) => decoder.decode(record))
    .find(({ name }) => name.endsWith("CreateConnection"))!;
  expect(String(command.fields.peerAddress)).toContain(pseudonym);
});

describe("comments", () => {
  const record = (comment: string | undefined): CaptureRecord => ({
    direction: "host-to-controller",
    packet: fromHex("01030c00"),
    timeMs: 0,
    originalLength: 4,
    drops: 0,
    ...(comment === undefined ? {} : { comment }),
  });
  const written = (comment: string | undefined, options: object = {}): string | undefined => {
    const sink = new MemorySink();
    new CaptureWriter(sink, { format: "pcapng", ...options }).writeRecord(record(comment));
    return readCapture(sink.bytes())[0]!.comment;
  };

  test("of any text come back from pcapng, of adapters and of the monitor", () => {
    for (const comment of ["device.scan()", "ä → ü", "a"]) {
      expect(written(comment)).toBe(comment);
      expect(written(comment, { content: "monitor" })).toBe(comment);
    }
    expect(written(undefined)).toBeUndefined();
    expect(written("")).toBeUndefined();
    expect(written("é".repeat(40_000))).toBe("é".repeat(32_767));
    const sink = new MemorySink();
    const note = { opcode: MonitorOpcode.SystemNote, index: 0xffff, payload: fromHex("00"), timeMs: 0, comment: "noted" };
    new CaptureWriter(sink, { format: "pcapng", content: "monitor" }).writeRecord(note);
    expect(readCapture(sink.bytes())[0]).toMatchObject({ comment: "noted" });
  });

  test("have the octets of the format: option 1 of an Enhanced Packet Block", () => {
    const sink = new MemorySink();
    new CaptureWriter(sink, { format: "pcapng" }).writeRecord(record("abcde"));
    expect(toHex(sink.bytes())).toContain(`01000500${toHex(new TextEncoder().encode("abcde"))}00000002000400`);
  });

  test("are lost in formats without, which stay as they were", () => {
    for (const format of ["btsnoop", "pcap"] as const) {
      const [one, other] = ["device.scan()", undefined].map((comment) => {
        const sink = new MemorySink();
        new CaptureWriter(sink, { format }).writeRecord(record(comment));
        return toHex(sink.bytes());
      });
      expect(one).toBe(other);
    }
  });

  test("are printed at the end of the line, made safe, and told in JSON", () => {
    const decoded = new CaptureDecoder().decode(record("a\n\u001b[31mb"));
    expect(packetLine(decoded, 0)).toBe("     1     0.000000 > hci   Reset # a\\n\\u001b[31mb");
    expect(packetJson(decoded)).toMatchObject({ comment: "a\n\u001b[31mb" });
    expect(packetJson(new CaptureDecoder().decode(record(undefined)))).not.toHaveProperty("comment");
  });

  test("of others are made unreadable in an anonymous capture, those of calls keep what names nobody", () => {
    const anonymous = (comment: string): string | undefined => written(comment, { anonymous: true });
    for (const comment of [
      "device.scan()",
      "gatt.read 0x0012",
      `gatt.characteristic(180d, ${VALUE})`,
      "gattServer.notify 0x0003",
      "gattServer: the peer's request",
      "gatt: discovery",
    ])
      expect(anonymous(comment)).toBe(comment);
    expect(anonymous("device.connect(C1:02:03:04:05:06/random)")).toBe("device.connect(C0:00:00:00:00:01/random)");
    for (const comment of [
      "Bob's pump",
      "device.scan() at Bob's",
      "at Bob's device.scan()",
      "gatt.read 0x0012 Bob",
      "device.connect(Bob)",
      "C1:02:03:04:05:06",
    ])
      expect(anonymous(comment)).toBe("x".repeat(comment.length));
  });
});
