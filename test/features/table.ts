/** What a Low Energy host and its surroundings offer, and the test that proves it. */
export interface Feature {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  /** The test's name as the file has it; of a table of cases the part that all of them share. */
  readonly test: string;
}

export interface Area {
  readonly name: string;
  readonly features: readonly Feature[];
}

const feature = (name: string, file: string, test: string): Feature => ({ name, file, test });

export const AREAS: readonly Area[] = [
  {
    name: "Advertising",
    features: [
      feature(
        "Connectable advertising, data of 31 octets",
        "test/device-air.test.ts",
        "while a private address changes under advertising and scanning goes on",
      ),
      feature("Scan responses", "test/air-discovery.test.ts", "an active scanner gets the scan response, a passive one does not ask"),
      feature(
        "One description divided over data and scan response",
        "src/gap/packing.test.ts",
        "carries both parts, and is scannable where it needs a scan response",
      ),
      feature(
        "Directed advertising",
        "src/controller/controller.test.ts",
        "directed advertising is heard and answered by its target alone",
      ),
      feature(
        "Directed advertising of high duty cycle, and its end",
        "test/air-discovery.test.ts",
        "high duty cycle directed advertising ends after 1.28 s with Advertising Timeout",
      ),
      feature(
        "Data that changes on the air",
        "test/device-terms.test.ts",
        "what is shown is divided, seen by a scan that merges, and changed as a whole",
      ),
      feature(
        "Advertising data read and written, every field",
        "src/gap/advertising-data.test.ts",
        "everything together reads back as it was said",
      ),
      feature(
        "Advertising data of any octets",
        "src/gap/advertising-data.test.ts",
        "any octets are read without failing, and their structures say the same again",
      ),
    ],
  },
  {
    name: "Scanning",
    features: [
      feature("Passive and active", "test/air-discovery.test.ts", "an active scanner gets the scan response, a passive one does not ask"),
      feature(
        "Duplicates: once, on change, all",
        "test/air-discovery.test.ts",
        "a duplicate filter reports a device once, and once more after scanning was enabled anew",
      ),
      feature(
        "Advertisement and scan response as one report",
        "src/gap/scan-merge.test.ts",
        "the advertisement waits for its scan response",
      ),
      feature("Several scans at once, each with its own terms", "src/gap/radio-rules.test.ts", "passively, two scans both get everything"),
      feature(
        "Filter Accept List in the controller",
        "src/controller/controller.test.ts",
        "the Filter Accept List lets in whom it names, for advertising, scanning and connecting",
      ),
    ],
  },
  {
    name: "Links",
    features: [
      feature(
        "Connecting, and cancelling at every moment",
        "test/device-air.test.ts",
        "at every moment of a race with its cancel leaves both sides without a link, or with one",
      ),
      feature("Supervision timeout", "test/air-links.test.ts", "a link whose peer vanishes is lost after the supervision timeout (0x08)"),
      feature("Data length extension", "test/air-links.test.ts", "data length: each host raises what it sends, both hear of every change"),
      feature(
        "PHY update: 2M and Coded, one way or both",
        "test/air-links.test.ts",
        "PHY update: to 2M and coded, one way or both, and nothing where the peer cannot",
      ),
      feature("Signal strength", "test/air-links.test.ts", "RSSI of a link is that of the distance"),
      feature(
        "Features and version of the peer",
        "test/air-links.test.ts",
        "features and version are exchanged, from either side, again and again",
      ),
      feature(
        "Connection parameters over the link layer and over L2CAP",
        "test/hci-order.test.ts",
        "also on the link of a central, and for a request of connection parameters",
      ),
    ],
  },
  {
    name: "Privacy",
    features: [
      feature(
        "Resolvable private addresses that change on both sides, bonds that last",
        "test/device-air.test.ts",
        "lasts when both have new private addresses: keys, subscriptions and the peer's identity",
      ),
      feature(
        "A peer connected by its identity",
        "test/device-identity.test.ts",
        "what is chosen is used, for scanning and for looking for a peer: ",
      ),
    ],
  },
  {
    name: "Pairing and security",
    features: [
      feature("Legacy pairing and LE Secure Connections by passkey", "test/device-air.test.ts", "by passkey, Secure Connections "),
      feature("Security Request", "test/smp-pairing.test.ts", "answers a Security Request of the peripheral"),
      feature("Pairing window", "test/device.test.ts", "while the pairing window is closed a peer may not begin to pair, on any link"),
      feature(
        "A bond is not lost to who did not prove more",
        "test/smp-identity.test.ts",
        "an authenticated bond is not given to a Just Works pairing, whatever the user says",
      ),
      feature("Key sizes", "test/smp-hostile.test.ts", "a key size of "),
      feature("Every PDU of a pairing lost, doubled, late", "test/smp-faults.test.ts", "any one PDU "),
      feature(
        "Bonds in files, whole or not at all",
        "src/node/file-bond-store.test.ts",
        "many changes at once, also through several stores, are all kept, and nothing else is left in the folder",
      ),
    ],
  },
  {
    name: "GATT",
    features: [
      feature(
        "Discovery of services, characteristics and descriptors",
        "test/gatt-client.test.ts",
        "GATT/CL/GAD/BV-04-C, BV-05-C, BV-06-C: characteristics by service and type, and their descriptors",
      ),
      feature(
        "Long reads",
        "test/gatt-client.test.ts",
        "GATT/CL/GAR/BV-04-C: a long value is read in parts, of 22 octets each at ATT_MTU 23",
      ),
      feature(
        "Long and reliable writes",
        "test/gatt-client.test.ts",
        "GATT/CL/GAW/BV-03-C, BV-05-C: a value that does not fit is written in parts that are compared",
      ),
      feature(
        "Notifications and indications",
        "test/gatt-client.test.ts",
        "GATT/CL/GAI/BV-01-C: indications, confirmed before they are handed up",
      ),
      feature(
        "Read Multiple, and its variable form",
        "test/gatt-server.test.ts",
        "GATT/SR/GAR/BV-05-C: Read Multiple, and its variable form",
      ),
      feature("Authorization by the user", "test/gatt-server.test.ts", "Insufficient Authorization, unless the peer's user agrees"),
      feature(
        "Service Changed to bonded clients that were away",
        "test/gatt-air.test.ts",
        "a bonded client that was away is told what changed, by Service Changed alone",
      ),
      feature(
        "Robust caching",
        "test/gatt-server-details.test.ts",
        "robust caching: declarations may be read in any range by a client that is not aware, other types may not",
      ),
      feature(
        "Database Hash",
        "test/gatt-server-details.test.ts",
        "the Database Hash covers declarations with their values, of other descriptors the types, of values nothing",
      ),
      feature(
        "Enhanced ATT bearers",
        "test/eatt-client.test.ts",
        "a central opens as many bearers as its policy says, and tells the peer that it knows them (Vol 3 Part G 7.2, 7.4)",
      ),
      feature(
        "Values set and told to every subscriber",
        "test/gatt-writes.test.ts",
        "sets the value and tells every subscriber, by a notification where that is enabled, else by an indication",
      ),
      feature(
        "Writes of clients as a stream",
        "test/gatt-writes.test.ts",
        "are told in order, with who wrote and how, when they have taken effect and before the answer",
      ),
      feature(
        "Five enhanced bearers from the peer",
        "test/eatt.test.ts",
        "five bearers are taken on an encrypted link, each with the lesser MTU of both sides; a sixth is not",
      ),
    ],
  },
  {
    name: "L2CAP",
    features: [
      feature(
        "LE credit based channels",
        "src/l2cap/channels/answering.test.ts",
        "L2CAP/LE/CFC/BV-13-C: who may not have a channel is refused for want of authorization",
      ),
      feature(
        "LE and enhanced credit based channels",
        "test/l2cap-channels.test.ts",
        "mode %s: SDUs of any length go both ways, whole and in order",
      ),
      feature("Channels as Web streams", "test/l2cap-channels.test.ts", "a channel as streams: a pipe from one side to the other and back"),
      feature(
        "Channels opened by either side, several at once",
        "test/l2cap-channels.test.ts",
        "either side opens channels, at once too, to one SPSM and to several",
      ),
      feature("Channels share a link evenly", "test/l2cap-channels.test.ts", "channels share a link evenly"),
      feature(
        "Security demanded by a channel",
        "test/l2cap-channels.test.ts",
        "a listener that demands encryption refuses a link without; the client pairs where its policy says so",
      ),
    ],
  },
  {
    name: "HCI",
    features: [
      feature(
        "Every LE command of 5.4, without isochronous channels",
        "src/hci/declare-le.test.ts",
        "commands stand at their bits of Supported_Commands (6.27)",
      ),
      feature(
        "Events switched on by who uses them",
        "src/hci/event-masks.test.ts",
        "events that somebody asks for are switched on, beside those that every host has",
      ),
      feature(
        "Flow of commands and of data",
        "src/hci/acl.test.ts",
        "a longer frame is cut at the controller's packet length, the first fragment marked 00, the others 01",
      ),
    ],
  },
  {
    name: "Transports",
    features: [
      feature("H4 over any pair of streams", "src/transport/stream.test.ts", "a device runs over a pair of streams"),
      feature("A program's own kind of transport", "src/transport/open.test.ts", "a program's own kinds are opened like the others"),
    ],
  },
  {
    name: "Captures",
    features: [
      feature("btsnoop", "src/capture/btsnoop.test.ts", "what was written is read back, in pieces of any size"),
      feature("pcapng", "src/capture/pcapng.test.ts", "what was written is read back, in pieces of any size"),
      feature("Captures that name nobody", "test/anonymous-capture.test.ts", "names nobody when it is anonymous"),
      feature(
        "Keys hidden, however their packets are cut",
        "src/hci/redaction/redactor.test.ts",
        "a key is found however its PDU is cut into ACL packets, both directions apart",
      ),
      feature("Extended and periodic advertising in captures", "src/capture/extended-advertising.test.ts", "anonymous: "),
    ],
  },
];
