import type { Uuid } from "../../../core/index.ts";
import { AdFlag, type AdStructure, AdvertisingData, encodeAdStructures } from "../../../gap/index.ts";
import { AddressType, AdType, AdvertisingFlags, hasBit } from "../../../mgmt-protocol/index.ts";
import type { Controller, Instance } from "../controller.ts";
import { appearanceStructure, nameStructure } from "../structures.ts";

/** What advertises on LE, or answers an inquiry: a device in range, or an advertising instance of another controller. */
export interface Source {
  /** Tells it from every other source. */
  readonly key: string;
  readonly address: string;
  readonly addressType: number;
  readonly rssi: number;
  readonly data: AdvertisingData;
  readonly services: readonly Uuid[];
  readonly isConnectable: boolean;
  /** Between two reports; undefined where a listener filters all but the first. */
  readonly intervalMs: number | undefined;
}

/** Instance number of the controller's own advertising, Set Advertising. */
const OWN = 0;

const has = (flags: number, name: keyof typeof AdvertisingFlags): boolean => hasBit(AdvertisingFlags, flags, name);

/** The address under which a controller advertises and connects. */
export function addressOnAir(controller: Controller): { address: string; addressType: number } {
  if (controller.has("Privacy")) return { address: controller.privateAddress, addressType: AddressType.LERandom };
  return controller.leIdentity;
}

/** What a controller advertises now. */
export function sourcesOf(controller: Controller): Source[] {
  if (!controller.isPowered || !controller.has("LowEnergy") || controller.isTaken || controller.isSuspended) return [];
  const sources = [...controller.instances.values()]
    .filter(({ isComplete }) => isComplete)
    .map((instance) => sourceOf(controller, instance));
  if (controller.has("Advertising")) sources.push(sourceOf(controller, { instance: OWN, flags: 0, advData: NOTHING, scanRsp: NOTHING }));
  return sources;
}

const NOTHING = new Uint8Array(0);

function sourceOf(controller: Controller, instance: Pick<Instance, "instance" | "flags" | "advData" | "scanRsp">): Source {
  const { flags, advData, scanRsp } = instance;
  const data = new AdvertisingData(Uint8Array.from([...managedData(controller, flags), ...advData, ...scanRsp]));
  const { address, addressType } = addressOnAir(controller);
  return {
    key: `${controller.index} ${instance.instance} ${address}`,
    address,
    addressType,
    rssi: -40,
    data,
    services: data.serviceUuids,
    isConnectable: has(flags, "Connectable") || controller.has("Connectable"),
    intervalMs: undefined,
  };
}

/** The fields that the kernel adds where the flags ask for them. */
function managedData(controller: Controller, flags: number): Uint8Array {
  const structures: AdStructure[] = [];
  const isLimited = has(flags, "LimitedDiscoverable");
  const isGeneral = has(flags, "Discoverable") || (has(flags, "ManagedFlags") && controller.has("Discoverable"));
  if (isLimited || isGeneral || has(flags, "ManagedFlags")) {
    const discoverable = isLimited ? AdFlag.LeLimitedDiscoverable : isGeneral ? AdFlag.LeGeneralDiscoverable : 0;
    const value = discoverable | (controller.has("BREDR") ? 0 : AdFlag.BrEdrNotSupported);
    structures.push({ type: AdType.Flags, data: Uint8Array.of(value) });
  }
  if (has(flags, "TxPower")) structures.push({ type: AdType.TxPowerLevel, data: Uint8Array.of(0) });
  if (has(flags, "Appearance")) structures.push(appearanceStructure(controller));
  if (has(flags, "LocalName")) structures.push(nameStructure(controller));
  return encodeAdStructures(structures, 0xffff);
}
