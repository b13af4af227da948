import { describe, expect, test } from "vitest";
import type { Clock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { type H5Configuration, H5Link, type H5LinkOptions } from "./link.ts";
import { decodePacket, encodePacket, integrityCheck, LONGEST_PAYLOAD } from "./packet.ts";
import { encodeSlip, SlipDecoder } from "./slip.ts";

/** Time that moves when a test says so, with no turn of the event loop between: thousands of damaged lines take a second. */
class StepClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; fire: () => unknown }[] = [];
  now(): number {
    return this.#nowMs;
  }
  setTimer(delayMs: number, _name: string, fire: () => unknown): Disposable {
    const timer = { dueMs: this.#nowMs + delayMs, fire };
    this.#timers.push(timer);
    return {
      [Symbol.dispose]: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }
  get waiting(): number {
    return this.#timers.length;
  }
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.reduce((a, b) => (b.dueMs < a.dueMs ? b : a), { dueMs: Number.POSITIVE_INFINITY, fire: () => {} });
      if (next.dueMs > untilMs) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.dueMs;
      next.fire();
    }
    this.#nowMs = untilMs;
  }
}

type Fault = (octets: Uint8Array, writing: number, from: "host" | "controller") => Uint8Array | Uint8Array[] | undefined;

/** Both ends on a line that carries what is written after a millisecond, or what `fault` makes of it. */
function line({
  fault = (octets) => octets,
  ...each
}: {
  fault?: Fault;
  host?: Partial<H5LinkOptions>;
  controller?: Partial<H5LinkOptions>;
} = {}) {
  const clock = new StepClock();
  const log = { toHost: [] as string[], toController: [] as string[], written: [] as string[], told: [] as string[] };
  let writing = 0;
  const end = (role: "host" | "controller", other: () => H5Link): H5Link =>
    new H5Link({
      clock,
      role,
      write: (octets) => {
        log.written.push(`${role} ${toHex(octets)}`);
        const carried = fault(octets, writing++, role) ?? [];
        for (const part of Array.isArray(carried) ? carried : [carried]) clock.setTimer(1, "line", () => other().receive(part));
      },
      onPacket: (packet) => log[role === "host" ? "toHost" : "toController"].push(toHex(packet)),
      onActive: (agreed) => log.told.push(`${role} active ${agreed.windowSize} ${agreed.flowControl} ${agreed.integrityCheck}`),
      onPeerReset: () => log.told.push(`${role}: the peer was reset`),
      onSilent: (what) => log.told.push(`${role}: ${what}`),
      ...each[role],
    });
  const host: H5Link = end("host", () => controller);
  const controller: H5Link = end("controller", () => host);
  const start = (): void => {
    host.start();
    controller.start();
  };
  return { clock, host, controller, log, start };
}

function activeLine(options: Parameters<typeof line>[0] = {}) {
  const joined = line(options);
  joined.start();
  joined.clock.advance(1000);
  expect([joined.host.isActive, joined.controller.isActive]).toEqual([true, true]);
  joined.log.written.length = 0;
  return joined;
}

const RESET = fromHex("01030c00");
const numbered = (i: number): Uint8Array => Uint8Array.of(4, 0xff, 3, i & 0xff, i >> 8, 0xc0 + (i % 32));

