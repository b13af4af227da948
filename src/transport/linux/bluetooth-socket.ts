import type { KernelChannel } from "../types.ts";
import type { LinuxFolders } from "./folders.ts";
import { type LinuxCalls, O_CLOEXEC, O_NONBLOCK, SystemError } from "./socket-calls.ts";
import { describeFailure } from "./socket-failure.ts";

const AF_BLUETOOTH = 31;
const SOCK_RAW = 3;
const BTPROTO_HCI = 1;
const SOL_BLUETOOTH = 274;
const BT_SNDMTU = 12;

/** What a Bluetooth socket is for (`hci_channel` of its address). */
export const HciChannel = Object.freeze({ Raw: 0, User: 1, Monitor: 2, Control: 3, Logging: 4 });
/** The device number of sockets that belong to no adapter: monitor, control, logging. */
export const NO_DEVICE = 0xffff;

/** struct sockaddr_hci: family, device and channel in the machine's order, which is little endian wherever this runs. */
export function bluetoothSocketAddress(device: number, channel: number): Uint8Array {
  return new Uint8Array(new Uint16Array([AF_BLUETOOTH, device, channel]).buffer);
}

/**
 * Opens a Bluetooth socket and binds it, without blocking.
 *
 * @param spec what the caller opens, for messages: `hci:0`, `mgmt`
 * @param device number of the adapter, or NO_DEVICE
 * @param channel one of HciChannel
 * @param folders where the system tells what stands in the way
 * @returns the descriptor
 * @throws {TransportError} one sentence, with the line that helps
 */
export function openBluetoothSocket(calls: LinuxCalls, spec: string, device: number, channel: number, folders?: LinuxFolders): number {
  const descriptor = calls.socket(AF_BLUETOOTH, SOCK_RAW | O_CLOEXEC | O_NONBLOCK, BTPROTO_HCI);
  if (descriptor < 0) throw describeFailure(spec, new SystemError("socket", calls.errno()), folders);
  const address = bluetoothSocketAddress(device, channel);
  if (calls.bind(descriptor, address, address.length) < 0) {
    const error = new SystemError("bind", calls.errno());
    calls.close(descriptor);
    throw describeFailure(spec, error, folders);
  }
  // Without this nothing over 1028 octets can be sent. Kernels before 5.16 know no other limit, and refuse.
  calls.setsockopt(descriptor, SOL_BLUETOOTH, BT_SNDMTU, new Uint8Array(new Uint16Array([0xffff]).buffer), 2);
  return descriptor;
}

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

/**
 * What the kernel may keep for a socket that is not read at once: a limit, not memory that is taken. The kernel doubles it and counts about
 * 1 kB for a short packet, so that this is some 30 000 of them, on top of the megabyte that the reader takes out.
 */
const RECEIVE_BUFFER = 16 << 20;

/** A socket of the management or the monitor channel, with room for what is not read at once. @throws as `openBluetoothSocket` */
export function openManagementSocket(calls: LinuxCalls, channel: KernelChannel): number {
  const [spec, number] = channel === "control" ? (["mgmt", HciChannel.Control] as const) : (["monitor", HciChannel.Monitor] as const);
  const descriptor = openBluetoothSocket(calls, spec, NO_DEVICE, number);
  raiseReceiveBuffer(calls, descriptor);
  return descriptor;
}

/** Without the right to force it, as much as the system allows everybody. The kernel doubles the number for its own bookkeeping. */
function raiseReceiveBuffer(calls: LinuxCalls, descriptor: number): void {
  const size = new Uint8Array(new Int32Array([RECEIVE_BUFFER]).buffer);
  if (calls.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) < 0) calls.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, size, 4);
}
