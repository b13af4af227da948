/** What the peer's controller says of itself, Vol 4 Part E 7.7.12. */
export interface RemoteVersion {
  /** Assigned number of the Core Specification that it claims: 9 is 5.0, 13 is 5.4. */
  readonly version: number;
  /** "5.4"; `undefined` for a number that has no name yet. */
  readonly name: string | undefined;
  /** Who made it, Assigned Numbers 7.1. */
  readonly companyIdentifier: number;
  /** The maker's own number. */
  readonly subversion: number;
}

/** Assigned Numbers 2.1, from 0 on. */
const NAMES: readonly string[] = ["1.0b", "1.1", "1.2", "2.0", "2.1", "3.0", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2", "5.3", "5.4", "6.0"];

/** From the fields of HCI_Read_Remote_Version_Information_Complete. */
export function createRemoteVersion(at: { version: number; companyIdentifier: number; subversion: number }): RemoteVersion {
  const { version, companyIdentifier, subversion } = at;
  return Object.freeze({ version, name: NAMES[version], companyIdentifier, subversion });
}
