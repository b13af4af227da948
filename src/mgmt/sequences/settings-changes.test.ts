import { describe, expect, test } from "vitest";
import { concat, fromHex } from "../../bytes/index.ts";
import { createMonitorRecord, encodeMonitorRecord, MonitorOpcode, type MonitorRecord } from "../../capture/index.ts";
import {
  commands,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  events,
  NO_CONTROLLER,
  Status,
} from "../../mgmt-protocol/index.ts";
import { type KernelSocket, TransportClosed } from "../../transport/index.ts";
import { openMonitor } from "../monitor.ts";
import { type SettingsChange, SettingsTracker, type WatchSettingsFilter, watchSettings } from "./settings-changes.ts";

const KEY = fromHex("f0e1d2c3b4a5968778695a4b3c2d1e0f");

function management(opcode: number, packet: Uint8Array, cookie: number): MonitorRecord {
  const index = packet[2]! | (packet[3]! << 8);
  return { opcode, index, payload: concat(Uint8Array.of(cookie, 0, 0, 0), packet.subarray(0, 2), packet.subarray(6)), timeMs: 0 };
}
const sent = (packet: Uint8Array, cookie = 1): MonitorRecord => management(MonitorOpcode.ControlCommand, packet, cookie);
const received = (packet: Uint8Array, cookie = 1): MonitorRecord => management(MonitorOpcode.ControlEvent, packet, cookie);
const opened = (cookie: number, command: string, flags = 1): MonitorRecord =>
  createMonitorRecord("ControlOpen", { index: 0xffff, timeMs: 0, fields: { cookie, format: 2, version: 1, revision: 22, flags, command } });
const closed = (cookie: number): MonitorRecord => createMonitorRecord("ControlClose", { index: 0xffff, timeMs: 0, fields: { cookie } });

const { setPowered, setConnectable, readControllerInformation } = commands;
const powered = (index = 0): Uint8Array => encodeCommand(setPowered, index, { powered: true });
const settings = (currentSettings: number, index = 0, command: typeof setPowered | typeof setConnectable = setPowered): Uint8Array =>
  encodeCommandComplete(command, index, Status.Success, { currentSettings });

function changesOf(records: readonly MonitorRecord[], filter?: WatchSettingsFilter): SettingsChange[] {
  const tracker = new SettingsTracker(filter);
  return records.flatMap((record) => tracker.push(record) ?? []);
}

