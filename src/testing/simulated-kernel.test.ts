import { describe, expect, test } from "vitest";
import { type Mgmt, openMgmt } from "../mgmt/index.ts";
import { SimulatedKernel } from "./simulated-kernel.ts";

const LOW_ENERGY = 0x200;
const POWERED = 0x1;

async function opened(kernel: SimulatedKernel, privileged = true): Promise<Mgmt> {
  return openMgmt({ socket: kernel.openSocket({ privileged }), clock: kernel.clock });
}

describe("power and discovery", () => {
  test("a controller is switched on and finds a device until its discovery ends by itself", async () => {
    const eirData = { name: "thermometer" };
    const kernel = new SimulatedKernel({
      devices: [{ address: "C0:11:22:33:44:55", addressType: "LERandom", eirData, advertisingIntervalMs: 1000 }],
    });
    await using mgmt = await opened(kernel);
    await mgmt.setLowEnergy(0, true);
    const { currentSettings } = await mgmt.setPowered(0, true);
    expect(currentSettings & (LOW_ENERGY | POWERED)).toBe(LOW_ENERGY | POWERED);
    using found = mgmt.events(["deviceFound", "discovering"]);
    expect(await mgmt.startDiscovery(0, 6)).toEqual({ addressTypes: 6 });
    const before = kernel.clock.now();
    let reports = 0;
    for await (const event of found) {
      if (event.event === "deviceFound") {
        reports++;
        expect(event).toMatchObject({ index: 0, address: "C0:11:22:33:44:55", addressType: 2, rssi: -60 });
      } else if (event.discovering === 0) break;
    }
    expect(reports).toBe(11);
    expect(kernel.clock.now() - before).toBe(10_240);
  });
});
