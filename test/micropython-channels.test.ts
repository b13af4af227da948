import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import type { BleEvent, BleEventOf, IrqResult } from "../src/micropython/index.ts";
import { connect, line, openTwo, type Two } from "./support/micropython.ts";

const PSM = 22;
const MTU = 450;

/** Events of channels that a script would print. */
const channelLines = (events: readonly BleEvent[]): string[] =>
  events.filter(({ type }) => type.startsWith("l2cap") && type !== "l2capRecv" && type !== "l2capSendReady").map((event) => line(event));

/** Both are connected, and the peripheral listens. */
async function listening(two: Two, mtu = MTU): Promise<{ c: number; p: number }> {
  const handles = await connect(two);
  await two.peripheral.ble.l2capListen(PSM, mtu);
  return handles;
}

/** A channel, with its CIDs. */
async function opened(two: Two, mtus: { own?: number; peer?: number } = {}) {
  const { c, p } = await listening(two, mtus.peer);
  const [atCentral, atPeripheral] = [two.central.next("l2capConnect"), two.peripheral.next("l2capConnect")];
  await two.central.ble.l2capConnect(c, PSM, mtus.own ?? MTU);
  return { c, p, central: (await atCentral).cid, peripheral: (await atPeripheral).cid };
}

/** The octets of SDU `i`. */
const payload = (i: number, length: number): Uint8Array => new Uint8Array(length).fill(i);

