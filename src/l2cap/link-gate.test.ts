import { expect, test } from "vitest";
import { openScriptedHci } from "../../test/support/scripted-hci.ts";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { DisconnectedError } from "../hci/index.ts";
import { L2cap } from "./index.ts";

async function open() {
  const opened = await openScriptedHci();
  const link = new L2cap(opened.hci).open({ handle: 0x40, role: "central" });
  const got: string[] = [];
  link.att.onPdu = (bytes, offset, end) => void got.push(`att ${toHex(bytes.subarray(offset, end))}`);
  link.smp.onPdu = (bytes, offset, end) => void got.push(`smp ${toHex(bytes.subarray(offset, end))}`);
  const receive = (channelId: number, pdu: string | Uint8Array): void => {
    const octets = typeof pdu === "string" ? fromHex(pdu) : pdu;
    const size = octets.length + 4;
    const header = [2, 0x40, 0x20, size & 0xff, size >> 8, octets.length & 0xff, octets.length >> 8, channelId, 0];
    opened.controller.send(concat(Uint8Array.from(header), octets));
  };
  return { ...opened, link, got, receive };
}

test("while a link is paused nothing is delivered on any channel; then all of it is, in order", async () => {
  const { link, got, receive, controller } = await open();
  const pause = link.pause();
  receive(4, "0a0300");
  receive(6, "0b05");
  receive(5, "7f 09 0000"); // signalling is not answered either
  receive(4, "0a0400");
  expect([got, controller.acl]).toEqual([[], []]);
  pause[Symbol.dispose]();
  expect(got).toEqual(["att 0a0300", "smp 0b05", "att 0a0400"]);
  expect(controller.acl).toHaveLength(1);
  receive(4, "0a0500");
  expect(got.at(-1)).toBe("att 0a0500");
});

test("pauses add up, and one that is disposed twice counts once", async () => {
  const { link, got, receive } = await open();
  const [first, second] = [link.pause(), link.pause()];
  receive(4, "01");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(got).toEqual([]);
  second[Symbol.dispose]();
  expect(got).toEqual(["att 01"]);
});

test("octets are kept as they came, whatever becomes of the packet", async () => {
  const { link, got, hci } = await open();
  const pause = link.pause();
  const packet = fromHex("02 4020 0500 0100 0400 0a");
  hci.acl.receive(packet);
  packet.fill(0, 5);
  pause[Symbol.dispose]();
  expect(got).toEqual(["att 0a"]);
});

test("who pauses inside a delivery stops what comes after it, and what arrives meanwhile comes last", async () => {
  const { link, got, receive } = await open();
  let pause: Disposable | undefined;
  link.smp.onPdu = (bytes, offset) => {
    got.push(`smp ${bytes[offset]}`);
    if (bytes[offset] === 1) pause = link.pause();
    if (bytes[offset] === 2) {
      receive(4, "05"); // arrives within the call
      link.pause()[Symbol.dispose](); // and does not let anything come before this is done
      got.push("done");
    }
  };
  const outer = link.pause();
  for (const pdu of ["01", "02"]) receive(6, pdu);
  receive(4, "04");
  outer[Symbol.dispose]();
  expect(got).toEqual(["smp 1"]);
  pause![Symbol.dispose]();
  expect(got).toEqual(["smp 1", "smp 2", "done", "att 04", "att 05"]);
});

test("a callback that throws does not keep the rest from being delivered", async () => {
  const { link, got, receive } = await open();
  link.smp.onPdu = () => {
    throw new Error("smp");
  };
  const pause = link.pause();
  receive(6, "01");
  receive(4, "02");
  expect(await uncaughtDuring(() => pause[Symbol.dispose]())).toEqual([new Error("smp")]);
  expect(got).toEqual(["att 02"]);
  receive(4, "03");
  expect(got).toEqual(["att 02", "att 03"]);
});

test("PDUs that waited for an encryption come before those that came behind them", async () => {
  const { link, got, receive, clock } = await open();
  link.expectEncryption();
  receive(4, "01");
  const pause = link.pause();
  receive(4, "02");
  receive(6, "03");
  link.encryptionSettled();
  expect(got).toEqual([]);
  pause[Symbol.dispose]();
  expect(got).toEqual(["att 01", "att 02", "smp 03"]);
  expect(clock.pending).toEqual([]);
});

test("what has waited for an encryption once does not wait again", async () => {
  const { link, got, receive, clock } = await open();
  link.expectEncryption();
  receive(4, "01");
  const pause = link.pause();
  await clock.advance(20);
  expect(got).toEqual([]);
  pause[Symbol.dispose]();
  expect(got).toEqual(["att 01"]);
});

test("PDUs that were kept wait for an encryption that is expected by then", async () => {
  const { link, got, receive, clock } = await open();
  const pause = link.pause();
  receive(4, "01");
  receive(6, "02");
  link.expectEncryption();
  await clock.advance(30);
  pause[Symbol.dispose]();
  expect(got).toEqual(["smp 02"]);
  await clock.advance(20);
  expect(got).toEqual(["smp 02", "att 01"]);
});

test("who pauses in the middle of what waited for an encryption stops the rest of it", async () => {
  const { link, got, receive } = await open();
  let pause: Disposable | undefined;
  link.att.onPdu = (bytes, offset) => {
    got.push(`att ${bytes[offset]}`);
    if (bytes[offset] === 0) pause = link.pause();
  };
  link.expectEncryption();
  for (let i = 0; i < 33; i++) receive(4, Uint8Array.of(i)); // the last is more than may wait, and lets the others go
  expect(got).toEqual(["att 0"]);
  receive(4, Uint8Array.of(33));
  link.encryptionSettled();
  pause![Symbol.dispose]();
  expect(got).toEqual(Array.from({ length: 34 }, (_, i) => `att ${i}`));
});

