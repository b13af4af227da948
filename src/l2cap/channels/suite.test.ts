import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import type { CreditBasedChannel } from "../index.ts";

// A tester's cases, each as a conversation: what it sends, and all that comes back. Listened to: SPSM 0x80 in both modes, MTU 100, MPS 64, four
// credits. What comes is read at once; `close`, `connect`, `several` and `reconfigure` are done by this side.

/** What the tester sends on a channel and what comes back, or what this side does and what goes. */
type Step =
  | readonly [channelId: number, pdu: string, ...answers: string[]]
  | readonly ["close" | "connect" | "several" | "reconfigure", ...sent: string[]];

const five = (...values: Parameters<typeof signal>): string => `5 ${signal(...values)}`;
const notUnderstood = (identifier: number): string => `5 01${identifier.toString(16).padStart(2, "0")}02000000`;
/** Opens the first LE credit based channel: own CID 0x40, the tester's 0x60, its MTU 50, MPS 30, three credits. */
const OPEN: Step = [5, signal(0x14, 1, 0x80, 0x60, 50, 30, 3), five(0x15, 1, 0x40, 100, 64, 4, 0)];
/** Two enhanced ones: own CIDs 0x40 and 0x41. */
const OPEN_TWO: Step = [5, signal(0x17, 1, 0x80, 64, 64, 3, 0x60, 0x61), five(0x18, 1, 100, 64, 4, 0, 0x40, 0x41)];
const CONNECT: Step = ["connect", five(0x14, 1, 0x80, 0x40, 100, 64, 4)];
const SEVERAL: Step = ["several", five(0x17, 1, 0x80, 100, 64, 4, 0x40, 0x41)];
const octets = (count: number): string => "ab".repeat(count);