describe("opening", () => {
  test("the listener goes on: three channels, one after the other", async () => {
    await using two = await openTwo();
    const { c } = await listening(two);
    for (let i = 0; i < 3; i++) {
      const channel = two.central.next("l2capConnect");
      await two.central.ble.l2capConnect(c, PSM, MTU);
      const { cid } = await channel;
      const over = two.central.next("l2capDisconnect");
      await two.central.ble.l2capDisconnect(c, cid);
      await over;
    }
    expect(two.peripheral.types.filter((type) => type.startsWith("l2cap"))).toEqual(
      [1, 2, 3].flatMap(() => ["l2capAccept", "l2capConnect", "l2capDisconnect"]),
    );
  });

  test.each([
    [8, 0x0002, 8],
    [23, 0x0005, 23],
    [24, 0x0006, 24],
    [26, 0x0007, 26],
    [25, 0x0008, 25],
    [3, 0x000b, 3],
    [1, 0x0004, 6],
    [-1, 0x0004, 6],
  ] as const)("a handler that answers %i refuses with 0x%i, and the other is told %i", async (answer, result, status) => {
    await using two = await openTwo();
    const { c, p } = await listening(two);
    two.peripheral.handle = (event) => (event.type === "l2capAccept" ? answer : undefined);
    const failed = two.central.next("l2capDisconnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    expect(await failed).toMatchObject({ connHandle: c, psm: PSM, status });
    const [response] = two.air.trace("LeCreditBasedConnectionResponse");
    if (response) expect(response.fields.result).toBe(result);
    expect(two.central.types.filter((type) => type.startsWith("l2cap"))).toEqual(["l2capDisconnect"]);
    expect(channelLines(two.peripheral.events)).toEqual([`l2capAccept ${p} 64 22 450 450`]);
    // The next one may be accepted.
    two.peripheral.handle = undefined;
    const channel = two.central.next("l2capConnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    expect((await channel).cid).toBe(64);
  });

  test.each<[string, IrqResult | Promise<IrqResult>]>([
    ["nothing", undefined],
    ["null", null],
    ["0", 0],
    ["false, which is no number", false],
    ["octets", Uint8Array.of(1)],
    ["a promise of nothing", Promise.resolve(null)],
  ])("a handler that answers %s accepts", async (_, answer) => {
    await using two = await openTwo();
    const { c } = await listening(two);
    two.peripheral.handle = (event) => (event.type === "l2capAccept" ? answer : undefined);
    const channel = two.central.next("l2capConnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    await channel;
  });

  test("a handler may think about it, and refuse later; one that never says is no refusal", async () => {
    await using two = await openTwo("central first", { onHandlerError: () => undefined });
    const { c } = await listening(two);
    two.peripheral.handle = async (event) => {
      if (event.type !== "l2capAccept") return undefined;
      await delay(two.air.clock, 2000);
      return 24;
    };
    const refused = two.central.next("l2capDisconnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    expect(await refused).toMatchObject({ status: 24 });
    two.peripheral.handle = ({ type }) => (type === "l2capAccept" ? new Promise<never>(() => undefined) : undefined);
    const accepted = two.peripheral.next("l2capConnect");
    const late = two.central.next("l2capDisconnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    await accepted;
    expect(await late).toMatchObject({ status: 13 }); // the central's 30 s were over, too
  });

  test("nobody listens, or does not any more", async () => {
    await using two = await openTwo();
    const { c } = await listening(two);
    const { ble } = two.peripheral;
    await ble.l2capUnlisten(PSM);
    await expect(ble.l2capUnlisten(PSM)).rejects.toMatchObject({ code: "EINVAL" });
    const failed = two.central.next("l2capDisconnect");
    await two.central.ble.l2capConnect(c, PSM, MTU);
    expect(await failed).toMatchObject({ psm: PSM, status: 8 });
    await ble.l2capListen(PSM, MTU); // and again
  });

  test("who may ask for what", async () => {
    await using two = await openTwo();
    const { ble } = two.central;
    await ble.l2capListen(PSM, MTU);
    const { c } = await connect(two);
    for (const [call, error] of [
      [() => ble.l2capListen(PSM, MTU), { code: "EALREADY", errno: 114 }],
      [() => ble.l2capListen(0, MTU), { code: "EINVAL" }],
      [() => ble.l2capListen(256, MTU), { code: "EINVAL" }],
      [() => ble.l2capListen("22" as unknown as number, MTU), { pythonName: "TypeError" }],
      [() => ble.l2capListen(23, 1.5), { pythonName: "TypeError" }],
      [() => ble.l2capConnect(c + 1, PSM, MTU), { code: "ENOTCONN", errno: 107 }],
      [() => ble.l2capConnect(c, 0, MTU), { code: "EINVAL" }],
      [() => ble.l2capConnect(c, 256, MTU), { code: "EINVAL" }],
      [() => ble.l2capConnect(-1, PSM, MTU), { pythonName: "ValueError" }],
      [() => ble.l2capDisconnect(c, 64), { code: "EINVAL" }],
      [async () => ble.l2capSend(c, 64, "x"), { code: "EINVAL" }],
      [async () => ble.l2capSend(c + 1, 64, "x"), { code: "EINVAL" }],
      [async () => ble.l2capSend(c, 64, 5 as unknown as string), { pythonName: "TypeError" }],
      [async () => ble.l2capRecvInto(c, 64, null), { code: "EINVAL" }],
      [async () => ble.l2capRecvInto(c, 64, "x" as unknown as Uint8Array), { pythonName: "TypeError" }],
      [async () => ble.l2capRecvInto(c, 65_536, null), { pythonName: "ValueError" }],
    ] as const)
      await expect(call()).rejects.toMatchObject(error);
    await ble.active(false);
    for (const call of [
      () => ble.l2capListen(PSM, MTU),
      () => ble.l2capUnlisten(PSM),
      () => ble.l2capConnect(c, PSM, MTU),
      () => ble.l2capDisconnect(c, 64),
      async () => ble.l2capSend(c, 64, "x"),
      async () => ble.l2capRecvInto(c, 64, null),
    ])
      await expect(call()).rejects.toMatchObject({ code: "ENODEV", errno: 19 });
  });

  test("MTUs are held within bounds, and told from each side's point of view", async () => {
    await using two = await openTwo();
    const { c, p } = await opened(two, { own: 1, peer: 100_000 });
    expect(channelLines(two.central.events)).toEqual([`l2capConnect ${c} 64 22 32 65535`]);
    expect(channelLines(two.peripheral.events)[1]).toBe(`l2capConnect ${p} 64 22 65535 32`);
  });

  test("many channels of several PSMs, both ways, by their own numbers; the 65th does not fit", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p } = await listening(two);
    await central.ble.l2capListen(0x90, 64);
    for (let i = 0; i < 63; i++) await central.ble.l2capConnect(c, PSM, MTU);
    await peripheral.ble.l2capConnect(p, 0x90, 64);
    await delay(two.air.clock, 5000);
    const open = central.events.filter(({ type }) => type === "l2capConnect") as BleEventOf<"l2capConnect">[];
    expect(open.map(({ cid }) => cid).toSorted((one, other) => one - other)).toEqual(Array.from({ length: 64 }, (_, i) => 64 + i));
    expect(open.filter(({ psm }) => psm === 0x90)).toHaveLength(1);
    await expect(central.ble.l2capConnect(c, PSM, MTU)).rejects.toMatchObject({ code: "ENOMEM", errno: 12 });
    // Each has its own octets.
    const [one, other] = [open[3]!, open[40]!];
    central.ble.l2capSend(c, one.cid, "one");
    central.ble.l2capSend(c, other.cid, "other");
    const heard: string[] = [];
    peripheral.handle = (event) => {
      if (event.type !== "l2capRecv") return;
      const into = new Uint8Array(10);
      heard.push(Buffer.from(into.subarray(0, peripheral.ble.l2capRecvInto(p, event.cid, into.buffer))).toString());
    };
    await delay(two.air.clock, 200);
    expect(heard).toEqual(["one", "other"]);
  });

  test("a bonded peer's refusal is told as it is: nothing is encrypted by itself", async () => {
    await using two = await openTwo();
    const secrets = new Map<string, Uint8Array>();
    for (const { ble } of [two.central, two.peripheral]) await ble.config({ bond: true });
    two.central.handle = two.peripheral.handle = (event) => {
      if (event.type === "setSecret") return Boolean(event.value && secrets.set(String(event.key), event.value));
      return undefined;
    };
    const { c } = await connect(two);
    const paired = two.central.next("encryptionUpdate");
    await two.central.ble.gapPair(c);
    await paired;
    await delay(two.air.clock, 500);
    const over = [two.central.next("peripheralDisconnect"), two.peripheral.next("centralDisconnect")];
    await two.central.ble.gapDisconnect(c);
    await Promise.all(over);
    two.peripheral.ble.device!.l2cap.listen(0x80, { security: { encrypted: true } });
    const again = await connect(two);
    const failed = two.central.next("l2capDisconnect");
    two.central.clear();
    await two.central.ble.l2capConnect(again.c, 0x80, MTU);
    expect(await failed).toMatchObject({ status: 25 });
    expect(two.central.types).not.toContain("encryptionUpdate");
  });
});

describe("sending and reading", () => {
  test("true has gone; false is accepted and stalled until l2capSendReady; more is refused meanwhile", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p, ...cids } = await opened(two);
    // Credits for one SDU of the MTU: two K-frames.
    expect(central.ble.l2capSend(c, cids.central, payload(1, 450))).toBe(true);
    expect(central.ble.l2capSend(c, cids.central, payload(2, 450))).toBe(false);
    expect(() => central.ble.l2capSend(c, cids.central, payload(3, 1))).toThrow(expect.objectContaining({ code: "EBUSY", errno: 16 }));
    await delay(two.air.clock, 1000);
    expect(central.types).not.toContain("l2capSendReady");
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, null)).toBe(450);
    // Not before the last octet was read is there room.
    const most = new Uint8Array(449);
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, most)).toBe(449);
    await delay(two.air.clock, 1000);
    expect(central.types).not.toContain("l2capSendReady");
    const ready = central.next("l2capSendReady");
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, most)).toBe(1);
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, most)).toBe(0);
    expect(await ready).toMatchObject({ connHandle: c, cid: cids.central, status: 0 });
    await delay(two.air.clock, 200);
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, null)).toBe(450);
    expect(() => central.ble.l2capSend(c, cids.central, payload(3, 451))).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });

  test("boundaries of SDUs are not kept, text and views are octets, and nothing is an SDU too", async () => {
    await using two = await openTwo();
    const { c, p, ...cids } = await opened(two, { peer: 2000 });
    const { central, peripheral } = two;
    for (const sdu of ["ab", new Uint8Array(0), new DataView(Uint8Array.of(0x5f, 0x63, 0x64).buffer, 1)]) {
      const heard = peripheral.next("l2capRecv");
      expect(central.ble.l2capSend(c, cids.central, sdu)).toBe(true);
      await heard;
      await delay(two.air.clock, 100);
    }
    const into = new Uint8Array(8);
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, new DataView(into.buffer, 2, 3))).toBe(3);
    expect(Buffer.from(into).toString()).toBe("\0\0abc\0\0\0");
    expect(peripheral.ble.l2capRecvInto(p, cids.peripheral, into)).toBe(1);
  });

  test("an MTU of more than our own may be sent: the peer's counts alone", async () => {
    await using two = await openTwo();
    const { c, p, ...cids } = await opened(two, { own: 32, peer: 2000 });
    expect(two.central.ble.l2capSend(c, cids.central, payload(5, 2000))).toBe(true);
    await two.peripheral.next("l2capRecv");
    expect(two.peripheral.ble.l2capRecvInto(p, cids.peripheral, null)).toBe(2000);
  });
});

