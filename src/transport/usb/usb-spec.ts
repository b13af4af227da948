import { TransportError } from "../../hci/transport.ts";

/** Which device `usb:…` means. */
export type UsbSpec =
  | { readonly by: "number"; readonly number: number }
  | { readonly by: "id"; readonly vendorId: number; readonly productId: number; readonly serialNumber: string | undefined }
  /** Bus and ports, as Linux names them in /sys/bus/usb/devices: "1-2.3". */
  | { readonly by: "port"; readonly port: string };

/** @throws {TransportError} none of the forms */
export function parseUsbSpec(spec: string, rest: string): UsbSpec {
  if (/^\d{0,3}$/.test(rest)) return { by: "number", number: Number(rest) };
  const [, vendor, product, serialNumber] = /^([0-9a-f]{4}):([0-9a-f]{4})(?:#(.+))?$/i.exec(rest) ?? [];
  if (vendor && product) return { by: "id", vendorId: Number.parseInt(vendor, 16), productId: Number.parseInt(product, 16), serialNumber };
  if (/^[0-9a-f]+-\d+(\.\d+)*$/i.test(rest)) return { by: "port", port: portName(...(rest.split("-") as [string, string])) };
  throw new TransportError(
    "unknown-spec",
    `transport "${spec}": expected usb: (the first adapter), usb:N, usb:VID:PID, usb:VID:PID#SERIAL or usb:BUS-PORT`,
  );
}

/** "1-2.3" for bus "001" and ports "2.3". */
export function portName(bus: string, ports: string): string {
  return `${bus.replace(/^0+(?=.)/, "").toLowerCase()}-${ports}`;
}
