/// <reference lib="esnext.disposable" preserve="true" />

export { type RestoredAdapter, type RestoreOptions, restoreLeftBehind } from "../transport/linux/borrow/left-behind.ts";
export { type KernelModules, type Lack, VHCI_GRANT, whyNoBluetooth, whyNoVhci } from "../transport/linux/kernel-modules.ts";
export { makePrivateFolder } from "../transport/linux/private-folder.ts";
export { probeBluetoothSocket } from "./bluetooth-socket.ts";
export { type CaptureFileOptions, captureFormatOf, openCaptureFile } from "./capture-file.ts";
export { defaultBondPath, FileBondStore } from "./file-bond-store.ts";
export { defaultGattCachePath, FileGattCache } from "./file-gatt-cache.ts";
export { defaultIdentityPath, type LocalIdentity, openIdentity } from "./file-identity.ts";
export { cacheFolder, configFolder, dataFolder, stateFolder } from "./folders.ts";
export { isLiveCapture, type LiveCaptureOptions, openLiveCapture } from "./live-capture.ts";
export { createSerialOpener, openSerialLink, openSerialPort, type SerialLinkOptions, type SerialPortOptions } from "./mcumgr-serial.ts";
export { type ServedTerminal, serveOverTerminal, serveOverUdp } from "./mcumgr-simulated.ts";
export {
  createUdpOpener,
  MCUMGR_UDP_PORT,
  openUdpLink,
  serveMcumgrOverUdp,
  type UdpLinkOptions,
  type UdpServerOptions,
} from "./mcumgr-udp.ts";
export type { UdpPeer, UdpServer } from "./mcumgr-udp-links.ts";
export { FileError, readPrivateFile, withLock, writePrivateFile } from "./private-file.ts";
export { openPseudoTerminal, type PseudoTerminal } from "./pseudo-terminal.ts";
export { listSerialPorts, type SerialPortInfo } from "./serial-ports.ts";
