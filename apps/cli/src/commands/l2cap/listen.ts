import type { Connection, Device } from "jelling/device";
import type { CreditBasedChannel } from "jelling/l2cap";
import { pairingAgent, pairingPolicy } from "../../agent.ts";
import type { Context } from "../../context.ts";
import { explain, oneLine, UsageError } from "../../errors.ts";
import { announce } from "../../population.ts";
import { openSession } from "../../session.ts";
import { untilAborted } from "../../wait.ts";
import { drain, echo, pipe, type Use } from "./carry.ts";
import { Measurement } from "./measure.ts";
import { type ChannelCommandOptions, channelOptions, lingerOf, spsmText } from "./options.ts";
import { tell, tellClosed, tellOpened } from "./told.ts";

interface Options extends ChannelCommandOptions {
  name: string;
  ownAddress?: "public" | "random" | "resolvable";
  once?: boolean;
}

/** A scan response has 31 octets, two of which are the length and the type of the name. */
const MAX_NAME_OCTETS = 29;

/** Advertises and takes channels, until the one that is piped ends, or the command. */
export async function listen(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const { name, spsm, mode } = options;
  const octets = new TextEncoder().encode(name).length;
  if (octets > MAX_NAME_OCTETS)
    throw new UsageError(`name "${name}": ${octets} octets, and at most ${MAX_NAME_OCTETS} fit into a scan response`);
  const settings = channelOptions(options);
  const lingerMs = lingerOf(options);
  const isPiped = !options.echo && !options.measure;
  await using session = await openSession(context, {
    name,
    pairing: { ...pairingPolicy(context, {}), pairable: true },
    agent: pairingAgent(context, {}),
  });
  const { device } = session;
  using _told = announce(device, (event, connection, details) => {
    const peer = connection.peerIdentity.toString();
    tell(context, isPiped, event, { peer, details }, `${event.padEnd(12)} ${peer}  ${details}`);
  });
  using deadline = context.deadline(undefined, "listening");
  // One standard input goes to one channel.
  using listener = device.l2cap.listen(spsm, { ...settings, mode, ...(isPiped && { maxChannels: 1 }) });
  await using advertising = await device.advertise({
    data: { flags: 0x06 },
    scanResponse: { name },
    restart: "disconnected",
    ...(options.ownAddress === undefined ? {} : { ownAddress: options.ownAddress }),
  });
  const address = (advertising.ownAddress ?? device.address).toString();
  tell(context, isPiped, "listening", { address, name, spsm, mode }, `listening    ${address}  ${name}, ${spsmText(spsm)}`);
  terminal.status("listening, Ctrl-C ends …");
  using measurement = options.measure ? new Measurement(context) : undefined;
  const use: Use = { signal: deadline.signal, atEnd: options.atEnd, lingerMs, measurement };
  try {
    await served(context, device, listener, { use, isPiped, isOnce: isPiped || options.once === true, isEcho: options.echo === true });
  } catch (error) {
    if (!deadline.timedOut()) throw error;
  } finally {
    terminal.status("");
    measurement?.end();
  }
}

interface Serving {
  readonly use: Use;
  readonly isPiped: boolean;
  /** The first channel is the only one. */
  readonly isOnce: boolean;
  readonly isEcho: boolean;
}

/** Takes channels until the command ends, or the only one has. */
async function served(
  context: Context,
  device: Device,
  channels: AsyncIterable<CreditBasedChannel<Connection>>,
  { use, isPiped, isOnce, isEcho }: Serving,
): Promise<void> {
  const first = new Promise<void>((resolve, reject) => {
    const act = async (channel: CreditBasedChannel<Connection>): Promise<void> => {
      tellOpened(context, channel, isPiped);
      use.measurement?.start();
      try {
        await (isPiped ? pipe(context, channel, use) : isEcho ? echo(channel, use) : drain(channel, use));
        tellClosed(context, channel, isPiped);
        if (isOnce) resolve();
      } catch (error) {
        if (isOnce) reject(error);
        // One of many: the others go on, and the end of its link has been told.
        else if (!use.signal.aborted) context.terminal.note(oneLine(explain(error).message ?? "the channel ended"));
      } finally {
        channel.close().catch(() => undefined); // its link may be gone
      }
    };
    void (async () => {
      for await (const channel of channels) void act(channel);
    })().catch(reject); // the device's end
  });
  await Promise.race([first, untilAborted(use.signal, device).then(() => use.signal.throwIfAborted())]);
}
