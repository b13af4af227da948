import { AddressType, bitsOf, commands, DeviceAction, DeviceFlags, DisconnectReason, events } from "../../../mgmt-protocol/index.ts";
import { closeLink, connectTo, forget, linksOf, linkTo, waitFor } from "../air/links.ts";
import { updateListening } from "../air/listening.ts";
import { type Call, type Handler, on } from "../call.ts";
import { atMost, isPowered, knownAddressType, supports } from "../checks.ts";
import { ANY_ADDRESS, type Controller, deviceKey, isIdentity, type ListedDevice } from "../controller.ts";
import type { KernelCore, ManagementSocket } from "../core.ts";
import { ENETDOWN } from "../faults.ts";

const SUPPORTED_FLAGS = bitsOf(DeviceFlags, ["RemoteWakeup"]);
const MAX_TX_POWER_DBM = 4;
/** The controller's clock runs in units of 312.5 us. */
const CLOCK_UNITS_PER_MS = 3.2;

const autoName = (device: ListedDevice): string => `auto ${deviceKey(device.address, device.addressType)}`;

/** Connects to a listed device as often as it is heard. */
function connectAutomatically(core: KernelCore, controller: Controller, device: ListedDevice): void {
  let attempt: Disposable | undefined;
  waitFor(core, controller, autoName(device), (source) => {
    attempt?.[Symbol.dispose]();
    attempt = connectTo(core, controller, source, () => undefined);
  });
}

/** Takes a device off the list. */
export function unlist(core: KernelCore, controller: Controller, device: ListedDevice): void {
  controller.listed.delete(deviceKey(device.address, device.addressType));
  forget(core, controller, autoName(device));
}

function addDevice(call: Call<typeof commands.addDevice>): void {
  const { controller, core, index, parameters, socket } = call;
  const { address, addressType, action } = parameters;
  const key = deviceKey(address, addressType);
  const device: ListedDevice = controller.listed.get(key) ?? { address, addressType, action, flags: 0 };
  device.action = action;
  controller.listed.set(key, device);
  // The kernel stores the entry, fails to update the scan, and forgets to answer.
  if (addressType !== AddressType.BREDR && controller.isClosed) {
    call.failWrite(ENETDOWN);
    return;
  }
  core.send(events.deviceAdded, index, { address, addressType, action }, socket);
  core.send(events.deviceFlagsChanged, index, { address, addressType, supportedFlags: SUPPORTED_FLAGS, currentFlags: device.flags });
  call.complete({ address, addressType });
  if (action === DeviceAction.AutoConnect) connectAutomatically(core, controller, device);
  else forget(core, controller, autoName(device));
  updateListening(core, controller);
}

function removeEveryDevice(core: KernelCore, controller: Controller, socket: ManagementSocket): void {
  for (const device of [...controller.listed.values()]) {
    unlist(core, controller, device);
    const { address, addressType } = device;
    // For LE devices the kernel gives HCI's number here, 0 public and 1 random.
    const told = addressType === AddressType.BREDR ? addressType : addressType - 1;
    core.send(events.deviceRemoved, controller.index, { address, addressType: told }, socket);
  }
}

