/** Security of the link an ATT bearer runs on, as attribute permissions see it (Vol 3 Part C 10.2). */
export interface LinkSecurity {
  readonly encrypted: boolean;
  /** The key came from a pairing with protection against man in the middle. */
  readonly authenticated: boolean;
  readonly secureConnections: boolean;
  readonly keySize: number; // 0 while not encrypted
  readonly bonded: boolean;
}

export const NO_SECURITY: LinkSecurity = Object.freeze({
  encrypted: false,
  authenticated: false,
  secureConnections: false,
  keySize: 0,
  bonded: false,
});
