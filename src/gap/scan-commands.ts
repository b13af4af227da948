import { LeSetExtendedScanEnable, LeSetExtendedScanParameters } from "../hci/commands/le-extended-scanning.ts";
import { LeSetScanEnable, LeSetScanParameters } from "../hci/commands/le-scanning.ts";
import type { CommandPort } from "./radio.ts";
import type { ScanParameters } from "./scan-parameters.ts";

/** How a controller is told to scan: by the legacy commands or the extended ones. */
export interface ScanCommands {
  /** @param isFiltered devices of the filter accept list alone */
  configure(parameters: ScanParameters, isFiltered: boolean): Promise<void>;
  enable(parameters: ScanParameters): Promise<void>;
  disable(): Promise<void>;
}

/** Vol 4 Part E 7.8.10, 7.8.11. */
export class LegacyScanCommands implements ScanCommands {
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async configure({ phys, ownAddress }: ScanParameters, isFiltered: boolean): Promise<void> {
    const { isActive, interval, window } = phys[0]!;
    await this.#port.send(LeSetScanParameters, {
      leScanType: isActive ? 1 : 0,
      leScanInterval: interval,
      leScanWindow: window,
      ownAddressType: ownAddress === "public" ? 0 : 1,
      scanningFilterPolicy: isFiltered ? 1 : 0,
    });
  }

  async enable({ filterDuplicates }: ScanParameters): Promise<void> {
    await this.#port.send(LeSetScanEnable, { leScanEnable: true, filterDuplicates });
  }

  async disable(): Promise<void> {
    await this.#port.send(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
  }
}

/** Bits of Scanning_PHYs. */
const PHY_BITS = { "1M": 1, coded: 4 } as const;

/** Vol 4 Part E 7.8.64, 7.8.65. */
export class ExtendedScanCommands implements ScanCommands {
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async configure({ phys, ownAddress }: ScanParameters, isFiltered: boolean): Promise<void> {
    await this.#port.send(LeSetExtendedScanParameters, {
      ownAddressType: ownAddress === "public" ? 0 : 1,
      scanningFilterPolicy: isFiltered ? 1 : 0,
      scanningPhys: phys.reduce((mask, { phy }) => mask | PHY_BITS[phy], 0),
      phys: phys.map(({ isActive, interval, window }) => ({ scanType: isActive ? 1 : 0, scanInterval: interval, scanWindow: window })),
    });
  }

  async enable({ filterDuplicates }: ScanParameters): Promise<void> {
    await this.#port.send(LeSetExtendedScanEnable, { enable: true, filterDuplicates: filterDuplicates ? 1 : 0, duration: 0, period: 0 });
  }

  async disable(): Promise<void> {
    await this.#port.send(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  }
}
