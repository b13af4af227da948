import { batteryService, deviceInformation, type ExampleDevice } from "./kind.ts";

/** Nothing but a battery. */
export const battery: ExampleDevice = {
  name: "Battery",
  advertised: { flags: 0x06, serviceUuids: ["180F"] },
  serve(server, body) {
    deviceInformation(server, "Battery");
    return batteryService(server, body);
  },
};
