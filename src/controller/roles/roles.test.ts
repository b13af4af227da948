import { expect, test } from "vitest";
import { Address, SeededRandom } from "../../core/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { Advertising } from "./advertising.ts";
import { AdvPduType, type AirAddress, advertisingPdu, type ConnectData, decodeConnectData, encodeConnectData } from "./advertising-pdus.ts";
import { FilterAcceptList } from "./filter-accept-list.ts";
import { Initiating } from "./initiating.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";
import { ResolvingList } from "./resolving-list.ts";
import { Scanning } from "./scanning.ts";

// What the three roles make of each PDU of the advertising channels, octet by octet.

const OWN = Address.from("00:00:00:00:00:01");
const OWN_RANDOM = Address.from("C0:00:00:00:00:01/random");
const PEER = Address.from("00:00:00:00:00:02");
const PEER_RANDOM = Address.from("C0:00:00:00:00:02/random");
const NOTHING = new Uint8Array(0);
const { AdvInd, AdvDirectInd, AdvNonconnInd, ScanReq, ScanRsp, ConnectInd, AdvScanInd } = AdvPduType;
const DATA: ConnectData = {
  accessAddress: 0x12345678,
  crcInit: 0xabcdef,
  winSize: 1,
  winOffset: 0x0123,
  interval: 0x0456,
  latency: 0x0178,
  timeout: 0x0bcd,
  channelMap: Uint8Array.of(1, 2, 3, 4, 5),
  hop: 16,
  sca: 7,
};

/** A link layer without an air: what the roles ask of it, and what they tell it. */
function link(more: Partial<LinkLayerContext> = {}) {
  const told: string[] = [];
  const reports: Uint8Array[] = [];
  const due: { act: { run?: () => void }; atUs: number }[] = [];
  const running = () => ({ [Symbol.dispose]: () => void told.push("stopped") });
  const scheduler = { nowUs: 1000, set: (act: object, atUs: number) => due.push({ act, atUs }), clear: () => told.push("timer cleared") };
  const context = {
    features: 0n,
    resolving: new ResolvingList(4, scheduler as never, { seed: 1, name: "roles" }),
    air: { channels: { advertise: running, listen: running } },
    radio: { bestSlot: () => 3, sleepClockAccuracyPpm: 50 },
    host: { wants: () => true, acceptsEvent: true, send: (packet: Uint8Array) => reports.push(packet) },
    scheduler,
    random: new SeededRandom(1, "roles"),
    filterAcceptList: new FilterAcceptList(4),
    checkOwnAddress: () => 0,
    isFull: false,
    channelMap: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f),
    ownAddress: (type: number): AirAddress => (type ? OWN_RANDOM : OWN),
    joinAsPeripheral: (_link: unknown, peer: Address, { interval }: ConnectData) => told.push(`joined ${peer} ${interval}`),
    openAsCentral: (peer: Address, _data: unknown, endUs: number, isAbandoned: boolean) =>
      told.push(`opened ${peer} ${endUs} ${isAbandoned}`),
    connectionFailed: (status: number, role: string) => told.push(`failed ${status} ${role}`),
    isConnectedTo: () => false,
    ...more,
  } as unknown as LinkLayerContext;
  return { context, told, reports, due };
}

const parameters = (more: object = {}) => ({
  advertisingIntervalMin: 0x20,
  advertisingIntervalMax: 0x4000,
  advertisingType: 0,
  ownAddressType: 0,
  peerAddress: PEER,
  advertisingChannelMap: 7,
  advertisingFilterPolicy: 0,
  ...more,
});
function advertising(more: object = {}, context = link().context): Advertising {
  const role = new Advertising(context);
  expect(role.setParameters(parameters(more))).toBe(0);
  role.setScanResponse(Uint8Array.of(2, 9, 0x41));
  expect(role.enable()).toBe(0);
  return role;
}
const scanRequest = (from: Address = PEER, to: Address = OWN) => advertisingPdu(ScanReq, from, to, NOTHING);
const connectInd = (from: Address = PEER, to: Address = OWN) => advertisingPdu(ConnectInd, from, to, encodeConnectData(DATA));

