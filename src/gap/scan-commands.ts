import { LeSetExtendedScanEnable, LeSetExtendedScanParameters } from "../hci/commands/le-extended-scanning.ts";
import { LeSetScanEnable, LeSetScanParameters } from "../hci/commands/le-scanning.ts";
import type { CommandPort, OwnAddressType } from "./radio.ts";
import type { ScanParameters } from "./scan-parameters.ts";

interface ScanConfiguration {
  readonly ownAddressType: OwnAddressType;
  /** Devices of the filter accept list alone. */
  readonly isFiltered: boolean;
}

/** Scanning_Filter_Policy: bit 0 the filter accept list, bit 1 directed advertising whose target the controller cannot resolve. */
function filterPolicy({ unresolvedTargets }: ScanParameters, isFiltered: boolean): number {
  return (isFiltered ? 1 : 0) | (unresolvedTargets ? 2 : 0);
}

/** How a controller is told to scan: by the legacy commands or the extended ones. */
export interface ScanCommands {
  configure(parameters: ScanParameters, at: ScanConfiguration): Promise<void>;
  enable(parameters: ScanParameters): Promise<void>;
  disable(): Promise<void>;
}

/** Vol 4 Part E 7.8.10, 7.8.11. */
export class LegacyScanCommands implements ScanCommands {
  readonly #port: CommandPort;

  constructor(port: CommandPort) {
    this.#port = port;
  }

  async configure(parameters: ScanParameters, { ownAddressType, isFiltered }: ScanConfiguration): Promise<void> {
    const { isActive, interval, window } = parameters.phys[0]!;
    await this.#port.send(LeSetScanParameters, {
      leScanType: isActive ? 1 : 0,
      leScanInterval: interval,
      leScanWindow: window,
      ownAddressType,
      scanningFilterPolicy: filterPolicy(parameters, isFiltered),
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

  async configure(parameters: ScanParameters, { ownAddressType, isFiltered }: ScanConfiguration): Promise<void> {
    const { phys } = parameters;
    await this.#port.send(LeSetExtendedScanParameters, {
      ownAddressType,
      scanningFilterPolicy: filterPolicy(parameters, isFiltered),
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
