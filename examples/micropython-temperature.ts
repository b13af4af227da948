// A temperature sensor and its reader, with the class BLE of jelling/micropython: handlers of events and numbers, as a MicroPython program has
// them. temperature.ts is the same with objects and loops.
//
//   node micropython-temperature.mjs          in a simulated air, with a reader that takes five values
//   node micropython-temperature.mjs hci:0    on a real adapter: the sensor, until it is interrupted
import { openTransport } from "jelling";
import { AdvType, BLE, type BleOptions, Flag, UUID } from "jelling/micropython";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

const ENVIRONMENTAL_SENSING = new UUID(0x181a);
const TEMPERATURE = new UUID(0x2a6e); // signed, hundredths of a degree

await using air = new SimulatedAir({ seed: 1 });
const options = (name: string): BleOptions =>
  transport
    ? { controller: (given) => openTransport(transport, given) }
    : { controller: air.addController({ name }).transport, clock: air.clock };

await using sensor = new BLE(options("sensor"));
const advertise = (): Promise<void> =>
  sensor.gapAdvertise(250_000, Uint8Array.of(2, 1, 6, 3, 3, ...ENVIRONMENTAL_SENSING.toLittleEndian()));
sensor.irq(async (event) => {
  if (event.type === "centralDisconnect") await advertise();
  if (event.type === "gattsIndicateDone") console.log(`sensor: confirmed, status ${event.status}`);
});
await sensor.active(true);
const [[handle]] = (await sensor.gattsRegisterServices([
  [ENVIRONMENTAL_SENSING, [[TEMPERATURE, Flag.Read | Flag.Notify | Flag.Indicate]]],
])) as [[number]];
await advertise();

let hundredths = 2150;
const measure = (): void => {
  hundredths += 7;
  // Stores the value, and sends it to every central that has asked for it.
  sensor.gattsWrite(handle, Uint8Array.of(hundredths & 0xff, hundredths >> 8), true);
  timer = clock.setTimer(1000, "measurement", measure);
};
const clock = sensor.device?.clock ?? air.clock;
let timer = clock.setTimer(1000, "measurement", measure);

if (transport) {
  await new Promise((resolve) => process.once("SIGINT", resolve));
} else {
  await using reader = new BLE(options("reader"));
  const isDone = new Promise<void>((resolve) => {
    let [valueHandle, endHandle, count] = [0, 0, 0];
    let found: { addrType: number; addr: Uint8Array } | undefined;
    const show = (data: Uint8Array): string => `${new DataView(data.buffer, data.byteOffset, 2).getInt16(0, true) / 100} °C`;
    reader.irq(async (event) => {
      switch (event.type) {
        case "scanResult": {
          const [low, high] = ENVIRONMENTAL_SENSING.toLittleEndian();
          const isSensor = event.advType === AdvType.AdvInd && event.advData[5] === low && event.advData[6] === high;
          if (!isSensor || found) break;
          found = event;
          await reader.gapScan(null);
          break;
        }
        case "scanDone":
          if (found) await reader.gapConnect(found.addrType, found.addr);
          break;
        case "peripheralConnect":
          await reader.gattcDiscoverServices(event.connHandle, ENVIRONMENTAL_SENSING);
          break;
        case "gattcServiceResult":
          await reader.gattcDiscoverCharacteristics(event.connHandle, event.startHandle, event.endHandle, TEMPERATURE);
          break;
        case "gattcCharacteristicResult":
          ({ valueHandle, endHandle } = event);
          break;
        case "gattcCharacteristicDone":
          await reader.gattcRead(event.connHandle, valueHandle);
          break;
        case "gattcReadResult":
          console.log(`reader: ${show(event.data)} when it was read`);
          break;
        case "gattcReadDone":
          await reader.gattcDiscoverDescriptors(event.connHandle, valueHandle, endHandle);
          break;
        case "gattcDescriptorResult":
          // Client Characteristic Configuration: 1 asks for notifications, 2 for indications.
          if (event.uuid.equals(new UUID(0x2902))) await reader.gattcWrite(event.connHandle, event.descHandle, Uint8Array.of(1, 0), 1);
          break;
        case "gattcNotify":
          console.log(`reader: ${show(event.data)}`);
          if (++count === 5) await reader.gapDisconnect(event.connHandle);
          break;
        case "peripheralDisconnect":
          resolve();
          break;
        default:
      }
    });
  });
  await reader.active(true);
  await reader.gapScan(5000, 30_000, 30_000);
  await isDone;
}
timer[Symbol.dispose]();
