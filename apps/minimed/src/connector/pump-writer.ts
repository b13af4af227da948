import type { OperationOptions } from "jelling/async";
import {
  type AttBearer,
  AttError,
  AttErrorCode,
  AttFindInformationReq,
  AttFindInformationRsp,
  AttReadByGroupTypeReq,
  AttReadByGroupTypeRsp,
  AttWriteReq,
  AttWriteRsp,
  encodeAttPdu,
} from "jelling/att";
import { Uuid } from "jelling/core";
import { attRequest } from "../att-request.ts";
import { PumpError } from "../error.ts";
import type { PumpPlace } from "./pump-handles.ts";
import { PERMITTED_WRITES, PumpWrite } from "./requests.ts";
import type { WriteGate } from "./write-gate.ts";

const PRIMARY_SERVICE = 0x2800;
const CHARACTERISTIC = 0x2803;
/** Of services, primary and secondary, of inclusions and of characteristics: where one stands, something else begins. */
const DECLARATIONS: ReadonlySet<number> = new Set([PRIMARY_SERVICE, 0x2801, 0x2802, CHARACTERISTIC]);
const CLIENT_CHARACTERISTIC_CONFIGURATION = 0x2902;

export interface PumpWriterOptions {
  readonly att: AttBearer;
  readonly connectionHandle: number;
  readonly gate: WriteGate;
}

/**
 * The only place from which anything is written to a pump. It takes what the table made, asks the pump what is at the handles at that very
 * moment, and writes when the service and the characteristic are those that the table names.
 */
export class PumpWriter {
  readonly #options: PumpWriterOptions;

  constructor(options: PumpWriterOptions) {
    this.#options = options;
  }

  /**
   * @param place where the characteristic was declared on this connection
   * @throws {PumpError} ERR_PUMP_FORBIDDEN: not made by the table · ERR_PUMP_MOVED: another attribute is there now; nothing was written
   * @throws {AttError} the pump refuses · {AttTimeoutError} no answer
   */
  async write(write: PumpWrite, place: PumpPlace, options: OperationOptions = {}): Promise<void> {
    if (!PumpWrite.isGenuine(write)) throw new PumpError("ERR_PUMP_FORBIDDEN", "Only what the table of permitted writes made is written.");
    const attributeHandle = write.opcode === undefined ? place.configuration : place.value;
    if (attributeHandle === undefined) throw new PumpError("ERR_PUMP_SERVICE_MISSING", `The pump has no place for ${write.text}.`);
    await this.#check(write, place, attributeHandle, options);
    const { att, connectionHandle, gate } = this.#options;
    const parameters = { attributeHandle, attributeValue: write.take() };
    using _ = gate.permit(connectionHandle, encodeAttPdu(AttWriteReq, parameters));
    // Not by way of the GATT client, which would write in parts what is long, and once more after a refusal for lack of security.
    await attRequest(att, [AttWriteReq, parameters], AttWriteRsp, (response) => response, options);
  }

  /** Asks for the service's declaration, and for the types of all attributes from the characteristic's declaration to the one to be written. */
  async #check(write: PumpWrite, place: PumpPlace, attributeHandle: number, options: OperationOptions): Promise<void> {
    const { service, characteristic } = PERMITTED_WRITES[write.name];
    const found = await this.#serviceAt(place.service.handle, options);
    if (!found || found.uuid.text !== service.text || attributeHandle <= place.service.handle || attributeHandle > found.endHandle)
      throw moved(write);
    const types = await this.#typesOf(place.declaration, attributeHandle, options);
    const isDeclaration = (uuid: Uuid | undefined): boolean => uuid?.short !== undefined && DECLARATIONS.has(uuid.short);
    if (types.get(place.declaration)?.short !== CHARACTERISTIC || types.get(place.value)?.text !== characteristic.text) throw moved(write);
    if (attributeHandle === place.configuration && types.get(attributeHandle)?.short !== CLIENT_CHARACTERISTIC_CONFIGURATION)
      throw moved(write);
    for (const [handle, uuid] of types) if (handle !== place.declaration && isDeclaration(uuid)) throw moved(write);
  }

  /** The primary service that begins at `handle`; `undefined` where none does. */
  async #serviceAt(handle: number, options: OperationOptions): Promise<{ uuid: Uuid; endHandle: number } | undefined> {
    return await orNothing(
      attRequest(
        this.#options.att,
        [AttReadByGroupTypeReq, { startingHandle: handle, endingHandle: handle, attributeGroupType: Uuid.from(PRIMARY_SERVICE) }],
        AttReadByGroupTypeRsp,
        ({ attributeDataList: [group] }) =>
          group && group.attributeHandle === handle
            ? { uuid: Uuid.fromBytes(group.attributeValue), endHandle: group.endGroupHandle }
            : undefined,
        options,
      ),
    );
  }

  /** Types of the attributes of a range, by handle. */
  async #typesOf(first: number, last: number, options: OperationOptions): Promise<ReadonlyMap<number, Uuid>> {
    const types = new Map<number, Uuid>();
    for (let startingHandle = first; startingHandle <= last; ) {
      const found = await orNothing(
        attRequest(
          this.#options.att,
          [AttFindInformationReq, { startingHandle, endingHandle: last }],
          AttFindInformationRsp,
          ({ informationData }) => informationData,
          options,
        ),
      );
      if (!found) break;
      for (const { handle, uuid } of found) if (handle >= startingHandle && handle <= last) types.set(handle, uuid);
      // A server that answers with handles before those asked for would be asked for ever.
      startingHandle = Math.max(startingHandle, found.at(-1)!.handle) + 1;
    }
    return types;
  }
}

/** What is not found is not there; every other refusal stands. */
async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AttError && error.errorCode === AttErrorCode.AttributeNotFound) return undefined;
    throw error;
  }
}

function moved(write: PumpWrite): PumpError {
  return new PumpError("ERR_PUMP_MOVED", `Another attribute is where the pump had the one for ${write.text}: nothing was written.`);
}