describe("of the monitor's records", () => {
  test("a command and its reply are one change, with the program that gave it", () => {
    expect(changesOf([opened(1, "btmgmt"), sent(powered()), { ...received(settings(0x81)), timeMs: 5 }])).toEqual([
      {
        timeMs: 5,
        index: 0,
        program: "btmgmt",
        cookie: 1,
        privileged: true,
        command: "SetPowered",
        opcode: 5,
        parameters: { powered: 1 },
        status: 0,
        statusName: "Success",
        settings: 0x81,
      },
    ]);
  });

  test("a refused command is told with its status, an unknown socket without a program", () => {
    expect(changesOf([sent(powered(3), 9), received(encodeCommandStatus(setPowered.opcode, 3, Status.InvalidIndex), 9)])).toMatchObject([
      { index: 3, cookie: 9, program: undefined, privileged: undefined, status: 0x11, statusName: "InvalidIndex", settings: undefined },
    ]);
    expect(changesOf([opened(2, "anybody", 0), sent(powered(), 2), received(encodeCommandStatus(5, 0, 0x77), 2)])).toMatchObject([
      { program: "anybody", privileged: false, status: 0x77, statusName: undefined },
    ]);
  });

  test("a reply is the one to the command about what it names", () => {
    const add = (instance: number): Uint8Array => encodeCommand(commands.addAdvertising, 0, { instance });
    const added = (instance: number): Uint8Array => encodeCommandComplete(commands.addAdvertising, 0, Status.Success, { instance });
    const changes = changesOf([sent(add(1)), sent(add(2)), received(added(2)), received(added(1))]);
    expect(changes.map(({ parameters }) => (parameters as { instance: number }).instance)).toEqual([2, 1]);
  });

  test("replies are matched by socket, command and controller, whatever their order", () => {
    const changes = changesOf([
      opened(1, "one"),
      opened(2, "two"),
      sent(powered(0), 1),
      sent(powered(0), 2),
      sent(powered(1), 1),
      sent(encodeCommand(setConnectable, 0, { connectable: false }), 1),
      received(settings(4, 0, setConnectable), 1),
      received(settings(3, 1), 1),
      received(settings(2, 0), 2),
      received(settings(1, 0), 1),
      received(settings(9, 0), 1), // nobody asked
    ]);
    expect(changes.map(({ program, command, index, settings: after }) => [program, command, index, after])).toEqual([
      ["one", "SetConnectable", 0, 4],
      ["one", "SetPowered", 1, 3],
      ["two", "SetPowered", 0, 2],
      ["one", "SetPowered", 0, 1],
    ]);
  });

  test("questions are left out unless asked for, events always", () => {
    const records = [
      sent(encodeCommand(readControllerInformation, 0, {})),
      received(encodeCommandStatus(readControllerInformation.opcode, 0, Status.InvalidIndex)),
      sent(encodeCommand(commands.getConnections, 0, {})),
      received(encodeCommandStatus(commands.getConnections.opcode, 0, Status.NotPowered)),
      received(encodeEvent(events.newSettings, 0, { currentSettings: 1 })),
      sent(encodeCommand(commands.startDiscovery, 0, { addressTypes: 6 })),
      received(encodeCommandComplete(commands.startDiscovery, 0, 0, { addressTypes: 6 })),
    ];
    expect(changesOf(records).map(({ command }) => command)).toEqual(["StartDiscovery"]);
    expect(changesOf(records, { all: true }).map(({ command }) => command)).toEqual([
      "ReadControllerInformation",
      "GetConnections",
      "StartDiscovery",
    ]);
    expect(changesOf(records, { index: 1 })).toEqual([]);
  });

  test("what is not known or not well-formed is told with its octets", () => {
    const changes = changesOf([
      sent(fromHex("600f 0000 0200 abcd")),
      received(encodeCommandStatus(0x0f60, 0, Status.UnknownCommand)),
      sent(fromHex("0500 0000 0000")),
      received(encodeCommandStatus(5, 0, Status.InvalidParameters)),
      received(fromHex("0100 0000 0200 0500")), // a reply without a status
      { opcode: MonitorOpcode.ControlCommand, index: 0, payload: fromHex("01"), timeMs: 0 },
      { opcode: MonitorOpcode.ControlEvent, index: 0, payload: fromHex("01"), timeMs: 0 },
      { opcode: MonitorOpcode.ControlClose, index: 0, payload: fromHex("01"), timeMs: 0 },
    ]);
    expect(changes.map(({ command, parameters, statusName }) => [command, parameters, statusName])).toEqual([
      ["0x0f60", fromHex("abcd"), "UnknownCommand"],
      ["SetPowered", new Uint8Array(0), "InvalidParameters"],
    ]);
  });

  test("a failing Set Default Runtime Configuration, which Linux answers under another opcode, is told", () => {
    const failing = encodeCommandStatus(commands.setDefaultSystemConfiguration.opcode, 0, Status.InvalidParameters);
    const changes = changesOf([sent(encodeCommand(commands.setDefaultRuntimeConfiguration, 0, { parameters: [] })), received(failing)]);
    expect(changes.map(({ command, statusName }) => [command, statusName])).toEqual([
      ["SetDefaultRuntimeConfiguration", "InvalidParameters"],
    ]);
  });

  test("keys are zeros unless asked for", () => {
    const records = [
      sent(encodeCommand(commands.setPrivacy, 0, { privacy: 1, identityResolvingKey: KEY })),
      received(encodeCommandComplete(commands.setPrivacy, 0, 0, { currentSettings: 0 })),
    ];
    expect(changesOf(records)[0]?.parameters).toMatchObject({ identityResolvingKey: new Uint8Array(16) });
    expect(changesOf(records, { secrets: true })[0]?.parameters).toMatchObject({ identityResolvingKey: KEY });
  });

  test("commands that nobody answers take no more memory, and a closed socket's are forgotten", () => {
    const tracker = new SettingsTracker();
    for (let i = 0; i < 10_000; i++) tracker.push(sent(powered(i), i & 1));
    expect(tracker.unanswered).toBe(1024);
    tracker.push(closed(1));
    expect(tracker.unanswered).toBe(512);
    expect(tracker.push(received(settings(1, 9_999), 1))).toBeUndefined();
    expect(tracker.push(received(settings(1, 9_998), 0))).toMatchObject({ index: 9_998 });
  });
});

