import { viewOf } from "./record.ts";

/** Block types of pcapng that are looked into; all others are passed over. */
export const BlockType = Object.freeze({
  SectionHeader: 0x0a0d_0d0a,
  InterfaceDescription: 1,
  SimplePacket: 3,
  InterfaceStatistics: 5,
  EnhancedPacket: 6,
});

/** Link types of a pcapng interface that are read; HciH4WithPhdr and LinuxMonitor are written. */
export const PcapngLinkType = Object.freeze({ HciH4: 187, HciH4WithPhdr: 201, LinuxMonitor: 254 });

export const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;

export const Option = Object.freeze({
  EndOfOptions: 0,
  Comment: 1,
  ShbUserAppl: 4,
  IfName: 2,
  IfTsResol: 9,
  IfTsOffset: 14,
  EpbFlags: 2,
  EpbDropCount: 4,
  IsbIfDrop: 5,
});

export const padded = (length: number): number => (length + 3) & ~3;

/** Puts a block together: type, both lengths, the parts one after another, each padded to 32 bits. Little-endian. */
export function block(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const total = 12 + parts.reduce((sum, part) => sum + padded(part.length), 0);
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  view.setUint32(total - 4, total, true);
  return bytes;
}

/** Little-endian words of 16, 32 or 64 bits. */
export function words(...values: readonly (readonly [bits: 16 | 32 | 64, value: number | bigint])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [bits]) => sum + bits / 8, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const [bits, value] of values) {
    if (bits === 16) view.setUint16(at, Number(value), true);
    else if (bits === 32) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    at += bits / 8;
  }
  return bytes;
}

/** The options of a block, with the one that ends them. */
export function options(...list: readonly (readonly [code: number, value: Uint8Array])[]): Uint8Array {
  const bytes = new Uint8Array(list.reduce((sum, [, value]) => sum + 4 + padded(value.length), 4));
  const view = viewOf(bytes);
  let at = 0;
  for (const [code, value] of list) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  return bytes;
}

/** Options by their codes, of a repeated one the last; `undefined` where a length reaches past the end. */
export function readOptions(octets: Uint8Array, littleEndian: boolean): ReadonlyMap<number, Uint8Array> | undefined {
  const found = new Map<number, Uint8Array>();
  const view = viewOf(octets);
  for (let at = 0; at + 4 <= octets.length; ) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    if (code === Option.EndOfOptions) break;
    if (at + 4 + length > octets.length) return undefined;
    found.set(code, octets.subarray(at + 4, at + 4 + length));
    at += 4 + padded(length);
  }
  return found;
}
