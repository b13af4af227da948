import type { Address } from "../core/address.ts";
import { LeCreateConnection, LeCreateConnectionCancel } from "../hci/commands/le-connection.ts";
import { LeExtendedCreateConnection, LeExtendedCreateConnectionV2 } from "../hci/commands/le-extended-scanning.ts";
import type { InitiatingParameters } from "./connect-options.ts";
import type { RequestPlace } from "./periodic/periodic-advertising.ts";
import type { CommandPort, OwnAddressType } from "./radio.ts";

/** What is asked for. */
interface Initiation {
  /** One, or several that the filter accept list holds. */
  readonly peers: readonly Address[];
  /** The peer, where it is one, is told by private addresses, for a controller that knows nothing of privacy modes. */
  readonly isPrivate: boolean;
  readonly ownAddressType: OwnAddressType;
  readonly parameters: readonly InitiatingParameters[];
  /** Where in own periodic advertising it is asked; `undefined`: where it is heard advertising. */
  readonly place: RequestPlace | undefined;
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
function peerOf({ peers, isPrivate }: Initiation) {
  const [peer] = peers;
  const isList = peers.length > 1;
  // Types 2 and 3, an identity behind a private address, are for hosts and controllers without LE Set Privacy Mode alone (7.8.12, 7.8.66).
  const type = isPrivate ? peer!.type | 2 : peer!.type;
  return {
    initiatorFilterPolicy: isList ? 1 : 0,
    peerAddressType: isList ? 0 : type,
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

  async create(initiation: Initiation): Promise<void> {
    const {
      ownAddressType,
      parameters: [only],
    } = initiation;
    const { phy: _, scanInterval, scanWindow, ...link } = only!;
    await this.#port.send(LeCreateConnection, {
      leScanInterval: scanInterval,
      leScanWindow: scanWindow,
      ...peerOf(initiation),
      ...link,
      minCeLength: 0,
      maxCeLength: 0,
      ownAddressType,
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

  async create(initiation: Initiation): Promise<void> {
    const { ownAddressType, parameters, place } = initiation;
    const asked = {
      ...peerOf(initiation),
      ownAddressType,
      initiatingPhys: parameters.reduce((mask, { phy }) => mask | PHY_BITS[phy], 0),
      phys: parameters.map((each) => ({ ...each, minCeLength: 0, maxCeLength: 0 })),
    };
    if (place) await this.#port.send(LeExtendedCreateConnectionV2, { ...place, ...asked });
    else await this.#port.send(LeExtendedCreateConnection, asked);
  }

  /** The same command cancels both. */
  async cancel(): Promise<void> {
    await this.#port.send(LeCreateConnectionCancel, {});
  }
}
