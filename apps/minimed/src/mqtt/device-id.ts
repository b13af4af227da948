import { createHmac } from "node:crypto";
import { ArgumentError, checkOctets, checkText } from "jelling/core";

/**
 * A name for a pump that cannot be traced to its serial number, of the form that the history database's names have: 16 hexadecimal digits. For
 * programs without a history database; with one, its name of the pump is the one to use.
 *
 * @param salt drawn at random once, kept, and told nobody: 16 octets or more
 */
export function hashedPumpName(serial: string, salt: Uint8Array): string {
  if (checkText("hashedPumpName: serial", serial) === "")
    throw new ArgumentError("hashedPumpName: serial: expected text that is not empty");
  return createHmac("sha256", checkOctets("hashedPumpName: salt", salt, { minLength: 16 }))
    .update(serial, "utf8")
    .digest("hex")
    .slice(0, 16);
}
