import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { concat } from "../../bytes/hex.ts";
import { fragmentsOf, MessageAssembler, type MessageAssemblerOptions } from "./fragments.ts";

/** A message with a payload of so many octets, all of one value. */
function message(length: number, value = 1): Uint8Array {
  const octets = new Uint8Array(8 + length).fill(value);
  octets.set([0, 0, length >> 8, length & 0xff]);
  return octets;
}

function setUp(options: Partial<MessageAssemblerOptions> = {}) {
  const clock = new VirtualClock();
  const messages: Uint8Array[] = [];
  const dropped: number[] = [];
  const assembler = new MessageAssembler({
    clock,
    onMessage: (whole) => messages.push(whole),
    onDropped: (octets) => dropped.push(octets),
    ...options,
  });
  return { clock, assembler, messages, dropped };
}

test("a message is cut into pieces, all but the last as long as they may be", () => {
  const whole = Uint8Array.from({ length: 10 }, (_, i) => i);
  expect(fragmentsOf(whole, 4).map((piece) => [...piece])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
  expect(fragmentsOf(whole, 5).length).toBe(2);
  expect(fragmentsOf(whole, 10)[0]).toBe(whole);
  expect(fragmentsOf(new Uint8Array(0), 5)).toEqual([new Uint8Array(0)]);
});

describe("pieces are joined", () => {
  test("however they fall, several messages in one and a header in several", () => {
    const sent = [message(0), message(300, 2), message(1, 3), message(1000, 4), message(5, 5)];
    const stream = concat(...sent);
    for (const length of [1, 3, 7, 8, 9, 100, 308, 309, stream.length]) {
      const { assembler, messages, dropped } = setUp();
      for (let at = 0; at < stream.length; at += length) assembler.push(stream.subarray(at, at + length));
      expect(messages, `pieces of ${length}`).toEqual(sent);
      expect([assembler.pending, dropped]).toEqual([0, []]);
    }
  });

  test("to messages that are their receiver's own", () => {
    const { assembler, messages } = setUp();
    const piece = message(5);
    assembler.push(piece);
    assembler.push(piece.subarray(0, 9));
    assembler.push(piece.subarray(9));
    piece.fill(9);
    assembler.push(message(5, 7).subarray(0, 12));
    expect(messages).toEqual([message(5), message(5)]);
  });

  test("what is held is counted, and forgotten on demand", () => {
    const { assembler, messages, dropped } = setUp();
    assembler.push(message(10).subarray(0, 5));
    expect(assembler.pending).toBe(5);
    assembler.push(message(10).subarray(5, 12));
    expect(assembler.pending).toBe(12);
    assembler.reset();
    assembler.reset();
    assembler.push(message(2));
    expect([messages, dropped, assembler.pending]).toEqual([[message(2)], [12], 0]);
  });

  test("a rest that comes later than 4 s belongs to nothing", async () => {
    const { assembler, messages, dropped, clock } = setUp();
    assembler.push(message(10).subarray(0, 12));
    await clock.advance(4000);
    assembler.push(message(10).subarray(12, 13));
    await clock.advance(4000);
    assembler.push(message(10).subarray(13));
    expect([messages, dropped]).toEqual([[message(10)], []]);
    assembler.push(message(10).subarray(0, 12));
    await clock.advance(4001);
    assembler.push(message(3));
    expect([messages.length, messages[1], dropped]).toEqual([2, message(3), [12]]);
  });

  test("a header that claims more than the limit is none: nothing tells where the next begins", () => {
    const { assembler, messages, dropped } = setUp({ limit: 20 });
    assembler.push(message(12));
    assembler.push(concat(message(13), message(1)));
    expect([messages, dropped]).toEqual([[message(12)], [30]]);
    assembler.push(message(13).subarray(0, 4));
    assembler.push(message(13).subarray(4, 10));
    expect([dropped, assembler.pending]).toEqual([[30, 10], 0]);
    for (const piece of fragmentsOf(message(12), 5)) assembler.push(piece);
    expect([messages.length, messages[1]]).toEqual([2, message(12)]);
  });
});

describe("a strict server", () => {
  test("wants the header in the first piece, and no piece past the end", () => {
    const { assembler, messages, dropped } = setUp({ isStrict: true });
    const whole = message(10);
    for (const pieces of [
      [whole],
      [whole.subarray(0, 8), whole.subarray(8)],
      [whole.subarray(0, 9), whole.subarray(9, 12), whole.subarray(12)],
    ])
      for (const piece of pieces) assembler.push(piece);
    expect([messages, dropped]).toEqual([[whole, whole, whole], []]);
    assembler.push(whole.subarray(0, 7));
    assembler.push(concat(whole, Uint8Array.of(1)));
    expect(dropped).toEqual([7, 19]);
    assembler.push(whole.subarray(0, 12));
    assembler.push(concat(whole.subarray(12), Uint8Array.of(1)));
    expect([dropped, assembler.pending, messages.length]).toEqual([[7, 19, 19], 0, 3]);
  });
});
