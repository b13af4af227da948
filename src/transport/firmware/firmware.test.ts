import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Logger, LogLevel } from "../../core/index.ts";
import type { HciTransport } from "../../hci/index.ts";
import { SimulatedUsbAdapter } from "../../testing/index.ts";
import { openTransport, openWebUsb, startUpController } from "../index.ts";
import { firmwareFiles as pageFirmware } from "../kinds-browser.ts";
import { createTransportPair } from "../memory-pipe.ts";
import { parseHcd } from "./broadcom.ts";
import { firmwareFolder } from "./folder.ts";
import { piecesOf, recordsOf } from "./intel.ts";
import { extractPatch, realtekName } from "./realtek.ts";

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});

type Answers = Record<number, (parameters: Uint8Array) => Uint8Array | "silent">;
const OK = Uint8Array.of(0);

/** Company and versions, as Read Local Version Information tells them. */
function version(company: number, lmp = 0, revision = 0, hciVersion = 10): Uint8Array {
  return Uint8Array.of(0, hciVersion, revision & 0xff, revision >> 8, 10, company & 0xff, company >> 8, lmp & 0xff, lmp >> 8);
}

/** A controller that answers by opcode, and keeps what it was sent, with the time. */
function controllerOf(answers: Answers, usbId?: string) {
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const [host, end] = createTransportPair({ spec: "usb:test" });
  if (usbId !== undefined) Object.assign(host.info, { usbId });
  const commands: { opcode: number; parameters: Uint8Array; atMs: number }[] = [];
  end.onPacket = (packet) => {
    const opcode = packet[1]! | (packet[2]! << 8);
    const parameters = packet.slice(4);
    commands.push({ opcode, parameters, atMs: clock.now() });
    const returns = (answers[opcode] ?? (() => OK))(parameters);
    if (returns === "silent") return;
    const event = new Uint8Array(6 + returns.length);
    event.set([0x04, 0x0e, 3 + returns.length, 1, opcode & 0xff, opcode >> 8]);
    event.set(returns, 6);
    end.send(event);
  };
  const warnings: string[] = [];
  const logger = new Logger("", LogLevel.Warn, (_level, _scope, line) => void warnings.push(line));
  const start = async (files: Record<string, Uint8Array>, signal?: AbortSignal) => {
    const starting = startUpController(host, { firmware: async (name) => files[name], clock, logger, signal });
    starting.catch(() => undefined);
    await clock.advance(1000);
    return await starting;
  };
  const opcodes = (): string => commands.map(({ opcode }) => opcode.toString(16)).join(" ");
  return { clock, host, end, commands, warnings, start, opcodes };
}

