import { describe, expect, test } from "vitest";
import { fromHex } from "../bytes/index.ts";
import { Address } from "../core/index.ts";
import { Calls } from "./calls.ts";

const ONE = "C0:00:00:00:00:01/random";
const TWO = "C0:00:00:00:00:02/random";
const create = (last: number): Uint8Array => fromHex(`010d20196000300000010${last}00000000c0001800180000002a0000000000`);
const sent = (calls: Calls, hex: string): string | undefined => calls.causeOf("sent", fromHex(hex));
const received = (calls: Calls, hex: string): string | undefined => calls.causeOf("received", fromHex(hex));
/** An ATT PDU in an ACL packet of handle 0x0040. */
const att = (pdu: string): string => {
  const length = (octets: number): string => octets.toString(16).padStart(2, "0");
  return `024000${length(pdu.length / 2 + 4)}00${length(pdu.length / 2)}000400${pdu}`;
};

describe("a command", () => {
  test("comes from the newest call under way that leads to it, by the link and the address that it names", () => {
    const calls = new Calls();
    const first = calls.begin("device.connect", [ONE]);
    const second = calls.begin("device.connect", [Address.from(TWO), {}]);
    expect(calls.causeOf("sent", create(1))).toBe(`device.connect(${ONE})`);
    expect(calls.causeOf("sent", create(2))).toBe(`device.connect(${TWO})`);
    expect(calls.causeOf("sent", create(3))).toBe(`device.connect(${TWO})`);
    expect(sent(calls, "01030c00")).toBeUndefined();
    second[Symbol.dispose]();
    expect(calls.causeOf("sent", create(3))).toBe(`device.connect(${ONE})`);
    first[Symbol.dispose]();
    // What it started goes on behind it.
    expect(calls.causeOf("sent", create(3))).toBe(`device.connect(${TWO})`);

    using _rssi = calls.begin("connection.rssi", [], 0x40);
    expect(sent(calls, "010514024000")).toBe("connection.rssi()");
    expect(sent(calls, "010514024100")).toBeUndefined();
  });

  test("and the event that ends it come from who asked to follow periodic advertising, or to take it from a peer", () => {
    const calls = new Calls();
    const following = calls.begin("device.synchronize", [{ address: ONE, sid: 1 }]);
    expect(sent(calls, "0144200e00010100000000c00000d00700")).toBe("device.synchronize()");
    expect(received(calls, "043e100e000001010100000000c001500005")).toBe("device.synchronize()");
    following[Symbol.dispose]();
    expect(sent(calls, "01452000")).toBe("device.synchronize()"); // what it started goes on behind it
    using _accept = calls.begin("connection.acceptSyncs", [{}], 0x40);
    expect(sent(calls, "015c20084000020000d00700")).toBe("connection.acceptSyncs()");
  });

  test("of the own private address comes from who advertises with it, a report of directed advertising from who scans", () => {
    const calls = new Calls();
    using _advertise = calls.begin("device.advertise", [{}]);
    using _scan = calls.begin("device.scan", [{}]);
    expect(sent(calls, "012c2007010100000000c0")).toBe("device.advertise()");
    expect(received(calls, "040e0a012c2000010203040541")).toBe("device.advertise()");
    expect(received(calls, "043e120b01010001000000000001020304050641c4")).toBe("device.scan()");
  });

  test("of a call that is over comes from none, where nothing lasts of it", () => {
    const calls = new Calls();
    calls.begin("connection.setPhy", [{}], 0x40)[Symbol.dispose]();
    expect(sent(calls, "013220074000000202 0000".replace(" ", ""))).toBeUndefined();
  });

  test("hands its call to its answers", () => {
    const calls = new Calls();
    calls.begin("device.scan")[Symbol.dispose]();
    expect(sent(calls, "010c20020100")).toBe("device.scan()");
    calls.begin("connection.disconnect", [0x13], 0x40);
    expect(sent(calls, "01060403400013")).toBe("connection.disconnect(0x0013)");
    expect(received(calls, "040e04010c2000")).toBe("device.scan()");
    expect(received(calls, "040f0400010604")).toBe("connection.disconnect(0x0013)");
    expect(received(calls, "0405040040001 3".replace(" ", ""))).toBe("connection.disconnect(0x0013)");
    expect(received(calls, "04050400410013")).toBeUndefined();
    expect(received(calls, "040e0401030c00")).toBeUndefined();
  });
});

