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
      feature(
        "Extended advertising on 1M, 2M and Coded",
        "src/controller/extended-advertising.test.ts",
        "extended advertising is reported whole, by reports of 229 octets, on each secondary PHY",
      ),
      feature("Long data by fragments, 1650 octets", "src/controller/extended-advertising.test.ts", "1650 octets by fragments"),
      feature(
        "Long data that change on the air",
        "src/gap/extended-radio.test.ts",
        "long data go in fragments, and change on the air with one operation where they fit, else off the air for a moment",
      ),
      feature(
        "Several sets at once",
        "src/controller/extended-advertising.test.ts",
        "several sets at once, each with its own address, interval, PHY and data",
      ),
      feature(
        "As many advertisements as the controller has sets",
        "src/gap/extended-radio.test.ts",
        "as many as the controller has, and one more when one is given back",
      ),
      feature(
        "A random address of its own for each set",
        "src/gap/extended-radio.test.ts",
        "each shows its own random address; one that changes stops no other",
      ),
      feature("Anonymous advertising", "src/controller/extended-advertising.test.ts", "anonymous advertising has no address"),
      feature(
        "Scannable sets, and who asks for scan responses",
        "src/controller/extended-advertising.test.ts",
        "a scannable set answers AUX_SCAN_REQ with all of its scan response data",
      ),
      feature(
        "Directed advertising with data",
        "src/controller/extended-advertising.test.ts",
        "directed advertising with data is reported to its target alone",
      ),
      feature("Duration and number of events", "src/controller/extended-advertising.test.ts", "duration and number of events end a set"),
      feature("Why an advertisement ended", "test/device-extended.test.ts", "end each for its own reason, which is told"),
      feature(
        "Legacy PDUs of an advertising set",
        "src/controller/extended-advertising.test.ts",
        "legacy PDUs by extended commands are heard by legacy scanners",
      ),
      feature(
        "Controllers without extended advertising",
        "test/device-extended.test.ts",
        "are the legacy ones where one of the extended is refused its events, or the feature is not there",
      ),
      feature("Power of a set", "src/controller/extended-advertising.test.ts", "a set sends at the power that is chosen for it"),
      feature("Encrypted advertising data", "src/gap/encrypted-data.test.ts", "sample data of the specification, both ways"),
      feature(
        "Key material read from a bonded peer, and what it decrypts",
        "test/encrypted-advertising.test.ts",
        "a bonded central reads the key, and with it what is advertised under addresses that change",
      ),
      feature(
        "Extended advertising and scanning from the terminal",
        "apps/cli/test/extended.test.ts",
        "--extended, with a set identifier: data and name in one advertisement",
      ),
      feature("Sets set up anew after a reset", "src/gap/extended-radio.test.ts", "are set up anew after a reset of the controller"),
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
      feature(
        "1M and Coded, each with parameters of its own",
        "src/gap/extended-radio.test.ts",
        "on LE 1M by default, on both with parameters of their own; scans share the controller",
      ),
      feature(
        "Data in pieces put together",
        "src/gap/extended-radio.test.ts",
        "data in pieces are put together, those of several advertisers at a time",
      ),
      feature(
        "Bounds for what advertisers send",
        "src/gap/extended-radio.test.ts",
        "no advertiser makes the host grow: 1650 octets each, 64 at a time",
      ),
      feature("Scan responses of sets", "src/gap/extended-radio.test.ts", "a scan response belongs to its set"),
      feature(
        "Chains whose rest is lost",
        "src/controller/extended-advertising.test.ts",
        "a chain whose rest is lost is reported as truncated",
      ),
      feature(
        "Duration and period in the controller",
        "src/controller/extended-advertising.test.ts",
        "scanning for a duration ends with LE Scan Timeout",
      ),
      feature(
        "Limited and general discoverable devices",
        "src/gap/extended-radio.test.ts",
        "finds limited discoverable devices, or all discoverable ones",
      ),
      feature(
        "Filter Accept List shared by scans, advertising and connecting",
        "src/gap/extended-radio.test.ts",
        "is the connection attempt's first: the scan goes without it, filtered advertising waits",
      ),
      feature(
        "Extended filter policies",
        "src/controller/privacy.test.ts",
        "directed advertising whose target cannot be resolved is reported with policy 2",
      ),
      feature(
        "Extended scanning filter policies, asked for by the host",
        "src/gap/private-radio.test.ts",
        "directed advertising that the controller cannot resolve is reported to who asks: policy 2, 3 with an accept list",
      ),
    ],
  },
  {
    name: "Periodic advertising",
    features: [
      feature(
        "Periodic advertising, found by the advertisement that tells of it",
        "test/device-periodic-air.test.ts",
        "is found by the advertisement that tells of it, and heard whole whatever its length",
      ),
      feature(
        "Periodic data of 1650 octets, by fragments",
        "src/gap/periodic/periodic-advertising.test.ts",
        "of up to 252 octets go in one command, more in fragments before it is on",
      ),
      feature(
        "Periodic data that changes on the air",
        "src/gap/periodic/periodic-advertising.test.ts",
        "change on the air where one command holds them, else the train is off for a moment",
      ),
      feature(
        "Periodic data with identifiers (ADI), duplicates filtered",
        "test/device-periodic-air.test.ts",
        "tells the same data once where that is asked for",
      ),
      feature("Encrypted periodic data", "src/gap/periodic/periodic-advertising.test.ts", "may be encrypted (Supplement Part A 1.23)"),
      feature(
        "A train that goes on under new private addresses, and is set up anew after a reset",
        "test/device-periodic-air.test.ts",
        "goes on under new private addresses of its sender, and through a reset as a new one",
      ),
      feature(
        "Synchronization by address and set, one at a time",
        "src/gap/periodic/synchronizer.test.ts",
        "waits for those that are asked for before",
      ),
      feature(
        "Synchronization to the first of several, by the periodic advertiser list",
        "src/gap/periodic/synchronizer.test.ts",
        "to the first of several goes by the periodic advertiser list",
      ),
      feature(
        "Synchronization to a bonded peer with private addresses",
        "src/gap/periodic/synchronizer.test.ts",
        "to a bonded peer with private addresses is looked for under the one that it has now",
      ),
      feature(
        "Lost synchronization, told and found again",
        "test/device-periodic-air.test.ts",
        "that stops is lost after the sync timeout, and may be found again",
      ),
      feature("Reports switched off and on", "src/gap/periodic/periodic-sync.test.ts", "are switched off and on"),
      feature("Sync transfer by the sender", "test/device-periodic-air.test.ts", "by the sender is followed without scanning"),
      feature(
        "Sync transfer by another follower",
        "test/device-periodic-air.test.ts",
        "by another follower is followed too, and outlives the link",
      ),
      feature(
        "Sync transfer taken on the terms of a device, from the first moment of each link",
        "test/device-periodic.test.ts",
        "is taken on the device's terms from the first moment of each link, after a reset too",
      ),
      feature(
        "Periodic advertising with responses, both sides",
        "test/device-periodic-air.test.ts",
        "followers hear their subevent and answer in their slots",
      ),
      feature(
        "Links through periodic advertising with responses",
        "test/device-periodic-air.test.ts",
        "a follower is connected to in its subevent, by a policy of that synchronization",
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
      feature("The PHY that a link begins on", "test/device-phy.test.ts", "says so at both ends when it is handed out"),
      feature("Signal strength", "test/air-links.test.ts", "RSSI of a link is that of the distance"),
      feature(
        "Features and version of the peer",
        "test/air-links.test.ts",
        "features and version are exchanged, from either side, again and again",
      ),
      feature(
        "Connection parameters over the link layer and over L2CAP",
        "test/parameter-procedures.test.ts",
        "a peripheral asks as the features say",
      ),
      feature(
        "Connection subrating",
        "test/link-control-air.test.ts",
        "subrating: the central changes it, the peripheral hears; most events are left out, and data that comes waits for its turn",
      ),
      feature(
        "Subrating that a peripheral asks for",
        "test/link-control-air.test.ts",
        "subrating: a peripheral gets what the central's host has said before the link, and no more",
      ),
      feature(
        "Transmit power of both sides, and its changes",
        "test/link-control-air.test.ts",
        "power: each side's is known to both, and a change is told to who wants to hear of it",
      ),
      feature(
        "Path loss, in zones",
        "test/link-control-air.test.ts",
        "path loss: a peer that walks away and comes back goes through the zones",
      ),
      feature(
        "Channel classification, and the channel map of a link",
        "test/link-control-air.test.ts",
        "channels that are bad are left by the links of a central, and the peer follows",
      ),
      feature(
        "Authenticated payload timeout",
        "test/link-control-air.test.ts",
        "an encrypted link tells of a peer that is no longer heard, long before it is given up; while it is there it is quiet",
      ),
      feature("Connecting on each PHY", "src/controller/extended-connection.test.ts", "a connection by AUX_CONNECT_REQ on each PHY"),
      feature("PHYs with connection parameters of their own", "src/gap/extended-radio.test.ts", "on PHYs with parameters of their own"),
      feature("Connecting to the first of several", "test/device-extended.test.ts", "to the first of several, by the filter accept list"),
      feature(
        "Channel Selection Algorithm #2",
        "src/air/channel-selection.test.ts",
        "Channel Selection Algorithm #2 with all 37 channels (Vol 6 Part C 3.1)",
      ),
      feature("Range by PHY", "src/controller/extended-advertising.test.ts", "LE Coded reaches farther than LE 1M, LE 2M less far"),
      feature(
        "Power requests between controllers",
        "src/controller/link-power.test.ts",
        "a controller with a golden range has its peer sent louder as it goes away, up to the maximum, and softer when it comes",
      ),
      feature(
        "Subrating in the link layer: the events that are used",
        "src/controller/subrating.test.ts",
        "the central's host sets a subrate: one of eight events is used, which is one packet each way",
      ),
      feature("Subrating beside its arithmetic", "test/air-subrating.test.ts", "a read and its answer, with"),
      feature(
        "LE Ping",
        "src/controller/link-exchanges.test.ts",
        "an encrypted link on which nothing is said is pinged in time, and the host hears nothing",
      ),
      feature(
        "Authenticated payload timeout that expires",
        "src/controller/link-exchanges.test.ts",
        "a peer whose answers do not come makes the timeout expire, again and again, and the link goes on",
      ),
      feature("Sleep clock accuracy of the peer", "src/controller/link-exchanges.test.ts", "a sleep clock of"),
      feature(
        "Channels that a peripheral calls bad",
        "src/controller/channel-classification.test.ts",
        "the central's link avoids what its peripheral's host calls bad, and what its own does",
      ),
      feature(
        "Parameter updates of both sides that cross",
        "test/air-parameters.test.ts",
        "host wants waits while its answer to the peer's request is outstanding",
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
      feature("Resolving list in the controller", "src/controller/privacy.test.ts", "own address type 2 in every role"),
      feature(
        "The host on a controller that resolves",
        "test/controller-privacy.test.ts",
        "a bonded peer is connected to by its identity, without a scan, and both show private addresses",
      ),
      feature(
        "What the controller has no room for, resolved by the host",
        "test/controller-privacy.test.ts",
        "a list with room for one has the host resolve the others",
      ),
      feature(
        "Addresses that the controller changes while advertising",
        "test/controller-privacy.test.ts",
        "the controller changes the address without a pause: strangers hear new ones, a bonded peer hears its identity",
      ),
      feature(
        "Addresses that the host changes while advertising",
        "test/controller-privacy.test.ts",
        "the host changes it where the controller is not to: off and on, and a bonded peer tells it by its key",
      ),
      feature(
        "Pairing over addresses that controllers made",
        "test/controller-privacy.test.ts",
        "pairing anew takes the addresses of the packets (Secure Connections: ",
      ),
      feature(
        "Network and device privacy in the controller",
        "src/controller/privacy.test.ts",
        "network privacy ignores the identity address of a peer that has an IRK",
      ),
      feature(
        "Privacy mode of a bond",
        "test/privacy-mode.test.ts",
        "network: who connects with the identity address is a stranger, and is disconnected",
      ),
      feature(
        "Filter Accept List with identities",
        "src/controller/privacy.test.ts",
        "the Filter Accept List holds identities: resolved peers pass it",
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
      feature(
        "Out-of-band data, LE Secure Connections",
        "test/out-of-band.test.ts",
        "the central that has read it pairs protected, and the link is worth it on both sides",
      ),
      feature("Out-of-band data, legacy", "test/smp-out-of-band.test.ts", "both have the temporary key, all 128 bits of it (2.3.5.4)"),
      feature(
        "Secure Connections Only",
        "test/secure-connections-only.test.ts",
        "an authenticated pairing with LE Secure Connections and a whole key is level 4",
      ),
      feature("Keypress notifications", "test/smp-keypress.test.ts", "the peer hears of every key, from the first to the last (3.5.8)"),
      feature(
        "Key refresh",
        "test/key-refresh.test.ts",
        "the central encrypts anew with the key of the bond, and what both send meanwhile arrives",
      ),
      feature(
        "Signed writes, with counters that are stored first",
        "test/signed-writes.test.ts",
        "that refuses a counter lets nothing leave, and the counter is not used twice",
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
        "Services that change: what did not move stays valid",
        "test/gatt-client-changes.test.ts",
        "a characteristic that did not move stays the same object, though its service grew; the rest of the database is not asked for",
      ),
      feature("Services that change: what moved says where to", "test/gatt-client-changes.test.ts", "a service that moved says where to"),
      feature("Subscriptions made again after a change", "test/gatt-client-changes.test.ts", "are made again, and nothing of them is lost"),
      feature(
        "Database Out Of Sync: the hash is read, and the request made again",
        "test/gatt-cache.test.ts",
        "after Database Out Of Sync the hash is read: nothing changed, and the request is made again",
      ),
      feature(
        "Client cache keyed by Database Hash",
        "test/gatt-cache.test.ts",
        "is believed after one read of the hash, on the next link and at another device with the same",
      ),
      feature(
        "Client cache of bonded peers",
        "test/gatt-cache.test.ts",
        "devices: a bonded peer's database is there on the next link, until it changes while nobody is connected",
      ),
      feature(
        "Client cache in a file",
        "src/node/file-gatt-cache.test.ts",
        "what is saved is there for the next process, in a file that only its owner can read",
      ),
      feature(
        "A database described as data: handles, gaps, service ends, permissions, with or without CCCD",
        "test/gatt-description.test.ts",
        "a description is loaded as it is, and described as it was",
      ),
      feature(
        "A copy of any device, octet by octet",
        "test/gatt-description.test.ts",
        "the copy of a peer's database answers every procedure octet by octet as the peer",
      ),
      feature(
        "gatt export and advertise --device",
        "apps/cli/test/device-file.test.ts",
        "a device that was exported, advertised from its file and exported again is the same: attributes, values, advertising data",
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
      feature("Signed writes, both ways", "test/signed-writes.test.ts", "the peripheral signs with its own key, and both count apart"),
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
      feature(
        "H5, the three-wire UART",
        "src/transport/h5/link.test.ts",
        "whatever octet is damaged, lost or doubled, in whatever packet, all arrive once and in order",
      ),
      feature(
        "A silent controller reset, opened again, given up",
        "test/recovery.test.ts",
        "opens it again: links end with a typed error, advertising and a scan begin anew",
      ),
      feature(
        "USB adapters, by the same code in Node and in a page",
        "src/transport/usb/usb.test.ts",
        "a command is a class request to the device, an event comes from the interrupt endpoint, ACL data by the bulk ones",
      ),
      feature(
        "USB adapters that the user of a page chooses",
        "src/transport/usb/usb-opening.test.ts",
        "the user chooses from a list of adapters, and the next time nobody is asked",
      ),
      feature(
        "USB adapters by bus and port",
        "src/transport/usb/node-device.test.ts",
        "usb: takes the first adapter by bus and port, usb:N counts them, usb:BUS-PORT is Linux's name of it",
      ),
      feature(
        "Firmware for controllers of Realtek",
        "src/transport/firmware/firmware.test.ts",
        "the patch of the ROM's version, with the file's version at its end, in parts of 252 octets",
      ),
      feature(
        "Firmware for controllers of Intel",
        "src/transport/firmware/firmware.test.ts",
        "header, key, signature and commands in parts, then it is started, configured and reset",
      ),
      feature(
        "Serial adapters of a page",
        "src/transport/web-serial/web-serial.test.ts",
        "a port is opened for H4: hardware flow control, no parity, room for packets; packets pass both wa",
      ),
      feature(
        "Adapters as they come and go",
        "src/transport/adapters/adapters.test.ts",
        "on USB: those that are there, then each change; one that was away is another one",
      ),
      feature(
        "An adapter that comes back, known by its address",
        "src/transport/adapters/adapters.test.ts",
        "at another port is known by its address, one like it is closed again",
      ),
      feature(
        "HCI over WebSockets",
        "src/transport/ws/ws.test.ts",
        "a controller is served and opened, by one host after the other; a second one at a time is turned away",
      ),
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
      feature("pcap", "src/capture/pcap.test.ts", "is read as it was, with lengths of packets that were cut"),
      feature(
        "A session recorded, and replayed as a controller",
        "src/capture/replay/replay.test.ts",
        "gives the same results at the same times",
      ),
      feature("PacketLogger's files", "src/capture/packet-logger.test.ts", "holds packets, with their directions and times"),
    ],
  },
  {
    name: "Profiles",
    features: [
      feature(
        "One declaration of a service: server and typed client",
        "src/profiles/declare.test.ts",
        "one declaration is a server and a client",
      ),
      feature(
        "A simulated device from a declaration",
        "src/profiles/declare.test.ts",
        "a simulated device lives by its script and remembers what is written",
      ),
      feature("Device information", "src/profiles/services.test.ts", "device information, both sides"),
      feature("Battery", "src/profiles/services.test.ts", "two batteries, both sides"),
      feature("Heart rate", "src/profiles/services.test.ts", "heart rate, both sides"),
      feature("Current time", "src/profiles/services.test.ts", "a clock, both sides"),
      feature("Health thermometer", "src/profiles/services.test.ts", "a thermometer, both sides"),
      feature("Environmental sensing", "src/profiles/services.test.ts", "an environment with several thermometers, both sides"),
      feature(
        "Nordic UART, with back-pressure",
        "src/profiles/services/nordic-uart.test.ts",
        "a reader that takes nothing holds the writer back, and nothing is lost",
      ),
    ],
  },
  {
    name: "Web Bluetooth",
    features: [
      feature("Devices chosen by filters", "test/webbluetooth.test.ts", "the chooser sees each device with its name and strength"),
      feature(
        "Values and their events",
        "test/webbluetooth.test.ts",
        "readValue sets value, fires and gives the same view, whose buffer is the value",
      ),
      feature(
        "Notifications",
        "test/webbluetooth.test.ts",
        "a notification that leaves with the answer reaches a listener set behind startNotifications",
      ),
      feature("Advertisements watched", "test/webbluetooth.test.ts", "watchAdvertisements shows what was granted, until its signal aborts"),
      feature(
        "Service Changed told",
        "test/webbluetooth.test.ts",
        "services that change: old objects are no good, and removed, changed and added are told",
      ),
    ],
  },
  {
    name: "Simulated air",
    features: [
      feature(
        "The same seed, the same packets",
        "test/determinism.test.ts",
        "the same seed gives the same packets, octet for octet; another seed gives others",
      ),
      feature(
        "Idle time passed over, and nothing that is seen changes",
        "test/determinism.test.ts",
        "passing over idle time changes nothing that is seen, seed ",
      ),
      feature("A crowd that costs what is heard", "test/air-crowd.test.ts", "a crowd costs what is heard: "),
      feature(
        "Devices that move, at the cost of those that hear them",
        "test/air-crowd.test.ts",
        "a move costs a comparison with those that the one who moves hears or who hear it",
      ),
      feature(
        "Throughput, latency and discovery time as arithmetic says",
        "test/radio-arithmetic.test.ts",
        "what the air makes of it is within 2 % of what arithmetic says: ",
      ),
      feature(
        "Packets lost, changed and delayed on the air",
        "test/air-faults.test.ts",
        "a lost or corrupted packet is sent again, later ones wait for it",
      ),
      feature("Hidden nodes", "test/air-radio.test.ts", "a hidden node drowns scan requests, whether or not idle time is passed over"),
    ],
  },
  {
    name: "Foreign hosts and controllers",
    features: [
      feature(
        "Linux drives extended advertising, LE Coded and LL privacy of our controller",
        "test/kernel-lab.test.ts",
        "gives the kernel a controller with extended advertising, LE Coded and LL privacy, and takes one itself",
      ),
      feature(
        "BlueZ pairs and reads through our controllers",
        "test/kernel-lab.test.ts",
        "gives the kernel controllers, through which BlueZ pairs and reads in the simulated air",
      ),
      feature(
        "Our host as the peripheral of BlueZ",
        "test/kernel-lab.test.ts",
        "is found, connected, paired, listed, read, written and notified as BlueZ's peripheral",
      ),
      feature(
        "Our host as the central of BlueZ",
        "test/kernel-lab.test.ts",
        "scans, connects, pairs, discovers, reads, writes and takes indications as BlueZ's central",
      ),
      feature(
        "Channels with the kernel's own sockets",
        "test/kernel-lab.test.ts",
        "has channels with l2test and the kernel's own sockets, opened by either side in both modes",
      ),
      feature("Enhanced bearers with bluetoothd", "test/kernel-lab.test.ts", "opens enhanced bearers to bluetoothd, and takes its own"),
    ],
  },
];
