import type { Application, Written } from "./workloads.ts";

export interface Link {
  readonly connectionHandle: number;
  readonly valueHandle: number;
}

/** The controller's end of a host whose application is running. */
export interface End {
  readonly link: Link;
  /** Whether the host takes nothing but Buffers. */
  readonly isOfBuffers: boolean;
  readonly toHost: (packet: Uint8Array) => void;
  /** From here on it is this application that gets what the host tells; absent where each has a host of its own. */
  readonly listen?: () => void;
}

/** One host with a link to a peer, its packets in the hands of the measurement. */
export interface Host {
  readonly name: string;
  open(application: Application): Promise<End>;
  /** Writes 20 octets, awaited one by one. */
  write(kind: Written["write"], count: number): Promise<void>;
}

/** The controller of a host that is measured: something that lets it set up a link to a peer, and then has the measurement's packets alone. */
export interface ControllerEnd extends Link {
  readonly peerAddress: string;
  /** Packets for the host. */
  toHost: ((packet: Uint8Array) => void) | undefined;
  fromHost(packet: Uint8Array): void;
  /** The host's ACL data is answered in a microtask from here on, and nothing else is. */
  take(): void;
}

export type OpenController = () => Promise<ControllerEnd>;
