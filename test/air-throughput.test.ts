import { expect, test } from "vitest";
import type { ControllerOptions } from "../src/controller/index.ts";
import {
  EncryptionChange,
  LeDataLengthChange,
  LeEnableEncryption,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LePhyUpdateComplete,
  LeSetDataLength,
  LeSetPhy,
} from "../src/hci/index.ts";
import { connectedPair, type RawPair } from "./support/raw-pair.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

async function encrypt({ central, peripheral, handles }: RawPair): Promise<void> {
  const asked = peripheral.event(LeLongTermKeyRequest);
  const done = Promise.all([central.event(EncryptionChange), peripheral.event(EncryptionChange)]);
  await central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    randomNumber: new Uint8Array(8),
    encryptedDiversifier: 0,
    longTermKey: KEY,
  });
  await asked;
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey: KEY });
  await done;
}

/** Octets of data that arrive in so many connection events, the sender always having more. */
async function octetsPerEvents(pair: RawPair, from: "central" | "peripheral", octets: number, events: number, intervalMs: number) {
  const sender = pair[from];
  const receiver = from === "central" ? pair.peripheral : pair.central;
  const handle = pair.handles[from];
  let credits = 12;
  const pump = (): void => {
    for (; credits > 0; credits--) sender.sendAcl(handle, new Uint8Array(octets));
  };
  sender.onCompleted = (_, count) => {
    credits += count;
    pump();
  };
  let received = 0;
  receiver.onAcl = (_, data) => {
    received += data.length;
  };
  pump();
  await pair.clock.advance(10 * intervalMs); // under way
  // From the middle of the pause between two events on, so that whole events are counted.
  received = 0;
  await pair.clock.advance(events * intervalMs);
  sender.onCompleted = undefined;
  return received;
}

const oneM = 1;
const twoM = 2;
test.each([
  // The table of docs/air.md: floor((interval + 150) / exchange) packets in an event.
  { phy: oneM, octets: 251, intervalMs: 15, packets: 6, kBs: 100.4 },
  { phy: twoM, octets: 251, intervalMs: 15, packets: 10, kBs: 167.3 },
  { phy: twoM, octets: 251, intervalMs: 50, packets: 35, kBs: 175.7 },
  { phy: oneM, octets: 27, intervalMs: 15, packets: 21, kBs: 37.8 },
])(
  "$octets octets on $phy M at $intervalMs ms: $packets packets an event, $kBs kB/s",
  async ({ phy, octets, intervalMs, packets, kBs }) => {
    for (const from of ["central", "peripheral"] as const) {
      const options: Partial<ControllerOptions> = { totalNumLeAclDataPackets: 40 };
      const pair = await connectedPair({ interval: intervalMs / 1.25, central: options, peripheral: options, traceCapacity: 0 });
      const { central, peripheral, handles } = pair;
      if (octets > 27) {
        for (const host of [central, peripheral]) {
          const changed = host.event(LeDataLengthChange);
          await host.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: octets, txTime: 2120 });
          await changed;
        }
      }
      if (phy === twoM) {
        const updated = central.event(LePhyUpdateComplete);
        await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
        expect(await updated).toMatchObject({ status: 0, txPhy: 2, rxPhy: 2 });
      }
      await encrypt(pair);
      const events = 20;
      const received = await octetsPerEvents(pair, from, octets, events, intervalMs);
      expect(Math.abs(received / octets - packets * events)).toBeLessThanOrEqual(1);
      expect(received / (events * intervalMs)).toBeCloseTo(kBs, 0);
      pair.air[Symbol.dispose]();
    }
  },
);
