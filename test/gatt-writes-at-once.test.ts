import { expect, test } from "vitest";
import { turn } from "../src/async/turn.ts";
import { toHex } from "../src/bytes/hex.ts";
import type { RemoteCharacteristic } from "../src/gatt/index.ts";
import { BONDED, type GattPair } from "./support/gatt-pair.ts";
import { battery, code, scripted, sent } from "./support/gatt-script.ts";

/** With a characteristic that takes every write, and answers those of `answered` only. */
async function writable(
  answered = true,
  options: Parameters<typeof scripted>[1] = {},
): Promise<GattPair & { remote: RemoteCharacteristic }> {
  const pair = scripted((request) => (request.startsWith("12") ? (answered ? "13" : undefined) : battery(request)), {
    clientPolicy: { exchangeMtu: "never" },
    ...options,
  });
  return Object.assign(pair, { remote: await pair.client.characteristic(0x180f, 0x2a19) });
}
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const writes = (pair: GattPair): string[] => pair.clientChannel.sent.filter(([opcode]) => opcode === 0x12 || opcode === 0x52).map(toHex);

test("where nothing has to be waited for a value leaves within the call, and may be changed after it", async () => {
  using pair = await writable();
  const value = octets(1, 2);
  const written = pair.remote.write(value);
  expect(writes(pair)).toEqual(["1203000102"]);
  value.fill(9);
  await written;
  const sending = pair.remote.writeWithoutResponse(value);
  expect(writes(pair)).toEqual(["1203000102", "5203000909"]);
  expect(await sending).toBeUndefined();
  expect(await pair.client.write(3, octets(3))).toBeUndefined();
});

test("writes leave in the order of the calls, whatever their options", async () => {
  using pair = await writable();
  const abort = new AbortController();
  const all = [
    pair.remote.write(octets(1)),
    pair.remote.write(octets(2), { timeoutMs: 1000 }),
    pair.remote.write(octets(3), { signal: abort.signal }),
    pair.remote.write(octets(4), { response: true }),
    pair.client.write(3, octets(5)),
    pair.remote.write(octets(6)),
  ];
  await Promise.all(all);
  expect(sent(pair, 0x12)).toEqual(["12030001", "12030002", "12030003", "12030004", "12030005", "12030006"]);
  await Promise.all([
    pair.remote.writeWithoutResponse(octets(1)),
    pair.remote.write(octets(2), { response: false }),
    pair.remote.writeWithoutResponse(octets(3), { timeoutMs: 1000 }),
    pair.client.writeWithoutResponse(3, octets(4)),
    pair.remote.writeWithoutResponse(octets(5), { signal: abort.signal }),
  ]);
  expect(sent(pair, 0x52)).toEqual(["52030001", "52030002", "52030003", "52030004", "52030005"]);
});

test("what is wrong with the arguments rejects, and is not thrown", async () => {
  using pair = await writable();
  const wrong: (() => Promise<unknown>)[] = [
    () => pair.remote.write("octets" as never),
    () => pair.remote.write(new Uint8Array(513)),
    () => pair.remote.write(octets(1), { respond: true } as never),
    () => pair.remote.write(octets(1), null as never),
    () => pair.remote.writeWithoutResponse([1] as never),
    () => pair.remote.writeWithoutResponse(new Uint8Array(21)),
    () => pair.remote.writeWithoutResponse(octets(1), { timeoutMs: -1 }),
    () => pair.remote.read({ timeoutMs: Number.NaN }),
    () => pair.client.write(0, octets(1)),
    () => pair.client.write(1.5, octets(1)),
    () => pair.client.write("3" as never, octets(1)),
    () => pair.client.read(0x10000),
  ];
  for (const call of wrong) {
    const promise = call();
    expect(promise).toBeInstanceOf(Promise);
    expect(await code(promise)).toBe("ERR_ARGUMENT");
  }
  const aborted = { signal: AbortSignal.abort(new Error("enough")) };
  expect(await code(pair.remote.write(octets(1), aborted))).toBe("enough");
  expect(await code(pair.remote.writeWithoutResponse(octets(1), aborted))).toBe("enough");
  expect(writes(pair)).toEqual([]);
});

test("each write has a promise of its own", async () => {
  using pair = await writable();
  const promises = [1, 2].flatMap((n) => [pair.remote.writeWithoutResponse(octets(n)), pair.remote.write(octets(n))]);
  expect(new Set(promises).size).toBe(4);
  await Promise.all(promises);
});

test("the error of a request without an answer leads back to who asked", async () => {
  using pair = await writable(false);
  async function whoAsked(): Promise<void> {
    await pair.remote.write(octets(1));
  }
  const error = (await whoAsked().catch((reason: unknown) => reason)) as Error;
  expect(error).toMatchObject({ code: "ERR_ATT_TIMEOUT", requestOpcode: 0x12, cause: { code: "ERR_ATT_TIMEOUT" } });
  expect(error.stack).toContain("whoAsked");
  expect(await code(pair.remote.write(octets(1)))).toBe("ERR_ATT_BEARER_CLOSED");
  expect(await code(pair.remote.writeWithoutResponse(octets(1)))).toBe("ERR_ATT_BEARER_CLOSED");
});

test("a write that is refused for lack of security is made again behind those that wait, and once each", async () => {
  let isFirst = true;
  using pair = scripted(
    (request) => {
      if (!request.startsWith("12")) return battery(request);
      const answer = isFirst ? "01120300 0f" : "13";
      isFirst = false;
      return answer;
    },
    {
      clientPolicy: { exchangeMtu: "never" },
      client: {
        elevate: async () => {
          await turn();
          pair.secure(BONDED);
        },
      },
    },
  );
  const remote = await pair.client.characteristic(0x180f, 0x2a19);
  await Promise.all([remote.write(octets(1)), remote.write(octets(2)), remote.write(octets(3))]);
  expect(sent(pair, 0x12)).toEqual(["12030001", "12030002", "12030003", "12030001"]);
  expect(pair.clientBearer.pending).toBe(0);
});

test("a write on a link that is lost meanwhile rejects with the loss, and nothing is left to be due", async () => {
  using pair = await writable(false);
  const lost = [pair.remote.write(octets(1)), pair.remote.write(octets(2), { timeoutMs: 1000 })].map(code);
  pair.clientChannel.close(Object.assign(new Error("gone"), { code: "ERR_GONE" }) as never);
  expect(await Promise.all(lost)).toEqual(["ERR_GONE", "ERR_GONE"]);
  expect(pair.clock.pending).toEqual([]);
});
