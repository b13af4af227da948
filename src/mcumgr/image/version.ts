/** As an image's header has it: two octets, a 16-bit and a 32-bit number. */
export interface ImageVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly build: number;
}

/** "1.2.3", and "1.2.3.4" where there is a build number, as servers write it. */
export function formatImageVersion({ major, minor, revision, build }: ImageVersion): string {
  return `${major}.${minor}.${revision}${build === 0 ? "" : `.${build}`}`;
}

/**
 * Reads what servers and tools write: "1.2", "1.2.3", "1.2.3.4", "1.2.3+4", "1.2.3-build4". Undefined for anything else ("<???>" is what a
 * server says that cannot read it), and where a number does not fit the header.
 */
export function parseImageVersion(text: string): ImageVersion | undefined {
  const parts = /^v?(\d{1,3})(?:\.(\d{1,3})(?:\.(\d{1,5})(?:(?:\.|\+|-build)(\d{1,10}))?)?)?$/.exec(text.trim());
  if (parts === null) return undefined;
  const [major = 0, minor = 0, revision = 0, build = 0] = parts.slice(1).map((digits) => Number(digits ?? 0));
  if (major > 0xff || minor > 0xff || revision > 0xffff || build > 0xffff_ffff) return undefined;
  return { major, minor, revision, build };
}

/** Negative where `a` is older, 0 for equal ones, positive where it is newer. */
export function compareImageVersions(a: ImageVersion, b: ImageVersion): number {
  return a.major - b.major || a.minor - b.minor || a.revision - b.revision || a.build - b.build;
}
