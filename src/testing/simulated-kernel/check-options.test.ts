import { expect, test } from "vitest";
import { ArgumentError } from "../../core/index.ts";
import { SimulatedKernel } from "../simulated-kernel.ts";

const address = "C0:11:22:33:44:55";
const kernel = (options: object) => () => void new SimulatedKernel(options);
const plug = (options: unknown) => () => void new SimulatedKernel({ controllers: [] }).plug(options as object);
const add = (options: unknown) => () => void new SimulatedKernel().addDevice(options as never);
const open = (options: unknown) => () => void new SimulatedKernel().openSocket(options as object);
const silence = (options: unknown) => () => void new SimulatedKernel().silence(options as object);
const connect = (options: unknown) => () => new SimulatedKernel().addDevice({ address }).connect(0, options as object);

test.each<[string, () => void, RegExp]>([
  ["a kernel's name", kernel({ device: [] }), /unknown option "device", did you mean "devices"/],
  ["a kernel's kind", kernel([]), /expected an object of options, got an array/],
  ["a clock that is none", kernel({ clock: {} }), /clock: expected an object with now\(\)/],
  ["a random source that is none", kernel({ random: Math.random }), /random: expected an object with fill\(\)/],
  ["devices that are no list", kernel({ devices: { address } }), /devices: expected an array/],
  ["a queue without room", kernel({ receiveQueuePackets: 0 }), /receiveQueuePackets: expected a whole number from 1/],
  ["a round trip back in time", kernel({ roundTripMs: -1 }), /roundTripMs/],
  ["a round trip that never ends", kernel({ roundTripMs: Number.NaN }), /roundTripMs/],
  [
    "a controller's name, from the beginning",
    kernel({ controllers: [{ adress: address }] }),
    /unknown option "adress", did you mean "address"/,
  ],
  ["a controller's name", plug({ setting: [] }), /unknown option "setting", did you mean "settings"/],
  ["a controller's kind", plug(null), /controller: expected an object of options, got null/],
  ["a setting", plug({ settings: ["Powred"] }), /Powred/],
  ["settings as a number", plug({ settings: 1 }), /settings: expected an array, got 1/],
  ["a number of the controller", plug({ index: 0xffff }), /index: expected a whole number from 0 to 65534/],
  ["a name that is none", plug({ name: 5 }), /name: expected text, got 5/],
  ["an appearance of three octets", plug({ appearance: 0x1_0000 }), /appearance: expected a whole number from 0 to 65535/],
  ["instances", plug({ advertisingInstances: -1 }), /advertisingInstances: expected a whole number/],
  ["a flag", plug({ isRadioBlocked: "yes" }), /isRadioBlocked: expected true or false, got a string/],
  [
    "a device's name, from the beginning",
    kernel({ devices: [{ address, pairng: "refuse" }] }),
    /unknown option "pairng", did you mean "pairing"/,
  ],
  ["no device", add(undefined), /device: expected an object of options, got undefined/],
  ["a device's name", add({ address, bondable: false }), /unknown option "bondable", did you mean "isBondable"/],
  ["a device without an address", add({}), /address: expected text, got undefined/],
  ["a way of pairing", add({ address, pairing: "passkey" }), /pairing: expected "justWorks"/],
  ["a type of address", add({ address, addressType: "random" }), /addressType: expected "BREDR", "LEPublic", "LERandom"/],
  ["an interval of nothing, which would be an endless loop", add({ address, advertisingIntervalMs: 0 }), /advertisingIntervalMs/],
  ["a passkey of seven digits", add({ address, passkey: 1_000_000 }), /passkey: expected a whole number from 0 to 999999/],
  ["a PIN as a number", add({ address, pin: 1234 }), /pin: expected text, got 1234/],
  ["a signal strength", add({ address, rssi: 200 }), /rssi: expected a whole number from -127 to 127/],
  ["services that are no list", add({ address, services: "180F" }), /services: expected an array/],
  ["an identity's name", add({ address, identity: { addres: address } }), /unknown option "addres", did you mean "address"/],
  [
    "an identity's type",
    add({ address, identity: { address, addressType: "BREDR" } }),
    /identity: addressType: expected "LEPublic", "LERandom"/,
  ],
  ["a socket's name", open({ priviledged: false }), /unknown option "priviledged", did you mean "privileged"/],
  ["a socket's kind", open({ privileged: 0 }), /privileged: expected true or false, got 0/],
  ["nothing to silence", silence(undefined), /silence: expected a controller, a command, or both/],
  ["what is silenced, mistyped, which would silence everything", silence({ idx: 0 }), /unknown option "idx"/],
  ["a command by its name", silence({ command: "setPowered" }), /command: expected one of commands, got a string/],
  ["a connection's name", connect({ pairing: true }), /unknown option "pairing", did you mean "pair"/],
])("the simulated kernel refuses %s", (_what, act, message) => {
  expect(act).toThrow(ArgumentError);
  expect(act).toThrow(message);
});

test("a device's signal strength is a number of dBm", () => {
  const device = new SimulatedKernel().addDevice({ address });
  expect(() => {
    device.rssi = "near" as never;
  }).toThrow(/rssi: expected a whole number/);
  device.rssi = -40;
  expect(device.rssi).toBe(-40);
});
