import { VirtualClock } from "../../src/async/virtual-clock.ts";
import { AttBearer, setLinkSecurity } from "../../src/att/bearer.ts";
import type { AttPolicy } from "../../src/att/policy.ts";
import type { LinkSecurity } from "../../src/att/security.ts";
import { Address } from "../../src/core/address.ts";
import { ClosedError } from "../../src/core/error.ts";
import { Logger, LogLevel } from "../../src/core/logger.ts";
import { GattClient, type GattClientOptions } from "../../src/gatt/client/client.ts";
import type { GattPeer } from "../../src/gatt/server/definition.ts";
import { GattServer } from "../../src/gatt/server/server.ts";
import type { GattServerSession } from "../../src/gatt/server/session.ts";
import { createChannelPair, type FakeChannel } from "./pdu-channel-pair.ts";

export const BONDED: LinkSecurity = { encrypted: true, authenticated: true, secureConnections: true, keySize: 16, bonded: true };

export interface GattPair extends Disposable {
  readonly clock: VirtualClock;
  readonly client: GattClient;
  readonly clientBearer: AttBearer;
  readonly clientChannel: FakeChannel;
  readonly server: GattServer;
  readonly serverBearer: AttBearer;
  readonly serverChannel: FakeChannel;
  readonly session: GattServerSession;
  readonly log: string[];
  /** Security of the link, as both ends see it. */
  secure(security: LinkSecurity): void;
}

/** A client and a server on two bare bearers. */
export function createGattPair(
  options: {
    server?: GattServer;
    peer?: Partial<GattPeer>;
    clientPolicy?: AttPolicy;
    serverPolicy?: AttPolicy;
    client?: GattClientOptions;
    security?: LinkSecurity;
    clock?: VirtualClock;
    logLevel?: LogLevel;
  } = {},
): GattPair {
  const clock = options.clock ?? new VirtualClock();
  const log: string[] = [];
  const logger = new Logger("test", options.logLevel ?? LogLevel.Warn, (_level, scope, message) => log.push(`${scope}: ${message}`));
  const [clientChannel, serverChannel] = createChannelPair();
  const clientBearer = new AttBearer(clientChannel, { clock, logger, policy: options.clientPolicy });
  const serverBearer = new AttBearer(serverChannel, { clock, logger, policy: options.serverPolicy });
  const server = options.server ?? new GattServer();
  const peer = Object.assign(options.peer ?? {}, {
    id: options.peer?.id ?? "peer",
    address: options.peer?.address ?? Address.from("C0:00:00:00:00:01/random"),
  });
  const session = server.attach(serverBearer, peer);
  const client = new GattClient(clientBearer, options.client);
  const pair: GattPair = {
    clock,
    client,
    clientBearer,
    clientChannel,
    server,
    serverBearer,
    serverChannel,
    session,
    log,
    secure: (security) => {
      setLinkSecurity(clientBearer, security);
      setLinkSecurity(serverBearer, security);
    },
    [Symbol.dispose]: () => {
      const reason = new ClosedError("the test is over");
      clientChannel.close(reason);
      serverChannel.close(reason);
    },
  };
  if (options.security) pair.secure(options.security);
  return pair;
}
