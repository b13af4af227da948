// Pairs two devices by comparing a number, and uses the bond after both have moved to new private addresses.
//
//   node pairing.mjs                                     in a simulated air
//   node pairing.mjs hci:0 C0:11:22:33:44:55/random      with a device near a real adapter
import { Device, IoCapability, type PairingAgent } from "jelling";
import { SimulatedAir } from "jelling/testing";

const [transport, target] = process.argv.slice(2);

/** Shows what a program would ask its user, and says yes. */
const agent = (who: string): PairingAgent => ({
  confirm: async ({ peer }) => {
    console.log(`${who}: pair with ${peer}? yes`);
    return true;
  },
  compare: async ({ value }) => {
    console.log(`${who}: does the other device show ${String(value).padStart(6, "0")}? yes`);
    return true;
  },
  enterPasskey: async () => undefined,
  displayPasskey: ({ passkey }) => console.log(`${who}: type ${String(passkey).padStart(6, "0")} on the other device`),
});
const options = (who: string) => ({ name: who, agent: agent(who), pairing: { ioCapability: IoCapability.DisplayYesNo, mitm: true } });

await using air = new SimulatedAir({ seed: 1 });
await using device = transport ? await Device.open(transport, options("here")) : await air.device(options("here"));
if (transport) {
  if (target === undefined) throw new Error("expected the address of a device after the transport");
  await using connection = await device.connect(target);
  console.log(await connection.pair());
} else {
  const lock = await air.device(options("lock"));
  lock.gattServer.addService({
    uuid: "1815",
    characteristics: [{ uuid: "2A56", properties: ["read"], value: Uint8Array.of(1), permissions: { read: "authenticated" } }],
  });
  const advertise = () => lock.advertise({ data: { flags: 6, serviceUuids: ["1815"] }, ownAddress: "resolvable" });

  const advertising = await advertise();
  const first = await device.connect(advertising.ownAddress!);
  const report = await first.pair();
  console.log(`paired by ${report.method}, keys of ${report.keySize} octets, bonded: ${report.bonded}`);
  await first.disconnect();

  await air.advance(20 * 60_000); // private addresses change every 15 minutes
  await advertise();
  const second = await device.connect(lock.identity, { ownAddress: "resolvable" });
  console.log(`connected again, at ${second.peerAddress}`);
  const state = await second.gatt.characteristic("1815", "2A56");
  console.log(`state ${await state.read()}, encrypted: ${second.security.encrypted}, authenticated: ${second.security.authenticated}`);
}