describe("packets", () => {
  test.each([
    ["SYNC", { sequence: 0, acknowledgment: 0, isReliable: false, type: 15, payload: "017e" }, false, "c0002f00d0017ec0"],
    ["SYNC RESP", { sequence: 0, acknowledgment: 0, isReliable: false, type: 15, payload: "027d" }, false, "c0002f00d0027dc0"],
    ["an acknowledgment of 5", { sequence: 0, acknowledgment: 6, isReliable: false, type: 0, payload: "" }, false, "c0300000cfc0"],
    [
      "Reset",
      { sequence: 1, acknowledgment: 2, isReliable: true, type: 1, payload: "030c00" },
      false,
      "c091310 03d030c00c0".replace(" ", ""),
    ],
    [
      "octets to escape",
      { sequence: 0, acknowledgment: 0, isReliable: true, type: 4, payload: "c0db" },
      false,
      "c080240 05bdbdcdbddc0".replace(" ", ""),
    ],
  ])("%s (Vol 4 Part D 3 and 4)", (_, { payload, ...fields }, hasCheck, expected) => {
    const packet = { ...fields, payload: fromHex(payload) };
    expect(toHex(encodeSlip(encodePacket(packet, hasCheck), false))).toBe(expected);
    const found: unknown[] = [];
    new SlipDecoder(4101, (octets) => found.push({ ...decodePacket(octets), payload: decodePacket(octets)?.payload.slice() })).push(
      fromHex(expected),
    );
    expect(found).toEqual([packet]);
  });

  test("the data integrity check is CRC-16 CCITT over mirrored octets, most significant octet first", () => {
    expect(integrityCheck(new TextEncoder().encode("123456789")).toString(16)).toBe("89f6"); // 0x6f91 of CRC-16/MCRF4XX, mirrored
    const packet = encodePacket({ sequence: 3, acknowledgment: 1, isReliable: true, type: 2, payload: fromHex("0102") }, true);
    expect(toHex(packet.subarray(6))).toBe(integrityCheck(packet, 6).toString(16).padStart(4, "0"));
  });

  test("no packet with one octet changed, cut or added is taken", () => {
    const packet = encodePacket({ sequence: 3, acknowledgment: 1, isReliable: true, type: 2, payload: fromHex("0102030405") }, true);
    expect(decodePacket(packet)).toMatchObject({ sequence: 3, acknowledgment: 1, type: 2 });
    for (let at = 0; at < packet.length; at++) {
      for (let change = 1; change < 256; change++) {
        const damaged = packet.slice();
        damaged[at]! ^= change;
        expect(decodePacket(damaged), `octet ${at} by ${change}`).toBeUndefined();
      }
      expect(decodePacket(packet.subarray(0, at))).toBeUndefined();
    }
    expect(decodePacket(Uint8Array.of(...packet, 0))).toBeUndefined();
  });

  test("with flow control by characters these are escaped too", () => {
    expect(toHex(encodeSlip(fromHex("111312"), true))).toBe("c0dbdedbdf12c0");
    expect(toHex(encodeSlip(fromHex("111312"), false))).toBe("c0111312c0");
  });

  test("what is escaped wrongly, too long, or before the first delimiter is dropped, and the next packet found", () => {
    const found: string[] = [];
    const decoder = new SlipDecoder(4, (octets) => found.push(toHex(octets)));
    decoder.push(fromHex("0102c0 db00c0 dbdbc0 01dbc0 0102030405c0 c0c0 0a0bc0 dbdc"));
    decoder.push(fromHex("c0"));
    expect(found).toEqual(["0a0b", "c0"]);
  });
});

describe("establishment (Vol 4 Part D 8)", () => {
  test("SYNC, CONFIG, active: the controller chooses from what the host proposes", () => {
    const { log, start, clock } = line({ controller: { offer: { windowSize: 4, integrityCheck: true, flowControl: true } } });
    start();
    clock.advance(100);
    expect(log.told).toEqual(expect.arrayContaining(["host active 4 false true", "controller active 4 false true"]));
    expect(log.written).toContain(`host ${toHex(encodeSlip(fromHex("003f00c003fc17"), false))}`);
    expect(log.written).toContain(`controller ${toHex(encodeSlip(fromHex("003f00c0047b14"), false))}`);
    expect(log.written).toContain(`controller ${toHex(encodeSlip(fromHex("002f00d003fc"), false))}`); // a controller's has no field
  });

  test("SYNC is repeated every 250 ms; a controller waits for ever, a host gives up", () => {
    const { log, start, clock } = line({ fault: () => undefined });
    start();
    clock.advance(1000);
    expect(log.written).toHaveLength(10);
    clock.advance(60_000);
    expect(log.told).toEqual(["host: nobody answers at the other end"]);
    expect(log.written.filter((line) => line.startsWith("controller"))).toHaveLength(1 + 61_000 / 250);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])("it is established whichever message is lost, doubled or damaged (%i)", (lost) => {
    for (const make of [
      () => undefined,
      (o: Uint8Array) => [o, o],
      (o: Uint8Array) => o.map((octet, i) => (i === 2 ? octet ^ 1 : octet)),
    ]) {
      const { host, controller, log, start, clock } = line({ fault: (octets, i) => (i === lost ? make(octets) : octets) });
      start();
      host.send(RESET);
      clock.advance(3000);
      expect([host.isActive, controller.isActive]).toEqual([true, true]);
      expect(log.toController).toEqual(["01030c00"]);
    }
  });

  test("a peer that says nothing of its configuration gets a window of one and no check", () => {
    const clock = new StepClock();
    const written: string[] = [];
    const told: H5Configuration[] = [];
    const host = new H5Link({
      clock,
      role: "host",
      write: (o) => written.push(toHex(o)),
      onPacket() {},
      onSilent() {},
      onActive: (agreed) => told.push(agreed),
    });
    host.start();
    const message = (payload: string): void =>
      host.receive(
        encodeSlip(encodePacket({ sequence: 0, acknowledgment: 0, isReliable: false, type: 15, payload: fromHex(payload) }, false), false),
      );
    message("03fc"); // CONFIG before SYNC RESP has no answer
    expect(written).toHaveLength(1);
    message("027d");
    message("047b");
    expect(told).toEqual([{ windowSize: 1, flowControl: false, integrityCheck: false }]);
    written.length = 0;
    host.send(RESET);
    host.send(RESET);
    expect(written).toHaveLength(1);
  });

  test("a SYNC while active is a reset of the peer: told, what waits forgotten, and established anew", () => {
    const { host, controller, log, clock } = activeLine();
    controller.close();
    host.send(RESET);
    host.receive(encodeSlip(fromHex("002f00d0017e"), false));
    expect(log.told.at(-1)).toBe("host: the peer was reset");
    expect([host.isActive, host.waiting]).toEqual([false, 0]);
    expect(log.written.slice(-2).map((text) => text.slice(-6, -2))).toEqual(["027d", "017e"]);
    clock.advance(10_000);
    expect(log.told.at(-1)).toBe("host: nobody answers at the other end");
  });
});

