import { SystemClock } from "jelling/async";
import { SimulatedKernel } from "jelling/testing";

/**
 * A kernel for trying things: hci0 is on and ready, hci1 as a computer finds it after start. In range are a device for each way of pairing.
 * Each command has a kernel of its own, so that nothing is left for the next.
 */
export function openSimulatedKernel(): SimulatedKernel {
  return new SimulatedKernel({
    clock: new SystemClock(),
    controllers: [
      {
        address: "02:4A:65:6C:00:01",
        name: "Jelling",
        settings: ["Powered", "Bondable", "SecureSimplePairing", "BREDR", "LowEnergy", "SecureConnections"],
      },
      { address: "02:4A:65:6C:00:02", name: "Second" },
    ],
    devices: [
      {
        address: "C0:4A:65:6C:6C:01",
        addressType: "LERandom",
        rssi: -41,
        eirData: { flags: 0x06, name: "Heart Rate", serviceUuids: ["180d", "180f"], appearance: 0x0341 },
        pairing: "justWorks",
      },
      {
        address: "C0:4A:65:6C:6C:02",
        addressType: "LERandom",
        rssi: -57,
        eirData: { flags: 0x06, name: "Thermometer", serviceUuids: ["1809"] },
        pairing: "compare",
      },
      {
        address: "C0:4A:65:6C:6C:04",
        addressType: "LERandom",
        rssi: -63,
        eirData: { flags: 0x06, name: "Echo" },
        pairing: "devicePasskey",
        passkey: 123_456,
      },
      { address: "02:4A:65:6C:6C:05", addressType: "BREDR", rssi: -70, name: "Keyboard", pairing: "pin", pin: "0000" },
    ],
  });
}
