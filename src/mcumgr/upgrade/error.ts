import { BleError } from "../../core/error.ts";

/**
 * Why an upgrade ended without its aim. `refused`: the server refused a step (see `cause`). `not-stored`: the image is not in its slot after the
 * upload. `not-marked`: the server did not note that the image is to be started. `not-started`: the device was reset and runs what it ran before,
 * and the bootloader has not taken the new image. `reverted`: it went back to what it ran before. `not-bootable`: nothing runs but the bootloader.
 * `no-recovery`: the bootloader's recovery was asked for and is not there. `no-answer`: the device does not answer after its reset.
 * `not-confirmed`: the server did not note that the image stays.
 */
export type UpgradeFailure =
  | "refused"
  | "not-stored"
  | "not-marked"
  | "not-started"
  | "reverted"
  | "not-bootable"
  | "no-recovery"
  | "no-answer"
  | "not-confirmed";

/** An upgrade came to an end that is not its aim. The device runs an image that it ran before, or the new one; `advice` says how to go on. */
export class UpgradeError extends BleError {
  readonly code = "ERR_UPGRADE";
  readonly reason: UpgradeFailure;
  /** What to do, in a sentence or two. */
  readonly advice: string;
  /** Which of the device's images. */
  readonly image: number | undefined;
  constructor(reason: UpgradeFailure, said: { message: string; advice: string; image?: number | undefined }, options?: ErrorOptions) {
    super(`${said.message}: ${said.advice}`, options);
    this.reason = reason;
    this.advice = said.advice;
    this.image = said.image;
  }
}
