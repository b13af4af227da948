import { expect, test } from "vitest";
import { type BleEvent, Flag, type IrqResult, UUID } from "../src/micropython/index.ts";
import { advertise, connectToOther, type Program, runPair, text } from "./support/micropython-script.ts";

// Two programs each, in the manner of scripts that run on two devices: pairing, bonding and channels.

const SERVICE = new UUID("a5a5a5a5-ffff-9999-1111-5a5a5a5a5a5a");
const CHARACTERISTIC = new UUID("00000000-1111-2222-3333-444444444444");
const PSM = 22;

/** What such a script prints of an event. */
function printed(event: BleEvent): string | undefined {
  switch (event.type) {
    case "encryptionUpdate":
      return `ENCRYPTION_UPDATE ${[event.encrypted, event.authenticated, event.bonded].map(Number).join(" ")}`;
    case "gattsReadRequest":
      return "READ_REQUEST";
    case "l2capAccept":
      return `L2CAP_ACCEPT ${event.psm} ${event.ourMtu} ${event.peerMtu}`;
    case "l2capConnect":
      return `L2CAP_CONNECT ${event.psm} ${event.ourMtu} ${event.peerMtu}`;
    case "l2capDisconnect":
      return `L2CAP_DISCONNECT ${event.psm} ${event.status}`;
    case "centralConnect":
    case "centralDisconnect":
    case "peripheralConnect":
    case "peripheralDisconnect":
      return event.type;
    default:
      return undefined;
  }
}

/** Prints what happens, and keeps secrets where there are any. */
function watch(program: Program, secrets?: Map<string, Uint8Array>): void {
  const answer = (event: BleEvent): IrqResult => {
    if (event.type === "getSecret") return event.key ? (secrets?.get(`${event.secType} ${event.key}`) ?? null) : null;
    if (event.type !== "setSecret" || !secrets) return undefined;
    const at = `${event.secType} ${event.key}`;
    if (!event.value) return secrets.delete(at);
    secrets.set(at, event.value);
    return true;
  };
  program.onEvent = (event) => {
    const line = printed(event);
    if (line !== undefined) program.print(line);
    return answer(event);
  };
}

/** Reads; prints the value, or the status. */
async function read({ ble, wait, print }: Program, conn: number, handle: number): Promise<void> {
  await ble.gattcRead(conn, handle);
  const { status } = await wait("gattcReadDone");
  print("read", status);
}

async function find({ ble, wait }: Program, conn: number): Promise<number> {
  await ble.gattcDiscoverCharacteristics(conn, 1, 0xffff, CHARACTERISTIC);
  const { valueHandle } = await wait("gattcCharacteristicResult");
  await wait("gattcCharacteristicDone");
  return valueHandle;
}

async function serve(program: Program): Promise<void> {
  const [[handle]] = (await program.ble.gattsRegisterServices([[SERVICE, [[CHARACTERISTIC, Flag.Read | Flag.ReadEncrypted]]]])) as [
    [number],
  ];
  program.ble.gattsWrite(handle, "encrypted");
}

test("a value that needs encryption is read after pairing, and only then", async () => {
  await runPair(
    {
      instance0: async (program) => {
        watch(program);
        await program.ble.config({ mitm: true, leSecure: true, bond: false });
        await serve(program);
        await advertise(program);
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        watch(program);
        const { ble, print, wait } = program;
        await ble.config({ mitm: true, leSecure: true, bond: false });
        const conn = await connectToOther(program);
        const value = await find(program, conn);
        await read(program, conn, value);
        await ble.gapPair(conn);
        await wait("encryptionUpdate");
        await read(program, conn, value);
        await ble.gattcRead(conn, value);
        print(text((await wait("gattcReadResult")).data));
        await ble.gapDisconnect(conn);
        await wait("peripheralDisconnect");
      },
    },
    [
      ["centralConnect", "ENCRYPTION_UPDATE 1 0 0", "READ_REQUEST", "READ_REQUEST", "centralDisconnect"],
      ["peripheralConnect", "read 261", "ENCRYPTION_UPDATE 1 0 0", "read 0", "encrypted", "peripheralDisconnect"],
    ],
  );
});

