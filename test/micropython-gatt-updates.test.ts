import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { AttOpcode } from "../src/att/index.ts";
import type { Connection } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { type BleEvent, Flag, UUID } from "../src/micropython/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { connect, Instance, openTwo, type Two } from "./support/micropython.ts";

const SERVICE = new UUID(0x1810);
const TYPE = new UUID(0x2a6e);
const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const hostLink = ({ ble }: Instance): Connection => ble.device!.links[0]!;

async function register({ ble }: Instance, ...flags: number[]): Promise<number[]> {
  const [handles] = (await ble.gattsRegisterServices([[SERVICE, flags.map((each) => [TYPE, each] as const)]])) as [number[]];
  return handles;
}

async function connected(two: Two, ...flags: number[]) {
  const handles = await register(two.peripheral, ...flags);
  return { handle: handles[0]!, handles, ...(await connect(two)), ble: two.peripheral.ble };
}

/** What came as notification or indication: "n" or "i", the handle and the octets. */
function values({ events }: Instance): string[] {
  return events.flatMap((event) => {
    if (event.type !== "gattcNotify" && event.type !== "gattcIndicate") return [];
    return [`${event.type === "gattcNotify" ? "n" : "i"} ${event.valueHandle} ${[...event.data]}`];
  });
}
const of = ({ events }: Instance, type: BleEvent["type"]): BleEvent[] => events.filter((event) => event.type === type);

async function subscribe(two: Two, c: number, handle: number, bits: number): Promise<void> {
  await two.central.ble.gattcWrite(c, handle + 1, octets(bits, 0), 1);
  await two.central.next("gattcWriteDone");
}

