import { type Clock, SystemClock } from "jelling/async";
import { type KernelControllerOptions, type KernelDeviceOptions, SimulatedKernel } from "jelling/testing";
import type { KernelSocket } from "jelling/transport";
import { UsageError } from "../../errors.ts";

/** Time that can be stopped: what still runs in the kernel would keep the process up. */
class StoppableClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Disposable>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimer(delayMs: number, name: string, fire: () => unknown): Disposable {
    const timer = this.#clock.setTimer(delayMs, name, () => {
      this.#timers.delete(timer);
      return fire();
    });
    this.#timers.add(timer);
    return {
      [Symbol.dispose]: () => {
        this.#timers.delete(timer);
        timer[Symbol.dispose]();
      },
    };
  }

  stop(): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
  }
}

/** What may stand behind "sim:". */
const WORDS = ["unprivileged", "blocked", "none"] as const;

/**
 * A kernel for trying things: hci0 is on and ready, hci1 as a computer finds it after start. In range are a device for each way of pairing.
 * Each command has a kernel of its own, so that nothing is left for the next.
 *
 * @param spec "sim:", or "sim:" and a list: "unprivileged" is a process without CAP_NET_ADMIN, "blocked" has rfkill keep hci1 off, "none"
 *   has no controllers
 * @param options.clock the system's by default
 * @param options.strict refuses other words, which may be meant for other commands where they are in the environment
 */
export function openSimulatedKernel(
  spec: string,
  { strict, clock: time = new SystemClock() }: { readonly strict: boolean; readonly clock?: Clock | undefined },
): { readonly socket: KernelSocket } & Disposable {
  const words = spec.slice(4).split(",").filter(Boolean);
  const unknown = words.find((word) => !(WORDS as readonly string[]).includes(word));
  if (strict && unknown !== undefined) throw new UsageError(`"${unknown}" is no kind of simulated kernel: expected ${WORDS.join(", ")}`);
  const clock = new StoppableClock(time);
  const kernel = new SimulatedKernel({
    clock,
    controllers: words.includes("none") ? [] : controllers(words.includes("blocked")),
    devices: DEVICES,
  });
  const socket = kernel.openSocket({ command: "jelling", privileged: !words.includes("unprivileged") });
  // Nothing that happens in there keeps the process up, as a socket of the real kernel does.
  const up = setInterval(() => {}, 60_000);
  return {
    socket,
    [Symbol.dispose]: () => {
      clearInterval(up);
      clock.stop();
    },
  };
}

function controllers(isRadioBlocked: boolean): KernelControllerOptions[] {
  return [
    {
      address: "02:4A:65:6C:00:01",
      name: "Jelling",
      settings: ["Powered", "Bondable", "SecureSimplePairing", "BREDR", "LowEnergy", "SecureConnections"],
    },
    { address: "02:4A:65:6C:00:02", name: "Second", isRadioBlocked },
  ];
}

const DEVICES: readonly KernelDeviceOptions[] = [
  {
    address: "C0:4A:65:6C:6C:01",
    addressType: "LERandom",
    rssi: -41,
    eirData: { flags: 0x06, name: "Heart Rate", serviceUuids: ["180d", "180f"], appearance: 0x0341 },
    pairing: "justWorks",
  },
  {
    address: "C0:4A:65:6C:6C:02",
    addressType: "LERandom",
    rssi: -57,
    eirData: { flags: 0x06, name: "Thermometer", serviceUuids: ["1809"] },
    pairing: "compare",
  },
  {
    address: "C0:4A:65:6C:6C:04",
    addressType: "LERandom",
    rssi: -63,
    eirData: { flags: 0x06, name: "Echo" },
    pairing: "devicePasskey",
    passkey: 123_456,
  },
  { address: "02:4A:65:6C:6C:05", addressType: "BREDR", rssi: -70, name: "Keyboard", pairing: "pin", pin: "0000" },
];
