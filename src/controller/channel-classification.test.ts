import { expect, test } from "vitest";
import { connectedPair, type RawPair } from "../../test/support/raw-pair.ts";
import { toHex } from "../bytes/index.ts";
import { DisconnectionComplete, HciErrorCode, LeReadChannelMap, LeSetHostChannelClassification } from "../hci/index.ts";

const on = { features: { channelClassification: true } };
const ALL = "ffffffff1f";

const map = async ({ central, peripheral, handles }: RawPair): Promise<string[]> =>
  await Promise.all(
    [[central, handles.central] as const, [peripheral, handles.peripheral] as const].map(async ([host, connectionHandle]) =>
      toHex((await host.command(LeReadChannelMap, { connectionHandle })).channelMap),
    ),
  );

/** Opcode and time in ms of the PDUs of classification and of channel maps on air. */
const pdus = ({ air }: RawPair): [number, number][] =>
  air.trace.entries.flatMap((entry) => {
    if (entry.kind !== "air" || entry.channel >= 37 || (entry.pdu[0]! & 3) !== 3) return [];
    const opcode = entry.pdu[2]!;
    return opcode === 1 || opcode === 0x28 || opcode === 0x29 ? [[opcode, entry.timeUs / 1000]] : [];
  });
const opcodes = (pair: RawPair): number[] => pdus(pair).map(([opcode]) => opcode);

const classify = (host: RawPair["central"], ...channelMap: number[]) =>
  host.command(LeSetHostChannelClassification, { channelMap: Uint8Array.from(channelMap) });

test("the central's link avoids what its peripheral's host calls bad, and what its own does", async () => {
  const pair = await connectedPair({ central: on, peripheral: on });
  await pair.clock.advance(500);
  expect(opcodes(pair)).toEqual([0x28]);
  await classify(pair.peripheral, 0xf0, 0xff, 0xff, 0xff, 0x1f);
  await pair.clock.advance(1000);
  expect(await map(pair)).toEqual(["f0ffffff1f", "f0ffffff1f"]);
  await classify(pair.central, 0xff, 0xff, 0x0f, 0, 0);
  await pair.clock.advance(1000);
  expect(await map(pair)).toEqual(["f0ff0f0000", "f0ff0f0000"]);
  await classify(pair.peripheral, 0xff, 0xff, 0xff, 0xff, 0x1f); // nothing is bad any more
  await pair.clock.advance(2000);
  expect(await map(pair)).toEqual(["ffff0f0000", "ffff0f0000"]);
  // What would leave fewer than two channels is the peripheral's affair.
  await classify(pair.peripheral, 0, 0, 0, 0xff, 0x1f);
  await pair.clock.advance(3000);
  expect(await map(pair)).toEqual(["ffff0f0000", "ffff0f0000"]);
  expect(pair.central.all(DisconnectionComplete)).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("reports are a second apart, and say what holds by then", async () => {
  const pair = await connectedPair({ central: on, peripheral: on });
  await pair.clock.advance(2000);
  for (const octet of [0xfe, 0xfc, 0xf8, 0xf0]) {
    await classify(pair.peripheral, octet, 0xff, 0xff, 0xff, 0x1f);
    await pair.clock.advance(100);
  }
  await pair.clock.advance(5000);
  const reports = pdus(pair).filter(([opcode]) => opcode === 0x29);
  expect(reports).toHaveLength(2);
  expect(reports[1]![1] - reports[0]![1]).toBeGreaterThanOrEqual(985);
  expect(reports[1]![1] - reports[0]![1]).toBeLessThan(1100);
  expect(await map(pair)).toEqual(["f0ffffff1f", "f0ffffff1f"]);
  await classify(pair.peripheral, 0xf0, 0xff, 0xff, 0xff, 0x1f); // as before
  await pair.clock.advance(3000);
  expect(pdus(pair).filter(([opcode]) => opcode === 0x29)).toHaveLength(2);
  pair.air[Symbol.dispose]();
});

test("what the peripheral's host had called bad before the link is reported at once", async () => {
  const pair = await connectedPair({
    central: on,
    peripheral: on,
    onHosts: async ({ peripheral }) => {
      await classify(peripheral, 0, 0xff, 0xff, 0xff, 0x1f);
    },
  });
  await pair.clock.advance(1000);
  expect(opcodes(pair)).toEqual([0x28, 0x29, 1]);
  expect(await map(pair)).toEqual(["00ffffff1f", "00ffffff1f"]);
  pair.air[Symbol.dispose]();
});

test.each([
  ["the central", {}, on],
  ["the peripheral", on, {}],
])("nothing is reported where %s does not know it", async (_, central, peripheral) => {
  const pair = await connectedPair({ central, peripheral });
  await classify(pair.peripheral, 0xf0, 0xff, 0xff, 0xff, 0x1f);
  await pair.clock.advance(3000);
  expect(opcodes(pair)).toEqual([]);
  expect(await map(pair)).toEqual([ALL, ALL]);
  pair.air[Symbol.dispose]();
});

test("a classification with fewer than two channels is refused, reserved bits do not count", async () => {
  const pair = await connectedPair();
  for (const channelMap of [
    [0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0],
    [1, 0, 0, 0, 0xe0],
  ])
    expect(await classify(pair.central, ...channelMap)).toEqual({ status: HciErrorCode.InvalidHciCommandParameters });
  expect(await classify(pair.central, 1, 0, 0, 0, 0xf0)).toEqual({ status: 0 });
  await pair.clock.advance(1000);
  expect(await map(pair)).toEqual(["0100000010", "0100000010"]);
  pair.air[Symbol.dispose]();
});
