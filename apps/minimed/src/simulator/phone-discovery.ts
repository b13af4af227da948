import type { OperationOptions } from "jelling/async";
import { type Clock, delay } from "jelling/async";
import {
  type AttBearer,
  AttError,
  AttErrorCode,
  AttFindByTypeValueReq,
  AttFindByTypeValueRsp,
  AttFindInformationReq,
  AttFindInformationRsp,
  AttReadByTypeReq,
  AttReadByTypeRsp,
  AttReadReq,
  AttReadRsp,
} from "jelling/att";
import { Uuid } from "jelling/core";
import { attRequest } from "../att-request.ts";
import { PumpError } from "../error.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import { SMALLEST_MTU } from "./simulated-pump-options.ts";

const LAST_HANDLE = 0xffff;
const PRIMARY_SERVICE = 0x2800;
const CHARACTERISTIC = Uuid.from(0x2803);
const CLIENT_CHARACTERISTIC_CONFIGURATION = Uuid.from(0x2902);
/** A pump takes its time: so long between discovering and its MTU request, and before it reads. */
const PAUSE_BEFORE_MTU_MS = 300;
const PAUSE_BEFORE_READING_MS = 9000;

/** The services a pump looks for, in its order. */
const servicesOf = (information: Uuid): Uuid[] => [ServiceUuid.Sake, information, ServiceUuid.GenericAccess, ServiceUuid.GenericAttribute];
/** What it reads, in its order. */
const VALUES = [
  CharacteristicUuid.SystemId,
  CharacteristicUuid.DeviceName,
  CharacteristicUuid.Appearance,
  CharacteristicUuid.ManufacturerName,
  CharacteristicUuid.ModelNumber,
  CharacteristicUuid.SerialNumber,
  CharacteristicUuid.HardwareRevision,
  CharacteristicUuid.FirmwareRevision,
  CharacteristicUuid.SoftwareRevision,
  CharacteristicUuid.PnpId,
  CharacteristicUuid.RegulatoryData,
];

interface HandleRange {
  readonly start: number;
  readonly end: number;
}

/** Handles that a pump keeps of its phone. */
export interface PhoneHandles {
  readonly sakeValue: number;
  readonly sakeCccd: number;
}

export interface PhoneDiscovery extends PhoneHandles {
  /** Octets of what the phone says of itself, by UUID text. */
  readonly values: ReadonlyMap<string, Uint8Array>;
}

export interface PhoneDiscoveryOptions {
  readonly clock: Clock;
  readonly mtu: number;
  /** The information service that it must have: an uploader has another than a phone. */
  readonly information: Uuid;
  readonly onStage: (text: string) => void;
}

/** Repeats a request over a range of handles until the phone has no more. */
async function sweep(range: HandleRange, ask: (range: HandleRange) => Promise<number>): Promise<void> {
  for (let start = range.start; start <= range.end; ) {
    try {
      start = (await ask({ start, end: range.end })) + 1;
    } catch (error) {
      if (error instanceof AttError && error.errorCode === AttErrorCode.AttributeNotFound) return;
      throw error;
    }
  }
}

/**
 * A pump's discovery of a phone, request by request: services by their UUIDs, every handle, characteristics, configurations, its own MTU
 * request, then what the phone tells about itself.
 *
 * @param onStage told what begins
 * @throws {PumpError} ERR_PUMP_SERVICE_MISSING: no phone for a pump
 */
export async function discoverPhone(
  att: AttBearer,
  { clock, mtu, onStage, information, ...options }: OperationOptions & PhoneDiscoveryOptions,
): Promise<PhoneDiscovery> {
  const all: HandleRange = { start: 1, end: LAST_HANDLE };
  const services = new Map<string, HandleRange>();
  onStage("looks for services");
  for (const uuid of servicesOf(information))
    await sweep(all, ({ start, end }) =>
      attRequest(
        att,
        [
          AttFindByTypeValueReq,
          { startingHandle: start, endingHandle: end, attributeType: PRIMARY_SERVICE, attributeValue: uuid.attBytes },
        ],
        AttFindByTypeValueRsp,
        ({ handlesInformationList }) => {
          for (const found of handlesInformationList)
            services.set(uuid.text, { start: found.foundAttributeHandle, end: found.groupEndHandle });
          return handlesInformationList.at(-1)!.groupEndHandle;
        },
        options,
      ),
    );
  const sakeService = services.get(ServiceUuid.Sake.text);
  if (!sakeService || !services.has(information.text))
    throw new PumpError("ERR_PUMP_SERVICE_MISSING", `The phone lacks the SAKE service or the information service ${information.text}.`);

  onStage("looks at every handle");
  await sweep(all, ({ start, end }) =>
    attRequest(
      att,
      [AttFindInformationReq, { startingHandle: start, endingHandle: end }],
      AttFindInformationRsp,
      ({ informationData }) => informationData.at(-1)!.handle,
      options,
    ),
  );

  onStage("looks for characteristics");
  const values = new Map<string, number>();
  const byType = (range: HandleRange, type: Uuid, use: (handle: number, value: Uint8Array) => void): Promise<void> =>
    sweep(range, ({ start, end }) =>
      attRequest(
        att,
        [AttReadByTypeReq, { startingHandle: start, endingHandle: end, attributeType: type }],
        AttReadByTypeRsp,
        ({ attributeDataList }) => {
          for (const { attributeHandle, attributeValue } of attributeDataList) use(attributeHandle, attributeValue);
          return attributeDataList.at(-1)!.attributeHandle;
        },
        options,
      ),
    );
  for (const range of services.values())
    await byType(range, CHARACTERISTIC, (_handle, value) => {
      values.set(Uuid.fromBytes(value.subarray(3)).text, value[1]! | (value[2]! << 8));
    });
  const configurations: number[] = [];
  await byType(all, CLIENT_CHARACTERISTIC_CONFIGURATION, (handle) => configurations.push(handle));
  const sakeValue = values.get(CharacteristicUuid.SakePort.text);
  const sakeCccd = configurations.find((handle) => sakeValue !== undefined && handle > sakeValue && handle <= sakeService.end);
  if (sakeValue === undefined || sakeCccd === undefined)
    throw new PumpError("ERR_PUMP_SERVICE_MISSING", "The phone lacks the SAKE characteristic on the vendor's base.");

  await delay(clock, PAUSE_BEFORE_MTU_MS, options);
  if (mtu > SMALLEST_MTU) {
    onStage(`asks for an MTU of ${mtu}`);
    await att.exchangeMtu(options);
  }

  await delay(clock, PAUSE_BEFORE_READING_MS, options);
  onStage("reads what the phone says of itself");
  const read = new Map<string, Uint8Array>();
  for (const uuid of VALUES) {
    const attributeHandle = values.get(uuid.text);
    if (attributeHandle !== undefined)
      read.set(
        uuid.text,
        await attRequest(att, [AttReadReq, { attributeHandle }], AttReadRsp, ({ attributeValue }) => attributeValue, options),
      );
  }
  return { sakeValue, sakeCccd, values: read };
}