test.each<[string, number, number]>([
  ["1024 PDUs", 1024, 1],
  ["1 MiB", 16, 0x1_0000 - 4],
])("a link on which more than %s wait is disconnected, and nothing behind the gap is delivered", async (_name, count, length) => {
  const { link, got, receive, controller, hci } = await open();
  const pause = link.pause();
  const pdu = new Uint8Array(length - (length > 1 ? 9 : 0));
  const push = (): void => {
    if (length === 1) receive(4, pdu);
    else {
      // Longer than a packet to the host can be here: as the link hands it on.
      const whole = new Uint8Array(9 + pdu.length);
      whole.set([2, 0x40, 0x20, (pdu.length + 4) & 0xff, (pdu.length + 4) >> 8, pdu.length & 0xff, pdu.length >> 8, 4, 0]);
      hci.acl.receive(whole);
    }
  };
  for (let i = 0; i < count; i++) push();
  if (length > 1) receive(4, new Uint8Array(140)); // 1 MiB exactly
  expect(controller.commands).toEqual([]);
  if (length > 1) receive(4, "");
  else push();
  expect(controller.commands).toEqual(["Disconnect"]);
  expect(controller.parameters).toMatchObject([{ connectionHandle: 0x40, reason: 0x14 }]);
  push();
  pause[Symbol.dispose]();
  receive(4, "01");
  expect([got.length, controller.commands.length]).toEqual([0, 1]);
});

/** The controller says that the link is gone. */
const disconnected = (reason: number): Uint8Array => Uint8Array.of(4, 5, 4, 0, 0x40, 0, reason);

test("what arrived before the peer ended the link is delivered as the pauses allow, and the channels end after it", async () => {
  const { link, got, receive, controller, clock } = await open();
  link.att.onClose = ({ code }) => void got.push(code);
  let pause: Disposable | undefined;
  const { onPdu } = link.att;
  link.att.onPdu = (...pdu) => {
    onPdu!(...pdu);
    pause = link.pause(); // busy with each
  };
  receive(4, "01");
  receive(4, "02");
  receive(4, "03");
  controller.send(disconnected(0x13));
  link.afterRest(() => {
    got.push("rest");
    link.close(link.ended!);
  });
  receive(4, "04"); // comes too late: the handle is another link's
  expect([link.ended?.code, got]).toEqual(["ERR_DISCONNECTED", ["att 01"]]);
  pause![Symbol.dispose]();
  expect(got).toEqual(["att 01", "att 02"]);
  pause![Symbol.dispose]();
  expect(got).toEqual(["att 01", "att 02", "att 03", "rest", "ERR_DISCONNECTED"]);
  expect(clock.pending).toEqual([]);
});

test("the end waits for nobody where nothing waits for it", async () => {
  const { link, got, controller, clock } = await open();
  link.att.onClose = ({ code }) => void got.push(code);
  link.pause();
  controller.send(disconnected(8));
  link.afterRest(() => got.push("rest"));
  expect(got).toEqual(["ERR_DISCONNECTED", "rest"]);
  expect(clock.pending).toEqual([]);
});

test("who never ends a pause keeps the end of a link back for 30 s, and the rest is dropped then", async () => {
  const { link, got, receive, controller, clock } = await open();
  const pause = link.pause();
  receive(4, "01");
  controller.send(disconnected(8));
  link.afterRest(() => {
    got.push("over");
    link.close(link.ended!);
  });
  await clock.advance(29_999);
  expect(got).toEqual([]);
  await clock.advance(1);
  pause[Symbol.dispose]();
  expect(got).toEqual(["over"]);
  expect(clock.pending).toEqual([]);
});

test.each([
  ["when the last of it is delivered", 0, ["att 01", "ERR_DISCONNECTED"]],
  ["after 30 s", 30_000, ["ERR_DISCONNECTED"]],
] as const)("the channels of a link that nobody looks after end by themselves, %s", async (_name, pauseMs, expected) => {
  const { link, got, receive, controller, clock } = await open();
  link.att.onClose = ({ code }) => void got.push(code);
  const pause = link.pause();
  receive(4, "01");
  controller.send(disconnected(0x13));
  await clock.advance(pauseMs);
  pause[Symbol.dispose]();
  expect(got).toEqual(expected);
  expect(clock.pending).toEqual([]);
});

test.each<[string, (opened: Awaited<ReturnType<typeof open>>) => void]>([
  ["this side ends the link", ({ controller }) => controller.send(disconnected(0x16))],
  ["the controller is taken away", ({ hci }) => hci.acl.close(new DisconnectedError(0x16))],
  [
    "its owner closes it after the peer has",
    ({ controller, link }) => {
      controller.send(disconnected(0x13));
      link.afterRest(() => {
        throw new Error("nobody waits for it any more");
      });
      link.close(new DisconnectedError(0x13));
    },
  ],
])("what waits is dropped where %s", async (_name, end) => {
  const opened = await open();
  const { link, got, receive, clock } = opened;
  link.att.onClose = ({ code }) => void got.push(code);
  const pause = link.pause();
  receive(4, "01");
  end(opened);
  expect(got).toEqual(["ERR_DISCONNECTED"]);
  pause[Symbol.dispose]();
  expect(got).toEqual(["ERR_DISCONNECTED"]);
  expect(clock.pending).toEqual([]);
});

test("with the link all that waits is gone", async () => {
  const { link, got, receive } = await open();
  const pause = link.pause();
  receive(4, "01");
  link.close(new DisconnectedError(0x13));
  pause[Symbol.dispose]();
  link.pause()[Symbol.dispose]();
  expect(got).toEqual([]);
});
