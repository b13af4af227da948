// A heart rate sensor: advertises, serves its attributes, and notifies whoever subscribes, once a second.
//
//   node peripheral.mjs          in a simulated air, with a phone that connects and listens for five values
//   node peripheral.mjs hci:0    on a real adapter, until it is interrupted
import { Device } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

await using air = new SimulatedAir({ seed: 1 });
await using device = transport ? await Device.open(transport, { name: "Heart" }) : await air.device({ name: "Heart" });

let beatsPerMinute = 60;
const measurement = (): Uint8Array => Uint8Array.of(0, beatsPerMinute);
const heartRate = device.gattServer.addService({
  uuid: "180D",
  characteristics: [
    {
      uuid: "2A37",
      properties: ["notify"],
      onSubscription: (peer, { notify }) => console.log(`sensor: ${peer.address} ${notify ? "listens" : "has stopped listening"}`),
    },
    { uuid: "2A38", properties: ["read"], value: Uint8Array.of(2) }, // worn on a finger
    {
      uuid: "2A39",
      properties: ["write"],
      write: (value, { peer }) => console.log(`sensor: ${peer.address} wrote ${value.join(" ")} to the control point`),
    },
  ],
});
const rate = heartRate.characteristic("2A37")!;

const tick = (): void => {
  beatsPerMinute = 60 + ((beatsPerMinute + 7) % 40);
  if (rate.subscribers.length > 0) rate.notify(measurement()).catch((error: unknown) => console.log(`sensor: ${error}`));
  timer = device.clock.setTimer(1000, "heart beat", tick);
};
let timer = device.clock.setTimer(1000, "heart beat", tick);

const advertising = await device.advertise({
  data: { flags: 6, serviceUuids: ["180D"], name: "Heart" },
  intervalMs: 100,
  restart: "disconnected",
});

if (transport) {
  for await (const connection of advertising.connections()) console.log(`sensor: connected by ${connection.peerAddress}`);
} else {
  const phone = await air.device({ name: "phone" });
  const connection = await phone.connect(device.address);
  const characteristic = await connection.gatt.characteristic("180D", "2A37");
  let count = 0;
  for await (const [, value] of characteristic.notifications()) {
    console.log(`phone: ${value} beats a minute`);
    if (++count === 5) break;
  }
  const controlPoint = await connection.gatt.characteristic("180D", "2A39");
  await controlPoint.write(Uint8Array.of(1));
}
timer[Symbol.dispose]();
