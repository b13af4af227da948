import type { BleError } from "../../core/error.ts";

/** What streams need of a channel. */
export interface StreamedChannel {
  readonly peerMtu: number;
  readonly closed: Promise<BleError>;
  receive(): Promise<Uint8Array | undefined>;
  send(sdu: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A channel as Web Streams. */
export interface ChannelStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** See `CreditBasedChannel.streams`. */
export function createStreams(channel: StreamedChannel): ChannelStreams {
  let isClosing = false;
  const close = (): Promise<void> => {
    isClosing = true;
    return channel.close();
  };
  const readable = new ReadableStream<Uint8Array>(
    {
      // Asked for only when somebody reads: what is not read stays with the channel, and its credits with it.
      async pull(controller) {
        for (;;) {
          const sdu = await channel.receive();
          if (sdu === undefined) {
            controller.close();
            return;
          }
          if (sdu.length > 0) {
            controller.enqueue(sdu);
            return;
          }
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array>({
    start(controller) {
      void channel.closed.then((reason) => {
        if (!isClosing) controller.error(reason);
      });
    },
    async write(chunk) {
      // Read anew for each: a reconfiguration may come between.
      for (let at = 0; at < chunk.length; ) {
        const size = Math.min(chunk.length - at, channel.peerMtu);
        await channel.send(chunk.subarray(at, at + size));
        at += size;
      }
    },
    close,
    abort: close,
  });
  return { readable, writable };
}
