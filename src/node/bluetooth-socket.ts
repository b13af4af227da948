import { Errno, loadLinuxCalls, SystemError } from "../transport/linux/socket-calls.ts";

const AF_BLUETOOTH = 31;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const BTPROTO_HCI = 1;

/**
 * Whether the kernel gives out Bluetooth sockets, found by opening one and closing it again; nothing else happens to it.
 *
 * @returns `available`; `unsupported`: the kernel has no Bluetooth; `denied`: this process may not; or the name of another error
 * @throws {TransportError} not Linux, or the FFI package does not load
 */
export function probeBluetoothSocket(): "available" | "unsupported" | "denied" | { readonly error: string } {
  const calls = loadLinuxCalls("the probe of Bluetooth sockets");
  const descriptor = calls.socket(AF_BLUETOOTH, SOCK_RAW_CLOEXEC, BTPROTO_HCI);
  if (descriptor >= 0) {
    calls.close(descriptor);
    return "available";
  }
  const errno = calls.errno();
  if (errno === Errno.EAFNOSUPPORT || errno === Errno.EPROTONOSUPPORT) return "unsupported";
  if (errno === Errno.EPERM || errno === Errno.EACCES) return "denied";
  return { error: new SystemError("socket", errno).code };
}
