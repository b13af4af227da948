// A serial line over the Nordic UART Service, both ends. micropython-uart.ts is the same with events and numbers.
//
//   node uart.mjs          in a simulated air
//   node uart.mjs hci:0    on a real adapter: the peripheral, which sends back what it is sent, until it is interrupted
import { Device } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const RX = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"; // the central writes it
const TX = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"; // the peripheral notifies it
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (octets: Uint8Array): string => new TextDecoder().decode(octets);

await using air = new SimulatedAir({ seed: 1 });
await using device = transport ? await Device.open(transport, { name: "uart" }) : await air.device({ name: "uart" });

/** Sends each line back, in capitals, to whoever has sent it. */
async function serve(): Promise<void> {
  const { characteristics } = device.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: TX, properties: ["notify"] },
      { uuid: RX, properties: ["write", "write-without-response"] },
    ],
  });
  const [tx, rx] = [characteristics[0]!, characteristics[1]!];
  await device.advertise({ payload: { name: "uart", serviceUuids: [SERVICE] }, restart: "disconnected" });
  for await (const { peer, value } of rx.writes()) {
    console.log(`peripheral: ${decode(value)}`);
    await tx.notify(encode(decode(value).toUpperCase()), { to: peer });
  }
}
const serving = serve();

if (transport) {
  await serving;
} else {
  await using central = await air.device({ name: "central" });
  for await (const { address } of central.scan({ services: [SERVICE], durationMs: 2000 })) {
    await using connection = await central.connect(address);
    const rx = await connection.gatt.characteristic(SERVICE, RX);
    const tx = await connection.gatt.characteristic(SERVICE, TX);
    await connection.gatt.exchangeMtu();
    await using answers = tx.notifications();
    await answers.begin(); // before anything is asked
    for (const line of ["hello", "a line that is longer than the twenty octets of a small packet"]) {
      await rx.write(encode(line));
      console.log(`central: ${decode(await answers.take({ timeoutMs: 1000 }))}`);
    }
    break;
  }
}
