import { expect, test } from "vitest";
import { Air } from "../air/index.ts";
import { SystemClock, turn, VirtualClock } from "../async/index.ts";
import { Controller } from "../controller/index.ts";
import {
  Hci,
  LeAdvertisingReport,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanEnable,
  LeSetScanParameters,
} from "../hci/index.ts";
import { openTransport } from "./open.ts";
import { serveController } from "./serve.ts";

test("controllers of one process hear each other", async () => {
  const clock = new VirtualClock();
  await using advertiser = await Hci.open(await openTransport("sim:", { clock }), { clock });
  await using scanner = await Hci.open(await openTransport("sim:watch", { clock }), { clock });
  expect(scanner.transportInfo.spec).toBe("sim:watch");
  expect(advertiser.controller.address.equals(scanner.controller.address)).toBe(false);
  const heard = new Promise<Uint8Array>((resolve) => scanner.on(LeAdvertisingReport, ({ reports }) => resolve(reports[0]!.address)));
  await advertiser.send(LeSetAdvertisingParameters, {
    advertisingIntervalMin: 0x20,
    advertisingIntervalMax: 0x20,
    advertisingType: 3,
    ownAddressType: 0,
    peerAddress: advertiser.controller.address,
    advertisingChannelMap: 7,
    advertisingFilterPolicy: 0,
  });
  await advertiser.send(LeSetAdvertisingEnable, { advertisingEnable: true });
  await scanner.send(LeSetScanParameters, {
    leScanType: 0,
    leScanInterval: 0x10,
    leScanWindow: 0x10,
    ownAddressType: 0,
    scanningFilterPolicy: 0,
  });
  await scanner.send(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false });
  expect(await heard).toEqual(advertiser.controller.address.bytes);
});

test("a simulation that is run again gets the same addresses", async () => {
  const addresses = async (): Promise<(string | undefined)[]> => {
    const clock = new VirtualClock();
    await using first = await openTransport("sim:", { clock });
    await using second = await openTransport("sim:", { clock });
    return [first.info.address, second.info.address];
  };
  expect(await addresses()).toEqual(["02:00:00:00:00:01", "02:00:00:00:00:02"]);
  expect(await addresses()).toEqual(["02:00:00:00:00:01", "02:00:00:00:00:02"]);
});

test("programs in real time share one air, whatever clock they brought; a controller leaves it with its transport", async () => {
  const one = await openTransport("sim:shared");
  await using two = await openTransport("sim:shared", { clock: new SystemClock() });
  expect([one.info.spec, two.info.spec]).toEqual(["sim:shared", "sim:shared-2"]); // names are unique in an air
  await one[Symbol.asyncDispose]();
  await using three = await openTransport("sim:shared");
  expect(three.info.spec).toBe("sim:shared");
});

test("a virtual controller served over TCP is a controller like any other, for one host after another", async () => {
  const clock = new SystemClock();
  using air = new Air({ clock });
  using controller = new Controller({ air, address: "02:00:00:00:00:2A", name: "served" });
  await using server = await serveController(controller, "tcp:0");
  for (let i = 0; i < 2; i++) {
    await using hci = await Hci.open(await openTransport(server.spec), { clock });
    expect(hci.controller.address.toHex()).toBe("02:00:00:00:00:2A");
    const ended = new Promise((resolve) => hci.onClose(resolve));
    if (i === 1) {
      controller.remove();
      expect(await ended).toMatchObject({ code: "ERR_TRANSPORT_CLOSED" });
    }
  }
});

test("in real time an open controller keeps the program up, a closed one does not", async () => {
  const timers = async (): Promise<number> => {
    await turn(); // until then what keeps the program up is the turn itself
    return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  };
  const before = await timers();
  const transport = await openTransport("sim:");
  expect(await timers()).toBeGreaterThan(before);
  await transport[Symbol.asyncDispose]();
  expect(await timers()).toBe(before);
});
