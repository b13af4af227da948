import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFull } from "../../test/support/left-out.ts";
import { connectedPair, type RawPair } from "../../test/support/raw-pair.ts";
import {
  type CommandDeclaration,
  DisconnectionComplete,
  EncryptionChange,
  EncryptionKeyRefreshComplete,
  type EventDeclaration,
  HciErrorCode,
  LeConnectionUpdate,
  LeConnectionUpdateComplete,
  LeEnableEncryption,
  LeFeature,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LePeriodicAdvertisingSyncTransferReceivedV2,
  LePhyUpdateComplete,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeRequestPeerSca,
  LeRequestPeerScaComplete,
  LeSetDefaultSubrate,
  LeSetEventMask,
  LeSetHostFeature,
  LeSetPeriodicAdvertisingSyncTransferParameters,
  LeSetPhy,
  ReadRemoteVersionInformation,
  ReadRemoteVersionInformationComplete,
} from "../hci/index.ts";

// A peer whose Link Layer keeps to no rule.

type Side = "central" | "peripheral";
const CONTROL = 3;
const DATA = 2;
const HOST_SUPPORT = LeFeature.ConnectionSubratingHostSupport;

/** Has the other end of the link receive control PDUs in place of empty packets of one. */
function inject({ air }: RawPair, from: Side): Uint8Array[] {
  const queue: Uint8Array[] = [];
  air.onPacket((packet) => {
    if (packet.channel >= 37 || packet.from !== from || packet.pdu.length > 2) return undefined;
    const payload = queue.shift();
    return payload && { deliver: Uint8Array.of(packet.pdu[0]! | CONTROL, payload.length, ...payload) };
  });
  return queue;
}

const attacked = (options: Parameters<typeof connectedPair>[0] = {}): Promise<RawPair> =>
  connectedPair({ idle: "simulate", interval: 12, timeout: 100, ...options });
const reasons = (pair: RawPair): number[][] =>
  [pair.central, pair.peripheral].map((host) => host.all(DisconnectionComplete).map(({ reason }) => reason));
const zeros = (opcode: number, octets: number): Uint8Array => Uint8Array.of(opcode, ...new Uint8Array(octets - 1));

const longTermKey = Uint8Array.from({ length: 16 }, (_, i) => i);
const key = { randomNumber: new Uint8Array(8), encryptedDiversifier: 0, longTermKey };
const [ENC_REQ, START_ENC_RSP, UNKNOWN_RSP, PAUSE_ENC_RSP, REJECT_IND] = [0x03, 0x06, 0x07, 0x0b, 0x0d];

/** The peripheral's host gives the key whenever it is asked. */
function giveKey({ peripheral, handles }: RawPair): void {
  peripheral.onEvent = ({ declaration }) => {
    if (declaration === LeLongTermKeyRequest)
      void peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey });
  };
}

async function encryptedPair(): Promise<RawPair> {
  const pair = await attacked({ timeout: 400 });
  giveKey(pair);
  const done = Promise.all([pair.central.event(EncryptionChange), pair.peripheral.event(EncryptionChange)]);
  await pair.central.command(LeEnableEncryption, { connectionHandle: pair.handles.central, ...key });
  expect((await done).map(({ status }) => status)).toEqual([0, 0]);
  return pair;
}

test("LL_START_ENC_RSP in the clear proves no key: the peripheral's host never hears of encryption (Vol 6 Part B 5.1.3.1)", async () => {
  const pair = await attacked();
  giveKey(pair);
  inject(pair, "central").push(zeros(ENC_REQ, 23), zeros(START_ENC_RSP, 1));
  await pair.clock.advance(2000);
  expect(pair.peripheral.all(EncryptionChange)).toEqual([]);
  expect(reasons(pair)[1]).toEqual([HciErrorCode.ConnectionTerminatedDueToMicFailure]);
  pair.air[Symbol.dispose]();
});

