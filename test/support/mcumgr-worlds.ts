import { VirtualClock } from "../../src/async/index.ts";
import { type BleError, ClosedError } from "../../src/core/index.ts";
import { ConsoleLink, createBleOpener, createMemoryLinks, type MemoryLinks, type OpenMcumgrLink, RawLink } from "../../src/mcumgr/index.ts";
import type { McumgrLink } from "../../src/mcumgr/links/link.ts";
import { UdpLink, UdpSocketServer } from "../../src/node/mcumgr-udp-links.ts";
import {
  SimulatedAir,
  SimulatedMcumgrDevice,
  type SimulatedMcumgrDeviceOptions,
  serveOverGatt,
  serveOverLine,
} from "../../src/testing/index.ts";
import { DatagramNet, type Loses, SerialLine } from "./mcumgr-wires.ts";

/** A program that talks to the device, as far as its link goes. */
export interface Program {
  readonly open: OpenMcumgrLink;
  /** Its link is lost, at both ends where the link has two. */
  cut(): void;
  /** It is gone and has closed nothing: what it had to say is not said, and nobody hears its answers. */
  kill(): void;
}

/** A simulated device and the way to it, in virtual time. */
export interface World extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly device: SimulatedMcumgrDevice;
  program(): Promise<Program>;
}

/** @param loses asked of every packet, either way, before it leaves */
type Create = (options: SimulatedMcumgrDeviceOptions, loses: Loses) => Promise<World>;

export interface Transport {
  readonly name: string;
  /** A packet may be lost and the link stay. */
  readonly isLossy: boolean;
  readonly create: Create;
}

export const TRANSPORTS: readonly Transport[] = [
  { name: "memory", isLossy: false, create: memory },
  { name: "BLE", isLossy: false, create: ble },
  { name: "serial console", isLossy: true, create: (options, loses) => line("console", options, loses) },
  { name: "raw serial", isLossy: true, create: (options, loses) => line("raw", options, loses) },
  { name: "UDP", isLossy: true, create: udp },
];

async function memory(options: SimulatedMcumgrDeviceOptions, loses: Loses): Promise<World> {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const program = async (): Promise<Program> => {
    let links: MemoryLinks | undefined;
    let isKilled = false;
    return {
      open: async () => {
        if (isKilled) return await new Promise<never>(() => undefined);
        links = createMemoryLinks({ clock, delayMs: 1, provenLimit: 256 });
        device.attach(new Gate(links.server, (to) => isKilled || loses(to) || isKilled));
        return new Gate(links.client, () => isKilled);
      },
      cut: () => links?.cut(),
      kill: () => {
        isKilled = true;
      },
    };
  };
  return { clock, device, program, [Symbol.asyncDispose]: () => device[Symbol.asyncDispose]() };
}

/** A link at a device, or at a program, that may lose messages; closing it where it does is not told either. */
class Gate implements McumgrLink {
  readonly #link: McumgrLink;
  readonly #loses: Loses;
  onMessage: ((message: Uint8Array) => void) | undefined;

  constructor(link: McumgrLink, loses: Loses) {
    this.#link = link;
    this.#loses = loses;
    link.onMessage = (message) => {
      if (!loses("device")) this.onMessage?.(message);
    };
  }
  get info(): McumgrLink["info"] {
    return this.#link.info;
  }
  get isLossy(): boolean {
    return this.#link.isLossy;
  }
  get provenLimit(): number {
    return this.#link.provenLimit;
  }
  get onClose(): ((reason: BleError) => void) | undefined {
    return this.#link.onClose;
  }
  set onClose(handler: ((reason: BleError) => void) | undefined) {
    this.#link.onClose = handler;
  }
  messageLimit(buffers: Parameters<McumgrLink["messageLimit"]>[0]): number {
    return this.#link.messageLimit(buffers);
  }
  async send(...[message, options]: Parameters<McumgrLink["send"]>): Promise<void> {
    if (!this.#loses("client")) await this.#link.send(message, options);
  }
  resynchronise(): void {
    this.#link.resynchronise();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}

/** Out of each other's reach for so long, in milliseconds, that the link is lost at both ends. */
const OUT_OF_REACH_MS = 12_000;

async function ble(options: SimulatedMcumgrDeviceOptions, loses: Loses): Promise<World> {
  const clock = new VirtualClock();
  const air = new SimulatedAir({ clock, seed: 1, traceCapacity: 0 });
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const server = await air.device({ name: "sensor" });
  await serveOverGatt(device, server, { name: "sensor" });
  // Data of connections, not what is advertised: that is lost all the time. The link sends again what is lost.
  air.onAirPacket(({ to, from }) => (to !== undefined && loses(from === "sensor" ? "client" : "device") ? "lose" : undefined));
  const program = async (): Promise<Program> => {
    const host = await air.device();
    return {
      open: createBleOpener(host, { name: "sensor" }),
      cut: () => {
        const away = air.cut(host, server);
        clock.setTimer(OUT_OF_REACH_MS, "in reach again", () => away[Symbol.dispose]());
      },
      kill: () => void air.cut(host, server),
    };
  };
  return {
    clock,
    device,
    program,
    [Symbol.asyncDispose]: async () => {
      await device[Symbol.asyncDispose]();
      await air[Symbol.asyncDispose]();
    },
  };
}

async function line(framing: "console" | "raw", options: SimulatedMcumgrDeviceOptions, loses: Loses): Promise<World> {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const wire = new SerialLine(clock, loses);
  const served = serveOverLine(device, wire.device, { framing });
  const program = async (): Promise<Program> => {
    let isKilled = false;
    return {
      open: async () => {
        if (isKilled) return await new Promise<never>(() => undefined);
        const port = wire.open();
        return framing === "console" ? new ConsoleLink(port, { clock }) : new RawLink(port, { clock });
      },
      cut: () => wire.unplug(),
      kill: () => {
        isKilled = true;
        wire.abandon();
      },
    };
  };
  return {
    clock,
    device,
    program,
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await device[Symbol.asyncDispose]();
    },
  };
}

async function udp(options: SimulatedMcumgrDeviceOptions, loses: Loses): Promise<World> {
  const clock = new VirtualClock();
  const device = new SimulatedMcumgrDevice({ clock, ...options });
  const net = new DatagramNet(clock, loses);
  const server = new UdpSocketServer(net.server, "127.0.0.1", (link) => void device.attach(link, { survivesReset: true }), 64);
  const program = async (): Promise<Program> => {
    let isKilled = false;
    return {
      open: async () => {
        if (isKilled) throw new ClosedError("the program is gone");
        return new UdpLink(net.open(), "127.0.0.1:1337", 1472, clock);
      },
      cut: () => net.refuse(),
      kill: () => {
        isKilled = true;
        net.abandon();
      },
    };
  };
  return {
    clock,
    device,
    program,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await device[Symbol.asyncDispose]();
    },
  };
}