test("LLData of CONNECT_IND survives its octets; another length is none", () => {
  expect(decodeConnectData(connectInd())).toEqual(DATA);
  for (const length of [0, 21, 23])
    expect(decodeConnectData(advertisingPdu(ConnectInd, PEER, OWN, new Uint8Array(length)))).toBeUndefined();
});

test("a scan request is answered by what can be scanned, when it is whole and meant", () => {
  for (const [advertisingType, answers] of [
    [0, true],
    [1, false],
    [2, true],
    [3, false],
    [4, false],
  ] as const)
    expect([advertisingType, advertising({ advertisingType }).onScanRequest(scanRequest()) !== undefined]).toEqual([
      advertisingType,
      answers,
    ]);
  const role = advertising();
  expect([...role.onScanRequest(scanRequest(PEER_RANDOM))!]).toEqual([ScanRsp, 9, ...OWN.bytes, 2, 9, 0x41]);
  const long = new Uint8Array(15);
  long.set(scanRequest());
  for (const pdu of [scanRequest().subarray(0, 13), long, scanRequest(PEER, PEER), connectInd()])
    expect(role.onScanRequest(pdu)).toBeUndefined();
  const otherKind = scanRequest();
  otherKind[0]! |= 0x80; // RxAdd: a random address of the same octets
  expect(role.onScanRequest(otherKind)).toBeUndefined();
});

test("filter policies of advertising: the first bit is about scan requests, the second about connections", () => {
  for (const policy of [0, 1, 2, 3]) {
    const { context, told } = link();
    context.filterAcceptList.add(1, PEER_RANDOM.bytes);
    const role = advertising({ advertisingFilterPolicy: policy }, context);
    expect(role.usesFilterAcceptList).toBe(policy !== 0);
    expect(role.onScanRequest(scanRequest(PEER_RANDOM))).toBeDefined();
    expect([policy, role.onScanRequest(scanRequest()) === undefined]).toEqual([policy, (policy & 1) === 1]);
    role.onConnectInd(connectInd(), {} as never);
    expect([policy, told.some((what) => what.startsWith("joined"))]).toEqual([policy, (policy & 2) === 0]);
    role.onConnectInd(connectInd(PEER_RANDOM), {} as never);
    expect(told.some((what) => what.startsWith("joined"))).toBe(true);
  }
});

test("a connection is taken by what is connectable, from whom it is for, once, and ends the advertising", () => {
  const joined = (more: object, pdu: Uint8Array, context: Partial<LinkLayerContext> = {}): boolean => {
    const at = link(context);
    const role = new Advertising(at.context);
    role.setParameters(parameters(more));
    role.enable();
    role.onConnectInd(pdu, {} as never);
    const isJoined = at.told.some((what) => what.startsWith("joined"));
    expect(role.isEnabled).toBe(!isJoined);
    if (isJoined) expect(at.told).toContain("stopped");
    return isJoined;
  };
  expect([0, 1, 2, 3, 4].map((advertisingType) => joined({ advertisingType }, connectInd()))).toEqual([true, true, false, false, true]);
  for (const advertisingType of [1, 4]) {
    expect(joined({ advertisingType }, connectInd(PEER_RANDOM))).toBe(false);
    expect(joined({ advertisingType, advertisingFilterPolicy: 2 }, connectInd())).toBe(true); // the target alone counts
  }
  expect(joined({}, connectInd(PEER, PEER))).toBe(false);
  expect(joined({}, scanRequest())).toBe(false);
  expect(joined({}, connectInd().subarray(0, 35))).toBe(false);
  expect(joined({}, connectInd(), { isConnectedTo: (type, octets) => type === 0 && octets[0] === PEER.bytes[0] })).toBe(false);
  expect(joined({}, connectInd(PEER_RANDOM), { isConnectedTo: (type) => type === 0 })).toBe(true);
  const { context, told } = link();
  const role = advertising({}, context);
  Object.assign(context, { isFull: true });
  role.onConnectInd(connectInd(), {} as never);
  expect(told).toEqual([]);
});

test("a controller whose links are all taken advertises only what is not connectable", () => {
  for (const [advertisingType, status] of [
    [0, HciErrorCode.ConnectionLimitExceeded],
    [1, HciErrorCode.ConnectionLimitExceeded],
    [2, 0],
    [3, 0],
    [4, HciErrorCode.ConnectionLimitExceeded],
  ]) {
    const role = new Advertising(link({ isFull: true }).context);
    role.setParameters(parameters({ advertisingType }));
    expect([advertisingType, role.enable(), role.isEnabled]).toEqual([advertisingType, status, status === 0]);
  }
});

