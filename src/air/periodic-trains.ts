import type { AdvertisingAir } from "./advertising-roles.ts";
import type { Medium } from "./medium.ts";
import type { PeriodicAdvertiser, PeriodicReceiver } from "./periodic-roles.ts";
import { PeriodicTrain, type TrainSurroundings } from "./periodic-train.ts";
import type { Radio } from "./radio.ts";

const NOBODY: ReadonlySet<PeriodicReceiver> = new Set();

/** The periodic advertising trains of an air, and who follows them. */
export class PeriodicTrains implements TrainSurroundings {
  readonly channels: AdvertisingAir;
  readonly #medium: Medium;
  readonly #trains = new Set<PeriodicTrain>();
  readonly #receivers = new Map<number, Set<PeriodicReceiver>>();

  constructor(medium: Medium, channels: AdvertisingAir) {
    this.#medium = medium;
    this.channels = channels;
    medium.onPathChange({ after: () => this.#wakeAll() });
  }

  /** Begins a train; dispose of it by `end`. */
  begin(advertiser: PeriodicAdvertiser): PeriodicTrain {
    const train = new PeriodicTrain(this.#medium, this, advertiser);
    this.#trains.add(train);
    advertiser.radio.trains.push(train);
    for (const other of this.#trains) if (other.radio === advertiser.radio) other.wake();
    return train;
  }

  end(train: PeriodicTrain): void {
    this.#trains.delete(train);
    train.radio.removeTrain(train);
    train.stop();
  }

  /** Follows a train, until the result is disposed. */
  follow(receiver: PeriodicReceiver): Disposable {
    const { accessAddress } = receiver;
    const receivers = this.#receivers.get(accessAddress) ?? new Set();
    this.#receivers.set(accessAddress, receivers);
    receivers.add(receiver);
    for (const train of this.#trains) if (train.advertiser.accessAddress === accessAddress || train.radio === receiver.radio) train.wake();
    return {
      [Symbol.dispose]: () => {
        receivers.delete(receiver);
        if (receivers.size === 0 && this.#receivers.get(accessAddress) === receivers) this.#receivers.delete(accessAddress);
      },
    };
  }

  receivers(accessAddress: number): ReadonlySet<PeriodicReceiver> {
    return this.#receivers.get(accessAddress) ?? NOBODY;
  }

  /** Who of those whom nobody follows sends on this channel at some moment of a transmission of `from`. */
  interferers(channel: number, startUs: number, endUs: number, from: Radio): Radio[] {
    const radios: Radio[] = [];
    for (const train of this.#trains)
      if (train.isDormant && train.radio !== from && train.sendsOn(channel, startUs, endUs)) radios.push(train.radio);
    return radios;
  }

  #wakeAll(): void {
    for (const train of this.#trains) train.wake();
  }
}
