import { Air, type AirOptions } from "../src/air/index.ts";
import { VirtualClock } from "../src/async/index.ts";
import { Controller, type ControllerOptions } from "../src/controller/index.ts";
import { Address } from "../src/core/index.ts";
import {
  type CommandDeclaration,
  encodeCommand,
  LeCreateConnection,
  LeEnableEncryption,
  LeLongTermKeyRequestReply,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetEventMask,
  LeSetScanEnable,
  LeSetScanParameters,
  PacketType,
  Reset,
  SetEventMask,
} from "../src/hci/index.ts";
import type { Row } from "./harness.ts";

const KEY = new Uint8Array(16).fill(9);
const NO_PEER = new Address(new Uint8Array(6), 0);

/** The least of a host: it sends one command after the other without looking at what is answered, counts what it gets, and gives keys when asked. */
export class LeastHost {
  readonly controller: Controller;
  readonly #transport: Controller["transport"];
  /** The one under way first. */
  readonly #commands: Uint8Array[] = [];
  received = 0;
  /** Of ACL data, without headers. */
  octets = 0;
  handle = 0;
  /** ACL packets the controller has room for. */
  credits = 8;
  onCredit: (() => void) | undefined;
  onData: (() => void) | undefined;
  onEvent: ((packet: Uint8Array) => void) | undefined;

  constructor(options: ControllerOptions) {
    this.controller = new Controller(options);
    this.#transport = this.controller.transport;
    this.#transport.onPacket = (packet) => this.#onPacket(packet);
    this.send(Reset, {});
    this.send(SetEventMask, { eventMask: 0x3fff_ffff_ffff_ffffn });
    this.send(LeSetEventMask, { leEventMask: 0xf_f0ffn });
  }

  send<P>(declaration: CommandDeclaration<P, unknown>, parameters: P): void {
    this.#commands.push(encodeCommand(declaration, parameters));
    if (this.#commands.length === 1) this.#transport.send(this.#commands[0]!);
  }

  #answered(): void {
    this.#commands.shift();
    if (this.#commands.length > 0) this.#transport.send(this.#commands[0]!);
  }

  data(octets: number): void {
    const packet = new Uint8Array(5 + octets);
    packet.set([PacketType.AclData, this.handle & 0xff, this.handle >> 8, octets & 0xff, octets >> 8]);
    this.credits--;
    this.#transport.send(packet);
  }

  /** Sends packets of so many octets, one more whenever there is room. */
  fill(octets: number): void {
    this.onCredit = () => {
      while (this.credits > 0) this.data(octets);
    };
    this.onCredit();
  }

  #onPacket(packet: Uint8Array): void {
    if (packet[0] === PacketType.AclData) {
      this.received++;
      this.octets += packet.length - 5;
      this.onData?.();
      return;
    }
    this.onEvent?.(packet);
    if (packet[1] === 0x0e || packet[1] === 0x0f) this.#answered();
    else if (packet[1] === 0x13) {
      for (let at = 4; at < packet.length; at += 4) this.credits += packet[at + 2]! | (packet[at + 3]! << 8);
      this.onCredit?.();
    } else if (packet[1] === 0x3e && packet[3] === 0x01) this.handle = packet[5]! | (packet[6]! << 8);
    else if (packet[1] === 0x3e && packet[3] === 0x02) this.received++;
    else if (packet[1] === 0x3e && packet[3] === 0x05)
      this.send(LeLongTermKeyRequestReply, { connectionHandle: this.handle, longTermKey: KEY });
  }
}

export function advertise(host: LeastHost, intervalMs: number, type: number): void {
  host.send(LeSetAdvertisingParameters, {
    advertisingIntervalMin: intervalMs / 0.625,
    advertisingIntervalMax: intervalMs / 0.625,
    advertisingType: type,
    ownAddressType: 0,
    peerAddress: NO_PEER,
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  });
  host.send(LeSetAdvertisingData, { advertisingData: new Uint8Array(31).fill(1) });
  host.send(LeSetAdvertisingEnable, { advertisingEnable: true });
}

export function scan(host: LeastHost, intervalMs: number, windowMs: number, filterDuplicates: boolean): void {
  host.send(LeSetScanParameters, {
    leScanType: 0,
    leScanInterval: intervalMs / 0.625,
    leScanWindow: windowMs / 0.625,
    ownAddressType: 0,
    scanningFilterPolicy: 0,
  });
  host.send(LeSetScanEnable, { leScanEnable: true, filterDuplicates });
}

export function newAir(options: Partial<AirOptions> = {}): { air: Air; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { clock, air: new Air({ clock, seed: 1, traceCapacity: 0, ...options }) };
}

