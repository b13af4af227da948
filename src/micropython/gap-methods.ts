import { optionNames } from "../core/index.ts";
import { parseAddress } from "./addresses.ts";
import { checkConnHandle, checkInt, checkNamed, checkTruth, optionalOctets } from "./arguments.ts";
import type { Bytes } from "./bytes.ts";
import { AddrType, type PasskeyAction } from "./constants.ts";
import { BleArgumentError } from "./errors.ts";
import { checkAdvertising } from "./gap-advertise.ts";
import { GattMethods } from "./gatt-methods.ts";

export interface GapAdvertiseOptions {
  /** Scan response: at most 31 octets; nothing: what was given before. */
  readonly respData?: Bytes | null | undefined;
  /** True by default; otherwise scannable (ADV_SCAN_IND). */
  readonly connectable?: boolean | number | undefined;
}

const ADVERTISE_OPTIONS = optionNames<GapAdvertiseOptions>({ respData: true, connectable: true });

const LONGEST = 0xffff_ffff;

/** `gap_*` of `BLE`, pairing among them. */
export abstract class GapMethods extends GattMethods {
  /**
   * Advertises; what was advertised before is replaced. A connection ends it.
   *
   * @param intervalUs microseconds, 20,000 to 10,240,000; 500,000 by default; 0 leaves it to the host; null stops, and is never an error
   * @param advData at most 31 octets; null or nothing: what was given before
   * @throws {BleOsError} ENODEV · EINVAL · ENOMEM: no room for the connection that could come of it
   */
  async gapAdvertise(intervalUs: number | null = 500_000, advData: Bytes | null = null, options: GapAdvertiseOptions = {}): Promise<void> {
    checkNamed("gapAdvertise", options, ADVERTISE_OPTIONS);
    if (intervalUs === null) {
      await this.activation?.advertising.stop();
      return;
    }
    checkInt("gapAdvertise: intervalUs", intervalUs, 0, LONGEST);
    const { respData, connectable = true } = options;
    const given = {
      intervalUs,
      data: optionalOctets("gapAdvertise: advData", advData),
      respData: optionalOctets("gapAdvertise: respData", respData),
      connectable: checkTruth("gapAdvertise: connectable", connectable),
    };
    const { advertising, errors } = this.running("gapAdvertise");
    checkAdvertising(given, errors);
    await advertising.start(given);
  }

  /**
   * Scans: a `scanResult` for each report, and a `scanDone` at the end.
   *
   * @param durationMs milliseconds; 0 (default) until it is stopped; null stops, and raises `scanDone` before it resolves
   * @param intervalUs microseconds, 1,280,000 by default @param windowUs microseconds, 11,250 by default; both are held within 2.5 ms to 10.24 s
   * @param active asks for scan responses, which are reported by themselves; false by default
   * @throws {BleOsError} ENODEV · EALREADY: scanning · EBUSY: connecting · EINVAL: a window longer than the interval
   */
  async gapScan(durationMs: number | null = 0, intervalUs = 1_280_000, windowUs = 11_250, active: boolean | number = false): Promise<void> {
    if (durationMs === null) {
      await this.activation?.scanning.stop();
      return;
    }
    checkInt("gapScan: durationMs", durationMs, 0, LONGEST);
    checkInt("gapScan: intervalUs", intervalUs, 0, LONGEST);
    checkInt("gapScan: windowUs", windowUs, 0, LONGEST);
    const isActive = checkTruth("gapScan: active", active);
    await this.running("gapScan").scanning.start({ durationMs, intervalUs, windowUs, active: isActive });
  }

  /** Gives up connecting; `peripheralDisconnect` of connection 0xFFFF tells. @throws {BleOsError} ENODEV · EALREADY: nothing to give up */
  gapConnect(cancel: null): Promise<void>;
  /**
   * Connects: `peripheralConnect` tells of the connection, `peripheralDisconnect` of connection 0xFFFF that none came about.
   *
   * @param addrType see AddrType; 2 and 3 are identities that a scan result had
   * @param addr six octets, most significant first, or "C0:11:22:33:44:55"
   * @param scanDurationMs how long to look for the peer, milliseconds; 2000 by default; 0 is 30 s
   * @param minUs @param maxUs bounds of the connection interval, microseconds; 30,000 and 50,000 by default
   * @throws {BleOsError} ENODEV · EALREADY: connecting, or connected to this peer · ENOMEM: no room for another connection · EINVAL
   */
  gapConnect(addrType: number, addr: Bytes, scanDurationMs?: number | null, minUs?: number | null, maxUs?: number | null): Promise<void>;
  async gapConnect(
    addrType: number | null,
    addr?: Bytes,
    scanDurationMs?: number | null,
    minUs?: number | null,
    maxUs?: number | null,
  ): Promise<void> {
    if (addrType === null && addr === undefined) {
      await this.running("gapConnect").connecting.cancel();
      return;
    }
    if (addr === undefined || addrType === null) throw new BleArgumentError("TypeError", "gapConnect: expected addrType and addr, or null");
    checkInt("gapConnect: addrType", addrType, 0, 0xff);
    const peer = parseAddress(addrType, addr);
    const given = {
      peer,
      scanDurationMs: checkInt("gapConnect: scanDurationMs", scanDurationMs ?? 2000, 0, LONGEST),
      minUs: checkInt("gapConnect: minUs", minUs ?? 0, 0, LONGEST),
      maxUs: checkInt("gapConnect: maxUs", maxUs ?? 0, 0, LONGEST),
    };
    const { connecting, errors } = this.running("gapConnect");
    if (addrType > AddrType.RandomIdentity) throw errors.create("EINVAL", `gapConnect: addrType ${addrType}: expected 0 to 3`);
    await connecting.start(given);
  }

  /** Begins to end a connection; its event tells when it is over. @returns false: there is no such connection @throws {BleOsError} ENODEV */
  async gapDisconnect(connHandle: number): Promise<boolean> {
    checkConnHandle(connHandle);
    return this.running("gapDisconnect").links.disconnect(connHandle);
  }

  /**
   * Begins to pair, or to encrypt with the keys of a bond; `encryptionUpdate` tells of the end. A peripheral asks the central for it.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · EALREADY: a pairing of this connection is under way
   */
  async gapPair(connHandle: number): Promise<void> {
    checkConnHandle(connHandle);
    this.running("gapPair").pairing.start(connHandle);
  }

  /**
   * Answers a `passkeyAction`, in the handler or later.
   *
   * @param action what was asked for: a value of PasskeyAction
   * @param passkey Input: what the user typed; Display: what the program has chosen and shows; NumericComparison: true where both devices show the
   *   same number
   * @throws {BleOsError} ENODEV · ENOTCONN · EINVAL: another action, or more than six digits · ENOENT: no pairing waits · EALREADY: it was answered
   */
  async gapPasskey(connHandle: number, action: PasskeyAction, passkey: number | boolean): Promise<void> {
    checkConnHandle(connHandle);
    checkInt("gapPasskey: action", action, -LONGEST, LONGEST);
    const answer = typeof passkey === "boolean" ? Number(passkey) : checkInt("gapPasskey: passkey", passkey, -LONGEST, LONGEST);
    this.running("gapPasskey").pairing.answer(connHandle, action, answer);
  }
}
