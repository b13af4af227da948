import { expect, test } from "vitest";
import { Flag, UUID } from "../src/micropython/index.ts";
import { advertise, connectToOther, type Program, runPair, text } from "./support/micropython-script.ts";

// Two programs each, in the manner of scripts that run on two devices: what they print is compared, whichever of them was there first.

const SERVICE = new UUID("a5a5a5a5-ffff-9999-1111-5a5a5a5a5a5a");
const CHARACTERISTIC = new UUID("00000000-1111-2222-3333-444444444444");
const { Read, Write, WriteNoResponse, Notify, Indicate } = Flag;

/** A service with one characteristic; gives the handle of its value. */
async function register({ ble }: Program, flags: number): Promise<number> {
  const [[handle]] = (await ble.gattsRegisterServices([[SERVICE, [[CHARACTERISTIC, flags]]]])) as [[number]];
  return handle;
}

/** Finds the characteristic; gives the handle of its value. */
async function find({ ble, wait }: Program, conn: number): Promise<{ value: number; end: number }> {
  await ble.gattcDiscoverServices(conn, SERVICE);
  const { startHandle, endHandle } = await wait("gattcServiceResult");
  await wait("gattcServiceDone");
  await ble.gattcDiscoverCharacteristics(conn, startHandle, endHandle, CHARACTERISTIC);
  const { valueHandle, endHandle: end } = await wait("gattcCharacteristicResult");
  await wait("gattcCharacteristicDone");
  return { value: valueHandle, end };
}

async function read({ ble, wait }: Program, conn: number, handle: number): Promise<string> {
  await ble.gattcRead(conn, handle);
  const { data } = await wait("gattcReadResult");
  await wait("gattcReadDone");
  return text(data);
}

test("reads, writes with and without response, notifications and indications, in the order of the program", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print, wait } = program;
        const handle = await register(program, Read | Write | WriteNoResponse | Notify | Indicate);
        ble.gattsWrite(handle, "periph0");
        const conn = await advertise(program);
        program.onEvent = (event) => {
          if (event.type === "gattsReadRequest") print("read request", event.attrHandle === handle);
          if (event.type === "gattsWrite") print("write", text(ble.gattsRead(event.attrHandle)));
          if (event.type === "gattsIndicateDone") print("indicated", event.status);
        };
        await wait("gattsWrite");
        ble.gattsWrite(handle, "periph1");
        await ble.gattsNotify(conn, handle); // the stored value
        await wait("gattsReadRequest"); // for the notification
        await wait("gattsReadRequest"); // of the client
        await ble.gattsNotify(conn, handle, "periph2"); // which leaves it as it was
        await wait("gattsWrite");
        await wait("gattsWrite");
        ble.gattsWrite(handle, "periph3");
        await ble.gattsIndicate(conn, handle);
        await wait("gattsIndicateDone");
        await program.meet();
        await ble.gattsIndicate(conn, handle, "periph4");
        await wait("gattsIndicateDone");
        print("stored", text(ble.gattsRead(handle)));
        await wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print, wait } = program;
        const conn = await connectToOther(program);
        const { value } = await find(program, conn);
        program.onEvent = (event) => {
          if (event.type === "gattcNotify") print("notified", text(event.data));
          if (event.type === "gattcIndicate") print("indicated", text(event.data));
          if (event.type === "gattcWriteDone") print("written", event.status);
        };
        print("read", await read(program, conn, value));
        await ble.gattcWrite(conn, value, "central0", 1);
        await wait("gattcWriteDone");
        await wait("gattcNotify");
        print("read", await read(program, conn, value));
        await wait("gattcNotify");
        print("read", await read(program, conn, value));
        await ble.gattcWrite(conn, value, "central1");
        await ble.gattcWrite(conn, value, "central2", 1);
        await wait("gattcWriteDone");
        await wait("gattcIndicate");
        print("read", await read(program, conn, value));
        await program.meet();
        await wait("gattcIndicate");
        await program.sleep(100);
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [
      [
        "read request true",
        "write central0",
        "read request true",
        "read request true",
        "read request true",
        "write central1",
        "write central2",
        "read request true",
        "indicated 0",
        "read request true",
        "indicated 0",
        "stored periph3",
      ],
      [
        "read periph0",
        "written 0",
        "notified periph1",
        "read periph1",
        "notified periph2",
        "read periph1",
        "written 0",
        "indicated periph3",
        "read periph3",
        "indicated periph4",
      ],
    ],
  );
});