test("data in the clear while encryption is paused reaches no host (Vol 6 Part B 5.1.3.2)", async () => {
  const pair = await encryptedPair();
  pair.air.onPacket(({ from, channel, pdu }) => {
    if (channel >= 37 || from !== "central" || pdu.length !== 3 || pdu[2] !== PAUSE_ENC_RSP) return undefined;
    return { deliver: Uint8Array.of((pdu[0]! & ~3) | DATA, 7, 3, 0, 4, 0, 1, 2, 3) };
  });
  await pair.central.command(LeEnableEncryption, { connectionHandle: pair.handles.central, ...key });
  await pair.clock.advance(6000);
  expect(pair.peripheral.acl).toEqual([]);
  expect(reasons(pair)[1]).toEqual([HciErrorCode.ConnectionTerminatedDueToMicFailure]);
  pair.air[Symbol.dispose]();
});

test("a link whose encryption is paused does not go on in the clear when the peer then refuses", async () => {
  const pair = await encryptedPair();
  const queue = inject(pair, "peripheral");
  // LL_PAUSE_ENC_RSP of the peripheral, with its MIC.
  pair.air.onPacket(({ from, channel, pdu }) => {
    if (channel < 37 && from === "peripheral" && pdu.length === 7) queue.push(Uint8Array.of(REJECT_IND, HciErrorCode.PinOrKeyMissing));
    return undefined;
  });
  const before = pair.central.all(EncryptionChange).length;
  await pair.central.command(LeEnableEncryption, { connectionHandle: pair.handles.central, ...key });
  await pair.clock.advance(10_000);
  expect(pair.central.all(EncryptionChange)).toHaveLength(before);
  expect(pair.central.all(EncryptionKeyRefreshComplete)).toEqual([]);
  expect(reasons(pair)[0]).toEqual([HciErrorCode.PinOrKeyMissing]);
  pair.air[Symbol.dispose]();
});

test("nobody turns an indication down: what the central imposes is told when it is in force", async () => {
  const features = { connectionParametersRequest: false };
  const pair = await attacked({ central: { features } });
  const queue = inject(pair, "peripheral");
  await pair.clock.advance(500);
  const update = { connectionIntervalMin: 12, connectionIntervalMax: 12, maxLatency: 0, supervisionTimeout: 100 };
  queue.push(Uint8Array.of(UNKNOWN_RSP, 0), Uint8Array.of(UNKNOWN_RSP, 0), Uint8Array.of(REJECT_IND, 0x1f));
  await pair.central.command(LeConnectionUpdate, { connectionHandle: pair.handles.central, ...update, minCeLength: 0, maxCeLength: 0 });
  await pair.clock.advance(2000);
  expect(pair.central.all(LeConnectionUpdateComplete).map(({ status }) => status)).toEqual([0]);
  pair.air[Symbol.dispose]();
});

test("one answer to a request counts: said twice it changes nothing twice", async () => {
  const pair = await attacked();
  const { central, handles } = pair;
  await pair.clock.advance(500);
  const [PHY_UPDATE_IND, CONNECTION_UPDATE_IND] = [0x18, 0x00];
  const sent: number[] = [];
  pair.air.onPacket(({ from, channel, pdu }) => {
    if (channel < 37 && from === "central" && (pdu[0]! & 3) === CONTROL) sent.push(pdu[2]!);
    return undefined;
  });
  const queue = inject(pair, "peripheral");
  const params = Uint8Array.of(0x10, 24, 0, 24, 0, 0, 0, 100, 0, ...new Uint8Array(15).fill(0xff));
  queue.push(...Array.from({ length: 6 }, () => params));
  const update = { connectionIntervalMin: 24, connectionIntervalMax: 24, maxLatency: 0, supervisionTimeout: 100 };
  await central.command(LeConnectionUpdate, { connectionHandle: handles.central, ...update, minCeLength: 0, maxCeLength: 0 });
  await pair.clock.advance(1000);
  queue.push(...Array.from({ length: 6 }, () => Uint8Array.of(0x17, 2, 2)));
  await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  await pair.clock.advance(2000);
  expect(sent.filter((opcode) => opcode === CONNECTION_UPDATE_IND)).toHaveLength(1);
  expect(sent.filter((opcode) => opcode === PHY_UPDATE_IND)).toHaveLength(1);
  expect(central.all(LeConnectionUpdateComplete)).toHaveLength(1);
  expect(central.all(LePhyUpdateComplete)).toHaveLength(1);
  expect(reasons(pair)).toEqual([[], []]);
  pair.air[Symbol.dispose]();
});

