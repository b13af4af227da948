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
  /** Why nothing may be written any more: the session is over, or what the pump declared holds no longer. */
  readonly refusal: () => PumpError | undefined;
}

/**
 * The only place from which anything is written to a pump. It takes what the table made, asks the pump what is at the handles at that very
 * moment, and writes when the service and the characteristic are those that the table names. Asking once for a connection would be cheaper
 * and not as safe: a pump has no Service Changed, so that nothing tells when a handle has become another's.
 */
export class PumpWriter {
  readonly #options: PumpWriterOptions;

  constructor(options: PumpWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes a request of the table to its control point.
   *
   * @param place where the characteristic was declared on this connection
   * @throws {PumpError} ERR_PUMP_FORBIDDEN: not made by the table · ERR_PUMP_MOVED: another attribute is there now; nothing was written
   * @throws {AttError} the pump refuses · {AttTimeoutError} no answer · what `refusal` gives: nothing was written
   */
  async write(write: PumpWrite, place: PumpPlace, options: OperationOptions = {}): Promise<void> {
    if (!PumpWrite.isGenuine(write) || write.opcode === undefined) throw forbidden();
    await this.#checkService(write, place, place.value, options);
    await this.#checkCharacteristic(write, place, place.value, options);
    await this.#send(write, place.value, options);
  }

  /**
   * Writes a subscription of the table to the Client Characteristic Configuration, which the check finds. @returns whether there is one
   *
   * @throws as `write`
   */
  async subscribe(write: PumpWrite, place: PumpPlace, options: OperationOptions = {}): Promise<boolean> {
    if (!PumpWrite.isGenuine(write) || write.opcode !== undefined) throw forbidden();
    const { endHandle } = await this.#checkService(write, place, place.value, options);
    const last = Math.min(place.endHandle, endHandle);
    const types = await this.#checkCharacteristic(write, place, last, options, CLIENT_CHARACTERISTIC_CONFIGURATION);
    const configuration = handleOf(types, CLIENT_CHARACTERISTIC_CONFIGURATION);
    if (configuration === undefined) return false;
    await this.#send(write, configuration, options);
    return true;
  }

  async #send(write: PumpWrite, attributeHandle: number, options: OperationOptions): Promise<void> {
    const { att, connectionHandle, gate, refusal } = this.#options;
    // What came close behind the last answer has been handled by now: Service Changed, the end of the link.
    const refused = refusal();
    if (refused) throw refused;
    const parameters = { attributeHandle, attributeValue: write.take() };
    using _ = gate.permit(connectionHandle, encodeAttPdu(AttWriteReq, parameters), () => refusal() === undefined);
    // Not by way of the GATT client, which would write in parts what is long, and once more after a refusal for lack of security.
    await attRequest(att, [AttWriteReq, parameters], AttWriteRsp, (response) => response, options);
  }

  /** Asks for the service's declaration. */
  async #checkService(
    write: PumpWrite,
    place: PumpPlace,
    attributeHandle: number,
    options: OperationOptions,
  ): Promise<{ endHandle: number }> {
    const { service } = PERMITTED_WRITES[write.name];
    const found = await this.#serviceAt(place.service.handle, options);
    if (!found || found.uuid.text !== service.text || attributeHandle <= place.service.handle || attributeHandle > found.endHandle)
      throw moved(write);
    return found;
  }

  /**
   * Asks for the types of all attributes from the characteristic's declaration to `last`, or to the first of type `until` behind the value:
   * nothing else may begin among them.
   */
  async #checkCharacteristic(
    write: PumpWrite,
    place: PumpPlace,
    last: number,
    options: OperationOptions,
    until?: number,
  ): Promise<ReadonlyMap<number, Uuid>> {
    const { characteristic } = PERMITTED_WRITES[write.name];
    const types = await this.#typesOf(place.declaration, last, options, until);
    const isDeclaration = (uuid: Uuid | undefined): boolean => uuid?.short !== undefined && DECLARATIONS.has(uuid.short);
    if (types.get(place.declaration)?.short !== CHARACTERISTIC || types.get(place.value)?.text !== characteristic.text) throw moved(write);
    for (const [handle, uuid] of types) if (handle !== place.declaration && isDeclaration(uuid)) throw moved(write);
    return types;
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

  /** Types of the attributes of a range by handle, to the first of type `until`. */
  async #typesOf(first: number, last: number, options: OperationOptions, until: number | undefined): Promise<ReadonlyMap<number, Uuid>> {
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
      for (const { handle, uuid } of found) {
        if (handle < startingHandle || handle > last) continue;
        types.set(handle, uuid);
        if (uuid.short !== undefined && uuid.short === until) return types;
      }
      // A server that answers with handles before those asked for would be asked for ever.
      startingHandle = Math.max(startingHandle, found.at(-1)!.handle) + 1;
    }
    return types;
  }
}

function handleOf(types: ReadonlyMap<number, Uuid>, type: number): number | undefined {
  for (const [handle, uuid] of types) if (uuid.short === type) return handle;
  return undefined;
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

function forbidden(): PumpError {
  return new PumpError("ERR_PUMP_FORBIDDEN", "Only what the table of permitted writes made is written.");
}

function moved(write: PumpWrite): PumpError {
  return new PumpError("ERR_PUMP_MOVED", `Another attribute is where the pump had the one for ${write.text}: nothing was written.`);
}
