import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import type { BleError } from "../../core/error.ts";
import { BleLink, type BleMcumgrPort } from "../links/ble.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks } from "../links/memory.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { decodeMessage, encodeMessage, type McumgrMessage } from "../protocol/message.ts";
import { McumgrClient } from "./client.ts";
import { setUp } from "./test-setup.ts";

const PARAMETERS = { buf_size: 400, buf_count: 4 };
type Answers = (request: McumgrMessage, index: number) => CborMap | undefined;

/** A client whose server answers as a function says; undefined is silence. */
async function against(answers: Answers, parameters: CborMap | undefined = PARAMETERS) {
  const clock = new VirtualClock();
  const { client: link, server } = createMemoryLinks({ clock });
  let asked = 0;
  server.onMessage = (octets) => {
    const request = decodeMessage(octets);
    const { header } = request;
    const payload = header.group === 0 && header.command === 6 ? parameters : answers(request, asked++);
    if (payload) server.send(encodeMessage({ ...header, op: header.op + 1 }, payload, "indefinite")).catch(() => undefined);
  };
  const client = await McumgrClient.open(async () => link, { clock, timeoutMs: 500 });
  return { client, clock, asked: () => asked, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

const echo: Answers = ({ payload }) => ({ r: payload.d });

describe("parameters that a server claims", () => {
  test.each<[string, CborMap, number | undefined]>([
    ["no buffer", { buf_size: 400, buf_count: 0 }, undefined],
    ["buffers of nothing", { buf_size: 0, buf_count: 4 }, undefined],
    ["buffers of an octet", { buf_size: 1, buf_count: 4 }, undefined],
    ["buffers of a header and no more", { buf_size: 9, buf_count: 4 }, undefined],
    ["negative ones", { buf_size: -400, buf_count: -1 }, undefined],
    ["text", { buf_size: "400", buf_count: "4" }, undefined],
    ["no number", { buf_size: Number.NaN, buf_count: 4 }, undefined],
    ["one buffer", { buf_size: 400, buf_count: 1 }, 400],
    ["more buffers than there are sequences", { buf_size: 400, buf_count: Number.MAX_SAFE_INTEGER }, 400],
    ["buffers longer than a message can be", { buf_size: Number.MAX_SAFE_INTEGER, buf_count: 4 }, 65_543],
    ["beyond what is exact", { buf_size: 2n ** 63n, buf_count: 4 }, undefined],
  ])("%s: the client goes on within bounds", async (_, parameters, messageLimit) => {
    await using at = await against(echo, parameters);
    const { limits } = at.client;
    expect(limits.messageLimit).toBe(messageLimit ?? 384); // what every server takes
    expect(limits.window).toBeLessThanOrEqual(8);
    expect(await at.client.os.echo({ d: "still here" })).toEqual({ r: "still here" });
  });

  test("over BLE, where they are tried first: a size beyond all bounds costs one echo as long as a message can be", async () => {
    const clock = new VirtualClock();
    const port: BleMcumgrPort = {
      target: "a liar",
      maxWriteLength: 495,
      onValue: undefined,
      onClose: undefined,
      write: async (value) => {
        if (value.length < 8 || (value[0]! & 7) > 2 || value[7] !== 6) return;
        const answer = encodeMessage({ op: 1, group: 0, command: 6, sequence: value[6]! }, { buf_size: 2 ** 50, buf_count: 4 });
        queueMicrotask(() => port.onValue?.(answer));
      },
      [Symbol.asyncDispose]: async () => {},
    };
    await using client = await McumgrClient.open(async () => new BleLink(port, { clock }), { clock });
    expect(client.limits).toMatchObject({ messageLimit: 495, why: "a message of 65543 octets did not get through" });
  });
});

describe("a code that is none", () => {
  test.each<CborMap>([{ rc: "8" }, { rc: true }, { rc: 0.5 }, { rc: [] }, { err: { group: 1, rc: "9" } }])(
    "%o is neither an error of the server nor success",
    async (payload) => {
      await using at = await against(() => payload);
      const wanted = { code: "ERR_MCUMGR_RESPONSE", path: payload.err ? "err.rc" : "rc" };
      await expect(at.client.image.erase()).rejects.toMatchObject(wanted);
      await expect(at.client.request({ op: 2, group: 70, command: 1 })).rejects.toMatchObject(wanted);
    },
  );
});

describe("a download", () => {
  const file =
    (answer: (off: number) => CborMap): Answers =>
    ({ header, payload }) =>
      header.group === 8 && header.command === 0 ? answer(payload.off as number) : { rc: 8 };

  test("whose length changes on the way is of two files", async () => {
    await using at = await against(file((off) => ({ off, len: off === 0 ? 1000 : 2000, data: new Uint8Array(100) })));
    await expect(at.client.downloadFile("/a")).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE", path: "len" });
  });

  test.each<[string, (off: number) => CborMap, string]>([
    ["of no octets, for ever", (off) => ({ off, len: 1000, data: new Uint8Array(0) }), "data"],
    ["without a length", (off) => ({ off, data: new Uint8Array(10) }), "len"],
    ["that is longer than it says", (off) => ({ off, len: 10, data: new Uint8Array(11) }), "data"],
    ["that is somewhere else", () => ({ off: 5, len: 1000, data: new Uint8Array(10) }), "off"],
    ["before its beginning", () => ({ off: -1, len: 1000, data: new Uint8Array(10) }), "off"],
    ["longer than is wanted", (off) => ({ off, len: 2 ** 40, data: new Uint8Array(10) }), "len"],
  ])("%s", async (_, answer, path) => {
    await using at = await against(file(answer));
    await expect(at.client.downloadFile("/a")).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE", path });
    expect(at.asked()).toBeLessThan(8);
  });
});

describe("an upload, whatever offset is answered", () => {
  const image = new Uint8Array(5000).fill(3);
  test.each<[string, (off: number, to: number, index: number) => unknown, string]>([
    ["negative", () => -1, "ERR_MCUMGR_RESPONSE"],
    ["no number", () => Number.NaN, "ERR_MCUMGR_RESPONSE"],
    ["beyond the image", () => 5001, "ERR_MCUMGR_RESPONSE"],
    ["beyond what was sent", (off, to) => (off === 0 ? to : 4999), "ERR_MCUMGR_RESPONSE"],
    ["beyond what is exact", () => 2n ** 60n, "ERR_MCUMGR_RESPONSE"],
    ["always 0", () => 0, "ERR_MCUMGR_STALLED"],
    ["never further", () => 300, "ERR_MCUMGR_STALLED"],
    ["back again and again", (_, to, index) => (index % 4 === 3 ? 100 : to), "ERR_MCUMGR_STALLED"],
    ["an octet at a time", (off) => off + 1, "ERR_MCUMGR_STALLED"],
    ["none", () => undefined, "ERR_MCUMGR_RESPONSE"],
  ])("%s", async (_, next, code) => {
    await using at = await against(({ header, payload }, index) => {
      if (header.group !== 1 || header.command !== 1) return { rc: 8 };
      const off = payload.off as number;
      return { off: next(off, off + (payload.data as Uint8Array).length, index) } as CborMap;
    });
    await expect(at.client.uploadImage(image)).rejects.toMatchObject({ code });
    expect(at.asked()).toBeLessThan(200);
    expect(at.clock.now()).toBeLessThan(60_000);
  });
});

describe("callers", () => {
  test("what is no link, no group, no request: by name, and nothing is left of it", async () => {
    for (const link of [undefined, null, 5, {}])
      await expect(McumgrClient.open(async () => link as unknown as McumgrLink)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await using at = await against(echo);
    for (const group of [undefined, null, 5, {}])
      expect(() => at.client.group(group as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    for (const request of [
      undefined,
      null,
      5,
      { op: 2, group: 70, command: 1, payload: "x" },
      { op: 2, group: 70, command: 1, payload: [] },
    ])
      await expect(at.client.request(request as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("a link that ends in place of the answer is the reset, also where another caller has made a new one at once", async () => {
    await using at = await setUp();
    at.server.fault = ({ header }) => (header.group === 0 && header.command === 5 ? "mute" : undefined);
    at.server.onHandled = () => {
      if (at.server.handled.at(-1)!.header.command === 5) at.cut();
    };
    const errors: BleError[] = [];
    at.client.on("closed", () => {
      at.client.reconnect().catch((error: BleError) => errors.push(error));
    });
    await at.client.reset();
    expect([errors, at.opened(), at.client.isConnected]).toEqual([[], 2, true]);
  });
});