describe("packets under way (Vol 4 Part D 5 and 7)", () => {
  test("they arrive once and in order both ways, of each type", () => {
    const { host, controller, log, clock } = activeLine();
    const up = Array.from({ length: 100 }, (_, i) => numbered(i));
    const down = Array.from({ length: 100 }, (_, i) => Uint8Array.of(2, i, 0, 1, 0, i));
    for (const packet of up) controller.send(packet);
    for (const packet of down) host.send(packet);
    for (const packet of ["03010001aa", "0501000200aabb"]) host.send(fromHex(packet));
    clock.advance(1000);
    expect(log.toHost).toEqual(up.map(toHex));
    expect(log.toController.filter((packet) => packet.startsWith("02"))).toEqual(down.map(toHex));
    expect(log.toController.filter((packet) => !packet.startsWith("02"))).toEqual(["03010001aa", "0501000200aabb"]);
    expect([host.waiting, controller.waiting, clock.waiting]).toEqual([0, 0, 0]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7])("no more than a window of %i is under way", (windowSize) => {
    const { host, log } = activeLine({ host: { offer: { windowSize } } });
    for (let i = 0; i < 20; i++) host.send(RESET);
    expect(log.written).toHaveLength(windowSize);
  });

  test("the longest packet passes; a longer one is refused", () => {
    const { host, log, clock } = activeLine();
    const longest = new Uint8Array(1 + LONGEST_PAYLOAD).fill(0xc0);
    longest[0] = 2;
    expect(host.send(longest)).toBe(true);
    expect(host.send(new Uint8Array(2 + LONGEST_PAYLOAD).fill(2))).toBe(false);
    clock.advance(100);
    expect(log.toController).toEqual([toHex(longest)]);
  });

  test("whatever octet is damaged, lost or doubled, in whatever packet, all arrive once and in order", () => {
    const sent = [0, 1, 2].map(numbered);
    const run = (fault: Fault): void => {
      let writings: number | undefined; // since it is active
      const { host, controller, log, clock } = activeLine({
        fault: (octets, _, from) => (writings === undefined ? octets : fault(octets, writings++, from)),
      });
      writings = 0;
      for (const packet of sent) controller.send(packet);
      host.send(RESET);
      clock.advance(20_000);
      expect(log.toHost).toEqual(sent.map(toHex));
      expect(log.toController).toEqual(["01030c00"]);
      expect([host.waiting, controller.waiting]).toEqual([0, 0]);
    };
    for (let target = 0; target < 8; target++) {
      run((octets, i) => (i === target ? undefined : octets));
      run((octets, i) => (i === target ? [octets, octets] : octets));
      for (let at = 0; at < 18; at++) {
        for (const change of [0x01, 0x80, 0xff])
          run((octets, i) => (i === target && at < octets.length ? octets.map((o, j) => (j === at ? o ^ change : o)) : octets));
        for (const put of [0xc0, 0xdb]) run((octets, i) => (i === target ? octets.map((o, j) => (j === at ? put : o)) : octets));
        run((octets, i) => (i === target ? octets.filter((_, j) => j !== at) : octets));
        run((octets, i) => (i === target ? Uint8Array.of(...octets.subarray(0, at), 0x55, ...octets.subarray(at)) : octets));
      }
    }
  });

  test("on a line that damages each packet with one chance in five all arrive once and in order", () => {
    let seed = 7;
    const chance = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 0x8000_0000;
      return seed / 0x8000_0000;
    };
    const fault: Fault = (octets) => {
      const draw = chance();
      if (draw < 0.1) return undefined;
      if (draw < 0.15) return [octets, octets];
      return draw < 0.25 ? octets.map((octet, i) => (i === Math.floor(chance() * octets.length) ? octet ^ 0x40 : octet)) : octets;
    };
    const { host, controller, log, clock } = activeLine({ fault });
    for (let i = 0; i < 500; i++) {
      controller.send(numbered(i));
      host.send(numbered(i));
      clock.advance(20);
    }
    clock.advance(200_000);
    const all = Array.from({ length: 500 }, (_, i) => toHex(numbered(i)));
    expect(log.toHost).toEqual(all);
    expect(log.toController).toEqual(all);
    expect(log.told.filter((text) => !text.includes("active"))).toEqual([]);
  });

  test("a peer that acknowledges nothing ends the link after 20 repetitions", () => {
    let isDead = false;
    const { host, log, clock } = activeLine({ fault: (octets) => (isDead ? undefined : octets) });
    isDead = true;
    host.send(RESET);
    clock.advance(4000);
    expect(log.told.some((text) => text.includes("acknowledge"))).toBe(false);
    clock.advance(10_000);
    expect(log.told.at(-1)).toBe("host: the other end does not acknowledge");
    expect(log.written).toHaveLength(21);
    expect(clock.waiting).toBe(0);
  });

  test("a slow line has the time that its octets need", () => {
    let isDead = false;
    const { host, log, clock } = activeLine({ fault: (octets) => (isDead ? undefined : octets), host: { baudRate: 9600 } });
    isDead = true;
    host.send(new Uint8Array(1001).fill(2));
    clock.advance(2000); // 1,000 octets take 1.05 s, escaped 2.1
    expect(log.written).toHaveLength(1);
    clock.advance(1000);
    expect(log.written).toHaveLength(2);
  });

  test("who sends much is told to wait, and told when it may go on", () => {
    let told = 0;
    const { host, clock } = activeLine({ host: { onWritable: () => told++ } });
    let sent = 0;
    while (host.isWritable) {
      host.send(RESET);
      sent++;
    }
    expect(sent).toBe(64);
    clock.advance(100);
    expect([told, host.isWritable]).toEqual([1, true]);
  });
});

