import { AttOpcode } from "jelling/att";
import { toHex } from "jelling/bytes";
import type { Controller } from "jelling/controller";
import type { GattServer } from "jelling/gatt";

const ATT_CID = 0x0004;
/** Of the ATT PDUs of a client, those that only read, and the confirmation. */
const HARMLESS: ReadonlySet<number> = new Set([0x04, 0x06, 0x08, 0x0a, 0x0c, 0x10, 0x1e]);
const FRAME = 3;
const CRC = 2;
const PROTECTION = 3;

const vendor = (short: string): string => `0000${short}-0000-1000-0000-009132591325`;
const CGM = 0x181f;
const INSULIN_DELIVERY = vendor("0100");

interface Permitted {
  readonly service: number | string;
  readonly characteristic: number | string;
  /** What its configuration may be set to. */
  readonly configuration: "0100" | "0200";
  /** Whether it is a value that may be written. What is inside a frame is the simulated pump's to judge: it counts what it forbids. */
  readonly value?: (hex: string, octets: number) => boolean;
}

const sealed =
  (...octets: number[]) =>
  (_hex: string, length: number): boolean =>
    octets.includes(length);
/** Octets of a frame with a request of so many octets, with or without the protection of the service. */
const framed = (...octets: number[]): number[] => octets.flatMap((length) => [length + FRAME, length + FRAME + PROTECTION]);

/** The closed table, written down once more. */
const TABLE: readonly Permitted[] = [
  { service: CGM, characteristic: 0x2aa7, configuration: "0100" },
  {
    service: CGM,
    characteristic: 0x2a52,
    configuration: "0200",
    value: (hex) => /^(0300|0[14]0[156]|0[14]0[23]01.{4}|0[14]0401.{8})$/.test(hex),
  },
  { service: CGM, characteristic: 0x2aac, configuration: "0200", value: sealed(1 + CRC + FRAME, 3 + CRC + FRAME) },
  { service: CGM, characteristic: vendor("0202"), configuration: "0200" },
  { service: CGM, characteristic: vendor("0203"), configuration: "0200" },
  { service: INSULIN_DELIVERY, characteristic: vendor("0101"), configuration: "0200" },
  { service: INSULIN_DELIVERY, characteristic: vendor("0105"), configuration: "0200", value: sealed(...framed(2, 4, 5, 6, 8)) },
  { service: INSULIN_DELIVERY, characteristic: vendor("0106"), configuration: "0200", value: sealed(...framed(2, 3)) },
  { service: INSULIN_DELIVERY, characteristic: vendor("0107"), configuration: "0100" },
  { service: INSULIN_DELIVERY, characteristic: vendor("0108"), configuration: "0100" },
  {
    service: INSULIN_DELIVERY,
    characteristic: 0x2a52,
    configuration: "0200",
    value: (hex) => /^(550f|(33|5a)(33|66|69)(0f|33|3c)|(33|5a)(3c|55)(0f|33|3c).{8}|(33|5a)5a(0f|33|3c).{16})$/.test(hex),
  },
];

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

function isPermitted(server: GattServer, handle: number, value: Uint8Array): boolean {
  const hex = toHex(value);
  return TABLE.some(({ service, characteristic, configuration, value: isGood }) => {
    const place = server.characteristic(service, characteristic)?.valueHandle;
    if (place === undefined) return false;
    return (handle === place && (isGood?.(hex, value.length) ?? false)) || (handle === place + 1 && hex === configuration);
  });
}
