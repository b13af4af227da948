import { expect } from "vitest";
import { type McumgrClient, parseImage } from "../../src/mcumgr/index.ts";
import { createImage, type SimulatedMcumgrDevice } from "../../src/testing/index.ts";

/** An image that a simulated device is upgraded to. */
export const UPGRADE = createImage({ version: "2.0.0", bodySize: 20_000 });
const hash = parseImage(UPGRADE).digest!.value;

/** Each step of an upgrade as a request of its own, and what the device says of it. */
export async function upgradeByHand(client: McumgrClient, device: SimulatedMcumgrDevice): Promise<void> {
  await client.uploadImage(UPGRADE);
  await client.image.setState({ hash, confirm: false });
  await client.reset({ timeoutMs: 60_000 });
  await client.reconnect({ timeoutMs: 60_000 });
  const { images } = await client.image.state();
  expect(images.map(({ slot, version, active, confirmed }) => ({ slot, version, active, confirmed }))).toEqual([
    { slot: 0, version: "2.0.0", active: true, confirmed: false },
    { slot: 1, version: "1.0.0", active: false, confirmed: true },
  ]);
  await client.image.setState({ confirm: true });
  expect(device.states[0]).toMatchObject({ version: "2.0.0", active: true, confirmed: true });
}