export const deviceHandlers: readonly Handler[] = [
  on(
    commands.disconnect,
    [
      knownAddressType,
      isPowered(),
      ({ core, controller, parameters: { address, addressType } }) =>
        linkTo(core, controller, address, addressType) ? undefined : "Disconnected",
    ],
    (call) => {
      const { address, addressType } = call.parameters;
      call.after(call.core.roundTripMs, () => {
        call.complete({ address, addressType });
        const link = linkTo(call.core, call.controller, address, addressType);
        if (link) closeLink(call.core, link, DisconnectReason.LocalHost);
      });
    },
  ),
  on(commands.getConnections, [isPowered()], (call) =>
    call.complete({ connections: linksOf(call.core, call.controller).map(({ address, addressType }) => ({ address, addressType })) }),
  ),
  on(
    commands.blockDevice,
    [
      knownAddressType,
      ({ controller, parameters: { address, addressType } }) =>
        controller.blocked.has(deviceKey(address, addressType)) ? "Failed" : undefined,
    ],
    (call) => {
      call.controller.blocked.add(deviceKey(call.parameters.address, call.parameters.addressType));
      call.complete(call.parameters);
      call.core.send(events.deviceBlocked, call.index, call.parameters, call.socket);
    },
  ),
  on(
    commands.unblockDevice,
    [
      knownAddressType,
      ({ controller, parameters: { address, addressType } }) =>
        address === ANY_ADDRESS || controller.blocked.has(deviceKey(address, addressType)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      const { address, addressType } = call.parameters;
      if (address === ANY_ADDRESS) call.controller.blocked.clear();
      else call.controller.blocked.delete(deviceKey(address, addressType));
      call.complete(call.parameters);
      call.core.send(events.deviceUnblocked, call.index, call.parameters, call.socket);
    },
  ),
  on(
    commands.getConnectionInformation,
    [
      knownAddressType,
      isPowered(),
      ({ core, controller, parameters: { address, addressType } }) =>
        linkTo(core, controller, address, addressType) ? undefined : "NotConnected",
    ],
    (call) => {
      const { address, addressType } = call.parameters;
      const rssi = linkTo(call.core, call.controller, address, addressType)?.device?.rssi ?? -40;
      call.after(call.core.roundTripMs, () => call.complete({ address, addressType, rssi, txPower: 0, maxTxPower: MAX_TX_POWER_DBM }));
    },
  ),
  on(
    commands.getClockInformation,
    [
      ({ parameters }) => (parameters.addressType === AddressType.BREDR ? undefined : "InvalidParameters"),
      isPowered(),
      ({ core, controller, parameters: { address } }) =>
        linkTo(core, controller, address, AddressType.BREDR) ? undefined : "NotConnected",
    ],
    (call) => {
      const clock = Math.floor(call.core.clock.now() * CLOCK_UNITS_PER_MS) % 0x1000_0000;
      call.after(call.core.roundTripMs, () => call.complete({ ...call.parameters, localClock: clock, piconetClock: clock, accuracy: 0 }));
    },
  ),
  on(
    commands.addDevice,
    [
      knownAddressType,
      atMost("action", 2),
      ({ parameters: { address, addressType, action } }) => {
        if (address === ANY_ADDRESS) return "InvalidParameters";
        const isValid = addressType === AddressType.BREDR ? action === DeviceAction.AllowIncoming : isIdentity(address, addressType);
        return isValid ? undefined : "InvalidParameters";
      },
    ],
    addDevice,
  ),
  on(
    commands.removeDevice,
    [
      ({ controller, parameters: { address, addressType } }) => {
        const isAll = address === ANY_ADDRESS && addressType === AddressType.BREDR;
        return isAll || controller.listed.has(deviceKey(address, addressType)) ? undefined : "InvalidParameters";
      },
    ],
    (call) => {
      const { controller, core, index, parameters, socket } = call;
      const { address, addressType } = parameters;
      const device = controller.listed.get(deviceKey(address, addressType));
      if (device) {
        unlist(core, controller, device);
        core.send(events.deviceRemoved, index, parameters, socket);
      } else removeEveryDevice(core, controller, socket);
      call.complete(parameters);
    },
  ),
  on(commands.loadConnectionParameters, [supports("LowEnergy")], (call) => call.complete({})),
  on(commands.getDeviceFlags, [], (call) => {
    const { address, addressType } = call.parameters;
    const device = call.controller.listed.get(deviceKey(address, addressType));
    if (device) return call.complete({ address, addressType, supportedFlags: SUPPORTED_FLAGS, currentFlags: device.flags });
    return call.complete({ address: ANY_ADDRESS, addressType: 0, supportedFlags: 0, currentFlags: 0 }, "InvalidParameters");
  }),
  on(
    commands.setDeviceFlags,
    [
      ({ controller, parameters: { address, addressType, currentFlags } }) =>
        (currentFlags & ~SUPPORTED_FLAGS) === 0 && controller.listed.has(deviceKey(address, addressType)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      const { address, addressType, currentFlags } = call.parameters;
      call.controller.listed.get(deviceKey(address, addressType))!.flags = currentFlags;
      call.complete({ address, addressType });
      const changed = { address, addressType, supportedFlags: SUPPORTED_FLAGS, currentFlags };
      call.core.send(events.deviceFlagsChanged, call.index, changed, call.socket);
    },
  ),
];
