import type { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { finished } from "node:stream/promises";
import type { CaptureFormat } from "../capture/capture-reader.ts";
import { type CaptureSink, CaptureWriter, type CaptureWriterOptions } from "../capture/capture-writer.ts";
import { FileError } from "./private-file.ts";

export interface CaptureFileOptions extends CaptureWriterOptions {
  /** Default: by the file's ending, pcapng for `.pcapng`, btsnoop for every other. */
  readonly format?: CaptureFormat | undefined;
  /** Octets that may wait for the disk; packets beyond are dropped and counted. Default 64 MiB. */
  readonly queueBytes?: number | undefined;
}

const QUEUE_BYTES = 64 * 1024 * 1024;

/**
 * Opens a capture for writing; what was in the file is gone. Only its owner may read it: a capture holds what was said, even
 * without the keys.
 *
 * @throws {FileError} it cannot be written
 */
export async function openCaptureFile(
  path: string,
  { queueBytes = QUEUE_BYTES, format = formatOf(path), ...options }: CaptureFileOptions = {},
): Promise<CaptureWriter> {
  let stream: ReturnType<typeof createWriteStream>;
  try {
    const file = await open(path, "w", 0o600);
    stream = file.createWriteStream();
  } catch (error) {
    throw failed(path, error);
  }
  let fault: unknown;
  stream.on("error", (error) => {
    fault ??= error;
  });
  const sink: CaptureSink = {
    write: (chunk) => {
      if (fault !== undefined || stream.writableLength + chunk.length > queueBytes) return false;
      stream.write(chunk);
      return true;
    },
    close: async (last) => {
      try {
        if (fault === undefined) {
          if (last) stream.write(last);
          stream.end();
          await finished(stream);
        }
      } catch (error) {
        fault ??= error;
      }
      if (fault !== undefined) throw failed(path, fault);
    },
  };
  return new CaptureWriter(sink, { ...options, format });
}

function formatOf(path: string): CaptureFormat {
  return /\.pcapng$/i.test(path) ? "pcapng" : "btsnoop";
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "there is no such folder",
  EISDIR: "it is a folder",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
};

function failed(path: string, error: unknown): FileError {
  const { code } = error as { code?: string };
  const why = (code && REASONS[code]) ?? code ?? String(error);
  return new FileError(path, "io", `the capture ${path} cannot be written: ${why}`, { cause: error });
}
