import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodeMessage } from "../protocol/message.ts";
import { chunkEnd, dataRoom } from "./chunk.ts";

interface Vector {
  readonly name: string;
  readonly kind: "image" | "file";
  readonly max_message: number;
  readonly off: number;
  readonly image_len?: number;
  readonly file_len?: number;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly best_data_len: number;
  readonly best_message_len: number;
}

const { upload_chunks } = JSON.parse(readFileSync(new URL("../../../test/vectors/mcumgr.json", import.meta.url), "utf8")) as {
  readonly upload_chunks: readonly Vector[];
};

describe("chunks of the vectors are the longest that fit", () => {
  test.each(upload_chunks.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const length = vector.image_len ?? vector.file_len ?? 0;
    const all = { off: vector.off, image: 0, len: length, upgrade: false, sha: new Uint8Array(32), name: vector.path };
    const names = vector.fields ?? (vector.off === 0 ? ["off", "name", "len"] : ["off", "name"]);
    const fields = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
    const to = chunkEnd(vector.off, dataRoom(vector.max_message, fields), length);
    expect(to - vector.off).toBe(vector.best_data_len);
    const message = encodeMessage({ op: 2, group: 1, command: 1, sequence: 0 }, { ...fields, data: new Uint8Array(to - vector.off) });
    expect(message.length).toBe(vector.best_message_len);
  });
});

test("at every limit the chunk fits, and one octet more would not", () => {
  const lengthOf = (off: number, n: number) =>
    encodeMessage({ op: 2, group: 1, command: 1, sequence: 0 }, { off, data: new Uint8Array(n) }).length;
  const wrong: string[] = [];
  for (const off of [1, 24, 256, 65536])
    for (let limit = 26; limit < 320; limit++) {
      const room = dataRoom(limit, { off });
      if (lengthOf(off, room) > limit || lengthOf(off, room + 1) <= limit) wrong.push(`${room} at ${off} in ${limit}`);
    }
  expect(wrong).toEqual([]);
  expect([18, 19, 20, 21].map((limit) => dataRoom(limit, { off: 0 }))).toEqual([-2, -1, 0, 1]);
});

test("ends fall on multiples of the alignment, but for the last one, and where a chunk is too short for it", () => {
  expect(chunkEnd(100, 50, 1000, 16)).toBe(144);
  expect(chunkEnd(960, 50, 1000, 16)).toBe(1000);
  expect(chunkEnd(100, 8, 1000, 32)).toBe(108);
});
