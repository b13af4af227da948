import { type Codec, u8 } from "../bytes/index.ts";
import { Address } from "../core/address.ts";
import { ArgumentError } from "../core/error.ts";

/** Connection_Handle: 12 bits, the upper four reserved and ignored. 0x0000 to 0x0EFF. */
export const handle: Codec<number> = {
  decode: (reader) => reader.u16() & 0x0fff,
  encode: (writer, value) => writer.u16(value),
};

const addressOf = (type: 0 | 1): Codec<Address> => ({
  decode: (reader) => new Address(reader.take(6), type),
  encode: (writer, value) => writer.bytes(value.bytes),
});
/** Six octets without a type, known to be a public address. */
export const publicAddress = addressOf(0);
/** Six octets without a type, known to be a random address. */
export const randomAddress = addressOf(1);

/** A length, then octets padded with zeros to `capacity`. */
export const padded = (capacity: number): Codec<Uint8Array> => ({
  decode: (reader) => {
    const length = u8.decode(reader);
    if (length > capacity) reader.fail(`length ${length}, at most ${capacity}`);
    return reader.take(capacity).slice(0, length);
  },
  encode: (writer, value) => {
    if (value.length > capacity) throw new ArgumentError(`${value.length} octets: expected at most ${capacity}`);
    writer.u8(value.length);
    writer.bytes(value);
    writer.bytes(new Uint8Array(capacity - value.length));
  },
});

/** Sync_Handle: 12 bits, the upper four reserved and ignored. 0x0000 to 0x0EFF. */
export const syncHandle: Codec<number> = {
  decode: (reader) => reader.u16() & 0x0fff,
  encode: (writer, value) => writer.u16(value),
};

/** As many items as `count` says, without a count of their own. */
export function items<T>(count: number, item: Codec<T>): Codec<T[]> {
  return {
    decode: (reader) => {
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(reader.field(i, item));
      return values;
    },
    encode: (writer, values) => {
      if (values.length !== count) throw new ArgumentError(`${values.length} items: expected ${count}`);
      for (const value of values) item.encode(writer, value);
    },
  };
}

/** Fields whose form depends on the fields before them. */
export function dependent<H extends object, T extends object>(head: Codec<H>, tail: (head: H) => Codec<T>): Codec<H & T> {
  return {
    decode: (reader) => {
      const first = head.decode(reader);
      return { ...first, ...tail(first).decode(reader) };
    },
    encode: (writer, value) => {
      head.encode(writer, value);
      tail(value).encode(writer, value);
    },
  };
}

/** How many bits of a mask of one octet are set: parameters "for each PHY" come that often, lowest bit first. */
export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
}
