// A file over an L2CAP channel, as a stream. micropython-l2cap-file.ts is the same with events and numbers.
//
//   node l2cap-file.mjs                                     in a simulated air
//   node l2cap-file.mjs hci:0                               serves on a real adapter, until it is interrupted
//   node l2cap-file.mjs hci:0 C0:11:22:33:44:55/random      fetches from it
import { Device } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport, target] = process.argv.slice(2);
const SPSM = 0x80;
const FILES = new Map([["log.txt", new TextEncoder().encode("21.5 degrees and rising\n".repeat(400))]]);

await using air = new SimulatedAir({ seed: 1 });

/** The first SDU names the file; what follows is its content, and the end of the channel its end. */
async function serve(device: Device): Promise<void> {
  using listener = device.l2cap.listen(SPSM);
  await device.advertise({ payload: { name: "files" }, restart: "connected" });
  for await (const channel of listener) {
    const name = new TextDecoder().decode(await channel.receive({ timeoutMs: 10_000 }));
    console.log(`server: ${name} is asked for`);
    const file = new Blob([FILES.get(name) ?? new Uint8Array(0)]);
    await file.stream().pipeTo(channel.streams().writable); // waits for the receiver, and closes the channel
  }
}

async function fetchFile(device: Device, address: string, name: string): Promise<Uint8Array> {
  await using connection = await device.connect(address);
  const channel = await connection.l2cap.connect(SPSM);
  await channel.send(new TextEncoder().encode(name));
  return new Uint8Array(await new Response(channel.streams().readable).arrayBuffer());
}

if (transport) {
  await using device = await Device.open(transport);
  if (target === undefined) await serve(device);
  else console.log(`${(await fetchFile(device, target, "log.txt")).length} octets`);
} else {
  const server = await air.device({ name: "server" });
  serve(server).catch((error: unknown) => console.log(`server: ${error}`));
  const client = await air.device({ name: "client" });
  const startMs = air.clock.now();
  const file = await fetchFile(client, server.address.toString(), "log.txt");
  console.log(`client: ${file.length} octets in ${((air.clock.now() - startMs) / 1000).toFixed(1)} s`);
}
