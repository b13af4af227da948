import { afterEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { Logger } from "../../core/index.ts";
import { H4LineTransport } from "./h4-transport.ts";
import { H5Transport } from "./h5-transport.ts";
import type { OctetLine } from "./octet-line.ts";
import { ResetSearch } from "./reset-search.ts";

/** One end of a line, the other in the test's hands. */
class TestLine implements OctetLine {
  onOctets: ((octets: Uint8Array) => void) | undefined;
  onEnd: ((error: Error | undefined) => void) | undefined;
  onDrain: (() => void) | undefined;
  readonly written: string[] = [];
  waitingOctets = 0;
  writable = true;
  isPaused = false;
  closings = 0;
  write(octets: Uint8Array): void {
    this.written.push(toHex(octets));
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  async close(): Promise<void> {
    this.closings++;
  }
  receive(...parts: string[]): void {
    for (const part of parts) this.onOctets?.(fromHex(part));
  }
}

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});

function open(role: "host" | "controller") {
  const line = new TestLine();
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const transport = new H4LineTransport(line, { spec: "serial:test" }, { clock, logger: Logger.silent, role });
  const packets: string[] = [];
  const ends: string[] = [];
  transport.onPacket = (packet) => packets.push(toHex(packet));
  transport.onClose = (reason) => ends.push(reason.message);
  return { line, clock, transport, packets, ends };
}

const RESET = "01030c00";
const ANSWER = "040e0401030c00";
const HARDWARE_ERROR = "04100100";

describe("H4 over a line that loses octets (Vol 4 Part A 4)", () => {
  test("a host that finds no packet resets the controller, finds the answer in the stream, and is told", () => {
    const { line, transport, packets, ends } = open("host");
    line.receive("040300", "0102030405 040e04ff", "040e04", "01030c00 04ff0107");
    expect(line.written).toEqual([RESET]);
    expect(packets).toEqual(["040300", HARDWARE_ERROR, "04ff0107"]);
    transport.send(fromHex(RESET));
    expect([line.written, ends]).toEqual([[RESET, RESET], []]);
  });

  test("what the host sends while the controller is being reset does not leave", () => {
    const { line, transport } = open("host");
    line.receive("ff");
    transport.send(fromHex("01090c00"));
    expect(line.written).toEqual([RESET]);
  });

  test("a controller that is not understood after three resets is the end, in one sentence", async () => {
    const { line, clock, ends } = open("host");
    line.receive("ff");
    await clock.advance(2999);
    expect([line.written, ends]).toEqual([[RESET, RESET, RESET], []]);
    await clock.advance(1);
    expect(ends).toEqual(['transport "serial:test" ended: what comes is not H4 (is the baud rate right?)']);
    expect(line.closings).toBe(1);
  });

  test("the first Reset looks for its answer behind what a program before has left unread", () => {
    const { line, transport, packets } = open("host");
    transport.send(fromHex(RESET));
    line.receive("0102", `02ffffff 0407 ${ANSWER}`, "04ff00");
    expect(packets).toEqual([ANSWER, "04ff00"]);
    transport.send(fromHex(RESET)); // any later one is a command like others
    line.receive("04ff00", ANSWER);
    expect(packets.slice(2)).toEqual(["04ff00", ANSWER]);
  });

  test("a Command Status that refuses the first Reset is an answer too", () => {
    const { line, transport, packets } = open("host");
    transport.send(fromHex(RESET));
    line.receive("aa040f04", "0c01030c");
    expect(packets).toEqual(["040f040c01030c"]);
  });

  test("a controller that finds no packet reports a Hardware Error and goes on with the next Reset", () => {
    const { line, packets, ends } = open("controller");
    line.receive("01090c00 ffaabb", "010203", "0c00", `01 ${RESET} 01090c00`);
    expect(line.written).toEqual([HARDWARE_ERROR]);
    expect(packets).toEqual(["01090c00", RESET, "01090c00"]);
    expect(ends).toEqual([]);
  });

  test("a packet whose sender went away in its middle does not swallow the next host's Reset", async () => {
    const { line, clock, packets } = open("controller");
    line.receive("020100ff00aabb");
    await clock.advance(1001);
    line.receive(RESET);
    expect(packets).toEqual([RESET]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7])("the answer is found in pieces of %i octets", (size) => {
    const search = new ResetSearch("answer");
    const octets = fromHex(`0404040e04 040e ${ANSWER} 0102`);
    let found: ReturnType<ResetSearch["push"]>;
    let at = 0;
    for (; at < octets.length && !found; at += size) found = search.push(octets.subarray(at, at + size));
    expect(found && toHex(found.packet)).toBe(ANSWER);
    expect(found!.rest.length).toBe(Math.min(at, octets.length) - 14);
  });
});

describe("a line", () => {
  test("that is gone ends the transport with the system's error", () => {
    const { line, ends, transport } = open("host");
    line.onEnd?.(new Error("Input/output error"));
    expect(ends).toEqual(['transport "serial:test" is gone: Input/output error']);
    transport.send(fromHex(RESET));
    expect(line.written).toEqual([]);
  });

  test("that takes nothing is ended before memory is", () => {
    const { line, ends, transport } = open("host");
    line.waitingOctets = 1024 * 1024 + 1;
    transport.send(fromHex(RESET));
    expect(ends).toEqual(['transport "serial:test" ended: the line does not take what is sent']);
  });

  test("is not read while nobody takes the packets", () => {
    const { line, transport } = open("host");
    transport.onPacket = undefined;
    for (let i = 0; i < 1024; i++) line.receive("04ff00");
    expect(line.isPaused).toBe(true);
    transport.onPacket = () => {};
    expect(line.isPaused).toBe(false);
  });
});

test("H5: a reset of the other side, and silence, are the end of the transport", async () => {
  const line = new TestLine();
  const clock = new VirtualClock({ auto: false });
  clocks.push(clock);
  const transport = new H5Transport(line, { spec: "serial:h5" }, { clock, logger: Logger.silent, role: "host" });
  const ends: string[] = [];
  transport.onClose = (reason) => ends.push(reason.message);
  transport.send(fromHex(RESET));
  line.receive("c0002f00d0027dc0", "c0003f00dbdc047b11c0"); // SYNC RESP, CONFIG RSP: a window of 1 and the integrity check
  expect(line.written.at(-1)).toMatch(/^c0dbdc31000e030c00....c0$/);
  line.receive("c0002f00d0017ec0");
  expect(ends).toEqual(['transport "serial:h5" ended: the other side was reset']);
  expect(line.closings).toBe(1);
});
