import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { CaptureAnonymizer } from "./anonymous/capture-anonymizer.ts";
import { CaptureDecoder, type CaptureDirection, packetJson, packetText } from "./index.ts";

type Arrow = ">" | "<";
const DIRECTIONS: Readonly<Record<Arrow, CaptureDirection>> = { ">": "host-to-controller", "<": "controller-to-host" };

/** One L2CAP frame in one ACL packet on handle 0x0040. */
function acl(arrow: Arrow, cid: number, payload: string): Uint8Array {
  const octets = fromHex(payload);
  const { length } = octets;
  return concat(Uint8Array.of(2, 0x40, arrow === ">" ? 0 : 0x20, length + 4, 0, length, 0, cid, 0), octets);
}
type Told = readonly [arrow: Arrow, cid: number, payload: string];

function decoded(...frames: readonly Told[]) {
  const decoder = new CaptureDecoder();
  return frames.map(([arrow, cid, payload]) => {
    const packet = acl(arrow, cid, payload);
    return decoder.decode({ direction: DIRECTIONS[arrow], packet, timeMs: 0, originalLength: packet.length, drops: 0 });
  });
}
const texts = (...frames: readonly Told[]): string[] => decoded(...frames).map((packet) => packetText(packet).replace("0x0040 ", ""));

/** The host asks for a channel of SPSM 0x80: its CID is 0x40, that of the peer 0x50; MTU 20 and MPS 10 here, 30 and 12 there. */
const OPENED: readonly Told[] = [
  [">", 5, "14 01 0a00 8000 4000 1400 0a00 0500"],
  ["<", 5, "15 01 0a00 5000 1e00 0c00 0300 0000"],
];

test.each([
  ["01 02 0600 0200 4000 5000", "L2capCommandRejectRsp identifier=2 reason=2 (invalid CID) reasonData=40005000"],
  ["06 02 0400 5000 4000", "L2capDisconnectionReq identifier=2 destinationCid=0x0050 sourceCid=0x0040"],
  ["07 02 0400 5000 4000", "L2capDisconnectionRsp identifier=2 destinationCid=0x0050 sourceCid=0x0040"],
  ["13 02 0200 0100", "L2capConnectionParameterUpdateRsp identifier=2 result=1 (rejected)"],
  [
    "14 02 0a00 8000 4000 1400 0a00 0500",
    "L2capLeCreditBasedConnectionReq identifier=2 spsm=0x0080 sourceCid=0x0040 mtu=20 mps=10 initialCredits=5",
  ],
  [
    "15 02 0a00 0000 0000 0000 0000 0200",
    "L2capLeCreditBasedConnectionRsp identifier=2 destinationCid=0x0000 mtu=0 mps=0 initialCredits=0 result=2 (SPSM not supported)",
  ],
  ["16 02 0400 4000 0300", "L2capFlowControlCreditInd identifier=2 cid=0x0040 credits=3"],
  [
    "17 02 0c00 8000 4000 4000 0500 4000 4100",
    "L2capCreditBasedConnectionReq identifier=2 spsm=0x0080 mtu=64 mps=64 initialCredits=5 sourceCids=[0x0040, 0x0041]",
  ],
  [
    "18 02 0c00 4000 4000 0500 0400 5000 0000",
    "L2capCreditBasedConnectionRsp identifier=2 mtu=64 mps=64 initialCredits=5 result=4 (no resources) destinationCids=[0x0050, 0x0000]",
  ],
  ["19 02 0800 8000 4000 4000 4100", "L2capCreditBasedReconfigureReq identifier=2 mtu=128 mps=64 destinationCids=[0x0040, 0x0041]"],
  ["1a 02 0200 0200", "L2capCreditBasedReconfigureRsp identifier=2 result=2 (MPS of several channels reduced)"],
  ["1b 02 0200 0200", "L2capSignalling 0x1b identifier=2 raw=0200"],
])("a signalling packet %s is told by name", (hex, expected) => {
  expect(texts([">", 5, hex])).toEqual([expected]);
});

