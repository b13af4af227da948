import { expect, test } from "vitest";
import { DecodeError } from "../../bytes/index.ts";
import { TimeoutError } from "../../core/error.ts";
import { DisconnectedError } from "../../hci/error.ts";
import type { McumgrLink } from "../links/link.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { McumgrResponseError } from "../protocol/error.ts";
import { encodeMessage } from "../protocol/message.ts";
import type { TransferAskOptions, TransferRequest } from "../transfer/host.ts";
import { probe } from "./limits.ts";

function setUp(isLossy: boolean, ...answers: (CborMap | Error)[]) {
  const asked: { request: TransferRequest; options: TransferAskOptions }[] = [];
  const ask = async (request: TransferRequest, options: TransferAskOptions) => {
    asked.push({ request, options });
    const answer = answers[asked.length - 1] ?? new TimeoutError("os.echo", options.timeoutMs);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { asked, result: probe(ask, { isLossy } as McumgrLink, 500, undefined) };
}
const silence = new TimeoutError("os.echo", 1);

test("an echo is asked whose answer has the length in question, with time for the slowest line", async () => {
  const at = setUp(false, {});
  expect(await at.result).toBe(true);
  const { title, group, command, op, payload } = at.asked[0]!.request;
  expect(title).toBe("os.echo");
  const header = { op: op + 1, group, command, sequence: 0 };
  expect(encodeMessage(header, { r: payload.d as string }, "indefinite").length).toBe(500);
  expect(at.asked[0]!.options).toEqual({ signal: undefined, timeoutMs: 1500 + 500 * 3 });
});

test.each<[string, CborMap | Error, boolean]>([
  ["an error that shows it was read", { rc: 8 }, true],
  ["too long an answer", { rc: 7 }, true],
  ["an error of the group", { err: { group: 0, rc: 2 } }, true],
  ["a request cut short", { rc: 9 }, false],
  ["a request that cannot be read", { rc: 3 }, false],
  ["an answer in pieces", new McumgrResponseError({ command: "os.echo", path: "", problem: "cut" }), false],
  ["silence", silence, false],
])("%s says whether it got through: asked once where nothing is lost", async (_, answer, getsThrough) => {
  const at = setUp(false, answer);
  expect([await at.result, at.asked.length]).toEqual([getsThrough, 1]);
});

test("where messages may be lost one silence proves nothing, two do", async () => {
  const once = setUp(true, silence, { r: "" });
  expect([await once.result, once.asked.length]).toEqual([true, 2]);
  const twice = setUp(true, silence, silence, { r: "" });
  expect([await twice.result, twice.asked.length]).toEqual([false, 2]);
});

test("a lost link says nothing of the message", async () => {
  for (const error of [
    new DisconnectedError(0x08),
    new DecodeError({ path: "", problem: "", offset: 0, length: 0, packet: new Uint8Array(0) }),
  ])
    await expect(setUp(true, error).result).rejects.toBe(error);
});
