// A file over an L2CAP channel, with the class BLE of jelling/micropython: it is asked for by name and sent as fast as the receiver reads it.
// l2cap-file.ts is the same with objects and streams.
//
//   node micropython-l2cap-file.mjs
import { BLE, type BleEvent } from "jelling/micropython";
import { SimulatedAir } from "jelling/testing";

const PSM = 0x80;
const MTU = 512;
const FILES = new Map([["log.txt", new TextEncoder().encode("21.5 degrees and rising\n".repeat(400))]]);

await using air = new SimulatedAir({ seed: 1 });
const create = (name: string): BLE => new BLE({ controller: air.addController({ name }).transport, clock: air.clock });

/** What a server does for one channel: four octets of the length, then the file, one SDU after the other as the channel takes them. */
class Sending {
  readonly #octets: Uint8Array;
  #at = 0;
  constructor(file: Uint8Array) {
    this.#octets = new Uint8Array(4 + file.length);
    new DataView(this.#octets.buffer).setUint32(0, file.length);
    this.#octets.set(file, 4);
  }

  /** Until the channel is stalled or nothing is left. */
  goOn(ble: BLE, connHandle: number, cid: number, sduOctets: number): void {
    for (let isReady = true; isReady && this.#at < this.#octets.length; this.#at += sduOctets)
      isReady = ble.l2capSend(connHandle, cid, this.#octets.subarray(this.#at, this.#at + sduOctets));
  }
}

await using server = create("server");
const buffer = new Uint8Array(MTU);
let sending: Sending | undefined;
let sduOctets = 0;
server.irq((event) => {
  switch (event.type) {
    case "l2capConnect":
      sduOctets = event.peerMtu;
      break;
    case "l2capRecv": {
      const name = new TextDecoder().decode(buffer.subarray(0, server.l2capRecvInto(event.connHandle, event.cid, buffer)));
      console.log(`server: ${name} is asked for`);
      sending = new Sending(FILES.get(name) ?? new Uint8Array(0));
      sending.goOn(server, event.connHandle, event.cid, sduOctets);
      break;
    }
    case "l2capSendReady":
      sending?.goOn(server, event.connHandle, event.cid, sduOctets);
      break;
    default:
  }
});
await server.active(true);
await server.l2capListen(PSM, MTU);
await server.gapAdvertise(50_000);

await using client = create("client");
const received: Uint8Array[] = [];
const lengthOf = (parts: Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);
/** The length is in the first four octets. */
const isWhole = (): boolean => {
  const [first] = received;
  return first !== undefined && lengthOf(received) === 4 + new DataView(first.buffer, first.byteOffset).getUint32(0);
};
const over = new Promise<BleEvent>((resolve) => {
  client.irq(async (event) => {
    switch (event.type) {
      case "peripheralConnect":
        await client.l2capConnect(event.connHandle, PSM, MTU);
        break;
      case "l2capConnect":
        client.l2capSend(event.connHandle, event.cid, "log.txt");
        break;
      case "l2capRecv": {
        // Everything that is there; the server may send more when nothing is left.
        for (let read = 1; read > 0; ) {
          const part = new Uint8Array(MTU);
          read = client.l2capRecvInto(event.connHandle, event.cid, part);
          if (read > 0) received.push(part.subarray(0, read));
        }
        if (isWhole()) await client.l2capDisconnect(event.connHandle, event.cid);
        break;
      }
      case "l2capDisconnect":
        await client.gapDisconnect(event.connHandle);
        break;
      case "peripheralDisconnect":
        resolve(event);
        break;
      default:
    }
  });
});
await client.active(true);
const { addrType, addr } = server.config("mac");
const startMs = air.clock.now();
await client.gapConnect(addrType, addr);
await over;
console.log(`client: ${lengthOf(received) - 4} octets in ${((air.clock.now() - startMs) / 1000).toFixed(1)} s, whole: ${isWhole()}`);