const CASES: readonly (readonly [name: string, steps: readonly Step[], open: number])[] = [
  // Signalling.
  ["LE/REJ/BI-01: a reserved code", [[5, "1b 02 0000", notUnderstood(2)]], 0],
  [
    "LE/REJ/BI-02: Echo and Information Requests, which are of BR/EDR",
    [
      [5, "08 02 0000", notUnderstood(2)],
      [5, "0a 03 0200 0200", notUnderstood(3)],
    ],
    0,
  ],
  ["a Connection Request of BR/EDR for an SPSM that is listened to", [[5, signal(0x02, 2, 0x80, 0x60), notUnderstood(2)]], 0],
  ["a Configuration Request for a channel that is open", [OPEN, [5, "04 02 0400 4000 0000", notUnderstood(2)]], 1],
  [
    "answers of BR/EDR, and those to nothing",
    [
      [5, signal(0x03, 2, 0x60, 0x40, 0, 0)],
      [5, signal(0x15, 2, 0x60, 64, 64, 1, 0)],
      [5, signal(0x1a, 2, 0)],
    ],
    0,
  ],
  ["signalling of BR/EDR, on channel 1", [[1, signal(0x14, 2, 0x80, 0x60, 50, 30, 3)]], 0],
  [
    "two requests in one packet: none is carried out",
    [[5, signal(0x14, 2, 0x80, 0x60, 50, 30, 3) + signal(0x06, 3, 0x40, 0x60), notUnderstood(2)]],
    0,
  ],
  ["two credits in one packet: none counts", [OPEN, [5, signal(0x16, 2, 0x60, 1) + signal(0x16, 3, 0x60, 1), notUnderstood(2)]], 1],
  [
    "MTUsig: 23 octets are taken, 24 are not",
    [
      [5, `7f 02 1300 ${"00".repeat(19)}`, notUnderstood(2)],
      [5, `7f 03 1400 ${"00".repeat(20)}`, "5 0103040001001700"],
    ],
    0,
  ],
  [
    "the same identifier for one request after another",
    [OPEN, [5, signal(0x14, 1, 0x80, 0x61, 50, 30, 3), five(0x15, 1, 0x41, 100, 64, 4, 0)]],
    2,
  ],
  [
    "the same request again is a second one of the same CID",
    [OPEN, [5, signal(0x14, 1, 0x80, 0x60, 50, 30, 3), five(0x15, 1, 0, 0, 0, 0, 0x000a)]],
    1,
  ],
  [
    "an LE request for a CID of an enhanced channel",
    [OPEN_TWO, [5, signal(0x14, 2, 0x80, 0x61, 50, 30, 3), five(0x15, 2, 0, 0, 0, 0, 0x000a)]],
    2,
  ],
  [
    "an enhanced request for CIDs of which one is taken",
    [OPEN, [5, signal(0x17, 2, 0x80, 64, 64, 1, 0x60, 0x61), five(0x18, 2, 100, 64, 4, 0x000a, 0, 0x41)]],
    2,
  ],
  // Disconnection.
  [
    "CFC/BV-08: the tester disconnects, and may have the CID again",
    [
      OPEN,
      [5, signal(0x06, 2, 0x40, 0x60), five(0x07, 2, 0x40, 0x60)],
      [5, signal(0x14, 3, 0x80, 0x60, 50, 30, 3), five(0x15, 3, 0x40, 100, 64, 4, 0)],
    ],
    1,
  ],
  [
    "a Disconnection Request twice",
    [OPEN, [5, signal(0x06, 2, 0x40, 0x60), five(0x07, 2, 0x40, 0x60)], [5, signal(0x06, 3, 0x40, 0x60), five(0x01, 3, 2, 0x40, 0x60)]],
    0,
  ],
  [
    "one of several enhanced channels",
    [OPEN_TWO, [5, signal(0x06, 2, 0x41, 0x61), five(0x07, 2, 0x41, 0x61)], [0x41, "010001"], [0x40, "010001", five(0x16, 1, 0x40, 1)]],
    1,
  ],
  [
    "crossing Disconnection Requests",
    [
      OPEN,
      ["close", five(0x06, 1, 0x60, 0x40)],
      [5, signal(0x06, 2, 0x40, 0x60), five(0x07, 2, 0x40, 0x60)],
      [5, signal(0x07, 1, 0x60, 0x40)],
    ],
    0,
  ],
  [
    "data and credits after the Disconnection Request are discarded",
    [
      OPEN,
      ["close", five(0x06, 1, 0x60, 0x40)],
      [0x40, "010001"],
      [0x40, octets(65)],
      [5, signal(0x16, 2, 0x60, 0xffff)],
      [5, signal(0x07, 1, 0x60, 0x40)],
    ],
    0,
  ],
  [
    "Command Reject for the Disconnection Request",
    [
      OPEN,
      ["close", five(0x06, 1, 0x60, 0x40)],
      [5, signal(0x01, 1, 2, 0x60, 0x40)],
      [5, signal(0x14, 2, 0x80, 0x60, 50, 30, 3), five(0x15, 2, 0x40, 100, 64, 4, 0)],
    ],
    1,
  ],
  // Answers to our requests.
  ["the answer twice", [CONNECT, [5, signal(0x15, 1, 0x60, 50, 30, 3, 0)], [5, signal(0x15, 1, 0x60, 50, 30, 3, 0)]], 1],
  [
    "a refusal after the answer",
    [CONNECT, [5, signal(0x15, 1, 0x60, 50, 30, 3, 0)], [5, signal(0x15, 1, 0, 0, 0, 0, 4)], [5, signal(0x01, 1, 0)]],
    1,
  ],
  ["the answer of the other mode is none", [CONNECT, [5, signal(0x18, 1, 64, 64, 1, 0, 0x60)]], 0],
  ["the answer of the other mode is none, enhanced", [SEVERAL, [5, signal(0x15, 1, 0x60, 64, 64, 1, 0)]], 0],
  ["Command Reject, then the answer", [CONNECT, [5, signal(0x01, 1, 0)], [5, signal(0x15, 1, 0x60, 50, 30, 3, 0)]], 0],
  ["Command Reject of several", [SEVERAL, [5, signal(0x01, 1, 0)], [5, signal(0x18, 1, 64, 64, 1, 0, 0x60, 0x61)]], 0],
  [
    "an answer with half a CID is none; the whole one is",
    [SEVERAL, [5, "18 01 0900 4000 4000 0100 0000 60"], [5, signal(0x18, 1, 64, 64, 1, 0, 0x60, 0x61)]],
    2,
  ],
  [
    "Command Reject of a reconfiguration: the channels stay",
    [OPEN_TWO, ["reconfigure", five(0x19, 1, 200, 64, 0x40, 0x41)], [5, signal(0x01, 1, 0)]],
    2,
  ],
  [
    "a refused reconfiguration: the channels stay",
    [OPEN_TWO, ["reconfigure", five(0x19, 1, 200, 64, 0x40, 0x41)], [5, signal(0x1a, 1, 4)], [5, signal(0x1a, 1, 0)]],
    2,
  ],
  // Credits.
  ["CFC: credits up to 65535 in all", [OPEN, [5, signal(0x16, 2, 0x60, 0xfffc)]], 1],
  [
    "CFC/BI-01: one credit more",
    [OPEN, [5, signal(0x16, 2, 0x60, 0xfffd), five(0x06, 1, 0x60, 0x40)], [5, signal(0x07, 1, 0x60, 0x40)]],
    0,
  ],
  [
    "the same of one of several: the other stays",
    [OPEN_TWO, [5, signal(0x16, 2, 0x61, 0xffff), five(0x06, 1, 0x61, 0x41)], [0x40, "010001", five(0x16, 2, 0x40, 1)]],
    1,
  ],
  ["no credits", [OPEN, [5, signal(0x16, 2, 0x60, 0)]], 1],
  ["credits with this side's CID", [OPEN, [5, signal(0x16, 2, 0x40, 0xffff)]], 1],
  ["credits of one octet too many", [OPEN, [5, "16 02 0500 6000 0100 00", notUnderstood(2)]], 1],
  // K-frames.
  [
    "COS/CFC/BV-03: an SDU as long as the MTU, in K-frames as long as the MPS",
    [OPEN, [0x40, `6400 ${octets(62)}`], [0x40, octets(38), five(0x16, 1, 0x40, 2)]],
    1,
  ],
  ["an SDU in four K-frames, the last without octets", [OPEN, [0x40, "0300 ab"], [0x40, ""], [0x40, "abab", five(0x16, 1, 0x40, 3)]], 1],
  ["a K-frame one octet longer than the MPS", [OPEN, [0x40, `6400 ${octets(63)}`, five(0x06, 1, 0x60, 0x40)]], 0],
  ["the second K-frame longer than the MPS", [OPEN, [0x40, "6400 ab"], [0x40, octets(65), five(0x06, 1, 0x60, 0x40)]], 0],
  ["an SDU length of MTU + 1", [OPEN, [0x40, "6500 ab", five(0x06, 1, 0x60, 0x40)]], 0],
  ["an SDU length of 65535", [OPEN, [0x40, "ffff ab", five(0x06, 1, 0x60, 0x40)]], 0],
  ["an octet beyond the SDU's length", [OPEN, [0x40, `4000 ${octets(62)}`], [0x40, "ababab", five(0x06, 1, 0x60, 0x40)]], 0],
  [
    "one of several enhanced breaks the rules: the other stays",
    [OPEN_TWO, [0x41, "6500", five(0x06, 1, 0x61, 0x41)], [0x40, "010001", five(0x16, 2, 0x40, 1)]],
    1,
  ],
  [
    "channels, ATT and signalling in between",
    [
      OPEN_TWO,
      [0x40, "0300 ab"],
      [0x41, "0200 ab"],
      [4, "02 1700"],
      [5, "08 02 0000", notUnderstood(2)],
      [0x41, "ab", five(0x16, 1, 0x41, 2)],
      [0x40, "abab", five(0x16, 2, 0x40, 2)],
    ],
    2,
  ],
  ["K-frames for CIDs that nobody has", [OPEN, [0x41, "0100ab"], [0x7f, "0100ab"], [0x80, "0100ab"], [0x60, "0100ab"]], 1],
  // Reconfiguration by the tester.
  ["ECFC/BV-11: both may take more", [OPEN_TWO, [5, signal(0x19, 2, 100, 80, 0x60, 0x61), five(0x1a, 2, 0)]], 2],
  [
    "ECFC/BI-01: a smaller MTU",
    [OPEN_TWO, [5, signal(0x19, 2, 100, 80, 0x60), five(0x1a, 2, 0)], [5, signal(0x19, 3, 99, 80, 0x60), five(0x1a, 3, 1)]],
    2,
  ],
  [
    "ECFC/BI-02: a smaller MPS of several",
    [OPEN_TWO, [5, signal(0x19, 2, 64, 80, 0x60), five(0x1a, 2, 0)], [5, signal(0x19, 3, 64, 79, 0x60, 0x61), five(0x1a, 3, 2)]],
    2,
  ],
  ["a CID of an LE credit based channel", [OPEN, [5, signal(0x19, 2, 100, 64, 0x60), five(0x1a, 2, 3)]], 1],
  [
    "a channel that is gone",
    [OPEN_TWO, [5, signal(0x06, 2, 0x40, 0x60), five(0x07, 2, 0x40, 0x60)], [5, signal(0x19, 3, 100, 64, 0x60, 0x61), five(0x1a, 3, 3)]],
    1,
  ],
  // What else a request of the tester may be.
  ["an SDU without octets", [OPEN, [0x40, "0000", five(0x16, 1, 0x40, 1)]], 1],
  ["a first K-frame with nothing in it", [OPEN, [0x40, "", five(0x06, 1, 0x60, 0x40)]], 0],
  ["a first K-frame with half a length", [OPEN, [0x40, "01", five(0x06, 1, 0x60, 0x40)]], 0],
  ["a Disconnection Request with the CIDs swapped", [OPEN, [5, signal(0x06, 2, 0x60, 0x40), five(0x01, 2, 2, 0x60, 0x40)]], 1],
  ["a Disconnection Request with another source CID", [OPEN, [5, signal(0x06, 2, 0x40, 0x61)]], 1],
  ["a Disconnection Request with an octet more", [OPEN, [5, "06 02 0500 4000 6000 00", notUnderstood(2)]], 1],
  [
    "a Disconnection Response with another CID is none",
    [
      OPEN,
      ["close", five(0x06, 1, 0x60, 0x40)],
      [5, signal(0x07, 1, 0x40, 0x60)],
      [5, signal(0x14, 2, 0x80, 0x60, 50, 30, 3), five(0x15, 2, 0, 0, 0, 0, 0x000a)],
    ],
    0,
  ],
  ["an answer with another identifier", [CONNECT, [5, signal(0x15, 2, 0x60, 50, 30, 3, 0)]], 0],
  [
    "an answer one octet short is none; the whole one is",
    [CONNECT, [5, "15 01 0900 6000 3200 1e00 0300 00"], [5, signal(0x15, 1, 0x60, 50, 30, 3, 0)]],
    1,
  ],
  ["a reconfiguration with half a CID", [OPEN_TWO, [5, "19 02 0500 6400 5000 60", notUnderstood(2)]], 2],
  ["a reconfiguration of no channel", [OPEN_TWO, [5, signal(0x19, 2, 100, 80), notUnderstood(2)]], 2],
  [
    "a refused reconfiguration of two leaves both as they were",
    [OPEN_TWO, [5, signal(0x19, 2, 200, 80, 0x60, 0x7f), five(0x1a, 2, 3)], [5, signal(0x19, 3, 64, 64, 0x60, 0x61), five(0x1a, 3, 0)]],
    2,
  ],
];

