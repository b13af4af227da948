import { all, batteryService, deviceInformation, drawn, type ExampleDevice, every, tell } from "./kind.ts";

const CHEST = 1;

/** A heart rate belt: a measurement a second, with energy and one R-R interval. */
export const heartRate: ExampleDevice = {
  name: "Heart Rate",
  advertised: { flags: 0x06, serviceUuids: ["180D", "180F"], appearance: 0x0341 },
  serve(server, body) {
    let bpm = 72;
    let kilojoules = 0;
    const measurement = (): Uint8Array => {
      const interval = Math.round((60 / bpm) * 1024);
      // Flags: 8-bit rate, contact detected, energy expended, R-R interval (GATT Specification Supplement 3.113).
      return Uint8Array.of(0x1e, bpm, kilojoules & 0xff, kilojoules >> 8, interval & 0xff, interval >> 8);
    };
    const service = server.addService({
      uuid: "180D",
      characteristics: [
        { uuid: "2A37", properties: ["notify"] },
        { uuid: "2A38", properties: ["read"], value: Uint8Array.of(CHEST) },
        {
          uuid: "2A39",
          properties: ["write"],
          write: () => {
            kilojoules = 0;
          },
        },
      ],
    });
    const beat = every(body.clock, 1000, "heart rate", () => {
      bpm = Math.min(160, Math.max(55, bpm + drawn(body, 0, 6) - 3));
      kilojoules = Math.min(0xffff, kilojoules + 1);
      tell(service, "2A37", measurement());
    });
    const battery = batteryService(server, body);
    deviceInformation(server, "Heart Rate Belt");
    return all(beat, battery);
  },
};
