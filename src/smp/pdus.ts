import { bytes, type Codec, decode, encode, type Infer, struct, typedAddress, u8, u16 } from "../bytes/codec.ts";
import { DecodeError } from "../bytes/decode-error.ts";
import { reversed } from "../crypto/reversed.ts";

// Security Manager PDUs, Vol 3 Part H 3.5 and 3.6. Numbers of 128 and 256 bits travel least significant octet first; decoded they stand
// most significant octet first, as the functions of the toolbox take them.

/** A number of `length` octets, turned round. */
const number = (length: number): Codec<Uint8Array> => {
  const octets = bytes(length);
  return {
    decode: (reader) => reversed(octets.decode(reader)),
    encode: (writer, value) => octets.encode(writer, reversed(value)),
  };
};
const value128 = number(16);
const value256 = number(32);

export interface SmpDeclaration<Name extends string, P> {
  readonly name: Name;
  readonly code: number;
  readonly parameters: Codec<P>;
}

function smp<const Name extends string, P>(name: Name, code: number, parameters: Codec<P>): SmpDeclaration<Name, P> {
  return Object.freeze({ name, code, parameters });
}

const pairingFeatures = struct({
  ioCapability: u8,
  oobDataFlag: u8, // 1: authentication data of the peer is present
  authReq: u8, // AuthReq bits
  maximumEncryptionKeySize: u8, // octets, 7 to 16
  initiatorKeyDistribution: u8, // KeyDistribution bits
  responderKeyDistribution: u8,
});
export type PairingFeatures = Infer<typeof pairingFeatures>;

/** 3.5.1 */
export const PairingRequest = smp("PairingRequest", 0x01, pairingFeatures);
/** 3.5.2 */
export const PairingResponse = smp("PairingResponse", 0x02, pairingFeatures);
/** 3.5.3 */
export const PairingConfirm = smp("PairingConfirm", 0x03, struct({ confirmValue: value128 }));
/** 3.5.4 */
export const PairingRandom = smp("PairingRandom", 0x04, struct({ randomValue: value128 }));
/** 3.5.5 */
export const PairingFailed = smp("PairingFailed", 0x05, struct({ reason: u8 }));
/** 3.6.2 */
export const EncryptionInformation = smp("EncryptionInformation", 0x06, struct({ longTermKey: value128 }));
/** 3.6.3; `rand` stays as on air, since HCI carries it so. */
export const CentralIdentification = smp("CentralIdentification", 0x07, struct({ ediv: u16, rand: bytes(8) }));
/** 3.6.4 */
export const IdentityInformation = smp("IdentityInformation", 0x08, struct({ identityResolvingKey: value128 }));
/** 3.6.5 */
export const IdentityAddressInformation = smp("IdentityAddressInformation", 0x09, struct({ address: typedAddress }));
/** 3.6.6 */
export const SigningInformation = smp("SigningInformation", 0x0a, struct({ signatureKey: value128 }));
/** 3.6.7 */
export const SecurityRequest = smp("SecurityRequest", 0x0b, struct({ authReq: u8 }));
/** 3.5.6 */
export const PairingPublicKey = smp("PairingPublicKey", 0x0c, struct({ x: value256, y: value256 }));
/** 3.5.7 */
export const PairingDhKeyCheck = smp("PairingDhKeyCheck", 0x0d, struct({ dhKeyCheck: value128 }));
/** 3.5.8 */
export const PairingKeypressNotification = smp("PairingKeypressNotification", 0x0e, struct({ notificationType: u8 }));

const declarations = Object.freeze({
  PairingRequest,
  PairingResponse,
  PairingConfirm,
  PairingRandom,
  PairingFailed,
  EncryptionInformation,
  CentralIdentification,
  IdentityInformation,
  IdentityAddressInformation,
  SigningInformation,
  SecurityRequest,
  PairingPublicKey,
  PairingDhKeyCheck,
  PairingKeypressNotification,
});

/** Every PDU by its code. */
export const smpPdus: ReadonlyMap<number, SmpDeclaration<keyof typeof declarations, unknown>> = new Map(
  Object.values(declarations).map((declaration) => [declaration.code, declaration as SmpDeclaration<keyof typeof declarations, unknown>]),
);

/** A PDU: the declaration's name and its parameters. */
export type SmpPdu = {
  [K in keyof typeof declarations]: { readonly name: K } & Infer<(typeof declarations)[K]["parameters"]>;
}[keyof typeof declarations];

/** The PDU as it travels, code first. @throws {ArgumentError} a value its field cannot hold */
export function encodeSmp(pdu: SmpPdu): Uint8Array {
  const { code, parameters } = declarations[pdu.name];
  const body = encode(parameters as Codec<unknown>, pdu);
  const octets = new Uint8Array(1 + body.length);
  octets[0] = code;
  octets.set(body, 1);
  return octets;
}

/** What octets of a peer are: a PDU, one with a known code and a wrong length, or a code reserved for future use. */
export type DecodedSmp =
  | { readonly kind: "pdu"; readonly pdu: SmpPdu }
  | { readonly kind: "malformed"; readonly name: string; readonly error: DecodeError }
  | { readonly kind: "reserved"; readonly code: number | undefined };

/** Reads `octets[offset, end)`; never throws. */
export function decodeSmp(octets: Uint8Array, offset = 0, end = octets.length): DecodedSmp {
  const code = offset < end ? octets[offset] : undefined;
  const declaration = code === undefined ? undefined : smpPdus.get(code);
  if (!declaration) return { kind: "reserved", code };
  try {
    const parameters = decode(declaration.parameters, octets, { name: declaration.name, offset: offset + 1, end });
    return { kind: "pdu", pdu: { name: declaration.name, ...(parameters as object) } as SmpPdu };
  } catch (error) {
    if (error instanceof DecodeError) return { kind: "malformed", name: declaration.name, error };
    throw error;
  }
}
