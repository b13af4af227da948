import { Address } from "../../core/address.ts";
import { commands, EventCode, eventKey, events } from "../../hci/index.ts";
import { anonymizeAdvertisingData } from "./advertising-data.ts";
import type { Pseudonyms } from "./pseudonyms.ts";
import { type TracedField, traceFields } from "./traced-fields.ts";

const ADVERTISING_DATA: ReadonlySet<string> = new Set(["data", "advertisingData", "scanResponseData"]);
/** Octets that say what a controller can do, or that are drawn anew each time. */
const HARMLESS: ReadonlySet<string> = new Set(["supportedCommands", "channelMap", "randomNumber", "keyXCoordinate", "keyYCoordinate"]);

/** A copy of a command in which the parameters of declared commands name nobody; of others none stay. */
export function anonymizeCommand(packet: Uint8Array, pseudonyms: Pseudonyms): Uint8Array {
  const copy = packet.slice();
  anonymizeParameters(commands.get((packet[1] ?? 0) | ((packet[2] ?? 0) << 8))?.parameters, copy, 4, pseudonyms);
  return copy;
}

/** As `anonymizeCommand`, for events. */
export function anonymizeEvent(packet: Uint8Array, pseudonyms: Pseudonyms): Uint8Array {
  const copy = packet.slice();
  const eventCode = packet[1] ?? 0;
  if (eventCode === EventCode.CommandComplete) {
    const isShort = packet.length <= 7; // a status alone
    if (!isShort) anonymizeParameters(commands.get(packet[4]! | (packet[5]! << 8))?.returns, copy, 6, pseudonyms, 1);
  } else if (eventCode === EventCode.LeMeta)
    anonymizeParameters(events.get(eventKey(eventCode, packet[3]))?.parameters, copy, 4, pseudonyms);
  else anonymizeParameters(events.get(eventCode)?.parameters, copy, 3, pseudonyms);
  return copy;
}

/** @param kept octets that stay where the declaration is missing or does not fit */
function anonymizeParameters(
  declaration: Parameters<typeof traceFields>[0] | undefined,
  packet: Uint8Array,
  offset: number,
  pseudonyms: Pseudonyms,
  kept = 0,
): void {
  const traced = declaration && traceFields(declaration, packet, offset);
  if (!traced) {
    packet.fill(0, offset + kept);
    return;
  }
  for (const field of traced.fields) anonymizeField(field, packet, pseudonyms);
  packet.fill(0, traced.end);
}

function anonymizeField({ path, value, start, end }: TracedField, packet: Uint8Array, pseudonyms: Pseudonyms): void {
  const name = path.at(-1)!;
  if (value instanceof Address)
    pseudonyms.overwrite(packet, end - 6); // a type may stand in front of it
  else if (!(value instanceof Uint8Array))
    return; // numbers
  else if (value.length === 6 && /address$/i.test(name)) pseudonyms.overwrite(packet, start);
  else if (ADVERTISING_DATA.has(name)) {
    const from = end - start > value.length ? start + 1 : start; // behind a length
    anonymizeAdvertisingData(packet, from, from + value.length, pseudonyms);
    packet.fill(0, from + value.length, end); // the padding may hold anything
  } else if (!HARMLESS.has(name)) packet.fill(0, start, end);
}
