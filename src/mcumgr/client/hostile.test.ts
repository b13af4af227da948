import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { BleError } from "../../core/error.ts";
import { SeededRandom } from "../../core/random.ts";
import { createMemoryLinks } from "../links/memory.ts";
import type { CborValue } from "../protocol/cbor.ts";
import { decodeHeader } from "../protocol/header.ts";
import { encodeMessage } from "../protocol/message.ts";
import { McumgrClient } from "./client.ts";

class Draw {
  readonly #random: SeededRandom;
  readonly #word = new Uint32Array(1);
  constructor(seed: number) {
    this.#random = new SeededRandom(seed, "hostile server");
  }
  below(n: number): number {
    this.#random.fill(new Uint8Array(this.#word.buffer));
    return this.#word[0]! % n;
  }
  octets(length: number): Uint8Array {
    const octets = new Uint8Array(length);
    this.#random.fill(octets);
    return octets;
  }
  of<T>(...choices: T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

const KEYS = ["off", "len", "data", "match", "rc", "err", "rsn", "r", "images", "type", "output", "buf_size", "buf_count"];

function value(draw: Draw, depth = 0): CborValue {
  const number = draw.of(0, 1, 2, 12, 13, 500, 3000, 2 ** 32, 2 ** 53, -1, 0.5);
  if (depth > 2) return number;
  return draw.of<CborValue>(number, number, number, number, true, false, null, "x", draw.octets(draw.below(600)), [], map(draw, depth + 1));
}

function map(draw: Draw, depth = 0): Record<string, CborValue> {
  return Object.fromEntries(Array.from({ length: draw.below(4) }, () => [draw.of(...KEYS), value(draw, depth)]));
}

/** What a hostile server may send after a request. */
function answers(draw: Draw, request: Uint8Array): Uint8Array[] {
  const header = { ...decodeHeader(request), op: (request[0]! & 7) + 1 };
  const right = encodeMessage(header, map(draw), "indefinite");
  const one = () =>
    draw.of<() => Uint8Array>(
      () => right,
      () => right,
      () => right,
      () => encodeMessage(header, { off: draw.of(0, 100, 400, 900, 1500, 2999, 3000), data: draw.octets(100), len: 3000 }),
      () => encodeMessage(header, draw.octets(draw.below(200))),
      () => draw.octets(draw.below(40)),
      () => right.subarray(0, draw.below(right.length + 1)),
      () => right.with(draw.of(2, 3), draw.below(256)),
      () => right.with(draw.below(8), draw.below(256)),
      () => request,
    )();
  return Array.from({ length: draw.of(0, 1, 1, 1, 1, 2, 30) }, one);
}

test("whatever a server sends: every operation ends, by name, after a bounded number of requests and in bounded time", async () => {
  const data = new Uint8Array(3000).fill(7);
  for (let seed = 0; seed < 60; seed++) {
    const draw = new Draw(seed);
    const clock = new VirtualClock();
    const { client: link, server } = createMemoryLinks({ clock, ...(seed % 3 === 0 && { loss: () => false }), provenLimit: 400 });
    let asked = 0;
    server.onMessage = (request) => {
      asked++;
      for (const answer of answers(draw, request)) server.send(answer).catch(() => undefined);
    };
    await using client = await McumgrClient.open(async () => link, { clock, timeoutMs: 500 });
    const outcomes = await Promise.allSettled([
      client.os.echo({ d: "hello" }),
      client.image.state(),
      client.uploadImage(data),
      client.uploadFile("/a", data),
      client.downloadFile("/b", { maxLength: 5000 }),
      client.uploadIntercreate(data),
      client.request({ op: 0, group: 77, command: 1 }),
    ]);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason, `seed ${seed}`).toBeInstanceOf(BleError);
    expect(asked, `seed ${seed}`).toBeLessThan(500);
    expect(clock.now(), `seed ${seed}`).toBeLessThan(3_600_000);
  }
});
