// @ts-check
/**
 * Credit based channels on the kernel's own sockets, in a process of its own since its calls wait. What comes on a channel goes back.
 *
 *   node l2cap-program.mjs listen ADAPTER PSM MODE
 *   node l2cap-program.mjs connect ADAPTER PSM MODE PEER COUNT     opens so many at once; over a single one SDUs of many lengths, compared
 *
 * ADAPTER and PEER are public addresses, MODE is credit or enhanced. It says a line for each thing that has happened.
 */
import koffi from "koffi";

const AF_BLUETOOTH = 31;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const BTPROTO_L2CAP = 0;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const SOL_BLUETOOTH = 274;
const BT_DEFER_SETUP = 7;
const BT_SNDMTU = 12;
const BT_RCVMTU = 13;
const BT_MODE = 15;
const BT_MODE_EXT_FLOWCTL = 4;
const LE_PUBLIC = 1;
const POLLIN = 1;
const POLLOUT = 4;
const SO_ERROR = 4;
const EINPROGRESS = 115;
const OWN_MTU = 600;
const LONGER_MTU = 900;
const CONNECT_TIMEOUT_S = 20;

const libc = koffi.load(null);
const calls = {
  socket: libc.func("socket", "int", ["int", "int", "int"]),
  bind: libc.func("bind", "int", ["int", "void *", "int"]),
  listen: libc.func("listen", "int", ["int", "int"]),
  accept: libc.func("accept", "int", ["int", "void *", "void *"]),
  connect: libc.func("connect", "int", ["int", "void *", "int"]),
  setsockopt: libc.func("setsockopt", "int", ["int", "int", "int", "void *", "int"]),
  getsockopt: libc.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]),
  read: libc.func("read", "int", ["int", "void *", "int"]),
  poll: libc.func("poll", "int", ["void *", "ulong", "int"]),
  write: libc.func("write", "int", ["int", "void *", "int"]),
  close: libc.func("close", "int", ["int"]),
};

/** @param {string} name @param {number} result */
function checked(name, result) {
  if (result < 0) throw new Error(`${name}: errno ${koffi.errno()}`);
  return result;
}

const say = (/** @type {unknown} */ value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** struct sockaddr_l2 with the type of a public address. @param {string} address @param {number} psm */
function socketAddress(address, psm) {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16LE(AF_BLUETOOTH, 0);
  bytes.writeUInt16LE(psm, 2);
  Buffer.from(address.replaceAll(":", ""), "hex").reverse().copy(bytes, 4);
  bytes[12] = LE_PUBLIC;
  return bytes;
}

/** @param {number} value @param {number} size */
function integer(value, size) {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntLE(value, 0, size);
  return bytes;
}

/** @param {number} fd @param {number} option @param {Buffer} value */
const set = (fd, option, value) => checked(`setsockopt ${option}`, calls.setsockopt(fd, SOL_BLUETOOTH, option, value, value.length));

/** A socket that is bound, with its mode and MTU. @param {string} adapter @param {number} psm @param {string} mode */
function open(adapter, psm, mode, flags = 0) {
  const fd = checked("socket", calls.socket(AF_BLUETOOTH, SOCK_SEQPACKET | flags, BTPROTO_L2CAP));
  checked("bind", calls.bind(fd, socketAddress(adapter, psm), 14));
  if (mode === "enhanced") set(fd, BT_MODE, integer(BT_MODE_EXT_FLOWCTL, 1));
  set(fd, BT_RCVMTU, integer(OWN_MTU, 2));
  return fd;
}

/** @param {number} fd @param {number} event */
function wait(fd, event) {
  const asked = Buffer.alloc(8);
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(event, 4);
  while (checked("poll", calls.poll(asked, 1, 200)) === 0);
}

/** The next SDU into `into`; 0 octets: the channel is closed. Asked again and again, since a wait in `read` was seen to oversleep what had come. @param {number} fd @param {Buffer} into */
function receive(fd, into) {
  wait(fd, POLLIN);
  return checked("read", calls.read(fd, into, into.length));
}

/** @param {number} fd */
function sendMtu(fd) {
  const value = Buffer.alloc(2);
  checked("getsockopt BT_SNDMTU", calls.getsockopt(fd, SOL_BLUETOOTH, BT_SNDMTU, value, integer(2, 4)));
  return value.readUInt16LE(0);
}

const [, , action = "", adapter = "", psmText = "", mode = "", peer = "", count = "1"] = process.argv;
const psm = Number(psmText);

if (action === "listen") {
  const fd = open(adapter, psm, mode);
  checked("listen", calls.listen(fd, 5));
  say({ listening: psm });
  for (;;) {
    const channel = checked("accept", calls.accept(fd, null, null));
    say({ accepted: true, sendMtu: sendMtu(channel) });
    const into = Buffer.alloc(65_536);
    let sdus = 0;
    for (;;) {
      const length = receive(channel, into);
      if (length === 0) break;
      sdus++;
      checked("write", calls.write(channel, into.subarray(0, length), length));
    }
    say({ closed: true, sdus });
    calls.close(channel);
  }
} else {
  /** @type {number[]} */
  const channels = [];
  for (let i = 0; i < Number(count); i++) {
    const fd = open(adapter, 0, mode, SOCK_NONBLOCK);
    const limit = Buffer.alloc(16);
    limit.writeBigInt64LE(BigInt(CONNECT_TIMEOUT_S), 0);
    checked("SO_SNDTIMEO", calls.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, limit, 16));
    // All but the last wait for it, and are asked for with it in one request.
    if (i < Number(count) - 1) set(fd, BT_DEFER_SETUP, integer(1, 4));
    channels.push(fd);
  }
  for (const fd of channels) {
    // Those that wait for the last one would block; with it all of them are asked for.
    if (calls.connect(fd, socketAddress(peer, psm), 14) < 0 && koffi.errno() !== EINPROGRESS)
      throw new Error(`connect: errno ${koffi.errno()}`);
  }
  for (const fd of channels) {
    wait(fd, POLLOUT);
    const failure = Buffer.alloc(4);
    checked("getsockopt SO_ERROR", calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, failure, integer(4, 4)));
    if (failure.readInt32LE(0) !== 0) throw new Error(`connect: errno ${failure.readInt32LE(0)}`);
  }
  say({ connected: channels.length, sendMtu: channels.map(sendMtu) });
  // Linux 6.1 takes the destination CIDs of the response in the order of its own list, which is not that of its request (lab/README.md): what is
  // sent on one of several channels comes back on another one.
  if (channels.length > 1) process.exit(); // which closes them
  const into = Buffer.alloc(65_536);
  let sdus = 0;
  for (const length of [1, 2, 100, 186, 187, 188, 300, OWN_MTU]) {
    for (const [i, fd] of channels.entries()) {
      const sdu = Buffer.from(Array.from({ length }, (_, at) => (at * 7 + i + length) & 0xff));
      checked("write", calls.write(fd, sdu, length));
      const got = receive(fd, into);
      if (!into.subarray(0, got).equals(sdu)) throw new Error(`an SDU of ${length} octets came back as ${got}, or changed`);
      sdus++;
    }
  }
  say({ echoed: sdus });
  if (mode === "enhanced") {
    // A longer MTU of a socket that is connected is a Credit Based Reconfigure Request; the peer answers it with an SDU as long.
    for (const fd of channels) set(fd, BT_RCVMTU, integer(LONGER_MTU, 2));
    for (const fd of channels) say({ reconfigured: LONGER_MTU, received: receive(fd, into) });
  }
  for (const fd of channels) calls.close(fd);
  say({ done: true });
}