test("what is advertised: type, address, target, and data where there is no target", () => {
  for (const [advertisingType, pduType] of [AdvInd, AdvDirectInd, AdvScanInd, AdvNonconnInd, AdvDirectInd].entries()) {
    const role = new Advertising(link().context);
    role.setParameters(parameters({ advertisingType, ownAddressType: 1, peerAddress: PEER }));
    role.setData(Uint8Array.of(2, 1, 6));
    role.enable();
    const isDirected = pduType === AdvDirectInd;
    const rest = isDirected ? [...PEER.bytes] : [2, 1, 6];
    expect([...role.pdu]).toEqual([pduType | 0x40, 6 + rest.length, ...OWN_RANDOM.bytes, ...rest]);
    expect([role.intervalUs, role.hasRandomDelay]).toEqual(advertisingType === 1 ? [3750, false] : [20_000, true]);
    expect(role.isAnswerable).toBe(pduType !== AdvNonconnInd);
    expect(role.channelMap).toBe(7);
  }
});

test("only high duty cycle directed advertising has an end of its own, after 1.28 s", () => {
  for (const advertisingType of [0, 1, 4]) {
    const { context, due } = link();
    advertising({ advertisingType }, context);
    expect(due.map(({ atUs }) => atUs)).toEqual(advertisingType === 1 ? [1_281_000] : []);
  }
});

test("advertising parameters: where ranges begin and end, and not while it is on", () => {
  const role = new Advertising(link().context);
  const INVALID = HciErrorCode.InvalidHciCommandParameters;
  for (const [more, status] of [
    [{}, 0],
    [{ advertisingIntervalMin: 0x1f }, INVALID],
    [{ advertisingIntervalMax: 0x4001 }, INVALID],
    [{ advertisingIntervalMin: 0x30, advertisingIntervalMax: 0x30 }, 0],
    [{ advertisingIntervalMin: 0x31, advertisingIntervalMax: 0x30 }, INVALID],
    [{ advertisingType: 1, advertisingIntervalMin: 0, advertisingIntervalMax: 0 }, 0], // of no matter
    [{ advertisingType: 4 }, 0],
    [{ advertisingType: 5 }, INVALID],
    [{ advertisingFilterPolicy: 3 }, 0],
    [{ advertisingFilterPolicy: 4 }, INVALID],
    [{ advertisingChannelMap: 0 }, INVALID],
    [{ advertisingChannelMap: 8 }, INVALID],
    [{ advertisingChannelMap: 1 }, 0],
    [{ ownAddressType: 2 }, HciErrorCode.UnsupportedFeatureOrParameterValue],
    [{ ownAddressType: 4 }, INVALID],
  ] as const)
    expect([more, role.setParameters(parameters(more))]).toEqual([more, status]);
  role.enable();
  expect(role.setParameters(parameters())).toBe(HciErrorCode.CommandDisallowed);
  expect([role.enable(), role.disable(), role.isEnabled, role.setParameters(parameters())]).toEqual([0, 0, false, 0]);
});

const scanParameters = (more: object = {}) => ({
  leScanType: 1,
  leScanInterval: 16,
  leScanWindow: 16,
  ownAddressType: 0,
  scanningFilterPolicy: 0,
  ...more,
});
function scanning(more: object = {}, filterDuplicates = false) {
  const at = link();
  const role = new Scanning(at.context);
  expect(role.setParameters(scanParameters(more))).toBe(0);
  expect(role.enable(filterDuplicates)).toBe(0);
  return { role, ...at };
}
const heard = (type: number, octets = 3, from: Address = PEER) => advertisingPdu(type, from, undefined, new Uint8Array(octets).fill(7));