test("a channel's life: SPSM in what does not name it, K-frames with the SDU they belong to, and its end", () => {
  expect(
    texts(
      ...OPENED,
      [">", 0x50, "0300 aabbcc"],
      ["<", 0x40, "0a00 0102030405"],
      ["<", 0x40, "060708090a"],
      ["<", 0x40, "0000"],
      ["<", 5, "16 09 0400 5000 0300"],
      [">", 5, "06 02 0400 5000 4000"],
      ["<", 5, "07 02 0400 5000 4000"],
      [">", 0x50, "0300 aabbcc"],
    ),
  ).toEqual([
    "L2capLeCreditBasedConnectionReq identifier=1 spsm=0x0080 sourceCid=0x0040 mtu=20 mps=10 initialCredits=5",
    "L2capLeCreditBasedConnectionRsp identifier=1 destinationCid=0x0050 mtu=30 mps=12 initialCredits=3 result=0 (success) spsm=0x0080",
    "L2capKFrame cid=0x0050 spsm=0x0080 sduLength=3 sduOctets=3 raw=aabbcc",
    "L2capKFrame cid=0x0040 spsm=0x0080 sduLength=10 sduOctets=5 raw=0102030405",
    "L2capKFrame cid=0x0040 spsm=0x0080 sduLength=10 sduOctets=10 raw=060708090a",
    'L2capKFrame cid=0x0040 spsm=0x0080 sduLength=0 sduOctets=0 raw=""',
    "L2capFlowControlCreditInd identifier=9 cid=0x0050 credits=3 spsm=0x0080",
    "L2capDisconnectionReq identifier=2 destinationCid=0x0050 sourceCid=0x0040 spsm=0x0080",
    "L2capDisconnectionRsp identifier=2 destinationCid=0x0050 sourceCid=0x0040 spsm=0x0080",
    "L2capFrame cid=0x0050 raw=0300aabbcc",
  ]);
});

test.each([
  ["a K-frame longer than the MPS", [["<", 0x40, "0a00 010203040506070809"]], "a K-frame of 11 octets, with an MPS of 10"],
  ["an SDU longer than the MTU", [["<", 0x40, "1500 01"]], "an SDU of 21 octets, with an MTU of 20"],
  [
    "more octets than the SDU has",
    [
      ["<", 0x40, "0300 0102"],
      ["<", 0x40, "0304"],
    ],
    "4 octets of an SDU of 3",
  ],
  ["no length", [["<", 0x40, "01"]], "the first K-frame of an SDU without a length"],
] as const)("%s is marked, and the next SDU is read", (_name, frames, problem) => {
  const told = decoded(...OPENED, ...frames);
  expect(told.at(-1)!.malformed).toBe(problem);
  expect(packetJson(told.at(-1)!)).toMatchObject({ name: "L2capKFrame", malformed: problem });
});

