import { expect, test } from "vitest";
import type { DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

test.each<[object, string]>([
  [{ agent: { confrim: () => true } }, 'pairing agent: unknown option "confrim", did you mean "confirm"?'],
  [{ agent: { confirm: true } }, "pairing agent, confirm: expected a function, got true"],
  [{ pairing: { ioCapabilty: 3 } }, 'pairing policy: unknown option "ioCapabilty", did you mean "ioCapability"?'],
  [{ policy: { pairing: {} } }, 'Device.open: policy: "pairing" is an option of Device.open itself'],
  [{ policy: { agent: {} } }, 'Device.open: policy: "agent" is an option of Device.open itself'],
  [{ policy: { att: {} } }, 'Device.open: policy: "att" is an option of Device.open itself'],
])("names within options are checked as well: %j", async (options, message) => {
  await using air = new SimulatedAir({ seed: 7 });
  await expect(air.device(options as DeviceOptions)).rejects.toMatchObject({ code: "ERR_ARGUMENT", message });
});

test("names in the policy of an advertisement are checked; an agent of a program's class may have more than is asked for", async () => {
  await using air = new SimulatedAir({ seed: 7 });
  class Agent {
    readonly shown: number[] = [];
    confirm(): Promise<boolean> {
      return Promise.resolve(true);
    }
  }
  const device = await air.device({ agent: new Agent() });
  await expect(device.advertise({ policy: { agent: { x: () => true } as object } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("a bond store that never answers holds pair() no longer than its limit", async () => {
  await using air = new SimulatedAir({ seed: 7 });
  const bonds = new MemoryBondStore();
  bonds.save = () => new Promise(() => {});
  const { central } = await air.connectedPair({ central: { bonds } });
  const startMs = air.clock.now();
  await expect(central.connection.pair({ timeoutMs: 3000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(air.clock.now() - startMs).toBeLessThanOrEqual(3001);
});
