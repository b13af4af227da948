import type { Address } from "../core/address.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { PeriodicAdvertiser, type Radio, type Scanner, Syncs } from "../gap/index.ts";
import {
  type ControllerError,
  type Hci,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSubeventDataRequest,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
} from "../hci/index.ts";

interface DevicePeriodicParts {
  readonly hci: Hci;
  readonly radio: Radio;
  readonly scanner: Scanner;
  readonly resolve: (address: Address) => Address | undefined;
  /** Whether a device of this identity is on the air under other addresses. */
  readonly isPrivate: (identity: Address) => boolean;
  readonly logger: Logger;
  /** The controller cannot be brought to a known state any more. */
  readonly onStuck: (error: ControllerError) => void;
}

/** What a device does in periodic advertising: sends it, and follows that of others. */
export class DevicePeriodic {
  readonly advertiser: PeriodicAdvertiser;
  readonly syncs: Syncs;

  constructor({ hci, radio, scanner, resolve, isPrivate, logger, onStuck }: DevicePeriodicParts) {
    this.advertiser = new PeriodicAdvertiser({ port: hci, radio, logger });
    this.syncs = new Syncs({
      port: hci,
      clock: hci.clock,
      radio,
      logger,
      scanner,
      onStuck,
      resolve,
      isPrivate,
    });
    hci.on(LePeriodicAdvertisingSubeventDataRequest, this.advertiser.onSubeventDataRequest);
    hci.on(LePeriodicAdvertisingResponseReport, this.advertiser.onResponseReport);
    hci.on(LePeriodicAdvertisingSyncEstablished, this.syncs.onEstablished);
    hci.on(LePeriodicAdvertisingSyncEstablishedV2, this.syncs.onEstablished);
    hci.on(LePeriodicAdvertisingReport, this.syncs.onReport);
    hci.on(LePeriodicAdvertisingReportV2, this.syncs.onReport);
    hci.on(LePeriodicAdvertisingSyncLost, this.syncs.onLost);
  }

  /** The controller was reset. */
  onReset(cause: BleError): void {
    this.syncs.reset(cause);
  }

  /** The device is closed by its user. */
  close(reason: BleError): void {
    this.syncs.close(reason);
  }

  /** The controller is gone. */
  gone(reason: BleError): void {
    this.syncs.gone(reason);
  }
}
