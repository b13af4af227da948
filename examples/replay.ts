// A session that is recorded once and played back: the same program, the same results, with no radio and no air.
//
//   node replay.mjs
import { Device } from "jelling";
import { VirtualClock } from "jelling/async";
import { recordController, replayTransport } from "jelling/capture";
import { SeededRandom } from "jelling/core";
import { SimulatedAir } from "jelling/testing";

const BATTERY = "180F";
const BATTERY_LEVEL = "2A19";

/** What is tested: a program that uses a device. */
async function readBattery(device: Device): Promise<number | undefined> {
  for await (const { address } of device.scan({ services: [BATTERY], durationMs: 5000 })) {
    await using connection = await device.connect(address);
    const level = await connection.gatt.characteristic(BATTERY, BATTERY_LEVEL);
    return (await level.read())[0];
  }
  return undefined;
}

// Once, with a real device, or with one of a simulated air: what its controller and the host say to each other is kept.
async function record(): Promise<Uint8Array> {
  await using air = new SimulatedAir({ seed: 1 });
  const thing = await air.device({ name: "thing" });
  thing.gattServer.addService({
    uuid: BATTERY,
    characteristics: [{ uuid: BATTERY_LEVEL, properties: ["read"], value: Uint8Array.of(87) }],
  });
  await thing.advertise({ payload: { serviceUuids: [BATTERY] } });
  const recording = recordController(air.addController().transport, { clock: air.clock });
  {
    await using device = await Device.open(recording.transport, { clock: air.clock, random: new SeededRandom(1, "host") });
    console.log(`recorded: the battery is at ${await readBattery(device)} %`);
  }
  return recording.file();
}

// As often as you like: in a test the file lies beside it.
const clock = new VirtualClock();
const replay = replayTransport(await record(), { clock });
{
  await using device = await Device.open(replay, { clock, random: new SeededRandom(1, "host") });
  console.log(`played: the battery is at ${await readBattery(device)} %`);
}
replay.verify(); // throws where the program did something else than when it was recorded
