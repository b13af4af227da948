// Advertising payloads made and read by hand, as MicroPython programs do, with the class BLE of jelling/micropython.
// What the library has for it is shown in advertising.ts.
//
//   node micropython-advertising.mjs          in a simulated air
//   node micropython-advertising.mjs hci:0    on a real adapter: advertises for ten seconds
import { openTransport } from "jelling";
import { AdvType, BLE, type BleOptions, UUID } from "jelling/micropython";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

const AD_FLAGS = 0x01;
const AD_NAME = 0x09;
/** Complete lists of services, by the octets of a UUID. */
const AD_SERVICES = new Map([
  [2, 0x03],
  [4, 0x05],
  [16, 0x07],
]);
const AD_APPEARANCE = 0x19;

/** One structure after the other: length, type, value. */
function payload(options: { limited?: boolean; name?: string; services?: UUID[]; appearance?: number }): Uint8Array {
  const octets: number[] = [];
  const append = (type: number, value: Iterable<number>): void => {
    const data = [...value];
    octets.push(data.length + 1, type, ...data);
  };
  append(AD_FLAGS, [(options.limited ? 0x01 : 0x02) | 0x04]);
  if (options.name !== undefined) append(AD_NAME, new TextEncoder().encode(options.name));
  for (const uuid of options.services ?? []) append(AD_SERVICES.get(uuid.size)!, uuid.toLittleEndian());
  if (options.appearance) append(AD_APPEARANCE, [options.appearance & 0xff, options.appearance >> 8]);
  if (octets.length > 31) throw new Error(`a payload of ${octets.length} octets: at most 31 fit`);
  return Uint8Array.from(octets);
}

/** Values of all structures of a type. */
function fields(data: Uint8Array, type: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 1 < data.length; at += 1 + data[at]!)
    if (data[at + 1] === type) found.push(data.subarray(at + 2, at + 1 + data[at]!));
  return found;
}
const nameIn = (data: Uint8Array): string => new TextDecoder().decode(fields(data, AD_NAME)[0]);
const servicesIn = (data: Uint8Array): UUID[] =>
  [...AD_SERVICES].flatMap(([size, type]) =>
    fields(data, type).flatMap((list) =>
      Array.from({ length: list.length / size }, (_, i) => UUID.fromLittleEndian(list.subarray(i * size, (i + 1) * size))),
    ),
  );

await using air = new SimulatedAir({ seed: 1 });
const options = (name: string): BleOptions =>
  transport
    ? { controller: (given) => openTransport(transport, given) }
    : { controller: air.addController({ name }).transport, clock: air.clock };

await using sensor = new BLE(options("sensor"));
await sensor.active(true);
const data = payload({ name: "air", services: [new UUID(0x181a), UUID.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e")] });
console.log(`${data.length} octets: ${nameIn(data)}, ${servicesIn(data).join(", ")}`);
await sensor.gapAdvertise(100_000, data);

if (transport) {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
} else {
  await using phone = new BLE(options("phone"));
  const isDone = new Promise<void>((resolve) => {
    const seen = new Set<number>();
    phone.irq((event) => {
      if (event.type === "scanDone") resolve();
      // A scan reports every advertisement that it hears.
      if (event.type !== "scanResult" || seen.has(event.advType)) return;
      seen.add(event.advType);
      if (event.advType !== AdvType.AdvInd) return;
      console.log(`phone: ${event.rssi} dBm, ${nameIn(event.advData)}, ${servicesIn(event.advData).join(", ")}`);
    });
  });
  await phone.active(true);
  await phone.gapScan(1000, 30_000, 30_000, true);
  await isDone;
}
