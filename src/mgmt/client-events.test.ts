import { expect, test } from "vitest";
import { scriptedMgmt } from "../../test/support/scripted-kernel-socket.ts";
import { turn } from "../async/index.ts";
import { DecodeError } from "../bytes/index.ts";
import { ArgumentError } from "../core/index.ts";
import { commands, encodeEvent, events } from "../mgmt-protocol/index.ts";
import type { MgmtEvent } from "./types.ts";

const settings = (index: number, currentSettings: number): Uint8Array => encodeEvent(events.newSettings, index, { currentSettings });
const discovering = (index: number, on: boolean): Uint8Array =>
  encodeEvent(events.discovering, index, { addressTypes: 6, discovering: on });

/** What is in the queue now. */
async function waiting(reader: AsyncIterableIterator<MgmtEvent> & { size: number }): Promise<MgmtEvent[]> {
  const read: MgmtEvent[] = [];
  while (reader.size > 0) read.push((await reader.next()).value as MgmtEvent);
  return read;
}

test("events come flat: name, controller, parameters", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reader = mgmt.events("deviceFound");
  const found = { address: "C0:11:22:33:44:55", addressType: 2, rssi: -60, flags: 0, eirData: Uint8Array.of(2, 1, 6) };
  socket.say(encodeEvent(events.deviceFound, 3, found));
  expect(await waiting(reader)).toEqual([{ event: "deviceFound", index: 3, ...found }]);
});

test("a reader gets one kind, several, those of one controller, or all", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const readers = [
    mgmt.events("newSettings"),
    mgmt.events(["newSettings", "discovering"]),
    mgmt.events("newSettings", { index: 1 }),
    mgmt.events({ index: 0 }),
    mgmt.events(),
  ];
  for (const packet of [settings(0, 1), settings(1, 3), discovering(1, true), encodeEvent(events.indexAdded, 0, {})]) socket.say(packet);
  const read = await Promise.all(readers.map(async (reader) => (await waiting(reader)).map(({ event, index }) => `${event} ${index}`)));
  expect(read).toEqual([
    ["newSettings 0", "newSettings 1"],
    ["newSettings 0", "newSettings 1", "discovering 1"],
    ["newSettings 1"],
    ["newSettings 0", "indexAdded 0"],
    ["newSettings 0", "newSettings 1", "discovering 1", "indexAdded 0"],
  ]);
});

test.each([
  ["DeviceFoundEvent", /did you mean "deviceFound"\?$/],
  ["Device Found", /did you mean "deviceFound"\?$/],
  ["devicefound", /did you mean "deviceFound"\?$/],
  ["deviceFonud", /did you mean "deviceFound"\?$/],
  ["CommandCompleteEvent", /there is none of that name/],
  ["xyzzy", /expected one of controllerError, .*, close$/],
  [undefined, /expected a string like "deviceFound", got undefined/],
  ["toString", /there is none/],
])("a listener to %s would never hear anything, and is refused", async (name, message) => {
  const { mgmt } = await scriptedMgmt();
  expect(() => mgmt.on(name as never, () => undefined)).toThrow(ArgumentError);
  expect(() => mgmt.on(name as never, () => undefined)).toThrow(message);
  for (const known of ["deviceFound", "unknown", "event", "reply", "packet", "close"] as const) mgmt.on(known, () => undefined);
  expect(() => mgmt.on("deviceFound", undefined as never)).toThrow(/expected a function/);
});

test("a name that is no event's is an error", async () => {
  const { mgmt } = await scriptedMgmt();
  expect(() => mgmt.events("DeviceFound" as never)).toThrow(ArgumentError);
  expect(() => mgmt.events({ capacity: 0 })).toThrow(/capacity: expected a whole number from 1/);
  expect(() => mgmt.events({ capcity: 3 } as never)).toThrow(/unknown option "capcity", did you mean "capacity"/);
  expect(() => mgmt.events({ index: "0" } as never)).toThrow(/index: expected a whole number/);
});

test("a reader that is too slow loses the oldest, and is told how many", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const [slow, patient] = [mgmt.events("newSettings", { capacity: 3 }), mgmt.events("newSettings", { capacity: 10 })];
  for (let i = 0; i < 10; i++) socket.say(settings(0, i));
  expect(slow.dropped).toBe(7);
  expect((await waiting(slow)).map((event) => "currentSettings" in event && event.currentSettings)).toEqual([7, 8, 9]);
  expect([patient.dropped, patient.size]).toEqual([0, 10]);
});

