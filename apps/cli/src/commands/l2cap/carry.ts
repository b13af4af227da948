import { onAbort } from "jelling/async";
import { toHex } from "jelling/bytes";
import type { CreditBasedChannel } from "jelling/l2cap";
import type { Context } from "../../context.ts";
import { CommandError, codeOf } from "../../errors.ts";
import type { Measurement } from "./measure.ts";

/** What one channel is used for until it or the command ends. */
export interface Use {
  readonly signal: AbortSignal;
  /** What the end of standard input means. */
  readonly atEnd: "close" | "stay";
  /** Milliseconds in which nothing may have come before that end closes the channel: a peer may still be answering. */
  readonly lingerMs: number;
  readonly measurement: Measurement | undefined;
}

/** Sends back what comes. */
export async function echo(channel: CreditBasedChannel, { signal, measurement }: Use): Promise<void> {
  for (;;) {
    const sdu = await received(channel, signal);
    if (sdu === undefined) return;
    measurement?.received(sdu.length);
    // What the peer sends may be longer than what it takes.
    for (let at = 0; at === 0 || at < sdu.length; ) {
      const part = sdu.subarray(at, at + channel.peerMtu);
      if (!(await isSent(channel, part, signal))) return;
      measurement?.sent(part.length);
      at += Math.max(1, part.length);
    }
  }
}

/** Takes what comes and keeps nothing of it. */
export async function drain(channel: CreditBasedChannel, { signal, measurement }: Use): Promise<void> {
  for (;;) {
    const sdu = await received(channel, signal);
    if (sdu === undefined) return;
    measurement?.received(sdu.length);
  }
}

/** Sends SDUs as fast as they go, and counts what comes, until `count` of them have gone or the command ends. */
export async function flood(channel: CreditBasedChannel, use: Use, { size, count }: { size: number; count: number }): Promise<void> {
  const { signal, measurement } = use;
  const sdu = Uint8Array.from({ length: size }, (_, i) => i & 0xff);
  const taking = drain(channel, use);
  taking.catch(() => undefined); // told below
  try {
    for (let left = count; left > 1; left--) {
      while (!channel.trySend(sdu)) await channel.whenWritable({ signal });
      measurement?.sent(size);
    }
    await channel.send(sdu, { signal }); // the last, and with it all before it
    measurement?.sent(size);
  } catch (error) {
    signal.throwIfAborted();
    throw lost(error, "the peer closed the channel in the middle of the measurement");
  }
  await channel.close({ signal });
  await taking;
}

/** Standard input goes out, and what comes goes to standard output. Ends with the channel. */
export async function pipe(context: Context, channel: CreditBasedChannel, use: Use): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([use.signal, stop.signal]);
  const last: Activity = { ms: context.now() };
  const sending = send(context, channel, { ...use, signal }, last);
  // When one way fails, the other is over; which of them says why is told below.
  sending.catch((error: unknown) => stop.abort(error));
  try {
    await print(context, channel, signal, last);
  } finally {
    stop.abort(new ChannelOver());
  }
  await sending.catch((error: unknown) => {
    if (!(error instanceof ChannelOver)) throw error;
  });
}

/** When the last octet came, or had been written out. */
interface Activity {
  ms: number;
}

/** The channel is over, and nothing is to be read for it any more. */
class ChannelOver extends Error {}

async function send(context: Context, channel: CreditBasedChannel, { signal, atEnd, lingerMs }: Use, last: Activity): Promise<void> {
  for await (const chunk of context.io.stdin(signal)) {
    // Read anew for each: a reconfiguration may come between.
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + channel.peerMtu);
      if (!(await isSent(channel, part, signal))) throw new CommandError("the peer closed the channel before everything was sent");
      at += part.length;
    }
  }
  if (atEnd === "stay") return;
  last.ms = context.now();
  for (;;) {
    const restMs = channel.available > 0 ? lingerMs : last.ms + lingerMs - context.now(); // what waits for its reader is no silence
    if (restMs <= 0) break;
    await pause(context, restMs, signal);
  }
  await channel.close({ signal });
}

async function pause(context: Context, ms: number, signal: AbortSignal): Promise<void> {
  const held: Disposable[] = [];
  const over = new Promise<void>((resolve, reject) => {
    held.push(context.timer(ms, "the silence of the peer", resolve));
    held.push(onAbort(signal, () => reject(signal.reason)));
  });
  await over.finally(() => {
    for (const item of held) item[Symbol.dispose]();
  });
}

async function print(context: Context, channel: CreditBasedChannel, signal: AbortSignal, last: Activity): Promise<void> {
  const { terminal, io } = context;
  let end: Disposable | undefined;
  const aborted = new Promise<never>((_, reject) => {
    end = onAbort(signal, () => reject(signal.reason));
  });
  aborted.catch(() => undefined); // told where something waits
  using _ = end;
  for (;;) {
    const sdu = await received(channel, signal);
    if (sdu === undefined) return;
    // Whoever reads may take its time, and be stopped waiting for.
    if (terminal.json) {
      terminal.object({ event: "sdu", octets: sdu.length, value: toHex(sdu) });
      await Promise.race([terminal.flush(), aborted]);
    } else if (!io.stdout.write(sdu)) await Promise.race([io.stdout.drained(), aborted]);
    last.ms = context.now();
  }
}

/** @returns nothing: the channel was closed by one side */
async function received(channel: CreditBasedChannel, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await channel.receive({ signal });
  } catch (error) {
    signal.throwIfAborted();
    throw lost(error);
  }
}

/** @returns false: the channel was closed */
async function isSent(channel: CreditBasedChannel, sdu: Uint8Array, signal: AbortSignal): Promise<boolean> {
  try {
    await channel.send(sdu, { signal });
    return true;
  } catch (error) {
    const { by } = error as { by?: unknown };
    if (by === "peer" || by === "owner") return false;
    signal.throwIfAborted();
    throw lost(error);
  }
}

/** One sentence about an end that nobody at this side wanted. @param closed what a close by the peer means */
function lost(error: unknown, closed?: string): unknown {
  const code = codeOf(error);
  if (code === "ERR_DISCONNECTED") return new CommandError(`the link was lost: ${(error as Error).message}`, { cause: error });
  if (code === "ERR_L2CAP_CHANNEL_CLOSED" && closed !== undefined) return new CommandError(closed, { cause: error });
  return error;
}