/** A link between the two. */
export async function pair(
  clock: VirtualClock,
  central: LeastHost,
  peripheral: LeastHost,
  { encrypted = false, intervalMs = 30, latency = 0 } = {},
): Promise<void> {
  advertise(peripheral, 20, 0);
  central.send(LeCreateConnection, {
    leScanInterval: 96,
    leScanWindow: 96,
    initiatorFilterPolicy: 0,
    peerAddressType: 0,
    peerAddress: peripheral.controller.address.bytes,
    ownAddressType: 0,
    connectionIntervalMin: intervalMs / 1.25,
    connectionIntervalMax: intervalMs / 1.25,
    maxLatency: latency,
    supervisionTimeout: 400,
    minCeLength: 0,
    maxCeLength: 0,
  });
  await clock.advance(500);
  if (encrypted)
    central.send(LeEnableEncryption, {
      connectionHandle: central.handle,
      randomNumber: new Uint8Array(8),
      encryptedDiversifier: 0,
      longTermKey: KEY,
    });
  await clock.advance(500);
}

export async function pairs(
  air: Air,
  clock: VirtualClock,
  count: number,
  options?: { encrypted?: boolean; intervalMs?: number },
): Promise<LeastHost[][]> {
  const made: LeastHost[][] = [];
  for (let i = 0; i < count; i++) {
    const [central, peripheral] = [new LeastHost({ air, name: `central${i}` }), new LeastHost({ air, name: `peripheral${i}` })];
    await pair(clock, central, peripheral, options);
    made.push([central, peripheral]);
  }
  return made;
}

/** One packet of 27 octets each way ten times a second, the pairs not in step. */
export function chat(clock: VirtualClock, made: readonly LeastHost[][]): void {
  made.forEach(([central, peripheral], i) => {
    const beat = (): void => {
      if (central!.credits > 0) central!.data(27);
      if (peripheral!.credits > 0) peripheral!.data(27);
      clock.setTimer(100, "beat", beat);
    };
    clock.setTimer(i * 3.7, "beat", beat);
  });
}

function row(name: string, prepare: () => Promise<VirtualClock>): Row {
  return {
    name,
    unit: "simulated seconds",
    prepare: async () => {
      const clock = await prepare();
      return (count) => clock.advance(count * 1000);
    },
  };
}

/** Simulated seconds per second of the air and the controllers, with hosts that do nothing. */
export const airRows: readonly Row[] = [
  row("air: 50 advertisers, 50 scanners, every report", async () => {
    const { air, clock } = newAir();
    for (let i = 0; i < 50; i++) advertise(new LeastHost({ air, name: `advertiser${i}` }), 100, 3);
    for (let i = 0; i < 50; i++) scan(new LeastHost({ air, name: `scanner${i}` }), 100, 50, false);
    return clock;
  }),
  row("air: 50 advertisers, 50 scanners, no duplicates", async () => {
    const { air, clock } = newAir();
    for (let i = 0; i < 50; i++) advertise(new LeastHost({ air, name: `advertiser${i}` }), 100, 3);
    for (let i = 0; i < 50; i++) scan(new LeastHost({ air, name: `scanner${i}` }), 100, 50, true);
    return clock;
  }),
  row("air: 50 pairs that chat", async () => {
    const { air, clock } = newAir();
    chat(clock, await pairs(air, clock, 50));
    return clock;
  }),
  row("air: 50 encrypted pairs that chat", async () => {
    const { air, clock } = newAir();
    chat(clock, await pairs(air, clock, 50, { encrypted: true }));
    return clock;
  }),
  row("air: 50 pairs that chat, 10 % lost", async () => {
    const { air, clock } = newAir();
    const made = await pairs(air, clock, 50);
    air.onPacket(({ timeUs }) => (timeUs % 10 === 0 ? "lose" : undefined));
    chat(clock, made);
    return clock;
  }),
  row("air: 50 pairs that say nothing, 1 % lost", async () => {
    const { air, clock } = newAir({ loss: 0.01 });
    await pairs(air, clock, 50);
    return clock;
  }),
  row("air: 25 pairs that chat, 40 advertisers, 10 scanners", async () => {
    const { air, clock } = newAir();
    const made = await pairs(air, clock, 25);
    for (let i = 0; i < 40; i++) advertise(new LeastHost({ air, name: `advertiser${i}` }), 100, 3);
    for (let i = 0; i < 10; i++) scan(new LeastHost({ air, name: `scanner${i}` }), 100, 50, true);
    chat(clock, made);
    return clock;
  }),
  ...(["instant", "radio"] as const).map(
    (mode): Row => ({
      name: `air: packet there and back, ${mode} mode`,
      unit: "round trips",
      prepare: async () => {
        const { air, clock } = newAir({ mode });
        const [[central, peripheral]] = (await pairs(air, clock, 1)) as [[LeastHost, LeastHost]];
        peripheral.onData = () => peripheral.data(5);
        return (count) =>
          new Promise((resolve) => {
            let left = count;
            central.onData = () => {
              if (--left === 0) resolve();
              else void Promise.resolve().then(() => central.data(27)); // as a host that awaits an answer
            };
            central.data(27);
          });
      },
    }),
  ),
  row("air: one link at its limit, 251 octets", async () => {
    const { air, clock } = newAir();
    const [[central]] = (await pairs(air, clock, 1, { intervalMs: 15 })) as [LeastHost[]];
    central!.fill(251);
    return clock;
  }),
];