test("an advertisement is reported when it is whole, with what it holds", () => {
  const { role, reports } = scanning({ leScanType: 0 });
  for (const octets of [0, 31]) role.onAdvertising(heard(AdvInd, octets), -60.4, true);
  expect(reports.map((packet) => packet.length)).toEqual([15, 46]);
  expect([...reports[0]!]).toEqual([4, 0x3e, 12, 2, 1, 0, 0, ...PEER.bytes, 0, 196]);
  reports.length = 0;
  for (const pdu of [heard(AdvInd, 32), heard(AdvInd).subarray(0, 7), heard(ScanReq), heard(ConnectInd), heard(7), heard(15)])
    expect(role.onAdvertising(pdu, -60, true)).toBeUndefined();
  expect(reports).toEqual([]);
  for (const [type, eventType] of [
    [AdvScanInd, 2],
    [AdvNonconnInd, 3],
  ] as const) {
    role.onAdvertising(heard(type, 3, PEER_RANDOM), 99, true);
    const packet = reports.pop()!;
    expect([packet[5], packet[6], packet[13], ...packet.subarray(14)]).toEqual([eventType, 1, 3, 7, 7, 7, 20]);
  }
  role.onAdvertising(heard(AdvInd), -300, true);
  expect(reports.pop()!.at(-1)).toBe(129);
});

test("directed advertising is reported to its target alone, without data", () => {
  const { role, reports } = scanning();
  role.onAdvertising(advertisingPdu(AdvDirectInd, PEER, PEER, NOTHING), -60, true);
  role.onAdvertising(advertisingPdu(AdvDirectInd, PEER, { type: 1, bytes: OWN.bytes }, NOTHING), -60, true);
  expect(reports).toEqual([]);
  expect(role.onAdvertising(advertisingPdu(AdvDirectInd, PEER, OWN, NOTHING), -60, true)).toBeUndefined();
  expect([reports[0]![5], reports[0]![13]]).toEqual([1, 0]);
});

test("a scan request goes to what can be scanned, when scanning is active and there is time", () => {
  for (const [leScanType, type, mayAnswer, isAsked] of [
    [1, AdvInd, true, true],
    [1, AdvScanInd, true, true],
    [1, AdvNonconnInd, true, false],
    [1, AdvInd, false, false],
    [0, AdvInd, true, false],
  ] as const) {
    const answer = scanning({ leScanType }).role.onAdvertising(heard(type, 3, PEER_RANDOM), -60, mayAnswer);
    expect([...(answer?.pdu ?? [])]).toEqual(isAsked ? [ScanReq | 0x80, 12, ...OWN.bytes, ...PEER_RANDOM.bytes] : []);
  }
});

test("a scan response counts when it is whole and of whom it was asked", () => {
  const { role, reports } = scanning();
  const isTaken = (pdu: Uint8Array | undefined): boolean => {
    for (let i = 0; i < 300; i++) if (role.onAdvertising(heard(AdvInd), -60, true)) break;
    reports.length = 0;
    role.onScanResponse(pdu, -60);
    return reports.length === 1 && reports[0]![5] === 4;
  };
  expect([0, 31].map((octets) => isTaken(heard(ScanRsp, octets)))).toEqual([true, true]);
  for (const pdu of [heard(ScanRsp, 32), heard(ScanRsp).subarray(0, 7), heard(AdvInd), heard(ScanRsp, 3, PEER_RANDOM), undefined])
    expect(isTaken(pdu)).toBe(false);
});

test("requests that are not answered become rarer, by twos up to 256, and answers undo it (Vol 6 Part B 4.4.3.2)", () => {
  const { role } = scanning();
  /** Advertisements until the next request. */
  const next = (): number => {
    for (let i = 1; ; i++) if (role.onAdvertising(heard(AdvInd), -60, true)) return i;
  };
  const longest = (pdu: Uint8Array | undefined, times: number): number => {
    let most = 0;
    for (let i = 0; i < times; i++) {
      most = Math.max(most, next());
      role.onScanResponse(pdu, -60);
    }
    return most;
  };
  expect(longest(undefined, 2)).toBe(1); // two failures before the limit doubles
  expect(longest(undefined, 2)).toBeLessThanOrEqual(2);
  expect(longest(undefined, 2)).toBeLessThanOrEqual(4);
  const most = longest(undefined, 100);
  expect([most > 64, most <= 256]).toEqual([true, true]);
  longest(heard(ScanRsp), 40);
  expect(longest(heard(ScanRsp), 10)).toBe(1);
});

