function mix(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return h ^ (h >>> 16);
}

/**
 * A number in [0, 1) that depends on nothing but its arguments. Unlike a stream it can be drawn out of order or not at all: the fate of
 * packet `b` of event `a` is the same whether the events before it were simulated or skipped.
 */
export function draw(key: number, a: number, b = 0): number {
  return (mix(mix(mix(key) + Math.imul(a, 0x9e3779b1)) + Math.imul(b, 0x85ebca6b)) >>> 0) / 0x1_0000_0000;
}

/** A key for `draw` made of two others: of what sends and of the way it takes. */
export function pairKey(key: number, other: number): number {
  return mix(mix(key) + Math.imul(other, 0xc2b2ae35));
}
