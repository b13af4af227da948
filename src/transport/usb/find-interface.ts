import type { WebUsbAlternate, WebUsbConfiguration, WebUsbDevice, WebUsbEndpoint } from "./web-usb.ts";

/** Where the HCI of a device is. */
export interface HciInterface {
  readonly interfaceNumber: number;
  readonly alternateSetting: number;
  /** Another setting is chosen now. */
  readonly isOtherSetting: boolean;
  readonly interruptIn: WebUsbEndpoint;
  readonly bulkIn: WebUsbEndpoint;
  readonly bulkOut: WebUsbEndpoint;
  readonly isComposite: boolean;
}

/** Wireless Controller, RF Controller, Bluetooth Programming Interface: of a device or of one of its interfaces (Vol 4 Part B 2.1). */
export const BLUETOOTH_CLASS = Object.freeze({ classCode: 0xe0, subclassCode: 0x01, protocolCode: 0x01 });
/** The same numbers below the class of vendors, as Broadcom has them. */
export const VENDOR_CLASS = Object.freeze({ ...BLUETOOTH_CLASS, classCode: 0xff });

type Class = Readonly<Record<keyof typeof BLUETOOTH_CLASS, number>>;

/** Whether the device itself says that it is an adapter; one of several functions says so of the interface. */
export function isBluetoothDevice({ deviceClass, deviceSubclass, deviceProtocol }: WebUsbDevice): boolean {
  return isClass({ interfaceClass: deviceClass, interfaceSubclass: deviceSubclass, interfaceProtocol: deviceProtocol }, BLUETOOTH_CLASS);
}

/**
 * The interface with the HCI: the one of the Bluetooth class that has an interrupt and two bulk endpoints (the other one of that class, for
 * voice, has not), else one of a vendor with the same endpoints.
 *
 * @param isNamed the user has chosen this device, so that one of a vendor is taken for what it looks like
 */
export function findHciInterface(device: WebUsbDevice, configuration: WebUsbConfiguration, isNamed: boolean): HciInterface | undefined {
  const isComposite = !isBluetoothDevice(device) && configuration.interfaces.some(({ alternate }) => !isClass(alternate, BLUETOOTH_CLASS));
  for (const wanted of isNamed ? [BLUETOOTH_CLASS, VENDOR_CLASS] : [BLUETOOTH_CLASS])
    for (const { interfaceNumber, alternate, alternates } of configuration.interfaces)
      for (const setting of alternates) {
        if (!isClass(setting, wanted)) continue;
        const interruptIn = endpointOf(setting, "interrupt", "in");
        const bulkIn = endpointOf(setting, "bulk", "in");
        const bulkOut = endpointOf(setting, "bulk", "out");
        if (!interruptIn || !bulkIn || !bulkOut) continue;
        const { alternateSetting } = setting;
        const isOtherSetting = alternate.alternateSetting !== alternateSetting;
        const isOfSeveral = isComposite && wanted === BLUETOOTH_CLASS;
        return { interfaceNumber, alternateSetting, isOtherSetting, interruptIn, bulkIn, bulkOut, isComposite: isOfSeveral };
      }
  return undefined;
}

/** Whether an interface of the device is for Bluetooth, as far as it tells: one that may not be opened may not tell. */
export function hasBluetoothInterface(device: WebUsbDevice): boolean {
  if (isBluetoothDevice(device)) return true;
  try {
    return device.configurations.some((configuration) => findHciInterface(device, configuration, false) !== undefined);
  } catch {
    return false;
  }
}

function isClass(
  {
    interfaceClass,
    interfaceSubclass,
    interfaceProtocol,
  }: Pick<WebUsbAlternate, "interfaceClass" | "interfaceSubclass" | "interfaceProtocol">,
  { classCode, subclassCode, protocolCode }: Class,
): boolean {
  return interfaceClass === classCode && interfaceSubclass === subclassCode && interfaceProtocol === protocolCode;
}

function endpointOf({ endpoints }: WebUsbAlternate, type: WebUsbEndpoint["type"], direction: WebUsbEndpoint["direction"]) {
  // One of no octets takes and gives nothing.
  return endpoints.find((endpoint) => endpoint.type === type && endpoint.direction === direction && endpoint.packetSize > 0);
}
