import { appearanceName } from "../assigned/appearance.ts";
import { companyName } from "../assigned/names.ts";
import { attErrorName } from "../att/error-code.ts";
import { hciErrorText } from "../hci/error.ts";
import { leFeatureNames } from "../hci/features.ts";
import { commands } from "../hci/registry.ts";
import { ControllerBus } from "../mgmt-protocol/index.ts";
import { pairingFailedText } from "../smp/error.ts";

const hex = (digits: number) => (value: number) => `0x${value.toString(16).padStart(digits, "0")}`;
const octet = hex(2);
const handle = hex(4);
const oneOf =
  (...names: string[]) =>
  (value: number): string =>
    names[value] ? `${value} (${names[value]})` : `${value}`;
const bits = (...names: string[]): ((value: number) => string) => {
  const text = (value: number): string => {
    const set = names.filter((name, bit) => name && value & (1 << bit));
    return set.length > 0 ? `${octet(value)} (${set.join(", ")})` : octet(value);
  };
  const ofOctets: string[] = [];
  return (value) => {
    if (value < 0 || value > 0xff) return text(value);
    ofOctets[value] ??= text(value);
    return ofOctets[value];
  };
};
const withName = (text: string, name: string | undefined): string => (name ? `${text} (${name})` : text);
const times = (unitMs: number) => (value: number) => `${value} (${value * unitMs} ms)`;
const slot = times(0.625);
const interval = times(1.25);
const timeout = times(10);
const dbm = (value: number): string => (value === 127 ? "not available" : `${value} dBm`);
const opcode = (value: number): string => withName(handle(value), commands.get(value)?.name);
const role = oneOf("central", "peripheral");
const ownAddress = oneOf("public", "random", "resolvable or public", "resolvable or random");
const channels = bits("37", "38", "39");
const keys = bits("enc", "id", "sign", "link");

/** The same with a value of its own meaning. */
const unless =
  (special: number, text: string, format: (value: number) => string) =>
  (value: number): string =>
    value === special ? `${value} (${text})` : format(value);
const asIs = (value: number): string => String(value);
const onPhy = oneOf("none", "1M", "2M", "coded");
const onCodedPhy = oneOf("", "1M", "2M", "coded S=8", "coded S=2");
const ofPhys = bits("1M", "2M", "coded");
const phyOptions = oneOf("no preference", "prefers S=2", "prefers S=8", "requires S=2", "requires S=8");
const filterPolicy = bits("Filter Accept List", "unresolved targets too");
const toneType = unless(255, "none", oneOf("AoA", "AoD, 1 us", "AoD, 2 us"));
const toneTypes = bits("AoA", "AoD, 1 us", "AoD, 2 us", "type 3", "none");
const dataStatus = unless(255, "not received", oneOf("complete", "more to come", "truncated"));
const tenthsOfDbm = (value: number): string => `${value / 10} dBm`;
const tenthsOfDb = (value: number): string => `${value / 10} dB`;
const unmanaged = unless(126, "not managed", dbm);
const typeOfAddress = unless(
  0xff,
  "anonymous",
  unless(0xfe, "not resolved", oneOf("public", "random", "public identity", "random identity")),
);
const extendedProperties = bits("connectable", "scannable", "directed", "scan response", "legacy");
const extendedEventType = (value: number): string => {
  const shown = extendedProperties(value);
  return value & 0x60 ? `${shown}, ${value & 0x20 ? "more to come" : "truncated"}` : shown;
};
const transferMode = oneOf("no sync", "sync without reports", "sync with reports", "sync with reports, no duplicates");

/** Of 4.23 and 4.26 of Vol 3 Part A. */
const connectionResult = oneOf(
  "success",
  "",
  "SPSM not supported",
  "",
  "no resources",
  "insufficient authentication",
  "insufficient authorization",
  "encryption key size too short",
  "insufficient encryption",
  "invalid source CID",
  "source CID already allocated",
  "unacceptable parameters",
  "invalid parameters",
  "pending",
  "authentication pending",
  "authorization pending",
);