test("descriptors are found behind the value, read, and written with and without response", async () => {
  const types = [new UUID(0x2901), new UUID("12345678-1234-5678-9abc-def012345678")] as const;
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const [handles] = (await ble.gattsRegisterServices([
          [
            SERVICE,
            [
              [
                CHARACTERISTIC,
                Read | Notify,
                [
                  [types[0], Read],
                  [types[1], Read | Write | WriteNoResponse],
                ],
              ],
            ],
          ],
        ])) as [number[]];
        ble.gattsWrite(handles[1]!, "name");
        ble.gattsWrite(handles[2]!, "other");
        const conn = await advertise(program);
        program.onEvent = (event) => {
          if (event.type === "gattsWrite") print("write", handles.indexOf(event.attrHandle), text(ble.gattsRead(event.attrHandle)));
        };
        print(conn > 0, handles.length);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print, wait } = program;
        const conn = await connectToOther(program);
        const { value, end } = await find(program, conn);
        const found: number[] = [];
        program.onEvent = (event) => {
          if (event.type !== "gattcDescriptorResult") return;
          found.push(event.descHandle);
          print("descriptor", event.descHandle - value, event.uuid);
        };
        await ble.gattcDiscoverDescriptors(conn, value, end);
        await wait("gattcDescriptorDone");
        print("read", await read(program, conn, found[1]!), await read(program, conn, found[2]!));
        await ble.gattcWrite(conn, found[2]!, "with", 1);
        print("status", (await wait("gattcWriteDone")).status);
        print("read", await read(program, conn, found[2]!));
        await ble.gattcWrite(conn, found[2]!, "without");
        print("read", await read(program, conn, found[2]!));
        await ble.gattcWrite(conn, found[1]!, "no", 1);
        print("status", (await wait("gattcWriteDone")).status);
        await ble.gattcWrite(conn, found[0]!, Uint8Array.of(1, 0), 1);
        print("status", (await wait("gattcWriteDone")).status);
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [
      ["true 3", "write 2 with", "write 2 without"],
      [
        "descriptor 1 UUID(0x2902)",
        "descriptor 2 UUID(0x2901)",
        "descriptor 3 UUID('12345678-1234-5678-9abc-def012345678')",
        "read name other",
        "status 0",
        "read with",
        "read without",
        "status 259",
        "status 0",
      ],
    ],
  );
});

test("the device name that is read is the latest", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble } = program;
        await ble.config({ gapName: "first" });
        await register(program, Read);
        const conn = await advertise(program);
        for (const name of ["second", "third"]) {
          await program.meet();
          await ble.config({ gapName: name });
          await program.meet();
        }
        await program.meet();
        await ble.gapDisconnect(conn);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print, wait } = program;
        const conn = await connectToOther(program);
        await ble.gattcDiscoverCharacteristics(conn, 1, 0xffff, new UUID(0x2a00));
        const { valueHandle } = await wait("gattcCharacteristicResult");
        await wait("gattcCharacteristicDone");
        for (let i = 0; i < 2; i++) {
          print(await read(program, conn, valueHandle));
          await program.meet();
          await program.meet();
        }
        print(await read(program, conn, valueHandle));
        await program.meet();
        await wait("peripheralDisconnect");
      },
    },
    [[], ["first", "second", "third"]],
  );
});

test("four writes of 8 octets add up in a value that is appended to", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, Write | WriteNoResponse);
        ble.gattsSetBuffer(handle, 100, true);
        await advertise(program);
        await program.meet();
        const all = ble.gattsRead(handle);
        print(all.length, text(all));
        print(ble.gattsRead(handle).length);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, wait } = program;
        const conn = await connectToOther(program);
        const { value } = await find(program, conn);
        for (let i = 0; i < 3; i++) await ble.gattcWrite(conn, value, `write  ${i}`);
        await ble.gattcWrite(conn, value, "write  3", 1);
        await wait("gattcWriteDone");
        await program.meet();
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [["32 write  0write  1write  2write  3", "0"], []],
  );
});

test("what is written is cut at the ATT_MTU and at the room of the value, and is a success all the same", async () => {
  const write = async (program: Program, conn: number, handle: number): Promise<void> => {
    const data = Uint8Array.from({ length: 38 }, (_, i) => i);
    await program.ble.gattcWrite(conn, handle, data, 1);
    program.print("status", (await program.wait("gattcWriteDone")).status);
    await program.meet();
  };
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, Write);
        await advertise(program);
        const shown = (): void => print(ble.gattsRead(handle).length);
        await program.meet(); // room for 20, ATT_MTU 23
        shown();
        ble.gattsSetBuffer(handle, 40);
        await program.meet();
        await program.meet(); // room for 40, ATT_MTU 23
        shown();
        await program.meet(); // ATT_MTU 100
        shown();
        ble.gattsSetBuffer(handle, 80, true);
        await program.meet();
        await program.meet();
        await program.meet(); // twice, one behind the other
        shown();
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, wait } = program;
        await ble.config({ mtu: 100 });
        const conn = await connectToOther(program);
        const { value } = await find(program, conn);
        await write(program, conn, value);
        await program.meet();
        await write(program, conn, value);
        await ble.gattcExchangeMtu(conn);
        await wait("mtuExchanged");
        await write(program, conn, value);
        await program.meet();
        await write(program, conn, value);
        await write(program, conn, value);
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [
      ["20", "20", "38", "76"],
      ["status 0", "status 0", "status 0", "status 0", "status 0"],
    ],
  );
});