test("a bond: the second time the value tells that the key is missing, and the key is enough", async () => {
  const kept: Map<string, Uint8Array>[] = [];
  await runPair(
    {
      instance0: async (program) => {
        const secrets = new Map<string, Uint8Array>();
        kept.push(secrets);
        watch(program, secrets);
        await program.ble.config({ mitm: true, bond: true });
        await serve(program);
        for (let i = 0; i < 2; i++) {
          await advertise(program);
          await program.wait("centralDisconnect");
        }
      },
      instance1: async (program) => {
        const secrets = new Map<string, Uint8Array>();
        kept.push(secrets);
        watch(program, secrets);
        const { ble, wait } = program;
        await ble.config({ mitm: true, bond: true });
        for (let i = 0; i < 2; i++) {
          const conn = await connectToOther(program);
          const value = await find(program, conn);
          await read(program, conn, value);
          await ble.gapPair(conn);
          await wait("encryptionUpdate");
          await read(program, conn, value);
          await ble.gapDisconnect(conn);
          await wait("peripheralDisconnect");
        }
      },
    },
    [
      [1, 2].flatMap(() => ["centralConnect", "ENCRYPTION_UPDATE 1 0 1", "READ_REQUEST", "centralDisconnect"]),
      // 0x105: pair; 0x10F: use the key.
      [261, 271].flatMap((status) => ["peripheralConnect", `read ${status}`, "ENCRYPTION_UPDATE 1 0 1", "read 0", "peripheralDisconnect"]),
    ],
  );
  // The questions of the start were lost: the programs set their handlers later.
  for (const secrets of kept) expect([...secrets.keys()].map((key) => key.split(" ")[0])).toEqual(["1", "2"]);
});

/** SDU `i`, told from the others. */
const payload = (i: number, length: number): Uint8Array => new Uint8Array(length).fill(i + 1);
const LENGTHS = Array.from({ length: 16 }, (_, i) => 400 - i * 23); // to 55

async function send({ ble, wait }: Program, conn: number, cid: number, sdu: Uint8Array): Promise<void> {
  if (!ble.l2capSend(conn, cid, sdu)) await wait("l2capSendReady");
}

/** Waits for so many octets, and takes all there is each time; prints how many of each kind came, in their order. */
async function receive({ ble, wait, print }: Program, conn: number, cid: number, count: number): Promise<void> {
  const buffer = new Uint8Array(200);
  const runs: [octet: number, count: number][] = [];
  for (let left = count; left > 0; ) {
    await wait("l2capRecv");
    for (;;) {
      const read = ble.l2capRecvInto(conn, cid, buffer);
      if (read === 0) break;
      left -= read;
      for (const octet of buffer.subarray(0, read)) {
        if (runs.at(-1)?.[0] === octet) runs.at(-1)![1]++;
        else runs.push([octet, 1]);
      }
    }
  }
  print("received", runs.map(([octet, times]) => `${times}x${octet}`).join(" "));
}

const ALL = LENGTHS.reduce((sum, length) => sum + length, 0);
const RECEIVED = `received ${LENGTHS.map((length, i) => `${length}x${i + 1}`).join(" ")}`;

test("a channel: MTU 450, 16 SDUs from 400 down to 55 octets each way, stalls and what ends them", async () => {
  const transfer = async (program: Program, conn: number, cid: number, first: "send" | "receive"): Promise<void> => {
    for (const act of first === "send" ? ["send", "receive"] : ["receive", "send"]) {
      if (act === "receive") await receive(program, conn, cid, ALL);
      else for (const [i, length] of LENGTHS.entries()) await send(program, conn, cid, payload(i, length));
      await program.meet();
    }
  };
  await runPair(
    {
      instance0: async (program) => {
        watch(program);
        await advertise(program);
        await program.ble.l2capListen(PSM, 450);
        const { connHandle, cid } = await program.wait("l2capConnect");
        await transfer(program, connHandle, cid, "receive");
        await program.wait("centralDisconnect");
      },
      instance1: async (program) => {
        watch(program);
        const conn = await connectToOther(program);
        await program.ble.l2capConnect(conn, PSM, 450);
        const { cid } = await program.wait("l2capConnect");
        await transfer(program, conn, cid, "send");
        await program.ble.l2capDisconnect(conn, cid);
        await program.wait("l2capDisconnect");
        await program.ble.gapDisconnect(conn);
        await program.wait("peripheralDisconnect");
      },
    },
    [
      ["centralConnect", "L2CAP_ACCEPT 22 450 450", "L2CAP_CONNECT 22 450 450", RECEIVED, "L2CAP_DISCONNECT 22 0", "centralDisconnect"],
      ["peripheralConnect", "L2CAP_CONNECT 22 450 450", RECEIVED, "L2CAP_DISCONNECT 22 0", "peripheralDisconnect"],
    ],
  );
});