describe("Broadcom, Cypress, Infineon", () => {
  const HCD = fromHex("4cfc06000020000102" + "4cfc050004200003" + "4efc04ffffffff");
  const name = (text: string): Uint8Array => {
    const returns = new Uint8Array(249);
    returns.set(new TextEncoder().encode(text), 1);
    return returns;
  };

  test.each([0x000f, 0x0131, 0x0009])(
    "company %i: the file's commands one after the other, pauses where the controller needs them",
    async (company) => {
      const { start, commands, opcodes, host } = controllerOf({ 4097: () => version(company), 3092: () => name("BCM4345C0") });
      expect(await start({ "brcm/BCM4345C0.hcd": HCD })).toEqual({ outcome: "loaded", file: "brcm/BCM4345C0.hcd" });
      expect(opcodes()).toBe("c03 1001 c14 fc2e fc4c fc4c fc4e c03");
      expect(commands.slice(4, 7).map(({ parameters }) => toHex(parameters))).toEqual(["000020000102", "0004200003", "ffffffff"]);
      expect(commands.map(({ atMs }) => atMs).slice(3)).toEqual([0, 50, 50, 50, 300]);
      expect(host.onPacket).toBeUndefined();
    },
  );

  test("one that has a name of its own has its firmware", async () => {
    const { start, opcodes } = controllerOf({ 4097: () => version(0x000f), 3092: () => name("BCM4345C0 UART 37.4 MHz") });
    expect(await start({ "brcm/BCM4345C0.hcd": HCD })).toEqual({ outcome: "not-needed" });
    expect(opcodes()).toBe("c03 1001 c14");
  });

  test("without the file it goes on, and a warning says which and where", async () => {
    const { start, warnings } = controllerOf({ 4097: () => version(0x000f), 3092: () => name("BCM4345C0") });
    expect(await start({})).toEqual({ outcome: "missing-file", file: "brcm/BCM4345C0.hcd" });
    expect(warnings).toEqual([
      "usb:test: the controller wants firmware brcm/BCM4345C0.hcd: the package firmware-brcm80211 or bluez-firmware (Debian, Raspberry Pi OS), linux-firmware (Ubuntu, Fedora, Arch) has it in /lib/firmware",
    ]);
  });

  test("one that refuses a command, or falls silent, is an error", async () => {
    const refusing = controllerOf({ 4097: () => version(0x000f), 3092: () => name("BCM1"), 64588: () => Uint8Array.of(0x12) });
    await expect(refusing.start({ "brcm/BCM1.hcd": HCD })).rejects.toMatchObject({
      reason: "refused",
      message: "usb:test: the controller refuses command 0xfc4c with status 0x12",
    });
    const silent = controllerOf({ 4097: () => "silent" });
    const starting = silent.start({}).catch((error: unknown) => error);
    await silent.clock.advance(3000);
    expect(await starting).toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test.each([
    ["4cfc", "at octet 0 is no vendor command"],
    ["4cfc0600", "at octet 0 is no vendor command"],
    ["030c00", "at octet 0 is no vendor command"],
    ["4cfc0100" + "7f454c46", "at octet 4 is no vendor command"],
    ["4cfc0100", "does not end with Launch RAM"],
    ["", "does not end with Launch RAM"],
  ])("%j is no .hcd file", (hex, text) => {
    expect(() => parseHcd("x.hcd", fromHex(hex))).toThrow(text);
  });
});

/** An invented file: patches by chip, for a project. */
function epatch(project: number, patches: readonly { chip: number; octets: Uint8Array }[], fileVersion = 0x04030201): Uint8Array {
  const count = patches.length;
  const size = 14 + 8 * count + patches.reduce((sum, { octets }) => sum + octets.length, 0) + 3 + 4;
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode("Realtech"));
  view.setUint32(8, fileVersion, true);
  view.setUint16(12, count, true);
  let offset = 14 + 8 * count;
  patches.forEach(({ chip, octets }, i) => {
    view.setUint16(14 + 2 * i, chip, true);
    view.setUint16(14 + 2 * count + 2 * i, octets.length, true);
    view.setUint32(14 + 4 * count + 4 * i, offset, true);
    file.set(octets, offset);
    offset += octets.length;
  });
  file.set([project, 1, 0, 0x51, 0x04, 0xfd, 0x77], size - 7);
  return file;
}

describe("Realtek", () => {
  const patch = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);
  const rtl8761bu = version(0x005d, 0x8761, 0x000b, 0x0a);

  test("the patch of the ROM's version, with the file's version at its end, in parts of 252 octets", async () => {
    const { start, commands, opcodes } = controllerOf({
      4097: () => rtl8761bu,
      64621: () => Uint8Array.of(0, 1),
      64544: ([index]) => Uint8Array.of(0, index!),
    });
    const file = epatch(14, [
      { chip: 1, octets: patch(100) },
      { chip: 2, octets: patch(600) },
    ]);
    expect(await start({ "rtl_bt/rtl8761bu_fw.bin": file, "rtl_bt/rtl8761bu_config.bin": fromHex("55ab2387") })).toEqual({
      outcome: "loaded",
      file: "rtl_bt/rtl8761bu_fw.bin",
    });
    expect(opcodes()).toBe("c03 1001 fc6d fc20 fc20 fc20 c03");
    const parts = commands.filter(({ opcode }) => opcode === 0xfc20).map(({ parameters }) => parameters);
    expect(parts.map(([index]) => index)).toEqual([0, 1, 0x82]);
    const whole = Uint8Array.from(parts.flatMap((part) => [...part.subarray(1)]));
    expect(toHex(whole)).toBe(`${toHex(patch(596))}0102030455ab2387`);
  });

  test.each([
    [252 * 2, [0, 1, 0x82], 0],
    [252 * 2 - 1, [0, 0x81], 251],
    [4, [0x80], 4],
  ])("%i octets go in parts %j", async (length, indices, last) => {
    const { start, commands } = controllerOf({ 4097: () => rtl8761bu, 64621: () => Uint8Array.of(0, 0) });
    await start({ "rtl_bt/rtl8761bu_fw.bin": epatch(14, [{ chip: 1, octets: patch(length) }]) });
    const parts = commands.filter(({ opcode }) => opcode === 0xfc20).map(({ parameters }) => parameters);
    expect(parts.map(([index]) => index)).toEqual(indices);
    expect(parts.at(-1)).toHaveLength(1 + last);
  });

  test("indices go on at 1 after 127", async () => {
    const { start, commands } = controllerOf({ 4097: () => rtl8761bu, 64621: () => Uint8Array.of(0, 0) });
    await start({ "rtl_bt/rtl8761bu_fw.bin": epatch(14, [{ chip: 1, octets: patch(130 * 252 + 5) }]) });
    const indices = commands.filter(({ opcode }) => opcode === 0xfc20).map(({ parameters }) => parameters[0]);
    expect(indices.slice(125)).toEqual([125, 126, 127, 1, 2, 0x83]);
  });

  test("a chip that has its firmware, and one that is not known, are left alone; without the file a warning says which", async () => {
    for (const told of [version(0x005d, 0x1234, 0xdfc6, 0x0a), version(0x005d, 0x8761, 0x000b, 0x06)]) {
      const { start, opcodes } = controllerOf({ 4097: () => told });
      expect(await start({})).toEqual({ outcome: "not-needed" });
      expect(opcodes()).toBe("c03 1001");
    }
    const { start, warnings } = controllerOf({ 4097: () => rtl8761bu });
    expect(await start({})).toEqual({ outcome: "missing-file", file: "rtl_bt/rtl8761bu_fw.bin" });
    expect(warnings.join()).toContain("the package firmware-realtek (Debian)");
    expect([realtekName(0x8822, 0x000c, 0x0a), realtekName(0x8852, 0x000b, 0x0b), realtekName(0x8723, 0x000b, 0x06)]).toEqual([
      "rtl8822cu",
      "rtl8852bu",
      "rtl8723b",
    ]);
  });

  const good = epatch(14, [{ chip: 2, octets: patch(100) }]);
  const changed = (at: number, ...octets: number[]): Uint8Array => {
    const file = good.slice();
    file.set(octets, at < 0 ? file.length + at : at);
    return file;
  };
  test.each([
    ["none", fromHex("00".repeat(64)), 1, "no firmware of Realtek"],
    ["empty", new Uint8Array(), 1, "no firmware of Realtek"],
    ["nothing but a beginning and an end", Uint8Array.from([...good.subarray(0, 8), ...good.subarray(-4)]), 1, "no firmware of Realtek"],
    ["of the later format", changed(0, ...new TextEncoder().encode("RTBTCore")), 1, "its format (RTBTCore) is a later one"],
    ["cut off", good.subarray(0, -1), 1, "its end is missing"],
    ["for another chip", epatch(13, [{ chip: 2, octets: patch(100) }]), 1, "for another chip (project 13)"],
    ["for a chip that is not known", epatch(99, [{ chip: 2, octets: patch(100) }]), 1, "for another chip (project 99)"],
    ["silent about its chip", changed(-5, 0xff), 1, "does not say which chip"],
    ["one whose instruction has no length", changed(-6, 0), 1, "does not say which chip"],
    ["for another ROM", good, 2, "no patch for version 2 of the chip's ROM"],
    ["one whose tables do not fit", changed(12, 0xff, 0xff), 1, "its tables are longer than it"],
    ["one whose patch lies outside", changed(18, 0xff, 0xff), 1, "a patch does not lie in it"],
    ["one whose patch is too short", changed(16, 3, 0), 1, "a patch does not lie in it"],
  ])("a file that is %s is refused", (_, file, rom, text) => {
    expect(() => extractPatch("x_fw.bin", file, 0x8761, rom)).toThrow(`firmware x_fw.bin: `);
    expect(() => extractPatch("x_fw.bin", file, 0x8761, rom)).toThrow(text);
  });

  test("instructions before that of the project are passed over", () => {
    const file = new Uint8Array(good.length + 4);
    file.set(good.subarray(0, -7));
    file.set([14, 1, 0, 0xaa, 0xbb, 2, 5, 0x51, 0x04, 0xfd, 0x77], file.length - 11);
    expect(extractPatch("x", file, 0x8761, 1)).toHaveLength(100);
  });
});

