import { PacketType } from "jelling/hci";

const OCTETS = 6;
/** What names the one device: the rest names its maker. Least significant first, as on the air. */
const NAMING_OCTETS = 3;
/** Of the pumps' maker, 00:23:F7. */
const PUMP_VENDOR = Uint8Array.of(0xf7, 0x23, 0x00);
/** So many addresses are remembered; others of a maker that is none of the pumps' are then as if they were new. */
const MOST_KNOWN = 64;

/** Where a packet says whose address follows, by what it begins with. */
const LE_META = 0x3e;
const CONNECTION_COMPLETE: ReadonlySet<number> = new Set([0x01, 0x0a, 0x29]); // and the enhanced ones
const PEER_ADDRESS_AT = 9;
const COMMAND_COMPLETE = 0x0e;
const READ_BD_ADDR = 0x1009;
const BD_ADDR_AT = 7;
/** Where commands have an address, by their operation codes (Vol 4 Part E 7.8). */
const COMMAND_ADDRESS_AT: Readonly<Record<number, number>> = {
  8197: 4, // 0x2005 LE Set Random Address
  8198: 11, // 0x2006 LE Set Advertising Parameters
  8209: 5, // 0x2011, 0x2012 the filter accept list
  8210: 5,
  8231: 5, // 0x2027, 0x2028 the resolving list
  8232: 5,
  8245: 5, // 0x2035 LE Set Advertising Set Random Address
  8246: 16, // 0x2036 LE Set Extended Advertising Parameters
  8270: 5, // 0x204E LE Set Privacy Mode
};
const SECURITY_MANAGER_CID = 0x0006;
const IDENTITY_ADDRESS_INFORMATION = 0x09;
const IDENTITY_ADDRESS_AT = 11;

/**
 * Takes addresses out of packets: those of pumps, by their maker, and those that packets have said to be somebody's - of the peer of a link, of a
 * bond, of this computer. Three octets become zeros, so that packets keep their form and addresses their kind and maker.
 */
export class AddressHider {
  readonly #known = new Map<string, Uint8Array>();

  /** Learns from a packet, and hides in its copy. */
  hide(packet: Uint8Array, copy: Uint8Array): void {
    const at = addressAt(packet);
    if (at !== undefined && at + OCTETS <= packet.length) this.#learn(packet.subarray(at, at + OCTETS));
    // What goes over the air as data is sealed, but for the Security Manager's word on who somebody is.
    if (packet[0] !== PacketType.AclData) this.#hideEverywhere(copy);
    else if (at !== undefined) copy.fill(0, at, at + NAMING_OCTETS);
  }

  #learn(address: Uint8Array): void {
    if (address.every((octet) => octet === 0)) return;
    const key = address.join();
    this.#known.delete(key);
    this.#known.set(key, address.slice());
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  #hideEverywhere(copy: Uint8Array): void {
    for (const address of this.#known.values()) replace(copy, address, 0);
    replace(copy, PUMP_VENDOR, NAMING_OCTETS);
  }
}

/** Zeros in place of the octets that name a device, wherever `pattern` stands with so many octets before it. */
function replace(octets: Uint8Array, pattern: Uint8Array, before: number): void {
  for (let at = octets.indexOf(pattern[0]!, 1 + before); at >= 0; at = octets.indexOf(pattern[0]!, at + 1))
    if (pattern.every((octet, i) => octets[at + i] === octet)) octets.fill(0, at - before, at - before + NAMING_OCTETS);
}

function addressAt(packet: Uint8Array): number | undefined {
  const word = (at: number): number => (packet[at] ?? 0) | ((packet[at + 1] ?? 0) << 8);
  switch (packet[0]) {
    case PacketType.Command:
      return COMMAND_ADDRESS_AT[word(1)];
    case PacketType.Event:
      if (packet[1] === LE_META && CONNECTION_COMPLETE.has(packet[3] ?? 0)) return PEER_ADDRESS_AT;
      return packet[1] === COMMAND_COMPLETE && word(4) === READ_BD_ADDR ? BD_ADDR_AT : undefined;
    case PacketType.AclData:
      return word(7) === SECURITY_MANAGER_CID && packet[9] === IDENTITY_ADDRESS_INFORMATION ? IDENTITY_ADDRESS_AT : undefined;
    default:
      return undefined;
  }
}
