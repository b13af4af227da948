import type { Connection } from "jelling/device";
import type { ConnectChannelOptions, CreditBasedChannel } from "jelling/l2cap";
import type { Context } from "../../context.ts";
import { CommandError, codeOf, UsageError } from "../../errors.ts";
import { withConnection } from "../../link.ts";
import { echo, flood, pipe } from "./carry.ts";
import { Measurement } from "./measure.ts";
import { type ChannelCommandOptions, channelOptions, lingerOf, spsmText } from "./options.ts";
import { tellClosed, tellOpened } from "./told.ts";

interface Options extends ChannelCommandOptions {
  mode: "credit" | "enhanced";
  pair?: boolean;
  size?: number;
  count?: number;
}

/** Opens a channel, and carries octets over it until one side closes it or the command ends. */
export async function connect(context: Context, address: string, options: Options): Promise<void> {
  const { size, count, measure, mode, spsm } = options;
  for (const [name, value] of Object.entries({ size, count }))
    if (value !== undefined && !measure) throw new UsageError(`--${name} is of SDUs of --measure`);
  const settings = channelOptions(options);
  const lingerMs = lingerOf(options);
  const isPiped = !measure && !options.echo;
  await withConnection(context, address, options, async (connection) => {
    using deadline = context.deadline(undefined, "the channel");
    const { signal } = deadline;
    const channel = await open(connection, spsm, { ...settings, mode, signal }, address);
    const { peerMtu } = channel;
    if (size !== undefined && size > peerMtu) throw new UsageError(`--size ${size}: the peer takes ${peerMtu} octets at most`);
    tellOpened(context, channel, isPiped);
    using measurement = measure ? new Measurement(context) : undefined;
    measurement?.start();
    const use = { signal, atEnd: options.atEnd, lingerMs, measurement };
    try {
      if (measure) await flood(channel, use, { size: size ?? peerMtu, count: count ?? Number.POSITIVE_INFINITY });
      else if (options.echo) await echo(channel, use);
      else await pipe(context, channel, use);
    } catch (error) {
      // The time that was asked for is over: that is no failure of what has no other end.
      if (!deadline.timedOut()) throw error;
    } finally {
      measurement?.end();
    }
    await channel.close({ signal: context.signal });
    tellClosed(context, channel, isPiped);
  });
}

async function open(
  connection: Connection,
  spsm: number,
  options: ConnectChannelOptions,
  address: string,
): Promise<CreditBasedChannel<Connection>> {
  try {
    return await connection.l2cap.connect(spsm, options);
  } catch (error) {
    throw explained(error, spsm, options, address);
  }
}

/** What a refusal means here, and what helps. */
function explained(error: unknown, spsm: number, { mode }: ConnectChannelOptions, address: string): unknown {
  const { resultName } = error as { resultName?: string };
  const wantsPairing = `: jelling pair ${address}, or --pair`;
  switch (codeOf(error)) {
    case "ERR_L2CAP_COMMAND_REJECTED":
      return new CommandError(
        mode === "enhanced" ? "the device has no enhanced channels; --mode credit may be had" : "the device has no credit based channels",
        { cause: error },
      );
    case "ERR_INSUFFICIENT_SECURITY":
      return new CommandError(`the link is not what --security asks for${wantsPairing}`, { cause: error });
    case "ERR_L2CAP_REFUSED":
      if (resultName === "SpsmNotSupported")
        return new CommandError(`nothing on the device takes channels of ${spsmText(spsm)}`, { cause: error });
      if (resultName === "InsufficientAuthentication" || resultName === "InsufficientEncryption")
        return new CommandError(`the device wants to be paired with for this${wantsPairing}`, { cause: error });
      return error;
    default:
      return error;
  }
}