test.each([
  ["central", 300, 256, 256],
  ["central", 300, 200, 200],
  ["central", 300, 400, 300],
  ["central", 300, 50, 50],
  ["peripheral", 256, 290, 256],
  ["peripheral", 190, 290, 190],
  ["peripheral", 350, 290, 290],
] as const)(
  "exchange begun by the %s, central %i, peripheral %i: %i, and values are cut there",
  async (asking, central, peripheral, mtu) => {
    await runPair(
      {
        instance0: async (program) => {
          const { ble, print, wait } = program;
          await ble.config({ mtu: peripheral });
          const handle = await register(program, Read | Write);
          ble.gattsSetBuffer(handle, 500);
          const conn = await advertise(program);
          await program.meet();
          if (asking === "peripheral") await ble.gattcExchangeMtu(conn);
          print("mtu", (await wait("mtuExchanged")).mtu);
          await expect(ble.gattcExchangeMtu(conn)).rejects.toMatchObject({ code: "EALREADY" });
          await ble.gattsNotify(conn, handle, new Uint8Array(64));
          await program.meet();
          print("stored", ble.gattsRead(handle).length);
          await wait("centralDisconnect");
        },
        instance1: async (program) => {
          const { ble, print, wait } = program;
          await ble.config({ mtu: central });
          const conn = await connectToOther(program);
          const { value } = await find(program, conn);
          await program.meet();
          if (asking === "central") await ble.gattcExchangeMtu(conn);
          print("mtu", (await wait("mtuExchanged")).mtu);
          await expect(ble.gattcExchangeMtu(conn)).rejects.toMatchObject({ code: "EALREADY" });
          print("notified", (await wait("gattcNotify")).data.length);
          await ble.gattcWrite(conn, value, new Uint8Array(mtu + 20), 1);
          await wait("gattcWriteDone");
          await program.meet();
          await ble.gapDisconnect(conn);
          await wait("peripheralDisconnect");
        },
      },
      [
        [`mtu ${mtu}`, `stored ${mtu - 3}`],
        [`mtu ${mtu}`, `notified ${Math.min(64, mtu - 3)}`],
      ],
    );
  },
);

test("send_update reaches who subscribed: a notification, then an indication, then nothing", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, Read | Notify | Indicate);
        await advertise(program);
        program.onEvent = (event) => {
          if (event.type === "gattsSubscribe") print("subscribed", event.valueHandle === handle, event.notify, event.indicate);
          if (event.type === "gattsIndicateDone") print("indicated", event.status);
          if (event.type === "gattsWrite") print("write"); // never: the configuration is not the program's
        };
        for (const value of ["none", "notify", "indicate", "both", "none again"]) {
          await program.meet();
          ble.gattsWrite(handle, value, true);
          await program.sleep(150);
          await program.meet();
        }
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print, wait } = program;
        const conn = await connectToOther(program);
        const { value } = await find(program, conn);
        program.onEvent = (event) => {
          if (event.type === "gattcNotify" || event.type === "gattcIndicate") print(event.type, text(event.data));
        };
        for (const bits of [undefined, 1, 2, 3, 0]) {
          if (bits !== undefined) {
            await ble.gattcWrite(conn, value + 1, Uint8Array.of(bits, 0), 1);
            await wait("gattcWriteDone");
          }
          await program.meet();
          await program.meet();
        }
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [
      [
        "subscribed true true false",
        "subscribed true false true",
        "indicated 0",
        "subscribed true true true",
        "subscribed true false false",
      ],
      ["gattcNotify notify", "gattcIndicate indicate", "gattcNotify both"],
    ],
  );
});

