import { batteryService, deviceInformation, type Kind } from "./kind.ts";

/** Nothing but a battery. */
export const battery: Kind = {
  name: "Battery",
  advertised: { flags: 0x06, serviceUuids: ["180F"] },
  serve(server, body) {
    deviceInformation(server, "Battery");
    return batteryService(server, body);
  },
};
