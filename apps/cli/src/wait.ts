import { onAbort } from "jelling/async";
import type { Device } from "jelling/device";

/** Resolves once `signal` aborts. @throws why the device is closed, if that comes first */
export function untilAborted(signal: AbortSignal, device: Device): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      aborted[Symbol.dispose]();
      closed[Symbol.dispose]();
      act();
    };
    const aborted = onAbort(signal, () => settle(resolve));
    const closed = device.on("closed", (reason) => settle(() => reject(reason)));
    if (device.ended) settle(() => reject(device.ended));
    else if (signal.aborted) settle(resolve);
  });
}