describe("data", () => {
  test("of the client is told with the procedure, its answers and its later pieces with it", () => {
    const calls = new Calls();
    expect(sent(calls, att("0a1200"))).toBe("gatt.read 0x0012");
    expect(received(calls, att("1b030001"))).toBeUndefined();
    expect(received(calls, att("0b01"))).toBe("gatt.read 0x0012");
    expect(received(calls, "0240100100ff")).toBe("gatt.read 0x0012");
    expect(sent(calls, att("0c12000100"))).toBe("gatt.read 0x0012");
    expect(sent(calls, att("5213000a"))).toBe("gatt.writeWithoutResponse 0x0013");
    expect(received(calls, att("010c120007"))).toBe("gatt.read 0x0012");
    expect(sent(calls, att("161400000001"))).toBe("gatt.write 0x0014");
    expect(sent(calls, att("1801"))).toBe("gatt.write 0x0014");
    expect(sent(calls, att("020002"))).toBe("gatt.exchangeMtu");
    expect(sent(calls, att("1e"))).toBeUndefined();
  });

  test("of a discovery is told with the call that needs it, on its own link", () => {
    const calls = new Calls();
    expect(sent(calls, att("0801ffff0328"))).toBe("gatt: discovery");
    const characteristic = calls.begin("gatt.characteristic", ["180D", "2A37"], 0x40);
    calls.begin("gatt.services", [], 0x40);
    calls.begin("gatt.services", [], 0x41);
    expect(sent(calls, att("0801ffff0328"))).toBe("gatt.characteristic(180d, 2a37)");
    characteristic[Symbol.dispose]();
    expect(sent(calls, att("040100ffff"))).toBe("gatt.services()");
  });

  test("of the server is told with what it answers, or says by itself", () => {
    const calls = new Calls();
    expect(received(calls, att("0a0300"))).toBeUndefined();
    expect(sent(calls, att("0b01"))).toBe("gattServer: the peer's request");
    expect(sent(calls, att("1b030001"))).toBe("gattServer.notify 0x0003");
    expect(sent(calls, att("1d030001"))).toBe("gattServer.indicate 0x0003");
  });

  test("of the Security Manager comes from a pairing that is under way", () => {
    const calls = new Calls();
    const request = "0240000b0007000600010300000d100303";
    expect(sent(calls, request)).toBeUndefined();
    using _pairing = calls.begin("connection.pair", [], 0x40);
    expect(sent(calls, request)).toBe("connection.pair()");
    expect(received(calls, "0408040040000 1".replace(" ", ""))).toBe("connection.pair()");
    expect(received(calls, "04300300400 0".replace(" ", ""))).toBe("connection.pair()");
    expect(received(calls, "04080400410001")).toBeUndefined();
  });

  test("that is short, or of no known kind, harms nothing", () => {
    const calls = new Calls();
    const whole = fromHex(att("0a1200"));
    for (let length = 0; length < whole.length; length++) expect(() => calls.causeOf("sent", whole.subarray(0, length))).not.toThrow();
    for (const hex of ["01", "04", "043e", "0405", "030000", "05", "ff"]) expect(received(calls, hex)).toBeUndefined();
  });
});

describe("watched methods", () => {
  test("are under way until what they return has settled, and behave as before", async () => {
    const calls = new Calls();
    const command = (): string | undefined => sent(calls, "010514024000");
    let during: string | undefined;
    let settle: (value: number) => void = () => undefined;
    const target = {
      rssi: (): Promise<number> => {
        during = command();
        return new Promise((resolve) => {
          settle = resolve;
        });
      },
      readPhy: (): Promise<number> => Promise.reject(new Error("refused")),
      setPhy: (): never => {
        throw new Error("thrown");
      },
      pair: (...args: number[]): number => args.length,
    };
    calls.watch(target, "connection", ["rssi", "readPhy", "setPhy", "pair"], 0x40);
    const pending = target.rssi();
    expect([during, command()]).toEqual(["connection.rssi()", "connection.rssi()"]);
    settle(7);
    expect(await pending).toBe(7);
    expect(command()).toBeUndefined();
    await expect(target.readPhy()).rejects.toThrow("refused");
    expect(() => target.setPhy()).toThrow("thrown");
    expect(target.pair(1, 2)).toBe(2);
    for (const hex of ["013020024000", "01322007400000020200 00".replace(" ", ""), "0119200240 00".replace(" ", "")])
      expect(sent(calls, hex)).toBeUndefined();
  });

  test("are told without what they are given but who and what", () => {
    const calls = new Calls();
    const textOf = (...args: unknown[]): string | undefined => {
      using _ = calls.begin("device.advertise", args);
      return sent(calls, "010a200101");
    };
    expect(textOf({ payload: { name: "Bob" } }, fromHex("a5a5"), "secret words", -1, 1.5)).toBe("device.advertise()");
    expect(textOf([ONE, TWO], "2A37", 3)).toBe(`device.advertise(${ONE}, ${TWO}, 2a37, 0x0003)`);
    expect(textOf([{}])).toBe("device.advertise()");
  });
});
