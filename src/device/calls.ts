import { Address } from "../core/address.ts";
import { Uuid } from "../core/uuid.ts";
import { EventCode, PacketType } from "../hci/index.ts";
import { AttCauses } from "./att-causes.ts";

/** A call of the program, and what it says in a capture. */
interface Call {
  readonly name: string;
  readonly text: string;
  /** The link that it is about. */
  readonly handle: number | undefined;
  readonly addresses: readonly Address[];
}

const DEVICE_METHODS = [
  "advertise",
  "scan",
  "startScan",
  "connect",
  "synchronize",
  "setDefaultSubrate",
  "classifyChannels",
  "close",
] as const;
const CONNECTION_METHODS = [
  "pair",
  "encrypt",
  "updateParameters",
  "rssi",
  "remoteFeatures",
  "setDataLength",
  "setPhy",
  "readPhy",
  "subrate",
  "transmitPower",
  "remoteTransmitPower",
  "reportTransmitPower",
  "monitorPathLoss",
  "remoteVersion",
  "channelMap",
  "authenticatedPayloadTimeout",
  "setAuthenticatedPayloadTimeout",
  "acceptSyncs",
  "disconnect",
] as const;
const GATT_METHODS = ["services", "service", "characteristic", "readByUuid", "readDatabaseHash", "watchServiceChanged"] as const;

type Methods<K extends string> = Readonly<Record<K, (...args: never[]) => unknown>>;
type WatchedConnection = Methods<(typeof CONNECTION_METHODS)[number]> & {
  readonly handle: number;
  readonly gatt: Methods<(typeof GATT_METHODS)[number]>;
};

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
/** HCI_LE_Set_Random_Address and the Filter Accept List, Vol 4 Part E 7.8.4 and 7.8.14 to 7.8.17: whoever shows an address or waits for one. */
const FOR_ALL = [0x2005, ...range(0x200f, 0x2012)];
const ENCRYPTION = [0x2017, 0x2018, 0x2019, 0x2025, 0x2026, 0x205e];

/** The commands that a call leads to, by the opcodes of Vol 4 Part E 7. */
const COMMANDS: Readonly<Record<string, readonly number[]>> = {
  "device.advertise": [...FOR_ALL, ...range(0x2006, 0x200a), ...range(0x2035, 0x2040), 0x207f, 0x202c],
  "device.scan": [...FOR_ALL, 0x200b, 0x200c, 0x2041, 0x2042],
  "device.startScan": [...FOR_ALL, 0x200b, 0x200c, 0x2041, 0x2042],
  "device.connect": [...FOR_ALL, 0x200b, 0x200c, 0x2041, 0x2042, 0x200d, 0x200e, 0x2043, 0x2085],
  "connection.disconnect": [0x0406],
  "device.synchronize": [...FOR_ALL, 0x2041, 0x2042, ...range(0x2044, 0x2049), 0x2059],
  "device.close": [0x0406, 0x0c03, 0x200a, 0x2039, 0x200c, 0x2042, 0x200e],
  "connection.pair": ENCRYPTION,
  "connection.encrypt": ENCRYPTION,
  "connection.updateParameters": [0x2013],
  "connection.rssi": [0x1405],
  "connection.remoteFeatures": [0x2016],
  "connection.setDataLength": [0x2022],
  "connection.setPhy": [0x2030, 0x2032],
  "connection.readPhy": [0x2030],
  "connection.subrate": [0x2016, 0x207e],
  "connection.transmitPower": [0x0c2d, 0x2076],
  "connection.remoteTransmitPower": [0x2077],
  "connection.reportTransmitPower": [0x207a],
  "connection.monitorPathLoss": [0x2078, 0x2079],
  "connection.remoteVersion": [0x041d],
  "connection.channelMap": [0x2015],
  "connection.authenticatedPayloadTimeout": [0x0c7b],
  "connection.setAuthenticatedPayloadTimeout": [0x0c7c],
  "connection.acceptSyncs": [0x205c],
  "device.setDefaultSubrate": [0x207d],
  "device.classifyChannels": [0x2014],
};
/** What they start goes on behind their end, until the next call of the name. */
const LASTING: ReadonlySet<string> = new Set([
  "device.advertise",
  "device.scan",
  "device.startScan",
  "device.connect",
  "device.synchronize",
]);
/** LE Meta events that tell of such a call (7.7.65): subevents, and the calls that ask for them. */
const SUBEVENTS: ReadonlyMap<number, readonly string[]> = new Map([
  [0x01, ["device.connect", "device.advertise"]],
  [0x0a, ["device.connect", "device.advertise"]],
  [0x29, ["device.connect", "device.advertise"]],
  [0x02, ["device.scan", "device.startScan", "device.connect"]],
  [0x0d, ["device.scan", "device.startScan", "device.connect"]],
  [0x0b, ["device.scan", "device.startScan"]],
  [0x0e, ["device.synchronize"]],
  [0x24, ["device.synchronize"]],
  [0x11, ["device.scan", "device.startScan"]],
  [0x12, ["device.advertise"]],
  [0x03, ["connection.updateParameters"]],
  [0x04, ["connection.remoteFeatures"]],
  [0x07, ["connection.setDataLength"]],
  [0x0c, ["connection.setPhy"]],
  [0x21, ["connection.remoteTransmitPower"]],
  [0x23, ["connection.subrate"]],
]);
const DISCONNECTION = ["connection.disconnect"];
const ENCRYPTED = ["connection.pair", "connection.encrypt"];
const VERSION = ["connection.remoteVersion"];
/** HCI_Read_Remote_Version_Information_Complete, Vol 4 Part E 7.7.12. */
const READ_REMOTE_VERSION_INFORMATION_COMPLETE = 0x0c;
/** HCI_Encryption_Key_Refresh_Complete, Vol 4 Part E 7.7.39. */
const ENCRYPTION_KEY_REFRESH_COMPLETE = 0x30;
const SECURITY_MANAGER = 0x0006;
const ATT = 0x0004;