describe("the end", () => {
  test("while it stalls: no more, and what was asked to be closed is closed", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, ...cids } = await opened(two);
    central.ble.l2capSend(c, cids.central, payload(1, 450));
    central.ble.l2capSend(c, cids.central, payload(2, 450));
    const over = [central.next("l2capDisconnect"), peripheral.next("l2capDisconnect")];
    await central.ble.l2capDisconnect(c, cids.central);
    await central.ble.l2capDisconnect(c, cids.central); // once
    expect(() => central.ble.l2capSend(c, cids.central, "x")).toThrow(expect.objectContaining({ code: "EINVAL" }));
    await Promise.all(over);
    expect(central.types.filter((type) => type === "l2capDisconnect")).toHaveLength(1);
    expect(central.types).not.toContain("l2capSendReady");
    for (const call of [() => central.ble.l2capSend(c, cids.central, "x"), () => central.ble.l2capRecvInto(c, cids.central, null)])
      expect(call).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });

  test("both close it at once", async () => {
    await using two = await openTwo();
    const { c, p, ...cids } = await opened(two);
    const over = [two.central.next("l2capDisconnect"), two.peripheral.next("l2capDisconnect")];
    await Promise.all([two.central.ble.l2capDisconnect(c, cids.central), two.peripheral.ble.l2capDisconnect(p, cids.peripheral)]);
    expect((await Promise.all(over)).map((event) => (event as BleEventOf<"l2capDisconnect">).status)).toEqual([0, 0]);
  });

  test("of the link: channels and attempts end before it, each once", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p, ...cids } = await opened(two);
    central.clear();
    peripheral.clear();
    peripheral.handle = ({ type }) => (type === "l2capAccept" ? new Promise<never>(() => undefined) : undefined);
    await central.ble.l2capConnect(c, PSM, MTU);
    await peripheral.next("l2capAccept");
    await central.ble.l2capDisconnect(c, cids.central);
    const over = [central.next("peripheralDisconnect"), peripheral.next("centralDisconnect")];
    await central.ble.gapDisconnect(c);
    await Promise.all(over);
    await delay(two.air.clock, 40_000);
    const own = central.lines.map((each) => each.split(" ").slice(0, 5).join(" "));
    expect(own.filter((each) => !each.startsWith("peripheral")).toSorted()).toEqual([
      `l2capDisconnect ${c} 0 22 7`,
      `l2capDisconnect ${c} 64 22 0`,
    ]);
    expect(central.types.at(-1)).toBe("peripheralDisconnect");
    expect(peripheral.types).toEqual(["l2capAccept", "l2capDisconnect", "centralDisconnect"]);
    expect(p).toBe(c);
  });

  test("a peer that breaks the rules loses its channel", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c } = await listening(two, 64);
    const link = central.ble.device!.links[0]!;
    const channel = await link.l2cap.connect(PSM, { mtu: 64 });
    const over = peripheral.next("l2capDisconnect");
    // More than its MTU, in one K-frame.
    const frame = new Uint8Array(120);
    frame[0] = 118;
    sendRaw(two, c, channel.remoteCid, frame);
    expect(await over).toMatchObject({ cid: channel.remoteCid, status: 0 });
    expect(peripheral.ble.device!.links).toHaveLength(1);
  });
});

/** A frame on a channel, past all rules. */
function sendRaw({ central }: Two, handle: number, cid: number, payloadOctets: Uint8Array): void {
  const { length } = payloadOctets;
  const header = Uint8Array.of(
    2,
    handle & 0xff,
    handle >> 8,
    (length + 4) & 0xff,
    (length + 4) >> 8,
    length & 0xff,
    length >> 8,
    cid & 0xff,
    cid >> 8,
  );
  central.controller.transport.send(Uint8Array.of(...header, ...payloadOctets));
}
