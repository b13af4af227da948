import { fromHex } from "jelling/bytes";
import { decodeOutOfBandData } from "jelling/gap";
import type { OutOfBandData } from "jelling/smp";
import { UsageError } from "./errors.ts";
import { readInput } from "./input-file.ts";

const LONGEST = 1024;

/**
 * What a device gave out of band: hexadecimal digits, or @FILE with the octets of a tag or with such digits.
 *
 * @throws {UsageError} neither, or octets that are no such data; shows nothing of them
 */
export async function readOutOfBand(text: string, signal: AbortSignal): Promise<OutOfBandData> {
  try {
    if (!text.startsWith("@")) return decodeOutOfBandData(digits(text) ?? fail("expected hexadecimal digits, or @FILE"));
    const octets = await readInput(text.slice(1), { signal, maxOctets: 2 * LONGEST });
    return decodeOutOfBandData(digits(new TextDecoder().decode(octets)) ?? octets);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof UsageError ? error : new UsageError(`--oob: ${(error as Error).message}`, { cause: error });
  }
}

function fail(problem: string): never {
  throw new UsageError(`--oob: ${problem}`);
}

function digits(text: string): Uint8Array | undefined {
  const trimmed = text.replace(/[\s:]/g, "");
  return trimmed.length > 0 && /^([0-9a-f]{2})*$/i.test(trimmed) ? fromHex(trimmed) : undefined;
}
