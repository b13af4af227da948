/** The part of Web Serial (https://wicg.github.io/serial/) that is used: `navigator.serial` of a page and its ports. */
export interface WebSerialPort {
  /** Null while the port is closed; another one after a fault that lost octets. */
  readonly readable: ReadableStream<Uint8Array> | null;
  readonly writable: WritableStream<Uint8Array> | null;
  open(options: WebSerialOptions): Promise<void>;
  close(): Promise<void>;
}

export interface WebSerialOptions {
  baudRate: number;
  dataBits?: 7 | 8;
  stopBits?: 1 | 2;
  parity?: "none" | "even" | "odd";
  flowControl?: "none" | "hardware";
  /** Octets that the platform keeps until they are read. */
  bufferSize?: number;
}

export interface WebSerialFilter {
  usbVendorId?: number;
  usbProductId?: number;
}

export interface WebSerial {
  requestPort(options?: { filters?: WebSerialFilter[] }): Promise<WebSerialPort>;
}
