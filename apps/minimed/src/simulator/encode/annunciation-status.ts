import { Writer } from "jelling/bytes";

const VENDOR = 0xf000;

/** What the pump shows; `code` is its own, in decimal what its manual says. */
export interface AnnunciationWords {
  readonly instanceId: number;
  readonly code: number;
  readonly state: number;
  readonly auxiliary: readonly number[];
}

/** IDD Annunciation Status in the layout of the SIG; one octet where the pump shows none. */
export function encodeAnnunciationStatus(annunciation: AnnunciationWords | undefined): Uint8Array {
  if (!annunciation) return Uint8Array.of(0);
  const { instanceId, code, state, auxiliary } = annunciation;
  const writer = new Writer(16);
  writer.u8(1 | (((1 << auxiliary.length) - 1) << 1));
  writer.u16(instanceId);
  writer.u16(VENDOR | code);
  writer.u8(state);
  for (const word of auxiliary) writer.u16(word);
  return writer.finish();
}
