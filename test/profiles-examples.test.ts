import { expect, test, vi } from "vitest";

const EXAMPLES: Record<string, () => Promise<unknown>> = {
  "profile-battery": () => import("../examples/profile-battery.ts"),
  "profile-current-time": () => import("../examples/profile-current-time.ts"),
  "profile-device-information": () => import("../examples/profile-device-information.ts"),
  "profile-environmental-sensing": () => import("../examples/profile-environmental-sensing.ts"),
  "profile-health-thermometer": () => import("../examples/profile-health-thermometer.ts"),
  "profile-heart-rate": () => import("../examples/profile-heart-rate.ts"),
  "profile-uart": () => import("../examples/profile-uart.ts"),
};
const SAID: Record<string, string[]> = {
  "profile-battery": ["80 %, charging", "35 %", "then 81 %"],
  "profile-current-time": ["the year is not known", "thursday, 2024-2-29 12:30, 60 minutes from UTC"],
  "profile-device-information": [
    "manufacturerName: Jelling",
    "modelNumber: Rune 1",
    "firmwareRevision: 1.2.3",
    'pnpId: {"vendorIdSource":"bluetoothSig","vendorId":89,"productId":7,"productVersion":291}',
  ],
  "profile-environmental-sensing": ['{"temperature":[21.57,-3.5],"humidity":[40.25],"pressure":[101325]}', "somewhere", "outdoor", "-4 °C"],
  "profile-health-thermometer": ["36.6 °C in the ear", "it could not measure", "38.25 °C in the ear"],
  "profile-heart-rate": ["worn on the chest", "75 bpm, 0.80 s", "79 bpm, 0.76 s", "76 bpm, 0.79 s"],
  "profile-uart": ["A LINE THAT IS LONGER THAN THE TWENTY OCTETS OF A SMALL PACKET"],
};

test.each(Object.keys(EXAMPLES))("examples/%s.ts says what it should", async (name) => {
  const said: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: unknown) => void said.push(String(line)));
  try {
    await EXAMPLES[name]!();
  } finally {
    log.mockRestore();
  }
  expect(said).toEqual(SAID[name]);
});
