import { SeededRandom } from "../../src/core/index.ts";
import { Device } from "../../src/device/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";
import { Wire } from "./wire.ts";
import { CHARACTERISTIC, type Host, received, SERVICE, seen, VALUE } from "./workloads.ts";

/** This host, on the real clock as on a real adapter. */
export async function openJelling(): Promise<Host> {
  const wire = await Wire.open();
  const [near, far] = createTransportPair();
  wire.toHost = (packet) => far.send(packet);
  far.onPacket = (packet) => wire.fromHost(packet);
  const device = await Device.open(near, { random: new SeededRandom(1, "jelling"), name: "jelling" });
  const connection = await device.connect(`${wire.peerAddress}/random`, { timeoutMs: 10_000 });
  const remote = await connection.gatt.characteristic(SERVICE, CHARACTERISTIC);
  await remote.subscribe((value) => {
    seen.octets += value.length;
    seen.items++;
  });
  await device.startScan({ active: true, duplicates: "report" }, (advertisement) => {
    seen.items++;
    for (const { data } of advertisement.manufacturerData) seen.octets += data[0]!;
  });
  wire.take();
  return {
    name: "jelling",
    works: {
      ...received(wire, (packet) => far.send(packet)),
      "writes of 20 octets with response": async (count) => {
        for (let i = 0; i < count; i++) await remote.write(VALUE);
      },
      "writes of 20 octets without response": async (count) => {
        for (let i = 0; i < count; i++) await remote.writeWithoutResponse(VALUE);
      },
    },
  };
}