test("a peripheral that asks again and again while its central waits is answered once, and turned down else", async () => {
  const [CLOCK_ACCURACY_RSP, SUBRATE_REQ, SUBRATE_IND, PARAM_REQ, CONNECTION_UPDATE_IND] = [0x1e, 0x26, 0x27, 0x0f, 0x00];
  const sayReady = async ({ central, peripheral }: Pick<RawPair, Side>): Promise<void> => {
    for (const host of [central, peripheral]) await host.command(LeSetHostFeature, { bitNumber: HOST_SUPPORT, bitValue: true });
    await central.command(LeSetDefaultSubrate, subrate);
  };
  const subrate = { subrateMin: 1, subrateMax: 4, maxLatency: 0, continuationNumber: 0, supervisionTimeout: 400 };
  for (const isSubrate of [true, false]) {
    const pair = await attacked({ timeout: 400, onHosts: sayReady });
    const { central, clock, handles } = pair;
    await clock.advance(500);
    let isSilent = true;
    const sent: number[] = [];
    pair.air.onPacket(({ from, channel, pdu }) => {
      if (channel >= 37 || (pdu[0]! & 3) !== CONTROL) return undefined;
      if (from === "central") sent.push(pdu[2]!);
      return from === "peripheral" && pdu[2] === CLOCK_ACCURACY_RSP && isSilent
        ? { deliver: Uint8Array.of(pdu[0]!, 2, 0x29, 0) }
        : undefined;
    });
    const queue = inject(pair, "peripheral");
    await central.command(LeRequestPeerSca, { connectionHandle: handles.central });
    await clock.advance(100);
    const request = isSubrate
      ? Uint8Array.of(SUBRATE_REQ, 2, 0, 2, 0, 0, 0, 0, 0, 144, 1)
      : Uint8Array.of(PARAM_REQ, 24, 0, 24, 0, 0, 0, 144, 1, ...new Uint8Array(15).fill(0xff));
    queue.push(...Array.from({ length: 20 }, () => request));
    await clock.advance(2000);
    isSilent = false;
    queue.push(Uint8Array.of(CLOCK_ACCURACY_RSP, 0));
    await clock.advance(5000);
    expect(central.all(LeRequestPeerScaComplete)).toHaveLength(1);
    expect(sent.filter((opcode) => opcode === (isSubrate ? SUBRATE_IND : CONNECTION_UPDATE_IND))).toHaveLength(1);
    pair.air[Symbol.dispose]();
  }
});

describe("a train that a peer tells of", () => {
  const PERIODIC_SYNC_WR_IND = 0x2a;
  /** @param at.away connection events between the one in progress and the one that the offset counts from */
  const told = ({ away = 0, numSubevents = 4, subeventInterval = 8 }, eventCounter: number): Uint8Array => {
    const octets = new Uint8Array(43);
    const view = new DataView(octets.buffer);
    octets[0] = PERIODIC_SYNC_WR_IND;
    octets.set([0x10, 0x00, 80, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 1, 2, 3, 4, 5, 6, 7, 0, 0], 3); // SyncInfo: 100 ms
    view.setUint16(21, eventCounter + away, true);
    octets.set([5, 1, 9, 9, 9, 9, 9, 9], 25); // SID, PHY, address
    view.setUint16(33, eventCounter, true);
    view.setUint32(35, 0x12345678, true);
    octets.set([numSubevents, subeventInterval, 2, 8], 39);
    return octets;
  };
  /** Not the events that take the place of LE Connection Complete. */
  const leEventMask = 0xffff_ffff_ffff_ffffn & ~(1n << 9n) & ~(1n << 40n);
  const onHosts = async (hosts: Pick<RawPair, Side>): Promise<void> => {
    for (const host of [hosts.central, hosts.peripheral]) await host.command(LeSetEventMask, { leEventMask });
  };
  async function receive(at: Parameters<typeof told>[0]) {
    const features = { periodicAdvertising: true };
    const pair = await attacked({ central: { features }, peripheral: { features }, timeout: 400, onHosts });
    const terms = { mode: 2, skip: 0, syncTimeout: 100, cteType: 0 };
    const { peripheral, handles } = pair;
    await peripheral.command(LeSetPeriodicAdvertisingSyncTransferParameters, { connectionHandle: handles.peripheral, ...terms });
    await pair.clock.advance(1500); // 100 events or so
    const queue = inject(pair, "central");
    queue.push(told(at, 100));
    await pair.clock.advance(3000);
    const events = peripheral.all(LePeriodicAdvertisingSyncTransferReceivedV2).map(({ status }) => status);
    const backwards = pair.air.trace.entries.some(({ timeUs }, i, all) => i > 0 && timeUs < all[i - 1]!.timeUs);
    pair.air[Symbol.dispose]();
    return { events, backwards };
  }

  test("and that is not there is a failure, once, when its first events have been missed", async () => {
    expect((await receive({})).events).toEqual([HciErrorCode.ConnectionFailedToBeEstablished]);
  });

  test.each([[{ away: 0x4800 }], [{ away: -0x4800 }], [{ numSubevents: 0 }], [{ numSubevents: 0x81 }], [{ subeventInterval: 5 }]])(
    "is ignored where it cannot be: %o",
    async (at) => {
      expect((await receive(at)).events).toEqual([]);
    },
  );

  test("from long ago does not turn the time back", async () => {
    const { events, backwards } = await receive({ away: -0x1000 });
    expect([events, backwards]).toEqual([[HciErrorCode.ConnectionFailedToBeEstablished], false]);
  });
});

