import type { DeviceAdvertiseOptions } from "jelling";
import { SeededRandom } from "jelling/core";
import { EXAMPLE_DEVICES } from "jelling/testing";
import { pairingAgent, pairingPolicy } from "../agent.ts";
import type { Context } from "../context.ts";
import { UsageError } from "../errors.ts";
import { announce } from "../population.ts";
import { openSession } from "../session.ts";
import { untilAborted } from "../wait.ts";

interface Options {
  name: string;
  device: string;
  interval?: number;
  ownAddress?: "public" | "random" | "resolvable";
  pairing: boolean;
  discoverable?: "limited" | "general" | "none";
  extended?: boolean;
  phy?: "1M" | "coded";
  secondaryPhy?: "1M" | "2M" | "coded";
  anonymous?: boolean;
  sid?: number;
  txPower?: number;
  maxEvents?: number;
}

/** What of `advertise` the options ask for beside what is said. */
function kindOf(options: Options): DeviceAdvertiseOptions {
  const { extended, phy, secondaryPhy, anonymous, sid } = options;
  return {
    type: extended ? "extended" : undefined,
    primaryPhy: phy,
    secondaryPhy,
    anonymous,
    sid,
    txPowerDbm: options.txPower,
    maxEvents: options.maxEvents,
    discoverable: options.discoverable,
    intervalMs: options.interval,
    ownAddress: options.ownAddress,
  };
}

/** Extended advertising that takes connections answers no scan requests: all it says is in one piece. */
function isExtended({ extended, phy, secondaryPhy, anonymous, sid }: Options): boolean {
  return extended === true || phy === "coded" || secondaryPhy !== undefined || anonymous === true || sid !== undefined;
}

/** A scan response has 31 octets, two of which are the length and the type of the name. */
const MAX_NAME_OCTETS = 29;

/** Is a peripheral until `--timeout` or Ctrl-C. */
export async function advertise(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const octets = new TextEncoder().encode(options.name).length;
  if (octets > MAX_NAME_OCTETS)
    throw new UsageError(`name "${options.name}": ${octets} octets, and at most ${MAX_NAME_OCTETS} fit into a scan response`);
  const kind = EXAMPLE_DEVICES[options.device]!;
  await using session = await openSession(context, {
    name: options.name,
    appearance: kind.advertised.appearance,
    pairing: { ...pairingPolicy(context, {}), pairable: options.pairing },
    agent: pairingAgent(context, {}),
  });
  const { device } = session;
  using _told = announce(device, (event, connection, details) =>
    terminal.result(
      () => ({ event, peer: connection.peerIdentity.toString(), details }),
      () => `${terminal.paint("bold", event.padEnd(12))} ${connection.peerIdentity}  ${details}`,
    ),
  );
  using _services = kind.serve(device.gattServer, { clock: device.clock, random: new SeededRandom(1, options.device) });
  using _listener = kind.listen?.(device.l2cap);
  using deadline = context.deadline(undefined, "advertising");
  await using advertising = await device.advertise({
    ...(isExtended(options)
      ? { data: { ...kind.advertised, name: options.name } }
      : { data: kind.advertised, scanResponse: { name: options.name } }),
    restart: "disconnected",
    ...kindOf(options),
  });
  const address = (advertising.ownAddress ?? device.address).toString();
  terminal.result(
    () => ({
      event: "advertising",
      address,
      name: options.name,
      device: options.device,
      ...(advertising.sid === undefined ? {} : { sid: advertising.sid }),
      ...(advertising.txPowerDbm === undefined ? {} : { txPowerDbm: advertising.txPowerDbm }),
    }),
    () => `${terminal.paint("bold", "advertising ")} ${address}  ${options.name}`,
  );
  terminal.status("advertising, Ctrl-C ends …");
  const ended = new AbortController();
  void advertising.closed.then(() => ended.abort());
  await untilAborted(AbortSignal.any([deadline.signal, ended.signal]), device);
  if (ended.signal.aborted && advertising.ended?.error !== undefined) throw advertising.ended.error;
  if (ended.signal.aborted) return;
  if (!deadline.timedOut()) deadline.signal.throwIfAborted();
}