test("20 SDUs of 512 octets to a handler that reads them, and back one that ends the test", async () => {
  await runPair(
    {
      instance0: async (program) => {
        const { ble, print, wait } = program;
        watch(program);
        const also = program.onEvent!;
        const buffer = new Uint8Array(512);
        let received = 0;
        let isExact = true;
        program.onEvent = (event) => {
          if (event.type !== "l2capRecv") return also(event);
          for (;;) {
            const count = ble.l2capRecvInto(event.connHandle, event.cid, buffer);
            if (count === 0) return undefined;
            for (let i = 0; i < count; i++) isExact &&= buffer[i] === Math.floor((received + i) / 512) + 1;
            received += count;
          }
        };
        await advertise(program);
        await ble.l2capListen(PSM, 512);
        const { connHandle, cid } = await wait("l2capConnect");
        while (received < 20 * 512) await wait("l2capRecv");
        print("received", received, isExact);
        await send(program, connHandle, cid, payload(0, 1));
        await wait("centralDisconnect");
      },
      instance1: async (program) => {
        watch(program);
        const conn = await connectToOther(program);
        await program.ble.l2capConnect(conn, PSM, 512);
        const { cid } = await program.wait("l2capConnect");
        for (let i = 0; i < 20; i++) await send(program, conn, cid, payload(i, 512));
        await receive(program, conn, cid, 1);
        await program.ble.gapDisconnect(conn);
        await program.wait("peripheralDisconnect");
      },
    },
    [
      [
        "centralConnect",
        "L2CAP_ACCEPT 22 512 512",
        "L2CAP_CONNECT 22 512 512",
        "received 10240 true",
        "L2CAP_DISCONNECT 22 0",
        "centralDisconnect",
      ],
      ["peripheralConnect", "L2CAP_CONNECT 22 512 512", "received 1x1", "L2CAP_DISCONNECT 22 0", "peripheralDisconnect"],
    ],
  );
});

test("everything is started anew three times on both sides, each time with a channel, and the listener takes it again", async () => {
  const restart = async ({ ble }: Program): Promise<void> => {
    await ble.active(false);
    await ble.active(true);
  };
  await runPair(
    {
      instance0: async (program) => {
        watch(program);
        for (let i = 0; i < 3; i++) {
          if (i > 0) await restart(program);
          await program.ble.l2capListen(PSM, 450);
          await advertise(program);
          const { connHandle, cid } = await program.wait("l2capConnect");
          await receive(program, connHandle, cid, 100);
          await send(program, connHandle, cid, payload(i, 50));
          await program.wait("centralDisconnect");
          await program.meet();
        }
      },
      instance1: async (program) => {
        watch(program);
        for (let i = 0; i < 3; i++) {
          if (i > 0) await restart(program);
          const conn = await connectToOther(program);
          await program.ble.l2capConnect(conn, PSM, 450);
          const { cid } = await program.wait("l2capConnect");
          await send(program, conn, cid, payload(i, 100));
          await receive(program, conn, cid, 50);
          await program.ble.gapDisconnect(conn);
          await program.wait("peripheralDisconnect");
          await program.meet();
        }
      },
    },
    [
      [1, 2, 3].flatMap((i) => [
        "centralConnect",
        "L2CAP_ACCEPT 22 450 450",
        "L2CAP_CONNECT 22 450 450",
        `received 100x${i}`,
        "L2CAP_DISCONNECT 22 0",
        "centralDisconnect",
      ]),
      [1, 2, 3].flatMap((i) => [
        "peripheralConnect",
        "L2CAP_CONNECT 22 450 450",
        `received 50x${i}`,
        "L2CAP_DISCONNECT 22 0",
        "peripheralDisconnect",
      ]),
    ],
  );
});
