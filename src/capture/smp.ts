import { bytes, type Codec, struct, typedAddress, u8, u16 } from "../bytes/index.ts";
import { byCode, type PduDeclaration } from "./pdu.ts";

const pdu = (code: number, name: string, parameters: Codec<unknown>): PduDeclaration => ({ name, code, parameters });
const pairing = struct({
  ioCapability: u8,
  oobDataFlag: u8,
  authReq: u8,
  maximumEncryptionKeySize: u8,
  initiatorKeyDistribution: u8,
  responderKeyDistribution: u8,
});

/** Security Manager PDUs by their code, Vol 3 Part H 3.3. */
export const smpPdus = byCode([
  pdu(0x01, "SmpPairingRequest", pairing),
  pdu(0x02, "SmpPairingResponse", pairing),
  pdu(0x03, "SmpPairingConfirm", struct({ confirmValue: bytes(16) })),
  pdu(0x04, "SmpPairingRandom", struct({ randomValue: bytes(16) })),
  pdu(0x05, "SmpPairingFailed", struct({ pairingFailedReason: u8 })),
  pdu(0x06, "SmpEncryptionInformation", struct({ longTermKey: bytes(16) })),
  pdu(0x07, "SmpCentralIdentification", struct({ encryptedDiversifier: u16, randomNumber: bytes(8) })),
  pdu(0x08, "SmpIdentityInformation", struct({ identityResolvingKey: bytes(16) })),
  pdu(0x09, "SmpIdentityAddressInformation", struct({ identityAddress: typedAddress })),
  pdu(0x0a, "SmpSigningInformation", struct({ signatureKey: bytes(16) })),
  pdu(0x0b, "SmpSecurityRequest", struct({ authReq: u8 })),
  pdu(0x0c, "SmpPairingPublicKey", struct({ publicKeyX: bytes(32), publicKeyY: bytes(32) })),
  pdu(0x0d, "SmpPairingDhKeyCheck", struct({ dhKeyCheck: bytes(16) })),
  pdu(0x0e, "SmpKeypressNotification", struct({ notificationType: u8 })),
]);
