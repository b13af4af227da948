import { CaptureDecoder, type CaptureFormat, CaptureReader, CaptureWriter, MemorySink, packetLine } from "../src/capture/index.ts";
import type { Row } from "./harness.ts";

/** As the file system gives a file. */
const PIECE = 65_536;
const PACKETS = 20_000;

/** An event or an ACL packet with its length, which stands at `at`. */
function sized(at: number, ...octets: readonly number[]): Uint8Array {
  const packet = Uint8Array.from(octets);
  packet[at] = packet.length - at - (at === 2 ? 1 : 2);
  return packet;
}

const text = new TextEncoder().encode("Jelling device !");
const report = sized(
  2,
  0x04,
  0x3e,
  0,
  2,
  1,
  0,
  1,
  0x11,
  0x22,
  0x33,
  0x44,
  0x55,
  0xc0,
  29,
  2,
  1,
  6,
  17,
  9,
  ...text,
  7,
  0xff,
  0x4c,
  0,
  1,
  2,
  3,
  4,
  0xc4,
);
const completed = sized(2, 0x04, 0x13, 0, 1, 0x40, 0, 1, 0);
const att = (flags: number, ...pdu: readonly number[]): Uint8Array => sized(3, 0x02, 0x40, flags, 0, 0, pdu.length, 0, 4, 0, ...pdu);
const notification = (length: number): Uint8Array => att(0x20, 0x1b, 0x12, 0, ...new Uint8Array(length));
const write = att(0x00, 0x12, 0x15, 0, 1, 2, 3, 4, 5);
const response = att(0x20, 0x13);

/** Ten packets of a scan beside a link. */
const MIXTURE = [report, report, report, notification(20), notification(20), write, completed, response, notification(100), report];

/** A capture of so many packets, with the advertisements of 256 devices in it. */
export async function makeCapture(count: number, format: CaptureFormat, content: "hci" | "monitor" = "hci"): Promise<Uint8Array> {
  const sink = new MemorySink(256 * count);
  const writer = new CaptureWriter(sink, { format, content, secrets: true });
  for (let i = 0; i < count; i++) {
    const packet = MIXTURE[i % MIXTURE.length]!.slice();
    if (packet[1] === 0x3e) packet[7] = i & 0xff;
    const direction = packet[0] === 0x04 || packet[2] === 0x20 ? "controller-to-host" : "host-to-controller";
    writer.write(direction, packet, 1_700_000_000_000 + i * 0.731);
  }
  await writer.close();
  return sink.bytes();
}

const WALKED = "ceiling: btsnoop records walked and copied";
const BLOCKS_WALKED = "ceiling: pcapng blocks walked and copied";

/** Where the records begin, how long each is, and where in it its packet lies. */
const WALKS = {
  btsnoop: { first: 16, length: (view: DataView, at: number) => 24 + view.getUint32(at + 4), header: 24, isPacket: () => true },
  pcapng: {
    first: 0,
    length: (view: DataView, at: number) => view.getUint32(at + 4, true),
    header: 28,
    isPacket: (view: DataView, at: number) => view.getUint32(at, true) === 6,
  },
} as const;

/** The least that reading is: from record to record, a copy of each and a time made of eight octets, no check and no option looked at. */
function walking(name: string, format: keyof typeof WALKS): Row {
  return {
    name,
    unit: "packets",
    prepare: async () => {
      const file = await makeCapture(PACKETS, format);
      const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
      const { first, length, header, isPacket } = WALKS[format];
      let octets = 0;
      return (count) => {
        for (let left = count; left > 0; )
          for (let at = first; at < file.length && left > 0; at += length(view, at)) {
            if (!isPacket(view, at)) continue;
            const record = {
              timeMs: view.getUint32(at + 16) * 4_294_967.296 + view.getUint32(at + 20) / 1000,
              packet: file.slice(at + header, at + length(view, at)),
            };
            octets += record.packet.length + record.timeMs;
            left--;
          }
        if (octets === 0) throw new Error("nothing was read");
      };
    },
  };
}

function reading(name: string, format: CaptureFormat, { content = "hci" as "hci" | "monitor", ceiling = WALKED } = {}): Row {
  return {
    name,
    ceiling,
    unit: "packets",
    goal: "1 µs",
    prepare: async () => {
      const file = await makeCapture(PACKETS, format, content);
      return (count) => {
        for (let left = count; left > 0; ) {
          const reader = new CaptureReader();
          for (let at = 0; at < file.length && left > 0; at += PIECE)
            for (const record of reader.push(file.subarray(at, at + PIECE))) left -= record.timeMs > 0 ? 1 : 0;
        }
      };
    },
  };
}

export const captureRows: readonly Row[] = [
  walking(WALKED, "btsnoop"),
  reading("capture: btsnoop read", "btsnoop"),
  reading("capture: btsnoop of the Linux monitor read", "btsnoop", { content: "monitor" }),
  walking(BLOCKS_WALKED, "pcapng"),
  reading("capture: pcapng read", "pcapng", { ceiling: BLOCKS_WALKED }),
  reading("capture: pcap read", "pcap"),
  {
    name: "capture: packets decoded to lines",
    unit: "packets",
    prepare: async () => {
      const records = [...new CaptureReader().push(await makeCapture(PACKETS, "btsnoop"))];
      let length = 0;
      return (count) => {
        for (let left = count; left > 0; left -= records.length) {
          const decoder = new CaptureDecoder();
          for (const record of records.slice(0, left)) length += packetLine(decoder.decode(record), 0).length;
        }
        if (length === 0) throw new Error("nothing was decoded");
      };
    },
  },
];
