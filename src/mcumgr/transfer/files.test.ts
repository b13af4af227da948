import { describe, expect, test } from "vitest";
import { crc32 } from "../../bytes/crc32.ts";
import { pattern, setUp } from "../client/test-setup.ts";
import type { TransferProgress } from "./progress.ts";

const data = pattern(6000);
/** Comparing octet by octet takes the test library longer than the transfer takes. */
const sum = (octets: Uint8Array | undefined) => octets && crc32(octets);
const SUM = sum(data);
const NAME = "/lfs1/a.bin";
const isUpload = ({ header }: { header: { group: number; command: number; op: number } }) =>
  header.group === 8 && header.command === 0 && header.op === 2;

describe("a file is written", () => {
  test("with the window full, and compared at the end", async () => {
    await using at = await setUp();
    const told: TransferProgress[] = [];
    const result = await at.client.uploadFile(NAME, data, { onProgress: (progress) => told.push(progress) });
    expect(sum(at.server.files.get(NAME))).toBe(SUM);
    expect(result).toMatchObject({ length: 6000, resumedFrom: 0, verifiedBy: "crc32" });
    expect([at.server.mostAtOnce, told.at(-1)!.done]).toEqual([3, 6000]);
  });

  test("one request at a time where messages may be lost", async () => {
    await using at = await setUp({}, { link: { loss: () => false } });
    await at.client.uploadFile(NAME, data);
    expect([sum(at.server.files.get(NAME)), at.server.mostAtOnce]).toEqual([SUM, 1]);
  });

  test("of no octets, or of few", async () => {
    await using at = await setUp();
    for (const length of [0, 1, 24, 300]) {
      at.server.files.set(NAME, pattern(999));
      const result = await at.client.uploadFile(NAME, data.subarray(0, length));
      expect(sum(at.server.files.get(NAME))).toBe(sum(data.subarray(0, length)));
      expect(result.verifiedBy).toBe(length === 0 ? undefined : "crc32");
    }
  });

  test.each([
    ["sha256", "sha256"],
    ["adler", undefined],
    ["none", undefined],
  ] as const)("compared by the server's own check: %s", async (hashType, verifiedBy) => {
    await using at = await setUp({ hashType });
    expect((await at.client.uploadFile(NAME, data)).verifiedBy).toBe(verifiedBy);
    expect((await at.client.downloadFile(NAME)).verifiedBy).toBe(verifiedBy);
    if (verifiedBy === undefined) return;
    at.server.onHandled = () => void at.server.files.set(NAME, at.server.files.get(NAME)!.with(3, 1));
    await expect(at.client.downloadFile(NAME)).rejects.toMatchObject({ code: "ERR_MCUMGR_MISMATCH" });
    expect((await at.client.downloadFile(NAME, { verify: false })).verifiedBy).toBeUndefined();
  });

  test("and not compared where that is not wanted", async () => {
    await using at = await setUp();
    expect((await at.client.uploadFile(NAME, data, { verify: false, resume: false })).verifiedBy).toBeUndefined();
    expect(at.server.handled.some(({ header }) => header.group === 8 && header.command !== 0)).toBe(false);
  });

  test("or not, where no new link can be made", async () => {
    const failure = new Error("out of reach");
    const onOpen = (count: number): void => {
      if (count > 0) throw failure;
    };
    for (const transfer of ["uploadFile", "downloadFile", "uploadImage"] as const) {
      await using at = await setUp({}, { onOpen });
      at.server.files.set(NAME, data);
      at.server.onHandled = (index) => {
        if (index === 4) at.cut();
      };
      const act =
        transfer === "uploadFile"
          ? at.client.uploadFile(NAME, pattern(6000, 3))
          : transfer === "uploadImage"
            ? at.client.uploadImage(data)
            : at.client.downloadFile(NAME);
      await expect(act).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "reconnecting", cause: failure });
      await expect(at.client.uploadFile(NAME, data, { timeoutMs: 500 })).rejects.toMatchObject({ operation: "files.upload" });
    }
  });

  test("without a check where the server has none", async () => {
    await using at = await setUp({ noHash: true });
    expect(await at.client.uploadFile(NAME, data)).toMatchObject({ verifiedBy: undefined });
  });

  test("and found damaged", async () => {
    await using at = await setUp();
    at.server.onHandled = () => {
      const file = at.server.files.get(NAME);
      if (file?.length === 6000) at.server.files.set(NAME, file.with(7, 1));
    };
    await expect(at.client.uploadFile(NAME, data)).rejects.toMatchObject({ code: "ERR_MCUMGR_MISMATCH" });
  });

  test("from where the same file ended before; another file is written anew", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data.slice(0, 2500));
    expect(await at.client.uploadFile(NAME, data)).toMatchObject({ resumedFrom: 2500 });
    expect(sum(at.server.files.get(NAME))).toBe(SUM);
    const told: TransferProgress[] = [];
    const onProgress = (progress: TransferProgress) => told.push(progress);
    expect(await at.client.uploadFile(NAME, data, { onProgress })).toMatchObject({ resumedFrom: 6000 });
    expect(told).toMatchObject([{ done: 6000, total: 6000, resumedFrom: 6000 }]);
    for (const there of [pattern(2500, 9), pattern(7000)]) {
      at.server.files.set(NAME, there);
      expect(await at.client.uploadFile(NAME, data)).toMatchObject({ resumedFrom: 0 });
      expect(sum(at.server.files.get(NAME))).toBe(SUM);
    }
    at.server.files.set(NAME, data.slice(0, 2500));
    expect(await at.client.uploadFile(NAME, data, { resume: false })).toMatchObject({ resumedFrom: 0 });
  });

  for (const folds of [false, true])
    for (const fault of ["lost", "mute", "twice"] as const)
      test(`although each message in turn is ${fault === "mute" ? "not answered" : fault}${folds ? ", and errors have no offset" : ""}`, async () => {
        for (let n = 0; n < 12; n++) {
          await using at = await setUp({ folds });
          at.server.fault = (_, index) => (index === n ? fault : undefined);
          const { verifiedBy } = await at.client.uploadFile(NAME, data);
          expect([sum(at.server.files.get(NAME)), verifiedBy], `message ${n}`).toEqual([SUM, "crc32"]);
        }
      });

  test("although the link is lost after each message in turn", async () => {
    for (let n = 2; n < 9; n++) {
      await using at = await setUp();
      at.server.onHandled = (index) => {
        if (index === n) at.cut();
      };
      await at.client.uploadFile(NAME, data);
      expect(sum(at.server.files.get(NAME)), `message ${n}`).toBe(SUM);
      expect(at.opened()).toBe(2);
    }
  });

  test("or refused, by name", async () => {
    await using at = await setUp();
    at.server.fault = (message) => (isUpload(message) ? { err: { group: 8, rc: 15 } } : undefined);
    await expect(at.client.uploadFile(NAME, data)).rejects.toMatchObject({ rcName: "ReadOnly" });
    for (const [group, rc, rcName] of [
      [8, 10, "WriteFailed"],
      [1, 11, "FlashReadFailed"],
    ] as const) {
      at.server.fault = (message) => (isUpload(message) && message.payload.off !== 0 ? { err: { group, rc } } : undefined);
      await expect(at.client.uploadFile(NAME, data, { resume: false })).rejects.toMatchObject({ rcName });
    }
    at.server.files.clear();
    at.server.fault = (message) => (isUpload(message) ? { err: { group: 1, rc: 11 } } : undefined);
    await expect(at.client.uploadFile(NAME, data)).rejects.toMatchObject({ rcName: "FlashReadFailed" });
    await expect(at.client.uploadFile("/".repeat(1100), data)).rejects.toMatchObject({
      code: "ERR_MCUMGR_TOO_LONG",
      limit: 1024,
      length: 8 + 1 + 5 + 4 + 1 + 4 + 3 + 5 + 3 + 1100 + 2, // header, map, data of one octet, off, len, name
    });
    at.server.fault = (message) => (isUpload(message) ? { rc: 1 } : undefined);
    await expect(at.client.uploadFile(NAME, data)).rejects.toMatchObject({ code: "ERR_MCUMGR", rcName: "Unknown" });
  });

  test("or not, where the server contradicts itself", async () => {
    for (const lie of [{ off: 6001 }, { off: 5900 }, { err: { group: 8, rc: 11 }, len: -4 }, { err: { group: 8, rc: 11 } }, { off: 0 }]) {
      await using at = await setUp({ bufSize: 200 });
      at.server.fault = (message) => (isUpload(message) && message.payload.off !== 0 ? lie : undefined);
      await expect(at.client.uploadFile(NAME, data)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_MCUMGR_(STALLED|RESPONSE)$/) as string,
      });
      expect(at.server.handled.length).toBeLessThan(100);
    }
  });
});

