import type { AdvertisingAir } from "./advertising-roles.ts";
import type { Interference } from "./interference.ts";
import type { Medium } from "./medium.ts";
import type { PeriodicAdvertiser, PeriodicReceiver, PeriodicResponse } from "./periodic-roles.ts";
import { PeriodicTrain, type TrainSurroundings } from "./periodic-train.ts";
import { airTimeUs } from "./phy.ts";
import type { Radio } from "./radio.ts";
import { AirEvent } from "./scheduler.ts";

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

  /** Sends a response in its slot, unless the radio is needed elsewhere then; dispose of the result to leave it. */
  respond(response: PeriodicResponse): Disposable {
    const { scheduler } = this.#medium;
    const event = new AirEvent(() => this.#beginResponse(response));
    scheduler.set(event, response.startUs);
    return { [Symbol.dispose]: () => scheduler.clear(event) };
  }

  #beginResponse(response: PeriodicResponse): void {
    const { radio, channel, phy, startUs, pdu, accessAddress } = response;
    const endUs = startUs + (this.#medium.mode === "radio" ? airTimeUs(phy, pdu.length - 2) : 0);
    if (radio.isLinked(startUs, endUs) || radio.lockedUntilUs > startUs || !radio.claimForTrain(startUs, endUs)) return;
    this.channels.record(3 + channel, startUs, endUs, radio);
    const end = new AirEvent(() => {
      for (const train of [...this.#trains])
        if (train.advertiser.responses?.accessAddress === accessAddress) train.onResponse(response, endUs);
    });
    this.#medium.scheduler.set(end, endUs);
  }

  receivers(accessAddress: number): ReadonlySet<PeriodicReceiver> {
    return this.#receivers.get(accessAddress) ?? NOBODY;
  }

  /** Finds those whom nobody follows and who send on this channel at some moment of a transmission of `from`. */
  find(channel: number, startUs: number, endUs: number, from: Radio, found: Pick<Interference, "add">): void {
    for (const train of this.#trains)
      if (train.isDormant && train.radio !== from && train.sendsOn(channel, startUs, endUs)) found.add(train.radio);
  }

  #wakeAll(): void {
    for (const train of this.#trains) train.wake();
  }
}
