import { checkCid, checkConnHandle, checkInt } from "./arguments.ts";
import { type Bytes, toOctets, toWritable } from "./bytes.ts";
import { GapMethods } from "./gap-methods.ts";

const LONGEST = 0xffff_ffff;

/** `l2cap_*` of `BLE`. */
export abstract class ChannelMethods extends GapMethods {
  /**
   * Takes channels that peers open, until `l2capUnlisten` or `active(false)`: an `l2capAccept` for each, whose answer may refuse it with a number
   * that is not zero, and an `l2capConnect`.
   *
   * @param psm 1 to 255
   * @param mtu longest SDU that is taken, octets; held within 32 to 65535
   * @throws {BleOsError} ENODEV · EALREADY: listening to this PSM · EINVAL
   */
  async l2capListen(psm: number, mtu: number): Promise<void> {
    checkInt("l2capListen: psm", psm, -LONGEST, LONGEST);
    checkInt("l2capListen: mtu", mtu, -LONGEST, LONGEST);
    this.running("l2capListen").channels.listen(psm, mtu);
  }

  /** Takes no more channels of this PSM; those that are open stay. @throws {BleOsError} ENODEV · EINVAL: not listening to it */
  async l2capUnlisten(psm: number): Promise<void> {
    checkInt("l2capUnlisten: psm", psm, -LONGEST, LONGEST);
    this.running("l2capUnlisten").channels.unlisten(psm);
  }

  /**
   * Opens a channel: `l2capConnect` tells of it, `l2capDisconnect` with a status that none came about.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · EINVAL · ENOMEM: all channels of the connection are in use
   */
  async l2capConnect(connHandle: number, psm: number, mtu: number): Promise<void> {
    checkConnHandle(connHandle);
    checkInt("l2capConnect: psm", psm, -LONGEST, LONGEST);
    checkInt("l2capConnect: mtu", mtu, -LONGEST, LONGEST);
    this.running("l2capConnect").channels.connect(connHandle, psm, mtu);
  }

  /** Begins to close a channel; `l2capDisconnect` tells when it is over. @throws {BleOsError} ENODEV · EINVAL: no such channel */
  async l2capDisconnect(connHandle: number, cid: number): Promise<void> {
    checkConnHandle(connHandle);
    checkCid(cid);
    this.running("l2capDisconnect").channels.disconnect(connHandle, cid);
  }

  /**
   * Sends an SDU.
   *
   * @param data octets, copied
   * @returns true: it has gone completely; false: it goes when the peer and the controller have room, and nothing more can be sent until
   *   `l2capSendReady`
   * @throws {BleOsError} ENODEV · EINVAL: no such channel, or longer than the peer takes · EBUSY: until `l2capSendReady`
   */
  l2capSend(connHandle: number, cid: number, data: Bytes): boolean {
    checkConnHandle(connHandle);
    checkCid(cid);
    const sdu = toOctets("l2capSend: data", data);
    return this.running("l2capSend").channels.send(connHandle, cid, sdu);
  }

  /**
   * Reads what was received, as a stream of octets. The peer may send more when there is nothing left, and the handler of `l2capRecv` is done.
   *
   * @param into where to copy to; null asks how much there is
   * @returns octets copied, or available
   * @throws {BleOsError} ENODEV · EINVAL: no such channel
   */
  l2capRecvInto(connHandle: number, cid: number, into: Uint8Array | ArrayBufferLike | ArrayBufferView | null): number {
    checkConnHandle(connHandle);
    checkCid(cid);
    const target = into === null ? undefined : toWritable("l2capRecvInto: into", into);
    return this.running("l2capRecvInto").channels.receive(connHandle, cid, target);
  }
}