test("enhanced channels: those that were refused are none, a pending answer is none, and a reconfiguration counts when it is accepted", () => {
  const asked: readonly Told[] = [
    ["<", 5, "17 01 0c00 8000 4000 4000 0500 4000 4100"],
    [">", 5, "18 01 0c00 4000 4000 0500 0d00 0000 0000"],
    [">", 5, "18 01 0c00 4000 4000 0500 0400 0000 5100"],
  ];
  const frame = `5000 ${"00".repeat(62)}`;
  const told = decoded(
    ...asked,
    ["<", 0x50, "0000"],
    ["<", 0x51, frame],
    ["<", 0x51, "00".repeat(18)],
    [">", 5, "19 07 0600 0002 4000 5100"],
    ["<", 5, "1a 07 0200 0400"],
    ["<", 0x51, frame],
    ["<", 0x51, "00".repeat(18)],
    [">", 5, "19 08 0600 0002 4000 5100"],
    ["<", 5, "1a 08 0200 0000"],
    ["<", 0x51, frame],
    [">", 0x41, "0100 ff"],
  );
  expect(told.map(({ name }) => name.replace("L2cap", "")).slice(3)).toEqual([
    "Frame",
    "KFrame",
    "KFrame",
    "CreditBasedReconfigureReq",
    "CreditBasedReconfigureRsp",
    "KFrame",
    "KFrame",
    "CreditBasedReconfigureReq",
    "CreditBasedReconfigureRsp",
    "KFrame",
    "KFrame",
  ]);
  const tooLong = "an SDU of 80 octets, with an MTU of 64";
  expect(told.map(({ malformed }) => malformed).slice(4)).toEqual([
    tooLong,
    undefined,
    undefined,
    undefined,
    tooLong,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(told[7]!.fields).toMatchObject({ spsm: 0x80, result: 4 });
});

test("a request that was rejected opens nothing, and an answer of the other kind either", () => {
  const names = (...frames: readonly Told[]): string[] => decoded(...frames, [">", 0x50, "0000"]).map(({ name }) => name);
  expect(names(OPENED[0]!, ["<", 5, "01 01 0200 0000"], OPENED[1]!).at(-1)).toBe("L2capFrame");
  expect(names(OPENED[0]!, ["<", 5, "18 01 0a00 4000 4000 0500 0000 5000"]).at(-1)).toBe("L2capFrame");
  expect(names([">", 5, "14 02 0a00 8000 4000 1400 0a00 0500"], OPENED[1]!).at(-1)).toBe("L2capFrame");
});

/** Two enhanced bearers of the attribute protocol: 0x40 and 0x41 here, 0x50 and 0x51 there. */
const BEARERS: readonly Told[] = [
  [">", 5, "17 01 0c00 2700 4000 4000 0500 4000 4100"],
  ["<", 5, "18 01 0c00 4000 4000 0500 0000 5000 5100"],
];

test("PDUs of enhanced ATT bearers are told as such, however they are cut; each bearer has its own answers", () => {
  expect(
    texts(
      ...BEARERS,
      [">", 0x50, "0300 0a0300"],
      [">", 0x51, "0700 08"],
      [">", 0x51, "0100ffff0328"],
      ["<", 0x40, "0200 0b48"],
      ["<", 0x41, "0900 09 07 0200 12 0300 372a"],
      [">", 0x50, "0500 12 0300 aabb"],
      [">", 0x50, "0200 0a03"],
    ).slice(2),
  ).toEqual([
    "AttReadReq cid=0x0050 attributeHandle=0x0003",
    "L2capKFrame cid=0x0051 spsm=0x0027 sduLength=7 sduOctets=1 raw=08",
    "AttReadByTypeReq cid=0x0051 startingHandle=0x0001 endingHandle=0xffff attributeType=2803 (Characteristic)",
    "AttReadRsp cid=0x0040 attributeHandle=0x0003 attributeValue=48",
    "AttReadByTypeRsp cid=0x0041 attributeDataList=[{attributeHandle=0x0002 properties=0x12 (read, notify) valueHandle=0x0003 " +
      "characteristic=2a37 (Heart Rate Measurement)}]",
    "AttWriteReq <2a37 (Heart Rate Measurement)> cid=0x0050 attributeHandle=0x0003 attributeValue=aabb",
    "Malformed raw=0a03 [malformed: AttReadReq.attributeHandle: needs 2 bytes, has 1 at offset 1 of 2]",
  ]);
});

/** Through one anonymizer, each frame in one packet or in packets of so many octets. */
function anonymized(frames: readonly Told[], size = 255): string[] {
  const anonymizer = new CaptureAnonymizer();
  return frames.map(([arrow, cid, payload]) => {
    const octets = acl(arrow, cid, payload).subarray(5);
    const shown: Uint8Array[] = [];
    for (let at = 0; at < octets.length; at += size) {
      const part = octets.subarray(at, at + size);
      const flags = at > 0 ? 0x10 : arrow === ">" ? 0 : 0x20;
      const packet = concat(Uint8Array.of(2, 0x40, flags, part.length, 0), part);
      shown.push(
        anonymizer
          .anonymize({ direction: DIRECTIONS[arrow], packet, timeMs: 0, originalLength: packet.length, drops: 0 })
          .packet.subarray(5),
      );
    }
    return toHex(concat(...shown).subarray(4));
  });
}

test.each([255, 1, 3])("without values a channel keeps its SDUs' lengths and nothing else of them; in packets of %s octets", (size) => {
  const hex = (text: string): string => text.replaceAll(" ", "");
  const frames: readonly Told[] = [
    ...OPENED,
    [">", 0x50, "0300 aabbcc"],
    ["<", 0x40, "0a00 0102030405"],
    ["<", 0x40, "060708090a"],
    ["<", 0x40, "0100 ff"],
    [">", 0x60, "0100 ff"],
    ...BEARERS.map(
      ([arrow, cid, payload]): Told => [arrow, cid, payload.replace("4000 4100", "4200 4300").replace("5000 5100", "5200 5300")],
    ),
    [">", 0x52, "0500 12 0300 aabb"],
    [">", 0x53, "0700 08"],
    [">", 0x53, "0100ffff002a"],
    [">", 0x52, "0700 08 0100 ffff 0328"],
    ["<", 0x43, "0800 09 06 0200 4a616e65"],
    ["<", 0x42, "0900 09 07 0200 12 0300 372a"],
  ];
  expect(anonymized(frames, size)).toEqual(
    [
      ...OPENED.map(([, , payload]) => payload),
      "0300 000000",
      "0a00 0000000000",
      "0000000000",
      "0100 00",
      "0000 00", // of a channel that is not known
      ...frames.slice(7, 9).map(([, , payload]) => payload),
      "0500 12 0300 0000",
      "0700 08",
      "0100ffff002a",
      "0700 08 0100 ffff 0328",
      "0800 09 06 0200 00000000", // the value of the name, asked for on this bearer
      "0900 09 07 0200 12 0300 372a",
    ].map(hex),
  );
});