test("duplicates are told once, until scanning is enabled anew; another kind, address or type of address is no duplicate", () => {
  const { role, reports } = scanning({ leScanType: 0 }, true);
  const hear = (pdu: Uint8Array): number => {
    reports.length = 0;
    role.onAdvertising(pdu, -60, true);
    return reports.length;
  };
  expect([heard(AdvInd), heard(AdvInd, 5), heard(AdvScanInd)].map(hear)).toEqual([1, 0, 1]);
  expect(hear(heard(AdvInd, 3, new Address(PEER.bytes, 1)))).toBe(1);
  expect(hear(heard(AdvInd, 3, OWN))).toBe(1);
  role.enable(true);
  expect([hear(heard(AdvInd)), hear(heard(AdvInd))]).toEqual([1, 0]);
  role.enable(false);
  expect([hear(heard(AdvInd)), hear(heard(AdvInd))]).toEqual([1, 1]);
});

test("a scan that filters duplicates asks nobody again whose answer it has, and forgets the oldest of 1024", () => {
  const { role, reports } = scanning({}, true);
  expect(role.onAdvertising(heard(AdvInd), -60, true)).toBeDefined();
  role.onScanResponse(heard(ScanRsp), -60);
  expect(reports).toHaveLength(2);
  expect(role.onAdvertising(heard(AdvInd), -60, true)).toBeUndefined();
  for (let i = 0; i < 1024; i++)
    role.onAdvertising(heard(AdvNonconnInd, 0, new Address(Uint8Array.of(i, i >> 8, 9, 9, 9, 9), 0)), -60, true);
  reports.length = 0;
  role.onAdvertising(heard(AdvInd), -60, false);
  expect(reports).toHaveLength(1);
});

test("the scanner's filter policy lets in whom the list names", () => {
  const { role, reports, context } = scanning({ scanningFilterPolicy: 1 });
  expect([role.usesFilterAcceptList, scanning().role.usesFilterAcceptList]).toEqual([true, false]);
  context.filterAcceptList.add(0, PEER.bytes);
  role.onAdvertising(heard(AdvInd, 3, PEER_RANDOM), -60, true);
  expect(reports).toEqual([]);
  role.onAdvertising(heard(AdvInd), -60, true);
  expect(reports).toHaveLength(1);
  role.disable();
  expect([role.usesFilterAcceptList, role.isEnabled]).toEqual([false, false]);
});

test("a host that does not keep up, or does not want reports, gets none, and none is noted", () => {
  const { role, reports, context } = scanning({ leScanType: 0 }, true);
  const host = context.host as unknown as { wants: () => boolean; acceptsEvent: boolean };
  host.acceptsEvent = false;
  role.onAdvertising(heard(AdvInd), -60, true);
  host.acceptsEvent = true;
  host.wants = () => false;
  role.onAdvertising(heard(AdvInd), -60, true);
  expect(reports).toEqual([]);
  host.wants = () => true;
  role.onAdvertising(heard(AdvInd), -60, true);
  expect(reports).toHaveLength(1);
});

const create = (more: object = {}) => ({
  leScanInterval: 16,
  leScanWindow: 16,
  initiatorFilterPolicy: 0,
  peerAddressType: 0,
  peerAddress: PEER.bytes,
  ownAddressType: 0,
  connectionIntervalMin: 6,
  connectionIntervalMax: 6,
  maxLatency: 0,
  supervisionTimeout: 100,
  minCeLength: 0,
  maxCeLength: 0,
  ...more,
});
const directed = (to: Address) => advertisingPdu(AdvDirectInd, PEER, to, NOTHING);

test("an initiator answers the connectable advertising of its peer, once, with what it was told", () => {
  const { context, told } = link();
  let isDone = 0;
  const role = new Initiating(context, create(), () => isDone++);
  for (const pdu of [heard(AdvScanInd), heard(AdvNonconnInd), heard(ScanRsp), heard(AdvInd, 3, PEER_RANDOM), heard(AdvInd).subarray(0, 7)])
    expect(role.onAdvertising(pdu, -60, true)).toBeUndefined();
  for (const pdu of [directed(PEER), directed(new Address(OWN.bytes, 1))]) expect(role.onAdvertising(pdu, -60, true)).toBeUndefined();
  expect([role.onAdvertising(heard(AdvInd), -60, false), role.canCancel]).toEqual([undefined, true]);
  const answer = role.onAdvertising(heard(AdvInd, 0), -60, true)!;
  expect([...answer.pdu.subarray(0, 14)]).toEqual([ConnectInd, 34, ...OWN.bytes, ...PEER.bytes]);
  expect(decodeConnectData(answer.pdu)).toMatchObject({ interval: 6, latency: 0, timeout: 100, winOffset: 3, winSize: 1, sca: 5 });
  expect([role.canCancel, role.onAdvertising(heard(AdvInd), -60, true)]).toEqual([false, undefined]);
  answer.connect!(5000);
  expect([told, isDone]).toEqual([["stopped", `opened ${PEER} 5000 false`], 1]);
});