/** An invented file: header, key, exponent, signature, commands. */
function sfi(...commands: readonly Uint8Array[]): Uint8Array {
  const of = (length: number, octet: number): Uint8Array => new Uint8Array(length).fill(octet);
  return Uint8Array.from([of(128, 0xa0), of(256, 0xa3), of(4, 0xee), of(256, 0xa2), ...commands].flatMap((part) => [...part]));
}

describe("Intel", () => {
  const WAITS = fromHex("00371110060000000000");
  const file = sfi(
    fromHex("0efc07" + "00081000010203"), // boot parameters; ten octets, so that the next belongs to the same piece
    fromHex("06fc03" + "aabbcc"),
    Uint8Array.of(0x06, 0xfc, 253, ...Array.from({ length: 253 }, (_, i) => i)),
  );

  /** The bootloader behind USB: firmware by the bulk endpoint, events by either. */
  async function bootloader({
    result = 0,
    boots = true,
    told = WAITS,
    taken = OK,
  }: {
    result?: number;
    boots?: boolean;
    told?: Uint8Array;
    taken?: Uint8Array;
  } = {}) {
    const clock = new VirtualClock({ auto: false });
    clocks.push(clock);
    const commands: string[] = [];
    const answer = (opcode: number, returns: Uint8Array): Uint8Array =>
      Uint8Array.of(0x0e, 3 + returns.length, 1, opcode & 0xff, opcode >> 8, ...returns);
    const controller = {
      attach(end: HciTransport): void {
        end.onPacket = (packet) => {
          const opcode = packet[1]! | (packet[2]! << 8);
          commands.push(toHex(packet.subarray(1)));
          if (opcode !== 0xfc01)
            end.send(Uint8Array.of(0x04, ...answer(opcode, opcode === 0xfc05 ? told : opcode === 0x1001 ? version(2) : OK)));
          else if (boots) adapter.inject("data in", fromHex("ff0702000000000000"));
        };
      },
    };
    const adapter = new SimulatedUsbAdapter(controller, { clock, vendorId: 0x8087, productId: 0x0025 });
    const parts: Uint8Array[] = [];
    adapter.transferOut = async (endpoint, data) => {
      expect([endpoint, data[0], data[1], data[2]]).toEqual([2, 0x09, 0xfc, data.length - 3]);
      parts.push(data.slice(3));
      adapter.inject("data in", answer(0xfc09, taken));
      if (parts.reduce((sum, part) => sum + part.length - 1, 0) === file.length - 4)
        adapter.inject("data in", Uint8Array.of(0xff, 5, 6, result, 9, 0xfc, 0));
      return { status: "ok", bytesWritten: data.length };
    };
    const transport = await openWebUsb(adapter, { clock });
    const start = async (files: Record<string, Uint8Array>) => {
      const starting = startUpController(transport, { firmware: async (name) => files[name], clock });
      starting.catch(() => undefined);
      await clock.advance(10_000);
      return await starting;
    };
    return { start, commands, parts, transport, clock };
  }

  test("after a part that it refuses nothing is waited for any more", async () => {
    const { transport, clock } = await bootloader({ taken: Uint8Array.of(0x12) });
    const firmware = async (name: string) => (name.endsWith(".sfi") ? file : undefined);
    const starting = startUpController(transport, { firmware, clock });
    await expect(starting).rejects.toThrow("refuses command 0xfc09 with status 0x12");
    expect(clock.pending).toEqual([]);
  });

  test("header, key, signature and commands in parts, then it is started, configured and reset", async () => {
    const { start, commands, parts, transport, clock } = await bootloader();
    const ddc = fromHex("030a0b0c" + "021122");
    expect(await start({ "intel/ibt-17-16-0.sfi": file, "intel/ibt-17-16-0.ddc": ddc })).toEqual({
      outcome: "loaded",
      file: "intel/ibt-17-16-0.sfi",
    });
    const sent = (kind: number): Uint8Array =>
      Uint8Array.from(parts.filter((part) => part[0] === kind).flatMap((part) => [...part.subarray(1)]));
    expect(parts.map(([kind]) => kind)).toEqual([0, 3, 3, 2, 2, 1, 1, 1]);
    expect([0, 3, 2, 1].map((kind) => toHex(sent(kind)))).toEqual([
      toHex(file.subarray(0, 128)),
      toHex(file.subarray(128, 384)),
      toHex(file.subarray(388, 644)),
      toHex(file.subarray(644)),
    ]);
    expect(parts.at(-3)).toHaveLength(1 + 16);
    expect(commands).toEqual(["05fc01ff", "01fc080001000100081000", "8bfc04030a0b0c", "8bfc03021122", "030c00"]);
    // From then on what comes by the bulk endpoint is data.
    transport.send(fromHex("01030c00"));
    await clock.advance(0);
    expect(commands.at(-1)).toBe("030c00");
  });

  test("what it refuses, and what does not start, is an error", async () => {
    const files = { "intel/ibt-17-16-0.sfi": file };
    await expect((await bootloader({ result: 5 })).start(files)).rejects.toMatchObject({
      reason: "refused",
      message: "firmware intel/ibt-17-16-0.sfi: the controller refuses it with result 0x05",
    });
    await expect((await bootloader({ boots: false })).start(files)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("without the file, or waiting in the later way, it is unsupported", async () => {
    await expect((await bootloader()).start({})).rejects.toMatchObject({
      reason: "unsupported",
      message: "usb:8087:0025: the Intel controller can do nothing without its firmware intel/ibt-17-16-0.sfi",
    });
    const later = await bootloader({ told: fromHex("00" + "100400000000" + "1c0101") });
    await expect(later.start({})).rejects.toMatchObject({
      reason: "unsupported",
      message: expect.stringContaining("in a way that Jelling does not know"),
    });
  });

  test("those before are named by the device's revision", async () => {
    const { start } = controllerOf({ 64517: () => fromHex("00370b10060000000000"), 64525: () => fromHex("000000000500") }, "8087:0a2b");
    await expect(start({})).rejects.toThrow("intel/ibt-11-5.sfi");
  });

  test.each(["00371110230000000000", "01371110060000000000", "001c0103", "01", "00"])(
    "one that has it (%s) needs nothing",
    async (told) => {
      const { start, opcodes } = controllerOf({ 4097: () => version(0x0002), 64517: () => fromHex(told) }, "8087:0025");
      expect(await start({})).toEqual({ outcome: "not-needed" });
      expect(opcodes()).toBe("fc05 c03 1001");
    },
  );

  test.each([
    [sfi(), "shorter than its header"],
    [sfi(fromHex("06fc05aa")), "at octet 644 a command goes past its end"],
    [sfi(fromHex("06fc")), "at octet 644 a command goes past its end"],
    [sfi(fromHex("06fc00")), "no multiple of four octets"],
  ])("a damaged file is refused (%#)", (damaged, text) => {
    expect(() => piecesOf("x.sfi", damaged)).toThrow(text);
  });

  test("a damaged configuration is refused before anything is sent", async () => {
    expect(() => recordsOf("x.ddc", fromHex("03aabb"))).toThrow("firmware x.ddc: at octet 0 a record goes past its end");
    const { start, parts } = await bootloader();
    await expect(start({ "intel/ibt-17-16-0.sfi": file, "intel/ibt-17-16-0.ddc": fromHex("ff00") })).rejects.toMatchObject({
      reason: "io",
    });
    expect(parts).toEqual([]);
  });
});

describe("the files", () => {
  test("a folder has them by their names or all in one; what is packed, or cannot be read, is said", async () => {
    const folder = await mkdtemp(join(tmpdir(), "firmware-"));
    try {
      await mkdir(join(folder, "rtl_bt"));
      await writeFile(join(folder, "rtl_bt", "a_fw.bin"), "a");
      await writeFile(join(folder, "b_fw.bin"), "b");
      await writeFile(join(folder, "rtl_bt", "c_fw.bin.zst"), "c");
      await mkdir(join(folder, "rtl_bt", "d_fw.bin"));
      const files = firmwareFolder(folder);
      expect(await files("rtl_bt/a_fw.bin")).toEqual(Uint8Array.of(0x61));
      expect(await files("rtl_bt/b_fw.bin")).toEqual(Uint8Array.of(0x62));
      expect(await files("rtl_bt/e_fw.bin")).toBeUndefined();
      await expect(files("rtl_bt/c_fw.bin")).rejects.toThrow('c_fw.bin.zst is packed: "unzstd ');
      await expect(files("rtl_bt/d_fw.bin")).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "io" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a Command Status that refuses is an answer, one that does not is followed by it, one of another command is none", async () => {
    const { host, end, clock } = controllerOf({});
    const answers: Record<number, string[]> = {
      3075: ["040f0400010310", "040f0401010910", "040f040001030c", "040e0401030c00"],
      4097: ["040f0412010110"],
    };
    end.onPacket = (packet) => {
      for (const hex of answers[packet[1]! | (packet[2]! << 8)]!) end.send(fromHex(hex));
    };
    const starting = startUpController(host, { firmware: async () => undefined, clock });
    await expect(starting).rejects.toThrow("the controller refuses command 0x1001 with status 0x12");
  });

  test("a page has no folders", async () => {
    await expect(pageFirmware("/lib/firmware")).rejects.toMatchObject({ reason: "unsupported" });
    const files = async (): Promise<undefined> => undefined;
    expect(await pageFirmware(files)).toBe(files);
  });

  test("other controllers are reset and left alone; what is closed meanwhile, or given up, says so", async () => {
    const plain = controllerOf({ 4097: () => version(0xffff) });
    expect(await plain.start({})).toEqual({ outcome: "not-needed" });
    expect(plain.opcodes()).toBe("c03 1001");
    const closed = controllerOf({ 3075: () => "silent" });
    const ended = closed.start({}).catch((error: unknown) => error);
    await closed.end[Symbol.asyncDispose]();
    expect(await ended).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
    const abort = new AbortController();
    const aborted = controllerOf({ 3075: () => "silent" });
    const given = aborted.start({}, abort.signal).catch((error: unknown) => error);
    abort.abort(new Error("enough"));
    expect(await given).toMatchObject({ message: "enough" });
    const wrong = controllerOf({ 4097: () => version(0x005d, 0x8761, 0x000b, 0x0a) });
    await expect(wrong.start({ "rtl_bt/rtl8761bu_fw.bin": "text" as never })).rejects.toThrow("expected octets, got a string");
  });

  test("USB adapters of makers whose chips want firmware say which file, where no folder was given", async () => {
    const open = async (usbId: string, answers: Answers) => {
      const { host, clock, warnings, opcodes } = controllerOf(answers, usbId);
      const logger = new Logger("", LogLevel.Warn, (_level, _scope, line) => void warnings.push(line));
      const transport = await openTransport("own:", { kinds: { own: async () => host }, clock, logger });
      return { transport, warnings, opcodes };
    };
    const realtek = await open("2357:0604", { 4097: () => version(0x005d, 0x8761, 0x000b, 0x0a) });
    expect(realtek.warnings).toEqual([expect.stringContaining("the controller wants firmware rtl_bt/rtl8761bu_fw.bin")]);
    await expect(open("8087:0025", { 64517: () => fromHex("00371110060000000000") })).rejects.toThrow(
      "can do nothing without its firmware intel/ibt-17-16-0.sfi",
    );
    const other = await open("0a12:0001", {});
    expect([other.warnings, other.opcodes()]).toEqual([[], ""]);
  });

  test("openTransport starts a controller up, and closes one that does not start", async () => {
    const { host, clock, opcodes } = controllerOf({ 4097: () => version(0xffff) });
    const kinds = { own: async () => host };
    expect(await openTransport("own:", { kinds, clock, firmware: async () => undefined })).toBe(host);
    expect(opcodes()).toBe("c03 1001");
    const failing = controllerOf({ 4097: () => Uint8Array.of(0x0c) });
    let isClosed = false;
    failing.end.onClose = () => {
      isClosed = true;
    };
    const opening = openTransport("own:", { kinds: { own: async () => failing.host }, clock: failing.clock, firmware: "/nowhere" });
    await expect(opening).rejects.toMatchObject({ reason: "refused" });
    expect(isClosed).toBe(true);
    await expect(openTransport("own:", { kinds, firmware: 5 as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(startUpController(host, { firmware: "folder" as never })).rejects.toThrow("expected a function, got a string");
  });
});