describe("gattsNotify", () => {
  test("reaches one peer, whatever it has configured and whatever the characteristic can, and is cut at the ATT_MTU", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { handle, p, ble } = await connected(two, Flag.Read);
    ble.gattsWrite(handle, octets(1, 2));
    await ble.gattsNotify(p, handle, new Uint8Array(30).fill(7));
    await ble.gattsNotify(p, handle, octets());
    await ble.gattsNotify(p, 500, octets(5)); // a handle that means something to the peer only
    await ble.gattsNotify(p, handle);
    await ble.gattsNotify(p, handle, null);
    await delay(two.air.clock, 100);
    expect(values(central)).toEqual([
      `n ${handle} ${Array.from({ length: 20 }, () => 7)}`,
      `n ${handle} `,
      "n 500 5",
      `n ${handle} 1,2`,
      `n ${handle} 1,2`,
    ]);
    expect(ble.gattsRead(handle)).toEqual(octets(1, 2));
  });

  test("works from the central, too", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c } = await connect(two);
    await central.ble.gattsNotify(c, 77, "abc");
    expect(await peripheral.next("gattcNotify")).toMatchObject({ valueHandle: 77, data: new TextEncoder().encode("abc") });
    await central.ble.gattsIndicate(c, 78, "abc");
    expect(await peripheral.next("gattcIndicate")).toMatchObject({ valueHandle: 78 });
    expect(await central.next("gattsIndicateDone")).toMatchObject({ connHandle: c, valueHandle: 78, status: 0 });
  });

  test.each(["fixed", "strict"] as const)("of the stored value the program is asked; it may change it or refuse (%s)", async (compat) => {
    await using two = await openTwo("central first", { compat });
    const { central, peripheral } = two;
    const { handle, p, ble } = await connected(two, Flag.Read);
    let answer: number | Promise<number> = 0;
    peripheral.handle = (event) => {
      if (event.type !== "gattsReadRequest") return undefined;
      expect(event).toMatchObject({ connHandle: 0xffff, attrHandle: handle });
      ble.gattsWrite(handle, octets(9));
      return answer;
    };
    for (const method of ["gattsNotify", "gattsIndicate"] as const) {
      answer = 0;
      await ble[method](p, handle);
      answer = Promise.resolve(0);
      await ble[method](p, handle);
      answer = 5;
      const refused = { code: "EIO", errno: compat === "strict" ? -9 : 5, attError: 5 };
      await expect(ble[method](p, handle)).rejects.toMatchObject(refused);
      answer = Promise.resolve(5);
      await expect(ble[method](p, handle)).rejects.toMatchObject(refused);
      await expect(ble[method](p, handle + 50)).rejects.toMatchObject({ code: "EINVAL", errno: compat === "strict" ? -9 : 22 });
    }
    await delay(two.air.clock, 200);
    expect(values(central)).toEqual(["n", "n", "i", "i"].map((kind) => `${kind} ${handle} 9`));
  });

  test("errors and arguments", async () => {
    await using two = await openTwo();
    const { handle, p, ble } = await connected(two, Flag.Read);
    for (const method of ["gattsNotify", "gattsIndicate"] as const)
      for (const [args, error] of [
        [["1", handle, ""], { pythonName: "TypeError" }],
        [[p, "1", ""], { pythonName: "TypeError" }],
        [[p, 0x10000, ""], { pythonName: "ValueError" }],
        [[p, handle, 5], { pythonName: "TypeError" }],
        [[p + 1, handle, ""], { code: "ENOTCONN", errno: 107 }],
      ] as const)
        await expect(ble[method](...(args as unknown as [number, number]))).rejects.toMatchObject(error);
    await ble.active(false);
    await expect(ble.gattsNotify(p, handle, "")).rejects.toMatchObject({ code: "ENODEV" });
    await expect(ble.gattsIndicate(p, handle, "")).rejects.toMatchObject({ code: "ENODEV" });
  });

  test("many at once arrive in order; more than may wait are ENOMEM, and those before it arrive", async () => {
    await using two = await openTwo();
    const { central } = two;
    const { handle, p, ble } = await connected(two, Flag.Read);
    const sent = Array.from({ length: 400 }, (_, i) => ble.gattsNotify(p, handle, octets(i >> 8, i & 0xff)));
    const outcomes = await Promise.allSettled(sent);
    const accepted = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(accepted).toBeGreaterThanOrEqual(256);
    for (const outcome of outcomes.slice(accepted)) expect(outcome).toMatchObject({ reason: { code: "ENOMEM", errno: 12 } });
    await ble.gattsNotify(p, handle, octets(255, 255)); // there is room again
    await delay(two.air.clock, 2000);
    expect(values(central)).toEqual(
      [...Array.from({ length: accepted }, (_, i) => i), 0xffff].map((i) => `n ${handle} ${i >> 8},${i & 0xff}`),
    );
  });

  test("what waits when the link is lost is ENOTCONN", async () => {
    await using two = await openTwo();
    const { handle, p, ble } = await connected(two, Flag.Read);
    const sent = Array.from({ length: 200 }, () => ble.gattsNotify(p, handle, "value"));
    const outcomes = Promise.allSettled(sent);
    await hostLink(two.central).disconnect();
    const codes = (await outcomes).map((outcome) => (outcome.status === "rejected" ? (outcome.reason as { code: string }).code : "sent"));
    expect(new Set(codes)).toEqual(new Set(["sent", "ENOTCONN"]));
  });

  test("inside a handler that is waited for, also while an exchange of the MTU is under way", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handle, c, p, ble } = await connected(two, Flag.Write);
    const began = two.air.clock.now();
    peripheral.handle = async (event) => {
      if (event.type !== "gattsWrite") return;
      await ble.gattcExchangeMtu(p); // whose answer waits for this handler
      await ble.gattsNotify(p, handle, "one");
      await ble.gattsIndicate(p, handle, "two");
      await ble.gattcWrite(p, 3, "three");
    };
    await central.ble.gattcWrite(c, handle, "", 1);
    await central.next("gattcNotify");
    await central.next("gattcIndicate");
    expect(two.air.clock.now() - began).toBeLessThan(1000);
  });
});

