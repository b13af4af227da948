import type { Logger } from "../core/logger.ts";
import { PeriodicAdvertiser, type Radio } from "../gap/index.ts";
import { type Hci, LePeriodicAdvertisingResponseReport, LePeriodicAdvertisingSubeventDataRequest } from "../hci/index.ts";

/** What a device does in periodic advertising. */
export class DevicePeriodic {
  readonly advertiser: PeriodicAdvertiser;

  constructor({ hci, radio, logger }: { hci: Hci; radio: Radio; logger: Logger }) {
    this.advertiser = new PeriodicAdvertiser({ port: hci, radio, logger });
    hci.on(LePeriodicAdvertisingSubeventDataRequest, this.advertiser.onSubeventDataRequest);
    hci.on(LePeriodicAdvertisingResponseReport, this.advertiser.onResponseReport);
  }
}
