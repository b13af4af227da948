// @ts-check
/**
 * The lab could not do its work: as opposed to the command inside, whose failure is its exit status.
 *
 * Codes: ERR_LAB_UNAVAILABLE (something is not installed), ERR_LAB_NOT_UP (the machine did not come up; nothing of the command
 * ran), ERR_LAB_BOOT (it went down before the command was over), ERR_LAB_TIMEOUT, ERR_LAB_ABORTED.
 */
export class LabError extends Error {
  /**
   * @param {"ERR_LAB_UNAVAILABLE" | "ERR_LAB_NOT_UP" | "ERR_LAB_BOOT" | "ERR_LAB_TIMEOUT" | "ERR_LAB_ABORTED"} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = "LabError";
    this.code = code;
  }
}
