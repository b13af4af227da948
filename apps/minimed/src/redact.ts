import { type Address, Logger, LogLevel } from "jelling/core";

/** An address that lets two devices be told apart without naming one: its first and last octet. */
export function redactAddress(address: Address): string {
  const octets = address.toHex().split(":");
  return `${octets[0]}:··:··:··:··:${octets[5]}`;
}

/** A name or serial number with its digits hidden but the last one: "Pump 1234567H" becomes "Pump ······7H". */
export function redactName(text: string): string {
  const last = text.search(/\d(?=\D*$)/);
  return Array.from(text, (character, at) => (/\d/.test(character) && at !== last ? "·" : character)).join("");
}

const ADDRESS = /\b([0-9A-F]{2}):(?:[0-9A-F]{2}:){4}([0-9A-F]{2})\b/gi;
/** Name and serial number of a pump: "Pump 1234567H", "NG1234567H". */
const PUMP_NAME = /\b(?:Pump |NG)\d{7}/g;

/** Text without the addresses, names and serial numbers of people's devices, as far as their form shows them. */
export function redactText(text: string): string {
  return text.replace(ADDRESS, "$1:··:··:··:··:$2").replace(PUMP_NAME, redactName);
}

const METHODS = {
  [LogLevel.Error]: "error",
  [LogLevel.Warn]: "warn",
  [LogLevel.Info]: "info",
  [LogLevel.Debug]: "debug",
  [LogLevel.Trace]: "trace",
} as const;

/** A logger whose lines reach `logger` redacted: the stack below the connector names its peers in full. */
export function redactingLogger(logger: Logger): Logger {
  return new Logger("", logger.level, (level, scope, message) => {
    if (level === LogLevel.Silent) return;
    (scope ? logger.child(scope) : logger)[METHODS[level]](redactText(message));
  });
}
