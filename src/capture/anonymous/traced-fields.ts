import { DecodeError, Reader } from "../../bytes/index.ts";

/** A field of a decoded packet without fields inside it: its names from the outermost on, and where it was. */
export interface TracedField {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly start: number;
  readonly end: number;
}

/** Notes where each field was, whatever declaration reads. */
class TracingReader extends Reader {
  readonly leaves: TracedField[] = [];
  #path: string[] = [];
  #fields = 0;

  override field<T, C>(name: string | number, codec: { decode(reader: Reader, context: C): T }, context?: C): T {
    this.#path.push(typeof name === "number" ? `[${name}]` : name);
    const before = ++this.#fields;
    const start = this.offset;
    const value = super.field(name, codec, context as C);
    if (this.#fields === before) this.leaves.push({ path: [...this.#path], value, start, end: this.offset });
    this.#path.pop();
    return value;
  }
}

/** The innermost fields in the order of the packet; `undefined` where it is not as declared. Octets may be left over: `end` says from where. */
export function traceFields(
  declaration: { decode(reader: Reader): unknown },
  packet: Uint8Array,
  offset: number,
): { fields: readonly TracedField[]; end: number } | undefined {
  const reader = new TracingReader(packet, { offset });
  try {
    declaration.decode(reader);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
  return { fields: reader.leaves, end: reader.offset };
}
