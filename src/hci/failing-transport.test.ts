import { afterEach, beforeEach, expect, test } from "vitest";
import { ScriptedController } from "../../test/support/scripted-hci.ts";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { VirtualClock } from "../async/index.ts";
import { createTransportPair } from "../transport/memory-pipe.ts";
import { Hci, type HciOptions, type HciTransport, LeSetScanEnable, PacketType, TransportClosed } from "./index.ts";

const ENABLE = { leScanEnable: true, filterDuplicates: false };
const FULL = new Error("no space left on device");

const unhandled: unknown[] = [];
const keep = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", keep);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", keep);
  expect(unhandled).toEqual([]);
});

/** A transport whose `send` fails for the packets that `fails` says. */
function failing(fails: (packet: Uint8Array) => boolean, how: "throws" | "rejects" = "throws") {
  const [host, end] = createTransportPair();
  const controller = new ScriptedController(end);
  let disposals = 0;
  const transport: HciTransport = {
    info: { spec: "failing:" },
    get onPacket() {
      return host.onPacket;
    },
    set onPacket(handler) {
      host.onPacket = handler;
    },
    onClose: undefined,
    onWritable: undefined,
    writable: true,
    send: (packet): unknown => {
      if (!fails(packet)) return host.send(packet);
      if (how === "throws") throw FULL;
      return Promise.reject(FULL);
    },
    [Symbol.asyncDispose]: async () => {
      disposals++;
      await host[Symbol.asyncDispose]();
    },
  };
  return { transport, controller, clock: new VirtualClock({ auto: false }), disposals: () => disposals };
}

test.each(["throws", "rejects"] as const)("a send that %s at a command ends the transport with that cause, at once", async (how) => {
  let full = false;
  const { transport, clock, disposals } = failing(() => full, how);
  const hci = await Hci.open(transport, { clock });
  const ended: unknown[] = [];
  hci.onClose((reason) => ended.push(reason));
  const link = hci.acl.open(1);
  link.onClose = (reason) => ended.push(reason);
  full = true;
  const outcomes = Promise.allSettled([hci.send(LeSetScanEnable, ENABLE), hci.send(LeSetScanEnable, ENABLE)]);
  const lost = { code: "ERR_TRANSPORT_CLOSED", cause: FULL };
  expect(await outcomes).toMatchObject([{ reason: lost }, { reason: lost }]);
  expect(ended).toMatchObject([{ code: "ERR_DISCONNECTED", cause: lost }, lost]);
  await expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toBe(hci.ended);
  expect(clock.pending).toEqual([]); // nothing is waited for that would fail 5 s later
  await hci[Symbol.asyncDispose]();
  expect(disposals()).toBe(1);
});

