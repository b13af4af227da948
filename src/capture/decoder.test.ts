import fc from "fast-check";
import { expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/index.ts";
import { CaptureDecoder, type CaptureDirection, type DecodedPacket, packetJson, packetLine, packetText } from "./index.ts";

const KEY = "0f0e0d0c0b0a09080706050403020100";
/** Most significant octet first, as the specification writes keys. */
const KEY_AS_TOLD = "000102030405060708090a0b0c0d0e0f";

function decoderOf(options?: { secrets?: boolean }) {
  const decoder = new CaptureDecoder(options);
  return (direction: ">" | "<", hex: string): DecodedPacket => {
    const packet = fromHex(hex);
    const which: CaptureDirection = direction === ">" ? "host-to-controller" : "controller-to-host";
    return decoder.decode({ direction: which, packet, timeMs: 1000, originalLength: packet.length, drops: 0 });
  };
}
const text = (direction: ">" | "<", hex: string, options?: { secrets?: boolean }): string => packetText(decoderOf(options)(direction, hex));
/** One L2CAP frame in one ACL packet on handle 0x0040. */
function acl(cid: number, pdu: string, boundary = 0x20): string {
  const { length } = fromHex(pdu);
  return toHex(concat(Uint8Array.of(2, 0x40, boundary, length + 4, 0, length, 0, cid, 0), fromHex(pdu)));
}

const CONNECTED = "043e13 01 00 4000 00 01 0605040302c1 1800 0000 4800 00";

test.each([
  [">", "01030c00", "Reset"],
  ["<", "040e04 01 030c 00", "CommandComplete Reset status=Success (0x00)"],
  [
    "<",
    "040f04 0c 01 0d20",
    "CommandStatus status=Command Disallowed (0x0c) numHciCommandPackets=1 commandOpcode=0x200d (LeCreateConnection)",
  ],
  [
    "<",
    CONNECTED,
    "LeConnectionComplete status=Success (0x00) connectionHandle=0x0040 role=0 (central) peerAddress=C1:02:03:04:05:06/random " +
      "connectionInterval=24 (30 ms) peripheralLatency=0 supervisionTimeout=72 (720 ms) centralClockAccuracy=0",
  ],
  [
    "<",
    "043e1a 02 01 00 01 0605040302c1 0e 020106 03030d18 06094a656c6c79 c4",
    "LeAdvertisingReport reports=[{eventType=0 (ADV_IND) address=C1:02:03:04:05:06/random data={flags=0x06 (general discoverable, no BR/EDR) " +
      'serviceUuids=[180d (Heart Rate)] name="Jelly"} rssi=-60 dBm}]',
  ],
  [
    "<",
    "040504 00 4000 13",
    "DisconnectionComplete status=Success (0x00) connectionHandle=0x0040 reason=Remote User Terminated Connection (0x13)",
  ],
  [">", "01 00fc 02 abcd", "Command 0xfc00 raw=(redacted)"],
  ["<", "04 ff 02 abcd", "Event 0xff raw=(redacted)"],
  [">", acl(4, "0a0300", 0), "0x0040 AttReadReq attributeHandle=0x0003"],
  [
    "<",
    acl(4, "010a030005"),
    "0x0040 AttErrorRsp requestOpcodeInError=0x0a attributeHandleInError=0x0003 errorCode=0x05 (Insufficient Authentication)",
  ],
  [
    "<",
    acl(6, "0104000d100303"),
    "0x0040 PairingRequest ioCapability=4 (KeyboardDisplay) oobDataFlag=0 authReq=0x0d (bonding, MITM, SC) " +
      "maximumEncryptionKeySize=16 initiatorKeyDistribution=0x03 (enc, id) responderKeyDistribution=0x03 (enc, id)",
  ],
  ["<", acl(6, "0504"), "0x0040 PairingFailed reason=Confirm Value Failed (0x04)"],
  [
    ">",
    acl(5, "12 01 0800 0600 0c00 0000 c800", 0),
    "0x0040 L2capConnectionParameterUpdateReq identifier=1 intervalMin=6 (7.5 ms) intervalMax=12 (15 ms) latency=0 timeout=200 (2000 ms)",
  ],
  ["<", acl(5, "01 02 0200 0000"), '0x0040 L2capCommandRejectRsp identifier=2 reason=0 (command not understood) reasonData=""'],
  ["<", acl(0x40, "aabb"), "0x0040 L2capFrame cid=0x0040 raw=aabb"],
] as const)("%s %s is told in words", (direction, hex, expected) => {
  expect(text(direction, hex)).toBe(expected);
});

test.each([
  ["", "no octets"],
  ["07aabb", "packet type 7 is not one of HCI"],
  ["01030c", "command: needs 4 bytes, has 3 at offset 3 of 3"],
  ["01030c01", "command: length 1, has 0 octets of parameters at offset 3 of 4"],
  ["0405020040", "DisconnectionComplete.connectionHandle: needs 2 bytes, has 1 at offset 4 of 5"],
  ["0240200700030004", "AclData: length 7, has 3 octets at offset 5 of 8"],
  ["024010010000", "a continuation of a frame whose beginning is not in the capture"],
  ["0240200800030004000a030000", "a frame of 7 octets came with 8"],
  [acl(4, "0a03"), "AttReadReq.attributeHandle: needs 2 bytes, has 1 at offset 1 of 2"],
  [acl(4, ""), "ATT: needs 1 byte, has 0 at offset 0 of 0"],
  [acl(6, ""), "a PDU without a code"],
  [acl(6, "0300"), "PairingConfirm.confirmValue: needs 16 bytes, has 1 at offset 1 of 2"],
  [acl(5, "12 01 0900 0600"), "L2capSignalling: length 9, has 2 octets at offset 4 of 6"],
  ["043e0f 02 01 00 01 0605040302c1 03 090106 c4", "advertising data: AD structure at offset 0: its length says 9, 2 octets follow"],
])("%s is marked as malformed and its octets are kept", (hex, problem) => {
  const packet = decoderOf()("<", hex);
  expect(packet.malformed).toBe(problem);
  expect(packetText(packet)).toContain(`[malformed: ${problem}]`);
  expect(packetJson(packet)).toMatchObject({ malformed: problem });
});

test("keys are not printed, unless asked for", () => {
  for (const [direction, hex, shown] of [
    [">", `011a2012 4000 ${KEY}`, "LeLongTermKeyRequestReply connectionHandle=0x0040 longTermKey=#"],
    [
      ">",
      `0119201c 4000 1122334455667788 3412 ${KEY}`,
      "LeEnableEncryption connectionHandle=0x0040 randomNumber=1122334455667788 encryptedDiversifier=4660 longTermKey=#",
    ],
    ["<", acl(6, `06${KEY}`), "0x0040 EncryptionInformation longTermKey=#"],
    ["<", acl(6, `08${KEY}`), "0x0040 IdentityInformation identityResolvingKey=#"],
    ["<", acl(6, `0a${KEY}`), "0x0040 SigningInformation signatureKey=#"],
  ] as const) {
    expect(text(direction, hex)).toBe(shown.replace("#", "(redacted)"));
    expect(JSON.stringify(packetJson(decoderOf()(direction, hex)))).not.toContain(KEY_AS_TOLD);
    expect(text(direction, hex, { secrets: true })).toBe(shown.replace("#", KEY_AS_TOLD));
  }
});

test("a PDU that needs several ACL packets is told once it is whole", () => {
  const decode = decoderOf();
  decode("<", CONNECTED);
  const pdu = `0c${"11".repeat(32)}${"22".repeat(32)}`;
  const frame = fromHex(`4100 0600 ${pdu}`);
  const first = decode("<", toHex(concat(Uint8Array.of(2, 0x40, 0x20, 27, 0), frame.subarray(0, 27))));
  expect(packetText(first)).toBe("0x0040 AclFragment octets=27 of=69");
  // The other direction in between is another frame.
  expect(packetText(decode(">", acl(4, "0a0300", 0)))).toContain("AttReadReq");
  expect(packetText(decode("<", toHex(concat(Uint8Array.of(2, 0x40, 0x10, 27, 0), frame.subarray(27, 54)))))).toContain("octets=54 of=69");
  const last = decode("<", toHex(concat(Uint8Array.of(2, 0x40, 0x10, 15, 0), frame.subarray(54))));
  expect(last.name).toBe("PairingPublicKey");
  expect(last.peer?.toString()).toBe("C1:02:03:04:05:06/random");
});

test("a frame that is never finished is said when the next begins, and that one is told", () => {
  const decode = decoderOf();
  decode("<", "0240200500 1100060006".replace(" ", ""));
  const next = decode("<", acl(4, "0b01"));
  expect(next.name).toBe("AttReadRsp");
  expect(next.malformed).toContain("unfinished");
});

test("what discovery found names the attributes afterwards", () => {
  const decode = decoderOf();
  decode("<", CONNECTED);
  expect(packetText(decode(">", acl(4, "08 0100 ffff 0328", 0)))).toContain("attributeType=2803 (Characteristic)");
  expect(packetText(decode("<", acl(4, "09 07 0200 12 0300 372a")))).toBe(
    "0x0040 AttReadByTypeRsp attributeDataList=[{attributeHandle=0x0002 properties=0x12 (read, notify) valueHandle=0x0003 " +
      "characteristic=2a37 (Heart Rate Measurement)}]",
  );
  expect(packetText(decode(">", acl(4, "10 0100 ffff 0028", 0)))).toContain("attributeGroupType=2800 (Primary Service)");
  expect(packetText(decode("<", acl(4, "11 06 0100 0500 0d18")))).toContain("service=180d (Heart Rate)");
  decode(">", acl(4, "04 0400 0500", 0));
  decode("<", acl(4, "05 01 0400 0229"));
  expect(packetText(decode("<", acl(4, "1b 0300 0048")))).toBe(
    "0x0040 AttHandleValueNtf <2a37 (Heart Rate Measurement)> attributeHandle=0x0003 attributeValue=0048",
  );
  expect(packetText(decode(">", acl(4, "12 0400 0100", 0)))).toContain("<2902 (Client Characteristic Configuration)>");
  expect(packetText(decode("<", acl(4, "13")))).toContain("AttWriteRsp <2902");
  // The same handle on the host's own server is another attribute, and a new link knows nothing.
  expect(packetText(decode("<", acl(4, "0a0300")))).not.toContain("Heart");
  decode("<", CONNECTED);
  expect(packetText(decode("<", acl(4, "1b 0300 0048")))).not.toContain("Heart");
});

test("text of strangers cannot steer the terminal", () => {
  const shown = text(
    "<",
    "043e17 02 01 00 01 0605040302c1 0b 0a09 1b5b324a 22 c29b e280ae c4".replace(
      "043e17 02 01 00 01 0605040302c1 0b 0a09",
      "043e18 02 01 00 01 0605040302c1 0c 0b09",
    ),
  );
  expect(shown).not.toMatch(/\p{C}/u);
  expect(shown).toContain('name="\\u001b[2J\\"\\u{9b}\\u{202e}"');
});

test("a line has number, seconds, direction and layer; JSON has the wire's numbers", () => {
  const packet = decoderOf()("<", CONNECTED);
  expect(packetLine(packet, 0)).toMatch(/^ {5}1 {5}1\.000000 < hci {3}LeConnectionComplete status/);
  expect(packetJson(packet)).toMatchObject({
    number: 1,
    time: "1970-01-01T00:00:01.000Z",
    direction: "controller-to-host",
    layer: "hci",
    connectionHandle: 64,
    fields: { peerAddress: "C1:02:03:04:05:06/random", connectionInterval: 24 },
  });
});

test("a packet the capture cut short is marked", () => {
  const packet = new CaptureDecoder().decode({
    direction: "host-to-controller",
    packet: fromHex("01030c"),
    timeMs: 0,
    originalLength: 4,
    drops: 0,
  });
  expect(packet.malformed).toBe("the capture holds 3 of 4 octets");
});

test("any packets are told", () => {
  const octets = fc.uint8Array({ maxLength: 60 });
  const hci = fc.tuple(fc.constantFrom(1, 2, 4), octets).map(([type, rest]) => Uint8Array.of(type, ...rest));
  const pdu = fc.tuple(fc.constantFrom(4, 5, 6, 7), octets).map(([cid, body]) => fromHex(acl(cid, toHex(body))));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.oneof(hci, pdu, octets)), { maxLength: 12 }), (packets) => {
      const decode = decoderOf();
      for (const [toHost, packet] of packets) {
        const decoded = decode(toHost ? "<" : ">", toHex(packet));
        expect(typeof packetLine(decoded, 0)).toBe("string");
        JSON.stringify(packetJson(decoded));
      }
    }),
  );
});
