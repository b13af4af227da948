import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { kernelModules, type LinuxFolders, systemFolders } from "./folders.ts";
import { VHCI_GRANT, whyNoVhci } from "./kernel-modules.ts";
import { DescriptorTransport } from "./socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK, O_RDWR, SystemError } from "./socket-calls.ts";

const PATH = "/dev/vhci";
/** Packet type of the device's own messages. */
const VENDOR_PACKET = 0xff;
/** A primary controller, configured as it is. */
const PRIMARY_CONTROLLER = 0x00;

/** The controller's side of a transport: the kernel's commands and data are received, events and data for it are sent. */
export interface VhciTransport extends HciTransport {
  /** `index` is the N of the hciN that the kernel has made. */
  readonly info: { readonly spec: string; readonly index: number };
}

/**
 * Makes a Bluetooth adapter appear in the kernel whose controller is whoever holds this transport. It is there as long as the transport.
 *
 * @param calls the C library; another one in tests, as the folders
 * @throws {TransportError} one sentence: the kernel's module is not loaded, no permission, koffi missing
 */
export async function openVhci(
  calls: LinuxCalls = loadLinuxCalls("vhci:"),
  folders: LinuxFolders = systemFolders(),
): Promise<VhciTransport> {
  const spec = "vhci:";
  // The kernel's first command comes with the adapter, and gives it up if it is not answered in 2 s.
  return await DescriptorTransport.openWhenReady(calls, spec, () => {
    const descriptor = calls.open(PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) throw describeOpenFailure(new SystemError("open", calls.errno()), folders);
    const { index, early } = createController(calls, descriptor);
    return { descriptor, info: { spec, index }, early };
  });
}

/** The kernel answers with the index; its first command may already be in front of that answer. */
function createController(calls: LinuxCalls, descriptor: number): { index: number; early: Uint8Array[] } {
  const request = Uint8Array.of(VENDOR_PACKET, PRIMARY_CONTROLLER);
  const fail = (syscall: string): never => {
    const cause = new SystemError(syscall, calls.errno());
    calls.close(descriptor);
    throw new TransportError("io", `the kernel made no virtual adapter (${cause.message})`, { cause });
  };
  if (calls.write(descriptor, request, request.length) < 0) fail("write");
  const buffer = new Uint8Array(2048);
  const early: Uint8Array[] = [];
  for (;;) {
    const length = calls.read(descriptor, buffer, buffer.length);
    if (length < 0) fail("read");
    if (length >= 4 && buffer[0] === VENDOR_PACKET) return { index: buffer[2]! | (buffer[3]! << 8), early };
    early.push(buffer.slice(0, length));
  }
}

function describeOpenFailure(error: SystemError, folders: LinuxFolders): TransportError {
  switch (error.errno) {
    case Errno.ENOENT:
    case Errno.ENODEV: {
      const { problem, advice } = whyNoVhci(kernelModules(folders));
      return new TransportError("unsupported", `${problem}: ${advice}`, { cause: error });
    }
    case Errno.EACCES:
    case Errno.EPERM:
      return new TransportError("permission", `${PATH} may not be opened: run as root, or "${VHCI_GRANT}"`, {
        cause: error,
      });
    default:
      return new TransportError("io", `${PATH} cannot be opened (${error.message})`, { cause: error });
  }
}
