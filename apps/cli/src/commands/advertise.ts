import type { Device, DeviceAdvertiseOptions } from "jelling";
import { SeededRandom } from "jelling/core";
import { EXAMPLE_DEVICES } from "jelling/testing";
import { pairingAgent, pairingPolicy } from "../agent.ts";
import type { Context } from "../context.ts";
import { advertiseOptionsOf, readDeviceFile } from "../device-file.ts";
import { UsageError } from "../errors.ts";
import { announce } from "../population.ts";
import { openSession, type SessionOptions } from "../session.ts";
import { untilAborted } from "../wait.ts";

interface Options {
  name?: string;
  device: string;
  interval?: number;
  ownAddress?: "public" | "random" | "resolvable";
  pairing: boolean;
  discoverable?: "limited" | "general" | "none";
  extended?: boolean;
  phy?: "1M" | "coded";
  secondaryPhy?: "1M" | "2M" | "coded";
  withoutAddress?: boolean;
  sid?: number;
  txPower?: number;
  maxEvents?: number;
}

/** What of `advertise` the options ask for beside what is said. */
function kindOf(options: Options): DeviceAdvertiseOptions {
  const { extended, phy, secondaryPhy, withoutAddress, sid } = options;
  return {
    type: extended ? "extended" : undefined,
    primaryPhy: phy,
    secondaryPhy,
    anonymous: withoutAddress,
    sid,
    txPowerDbm: options.txPower,
    maxEvents: options.maxEvents,
    discoverable: options.discoverable,
    intervalMs: options.interval,
    ownAddress: options.ownAddress,
  };
}

/** Without what was not said, which the file may say. */
function given(options: DeviceAdvertiseOptions): DeviceAdvertiseOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Extended advertising that takes connections answers no scan requests: all it says is in one piece. */
function isExtended({ extended, phy, secondaryPhy, withoutAddress, sid }: Options): boolean {
  return extended === true || phy === "coded" || secondaryPhy !== undefined || withoutAddress === true || sid !== undefined;
}

/** A scan response has 31 octets, two of which are the length and the type of the name. */
const MAX_NAME_OCTETS = 29;

/** What the device is, and what it says of itself. */
interface Kind {
  readonly name: string;
  readonly session: Pick<SessionOptions, "name" | "appearance" | "gattServer">;
  readonly advertised: DeviceAdvertiseOptions;
  /** Begins to serve. */
  serve(device: Device): Disposable;
}

function exampleOf(options: Options): Kind {
  const { name = "Jelling", device: word } = options;
  const octets = new TextEncoder().encode(name).length;
  if (octets > MAX_NAME_OCTETS)
    throw new UsageError(`name "${name}": ${octets} octets, and at most ${MAX_NAME_OCTETS} fit into a scan response`);
  const kind = EXAMPLE_DEVICES[word]!;
  return {
    name,
    session: { name, appearance: kind.advertised.appearance },
    advertised: isExtended(options) ? { data: { ...kind.advertised, name } } : { data: kind.advertised, scanResponse: { name } },
    serve: (device) => {
      const services = kind.serve(device.gattServer, { clock: device.clock, random: new SeededRandom(1, word) });
      const listener = kind.listen?.(device.l2cap);
      return {
        [Symbol.dispose]: () => {
          listener?.[Symbol.dispose]();
          services[Symbol.dispose]();
        },
      };
    },
  };
}

/** A device as `gatt export` writes it: all that it says is in the file. */
async function copyOf(context: Context, { name, device: path }: Options): Promise<Kind> {
  if (name !== undefined)
    throw new UsageError("--name is nothing for a device of a file: its advertising data and its Device Name are in it");
  const file = await readDeviceFile(path, context.signal);
  return {
    name: path,
    session: { gattServer: "empty" },
    advertised: advertiseOptionsOf(file),
    serve: (device) => {
      device.gattServer.load(file.gatt);
      return { [Symbol.dispose]: () => undefined };
    },
  };
}

async function kindFor(context: Context, options: Options): Promise<Kind> {
  if (Object.hasOwn(EXAMPLE_DEVICES, options.device)) return exampleOf(options);
  // A word that is mistyped is no file.
  if (!/[./\\]/.test(options.device))
    throw new UsageError(`--device "${options.device}": expected ${Object.keys(EXAMPLE_DEVICES).join(", ")}, or a file like device.json`);
  return await copyOf(context, options);
}

/** Is a peripheral until `--timeout` or Ctrl-C. */
export async function advertise(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const kind = await kindFor(context, options);
  const { name } = kind;
  await using session = await openSession(context, {
    ...kind.session,
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
  using _served = kind.serve(device);
  using deadline = context.deadline(undefined, "advertising");
  await using advertising = await device.advertise({
    ...kind.advertised,
    restart: "disconnected",
    ...given(kindOf(options)),
  });
  const address = (advertising.ownAddress ?? device.address).toString();
  terminal.result(
    () => ({
      event: "advertising",
      address,
      name,
      device: options.device,
      ...(advertising.sid === undefined ? {} : { sid: advertising.sid }),
      ...(advertising.txPowerDbm === undefined ? {} : { txPowerDbm: advertising.txPowerDbm }),
    }),
    () => `${terminal.paint("bold", "advertising ")} ${address}  ${name}`,
  );
  terminal.status("advertising, Ctrl-C ends …");
  const ended = new AbortController();
  void advertising.closed.then(() => ended.abort());
  await untilAborted(AbortSignal.any([deadline.signal, ended.signal]), device);
  if (ended.signal.aborted && advertising.ended?.error !== undefined) throw advertising.ended.error;
  if (ended.signal.aborted) return;
  if (!deadline.timedOut()) deadline.signal.throwIfAborted();
}