/** How a number is written, by the name of its field; where a name means two things, by "Packet.name". */
const FORMATS: Readonly<Record<string, (value: number) => string>> = {
  status: hciErrorText,
  reason: hciErrorText,
  "L2capCommandRejectRsp.reason": oneOf("command not understood", "signalling MTU exceeded", "invalid CID"),
  result: oneOf("success"),
  "L2capConnectionParameterUpdateRsp.result": oneOf("accepted", "rejected"),
  errorCode: (value) => withName(octet(value), attErrorName(value)),
  "PairingFailed.reason": pairingFailedText,
  commandOpcode: opcode,
  requestOpcodeInError: octet,
  cid: handle,
  sourceCids: handle,
  destinationCids: handle,
  "L2capLeCreditBasedConnectionRsp.result": connectionResult,
  "L2capCreditBasedConnectionRsp.result": connectionResult,
  "L2capCreditBasedReconfigureRsp.result": oneOf(
    "success",
    "MTU reduced",
    "MPS of several channels reduced",
    "invalid destination CID",
    "unacceptable parameters",
  ),
  sourceCid: handle,
  destinationCid: handle,
  spsm: handle,
  connectionInterval: interval,
  connectionIntervalMin: interval,
  connectionIntervalMax: interval,
  intervalMin: interval,
  intervalMax: interval,
  supervisionTimeout: timeout,
  timeout,
  advertisingIntervalMin: slot,
  advertisingIntervalMax: slot,
  leScanInterval: slot,
  leScanWindow: slot,
  rssi: dbm,
  txPowerLevel: dbm,
  role,
  ownAddressType: ownAddress,
  advertisingType: oneOf("ADV_IND", "ADV_DIRECT_IND, high duty", "ADV_SCAN_IND", "ADV_NONCONN_IND", "ADV_DIRECT_IND, low duty"),
  eventType: oneOf("ADV_IND", "ADV_DIRECT_IND", "ADV_SCAN_IND", "ADV_NONCONN_IND", "SCAN_RSP"),
  advertisingChannelMap: channels,
  primaryAdvertisingChannelMap: channels,
  "LeExtendedAdvertisingReport.eventType": extendedEventType,
  advertisingEventProperties: bits("connectable", "scannable", "directed", "high duty", "legacy", "anonymous", "TX power"),
  periodicAdvertisingProperties: bits("", "", "", "", "", "", "TX power"),
  advertisingHandle: octet,
  advertisingSid: unless(255, "none", asIs),
  primaryAdvertisingIntervalMin: slot,
  primaryAdvertisingIntervalMax: slot,
  advertisingTxPower: (value) => (value === 127 ? "127 (no preference)" : dbm(value)),
  selectedTxPower: dbm,
  txPower: dbm,
  currentTransmitPowerLevel: dbm,
  maxTransmitPowerLevel: dbm,
  transmitPowerLevel: dbm,
  minTxPower: dbm,
  maxTxPower: dbm,
  "LeTransmitPowerReporting.txPowerLevel": unmanaged,
  "LeTransmitPowerReporting.reason": oneOf("local change", "remote change", "read"),
  "LeTransmitPowerReporting.txPowerLevelFlag": bits("minimum", "maximum"),
  delta: (value) => (value === 127 ? "not available" : `${value} dB`),
  currentPathLoss: unless(255, "not available", (value) => `${value} dB`),
  zoneEntered: oneOf("low", "middle", "high"),
  rfTxPathCompensationValue: tenthsOfDb,
  rfRxPathCompensationValue: tenthsOfDb,
  "LeConnectionIqReport.rssi": tenthsOfDbm,
  "LeConnectionlessIqReport.rssi": tenthsOfDbm,
  primaryAdvertisingPhy: onPhy,
  secondaryAdvertisingPhy: onPhy,
  primaryAdvertisingPhyOptions: phyOptions,
  secondaryAdvertisingPhyOptions: phyOptions,
  primaryPhy: onPhy,
  secondaryPhy: onPhy,
  advertiserPhy: onPhy,
  phy: onCodedPhy,
  "LeReceiverTestV2.phy": onPhy,
  "LeReceiverTestV3.phy": onPhy,
  scanningPhys: ofPhys,
  initiatingPhys: ofPhys,
  scanningFilterPolicy: filterPolicy,
  operation: oneOf("intermediate fragment", "first fragment", "last fragment", "complete", "unchanged"),
  fragmentPreference: oneOf("may be fragmented", "should not be fragmented"),
  scanType: oneOf("passive", "active"),
  scanInterval: slot,
  scanWindow: slot,
  "LeSetExtendedScanEnable.filterDuplicates": oneOf("off", "on", "on, reset each period"),
  duration: unless(0, "no limit", timeout),
  period: unless(0, "continuous", times(1280)),
  periodicAdvertisingIntervalMin: interval,
  periodicAdvertisingIntervalMax: interval,
  periodicAdvertisingInterval: unless(0, "none", interval),
  "LeSetPeriodicAdvertisingEnable.enable": bits("on", "ADI"),
  "LeSetPeriodicAdvertisingReceiveEnable.enable": bits("reports", "no duplicates"),
  "LePeriodicAdvertisingCreateSync.options": bits("Periodic Advertiser List", "reports off", "no duplicates"),
  syncTimeout: timeout,
  syncCteType: toneTypes,
  "LeSetPeriodicAdvertisingSyncTransferParameters.mode": transferMode,
  "LeSetDefaultPeriodicAdvertisingSyncTransferParameters.mode": transferMode,
  "LeSetPeriodicAdvertisingSyncTransferParameters.cteType": toneTypes,
  "LeSetDefaultPeriodicAdvertisingSyncTransferParameters.cteType": toneTypes,
  subeventInterval: unless(0, "none", interval),
  responseSlotDelay: unless(0, "none", interval),
  responseSlotSpacing: unless(0, "none", times(0.125)),
  "LePeriodicAdvertisingReportV2.subevent": unless(255, "none", asIs),
  "LeExtendedCreateConnectionV2.subevent": unless(255, "none", asIs),
  dataStatus,
  txStatus: oneOf("sent", "not sent"),
  cteType: toneType,
  expectedCteType: toneType,
  requestedCteType: toneType,
  cteTypes: toneTypes,
  changeReasons: bits("advertising data", "scan response data"),
  bitNumber: (value) => withName(String(value), leFeatureNames(1n << BigInt(value))[0]),
  authenticatedPayloadTimeout: timeout,
  addressType: typeOfAddress,
  peerAddressType: typeOfAddress,
  directAddressType: typeOfAddress,
  advertiserAddressType: typeOfAddress,
  scannerAddressType: typeOfAddress,
  leScanType: oneOf("passive", "active"),
  encryptionEnabled: oneOf("off", "on", "on, AES-CCM"),
  companyIdentifier: (value) => withName(handle(value), companyName(value)),
  appearance: (value) => withName(handle(value), appearanceName(value)),
  flags: bits("limited discoverable", "general discoverable", "no BR/EDR", "both, controller"),
  "AttExecuteWriteReq.flags": oneOf("cancel", "write"),
  properties: bits("broadcast", "read", "write without response", "write", "notify", "indicate", "signed write", "extended"),
  ioCapability: oneOf("DisplayOnly", "DisplayYesNo", "KeyboardOnly", "NoInputNoOutput", "KeyboardDisplay"),
  authReq: bits("bonding", "", "MITM", "SC", "keypress", "CT2"),
  initiatorKeyDistribution: keys,
  responderKeyDistribution: keys,
  txPhy: oneOf("", "1M", "2M", "coded"),
  rxPhy: oneOf("", "1M", "2M", "coded"),
  manufacturer: (value) => withName(handle(value), companyName(value)),
  "NewIndex.type": oneOf("primary", "AMP"),
  "NewIndex.bus": oneOf(...Object.keys(ControllerBus)),
  "ControlOpen.format": oneOf("raw", "user channel", "management"),
  "ControlOpen.flags": bits("privileged"),
  "UserLogging.priority": oneOf("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"),
  hciVersion: oneOf("1.0b", "1.1", "1.2", "2.0", "2.1", "3.0", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2", "5.3", "5.4", "6.0", "6.1"),
};

type Format = (value: number) => string;

/** Of the names above that have a packet before them: by the field, then by the packet. */
const FORMATS_OF_PACKETS = new Map<string, Map<string, Format>>();
for (const [name, format] of Object.entries(FORMATS)) {
  const [packet, field] = name.split(".");
  if (field === undefined) continue;
  const formats = FORMATS_OF_PACKETS.get(field) ?? new Map<string, Format>();
  FORMATS_OF_PACKETS.set(field, formats.set(packet!, format));
}
/** Of every field that was met; fields are those of declarations, which are not many. */
const FORMATS_MET = new Map<string, Format>();

function formatOf(field: string): Format {
  let format = FORMATS_MET.get(field);
  if (!format) {
    format = FORMATS[field] ?? (/handle(InError)?$/i.test(field) ? handle : String);
    FORMATS_MET.set(field, format);
  }
  return format;
}

/** A number as the specification speaks of it: handles in hexadecimal, times in milliseconds, codes with their names. */
export function numberText(packet: string, field: string, value: number): string {
  return (FORMATS_OF_PACKETS.get(field)?.get(packet) ?? formatOf(field))(value);
}

/** A mask of many bits, features with their names. */
export function maskText(field: string, value: bigint): string {
  const hexadecimal = `0x${value.toString(16)}`;
  return field === "leFeatures" && value > 0n ? `${hexadecimal} (${leFeatureNames(value).join(", ")})` : hexadecimal;
}

/** Fields that hold a key, a passkey or what a key is made of; `undefined`: in every packet. */
const SECRETS: ReadonlyMap<string, string | undefined> = new Map([
  ["longTermKey", undefined],
  ["identityResolvingKey", undefined],
  ["signatureKey", undefined],
  ["linkKey", undefined],
  ["peerIrk", undefined],
  ["localIrk", undefined],
  ["dhKey", undefined],
  ["key", "LeEncrypt"],
  ["plaintextData", "LeEncrypt"],
  ["encryptedData", "LeEncrypt"],
  ["randomNumber", "LeRand"],
]);

/** A vendor's command, the answer to one, or a vendor's event: what is in them is not known. */
const VENDOR = /^(Command 0xf[c-f]|Event 0xff)/;

export function isSecretField(packet: string, field: string): boolean {
  if (field === "raw") return VENDOR.test(packet);
  if (!SECRETS.has(field)) return false;
  const only = SECRETS.get(field);
  return only === undefined || only === packet;
}
