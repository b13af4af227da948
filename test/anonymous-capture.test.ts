import { expect, test } from "vitest";
import { toHex } from "../src/bytes/index.ts";
import { CaptureDecoder, CaptureReader, CaptureWriter, MemorySink } from "../src/capture/index.ts";
import type { Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("a capture of a whole life of a device - found, paired, read, written, found again - names nobody when it is anonymous", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const sinks = [new MemorySink(), new MemorySink()];
  const writers = sinks.map((sink, i) => new CaptureWriter(sink, { anonymous: i === 0, format: "pcapng" }));
  const capture = (where: "sent" | "received", packet: Uint8Array, timeMs: number): void => {
    for (const writer of writers) writer.write(where, packet, timeMs);
  };
  const patient = await air.device({ name: "Jane's sensor" });
  const doctor = await air.device({ name: "Doctor's phone", capture });
  patient.gattServer.add({
    uuid: "180a",
    characteristics: [
      { uuid: "2a25", properties: ["read"], value: text("SN-4711-JANE") },
      { uuid: "2a18", properties: ["write", "notify"], value: text("glucose"), permissions: { write: "encrypted" } },
    ],
  });
  await using advertising = await patient.advertise({ data: { name: "Jane's sensor", serviceUuids: ["180a"] } });
  let address: Device["identity"] | undefined;
  for await (const advertisement of doctor.scan({ name: "Jane's sensor" })) {
    address = advertisement.address;
    break;
  }
  await using connection = await doctor.connect(address!);
  await connection.pair();
  const serial = await connection.gatt.characteristic("180a", "2a25");
  expect(new TextDecoder().decode(await serial.read())).toBe("SN-4711-JANE");
  const glucose = await connection.gatt.characteristic("180a", "2a18");
  await glucose.write(text("142 mg/dL"));
  await connection.disconnect();
  await advertising.stop();

  const [anonymous, known] = sinks.map((sink) => toHex(sink.bytes()));
  const names = ["Jane", "Doctor", "SN-4711", "142 mg"].map((name) => toHex(text(name)));
  const addresses = [patient.identity, doctor.identity, address!].map(({ bytes }) => toHex(bytes));
  for (const secret of [...names, ...addresses]) {
    expect(anonymous).not.toContain(secret);
    if (secret !== toHex(text("Doctor"))) expect(known).toContain(secret);
  }

  // And it still tells what happened, packet for packet.
  const told = sinks.map((sink) => {
    const decoder = new CaptureDecoder();
    return [...new CaptureReader().push(sink.bytes())].map((record) => decoder.decode(record));
  });
  expect(told[0]!.map(({ name }) => name)).toEqual(told[1]!.map(({ name }) => name));
  expect(told[0]!.filter(({ malformed }) => malformed)).toEqual([]);
  expect(told[0]!.map(({ name }) => name)).toEqual(expect.arrayContaining(["PairingRequest", "AttReadRsp", "AttWriteReq"]));
});
