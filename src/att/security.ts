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

/** What a link must have: before an attribute may be accessed (Vol 3 Part F 3.2.5), or before a client believes the peer. */
export interface SecurityRequirement {
  readonly encrypted?: boolean | undefined;
  /** The key came from a pairing with protection against man in the middle. */
  readonly authenticated?: boolean | undefined;
  readonly secureConnections?: boolean | undefined;
  /** Smallest key size in octets, 7 to 16. */
  readonly minKeySize?: number | undefined;
}

/** Any part of a requirement but encryption itself asks for encryption too. */
export function meets({ encrypted, authenticated, secureConnections, keySize }: LinkSecurity, requirement: SecurityRequirement): boolean {
  const { minKeySize } = requirement;
  if ((requirement.encrypted || requirement.authenticated || requirement.secureConnections || minKeySize !== undefined) && !encrypted)
    return false;
  if ((requirement.authenticated && !authenticated) || (requirement.secureConnections && !secureConnections)) return false;
  return minKeySize === undefined || keySize >= minKeySize;
}
