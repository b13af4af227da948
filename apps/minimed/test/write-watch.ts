import { AttOpcode } from "jelling/att";
import { toHex } from "jelling/bytes";
import type { Controller } from "jelling/controller";
import type { GattServer } from "jelling/gatt";

const ATT_CID = 0x0004;
const CGM = 0x181f;
const MEASUREMENT = 0x2aa7;
const RECORD_ACCESS = 0x2a52;
const SPECIFIC_OPS = 0x2aac;
/** Of the ATT PDUs of a client, those that only read, and the confirmation. */
const HARMLESS: ReadonlySet<number> = new Set([0x04, 0x06, 0x08, 0x0a, 0x0c, 0x10, 0x1e]);
/** Operation code, CRC, and what a SAKE frame has around it. */
const SEALED_REQUEST_OCTETS = [1 + 2 + 3, 3 + 2 + 3];
/** Report and count, with the time offsets that the operator wants; abort. */
const CGM_REQUEST = /^(?:0[14](?:0[156]|0[23]01.{4}|0401.{8})|0300)$/;

/**
 * Watches what the phone's host hands to its controller, which is what goes on the air, and collects every PDU of an ATT client that is
 * neither a reading one nor a write of the closed table to the attribute that the pump has there at that moment. This knows nothing of the
 * connector: the table is written down once more.
 */
export class WriteWatch {
  /** What should not have been sent, in words. */
  readonly offences: string[] = [];
  /** Writes that were in order. */
  writes = 0;

  constructor(phone: Controller, pump: () => GattServer) {
    phone.onHciPacket(({ direction, packet }) => {
      if (direction === "to-controller" && packet[0] === 0x02) this.#look(packet, pump());
      return undefined;
    });
  }

  #look(packet: Uint8Array, server: GattServer): void {
    if (((packet[2]! >> 4) & 0b11) === 0b01) {
      // Whatever is sent in parts cannot be judged by its beginning; nothing the phone sends to a pump's server is long.
      if (packet.length > 5) this.offences.push(`a continuation: ${toHex(packet)}`);
      return;
    }
    if ((packet[7]! | (packet[8]! << 8)) !== ATT_CID) return;
    const pdu = packet.subarray(9);
    const opcode = pdu[0]!;
    if (opcode % 2 === 1 || HARMLESS.has(opcode)) return;
    if (opcode !== AttOpcode.WriteReq || !isPermitted(server, pdu[1]! | (pdu[2]! << 8), pdu.subarray(3)))
      this.offences.push(`${toHex(pdu)}`);
    else this.writes++;
  }
}

/** Of the insulin delivery service: what may be written to the configuration behind a value. */
const IDD_CONFIGURATIONS: Readonly<Record<string, string>> = {
  [vendor(0x0101)]: "0200",
  [vendor(0x0105)]: "0200",
  [vendor(0x0106)]: "0200",
  [vendor(0x0107)]: "0100",
  [vendor(0x0108)]: "0100",
  "2a52": "0200",
};
const IDD_STATUS_READER = vendor(0x0105);
const IDD_COMMAND = vendor(0x0106);
/** Operation code, operand, counter and CRC, and what a SAKE frame has around it. */
const IDD_SEALED_OCTETS = { shortest: 2 + 3, longest: 2 + 6 + 3 + 3 };
/** Report and count, with a filter and the numbers that the operator wants; abort. */
const HISTORY_REQUEST = /^(?:(?:33|5a)(?:(?:33|66|69)(?:0f|33|3c)|(?:3c|55)(?:0f|33|3c).{8}|5a(?:0f|33|3c).{16})|550f)$/;

function vendor(short: number): string {
  return `${short.toString(16).padStart(8, "0")}-0000-1000-0000-009132591325`;
}

function isPermittedDelivery(server: GattServer, handle: number, value: Uint8Array): boolean {
  const service = server.service(vendor(0x0100));
  if (!service) return false;
  const hex = toHex(value);
  for (const { uuid, valueHandle } of service.characteristics) {
    if (handle === valueHandle + 1) return IDD_CONFIGURATIONS[uuid.text] === hex;
    if (handle !== valueHandle) continue;
    if (uuid.text === "2a52") return HISTORY_REQUEST.test(hex);
    const { shortest, longest } = IDD_SEALED_OCTETS;
    return (uuid.text === IDD_STATUS_READER || uuid.text === IDD_COMMAND) && value.length >= shortest && value.length <= longest;
  }
  return false;
}

function isPermitted(server: GattServer, handle: number, value: Uint8Array): boolean {
  const hex = toHex(value);
  const place = (uuid: number): number => server.characteristic(CGM, uuid)?.valueHandle ?? 0;
  const [measurement, recordAccess, specificOps] = [place(MEASUREMENT), place(RECORD_ACCESS), place(SPECIFIC_OPS)];
  if (measurement === 0) return false;
  if (isPermittedDelivery(server, handle, value)) return true;
  if (handle === measurement + 1) return hex === "0100";
  if (handle === recordAccess + 1 || handle === specificOps + 1) return hex === "0200";
  if (handle === recordAccess) return CGM_REQUEST.test(hex);
  // What is inside is the simulated pump's to judge: it counts what it forbids.
  return handle === specificOps && SEALED_REQUEST_OCTETS.includes(value.length);
}
