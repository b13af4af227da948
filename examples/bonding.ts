// Bonds in a JSON file: two devices pair, end, and know each other again. micropython-bonding.ts keeps keys by itself; pairing.ts shows numbers
// that are compared.
//
//   node bonding.mjs
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PairingError } from "jelling";
import { SystemClock } from "jelling/async";
import { FileBondStore } from "jelling/node";
import { SimulatedAir } from "jelling/testing";

const folder = mkdtempSync(join(tmpdir(), "jelling-bonds-"));
// In real time: simulated time would not wait for a file.
const clock = new SystemClock();
await using air = new SimulatedAir({ seed: 1, clock });
/** One of two devices, with its keys in a file. A device that keeps bonds has a key of its own that stays, and an address made of it. */
const open = (name: string, octet: number) =>
  air.device({
    name,
    address: "random",
    irk: new Uint8Array(16).fill(octet),
    bonds: new FileBondStore(join(folder, `${name}.json`)),
    agent: { confirm: async () => true }, // a pairing that the peer begins
  });

try {
  for (const meeting of ["first", "second"]) {
    await using lock = await open("lock", 1);
    lock.gattServer.addService({
      uuid: "1815",
      characteristics: [{ uuid: "2A56", properties: ["read"], value: Uint8Array.of(1), permissions: { read: "encrypted" } }],
    });
    await lock.advertise({ payload: { serviceUuids: ["1815"] } });

    await using phone = await open("phone", 2);
    // A bonded peer is encrypted by itself, before `connect` resolves.
    await using connection = await phone.connect(lock.address);
    try {
      const report = connection.bonded ? undefined : await connection.pair({ timeoutMs: 20_000 });
      console.log(
        `the ${meeting} meeting: ${report ? `paired, ${report.method}` : "known"}, keys of ${connection.security.keySize} octets`,
      );
    } catch (error) {
      if (!(error instanceof PairingError)) throw error;
      console.log(`not paired: reason ${error.reason}`);
      continue;
    }
    const state = await connection.gatt.characteristic("1815", "2A56");
    console.log(`state ${await state.read()}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
