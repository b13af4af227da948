// Pairs two adapters of one machine with each other by comparing a number, and answers on both sides.
//
//   node mgmt-pair.mjs        with a simulated kernel
//   node mgmt-pair.mjs 0 1    hci1 pairs with hci0 of this machine; takes the right to administer the network (CAP_NET_ADMIN)
import { acceptPairings, advertise, type MgmtPairingAgent, openMgmt, pair, powerOn } from "jelling/mgmt";
import { SimulatedKernel } from "jelling/testing";

const [first, second] = process.argv.slice(2);
const [responder, initiator] = [Number(first ?? 0), Number(second ?? 1)];

const kernel = new SimulatedKernel({ controllers: [{}, {}] });
await using mgmt = first === undefined ? await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock }) : await openMgmt();
for (const index of [responder, initiator]) {
  await mgmt.setLowEnergy(index, true);
  await mgmt.setSecureSimplePairing(index, true); // Secure Connections of a dual-mode adapter stands on it
  await mgmt.setSecureConnections(index, "Enabled");
  await powerOn(mgmt, index);
}

/** Shows what a program would ask its user, and says yes. What it cannot answer it refuses. */
const agent = (who: string): MgmtPairingAgent => ({
  confirm: ({ peer }) => {
    console.log(`${who}: pair with ${peer.address}? yes`);
    return true;
  },
  compare: ({ value }) => {
    console.log(`${who}: does the other device show ${String(value).padStart(6, "0")}? yes`);
    return true;
  },
  displayPasskey: ({ passkey }) => console.log(`${who}: type ${String(passkey).padStart(6, "0")} on the other device`),
});

await using accepting = await acceptPairings(mgmt, responder, agent("responder"), {
  onPaired: ({ address, authenticated }) => console.log(`responder: paired with ${address}, authenticated: ${authenticated}`),
});
await using _advertising = await advertise(mgmt, responder, { name: true });

const { address } = await mgmt.readControllerInformation(responder);
const report = await pair(mgmt, initiator, { address, addressType: "LEPublic" }, { agent: agent("initiator"), timeoutMs: 60_000 });
const kept = report.keys.filter(({ store }) => store).map(({ kind, type }) => `${kind}${type === undefined ? "" : ` (${type})`}`);
console.log(`initiator: paired with ${report.address}; to keep, and to load after the next start: ${kept.join(", ")}`);

// The link key that came with it is the other transport's, and is forgotten by itself.
await accepting[Symbol.asyncDispose]();
const { address: own } = await mgmt.readControllerInformation(initiator);
for (const { kind, addressType } of report.keys) {
  if (kind !== "LongTermKey" && kind !== "LinkKey") continue;
  await mgmt.unpairDevice(initiator, { address, addressType });
  await mgmt.unpairDevice(responder, { address: own, addressType });
}
console.log("unpaired again, on both transports");
