import type { Address } from "../core/address.ts";
import { LeCreateConnection, LeCreateConnectionCancel } from "../hci/commands/le-connection.ts";
import { LeExtendedCreateConnection } from "../hci/commands/le-extended-scanning.ts";
import type { InitiatingParameters } from "./connect-options.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort } from "./radio.ts";

/** What is asked for. */
interface Initiation {
  /** One, or several that the filter accept list holds. */
  readonly peers: readonly Address[];
  readonly ownAddress: OwnAddressKind;
  readonly parameters: readonly InitiatingParameters[];
}

/** How a controller is told to connect: by the legacy command or the extended one. */
export interface InitiatingCommands {
  /** The command that begins it. */
  readonly name: string;
  create(initiation: Initiation): Promise<void>;
  cancel(): Promise<void>;
}

const NO_ADDRESS = new Uint8Array(6);
/** Octets and type of the peer, and the filter policy: zeros where the filter accept list has the peers. */
function peerOf(peers: readonly Address[]) {
  const [peer] = peers;
  const isList = peers.length > 1;
  return {
    initiatorFilterPolicy: isList ? 1 : 0,
    peerAddressType: isList ? 0 : peer!.type,
    peerAddress: isList ? NO_ADDRESS : peer!.bytes,
  };
}

/** Vol 4 Part E 7.8.12. */
export class LegacyInitiatingCommands implements InitiatingCommands {
  readonly name = "LeCreateConnection";
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async create({ peers, ownAddress, parameters: [only] }: Initiation): Promise<void> {
    const { phy: _, scanInterval, scanWindow, ...link } = only!;
    await this.#port.send(LeCreateConnection, {
      leScanInterval: scanInterval,
      leScanWindow: scanWindow,
      ...peerOf(peers),
      ...link,
      minCeLength: 0,
      maxCeLength: 0,
      ownAddressType: ownAddress === "public" ? 0 : 1,
    });
  }

  async cancel(): Promise<void> {
    await this.#port.send(LeCreateConnectionCancel, {});
  }
}

/** Bits of Initiating_PHYs. */
const PHY_BITS = { "1M": 1, "2M": 2, coded: 4 } as const;

/** Vol 4 Part E 7.8.66. */
export class ExtendedInitiatingCommands implements InitiatingCommands {
  readonly name = "LeExtendedCreateConnection";
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async create({ peers, ownAddress, parameters }: Initiation): Promise<void> {
    await this.#port.send(LeExtendedCreateConnection, {
      ...peerOf(peers),
      ownAddressType: ownAddress === "public" ? 0 : 1,
      initiatingPhys: parameters.reduce((mask, { phy }) => mask | PHY_BITS[phy], 0),
      phys: parameters.map((each) => ({ ...each, minCeLength: 0, maxCeLength: 0 })),
    });
  }

  /** The same command cancels both. */
  async cancel(): Promise<void> {
    await this.#port.send(LeCreateConnectionCancel, {});
  }
}
