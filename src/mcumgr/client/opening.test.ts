import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { DisconnectedError } from "../../hci/index.ts";
import { SimulatedMcumgrDevice } from "../../testing/mcumgr/device.ts";
import type { SimulatedMcumgrDeviceOptions } from "../../testing/mcumgr/options.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks, type MemoryLinks, type MemoryLinksOptions } from "../links/memory.ts";
import { McumgrClient } from "./client.ts";

/** A device that can be opened. @param isCut whether the link is lost with this message */
function world(device: SimulatedMcumgrDeviceOptions = {}, link: MemoryLinksOptions = {}, isCut?: (message: Uint8Array) => boolean) {
  const clock = new VirtualClock();
  const served = new SimulatedMcumgrDevice({ clock, bufSize: 512, ...device });
  const made: MemoryLinks[] = [];
  const open = async (): Promise<McumgrLink> => {
    const links: MemoryLinks = createMemoryLinks({
      clock,
      delayMs: (message) => {
        if (isCut?.(message)) links.cut();
        return 1;
      },
      ...link,
    });
    made.push(links);
    served.attach(links.server);
    return links.client;
  };
  const client = () => McumgrClient.open(open, { clock });
  return { clock, served, made, open, client };
}

test.each([1, 2, 3, 4])("a link that is lost at message %i of opening is made again", async (n) => {
  let seen = 0;
  const at = world({}, { provenLimit: 256 }, () => ++seen === n);
  await using client = await at.client();
  expect(at.made).toHaveLength(2);
  expect(client.limits).toMatchObject({ messageLimit: 512, window: 3 });
  expect(await client.os.echo({ d: "x".repeat(400) })).toMatchObject({ r: "x".repeat(400) });
});

test("a link that is lost again and again while it is opened is an error, told by its reason, after three times", async () => {
  const at = world({}, {}, () => true);
  await expect(at.client()).rejects.toMatchObject({ code: "ERR_CLOSED", message: "the link was cut" });
  expect(at.made).toHaveLength(3);
  expect(at.clock.now()).toBeLessThan(1000);
});

test("an opener that fails between two openings is tried as often; the first failure of all is told at once", async () => {
  let seen = 0;
  let opened = 0;
  const at = world({}, {}, () => ++seen === 1);
  const open = async (): Promise<McumgrLink> => {
    if (++opened === 2) throw new Error("not to be found just now");
    return await at.open();
  };
  await using client = await McumgrClient.open(open, { clock: at.clock });
  expect([opened, client.isConnected]).toEqual([3, true]);
  const never = async (): Promise<McumgrLink> => {
    opened++;
    throw new Error("not to be found");
  };
  opened = 0;
  await expect(McumgrClient.open(never, { clock: at.clock })).rejects.toThrow("not to be found");
  expect(opened).toBe(1);
});

test("whoever gives up while a link is opened again is free at once, and no link is made any more", async () => {
  const given = new AbortController();
  const at = world({}, {}, () => true);
  const opening = McumgrClient.open(at.open, { clock: at.clock, signal: given.signal });
  at.clock.setTimer(100, "gives up", () => given.abort(new Error("enough")));
  await expect(opening).rejects.toThrow("enough");
  await at.clock.advance(10_000);
  expect([at.made.length, at.clock.pending]).toEqual([1, []]);
});

test.each(["lose-request", "lose-answer"] as const)(
  "where a server %s the question is asked again, over a link that loses nothing too",
  async (kind) => {
    const at = world();
    at.served.inject({ kind }, { on: "os.parameters" });
    await using client = await at.client();
    expect(client.limits).toMatchObject({ messageLimit: 512, window: 3, buffers: { bufSize: 512, bufCount: 4 } });
    expect(at.clock.now()).toBeLessThan(2000);
  },
);

test.each([2, 10])(
  "a server that is busy or short of memory (rc %i) has said nothing of its buffers: it is asked when it matters",
  async (rc) => {
    const at = world();
    at.served.inject({ kind: "error", rc }, { on: "os.parameters" });
    await using client = await at.client();
    expect(client.limits).toMatchObject({ messageLimit: 384, buffers: undefined });
    expect(await client.os.echo({ d: "x".repeat(450) })).toMatchObject({ r: "x".repeat(450) });
    expect(client.limits).toMatchObject({ messageLimit: 512, window: 3 });
  },
);

test("a server that tells nothing of its buffers is sent no more than the smallest that are built, however much the link carries", async () => {
  const at = world({ bufSize: 384, without: ["os.parameters"] });
  await using client = await at.client();
  expect(client.limits).toMatchObject({ messageLimit: 384, window: 1 });
  await expect(client.os.echo({ d: "x".repeat(400) })).rejects.toMatchObject({ code: "ERR_MCUMGR_TOO_LONG", limit: 384 });
  expect(at.served.counters.lost).toBe(0);
  // Who knows better says so: of the link, or of the server.
  const told = world({ without: ["os.parameters"] }, { provenLimit: 500 });
  await using knowing = await told.client();
  expect(knowing.limits.messageLimit).toBe(500);
  await using sure = await McumgrClient.open(told.open, { clock: told.clock, messageLimit: 512 });
  expect(await sure.os.echo({ d: "x".repeat(480) })).toMatchObject({ r: "x".repeat(480) });
});

test("a link that is lost by the long message that is tried is made again, and such a message is not tried for ever", async () => {
  const at = world({}, { provenLimit: 256 }, (message) => message.length > 256);
  await using client = await at.client();
  expect(at.made).toHaveLength(3);
  expect(client.limits).toMatchObject({ messageLimit: 256, window: 3, why: "a message of 512 octets did not get through" });
  expect(await client.os.echo({ d: "short" })).toMatchObject({ r: "short" });
});

test.each([
  { reason: 0x08, opened: 2 }, // Connection Timeout
  { reason: 0x13, opened: 2 }, // Remote User Terminated Connection, as a device that is reset says
  { reason: 0x05, opened: 1 }, // Authentication Failure: it would ask the user again
  { reason: 0x06, opened: 1 },
  { reason: 0x3d, opened: 1 },
])("a radio link that an opener loses on the way (reason $reason) is made anew, unless security ended it", async ({ reason, opened }) => {
  const at = world();
  let count = 0;
  const open = async (): Promise<McumgrLink> => {
    if (++count === 1) throw new DisconnectedError(reason);
    return await at.open();
  };
  const opening = McumgrClient.open(open, { clock: at.clock });
  if (opened === 1) await expect(opening).rejects.toMatchObject({ code: "ERR_DISCONNECTED", reason });
  else await (await opening)[Symbol.asyncDispose]();
  expect(count).toBe(opened);
});
