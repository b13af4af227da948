import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { type Connection, type ConnectionPolicy, Device } from "../src/device/index.ts";
import {
  HciErrorCode,
  LeConnectionUpdateComplete,
  LeFeature,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

// The two ways in which a peripheral asks for connection parameters: of the link layer (Vol 6 Part B 5.1.7), and of L2CAP where one of the
// controllers lacks that (Vol 3 Part A 4.20).

const PEER = Address.from("00:00:00:00:00:01");
const KNOWN = 1n << BigInt(LeFeature.ConnectionParametersRequestProcedure);
const UNSUPPORTED = HciErrorCode.UnsupportedRemoteFeature;

describe("against a scripted controller", () => {
  let clock: VirtualClock;
  let controller: ScriptedController;
  let device: Device;

  const opened = async (leFeatures: bigint, policy: ConnectionPolicy = {}): Promise<void> => {
    controller = new ScriptedController({ leFeatures });
    device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), policy });
  };
  const answered = async (): Promise<Connection> => {
    const advertising = await device.advertise({});
    controller.link({ role: "peripheral", peer: PEER });
    return await advertising.connection();
  };
  const featuresAre = (leFeatures: bigint, status = 0): void => {
    controller.reactions.set("LeReadRemoteFeatures", () =>
      controller.event(LeReadRemoteFeaturesComplete, { status, connectionHandle: 1, leFeatures }),
    );
  };
  const updated = (connectionInterval: number, { status = 0, peripheralLatency = 0, supervisionTimeout = 400 } = {}): void =>
    controller.event(LeConnectionUpdateComplete, {
      status,
      connectionHandle: 1,
      connectionInterval,
      peripheralLatency,
      supervisionTimeout,
    });
  /** Requests that left over L2CAP, without their identifiers. */
  const requests = (): string[] =>
    controller.data
      .map((packet) => packet.subarray(9))
      .filter((pdu) => pdu[0] === 0x12)
      .map((pdu) => Buffer.from(pdu.subarray(4)).toString("hex"));
  const answer = (result: number): void => {
    const identifier = controller.data.findLast((packet) => packet[9] === 0x12)![10]!;
    controller.pdu(1, 5, Uint8Array.of(0x13, identifier, 2, 0, result, 0));
  };
  const settled = () => delay(clock, 1);
  const commands = () => controller.commands.filter((name) => name === "LeConnectionUpdate").length;

  beforeEach(() => {
    clock = new VirtualClock();
  });
  afterEach(async () => {
    await device.close();
    expect(clock.pending).toEqual([]);
  });

  test.each<[string, bigint, (() => void) | undefined, "link layer" | "L2CAP", number]>([
    ["neither controller knows the link layer's request", 0n, undefined, "L2CAP", 0],
    ["the own controller does not", 0n, () => featuresAre(KNOWN), "L2CAP", 0],
    ["the peer's does not", KNOWN, () => featuresAre(0n), "L2CAP", 1],
    ["both do", KNOWN, () => featuresAre(KNOWN), "link layer", 1],
    ["a peripheral may not read features", KNOWN, () => controller.answers.set("LeReadRemoteFeatures", 0x0c), "L2CAP", 1],
    ["the peer does not tell its features", KNOWN, () => featuresAre(0n, UNSUPPORTED), "L2CAP", 1],
  ])("a peripheral asks as the features say: %s", async (_what, own, prepare, way, reads) => {
    await opened(own);
    prepare?.();
    const connection = await answered();
    const update = connection.updateParameters({ intervalMs: [50, 60], latency: 1 });
    await settled();
    expect(commands()).toBe(way === "link layer" ? 1 : 0);
    expect(requests()).toEqual(way === "L2CAP" ? ["2800300001009001"] : []);
    expect(controller.commands.filter((name) => name === "LeReadRemoteFeatures")).toHaveLength(reads);
    if (way === "L2CAP") answer(0);
    updated(44, { peripheralLatency: 1 });
    expect(await update).toEqual({ intervalMs: 55, latency: 1, supervisionTimeoutMs: 4000 });
  });

  test("a central never asks: it sets them, whatever the peer can", async () => {
    await opened(0n);
    controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
    const connection = await device.connect(PEER);
    controller.reactions.set("LeConnectionUpdate", () => updated(40));
    expect(await connection.updateParameters({ intervalMs: 50 })).toMatchObject({ intervalMs: 50 });
    expect(controller.last.get("LeConnectionUpdate")).toEqual({
      connectionHandle: 1,
      connectionIntervalMin: 40,
      connectionIntervalMax: 40,
      maxLatency: 0,
      supervisionTimeout: 400,
      minCeLength: 0,
      maxCeLength: 0,
    });
    controller.answers.set("LeConnectionUpdate", UNSUPPORTED);
    await expect(connection.updateParameters({ intervalMs: 60 })).rejects.toMatchObject({ code: "ERR_HCI", status: UNSUPPORTED });
    expect(requests()).toEqual([]);
  });

  test.each(["at once", "in the end"])("a link layer that turns out not to know the request, %s, leaves L2CAP", async (when) => {
    await opened(KNOWN);
    featuresAre(KNOWN);
    const connection = await answered();
    if (when === "at once") controller.answers.set("LeConnectionUpdate", UNSUPPORTED);
    else controller.reactions.set("LeConnectionUpdate", () => updated(24, { status: UNSUPPORTED }));
    const accepted = connection.updateParameters({ intervalMs: 50 });
    await settled();
    expect([commands(), requests()]).toEqual([1, ["2800280000009001"]]);
    answer(0);
    updated(40);
    expect(await accepted).toMatchObject({ intervalMs: 50 });
    const refused = expect(connection.updateParameters({ intervalMs: 60 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await settled();
    answer(1);
    await refused;
    expect(clock.pending).toEqual([]); // nobody waits for an event any more
  });

  test.each([
    HciErrorCode.UnacceptableConnectionParameters,
    HciErrorCode.LlProcedureCollision,
    HciErrorCode.DifferentTransactionCollision,
    HciErrorCode.LlResponseTimeout,
  ])("what ends with status %i is not asked for again over L2CAP", async (status) => {
    await opened(KNOWN);
    featuresAre(KNOWN);
    const connection = await answered();
    controller.reactions.set("LeConnectionUpdate", () => updated(24, { status }));
    await expect(connection.updateParameters({ intervalMs: 50 })).rejects.toMatchObject({ code: "ERR_HCI", status });
    expect(requests()).toEqual([]);
    expect(connection.parameters.intervalMs).toBe(30);
  });

  test("a link that ends between the two ways is the end of both", async () => {
    await opened(KNOWN);
    featuresAre(KNOWN);
    const connection = await answered();
    controller.answers.set("LeConnectionUpdate", "silent");
    const update = expect(connection.updateParameters({ intervalMs: 50 })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await settled();
    controller.lose();
    await update;
    expect(requests()).toEqual([]);
  });

  test("a central that does not know the request of L2CAP says so", async () => {
    await opened(0n);
    const connection = await answered();
    const rejected = expect(connection.updateParameters({ intervalMs: 50 })).rejects.toMatchObject({
      code: "ERR_L2CAP_COMMAND_REJECTED",
      reason: 0,
    });
    await settled();
    controller.pdu(1, 5, Uint8Array.of(0x01, controller.data.at(-1)![10]!, 2, 0, 0, 0)); // Command Not Understood
    await rejected;
    expect(connection.ended).toBeUndefined();
  });

  test("a central that accepts over L2CAP and does nothing is waited for a minute", async () => {
    await opened(0n);
    const connection = await answered();
    const silent = expect(connection.updateParameters({ intervalMs: 50 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    answer(0);
    await delay(clock, 60_000);
    await silent;
    // And it can be asked again.
    const update = connection.updateParameters({ intervalMs: 60 });
    await settled();
    answer(0);
    updated(48);
    expect(await update).toMatchObject({ intervalMs: 60 });
  });

  test("the own request and the peer's, which cross over the link layer, end each with its own event", async () => {
    await opened(KNOWN);
    controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
    const connection = await device.connect(PEER);
    const update = connection.updateParameters({ intervalMs: 50 });
    await settled();
    controller.event(LeRemoteConnectionParameterRequest, {
      connectionHandle: 1,
      intervalMin: 80,
      intervalMax: 80,
      maxLatency: 0,
      timeout: 400,
    });
    await settled();
    expect(controller.last.get("LeRemoteConnectionParameterRequestReply")).toMatchObject({
      intervalMin: 80,
      intervalMax: 80,
      timeout: 400,
    });
    updated(80);
    await settled();
    updated(40);
    expect(await update).toMatchObject({ intervalMs: 50 });
    expect(connection.parameters.intervalMs).toBe(50);
  });

  test.each<[string, ConnectionPolicy["parameterRequests"], boolean]>([
    ["that refuses", "refuse", false],
    ["that accepts", "accept", true],
    ["of an own mind", ({ intervalMax }) => intervalMax <= 40, false],
  ])("a policy %s answers the peer, of either role", async (_what, parameterRequests, accepts) => {
    await opened(KNOWN, { parameterRequests });
    await answered();
    controller.event(LeRemoteConnectionParameterRequest, {
      connectionHandle: 1,
      intervalMin: 80,
      intervalMax: 80,
      maxLatency: 0,
      timeout: 400,
    });
    await settled();
    const negative = controller.last.get("LeRemoteConnectionParameterRequestNegativeReply");
    expect(controller.commands.includes("LeRemoteConnectionParameterRequestReply")).toBe(accepts);
    if (!accepts) expect(negative).toEqual({ connectionHandle: 1, reason: HciErrorCode.UnacceptableConnectionParameters });
    else expect(negative).toBeUndefined();
  });
});

describe("in the air", () => {
  const has = (connectionParametersRequest: boolean) => ({ controller: { features: { connectionParametersRequest } } });
  const wish = { intervalMs: [100, 100] as const, latency: 2, supervisionTimeoutMs: 3000 };
  const granted = { intervalMs: 100, latency: 2, supervisionTimeoutMs: 3000 };

  test.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])("central knows the link layer's request: %s, peripheral: %s; asked, refused, and set by the central", async (central, peripheral) => {
    await using air = new SimulatedAir({ seed: 41 });
    const options = { central: has(central), peripheral: has(peripheral) };
    const pair = await air.connectedPair(options);
    expect(await pair.peripheral.connection.updateParameters(wish)).toEqual(granted);
    await air.advance(1000);
    expect(pair.central.connection.parameters).toEqual(granted);
    expect(air.trace("L2capConnectionParameterUpdateReq")).toHaveLength(central && peripheral ? 0 : 1);
    const refusing = await air.connectedPair({ ...options, connect: { policy: { parameterRequests: "refuse" } } });
    await expect(refusing.peripheral.connection.updateParameters(wish)).rejects.toMatchObject(
      central && peripheral ? { code: "ERR_HCI", status: 0x3b } : { code: "ERR_UNSUPPORTED" },
    );
    expect(await refusing.central.connection.updateParameters({ intervalMs: 50 })).toMatchObject({ intervalMs: 50 });
    await air.advance(1000);
    expect(refusing.peripheral.connection.parameters.intervalMs).toBe(50);
  });

  test.each([true, false])(
    "both sides ask at once (over the link layer: %s): both hear what became of it, and agree",
    async (overLinkLayer) => {
      await using air = new SimulatedAir({ seed: 42 });
      const { central, peripheral } = await air.connectedPair({ central: has(overLinkLayer), peripheral: has(overLinkLayer) });
      const outcomes = await Promise.allSettled([
        central.connection.updateParameters({ intervalMs: 40 }),
        peripheral.connection.updateParameters({ intervalMs: 80 }),
      ]);
      await air.advance(2000);
      const { intervalMs } = central.connection.parameters;
      expect(peripheral.connection.parameters).toEqual(central.connection.parameters);
      expect([40, 80]).toContain(intervalMs);
      expect(outcomes.some(({ status }) => status === "fulfilled")).toBe(true);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect((outcome.reason as { code: string }).code).toMatch(/^ERR_(HCI|UNSUPPORTED)$/);
      // Neither is stuck.
      expect(await central.connection.updateParameters({ intervalMs: 60 })).toMatchObject({ intervalMs: 60 });
      expect(await peripheral.connection.updateParameters({ intervalMs: 70 })).toMatchObject({ intervalMs: 70 });
    },
  );
});
