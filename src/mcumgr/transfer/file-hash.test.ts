import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../bytes/crc32.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { downloadFile } from "./file-download.ts";
import { compareFile, fileLength } from "./file-hash.ts";
import type { TransferRequest } from "./host.ts";
import { createTestHost } from "./test-host.ts";

const data = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
const compare = async (answer: CborMap, given = data) => {
  const host = createTestHost(() => answer);
  return { host, result: compareFile(host, "/a", given, undefined) };
};

describe("a file is compared", () => {
  test("as far as the octets go, with time to read all of it", async () => {
    for (const isLossy of [false, true]) {
      const host = createTestHost(() => ({ type: "crc32", len: 300, output: crc32(data) }), { isLossy });
      expect(await compareFile(host, "/a", data, undefined)).toEqual({ type: "crc32", output: crc32(data) });
      expect(host.asked.map(({ request, options }) => [request, options])).toEqual([
        [
          { title: "files.hash", group: 8, command: 2, op: 0, payload: { name: "/a", len: 300 } },
          { signal: undefined, timeoutMs: 40_000, resendAfterMs: isLossy ? [10_000, 20_000] : undefined },
        ],
      ]);
    }
  });

  test.each<[string, CborMap, string | false | undefined]>([
    ["the same checksum", { type: "crc32", len: 300, output: crc32(data) }, "crc32"],
    ["another one", { type: "crc32", len: 300, output: crc32(data) ^ 1 }, false],
    ["the same digest", { type: "sha256", len: 300, output: sha256(data) }, "sha256"],
    ["another digest", { type: "sha256", len: 300, output: sha256(data).with(31, 0) }, false],
    ["a digest that is a number", { type: "sha256", len: 300, output: 5 }, false],
    ["a checksum of octets", { type: "crc32", len: 300, output: new Uint8Array(4) }, false],
    ["the same of fewer octets", { type: "crc32", len: 299, output: crc32(data) }, false],
    ["a check that is not known here", { type: "md5", len: 300, output: new Uint8Array(16) }, undefined],
    ["no such command", { rc: 8 }, undefined],
    ["an argument that is not taken", { rc: 3 }, undefined],
    ["an unknown type", { err: { group: 8, rc: 13 } }, undefined],
  ])("%s", async (_, answer, expected) => {
    const outcome = await (await compare(answer)).result;
    expect(outcome ? outcome.type : outcome).toBe(expected);
  });

  test("unless it is not there, or empty", async () => {
    await expect((await compare({ err: { group: 8, rc: 3 } })).result).rejects.toMatchObject({ rcName: "NotFound" });
    await expect((await compare({ rc: 5 })).result).rejects.toMatchObject({ rcName: "NoEntry" });
    const empty = await compare({ rc: 8 }, new Uint8Array(0));
    expect([await empty.result, empty.host.asked.length]).toEqual([undefined, 0]);
  });

  test("its length is told soon", async () => {
    const host = createTestHost(() => ({ len: 7 }), { isLossy: true });
    expect(await fileLength(host, "/a", undefined)).toBe(7);
    expect(host.asked[0]).toMatchObject({
      request: { title: "files.status", payload: { name: "/a" } },
      options: { timeoutMs: 5000, resendAfterMs: [1250, 2500] },
    });
  });
});

describe("a download", () => {
  const serve =
    (piece = 100) =>
    (request: TransferRequest): CborMap => {
      const { off } = request.payload as { off: number };
      if (request.command !== 0) return { rc: 8 };
      return { off, data: data.slice(off, off + piece), ...(off === 0 && { len: 300 }) };
    };
  const offsets = (host: ReturnType<typeof createTestHost>) =>
    host.asked.filter(({ request }) => request.command === 0).map(({ request }) => request.payload.off);

  test("begins with one request, which shows how long pieces are, and asks for no more than is missing", async () => {
    const host = createTestHost(serve());
    const result = await downloadFile(host, "/a", {});
    expect(result).toMatchObject({ length: 300, resumedFrom: 0, verifiedBy: undefined, durationMs: 0 });
    expect([result.data, offsets(host)]).toEqual([data, [0, 100, 200]]);
    expect(host.asked[0]!.options).toEqual({ signal: undefined, timeoutMs: 5000, resendAfterMs: undefined });
    const lossy = createTestHost(serve(), { isLossy: true });
    await downloadFile(lossy, "/a", { verify: false });
    expect(lossy.asked[0]!.options.resendAfterMs).toEqual([1250, 2500]);
    expect(lossy.asked[1]!.options.resendAfterMs).toBeUndefined();
  });

  test("of a file as long as is wanted, and no longer", async () => {
    expect((await downloadFile(createTestHost(serve()), "/a", { maxLength: 300, verify: false })).length).toBe(300);
    await expect(downloadFile(createTestHost(serve()), "/a", { maxLength: 299 })).rejects.toMatchObject({
      path: "len",
      problem: "300 octets, at most 299 are wanted",
    });
    const claims = (len: number) => createTestHost(() => ({ off: 0, data: new Uint8Array(1), len }));
    await expect(downloadFile(claims(64 * 1024 * 1024 + 1), "/a", {})).rejects.toMatchObject({
      problem: "67108865 octets, at most 67108864 are wanted",
    });
  });

  test("takes of a piece what was asked for, where a server sends more", async () => {
    const host = createTestHost((request, i) => serve(i === 0 ? 100 : 150)(request));
    const result = await downloadFile(host, "/a", { window: 1, verify: false });
    expect([result.data, offsets(host)]).toEqual([data, [0, 100, 200]]);
  });

  test("asks for shorter pieces where a server sends less", async () => {
    const host = createTestHost((request, i) => serve(i === 0 ? 100 : 40)(request));
    const result = await downloadFile(host, "/a", { window: 1, verify: false });
    expect([result.data, offsets(host)]).toEqual([data, [0, 100, 140, 180, 220, 260]]);
    const several = createTestHost((request, i) => serve(i === 0 ? 100 : 40)(request));
    expect((await downloadFile(several, "/a", { window: 3, verify: false })).data).toEqual(data);
    expect(several.told).toEqual([]); // which is no trouble
  });

  test("tells how far it is", async () => {
    const told: unknown[] = [];
    await downloadFile(createTestHost(serve()), "/a", {
      verify: false,
      onProgress: ({ done, total, resumedFrom }) => told.push([done, total, resumedFrom]),
    });
    expect(told).toEqual([100, 200, 300].map((done) => [done, 300, 0]));
  });
});
