import type { Clock, Flow } from "../async/index.ts";
import type { Address } from "../core/address.ts";
import { checkOptions, checkTimeout, optionNames } from "../core/arguments.ts";
import type { Advertisement } from "../gap/index.ts";
import type { RequestDeviceOptions } from "./types.ts";

/** A device that may be chosen. */
export interface DeviceCandidate {
  readonly name: string | undefined;
  /** The identity where that is known, else the address on air. */
  readonly address: Address;
  /** Of the advertisement; `undefined` where the controller does not say, and for one that is connected. */
  readonly rssiDbm: number | undefined;
  readonly advertisement: Advertisement;
  readonly isConnected: boolean;
}

export interface DeviceChoice {
  /** Devices that match, as they are heard; again when what they advertise changes. The search ends with the choice. */
  readonly candidates: Flow<DeviceCandidate>;
  /** As the program gave them. */
  readonly options: RequestDeviceOptions;
  readonly clock: Clock;
  /** Aborts when no choice is wanted any more: the own device was closed. */
  readonly signal: AbortSignal;
}

/** In place of the browser's dialog: gives one of the candidates, or nothing, which the page gets as a NotFoundError. */
export type DeviceChooser = (choice: DeviceChoice) => DeviceCandidate | undefined | Promise<DeviceCandidate | undefined>;

export interface ChooseStrongestOptions {
  /** How long to look around; 2000 by default. */
  readonly withinMs?: number | undefined;
}

const STRONGEST = optionNames<ChooseStrongestOptions>({ withinMs: true });

/**
 * A chooser for programs without a user: looks around for a while, and takes the one that is received best; one that is connected before all
 * others.
 *
 * @throws {ArgumentError}
 */
export function chooseStrongest(options: ChooseStrongestOptions = {}): DeviceChooser {
  checkOptions("chooseStrongest", options, STRONGEST);
  checkTimeout("chooseStrongest: withinMs", options.withinMs);
  const { withinMs = 2000 } = options;
  return async ({ candidates, clock }) => {
    using _ = clock.setTimer(withinMs, "choosing a device", () => void candidates.return?.());
    let strongest: DeviceCandidate | undefined;
    for await (const candidate of candidates) if (!strongest || strength(candidate) > strength(strongest)) strongest = candidate;
    return strongest;
  };
}

function strength({ isConnected, rssiDbm }: DeviceCandidate): number {
  return isConnected ? Number.POSITIVE_INFINITY : (rssiDbm ?? Number.NEGATIVE_INFINITY);
}
