import type { AdStructure } from "../../gap/index.ts";
import { AdType } from "../../mgmt-protocol/index.ts";
import type { Controller } from "./controller.ts";

/*
 * What the kernel itself writes into advertising data and EIR.
 */

export function classStructure({ classOfDevice: cod }: Controller): AdStructure {
  return { type: AdType.ClassOfDevice, data: Uint8Array.of(cod & 0xff, (cod >> 8) & 0xff, cod >> 16) };
}

export function appearanceStructure({ appearance }: Controller): AdStructure {
  return { type: AdType.Appearance, data: Uint8Array.of(appearance & 0xff, appearance >> 8) };
}

/** The longest name that advertising data hold; a longer one is shortened. */
const NAME_OCTETS = 10;

export function nameStructure({ name, shortName }: Controller): AdStructure {
  const whole = new TextEncoder().encode(name);
  if (whole.length <= NAME_OCTETS) return { type: AdType.CompleteLocalName, data: whole };
  const short = shortName === "" ? whole.subarray(0, NAME_OCTETS) : new TextEncoder().encode(shortName);
  return { type: AdType.ShortenedLocalName, data: short };
}
