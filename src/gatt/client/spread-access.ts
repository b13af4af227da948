import type { Uuid } from "../../core/uuid.ts";
import type { Discovery, HandleRange } from "./discovery.ts";
import type { Lanes } from "./lanes.ts";
import type { GattOperationOptions, InternalOptions } from "./options.ts";
import type { Sign } from "./sign.ts";
import type { ReliableWrite } from "./values.ts";

/** Opcode and handle in front of a value. */
const HEADER = 3;

const size = (value: unknown): number => (value instanceof Uint8Array ? value.length : 0);

/** Values by handle, over the bearers that a client has. */
export class SpreadValues {
  readonly #lanes: Lanes;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  read(handle: number, options: GattOperationOptions): Promise<Uint8Array> {
    return this.#lanes.run({ handles: [handle], repeats: true }, ({ values }) => values.read(handle, options));
  }

  readLong(handle: number, offset: number, options: GattOperationOptions): Promise<Uint8Array> {
    return this.#lanes.run({ handles: [handle], repeats: true }, ({ values }) => values.readLong(handle, offset, options));
  }

  readMultiple(handles: readonly number[], options: GattOperationOptions): Promise<Uint8Array> {
    return this.#lanes.run(readOf(handles), ({ values }) => values.readMultiple(handles, options));
  }

  readMultipleVariable(handles: readonly number[], options: GattOperationOptions): Promise<Uint8Array[]> {
    return this.#lanes.run(readOf(handles), ({ values }) => values.readMultipleVariable(handles, options));
  }

  write(handle: number, value: Uint8Array, options: InternalOptions): Promise<void> {
    const work = { handles: [handle], length: HEADER + size(value), repeats: false };
    return this.#lanes.run(work, ({ values }) => values.write(handle, value, options));
  }

  writeWithoutResponse(handle: number, value: Uint8Array, options: GattOperationOptions): Promise<void> {
    return this.#lanes.forCommand(handle, HEADER + size(value)).values.writeWithoutResponse(handle, value, options);
  }

  /** Signed on the unenhanced bearer; enhanced ones are on an encrypted link, where nothing is signed. */
  writeSigned(handle: number, value: Uint8Array, sign: Sign | undefined, options: GattOperationOptions): Promise<void> {
    return this.#lanes.first.values.writeSigned(handle, value, sign, options);
  }

  tryWriteWithoutResponse(handle: number, value: Uint8Array, options: Pick<GattOperationOptions, "security">): boolean {
    return this.#lanes.forCommand(handle, HEADER + size(value)).values.tryWriteWithoutResponse(handle, value, options);
  }

  writeLong(handle: number, value: Uint8Array, offset: number, options: GattOperationOptions): Promise<void> {
    return this.#lanes.run({ handles: [handle], repeats: false }, ({ values }) => values.writeLong(handle, value, offset, options));
  }

  reliableWrite(writes: readonly ReliableWrite[], options: GattOperationOptions): Promise<void> {
    const handles = Array.isArray(writes) ? (writes as readonly (ReliableWrite | undefined)[]).map((write) => write?.handle ?? 0) : [];
    return this.#lanes.run({ handles, repeats: false }, ({ values }) => values.reliableWrite(writes, options));
  }
}

function readOf(handles: readonly number[]): { handles: readonly number[]; repeats: true } {
  return { handles: Array.isArray(handles) ? handles : [], repeats: true };
}

/** Discovery, over the bearers that a client has: each procedure on one of them. */
export class SpreadDiscovery {
  readonly #lanes: Lanes;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  #run<T>(act: (discovery: Discovery) => Promise<T>): Promise<T> {
    return this.#lanes.run({ handles: [], repeats: true }, ({ discovery }) => act(discovery));
  }

  allPrimaryServices(options: GattOperationOptions) {
    return this.#run((discovery) => discovery.allPrimaryServices(options));
  }

  servicesIn(range: HandleRange, type: Parameters<Discovery["servicesIn"]>[1], options: GattOperationOptions) {
    return this.#run((discovery) => discovery.servicesIn(range, type, options));
  }

  primaryServicesByUuid(uuid: Uuid, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.primaryServicesByUuid(uuid, options));
  }

  includedServices(range: HandleRange, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.includedServices(range, options));
  }

  characteristics(range: HandleRange, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.characteristics(range, options));
  }

  descriptors(range: HandleRange, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.descriptors(range, options));
  }

  valuesByType(range: HandleRange, type: Uuid, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.valuesByType(range, type, options));
  }

  firstValueByType(type: Uuid, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.firstValueByType(type, options));
  }

  valuesByAnyForm(range: HandleRange, type: Uuid, options: GattOperationOptions) {
    return this.#run((discovery) => discovery.valuesByAnyForm(range, type, options));
  }
}
