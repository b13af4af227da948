import { all, batteryService, deviceInformation, drawn, type ExampleDevice, every, tell } from "./kind.ts";

/** IEEE 11073 FLOAT with one decimal: mantissa in 24 bits, exponent -1 in the last octet. */
function float(tenths: number): Uint8Array {
  return Uint8Array.of(tenths & 0xff, (tenths >> 8) & 0xff, (tenths >> 16) & 0xff, 0xff);
}

/** A thermometer that indicates the body's temperature every two seconds and lets the room's be read. */
export const thermometer: ExampleDevice = {
  name: "Thermometer",
  advertised: { flags: 0x06, serviceUuids: ["1809", "181A"], appearance: 0x0300 },
  serve(server, body) {
    let tenths = 368;
    let room = 2150; // hundredths of a degree
    const health = server.addService({
      uuid: "1809",
      characteristics: [
        { uuid: "2A1C", properties: ["indicate"] },
        { uuid: "2A1D", properties: ["read"], value: Uint8Array.of(2) }, // body
      ],
    });
    const environment = server.addService({
      uuid: "181A",
      characteristics: [{ uuid: "2A6E", properties: ["read", "notify"], value: Uint8Array.of(room & 0xff, room >> 8) }],
    });
    const measuring = every(body.clock, 2000, "thermometer", () => {
      tenths = Math.min(379, Math.max(360, tenths + drawn(body, 0, 2) - 1));
      room = Math.min(2600, Math.max(1800, room + drawn(body, 0, 20) - 10));
      tell(environment, "2A6E", Uint8Array.of(room & 0xff, room >> 8));
      const value = Uint8Array.of(0, ...float(tenths)); // flags: Celsius, no time, no type
      // A subscriber that left meanwhile has no use for it, and there is nobody to tell.
      health
        .characteristic("2A1C")!
        .indicate(value)
        .catch(() => undefined);
    });
    const battery = batteryService(server, body);
    deviceInformation(server, "Thermometer");
    return all(measuring, battery);
  },
};
