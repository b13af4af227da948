// A link ends at both ends, once and within the supervision timeout, whatever was going on between hosts and controllers.
import { expect, test } from "vitest";
import {
  Disconnect,
  DisconnectionComplete,
  EncryptionChange,
  HciErrorCode,
  LeConnectionUpdate,
  LeEnableEncryption,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LeReadRemoteFeatures,
  LeRemoteConnectionParameterRequest,
  LeSetPhy,
  ReadRemoteVersionInformation,
} from "../src/hci/index.ts";
import { connectedPair, type RawPair } from "./support/raw-pair.ts";

const KEY = new Uint8Array(16).fill(7);
const TIMEOUT_MS = 1000;
const other = { central: "peripheral", peripheral: "central" } as const;
const parameters = {
  connectionIntervalMin: 24,
  connectionIntervalMax: 24,
  maxLatency: 0,
  supervisionTimeout: TIMEOUT_MS / 10,
  minCeLength: 0,
  maxCeLength: 0,
};

async function askForKey({ central, peripheral, handles }: RawPair): Promise<void> {
  const asked = peripheral.event(LeLongTermKeyRequest);
  const key = {
    randomNumber: new Uint8Array(8),
    encryptedDiversifier: 0,
    longTermKey: KEY,
  };
  await central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    ...key,
  });
  await asked;
}

async function encrypt(pair: RawPair): Promise<void> {
  await askForKey(pair);
  const done = Promise.all([pair.central.event(EncryptionChange), pair.peripheral.event(EncryptionChange)]);
  await pair.peripheral.command(LeLongTermKeyRequestReply, {
    connectionHandle: pair.handles.peripheral,
    longTermKey: KEY,
  });
  await done;
}

const situations: Record<string, (pair: RawPair) => Promise<void>> = {
  nothing: async () => {},
  "a key that nobody gives": askForKey,
  "a key that was given this moment": async (pair) => {
    await askForKey(pair);
    await pair.peripheral.command(LeLongTermKeyRequestReply, {
      connectionHandle: pair.handles.peripheral,
      longTermKey: KEY,
    });
  },
  "an encryption paused for another key": async (pair) => {
    await encrypt(pair);
    await askForKey(pair);
  },
  "a pause of encryption that has only begun": async (pair) => {
    await encrypt(pair);
    const key = {
      randomNumber: new Uint8Array(8),
      encryptedDiversifier: 0,
      longTermKey: KEY,
    };
    await pair.central.command(LeEnableEncryption, {
      connectionHandle: pair.handles.central,
      ...key,
    });
  },
  "a keys' mismatch": async (pair) => {
    await askForKey(pair);
    await pair.peripheral.command(LeLongTermKeyRequestReply, {
      connectionHandle: pair.handles.peripheral,
      longTermKey: KEY.with(0, 0),
    });
  },
  "a question about parameters that nobody answers": async (pair) => {
    pair.central.acceptsParameters = false;
    const asked = pair.central.event(LeRemoteConnectionParameterRequest);
    await pair.peripheral.command(LeConnectionUpdate, {
      connectionHandle: pair.handles.peripheral,
      ...parameters,
    });
    await asked;
  },
  "an instant ahead": async (pair) => {
    await pair.central.command(LeConnectionUpdate, {
      connectionHandle: pair.handles.central,
      ...parameters,
    });
    await pair.central.command(LeSetPhy, {
      connectionHandle: pair.handles.central,
      allPhys: 0,
      txPhys: 2,
      rxPhys: 2,
      phyOptions: 0,
    });
    await pair.clock.advance(60);
  },
  "every exchange at once, from both": async ({ central, peripheral, handles }) => {
    for (const [host, connectionHandle] of [
      [central, handles.central],
      [peripheral, handles.peripheral],
    ] as const) {
      await host.command(LeReadRemoteFeatures, { connectionHandle });
      await host.command(ReadRemoteVersionInformation, { connectionHandle });
    }
  },
  "data both ways": async ({ central, peripheral, handles }) => {
    for (let i = 0; i < 10; i++) {
      central.sendAcl(handles.central, new Uint8Array(200));
      peripheral.sendAcl(handles.peripheral, new Uint8Array(200));
    }
  },
  "a wall between them": async ({ air, centralController, peripheralController }) => {
    air.cut(centralController, peripheralController);
  },
};

const cases = Object.keys(situations).flatMap((situation) =>
  (["radio", "instant"] as const).flatMap((mode) =>
    (["central", "peripheral", "both"] as const).map((who) => ({
      situation,
      mode,
      who,
    })),
  ),
);

test.each(cases)("$mode: in the middle of $situation, ended by $who", async ({ situation, mode, who }) => {
  const pair = await connectedPair({ mode, timeout: TIMEOUT_MS / 10 });
  await pair.clock.advance(300);
  await situations[situation]!(pair);
  for (const side of ["central", "peripheral"] as const)
    if (who !== other[side])
      await pair[side].command(Disconnect, {
        connectionHandle: pair.handles[side],
        reason: 0x13,
      });
  await pair.clock.advance(2 * TIMEOUT_MS + 200);
  for (const side of ["central", "peripheral"] as const) {
    const ends = pair[side].all(DisconnectionComplete);
    expect(ends, side).toHaveLength(1);
    if (who === side)
      expect([HciErrorCode.ConnectionTerminatedByLocalHost, HciErrorCode.ConnectionTerminatedDueToMicFailure]).toContain(ends[0]!.reason);
  }
  pair.air[Symbol.dispose]();
  expect(pair.clock.pending).toEqual([]);
});
