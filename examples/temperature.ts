// A temperature sensor and its reader. micropython-temperature.ts is the same with events and numbers.
//
//   node temperature.mjs          in a simulated air, with a reader that takes five values
//   node temperature.mjs hci:0    on a real adapter: the sensor, until it is interrupted
import { Device } from "jelling";
import { delay } from "jelling/async";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

const ENVIRONMENTAL_SENSING = "181A";
const TEMPERATURE = "2A6E"; // signed, hundredths of a degree

await using air = new SimulatedAir({ seed: 1 });
await using sensor = transport ? await Device.open(transport, { name: "sensor" }) : await air.device({ name: "sensor" });
const service = sensor.gattServer.addService({
  uuid: ENVIRONMENTAL_SENSING,
  characteristics: [{ uuid: TEMPERATURE, properties: ["read", "notify", "indicate"], value: Uint8Array.of(0x66, 0x08) }],
});
const temperature = service.characteristic(TEMPERATURE)!;

const isOver = new AbortController();
async function measure(): Promise<void> {
  for (let hundredths = 2157; ; hundredths += 7) {
    await delay(sensor.clock, 1000, { signal: isOver.signal });
    // Stores the value, and tells every central that has asked for it.
    await temperature.update(Uint8Array.of(hundredths & 0xff, hundredths >> 8));
  }
}
const measuring = measure().catch((error: unknown) => {
  if (!isOver.signal.aborted) throw error;
});
await sensor.advertise({ payload: { serviceUuids: [ENVIRONMENTAL_SENSING], name: "sensor" }, intervalMs: 250, restart: "disconnected" });

if (transport) {
  process.once("SIGINT", () => isOver.abort());
} else {
  await using reader = await air.device({ name: "reader" });
  const show = (data: Uint8Array): string => `${new DataView(data.buffer, data.byteOffset, 2).getInt16(0, true) / 100} °C`;
  for await (const { address } of reader.scan({ services: [ENVIRONMENTAL_SENSING], durationMs: 5000 })) {
    await using connection = await reader.connect(address);
    const characteristic = await connection.gatt.characteristic(ENVIRONMENTAL_SENSING, TEMPERATURE);
    console.log(`reader: ${show(await characteristic.read())} when it was read`);
    let count = 0;
    for await (const value of characteristic.notifications()) {
      console.log(`reader: ${show(value)}`);
      if (++count === 5) break;
    }
    break;
  }
  isOver.abort();
}
await measuring;