test.each(["at once", "from the queue"])("a send that throws at data that goes %s ends the transport", async (when) => {
  let full = when === "at once";
  const { transport, controller, clock } = failing((packet) => full && packet[0] === PacketType.AclData);
  const hci = await Hci.open(transport, { clock });
  const link = hci.acl.open(1);
  const frames = when === "at once" ? 1 : 5;
  for (let i = 0; i < frames; i++) link.sendFrame(Uint8Array.of(2, 1, 0, 6, 0, 2, 0, 4, 0, 0x0a, i));
  if (when === "from the queue") {
    expect(controller.acl).toHaveLength(4);
    const sent = expect(link.whenSent()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    full = true;
    controller.send(Uint8Array.of(4, 0x13, 5, 1, 1, 0, 1, 0));
    await sent;
  }
  expect(hci.ended).toMatchObject({ code: "ERR_TRANSPORT_CLOSED", message: 'transport "failing:" ended: it failed to send', cause: FULL });
  expect(link.ended).toMatchObject({ code: "ERR_DISCONNECTED" });
  expect([hci.acl.freePackets, clock.pending]).toEqual([0, []]);
});

test("a transport of JavaScript that says nothing of itself may fail all the same", async () => {
  const { transport, clock } = failing(() => true);
  await expect(Hci.open({ ...transport, info: undefined as never }, { clock })).rejects.toMatchObject({ cause: FULL });
});

test.each<[string, unknown, object]>([
  ["no reason", undefined, { code: "ERR_TRANSPORT_CLOSED", message: 'transport "failing:" ended' }],
  ["an error of its own", FULL, { code: "ERR_TRANSPORT_CLOSED", cause: FULL }],
])("a transport that ends with %s ends the Hci with a typed one", async (_what, reason, expected) => {
  const { transport, clock } = failing(() => false);
  const hci = await Hci.open(transport, { clock });
  const waiting = hci.acl.open(1).whenSent();
  const told: unknown[] = [];
  hci.onClose((error) => told.push(error));
  transport.onClose?.(reason as never);
  expect(hci.ended).toMatchObject(expected);
  expect(told).toEqual([hci.ended]);
  await waiting;
  await expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toBe(hci.ended);
});

test("packets in Node's Buffers are plain octets to who gets them, and what is no packet is the transport's fault alone", async () => {
  const { transport, clock } = failing(() => false);
  const hci = await Hci.open(transport, { clock });
  const pdus: Uint8Array[] = [];
  const kinds: unknown[] = [];
  hci.acl.open(1).onPdu = (bytes, offset, end) => {
    pdus.push(bytes.slice(offset, end));
    kinds.push(bytes.constructor);
  };
  const buffer = Buffer.from("020120050001000400aa", "hex");
  const long = Buffer.concat([Buffer.from("020120640060000400", "hex"), Buffer.alloc(96, 7)]);
  const uncaught = await uncaughtDuring(() => {
    for (const nothing of [undefined, null, "04", 5, [4, 5]]) transport.onPacket?.(nothing as never);
    transport.onPacket?.(buffer);
    transport.onPacket?.(long);
  });
  buffer.fill(0);
  expect(pdus).toEqual([Uint8Array.of(1, 0, 4, 0, 0xaa), new Uint8Array(long.subarray(5))]);
  expect(kinds).toEqual([Uint8Array, Uint8Array]);
  expect(uncaught).toHaveLength(5);
  expect(uncaught[3]).toMatchObject({ code: "ERR_ARGUMENT", message: "the transport gave 5, expected a Uint8Array" });
  expect(hci.ended).toBeUndefined();
});

test("the first end counts: what the transport says of itself afterwards is not heard", async () => {
  const { transport, controller, clock } = failing(() => false);
  const hci = await Hci.open(transport, { clock });
  const reasons: unknown[] = [];
  hci.onClose((reason) => reasons.push(reason));
  controller.send(Uint8Array.of(4, 0x10, 1, 5)); // Hardware Error
  const { ended } = hci;
  transport.onClose?.(new TransportClosed("pulled out"));
  expect(hci.ended).toBe(ended);
  expect(reasons).toEqual([ended]);
  await expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toBe(ended);
});

test("an Hci is not opened over a transport that cannot send", async () => {
  const { transport, clock, disposals } = failing(() => true);
  await expect(Hci.open(transport, { clock })).rejects.toMatchObject({ code: "ERR_TRANSPORT_CLOSED", cause: FULL });
  expect([disposals(), clock.pending]).toEqual([1, []]);
});

test("closing does not wait for an answer to a Reset that could not be sent", async () => {
  let full = false;
  const { transport, clock, disposals } = failing(() => full);
  const hci = await Hci.open(transport, { clock });
  full = true;
  await hci[Symbol.asyncDispose]();
  expect([disposals(), clock.pending]).toEqual([1, []]);
});

test("a transport that can neither send nor be closed is told in the log and harms nobody", async () => {
  let full = false;
  const { transport, clock } = failing(() => full);
  const stuck: HciTransport = {
    ...transport,
    set onPacket(handler: HciTransport["onPacket"]) {
      transport.onPacket = handler;
    },
    [Symbol.asyncDispose]: () => Promise.reject(new Error("stuck")),
  };
  const hci = await Hci.open(stuck, { clock });
  full = true;
  await expect(hci.send(LeSetScanEnable, ENABLE)).rejects.toMatchObject({ cause: FULL });
});

const clock = new VirtualClock();
test.each<[string, { transport?: unknown; options?: unknown }, string]>([
  ["a transport that cannot be closed", { transport: { send: () => {} } }, "got one without [Symbol.asyncDispose]"],
  ["no transport", { transport: undefined }, "expected a transport, got undefined"],
  ["a name", { transport: "sim:" }, "expected a transport, got a string"],
  ["no options", { options: undefined }, "expected a clock, got undefined"],
  ["empty options", { options: {} }, "expected a clock, got undefined"],
  ["no clock", { options: { clock: 5 } }, "expected a clock, got 5"],
  ["a mistyped option", { options: { clock, commandTimeout: 5 } }, 'unknown option "commandTimeout", did you mean "commandTimeoutMs"?'],
  ["no time for commands", { options: { clock, commandTimeoutMs: 0 } }, "commandTimeoutMs: expected a whole number from 1"],
])("an Hci is not opened with %s", async (_name, given, message) => {
  const { transport, options } = { transport: failing(() => false).transport, options: { clock }, ...given };
  const outcome = Hci.open(transport as HciTransport, options as HciOptions);
  await expect(outcome).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(message) as string });
});

test("what is to be called must be a function", async () => {
  const { transport, clock } = failing(() => false);
  await using hci = await Hci.open(transport, { clock });
  for (const call of [hci.onClose.bind(hci), hci.onReset.bind(hci)])
    expect(() => call(undefined as never)).toThrow("expected a function, got undefined");
});
