import { describe, expect, test } from "vitest";
import { adapterOf, disposeOfClocks, openedAdapter } from "../../../test/support/usb-adapter.ts";
import { SimulatedUsb } from "../../testing/index.ts";
import { openTransport, openWebUsb, requestUsbTransport, type WebUsbAlternate, type WebUsbDevice, type WebUsbEndpoint } from "../index.ts";
import { findHciInterface } from "./find-interface.ts";
import { openPageUsb } from "./page.ts";

disposeOfClocks();

describe("adapters of vendors' classes", () => {
  test("one of a vendor's class is taken where the user has chosen it, and is not the first of usb:", async () => {
    const { transport } = await openedAdapter({ hasVendorClass: true });
    expect(transport.info.spec).toBe("usb:1209:0001");
    const { adapter } = adapterOf({ hasVendorClass: true });
    const usb = new SimulatedUsb();
    usb.plug(adapter);
    usb.give(adapter);
    await expect(openPageUsb("", {}, usb)).rejects.toMatchObject({ reason: "not-found" });
    await using named = await openPageUsb("1209:0001", {}, usb);
    expect(named.info.spec).toBe("usb:1209:0001");
  });
});

describe("opening", () => {
  test.each([
    [{ isForbidden: true }, "permission", 'SUBSYSTEM=="usb", ATTR{idVendor}=="1209", ATTR{idProduct}=="0001", TAG+="uaccess"'],
    [{ isProtected: true }, "permission", "the browser gives no page the interface of 1209:0001, whose class is Wireless Controller"],
    [{ isTaken: true }, "busy", "is in use by another program, or by the system's own Bluetooth driver"],
  ] as const)("%j is one sentence, and the device is closed", async (options, reason, text) => {
    const { adapter, clock } = adapterOf(options);
    const failed = await openWebUsb(adapter, { clock }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "ERR_TRANSPORT", reason, cause: { name: expect.stringMatching(/Error$/) } });
    expect((failed as Error).message).toContain(text);
    expect(adapter.opened).toBe(false);
  });

  test("one that was unplugged, or has no HCI, is one sentence", async () => {
    const { adapter, clock } = adapterOf();
    adapter.unplug();
    await expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({
      reason: "not-found",
      message: "usb:1209:0001: USB device 1209:0001 is gone",
    });
    const other = adapterOf().adapter;
    Object.assign(other, { configurations: [{ configurationValue: 1, interfaces: [] }] });
    await expect(openWebUsb(other, { clock })).rejects.toMatchObject({ reason: "unsupported" });
    expect(other.opened).toBe(false);
  });

  test("a device serves one transport at a time", async () => {
    const { adapter, clock, transport, ends } = await openedAdapter();
    await expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({ reason: "busy" });
    expect([adapter.opened, ends]).toEqual([true, []]);
    await transport[Symbol.asyncDispose]();
  });

  test("a signal, and five seconds, give it up; what opens later is closed", async () => {
    const { adapter, clock } = adapterOf();
    const open = adapter.open.bind(adapter);
    let finish: () => void = () => {};
    adapter.open = async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await open();
    };
    const abort = new AbortController();
    const aborted = openWebUsb(adapter, { clock, signal: abort.signal }).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort(new Error("enough"));
    expect(await aborted).toMatchObject({ message: "enough" });
    finish();
    await clock.advance(0);
    expect(adapter.opened).toBe(false);
    const late = expect(openWebUsb(adapter, { clock })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(5000);
    await late;
  });

  test("what is no device, and options that are not known, are refused", async () => {
    for (const half of [{}, { open: () => undefined }, { transferIn: () => undefined }])
      await expect(openWebUsb(half as unknown as WebUsbDevice)).rejects.toThrow("expected a USBDevice");
    await expect(openWebUsb(adapterOf().adapter, { baudRate: 1 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(requestUsbTransport({ filters: 1 as never, usb: new SimulatedUsb() })).rejects.toThrow("expected a list");
    await expect(requestUsbTransport({ filter: [] } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("in a page", () => {
  test("the user chooses from a list of adapters, and the next time nobody is asked", async () => {
    const { adapter, clock } = adapterOf({ serialNumber: "A1" });
    const mouse = adapterOf({ vendorId: 0x1111 }).adapter;
    Object.assign(mouse, { deviceClass: 0, configurations: [] });
    let shown = 0;
    const usb = new SimulatedUsb({
      choose: (devices) => {
        shown = devices.length;
        return devices[0];
      },
    });
    usb.plug(mouse);
    usb.plug(adapter);
    await expect(openPageUsb("", {}, usb)).rejects.toMatchObject({
      reason: "not-found",
      message: expect.stringContaining("requestUsbTransport()"),
    });
    {
      await using transport = await requestUsbTransport({ usb, clock });
      expect([shown, transport.info.spec]).toEqual([1, "usb:1209:0001"]);
    }
    for (const rest of ["", "0", "1209:0001", "1209:0001#A1"]) await (await openPageUsb(rest, {}, usb))[Symbol.asyncDispose]();
    for (const rest of ["1", "1209:0002", "1209:0001#A2"])
      await expect(openPageUsb(rest, {}, usb)).rejects.toMatchObject({ reason: "not-found" });
    await expect(openPageUsb("1-2", {}, usb)).rejects.toMatchObject({ reason: "unsupported" });
  });

  test("the list shows adapters of vendors' classes too, and what the page wants", async () => {
    const { adapter, clock } = adapterOf({ hasVendorClass: true });
    const usb = new SimulatedUsb();
    usb.plug(adapter);
    await (await requestUsbTransport({ usb, clock }))[Symbol.asyncDispose]();
    await expect(requestUsbTransport({ usb, clock, filters: [{ vendorId: 0x1234 }] })).rejects.toMatchObject({ reason: "refused" });
    await (await requestUsbTransport({ usb, clock, filters: [{ vendorId: 0x1209, productId: 1 }] }))[Symbol.asyncDispose]();
  });

  test.each([
    [{ choose: () => undefined }, "no USB device was chosen"],
    [{ isClicked: () => false }, "only while a click is handled"],
  ] as const)("one that is not chosen is refused (%j)", async (options, text) => {
    const failed = await requestUsbTransport({ usb: new SimulatedUsb(options) }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "ERR_TRANSPORT", reason: "refused", message: expect.stringContaining(text) });
  });

  test("without WebUSB it is unsupported", async () => {
    await expect(requestUsbTransport()).rejects.toMatchObject({
      reason: "unsupported",
      message: expect.stringContaining("there is no WebUSB here"),
    });
  });
});

describe("which interface", () => {
  const endpoints: WebUsbEndpoint[] = [
    { endpointNumber: 1, direction: "in", type: "interrupt", packetSize: 16 },
    { endpointNumber: 2, direction: "in", type: "bulk", packetSize: 64 },
    { endpointNumber: 2, direction: "out", type: "bulk", packetSize: 64 },
  ];
  const setting = (alternateSetting: number, interfaceClass: number, has = endpoints): WebUsbAlternate => {
    return { alternateSetting, interfaceClass, interfaceSubclass: 1, interfaceProtocol: 1, endpoints: has };
  };
  const deviceOf = (...interfaces: WebUsbAlternate[][]) => {
    const described = interfaces.map((alternates, i) => ({ interfaceNumber: i, alternate: alternates[0]!, alternates }));
    return { device: adapterOf({ isComposite: true }).adapter, configuration: { configurationValue: 1, interfaces: described } };
  };
  const find = ({ device, configuration }: ReturnType<typeof deviceOf>, isNamed = true) => findHciInterface(device, configuration, isNamed);

  test("the one with all three endpoints, in whatever setting", () => {
    const voice = setting(0, 0xe0, []);
    expect(find(deviceOf([voice], [setting(0, 0xe0)]))).toMatchObject({ interfaceNumber: 1, alternateSetting: 0, isOtherSetting: false });
    expect(find(deviceOf([voice, setting(1, 0xe0)]))).toMatchObject({ interfaceNumber: 0, alternateSetting: 1, isOtherSetting: true });
    for (let missing = 0; missing < 3; missing++)
      for (const instead of [[], [{ ...endpoints[missing]!, packetSize: 0 }]])
        expect(find(deviceOf([setting(0, 0xe0, endpoints.toSpliced(missing, 1, ...instead))]))).toBeUndefined();
  });

  test("that of Bluetooth before that of a vendor, which has to be named", () => {
    expect(find(deviceOf([setting(0, 0xff)], [setting(0, 0xe0)]))).toMatchObject({ interfaceNumber: 1, isComposite: true });
    expect(find(deviceOf([setting(0, 0xff)]))).toMatchObject({ interfaceNumber: 0, isComposite: false });
    expect(find(deviceOf([setting(0, 0xff)]), false)).toBeUndefined();
    expect(find(deviceOf([setting(0, 0x03)]))).toBeUndefined();
  });

  test("another setting than the one that is chosen is chosen", async () => {
    const { adapter, clock } = adapterOf();
    const { configuration } = deviceOf([setting(0, 0xe0, []), setting(1, 0xe0)]);
    const calls: unknown[] = [];
    Object.assign(adapter, {
      configurations: [configuration],
      configuration,
      claimInterface: async (number: number) => void calls.push(["claim", number]),
      selectAlternateInterface: async (...which: number[]) => void calls.push(["select", ...which]),
      selectConfiguration: async () => void calls.push("configuration"),
    });
    await openWebUsb(adapter, { clock });
    expect(calls).toEqual([
      ["claim", 0],
      ["select", 0, 1],
    ]);
  });
});

test.each(["x", "12:34", "0a12:0001#", "1-", "-1", "1234", "1-2x", "1-2.", "g-1", "0a12:0001x"])(
  "usb:%s is not understood",
  async (rest) => {
    await expect(openTransport(`usb:${rest}`)).rejects.toMatchObject({
      reason: "unknown-spec",
      message: expect.stringContaining("usb:VID:PID"),
    });
  },
);
