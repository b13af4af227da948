import { AttOpcode } from "../../att/opcode.ts";

/** Octets that stay at the beginning of a PDU, its opcode included; the others are values. A PDU that is not here keeps its opcode. */
const KEPT: Readonly<Record<number, number>> = {
  [AttOpcode.WriteReq]: 3,
  [AttOpcode.WriteCmd]: 3,
  [AttOpcode.SignedWriteCmd]: 3,
  [AttOpcode.PrepareWriteReq]: 5,
  [AttOpcode.PrepareWriteRsp]: 5,
  [AttOpcode.HandleValueNtf]: 3,
  [AttOpcode.HandleValueInd]: 3,
  ...Object.fromEntries(
    [
      AttOpcode.ErrorRsp,
      AttOpcode.ExchangeMtuReq,
      AttOpcode.ExchangeMtuRsp,
      AttOpcode.FindInformationReq,
      AttOpcode.FindInformationRsp,
      AttOpcode.FindByTypeValueRsp,
      AttOpcode.ReadByTypeReq,
      AttOpcode.ReadReq,
      AttOpcode.ReadBlobReq,
      AttOpcode.ReadMultipleReq,
      AttOpcode.ReadByGroupTypeReq,
      AttOpcode.ReadByGroupTypeRsp,
      AttOpcode.WriteRsp,
      AttOpcode.ExecuteWriteReq,
      AttOpcode.ExecuteWriteRsp,
      AttOpcode.HandleValueCfm,
      AttOpcode.ReadMultipleVariableReq,
    ].map((opcode) => [opcode, Number.POSITIVE_INFINITY]),
  ),
};

const PRIMARY_SERVICE = 0x2800;
const SECONDARY_SERVICE = 0x2801;
const INCLUDE = 0x2802;
const CHARACTERISTIC = 0x2803;
const CLIENT_CHARACTERISTIC_CONFIGURATION = 0x2902;
/** A server with more subscriptions than this shows those of the first alone. */
const MOST_CONFIGURATIONS = 1024;

/** What discovery told about one attribute server: enough to know which values are structure. */
export interface AttServerKnowledge {
  /** The 16-bit type that was asked for last by Read By Type. */
  requestedType: number;
  /** Handles of Client Characteristic Configuration descriptors. */
  readonly configurations: Set<number>;
}

export function attServerKnowledge(): AttServerKnowledge {
  return { requestedType: 0, configurations: new Set() };
}

/**
 * One ATT PDU, octet after octet as ACL packets bring it: says of each octet whether it may stay. Declarations of services and
 * characteristics, and what a client writes to a Client Characteristic Configuration, stay; every other value goes.
 */
export class AttPduFilter {
  readonly #server: AttServerKnowledge;
  /** Octets of the whole PDU. */
  readonly #length: number;
  #at = 0;
  #opcode = 0;
  /** The first octets, as far as a decision needs them. */
  readonly #head = new Uint8Array(7);
  /** Of a Read By Type Response: the type that was asked for. */
  #requestedType = 0;
  /** The last octets of a list's entry. */
  #entry = 0;
  /** Of tuples: octets of the head seen, and octets of the value that remain. */
  #headOctets = 0;
  #valueOctets = 0;

  constructor(server: AttServerKnowledge, length: number) {
    this.#server = server;
    this.#length = length;
  }

  /** Takes the next octet; false where it has to go. */
  keeps(octet: number): boolean {
    const at = this.#at++;
    if (at < this.#head.length) this.#head[at] = octet;
    if (at === 0) {
      this.#opcode = octet;
      if (octet === AttOpcode.ReadByTypeRsp) {
        this.#requestedType = this.#server.requestedType;
        this.#server.requestedType = 0; // another answer may come whose request is not in the capture
      }
      return true;
    }
    switch (this.#opcode) {
      case AttOpcode.ReadByTypeReq:
        if (at === 6) this.#server.requestedType = this.#length === 7 ? this.#u16(5) : 0;
        return true;
      case AttOpcode.FindInformationRsp:
        this.#learn(at, octet);
        return true;
      case AttOpcode.FindByTypeValueReq:
        return at < 7 || this.#u16(5) === PRIMARY_SERVICE || this.#u16(5) === SECONDARY_SERVICE;
      case AttOpcode.ReadByTypeRsp:
        if (at === 1 || this.#requestedType === CHARACTERISTIC || this.#requestedType === INCLUDE) return true;
        return (at - 2) % Math.max(this.#head[1]!, 2) < 2;
      case AttOpcode.WriteReq:
        return at < 3 || (this.#length === 5 && this.#server.configurations.has(this.#u16(1)));
      case AttOpcode.ReadMultipleVariableRsp:
        return this.#keepsTuple(octet, 2);
      case AttOpcode.MultipleHandleValueNtf:
        return this.#keepsTuple(octet, 4);
      default:
        return at < (KEPT[this.#opcode] ?? 1);
    }
  }

  #u16(at: number): number {
    return this.#head[at]! | (this.#head[at + 1]! << 8);
  }

  /** Format 1 lists handles with 16-bit types, Vol 3 Part F 3.4.3.2. */
  #learn(at: number, octet: number): void {
    if (at === 1 || this.#head[1] !== 1) return;
    this.#entry = ((this.#entry << 8) | octet) >>> 0;
    if ((at - 2) % 4 !== 3) return;
    const type = ((this.#entry & 0xff) << 8) | ((this.#entry >>> 8) & 0xff);
    const handle = (((this.#entry >>> 16) & 0xff) << 8) | (this.#entry >>> 24);
    const { configurations } = this.#server;
    if (type === CLIENT_CHARACTERISTIC_CONFIGURATION && configurations.size < MOST_CONFIGURATIONS) configurations.add(handle);
  }

  /** Values behind heads of `size` octets that end with the value's length. */
  #keepsTuple(octet: number, size: number): boolean {
    if (this.#valueOctets > 0) {
      this.#valueOctets--;
      return false;
    }
    this.#entry = ((this.#entry >>> 8) | (octet << 8)) & 0xffff;
    if (++this.#headOctets === size) {
      this.#headOctets = 0;
      this.#valueOctets = this.#entry;
    }
    return true;
  }
}
