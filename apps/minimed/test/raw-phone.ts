import { Pending } from "jelling/async";
import { Logger } from "jelling/core";
import { type Connection, Device } from "jelling/device";
import { IoCapability } from "jelling/smp";
import { pairAdvertisement } from "../src/connector/advertising.ts";
import { mobileInformation } from "../src/connector/phone-database.ts";
import { PhoneServer } from "../src/connector/phone-server.ts";
import { SakePort } from "../src/connector/sake-port.ts";
import type { SakeSession } from "../src/sake/session.ts";
import type { Scenario } from "./scenario.ts";

/** A phone made by hand from the connector's parts, authenticated, whose link is not closed to the test: for trying the simulated pump. */
export async function authenticatedPhone(scenario: Scenario): Promise<{ connection: Connection; sake: SakeSession } & AsyncDisposable> {
  const { air, clock } = scenario;
  const phone = await Device.open(scenario.phoneController.transport, {
    clock,
    random: air.random("raw phone"),
    address: "random",
    gattServer: "empty",
    att: { maxTxPdu: 23, mtu: 184, exchangeMtu: "never" },
  });
  const authenticated = new Pending<SakeSession>({ clock, operation: "SAKE by hand", timeoutMs: 120_000 });
  const port = new SakePort({
    keyDatabase: scenario.keys.phone,
    peerType: 1,
    clock,
    random: air.random("raw sake"),
    logger: Logger.silent,
    notify: (value) => server.notify(value),
    onStage: () => {},
    onAuthenticated: (session) => authenticated.resolve(session),
    onRestart: () => {},
    onFailure: (error) => authenticated.reject(error),
  });
  const server = new PhoneServer(
    phone.gattServer,
    { name: "Mobile 3", careLink: false, information: mobileInformation("Mobile 3") },
    {
      isPump: () => true,
      onRead: () => {},
      onSubscription: (subscribed) => port.onSubscription(subscribed),
      onWrite: (value) => port.onWrite(value),
    },
  );
  const advertising = await phone.advertise({
    data: pairAdvertisement("Mobile 3"),
    intervalMs: 40,
    policy: { pairing: { ioCapability: IoCapability.NoInputNoOutput, secureConnections: false }, dataLength: "never" },
  });
  const paired = scenario.pump.pairNewPhone();
  const connection = await advertising.connection({ timeoutMs: 60_000 });
  const [sake] = await Promise.all([authenticated.promise, paired]);
  return {
    connection,
    sake,
    [Symbol.asyncDispose]: async () => {
      port[Symbol.dispose]();
      await phone.close();
    },
  };
}