describe("gattsIndicate", () => {
  test("one at a time on a link, in order, each with its end", async () => {
    await using two = await openTwo();
    const { central, peripheral, air } = two;
    const { handles, p, ble } = await connected(two, Flag.Read, Flag.Read);
    for (let i = 0; i < 6; i++) await ble.gattsIndicate(p, handles[i % 2]!, octets(i));
    expect(of(peripheral, "gattsIndicateDone")).toEqual([]);
    await delay(air.clock, 1000);
    expect(values(central)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `i ${handles[i % 2]} ${i}`));
    expect(of(peripheral, "gattsIndicateDone")).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => ({ type: "gattsIndicateDone", code: 20, connHandle: p, valueHandle: handles[i % 2], status: 0 })),
    );
    // The next one left when the one before it was confirmed (Vol 3 Part F 3.3.2).
    const trace = air.trace("AttHandleValueInd").length;
    expect(trace).toBe(6);
  });

  test("more than may wait are ENOMEM", async () => {
    await using two = await openTwo();
    const { peripheral } = two;
    const { handle, p, ble } = await connected(two, Flag.Read);
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => ble.gattsIndicate(p, handle, octets(i))));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(33); // one on its way
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: "ENOMEM" } });
    await delay(two.air.clock, 5000);
    expect(of(peripheral, "gattsIndicateDone")).toHaveLength(33);
  });

  test.each(["peripheral", "central"] as const)("a lost link ends those of the %s with 7, before its own end", async (role) => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { c, p } = await connected(two, Flag.Read);
    const [mine, conn, other] = role === "peripheral" ? [peripheral, p, central] : [central, c, peripheral];
    await mine.ble.gattsIndicate(conn, 5, "a");
    await mine.ble.gattsIndicate(conn, 6, "b");
    mine.clear();
    hostLink(other).pause(); // nothing is confirmed
    await delay(two.air.clock, 100);
    await hostLink(other).disconnect();
    const end = role === "peripheral" ? "centralDisconnect" : "peripheralDisconnect";
    await mine.next(end);
    expect(mine.events.map((event) => (event.type === "gattsIndicateDone" ? [event.valueHandle, event.status] : event.type))).toEqual([
      [5, 7],
      [6, 7],
      end,
    ]);
  });

  test.each(["peripheral", "central"] as const)(
    "without a confirmation in 30 s it ends with 13, and the link of the %s with it",
    async (role) => {
      await using two = await openTwo();
      const { central, peripheral } = two;
      const { c, p } = await connected(two, Flag.Read);
      const [mine, conn, other] = role === "peripheral" ? [peripheral, p, central] : [central, c, peripheral];
      using _silent = hostLink(other).pause();
      mine.clear();
      const began = two.air.clock.now();
      await mine.ble.gattsIndicate(conn, 5, "a");
      await mine.ble.gattsIndicate(conn, 6, "b");
      const end = role === "peripheral" ? "centralDisconnect" : "peripheralDisconnect";
      await mine.next(end);
      const waitedMs = two.air.clock.now() - began;
      expect(waitedMs).toBeGreaterThanOrEqual(30_000);
      expect(waitedMs).toBeLessThan(35_000);
      expect(mine.events.map((event) => (event.type === "gattsIndicateDone" ? [event.valueHandle, event.status] : event.type))).toEqual([
        [5, 13],
        [6, 7],
        end,
      ]);
    },
  );
});