describe("flow control by characters, low power", () => {
  const offer = { flowControl: true };

  test("XOFF holds what would leave, XON lets it go; they are part of no packet", () => {
    const { host, log, clock } = activeLine({ host: { offer }, controller: { offer } });
    host.receive(Uint8Array.of(0x13));
    host.send(fromHex("02111300c0"));
    clock.advance(100);
    expect(log.toController).toEqual([]);
    host.receive(Uint8Array.of(0x11));
    clock.advance(100);
    expect(log.toController).toEqual(["02111300c0"]);
    expect(log.written[0]).not.toMatch(/^host (..)*(11|13)/);
  });

  test("a peer that sleeps is woken before it is sent anything", () => {
    const { host, controller, log, clock } = activeLine();
    controller.sleep();
    clock.advance(10);
    log.written.length = 0;
    host.send(RESET);
    expect(log.written).toEqual([`host ${toHex(encodeSlip(fromHex("002f00d005fa"), false))}`]);
    clock.advance(10);
    expect(log.written[1]).toBe(`controller ${toHex(encodeSlip(fromHex("002f00d006f9"), false))}`);
    expect(log.toController).toEqual(["01030c00"]);
    expect(clock.waiting).toBe(0);
  });

  test("one that does not wake is given up", () => {
    let isDead = false;
    const { host, controller, log, clock } = activeLine({ fault: (octets) => (isDead ? undefined : octets) });
    controller.sleep();
    clock.advance(10);
    isDead = true;
    host.send(RESET);
    clock.advance(5000);
    expect(log.told.at(-1)).toBe("host: the other end does not wake up");
    expect(clock.waiting).toBe(0);
  });
});
