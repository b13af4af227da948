import { appearanceName } from "../assigned/appearance.ts";
import { companyName } from "../assigned/names.ts";
import { attErrorName } from "../att/error-code.ts";
import { hciErrorText } from "../hci/error.ts";
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
const bits =
  (...names: string[]) =>
  (value: number): string => {
    const set = names.filter((name, bit) => name && value & (1 << bit));
    return set.length > 0 ? `${octet(value)} (${set.join(", ")})` : octet(value);
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

/** A number as the specification speaks of it: handles in hexadecimal, times in milliseconds, codes with their names. */
export function numberText(packet: string, field: string, value: number): string {
  const format = FORMATS[`${packet}.${field}`] ?? FORMATS[field];
  if (format) return format(value);
  return /handle(InError)?$/i.test(field) ? handle(value) : String(value);
}

/** Fields that hold a key, a passkey or what a key is made of. */
const SECRETS: ReadonlySet<string> = new Set([
  "longTermKey",
  "identityResolvingKey",
  "signatureKey",
  "linkKey",
  "peerIrk",
  "localIrk",
  "dhKey",
  "LeEncrypt.key",
  "LeEncrypt.plaintextData",
  "LeEncrypt.encryptedData",
  "LeRand.randomNumber",
]);

/** A vendor's command, the answer to one, or a vendor's event: what is in them is not known. */
const VENDOR = /^(Command 0xf[c-f]|Event 0xff)/;

export function isSecretField(packet: string, field: string): boolean {
  return SECRETS.has(field) || SECRETS.has(`${packet}.${field}`) || (field === "raw" && VENDOR.test(packet));
}
