// The end of a link while the program is still busy with what came before it.
import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import { type BleEvent, UUID } from "../src/micropython/index.ts";
import { connect, ORDERS, openTwo, type Two } from "./support/micropython.ts";

const SERVICE = new UUID("6e400001-b5a3-f393-e0a9-e50e24dcca9e");
const VALUE = new UUID("6e400002-b5a3-f393-e0a9-e50e24dcca9e");
/** FLAG_WRITE, FLAG_WRITE_NO_RESPONSE and FLAG_READ. */
const FLAGS = 0x0e;

/** A peripheral that takes `ms` over each value that is written, and reads it only then. */
async function slowPeripheral(two: Two, ms: number): Promise<{ value: number; told: string[] }> {
  const { peripheral, air } = two;
  const [[value]] = (await peripheral.ble.gattsRegisterServices([[SERVICE, [[VALUE, FLAGS]]]])) as [[number]];
  const told: string[] = [];
  peripheral.handle = async (event: BleEvent) => {
    if (event.type === "gattsWrite") {
      await delay(air.clock, ms);
      told.push(`write ${peripheral.ble.gattsRead(value)[0]}`);
    } else if (event.type === "centralConnect" || event.type === "centralDisconnect") told.push(event.type);
  };
  return { value, told };
}

const writes = (count: number): string[] => Array.from({ length: count }, (_, i) => `write ${i}`);

describe.each(ORDERS)("a link ends while the program is busy (%s)", (order) => {
  test("the program hears of everything that had arrived, each with its value, and then of the end", async () => {
    await using two = await openTwo(order);
    const { central, peripheral, air } = two;
    const { value, told } = await slowPeripheral(two, 1);
    const { c } = await connect(two, [7500, 7500]);
    for (let i = 0; i < 40; i++) await central.ble.gattcWrite(c, value, Uint8Array.of(i));
    await central.ble.gapDisconnect(c);
    await peripheral.next("centralDisconnect");
    await delay(air.clock, 100);
    expect(told).toEqual(["centralConnect", ...writes(40), "centralDisconnect"]);
  });

  test("a link that is lost loses nothing of what came before", async () => {
    await using two = await openTwo(order);
    const { central, peripheral, air } = two;
    const { value, told } = await slowPeripheral(two, 3000);
    const { c } = await connect(two);
    for (let i = 0; i < 5; i++) await central.ble.gattcWrite(c, value, Uint8Array.of(i));
    await delay(air.clock, 500);
    await central.ble.close();
    await peripheral.next("centralDisconnect");
    await delay(air.clock, 1);
    expect(told).toEqual(["centralConnect", ...writes(5), "centralDisconnect"]);
  });

  test("another link with the same handle is told of after the end of the first", async () => {
    await using two = await openTwo(order, { radio: { connectionHandles: "lowest" } });
    const { central, peripheral, air } = two;
    const { value, told } = await slowPeripheral(two, 1000);
    const first = await connect(two);
    for (let i = 0; i < 10; i++) await central.ble.gattcWrite(first.c, value, Uint8Array.of(i));
    await central.ble.gapDisconnect(first.c);
    await central.next("peripheralDisconnect");
    await peripheral.ble.gapAdvertise(20_000);
    const { addrType, addr } = peripheral.ble.config("mac");
    await central.ble.gapConnect(addrType, addr, 20_000);
    const { connHandle } = await central.next("peripheralConnect");
    await central.ble.gattcWrite(connHandle, value, Uint8Array.of(0xff), 1);
    expect((await central.next("gattcWriteDone")).status).toBe(0);
    await delay(air.clock, 2000);
    const both = peripheral.events
      .filter(({ type }) => type === "centralConnect")
      .map((event) => (event as { connHandle: number }).connHandle);
    expect(both).toEqual([first.p, first.p]);
    expect(told).toEqual(["centralConnect", ...writes(10), "centralDisconnect", "centralConnect", "write 255"]);
  });

  test("one that is gone again meanwhile is told of all the same, from its beginning to its end", async () => {
    await using two = await openTwo(order, { radio: { connectionHandles: "lowest" } });
    const { central, peripheral, air } = two;
    const { value, told } = await slowPeripheral(two, 5000);
    for (let i = 0; i < 3; i++) {
      await peripheral.ble.gapAdvertise(20_000);
      const { addrType, addr } = peripheral.ble.config("mac");
      await central.ble.gapConnect(addrType, addr, 20_000);
      const { connHandle } = await central.next("peripheralConnect");
      await central.ble.gattcWrite(connHandle, value, Uint8Array.of(i));
      await delay(air.clock, 100);
      await central.ble.gapDisconnect(connHandle);
      await central.next("peripheralDisconnect");
    }
    await delay(air.clock, 20_000);
    const kinds = ["centralConnect", "write", "centralDisconnect"];
    expect(told.map((what) => what.split(" ")[0])).toEqual([...kinds, ...kinds, ...kinds]);
  });

  test("who switches off hears no more of any of them", async () => {
    await using two = await openTwo(order, { radio: { connectionHandles: "lowest" } });
    const { central, peripheral, air } = two;
    const { value, told } = await slowPeripheral(two, 5000);
    for (let i = 0; i < 2; i++) {
      const { c } = i === 0 ? await connect(two) : { c: await again(two) };
      await central.ble.gattcWrite(c, value, Uint8Array.of(i));
      await delay(air.clock, 100);
      if (i === 0) await central.ble.gapDisconnect(c);
      if (i === 0) await central.next("peripheralDisconnect");
    }
    await peripheral.ble.active(false);
    await delay(air.clock, 30_000);
    expect(told.filter((what) => !what.startsWith("write"))).toEqual(["centralConnect"]);
  });
});

/** Connects once more, while the peripheral's program is busy. */
async function again({ central, peripheral }: Two): Promise<number> {
  await peripheral.ble.gapAdvertise(20_000);
  const { addrType, addr } = peripheral.ble.config("mac");
  await central.ble.gapConnect(addrType, addr, 20_000);
  return (await central.next("peripheralConnect")).connHandle;
}
