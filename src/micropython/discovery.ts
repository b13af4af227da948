import { AttError, AttErrorCode, AttOpcode, AttProtocolError } from "../att/index.ts";
import { Uuid } from "../core/uuid.ts";
import type { Discovery } from "../gatt/client/discovery.ts";
import { GattUuid } from "../gatt/index.ts";
import { UUID } from "./uuid.ts";

interface Service {
  readonly startHandle: number;
  readonly endHandle: number;
  readonly uuid: UUID;
}
interface Characteristic {
  readonly endHandle: number;
  readonly valueHandle: number;
  readonly properties: number;
  readonly uuid: UUID;
}
interface Descriptor {
  readonly descHandle: number;
  readonly uuid: UUID;
}

const CHARACTERISTIC = Uuid.from(GattUuid.Characteristic);
/** Octets of a characteristic declaration before its UUID, Vol 3 Part G 3.3.1. */
const DECLARATION_OCTETS = 3;

/** As attributes carry it. */
const toUUID = ({ attBytes }: Uuid): UUID => UUID.fromLittleEndian(attBytes);

/** The primary services, or those of one type (Vol 3 Part G 4.4.1 and 4.4.2), which are told under the type as it was asked for. */
export async function discoverServices(discovery: Discovery, type: UUID | undefined, onFound: (service: Service) => void): Promise<void> {
  if (!type) {
    await discovery.allPrimaryServices({}, ({ handle, endHandle, uuid }) =>
      onFound({ startHandle: handle, endHandle, uuid: toUUID(uuid) }),
    );
    return;
  }
  const wanted = type.toUuid();
  let isFound = false;
  const tell = ({ handle, endHandle }: { handle: number; endHandle: number }): void => {
    isFound = true;
    onFound({ startHandle: handle, endHandle, uuid: type });
  };
  try {
    // A type of 16 bits that the program has in 128 may be declared in either form.
    const forms = type.size === 2 || wanted.short === undefined ? [wanted.attBytes] : [wanted.bytes128, wanted.attBytes];
    for (const octets of forms) if (!isFound) await discovery.primaryServicesByUuid(wanted, {}, octets, tell);
  } catch (error) {
    if (!(error instanceof AttError) || error.errorCode !== AttErrorCode.RequestNotSupported) throw error;
    await discovery.allPrimaryServices({}, (service) => {
      if (service.uuid.equals(wanted)) tell(service);
    });
  }
}

/** All declarations between two handles are read, since each says where the one before it ends; those of another type are not told. */
export async function discoverCharacteristics(
  discovery: Discovery,
  { start, end, type }: { readonly start: number; readonly end: number; readonly type: UUID | undefined },
  onFound: (characteristic: Characteristic) => void,
): Promise<void> {
  let last: Omit<Characteristic, "endHandle"> | undefined;
  const tell = (endHandle: number): void => {
    if (!last) return;
    if (!type) onFound({ ...last, endHandle });
    else if (type.matches(last.uuid)) onFound({ ...last, uuid: type, endHandle });
  };
  await discovery.valuesByType({ handle: start, endHandle: end }, CHARACTERISTIC, {}, undefined, ({ handle, value }) => {
    tell(handle - 1);
    last = parseDeclaration(handle, value);
  });
  tell(end);
}

function parseDeclaration(handle: number, value: Uint8Array): Omit<Characteristic, "endHandle"> {
  const uuid = value.subarray(DECLARATION_OCTETS);
  const valueHandle = value[1]! | (value[2]! << 8);
  if ((uuid.length !== 2 && uuid.length !== 16) || valueHandle <= handle)
    throw new AttProtocolError(AttOpcode.ReadByTypeReq, `characteristic declaration ${handle} of ${value.length} octets is none`);
  return { valueHandle, properties: value[0]!, uuid: UUID.fromLittleEndian(uuid) };
}

/** What is behind `start`, up to `end` (Vol 3 Part G 4.7.1). */
export async function discoverDescriptors(
  discovery: Discovery,
  { start, end }: { readonly start: number; readonly end: number },
  onFound: (descriptor: Descriptor) => void,
): Promise<void> {
  await discovery.descriptors({ handle: start + 1, endHandle: end }, {}, ({ handle, uuid }) =>
    onFound({ descHandle: handle, uuid: toUUID(uuid) }),
  );
}
