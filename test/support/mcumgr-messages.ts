import type { McumgrLink } from "../../src/mcumgr/links/link.ts";

/** A message with an honest header, whose payload is so many equal octets. */
export function message(value: number, length = 20): Uint8Array {
  const octets = new Uint8Array(length).fill(value);
  octets[0] = 2;
  new DataView(octets.buffer).setUint16(2, length - 8);
  return octets;
}

/** Answers each message with itself. */
export function answerEach(link: McumgrLink): void {
  link.onMessage = (octets) => void link.send(octets).catch(() => undefined);
}

/** What comes first after a message. */
export async function answerTo(link: McumgrLink, octets: Uint8Array): Promise<Uint8Array> {
  const answer = new Promise<Uint8Array>((resolve) => {
    link.onMessage = resolve;
  });
  await link.send(octets);
  return await answer;
}