describe("a file is read", () => {
  test("with the window full, and compared at the end", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    const told: TransferProgress[] = [];
    const result = await at.client.downloadFile(NAME, { onProgress: (progress) => told.push(progress) });
    expect(result).toMatchObject({ length: 6000, resumedFrom: 0, verifiedBy: "crc32" });
    expect(sum(result.data)).toBe(SUM);
    expect([at.server.mostAtOnce, told.at(-1)!.done]).toEqual([3, 6000]);
  });

  test("of no octets, of few, of exactly one piece", async () => {
    await using at = await setUp();
    for (const length of [0, 1, 499, 500, 501]) {
      at.server.files.set(NAME, data.slice(0, length));
      expect(sum((await at.client.downloadFile(NAME)).data)).toBe(sum(data.subarray(0, length)));
    }
  });

  test("in pieces that become shorter", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    at.server.fault = ({ header, payload }) => {
      const off = payload.off as number;
      return header.group === 8 && header.command === 0 && off > 2000 ? { off, data: data.slice(off, off + 300) } : undefined;
    };
    expect(sum((await at.client.downloadFile(NAME)).data)).toBe(SUM);
  });

  test("where something of it is here already", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    const resumed = async (resumeFrom: Uint8Array) => {
      const result = await at.client.downloadFile(NAME, { resumeFrom });
      return [sum(result.data), result.resumedFrom];
    };
    expect(await resumed(data.subarray(0, 2000))).toEqual([SUM, 2000]);
    expect(await resumed(data)).toEqual([SUM, 6000]);
    expect(await resumed(pattern(2000, 5))).toEqual([SUM, 0]);
    expect(await resumed(pattern(7000, 5))).toEqual([SUM, 0]);
  });

  test.each([[1], [2]])("what is here is not believed where the server cannot prove it (built without command %i)", async (without) => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    at.server.fault = ({ header }) => (header.group === 8 && header.command === without ? { rc: 8 } : undefined);
    const { data: got, resumedFrom } = await at.client.downloadFile(NAME, { resumeFrom: data.subarray(0, 2000) });
    expect([sum(got), resumedFrom]).toEqual([SUM, 0]);
  });

  test("told piece by piece, in order and without a gap", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    at.server.fault = (_, index) => (index === 6 ? "lost" : undefined);
    const grown = new Uint8Array(6000);
    let length = 2000;
    const onData = (piece: Uint8Array, offset: number): void => {
      expect(offset).toBe(length);
      grown.set(piece, offset);
      length += piece.length;
    };
    grown.set(data.subarray(0, 2000));
    await at.client.downloadFile(NAME, { resumeFrom: data.subarray(0, 2000), onData });
    expect([length, sum(grown)]).toEqual([6000, SUM]);
    await expect(at.client.downloadFile(NAME, { onData: 5 as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  for (const fault of ["lost", "mute", "twice", 4000] as const)
    test(`although each message in turn is ${fault}`, async () => {
      for (let n = 1; n < 14; n++) {
        await using at = await setUp();
        at.server.files.set(NAME, data);
        at.server.fault = (_, index) => (index === n ? fault : undefined);
        expect(sum((await at.client.downloadFile(NAME)).data), `message ${n}`).toBe(SUM);
      }
    });

  test("although the link is lost after each message in turn", async () => {
    for (let n = 1; n < 12; n++) {
      await using at = await setUp();
      at.server.files.set(NAME, data);
      at.server.onHandled = (index) => {
        if (index === n) at.cut();
      };
      expect(sum((await at.client.downloadFile(NAME)).data), `message ${n}`).toBe(SUM);
    }
  });

  test("or not: there is none, it is too long, it is another one", async () => {
    await using at = await setUp();
    await expect(at.client.downloadFile(NAME)).rejects.toMatchObject({ rcName: "NotFound" });
    at.server.files.set(NAME, data);
    await expect(at.client.downloadFile(NAME, { maxLength: 5999 })).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE", path: "len" });
    at.server.onHandled = () => void at.server.files.set(NAME, at.server.files.get(NAME)!.with(3, 1));
    await expect(at.client.downloadFile(NAME)).rejects.toMatchObject({ code: "ERR_MCUMGR_MISMATCH" });
  });

  test.each([
    ["ends early", (off: number) => ({ off, data: new Uint8Array(0), len: 6000 })],
    ["answers another offset", (off: number) => ({ off: off + 1, data: new Uint8Array(5), len: 6000 })],
    ["sends more than there is", (off: number) => ({ off, data: new Uint8Array(400), len: 100 })],
    ["does not say how long it is", (off: number) => ({ off, data: new Uint8Array(400) })],
    ["claims the world", (off: number) => ({ off, data: new Uint8Array(400), len: Number.MAX_SAFE_INTEGER })],
  ])("a server that %s is an error by name", async (_, lie) => {
    await using at = await setUp();
    at.server.fault = ({ header, payload }) => (header.group === 8 ? lie(payload.off as number) : undefined);
    await expect(at.client.downloadFile(NAME)).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE" });
    expect(at.server.handled.length).toBeLessThan(8);
  });

  test("a server that falls silent ends it", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    at.server.fault = (_, index) => (index > 4 ? "lost" : undefined);
    await expect(at.client.downloadFile(NAME)).rejects.toMatchObject({ code: "ERR_MCUMGR_STALLED" });
  });

  test("two callers take turns, one that gives up harms nobody", async () => {
    await using at = await setUp();
    at.server.files.set(NAME, data);
    const controller = new AbortController();
    const [one, two, three] = [
      at.client.downloadFile(NAME),
      at.client.downloadFile(NAME, { signal: controller.signal }),
      at.client.uploadFile("/b", data),
    ];
    controller.abort("two");
    await expect(two).rejects.toBe("two");
    expect(sum((await one).data)).toBe(SUM);
    await three;
    expect(sum(at.server.files.get("/b"))).toBe(SUM);
  });
});
