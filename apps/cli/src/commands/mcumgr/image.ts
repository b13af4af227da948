import { fromHex } from "jelling/bytes";
import { UsageError } from "../../errors.ts";
import { writeWhole } from "../../output-file.ts";
import { plain, show, showRows, withProgress } from "./output.ts";
import { type Invocation, type Managed, readDataFile, readFirmwareFile, withClient } from "./session.ts";

/** Flags as a word each, for people. */
const FLAGS = ["active", "confirmed", "pending", "permanent", "bootable"] as const;

async function showState({ context }: Invocation, { client, signal }: Managed): Promise<void> {
  const { images } = await client.image.state({}, { signal });
  const rows = images.map(({ hash, ...entry }) => ({ ...entry, hash }));
  if (context.terminal.json) showRows(context, rows);
  else
    showRows(
      context,
      rows.map((row) => ({
        image: row.image,
        slot: row.slot,
        version: row.version,
        flags: FLAGS.filter((flag) => row[flag]).join(" ") || "-",
        hash: row.hash,
      })),
    );
}

export function state(at: Invocation): Promise<void> {
  return withClient(at, (managed) => showState(at, managed));
}

function digest(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^([0-9a-f]{2})+$/i.test(text))
    throw new UsageError(`"${text}" is no digest: expected hexadecimal octets, as "image state" prints them`);
  return fromHex(text);
}

export function test(at: Invocation, hash: string): Promise<void> {
  return setState(at, digest(hash), false);
}

export function confirm(at: Invocation, hash: string | undefined): Promise<void> {
  return setState(at, digest(hash), true);
}

export function stateWrite(at: Invocation, hash: string | undefined, { confirm: stays = false }: { confirm?: boolean }): Promise<void> {
  if (hash === undefined && !stays)
    throw new UsageError("state-write: the digest of which image? (--confirm alone means the one that runs)");
  return setState(at, digest(hash), stays);
}

function setState(at: Invocation, hash: Uint8Array | undefined, confirmed: boolean): Promise<void> {
  return withClient(at, async (managed) => {
    await managed.client.image.setState({ ...(hash && { hash }), confirm: confirmed }, { signal: managed.signal });
    await showState(at, managed);
  });
}

export function erase(at: Invocation, slot: number | undefined): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    at.context.terminal.status("erasing …");
    await client.image.erase(slot === undefined ? {} : { slot }, { signal });
    show(at.context, { erased: slot ?? "the slot that does not run" });
  });
}

export function slots(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { images } = await client.image.slotInfo({}, { signal });
    showRows(
      at.context,
      images.flatMap(({ image, slots: list, maxImageSize }) => list.map((slot) => ({ image, ...slot, maxImageSize }))),
    );
  });
}

interface UploadOptions {
  image?: number;
  upgrade?: boolean;
  force?: boolean;
}

export async function upload(at: Invocation, file: string, options: UploadOptions): Promise<void> {
  const octets = await imageOf(at, file, options);
  await withClient(at, async ({ client, signal }) => {
    const result = await withProgress({ context: at.context, signal }, (progress) =>
      client.uploadImage(octets, { image: options.image, upgrade: options.upgrade, signal, onProgress: progress.at }),
    );
    show(at.context, { type: "uploaded", ...result, durationMs: Math.round(result.durationMs) });
  });
}

/** What the file holds, looked at unless `force`. */
async function imageOf({ context }: Invocation, file: string, { force = false, image: number }: UploadOptions): Promise<Uint8Array> {
  if (force) return await readDataFile(context, file);
  const { verifyImage } = await import("jelling/mcumgr");
  const { images } = await readFirmwareFile(context, file);
  const chosen = images.length === 1 ? images[0] : images.find(({ imageIndex }) => imageIndex === (number ?? 0));
  if (chosen === undefined) throw new UsageError(`${file}: the package has no image ${number ?? 0}`);
  verifyImage(chosen.image);
  return chosen.octets;
}

/** Everything about the images in a file; no device is needed. */
export async function info({ context }: Invocation, file: string): Promise<void> {
  const { describeImage } = await import("jelling/mcumgr");
  const { kind, images } = await readFirmwareFile(context, file);
  for (const { file: name, imageIndex, slot, image } of images) {
    const { tlvs, digest: own, warnings, ...rest } = describeImage(image);
    const described = { kind, file: name, image: imageIndex, slot, ...rest, digest: own, warnings, tlvs };
    if (context.terminal.json) context.terminal.object(plain(described) as Record<string, unknown>);
    else {
      const digestText = own === null ? "none" : `${own.algorithm} ${own.value} (${own.check})`;
      show(context, {
        ...described,
        flags: rest.flags.join(", ") || "none",
        digest: digestText,
        signatures: rest.signatures.join(", ") || "none",
        dependencies: rest.dependencies.map((other) => `image ${other.image} from ${other.version}`).join(", ") || "none",
        warnings: warnings.join(" ") || "none",
        tlvs: tlvs.map((tlv) => tlv.name).join(", "),
      });
    }
  }
}

/** An image that every bootloader of the simulation takes; it is no program. */
export async function create({ context }: Invocation, file: string, version: string, { size }: { size: number }): Promise<void> {
  const { createImage } = await import("jelling/testing");
  const octets = createImage({ version, bodySize: size });
  await writeWhole(file, octets);
  show(context, { file, version, length: octets.length });
}
