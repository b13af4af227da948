/** Error codes of ATT_ERROR_RSP, Vol 3 Part F 3.4.1.1, and the common ones of profiles (Core Specification Supplement Part B). */
export const AttErrorCode = Object.freeze({
  InvalidHandle: 0x01,
  ReadNotPermitted: 0x02,
  WriteNotPermitted: 0x03,
  InvalidPdu: 0x04,
  InsufficientAuthentication: 0x05,
  RequestNotSupported: 0x06,
  InvalidOffset: 0x07,
  InsufficientAuthorization: 0x08,
  PrepareQueueFull: 0x09,
  AttributeNotFound: 0x0a,
  AttributeNotLong: 0x0b,
  EncryptionKeySizeTooShort: 0x0c,
  InvalidAttributeValueLength: 0x0d,
  UnlikelyError: 0x0e,
  InsufficientEncryption: 0x0f,
  UnsupportedGroupType: 0x10,
  InsufficientResources: 0x11,
  DatabaseOutOfSync: 0x12,
  ValueNotAllowed: 0x13,
  WriteRequestRejected: 0xfc,
  CccdImproperlyConfigured: 0xfd,
  ProcedureAlreadyInProgress: 0xfe,
  OutOfRange: 0xff,
});
export type AttErrorCode = (typeof AttErrorCode)[keyof typeof AttErrorCode];

const names = new Map<number, string>(
  Object.entries(AttErrorCode).map(([name, code]) => [code, name.replace(/Pdu/, "PDU").replace(/([a-z])([A-Z])/g, "$1 $2")]),
);

/** "Insufficient Authentication", "application error" for 0x80 to 0x9F, `undefined` for a reserved code. */
export function attErrorName(code: number): string | undefined {
  return names.get(code) ?? (code >= 0x80 && code <= 0x9f ? "application error" : undefined);
}