/** Links whose last packets are remembered; handles have 12 bits. */
const MOST_LINKS = 256;

interface LinkCauses {
  readonly att: AttCauses;
  /** Of the last frame that began, for its later pieces: sent and received. */
  readonly last: { sent: string | undefined; received: string | undefined };
}

/**
 * The calls of a program that are under way, so that a capture can say of a packet which one it comes from. Made only where there is a
 * capture: methods are watched from outside, and nothing is paid without one.
 */
export class Calls {
  readonly #underWay = new Set<Call>();
  /** The last call of each lasting name, while none is under way. */
  readonly #lasting = new Map<string, Call>();
  /** Why a command was sent last, for the answers. */
  readonly #commands = new Map<number, string | undefined>();
  readonly #links = new Map<number, LinkCauses>();

  /** Every packet meanwhile is this call's, unless another one claims it. */
  begin(name: string, args: readonly unknown[] = [], handle?: number): Disposable {
    const addresses = args.flat().filter((argument): argument is Address | string => isAddress(argument));
    const shown = args.map(textOf).filter((text) => text !== undefined);
    const call: Call = { name, text: `${name}(${shown.join(", ")})`, handle, addresses: addresses.map((address) => Address.from(address)) };
    this.#underWay.add(call);
    if (LASTING.has(name)) this.#lasting.set(name, call);
    return { [Symbol.dispose]: () => this.#underWay.delete(call) };
  }

  /** Has `begin` called for these methods, for as long as what they return is pending. */
  watch<K extends string>(target: Methods<K>, prefix: string, methods: readonly K[], handle?: number): void {
    for (const name of methods) {
      const method = target[name] as (...args: unknown[]) => unknown;
      const watched = (...args: unknown[]): unknown => {
        const call = this.begin(`${prefix}.${name}`, args, handle);
        try {
          const result = method.apply(target, args);
          if (result instanceof Promise) {
            const end = (): void => call[Symbol.dispose]();
            result.then(end, end);
          } else call[Symbol.dispose]();
          return result;
        } catch (error) {
          call[Symbol.dispose]();
          throw error;
        }
      };
      Object.defineProperty(target, name, { value: watched, configurable: true });
    }
  }

  watchDevice(device: Methods<(typeof DEVICE_METHODS)[number]>): void {
    this.watch(device, "device", DEVICE_METHODS);
  }

  watchConnection(connection: WatchedConnection): void {
    const { handle, gatt } = connection;
    this.watch(connection, "connection", CONNECTION_METHODS, handle);
    this.watch(gatt, "gatt", GATT_METHODS, handle);
  }

  /** Which call the packet comes from, in a few words; `undefined` where none is known. Never throws. */
  causeOf(direction: "sent" | "received", packet: Uint8Array): string | undefined {
    switch (packet[0]) {
      case PacketType.Command:
        return this.#ofCommand(packet);
      case PacketType.Event:
        return this.#ofEvent(packet);
      case PacketType.AclData:
        return this.#ofData(direction, packet);
      default:
        return undefined;
    }
  }

  #ofCommand(packet: Uint8Array): string | undefined {
    const opcode = (packet[1] ?? 0) | ((packet[2] ?? 0) << 8);
    const claims = ({ name, handle }: Call): boolean =>
      (name === "Device.open" || (COMMANDS[name]?.includes(opcode) ?? false)) && (handle === undefined || handle === handleAt(packet, 4));
    const cause = this.#newest(claims, packet)?.text;
    this.#commands.set(opcode, cause);
    return cause;
  }

