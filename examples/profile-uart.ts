// A serial line as a pair of streams: an echo that gives everything back in capitals. uart.ts is the same without the declared service.
import { nordicUart, openUart, serveUart } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
await using device = await air.device({ name: "uart" });
await using server = serveUart(device);
await device.advertise({ payload: { serviceUuids: [nordicUart.uuid] }, restart: "disconnected" });

async function echo(): Promise<void> {
  const port = await server.take();
  for await (const octets of port) await port.write(new TextEncoder().encode(new TextDecoder().decode(octets).toUpperCase()));
}
const echoing = echo().catch(() => undefined); // the link is gone

await using central = await air.device({ name: "central" });
for await (const { address } of central.scan({ services: [nordicUart.uuid], durationMs: 5000 })) {
  await using connection = await central.connect(address);
  const port = await openUart(connection);
  const line = "a line that is longer than the twenty octets of a small packet";
  await port.write(new TextEncoder().encode(line));
  let answer = "";
  while (answer.length < line.length) answer += new TextDecoder().decode(await port.take({ timeoutMs: 1000 }));
  console.log(answer);
  break;
}
await echoing;
