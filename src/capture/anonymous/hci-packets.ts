import { Address } from "../../core/address.ts";
import { commands, EventCode, eventKey, events } from "../../hci/index.ts";
import { OpenChains, pieceOfData } from "../advertising-chain.ts";
import { anonymizeAdvertisingData, areStructures, LOST, type OpenStructure } from "./advertising-data.ts";
import type { Pseudonyms } from "./pseudonyms.ts";
import { type TracedField, traceFields } from "./traced-fields.ts";

const ADVERTISING_DATA: ReadonlySet<string> = new Set(["data", "advertisingData", "scanResponseData", "subeventData", "responseData"]);
/** Octets that say what a controller can do, or that are drawn anew each time. */
const HARMLESS: ReadonlySet<string> = new Set(["supportedCommands", "channelMap", "randomNumber", "keyXCoordinate", "keyYCoordinate"]);

type Declaration = Parameters<typeof traceFields>[0] & object;

/** Takes what names somebody out of the commands and events of one controller; of those that are not declared no parameter stays. */
export class HciAnonymizer {
  readonly #pseudonyms: Pseudonyms;
  readonly #chains = new OpenChains<OpenStructure>();

  constructor(pseudonyms: Pseudonyms) {
    this.#pseudonyms = pseudonyms;
  }

  /** A copy of a command in which the parameters of declared commands name nobody; of others none stay. */
  command(packet: Uint8Array): Uint8Array {
    const copy = packet.slice();
    const declaration = commands.get((packet[1] ?? 0) | ((packet[2] ?? 0) << 8));
    this.#parameters(declaration?.name, declaration?.parameters, copy, 4);
    return copy;
  }

  /** As `command`, for events. */
  event(packet: Uint8Array): Uint8Array {
    const copy = packet.slice();
    const eventCode = packet[1] ?? 0;
    if (eventCode === EventCode.CommandComplete) {
      const isShort = packet.length <= 7; // a status alone
      const declaration = isShort ? undefined : commands.get(packet[4]! | (packet[5]! << 8));
      if (!isShort) this.#parameters(declaration?.name, declaration?.returns, copy, 6, 1);
      return copy;
    }
    const isLeMeta = eventCode === EventCode.LeMeta;
    const declaration = events.get(isLeMeta ? eventKey(eventCode, packet[3]) : eventCode);
    this.#parameters(declaration?.name, declaration?.parameters, copy, isLeMeta ? 4 : 3);
    return copy;
  }

  /** @param kept octets that stay where the declaration is missing or does not fit */
  #parameters(name: string | undefined, declaration: Declaration | undefined, packet: Uint8Array, offset: number, kept = 0): void {
    const traced = declaration && traceFields(declaration, packet, offset);
    if (!traced) {
      packet.fill(0, offset + kept);
      this.#chains.replaceAll(LOST);
      return;
    }
    /** The fields so far, those of the report that is read among them. */
    const before: Record<string, unknown> = {};
    for (const field of traced.fields) {
      this.#field(name!, field, packet, before);
      before[field.path.at(-1)!] = field.value;
    }
    packet.fill(0, traced.end);
  }

  #field(
    packetName: string,
    { path, value, start, end }: TracedField,
    packet: Uint8Array,
    before: Readonly<Record<string, unknown>>,
  ): void {
    const name = path.at(-1)!;
    if (value instanceof Address)
      this.#pseudonyms.overwrite(packet, end - 6); // a type may stand in front of it
    else if (!(value instanceof Uint8Array))
      return; // numbers
    else if (value.length === 6 && /address$/i.test(name)) this.#pseudonyms.overwrite(packet, start);
    else if (ADVERTISING_DATA.has(name)) {
      const from = end - start > value.length ? start + 1 : start; // behind a length
      this.#advertisingData(packetName, packet, from, from + value.length, before);
      packet.fill(0, from + value.length, end); // the padding may hold anything
    } else if (!HARMLESS.has(name)) packet.fill(0, start, end);
  }

  #advertisingData(packetName: string, packet: Uint8Array, start: number, end: number, before: Readonly<Record<string, unknown>>): void {
    const piece = pieceOfData(packetName, (field) => before[field]);
    if (!piece) {
      anonymizeAdvertisingData(packet, start, end, this.#pseudonyms);
      return;
    }
    const { begins, ends } = piece;
    const open = this.#chains.take(piece);
    const isUnknown = open === undefined && begins !== true;
    // Without its beginning nobody knows what this is: what says that it goes on goes whole, and so does what does not look like a beginning.
    if (isUnknown && (begins === false || (ends && !areStructures(packet, start, end)))) {
      packet.fill(0, start, end);
      return;
    }
    const from = begins === true ? undefined : open;
    const state = anonymizeAdvertisingData(packet, start, end, this.#pseudonyms, { from, continues: !ends });
    if (!ends) this.#chains.keep(piece, state);
  }
}