describe("gattsWrite with sendUpdate", () => {
  test("an indication that has to wait has the value of when it leaves, and two of them are one", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handles, c, ble } = await connected(two, Flag.Indicate, Flag.Indicate);
    const [a, b] = handles as [number, number];
    await subscribe(two, c, a, 2);
    await subscribe(two, c, b, 2);
    for (let i = 1; i <= 5; i++) ble.gattsWrite(a, octets(i), true);
    ble.gattsWrite(b, octets(7), true);
    await delay(two.air.clock, 500);
    expect(values(central)).toEqual([`i ${a} 1`, `i ${a} 5`, `i ${b} 7`]);
    expect(of(peripheral, "gattsIndicateDone")).toMatchObject([{ valueHandle: a }, { valueHandle: a }, { valueHandle: b }]);
  });

  test("one that waits is not sent to a client that does not want it any more, and is not told of", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handles, c, p, ble } = await connected(two, Flag.Indicate, Flag.Indicate);
    const [a, b] = handles as [number, number];
    await subscribe(two, c, b, 2);
    using silent = hostLink(central).pause();
    await ble.gattsIndicate(p, a, octets(1));
    ble.gattsWrite(b, octets(2), true);
    await hostLink(central)
      .att.request(hostLink(central).att.valueFrame(AttOpcode.WriteReq, b + 1, octets(0, 0)), () => undefined, { timeoutMs: 200 })
      .catch(() => undefined);
    silent[Symbol.dispose]();
    await delay(two.air.clock, 300);
    expect(values(central)).toEqual([`i ${a} 1`]);
    expect(of(peripheral, "gattsIndicateDone")).toMatchObject([{ valueHandle: a, status: 0 }]);
  });

  test("one that waits when the link is lost was promised to nobody", async () => {
    await using two = await openTwo();
    const { central, peripheral } = two;
    const { handles, c, p, ble } = await connected(two, Flag.Indicate, Flag.Indicate);
    const [a, b] = handles as [number, number];
    await subscribe(two, c, a, 2);
    await subscribe(two, c, b, 2);
    using _silent = hostLink(central).pause();
    ble.gattsWrite(a, octets(1), true); // leaves
    ble.gattsWrite(b, octets(2), true); // waits
    await ble.gattsIndicate(p, b, octets(3));
    await hostLink(central).disconnect();
    await peripheral.next("centralDisconnect");
    expect(of(peripheral, "gattsIndicateDone")).toMatchObject([
      { valueHandle: a, status: 7 },
      { valueHandle: b, status: 7 },
    ]);
  });

  test("each connection has its own configuration; a new one has none", async () => {
    await using air = new SimulatedAir({ seed: 5 });
    const peripheral = new Instance(air, "peripheral");
    const centrals = [new Instance(air, "one"), new Instance(air, "two")];
    for (const { ble } of [peripheral, ...centrals]) await ble.active(true);
    const [handle] = (await register(peripheral, Flag.Notify | Flag.Indicate)) as [number];
    const conns: number[] = [];
    for (const [i, central] of centrals.entries()) {
      const two = { air, central, peripheral } as unknown as Two;
      const { c } = await connect(two);
      conns.push(c);
      await subscribe(two, c, handle, i + 1);
    }
    peripheral.ble.gattsWrite(handle, octets(1), true);
    await delay(air.clock, 200);
    expect(centrals.map(values)).toEqual([[`n ${handle} 1`], [`i ${handle} 1`]]);
    await centrals[0]!.ble.gapDisconnect(conns[0]!);
    await centrals[0]!.next("peripheralDisconnect");
    await connect({ air, central: centrals[0]!, peripheral } as unknown as Two);
    peripheral.ble.gattsWrite(handle, octets(2), true);
    await delay(air.clock, 200);
    expect(centrals.map(values)).toEqual([[`n ${handle} 1`], [`i ${handle} 1`, `i ${handle} 2`]]);
    for (const { ble } of [...centrals, peripheral]) await ble.close();
  });

  test("a bonded client's configuration is kept, and comes back with the bond's key", async () => {
    await using two = await openTwo("peripheral first", { bonds: new MemoryBondStore() });
    const { central, peripheral } = two;
    for (const { ble } of [central, peripheral]) await ble.config({ bond: true });
    const { handle, c, ble } = await connected(two, Flag.Notify);
    await central.ble.gapPair(c);
    await central.next("encryptionUpdate");
    await subscribe(two, c, handle, 1);
    await central.ble.gapDisconnect(c);
    await central.next("peripheralDisconnect");
    const again = await connect(two);
    ble.gattsWrite(handle, octets(1), true); // in the clear it is anybody's
    peripheral.clear();
    await central.ble.gapPair(again.c);
    expect(await peripheral.next("gattsSubscribe")).toMatchObject({
      connHandle: again.p,
      valueHandle: handle,
      notify: true,
      indicate: false,
    });
    ble.gattsWrite(handle, octets(2), true);
    await delay(two.air.clock, 100);
    expect(values(central)).toEqual([`n ${handle} 2`]);
  });

  test("descriptors and characteristics without a configuration are sent to nobody", async () => {
    await using two = await openTwo();
    const [handles] = (await two.peripheral.ble.gattsRegisterServices([[SERVICE, [[TYPE, Flag.Read, [[TYPE, Flag.Read]]]]]])) as [number[]];
    await connect(two);
    for (const handle of handles) expect(two.peripheral.ble.gattsWrite(handle, "abc", true)).toBe(3);
    await delay(two.air.clock, 200);
    expect(values(two.central)).toEqual([]);
  });
});
