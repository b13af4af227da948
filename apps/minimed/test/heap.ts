import v8 from "node:v8";

type Class = new (...args: never[]) => unknown;
/** Not in the types of Node yet. */
const { queryObjects } = v8 as unknown as { queryObjects(of: Class, how: { format: "count" }): number };

/** What whoever forgets to let go leaves more of. */
const CLASSES = {
  functions: Function,
  promises: Promise,
  signals: AbortSignal,
  controllers: AbortController,
  maps: Map,
  sets: Set,
  octets: Uint8Array,
};
type Counts = { readonly [Name in "objects" | keyof typeof CLASSES]: number };

export interface HeapSample extends Counts {
  /** Octets in use, behind a collection of garbage. */
  readonly usedOctets: number;
  /** Octets outside of the heap: the memory of WebAssembly and of buffers. */
  readonly externalOctets: number;
}

/** How many objects live, after all garbage was collected. Each class takes some tenths of a second. */
export function countObjects(): number {
  return queryObjects(Object as unknown as Class, { format: "count" });
}

/** The same by classes, and the octets. */
export function sampleHeap(): HeapSample {
  const counts = Object.entries(CLASSES).map(([name, of]) => [name, queryObjects(of as unknown as Class, { format: "count" })]);
  const objects = countObjects();
  const { heapUsed, external } = process.memoryUsage();
  return { ...(Object.fromEntries(counts) as Counts), objects, usedOctets: heapUsed, externalOctets: external };
}
