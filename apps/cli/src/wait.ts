import type { Device } from "jelling/device";

/** Resolves once `signal` aborts. @throws why the device is closed, if that comes first */
export function untilAborted(signal: AbortSignal, device: Device): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      closed[Symbol.dispose]();
      act();
    };
    const onAbort = (): void => settle(resolve);
    const closed = device.on("closed", (reason) => settle(() => reject(reason)));
    if (device.ended) settle(() => reject(device.ended));
    else if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