test("a whole client in its handler: exchange, discovery, descriptors, reads and writes, each begun by the end of the one before", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, Read | Write | Notify);
        ble.gattsWrite(handle, "value");
        program.onEvent = (event) => {
          if (event.type === "centralConnect") void ble.gattsNotify(event.connHandle, handle, "hello");
          if (event.type === "gattsWrite") {
            print("write", text(ble.gattsRead(event.attrHandle)));
            ble.gattsWrite(event.attrHandle, "answer");
            return ble.gattsNotify(event.connHandle, event.attrHandle); // asks for the value first: done when the notification has gone
          }
          return undefined;
        };
        await advertise(program);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print } = program;
        let [start, end, value, cccd] = [0, 0, 0, 0];
        const recurse = (depth: number): number => (depth === 0 ? 0 : 1 + recurse(depth - 1));
        program.onEvent = (event) => {
          print(event.type, recurse(2000) === 2000 ? "" : "not deep");
          switch (event.type) {
            case "peripheralConnect":
              void ble.gattcExchangeMtu(event.connHandle);
              void ble.gattcDiscoverServices(event.connHandle, SERVICE);
              return;
            case "gattcServiceResult":
              [start, end] = [event.startHandle, event.endHandle];
              return;
            case "gattcServiceDone":
              void ble.gattcDiscoverCharacteristics(event.connHandle, start, end);
              return;
            case "gattcCharacteristicResult":
              value = event.valueHandle;
              return;
            case "gattcCharacteristicDone":
              void ble.gattcDiscoverDescriptors(event.connHandle, value, end);
              return;
            case "gattcDescriptorResult":
              cccd = event.descHandle;
              return;
            case "gattcDescriptorDone":
              void ble.gattcWrite(event.connHandle, cccd, Uint8Array.of(1, 0), 1);
              return;
            case "gattcWriteDone":
              if (event.valueHandle === cccd) void ble.gattcRead(event.connHandle, value);
              return;
            case "gattcReadDone":
              void ble.gattcWrite(event.connHandle, value, "new", 1);
              return;
            case "gattcNotify":
              if (text(event.data) === "answer") void ble.gapDisconnect(event.connHandle);
              return;
            default:
          }
        };
        await connectToOther(program);
        await program.wait("peripheralDisconnect");
      },
    },
    [
      ["write new"],
      [
        "peripheralConnect",
        "dataLengthUpdate",
        "gattcNotify",
        "mtuExchanged",
        "gattcServiceResult",
        "gattcServiceDone",
        "gattcCharacteristicResult",
        "gattcCharacteristicDone",
        "gattcDescriptorResult",
        "gattcDescriptorDone",
        "gattcWriteDone",
        "gattcReadResult",
        "gattcReadDone",
        "gattcNotify",
        "gattcWriteDone",
        "peripheralDisconnect",
      ].map((type) => `${type} `),
    ],
  );
});

test("40 write commands in a burst are each seen once, in order, with their value in the handler", async () => {
  const expected = Array.from({ length: 40 }, (_, i) => `value ${i}`);
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, WriteNoResponse);
        ble.gattsSetBuffer(handle, 100);
        program.onEvent = (event) => {
          if (event.type === "gattsWrite") print(text(ble.gattsRead(event.attrHandle)));
        };
        await advertise(program);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        const { ble, print, wait } = program;
        const conn = await connectToOther(program);
        await ble.gattcExchangeMtu(conn); // overlaps the discovery
        const { value } = await find(program, conn);
        const sent = expected.map((each) => ble.gattcWrite(conn, value, each)); // all at once
        await Promise.all(sent);
        print("all given to the controller");
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [expected, ["all given to the controller"]],
  );
});

test("50 notifications there and back, each sent from within the handler of the one before, at 12.5 ms", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print } = program;
        const handle = await register(program, Notify);
        let seen = 0;
        program.onEvent = (event) => {
          if (event.type !== "gattcNotify") return;
          seen++;
          if (seen < 50) void ble.gattsNotify(event.connHandle, handle, event.data);
        };
        const conn = await advertise(program);
        await program.meet();
        await ble.gattsNotify(conn, handle, Uint8Array.of(0));
        await program.wait("centralDisconnect");
        print(seen);
      },
      instance1: async (program) => {
        const { ble, print } = program;
        let last = 0;
        const over = new Promise<void>((resolve) => {
          program.onEvent = (event) => {
            if (event.type !== "gattcNotify") return;
            last = event.data[0]! + 1;
            void ble.gattsNotify(event.connHandle, event.valueHandle, Uint8Array.of(last)).then(() => last === 50 && resolve());
          };
        });
        const conn = await connectToOther(program, [12_500, 12_500]);
        await program.meet();
        await over;
        await program.sleep(50);
        print(last);
        await ble.gapDisconnect(conn);
        await program.wait("peripheralDisconnect");
      },
    },
    [["50"], ["50"]],
  );
});
