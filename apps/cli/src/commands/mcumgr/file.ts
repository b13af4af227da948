import { codeOf } from "../../errors.ts";
import { PartialFile } from "../../output-file.ts";
import { GOES_ON, ProgressShow, show, showRows, withProgress, withWayOn } from "./output.ts";
import { type Invocation, type Managed, readDataFile, withClient } from "./session.ts";

export async function upload(at: Invocation, file: string, destination: string): Promise<void> {
  const { context } = at;
  const data = await readDataFile(context, file, { mayBeEmpty: true });
  await withClient(at, async ({ client, signal }) => {
    const result = await withProgress({ context, signal }, ({ at: onProgress }) =>
      client.uploadFile(destination, data, { signal, onProgress }),
    );
    show(context, { type: "uploaded", name: destination, ...result, durationMs: Math.round(result.durationMs) });
  });
}

export async function download(at: Invocation, name: string, destination: string | undefined): Promise<void> {
  const file = await PartialFile.open(destination, name); // before anything is asked for: it may not be writable
  try {
    await withClient(at, (managed) => downloadTo(at, managed, name, file));
  } finally {
    file.keep();
  }
}

async function downloadTo({ context }: Invocation, { client, signal }: Managed, name: string, file: PartialFile): Promise<void> {
  const progress = new ProgressShow(context, "download");
  const stop = new AbortController();
  let fault: { error: unknown } | undefined;
  const onData = (data: Uint8Array, offset: number): void => {
    if (fault) return;
    try {
      file.write(data, offset);
    } catch (error) {
      fault = { error };
      stop.abort(error);
    }
  };
  try {
    const { data, ...result } = await client.downloadFile(name, {
      resumeFrom: file.read(),
      signal: AbortSignal.any([signal, stop.signal]),
      onProgress: progress.at,
      onData,
    });
    if (fault) throw fault.error;
    file.finish(data.length);
    progress.end();
    show(context, { type: "downloaded", file: file.path, ...result, durationMs: Math.round(result.durationMs) });
  } catch (error) {
    progress.end();
    // What cannot be written, or is not what the device has, is of no use for another time.
    if (fault || codeOf(error) === "ERR_MCUMGR_MISMATCH" || isSystemError(error)) file.discard();
    if (fault) throw fault.error;
    const { share } = progress;
    throw share === undefined || file.keep() === 0 ? error : withWayOn(context, signal, error, `stopped at ${share} %: ${GOES_ON}`);
  } finally {
    progress.end();
  }
}

/** Of this machine's file system. */
function isSystemError(error: unknown): boolean {
  return typeof (error as { syscall?: unknown } | null)?.syscall === "string";
}

export function size(at: Invocation, name: string): Promise<void> {
  return withClient(at, async ({ client, signal }) => show(at.context, { name, ...(await client.files.status({ name }, { signal })) }));
}

export function hash(at: Invocation, name: string, { type }: { type?: string }): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const answer = await client.files.hash({ name, ...(type !== undefined && { type }) }, { signal, timeoutMs: 60_000 });
    const { output } = answer;
    show(at.context, { name, ...answer, output: typeof output === "number" ? output.toString(16).padStart(8, "0") : output });
  });
}

export function hashTypes(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { types } = await client.files.supportedHashes({}, { signal });
    showRows(
      at.context,
      Object.entries(types).map(([type, { format, size: octets }]) => ({ type, format: format === 0 ? "number" : "octets", size: octets })),
    );
  });
}
