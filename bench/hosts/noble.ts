import { EventEmitter, once } from "node:events";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { ControllerEnd, Host, OpenController } from "./host.ts";
import { type Application, CHARACTERISTIC, SERVICE, seen, VALUE } from "./workloads.ts";

/** What is used of its types, which are not there unless it is installed. */
interface NobleCharacteristic extends EventEmitter {
  subscribeAsync(): Promise<void>;
  writeAsync(data: Buffer, withoutResponse: boolean): Promise<void>;
}
interface NoblePeripheral {
  readonly address: string;
  readonly advertisement: { readonly manufacturerData?: Buffer; readonly localName?: string };
  connectAsync(): Promise<void>;
  discoverSomeServicesAndCharacteristicsAsync(s: string[], c: string[]): Promise<{ characteristics: NobleCharacteristic[] }>;
}
interface Noble extends EventEmitter {
  waitForPoweredOnAsync(timeoutMs?: number): Promise<void>;
  startScanningAsync(services: string[], allowDuplicates: boolean): Promise<void>;
}

/** The same octets, not a copy. */
const asBuffer = (packet: Uint8Array): Buffer =>
  Buffer.isBuffer(packet) ? packet : Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);

/** The socket of `@stoprocent/bluetooth-hci-socket` as its documentation describes it, ending at a controller. */
class HciSocket extends EventEmitter {
  static controller: ControllerEnd;
  readonly #controller = HciSocket.controller;

  bindRaw(deviceId: number): number {
    return deviceId;
  }
  bindUser(deviceId: number): number {
    return deviceId;
  }
  isDevUp(): boolean {
    return true;
  }
  setFilter(): void {}
  reset(): void {}
  start(): void {
    this.#controller.toHost = (packet) => this.emit("data", asBuffer(packet));
  }
  stop(): void {}
  write(packet: Buffer): void {
    this.#controller.fromHost(Uint8Array.from(packet));
  }
}

/** Its advertisements are merged always, and are told with each report. */
const LISTENERS: Readonly<Record<Exclude<Application, "values">, (peripheral: NoblePeripheral) => void>> = {
  "manufacturer data": readManufacturerData,
  all: readAll,
  merged: readManufacturerData,
  "merged, all": readAll,
};

function readManufacturerData({ advertisement: { manufacturerData } }: NoblePeripheral): void {
  seen.items++;
  if (manufacturerData) seen.octets += manufacturerData[2]!;
}

function readAll({ address, advertisement: { manufacturerData, localName } }: NoblePeripheral): void {
  seen.items++;
  seen.octets += address.length + (localName?.length ?? 0);
  if (manufacturerData) seen.octets += manufacturerData[2]!;
}

interface NobleModule {
  withBindings(kind: string, options: object): Noble;
}

/** Its code, with the socket above in place of that of a kernel. */
export function loadNoble(folder: string): NobleModule {
  const require = createRequire(join(resolve(folder), "package.json"));
  const at = require.resolve("@stoprocent/bluetooth-hci-socket");
  require.cache[at] ??= { id: at, filename: at, loaded: true, exports: Object.assign(HciSocket, { loadDriver: () => HciSocket }) } as never;
  return require("@stoprocent/noble");
}

/**
 * The leading JavaScript host, `@stoprocent/noble`, driven by its documented interface.
 *
 * @param folder where `npm install @stoprocent/noble` put it
 */
export async function openNoble(folder: string, openController: OpenController): Promise<Host> {
  const controller = await openController();
  HciSocket.controller = controller;
  const { withBindings } = loadNoble(folder);
  const noble = withBindings("hci", { hciDriver: "native", deviceId: 0 });
  await noble.waitForPoweredOnAsync(10_000);
  await noble.startScanningAsync([], true);
  const [peripheral] = (await once(noble, "discover")) as [NoblePeripheral];
  await peripheral.connectAsync();
  const { characteristics } = await peripheral.discoverSomeServicesAndCharacteristicsAsync(
    [SERVICE.toString(16)],
    [CHARACTERISTIC.toString(16)],
  );
  const remote = characteristics[0]!;
  remote.on("data", (value: Buffer) => {
    seen.octets += value.length;
    seen.items++;
  });
  await remote.subscribeAsync();
  await noble.startScanningAsync([], true);
  controller.take();
  const value = Buffer.from(VALUE);
  const toHost = controller.toHost!;
  return {
    name: "noble",
    open: (application) => {
      const listen = (): void => {
        noble.removeAllListeners("discover");
        if (application !== "values") noble.on("discover", LISTENERS[application]);
      };
      return Promise.resolve({ link: controller, isOfBuffers: true, toHost, listen });
    },
    write: async (kind, count) => {
      for (let i = 0; i < count; i++) await remote.writeAsync(value, kind === "without response");
    },
  };
}