interface Tested extends L2capPeer {
  readonly got: Uint8Array[];
}

async function tested(): Promise<Tested> {
  const peer = await openL2capPeer();
  const got: Uint8Array[] = [];
  const listener = peer.listeners.listen(0x80, { mtu: 100, mps: 64, receiveWindow: 4 * 64 });
  listener.onChannel = (channel: CreditBasedChannel) => {
    channel.onSdu = (sdu) => void got.push(sdu);
  };
  return { ...peer, got };
}

function act({ channels }: L2capPeer, what: "close" | "connect" | "several" | "reconfigure"): void {
  const options = { mtu: 100, mps: 64, receiveWindow: 4 * 64 };
  const acting = {
    close: () => channels.channels[0]!.close(),
    connect: () => channels.connect(0x80, options),
    several: () => channels.connectSeveral(0x80, { ...options, count: 2 }),
    reconfigure: () => channels.reconfigure(channels.channels, { mtu: 200 }),
  }[what]();
  acting.catch(() => undefined); // what comes of it is the tester's doing
}

test.each(CASES)("%s", async (_name, steps, open) => {
  const peer = await tested();
  for (const [at, ...rest] of steps) {
    if (typeof at === "number") peer.receive(at, rest.shift()!);
    else act(peer, at);
    await Promise.resolve(); // a request leaves in a turn of its own
    expect(peer.sent()).toEqual(rest);
  }
  expect(peer.channels.channels).toHaveLength(open);
});