test("an initiator answers directed advertising that is for it", () => {
  const role = new Initiating(link().context, create({ ownAddressType: 1 }), () => {});
  expect(role.onAdvertising(directed(OWN), -60, true)).toBeUndefined();
  expect(role.onAdvertising(directed(OWN_RANDOM), -60, true)?.pdu[0]).toBe(ConnectInd | 0x40);
});

test("an initiator that goes by its list takes whom it names, and nobody twice", () => {
  const { context } = link({ isConnectedTo: (type) => type === 1 });
  context.filterAcceptList.add(0, OWN.bytes);
  context.filterAcceptList.add(1, PEER_RANDOM.bytes);
  const role = new Initiating(context, create({ initiatorFilterPolicy: 1 }), () => {});
  expect(role.usesFilterAcceptList).toBe(true);
  expect(role.onAdvertising(heard(AdvInd), -60, true)).toBeUndefined();
  expect(role.onAdvertising(heard(AdvInd, 3, PEER_RANDOM), -60, true)).toBeUndefined();
  expect(role.onAdvertising(heard(AdvInd, 3, OWN), -60, true)).toBeDefined();
});

test("an attempt that is cancelled is told, one that is abandoned is not, and its link is nobody's", () => {
  const cancelled = link();
  let isDone = 0;
  new Initiating(cancelled.context, create(), () => isDone++).cancel();
  expect([cancelled.told, isDone]).toEqual([["stopped", "failed 2 central"], 1]);
  const abandoned = link();
  const role = new Initiating(abandoned.context, create(), () => isDone++);
  const answer = role.onAdvertising(heard(AdvInd), -60, true)!;
  role.abandon();
  answer.connect!(5000);
  expect([abandoned.told, isDone]).toEqual([["stopped", `opened ${PEER} 5000 true`], 2]);
});

test("parameters of an attempt: where ranges begin and end", () => {
  const INVALID = HciErrorCode.InvalidHciCommandParameters;
  const check = (more: object, context: Partial<LinkLayerContext> = {}) => Initiating.check(link(context).context, create(more));
  for (const [more, status] of [
    [{}, 0],
    [{ leScanInterval: 3, leScanWindow: 3 }, INVALID],
    [{ leScanWindow: 17 }, INVALID],
    [{ leScanInterval: 0x4000 }, 0],
    [{ leScanInterval: 0x4001 }, INVALID],
    [{ minCeLength: 2, maxCeLength: 1 }, INVALID],
    [{ minCeLength: 2, maxCeLength: 2 }, 0],
    [{ initiatorFilterPolicy: 1 }, 0],
    [{ initiatorFilterPolicy: 2 }, INVALID],
    [{ peerAddressType: 1 }, 0],
    [{ peerAddressType: 2 }, HciErrorCode.UnsupportedFeatureOrParameterValue],
    [{ peerAddressType: 4 }, INVALID],
    [{ peerAddressType: 4, initiatorFilterPolicy: 1 }, 0],
    [{ ownAddressType: 3 }, HciErrorCode.UnsupportedFeatureOrParameterValue],
    [{ connectionIntervalMin: 5 }, INVALID],
  ] as const)
    expect([more, check(more)]).toEqual([more, status]);
  expect(check({}, { isFull: true })).toBe(HciErrorCode.ConnectionLimitExceeded);
  expect(check({}, { isConnectedTo: () => true })).toBe(HciErrorCode.ConnectionAlreadyExists);
  expect(check({ initiatorFilterPolicy: 1 }, { isConnectedTo: () => true })).toBe(0);
  expect(check({}, { checkOwnAddress: () => INVALID })).toBe(INVALID);
});
