/**
 * The part of WebUSB (https://wicg.github.io/webusb/) that HCI over USB needs: what `navigator.usb` of a page, the `usb` package of Node and
 * a simulated adapter have in common. Named apart from the platform's own types, so that a program needs those only in a page.
 */
export interface WebUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly deviceClass: number;
  readonly deviceSubclass: number;
  readonly deviceProtocol: number;
  readonly manufacturerName?: string | null | undefined;
  readonly productName?: string | null | undefined;
  readonly serialNumber?: string | null | undefined;
  /** Null until one is selected. */
  readonly configuration?: WebUsbConfiguration | null | undefined;
  readonly configurations: readonly WebUsbConfiguration[];
  readonly opened: boolean;
  open(): Promise<void>;
  /** Rejects what is pending with an AbortError. */
  close(): Promise<void>;
  selectConfiguration(configurationValue: number): Promise<void>;
  claimInterface(interfaceNumber: number): Promise<void>;
  releaseInterface(interfaceNumber: number): Promise<void>;
  selectAlternateInterface(interfaceNumber: number, alternateSetting: number): Promise<void>;
  controlTransferOut(setup: WebUsbSetup, data?: Uint8Array<ArrayBuffer>): Promise<WebUsbOutResult>;
  clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void>;
  transferIn(endpointNumber: number, length: number): Promise<WebUsbInResult>;
  transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>): Promise<WebUsbOutResult>;
}

export interface WebUsbConfiguration {
  readonly configurationValue: number;
  readonly interfaces: readonly WebUsbInterface[];
}

export interface WebUsbInterface {
  readonly interfaceNumber: number;
  readonly alternate: WebUsbAlternate;
  readonly alternates: readonly WebUsbAlternate[];
}

export interface WebUsbAlternate {
  readonly alternateSetting: number;
  readonly interfaceClass: number;
  readonly interfaceSubclass: number;
  readonly interfaceProtocol: number;
  readonly endpoints: readonly WebUsbEndpoint[];
}

export interface WebUsbEndpoint {
  readonly endpointNumber: number;
  readonly direction: "in" | "out";
  readonly type: "bulk" | "interrupt" | "isochronous";
  /** Octets of a USB packet. */
  readonly packetSize: number;
}

/** The setup packet of a control transfer. */
export interface WebUsbSetup {
  requestType: "standard" | "class" | "vendor";
  recipient: "device" | "interface" | "endpoint" | "other";
  request: number;
  value: number;
  index: number;
}

export interface WebUsbInResult {
  readonly data?: DataView | undefined;
  /** "babble": more came than was asked for. */
  readonly status?: "ok" | "stall" | "babble" | undefined;
}

export interface WebUsbOutResult {
  readonly bytesWritten: number;
  readonly status?: "ok" | "stall" | "babble" | undefined;
}

export interface WebUsbDeviceFilter {
  vendorId?: number;
  productId?: number;
  classCode?: number;
  subclassCode?: number;
  protocolCode?: number;
  serialNumber?: string;
}

/** `navigator.usb`, as far as it is used. */
export interface WebUsb {
  getDevices(): Promise<readonly WebUsbDevice[]>;
  requestDevice(options: { filters: WebUsbDeviceFilter[] }): Promise<WebUsbDevice>;
  addEventListener(type: "connect" | "disconnect", listener: (event: WebUsbConnectionEvent) => void): void;
  removeEventListener(type: "connect" | "disconnect", listener: (event: WebUsbConnectionEvent) => void): void;
}

export interface WebUsbConnectionEvent {
  readonly device: WebUsbDevice;
}

/** "0a12:0001". */
export function idOf({ vendorId, productId }: Pick<WebUsbDevice, "vendorId" | "productId">): string {
  return `${hex(vendorId)}:${hex(productId)}`;
}

const hex = (id: number): string => id.toString(16).padStart(4, "0");
