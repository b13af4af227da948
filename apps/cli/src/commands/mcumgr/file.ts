import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { show, showRows, withProgress } from "./output.ts";
import { type Invocation, withClient } from "./session.ts";

export async function upload(at: Invocation, file: string, destination: string): Promise<void> {
  const data = new Uint8Array(await readFile(file));
  await withClient(at, async ({ client, signal }) => {
    const result = await withProgress(at.context, "upload", ({ at: onProgress }) =>
      client.uploadFile(destination, data, { signal, onProgress }),
    );
    show(at.context, { type: "uploaded", name: destination, ...result, durationMs: Math.round(result.durationMs) });
  });
}

export async function download(at: Invocation, name: string, destination: string | undefined): Promise<void> {
  const path = destination ?? basename(name);
  await withClient(at, async ({ client, signal }) => {
    const { data, ...result } = await withProgress(at.context, "download", ({ at: onProgress }) =>
      client.downloadFile(name, { signal, onProgress }),
    );
    await writeFile(path, data);
    show(at.context, { type: "downloaded", file: path, ...result, durationMs: Math.round(result.durationMs) });
  });
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