  #ofEvent(packet: Uint8Array): string | undefined {
    switch (packet[1]) {
      case EventCode.CommandComplete:
        return this.#commands.get((packet[4] ?? 0) | ((packet[5] ?? 0) << 8));
      case EventCode.CommandStatus:
        return this.#commands.get((packet[5] ?? 0) | ((packet[6] ?? 0) << 8));
      case EventCode.DisconnectionComplete: {
        const handle = handleAt(packet, 4);
        this.#links.delete(handle);
        return this.#named(DISCONNECTION, packet, handle);
      }
      case EventCode.EncryptionChange:
      case ENCRYPTION_KEY_REFRESH_COMPLETE:
        return this.#named(ENCRYPTED, packet, handleAt(packet, 4));
      case READ_REMOTE_VERSION_INFORMATION_COMPLETE:
        return this.#named(VERSION, packet, handleAt(packet, 4));
      case EventCode.LeMeta: {
        const names = SUBEVENTS.get(packet[3] ?? 0);
        return names && this.#named(names, packet, handleAt(packet, 5));
      }
      default:
        return undefined;
    }
  }

  #named(names: readonly string[], packet: Uint8Array, handle: number): string | undefined {
    return this.#newest((call) => names.includes(call.name) && (call.handle ?? handle) === handle, packet, names.length > 1)?.text;
  }

  #ofData(direction: "sent" | "received", packet: Uint8Array): string | undefined {
    const handle = handleAt(packet, 1);
    let link = this.#links.get(handle);
    if (!link) {
      link = { att: new AttCauses(), last: { sent: undefined, received: undefined } };
      this.#links.set(handle, link);
      if (this.#links.size > MOST_LINKS) this.#links.delete(this.#links.keys().next().value!);
    }
    if ((((packet[2] ?? 0) >> 4) & 0b11) === 0b01) return link.last[direction]; // a later piece of a frame, Vol 4 Part E 5.4.2
    const channel = (packet[7] ?? 0) | ((packet[8] ?? 0) << 8);
    let cause: string | undefined;
    if (channel === ATT) {
      // The oldest: discoveries take turns, and one method calls another.
      const discovering = (): string | undefined =>
        [...this.#underWay].find((call) => call.handle === handle && call.name.startsWith("gatt."))?.text;
      cause = link.att.causeOf(direction, packet.subarray(9), discovering);
    } else if (channel === SECURITY_MANAGER) cause = this.#named(ENCRYPTED, packet, handle);
    link.last[direction] = cause;
    return cause;
  }

  /** The newest call that claims a packet; of several, one whose address is in it. */
  #newest(claims: (call: Call) => boolean, packet: Uint8Array, isLastingToo = true): Call | undefined {
    const underWay = [...this.#underWay].filter(claims);
    const found = underWay.length > 0 || !isLastingToo ? underWay : [...this.#lasting.values()].filter(claims);
    return found.findLast(({ addresses }) => addresses.some((address) => holds(packet, address.bytes))) ?? found.at(-1);
  }
}

const handleAt = (packet: Uint8Array, at: number): number => ((packet[at] ?? 0) | ((packet[at + 1] ?? 0) << 8)) & 0x0fff;

function holds(packet: Uint8Array, octets: Uint8Array): boolean {
  for (let at = 4; at + octets.length <= packet.length; at++) if (octets.every((octet, i) => packet[at + i] === octet)) return true;
  return false;
}

function isAddress(value: unknown): value is Address | string {
  return value instanceof Address || (typeof value === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}(\/\w+)?$/i.test(value));
}

/** Who and what: addresses, UUIDs and handles. Values and options stay out. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join(", ") || undefined;
  if (isAddress(value)) return Address.from(value).toString();
  if (value instanceof Uuid) return value.text;
  if (typeof value === "string" && /^[0-9a-f-]{4,36}$/i.test(value)) return value.toLowerCase();
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return `0x${value.toString(16).padStart(4, "0")}`;
  return undefined;
}