class FakeMonitorSocket implements KernelSocket {
  readonly info = { spec: "monitor", remedy: "" } as const;
  onPacket: KernelSocket["onPacket"];
  onClose: KernelSocket["onClose"];
  closed = false;
  say(...records: MonitorRecord[]): void {
    for (const record of records) this.onPacket?.(encodeMonitorRecord(record));
  }
  write(): undefined {}
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

test("a monitor of its own is closed with the loop", async () => {
  const socket = new FakeMonitorSocket();
  const changes = watchSettings({ socket });
  const first = changes.next();
  await Promise.resolve();
  socket.say(opened(1, "btmgmt"), sent(powered()), received(settings(1)), sent(powered()), received(settings(2)));
  expect((await first).value).toMatchObject({ program: "btmgmt", settings: 1 });
  for await (const change of changes) {
    expect(change.settings).toBe(2);
    break;
  }
  expect(socket.closed).toBe(true);
});

test("a monitor that is given stays open, and who opened a socket earlier is known", async () => {
  const socket = new FakeMonitorSocket();
  await using monitor = await openMonitor({ socket });
  socket.say(opened(1, "bluetoothd"));
  const changes = watchSettings(monitor, { index: NO_CONTROLLER, capacity: 2 });
  const first = changes.next();
  const global = (): MonitorRecord[] => {
    const opcode = commands.setExperimentalFeature.opcode;
    const packet = encodeCommand(commands.setExperimentalFeature, NO_CONTROLLER, {
      uuid: "00000000-0000-0000-0000-000000000000",
      action: false,
    });
    return [sent(packet), received(encodeCommandStatus(opcode, NO_CONTROLLER, Status.NotSupported))];
  };
  socket.say(sent(powered()), received(settings(1)), ...global());
  expect((await first).value).toMatchObject({ program: "bluetoothd", command: "SetExperimentalFeature", index: NO_CONTROLLER });
  for (let i = 0; i < 5; i++) socket.say(...global());
  expect(changes.dropped).toBe(3);
  await changes[Symbol.asyncDispose]();
  expect(socket.closed).toBe(false);
});

test("the loop ends with the monitor, with the signal, and when the monitor cannot be opened", async () => {
  const gone = new TransportClosed("the socket is gone");
  for (const own of [true, false]) {
    const socket = new FakeMonitorSocket();
    const changes = own ? watchSettings({ socket }) : watchSettings(await openMonitor({ socket }));
    const next = changes.next();
    await Promise.resolve();
    socket.onClose?.(gone);
    await expect(next).rejects.toBe(gone);
    expect(socket.closed).toBe(own);
  }
  const controller = new AbortController();
  const socket = new FakeMonitorSocket();
  const next = watchSettings({ socket, signal: controller.signal }).next();
  controller.abort(new Error("enough"));
  await expect(next).rejects.toThrow("enough");
  expect(socket.closed).toBe(true);
  await expect(watchSettings({ socket, signal: controller.signal }).next()).rejects.toThrow("enough");
});