const LENGTHS = [12, 8, 2, 23, 13, 1, 1, 2, 9, 9, 1, 1, 6, 2, 9, 24, 24, 3, 1, 1, 9, 9, 3, 3, 5];
const MORE: Readonly<Record<number, number>> = {
  28: 35,
  29: 2,
  30: 2,
  35: 4,
  36: 5,
  37: 5,
  38: 11,
  39: 11,
  40: 4,
  41: 11,
  42: 43,
};
const TERMINATE_IND = 0x02;
const OPCODES = [...LENGTHS.keys(), ...Object.keys(MORE).map(Number)].filter((opcode) => opcode !== TERMINATE_IND);
const octet = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1, 2, 3, 6, 8, 0x10, 0xff) }, { weight: 1, arbitrary: fc.nat(255) });
/** Of its length, and now and then an octet too long. */
const anyPdu = fc
  .tuple(fc.constantFrom(...OPCODES), fc.array(octet, { minLength: 44, maxLength: 44 }), fc.nat(9))
  .map(([opcode, rest, n]) => {
    const length = LENGTHS[opcode] ?? MORE[opcode]!;
    return Uint8Array.of(opcode, ...rest).slice(0, n === 0 ? length + 1 : length);
  });

test("whatever a peer sends, and whenever: what a host has begun ends, by its event or with the link", async () => {
  const update = { connectionIntervalMin: 12, connectionIntervalMax: 12, maxLatency: 0, supervisionTimeout: 100 };
  const procedures = [
    [LeSetPhy, { allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 }, LePhyUpdateComplete],
    [LeConnectionUpdate, { ...update, minCeLength: 0, maxCeLength: 0 }, LeConnectionUpdateComplete],
    [LeReadRemoteFeatures, {}, LeReadRemoteFeaturesComplete],
    [ReadRemoteVersionInformation, {}, ReadRemoteVersionInformationComplete],
    [LeRequestPeerSca, {}, LeRequestPeerScaComplete],
    [LeEnableEncryption, key, EncryptionChange],
  ] as unknown as readonly (readonly [CommandDeclaration<object, { status: number }>, object, EventDeclaration])[];
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyPdu, { minLength: 1, maxLength: 12 }),
      fc.constantFrom<Side>("central", "peripheral"),
      fc.nat(procedures.length - 1),
      fc.nat(40),
      async (pdus, from, which, afterMs) => {
        const pair = await attacked({ traceCapacity: 0 });
        giveKey(pair);
        const victim = from === "central" ? pair.peripheral : pair.central;
        const connectionHandle = from === "central" ? pair.handles.peripheral : pair.handles.central;
        inject(pair, from).push(...pdus);
        await pair.clock.advance(afterMs);
        const [declaration, parameters, done] = procedures[which]!;
        const { status } = await victim.command(declaration, { connectionHandle, ...parameters });
        await pair.clock.advance(50_000);
        if (status === 0 && victim.all(DisconnectionComplete).length === 0)
          expect(victim.all(done).length, declaration.name).toBeGreaterThan(0);
        pair.air[Symbol.dispose]();
      },
    ),
    { numRuns: isFull ? 1000 : 12 },
  );
});
