import { checkOctets } from "../../core/arguments.ts";
import type { BleError } from "../../core/error.ts";

/** What streams need of a channel. */
export interface StreamedChannel {
  readonly peerMtu: number;
  readonly available: number;
  readonly ended: BleError | undefined;
  readonly closed: Promise<BleError>;
  receive(): Promise<Uint8Array | undefined>;
  send(sdu: Uint8Array, options: { signal: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

/** A channel as Web Streams. */
export interface ChannelStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** See `CreditBasedChannel.streams`. */
export function createStreams(channel: StreamedChannel): ChannelStreams {
  // Who leaves does not wait for the peer: the end of a `for await` would otherwise take as long as its answer.
  const leave = (): void => void channel.close();
  return { readable: createReadable(channel, leave), writable: createWritable(channel, leave) };
}

function createReadable(channel: StreamedChannel, leave: () => void): ReadableStream<Uint8Array> {
  let isPulling = false;
  /** Ends the stream where nothing is left to read: a reader that waits for `closed` alone pulls nothing. */
  const settle = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    if (isPulling || channel.ended === undefined || channel.available > 0) return;
    try {
      await channel.receive();
      controller.close();
    } catch (reason) {
      controller.error(reason); // does nothing where the stream was closed or cancelled
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        void channel.closed.then(() => settle(controller));
      },
      // Asked for only when somebody reads: what is not read stays with the channel, and its credits with it.
      async pull(controller) {
        isPulling = true;
        let sdu = await channel.receive();
        while (sdu?.length === 0) sdu = await channel.receive();
        isPulling = false;
        if (sdu) controller.enqueue(sdu);
        await settle(controller);
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}

function createWritable(channel: StreamedChannel, leave: () => void): WritableStream<Uint8Array> {
  let isClosing = false;
  return new WritableStream<Uint8Array>({
    start(controller) {
      void channel.closed.then((reason) => {
        if (!isClosing) controller.error(reason);
      });
    },
    async write(chunk, { signal }) {
      checkOctets("a chunk for the channel", chunk);
      // Read anew for each: a reconfiguration may come between.
      for (let at = 0; at < chunk.length; ) {
        const size = Math.min(chunk.length - at, channel.peerMtu);
        await channel.send(chunk.subarray(at, at + size), { signal });
        at += size;
      }
    },
    close() {
      isClosing = true;
      return channel.close();
    },
    abort: leave,
  });
}