test("a loop ends by break, and by its signal with the reason; others go on", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const abort = new AbortController();
  const [left, aborted, other] = [mgmt.events(), mgmt.events({ signal: abort.signal }), mgmt.events()];
  socket.say(settings(0, 1));
  for await (const { event } of left) if (event === "newSettings") break;
  abort.abort(new Error("enough"));
  socket.say(settings(0, 2));
  expect([left.size, aborted.size, other.size]).toEqual([0, 1, 2]);
  await aborted.next();
  await expect(aborted.next()).rejects.toThrow("enough");
});

test("a reader whose signal is aborted already is over at once", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reader = mgmt.events("newSettings", { signal: AbortSignal.abort(new Error("never mind")) });
  socket.say(settings(0, 1));
  await expect(reader.next()).rejects.toThrow("never mind");
});

test("listeners are told by name, of every event, and of every packet in both directions, until they are disposed", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const told: string[] = [];
  using _named = mgmt.on("newSettings", ({ index, currentSettings }) => told.push(`settings ${index} ${currentSettings}`));
  const all = mgmt.on("event", ({ event }) => told.push(event));
  const packets = mgmt.on("packet", ({ direction, packet }) => told.push(`${direction} ${packet.length}`));
  socket.say(settings(0, 1));
  expect(told).toEqual(["received 10", "newSettings", "settings 0 1"]);
  const reply = mgmt.setPowered(0, true);
  socket.complete(commands.setPowered, 0, { currentSettings: 1 });
  await reply;
  expect(told.splice(0)).toEqual(["received 10", "newSettings", "settings 0 1", "sent 7", "received 13"]);
  all[Symbol.dispose]();
  packets[Symbol.dispose]();
  socket.say(settings(1, 2));
  expect(told).toEqual(["settings 1 2"]);
});

test("a listener's exception is its own: the others are told, replies are taken", async () => {
  const listeners = process.listeners("uncaughtException");
  const uncaught: unknown[] = [];
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error));
  try {
    const { mgmt, socket } = await scriptedMgmt();
    const told: string[] = [];
    mgmt.on("newSettings", () => {
      throw new Error("a listener's own");
    });
    mgmt.on("newSettings", () => told.push("second"));
    mgmt.on("packet", () => {
      throw new Error("another's");
    });
    const reply = mgmt.setPowered(0, true);
    socket.say(settings(0, 1));
    socket.complete(commands.setPowered, 0, { currentSettings: 1 });
    expect(await reply).toEqual({ currentSettings: 1 });
    expect(told).toEqual(["second"]);
    await turn();
    expect(uncaught.map((error) => (error as Error).message).sort()).toEqual(["a listener's own", "another's", "another's", "another's"]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});

test("an event of a newer kernel passes with its number and its octets, and known ones with surplus octets pass too", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reader = mgmt.events();
  socket.say(Uint8Array.of(0xff, 0, 2, 0, 3, 0, 1, 2, 3));
  socket.say(Uint8Array.of(6, 0, 0, 0, 5, 0, 1, 0, 0, 0, 0xee));
  expect(await waiting(reader)).toEqual([
    { event: "unknown", code: 0xff, index: 2, parameters: Uint8Array.of(1, 2, 3) },
    { event: "newSettings", index: 0, currentSettings: 1 },
  ]);
});

test("an event that cannot be decoded passes with what is wrong with it; what is not even a packet is passed over", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reader = mgmt.events();
  socket.say(Uint8Array.of(6, 0, 0, 0, 3, 0, 1, 0, 0));
  socket.say(Uint8Array.of(6, 0, 0, 0, 9, 0, 1));
  socket.say(Uint8Array.of(6, 0, 0));
  socket.say(new Uint8Array(0));
  const [short, lying, ...rest] = await waiting(reader);
  expect(short).toMatchObject({ event: "unknown", code: 6, index: 0, parameters: Uint8Array.of(1, 0, 0) });
  expect((short as { error?: unknown }).error).toBeInstanceOf(DecodeError);
  expect(lying).toMatchObject({ event: "unknown", code: 6, error: expect.any(DecodeError) });
  expect(rest).toEqual([]);
});
