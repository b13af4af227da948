import type { Clock } from "../../async/index.ts";
import type { RandomSource } from "../../core/index.ts";
import type { Connection } from "../../device/index.ts";
import type { AdvertisingDataFields } from "../../gap/index.ts";
import type { GattServer, LocalService } from "../../gatt/index.ts";
import type { L2capListeners } from "../../l2cap/index.ts";

/** What a simulated device lives on. */
export interface ExampleDeviceBody {
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** A kind of peripheral: what it advertises and which services it has. */
export interface ExampleDevice {
  readonly name: string;
  readonly advertised: AdvertisingDataFields;
  /** Adds the services, and keeps their values alive until the result is disposed. */
  serve(server: GattServer, body: ExampleDeviceBody): Disposable;
  /** Takes credit based channels, until the result is disposed. */
  listen?(listeners: L2capListeners<Connection>): Disposable;
}

/** Calls `act` every `ms` of the clock's time. */
export function every(clock: Clock, ms: number, name: string, act: () => void): Disposable {
  let timer: Disposable;
  const arm = (): void => {
    timer = clock.setTimer(ms, name, () => {
      arm();
      act();
    });
  };
  arm();
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** A whole number from `min` to `max`. */
export function drawn({ random }: ExampleDeviceBody, min: number, max: number): number {
  const octets = new Uint8Array(2);
  random.fill(octets);
  return min + ((octets[0]! | (octets[1]! << 8)) % (max - min + 1));
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Tells subscribers; those that are gone or slow miss a value, which is what a sensor's subscriber expects. */
export function tell(service: LocalService, uuid: string, value: Uint8Array): void {
  const characteristic = service.characteristic(uuid)!;
  characteristic.value = value;
  characteristic.tryNotify(value);
}

export function deviceInformation(server: GattServer, model: string): void {
  server.addService({
    uuid: "180A",
    characteristics: [
      { uuid: "2A29", properties: ["read"], value: text("Jelling") },
      { uuid: "2A24", properties: ["read"], value: text(model) },
      { uuid: "2A26", properties: ["read"], value: text("1.0") },
    ],
  });
}

/** A battery that loses a percent a minute and is never empty. */
export function batteryService(server: GattServer, body: ExampleDeviceBody): Disposable {
  let level = drawn(body, 60, 99);
  const battery = server.addService({
    uuid: "180F",
    characteristics: [{ uuid: "2A19", properties: ["read", "notify"], value: Uint8Array.of(level) }],
  });
  return every(body.clock, 60_000, "battery", () => {
    level = level > 5 ? level - 1 : 100;
    tell(battery, "2A19", Uint8Array.of(level));
  });
}

export function all(...parts: Disposable[]): Disposable {
  return {
    [Symbol.dispose]: () => {
      for (const part of parts) part[Symbol.dispose]();
    },
  };
}
