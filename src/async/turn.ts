type Immediate = (callback: () => void) => unknown;

const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

function viaMessageChannel(callback: () => void): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(callback);
  channel.port2.postMessage(undefined);
}

/** Resolves in a later turn of the event loop, after every pending microtask has run. Unlike a timer it costs no time. */
export function turn(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: Immediate }).setImmediate ?? viaMessageChannel;
  return new Promise((resolve) => immediate(resolve));
}
