import { sha256 } from "@noble/hashes/sha2.js";
import type { Clock } from "../../async/clock.ts";
import { crc32 } from "../../bytes/crc32.ts";
import { concat } from "../../bytes/hex.ts";
import { McumgrReturnCode } from "../../mcumgr/protocol/codes.ts";
import { FilesGroup } from "../../mcumgr/protocol/groups/files.ts";
import { type RequestContext, refuse, refuseProtocol, type ServedGroup, serveGroup } from "./service.ts";

const PATH_LIMIT = 64;
/** As many as the file system has room for, be they empty: what clients name must not fill the memory. */
const FILE_LIMIT = 1024;
/** How long the server keeps a file open for the next chunk. */
const IDLE_MS = 5000;
/** Octets around the data of a download: header, map, keys and numbers. */
const DOWNLOAD_OVERHEAD = 40;

export interface FileServiceOptions {
  readonly clock: Clock;
  /** Where file systems are mounted, as "/lfs1". */
  readonly mounts: readonly string[];
  /** Octets of all files together. */
  readonly capacity: number;
  readonly bufSize: number;
  /** Most octets of one piece of a download. */
  readonly chunk: number;
  readonly without: ReadonlySet<string>;
}

/** The file that is open for upload. */
interface OpenFile {
  readonly name: string;
  /** The kind of the link: a server tells transports apart, not peers. */
  readonly transport: string;
  off: number;
  usedAtMs: number;
}

/** Files that outlive resets, and the group that serves them. */
export class FileService {
  readonly group: ServedGroup;
  readonly files: Map<string, Uint8Array>;
  readonly #options: FileServiceOptions;
  #open: OpenFile | undefined;

  /** @param files what is there; changed as the server changes it */
  constructor(files: Map<string, Uint8Array>, options: FileServiceOptions) {
    this.files = files;
    this.#options = options;
    this.group = serveGroup(
      FilesGroup,
      {
        download: ({ name, off }) => {
          const octets = this.#read(name);
          const most = Math.max(1, Math.min(options.chunk, options.bufSize - DOWNLOAD_OVERHEAD));
          return { off, data: octets.slice(off, off + most), len: off === 0 ? octets.length : undefined };
        },
        upload: (chunk, context) => this.#upload(chunk, context),
        status: ({ name }) => ({ len: this.#read(name).length }),
        hash: ({ name, type = "crc32", off = 0, len }) => this.#hash(name, type, off, len),
        supportedHashes: () => ({ types: { crc32: { format: 0, size: 4 }, sha256: { format: 1, size: 32 } } }),
        close: () => this.close(),
      },
      { title: "fs mgmt", without: options.without },
    );
  }

  /** Whatever is open is closed, as a reset does it. */
  close(): void {
    this.#open = undefined;
  }

  #checkPath(name: string): void {
    if (name === "" || name.length > PATH_LIMIT) throw refuse(FilesGroup, 2);
    const isMounted = this.#options.mounts.some((mount) => name === mount || name.startsWith(`${mount}/`));
    if (!isMounted) throw refuse(FilesGroup, 14);
    const isDirectory = this.#options.mounts.includes(name) || [...this.files.keys()].some((file) => file.startsWith(`${name}/`));
    if (isDirectory) throw refuse(FilesGroup, 4);
  }

  #read(name: string): Uint8Array {
    this.#checkPath(name);
    const octets = this.files.get(name);
    if (octets === undefined) throw refuse(FilesGroup, 3);
    return octets;
  }

  #hash(name: string, type: string, off: number, len: number | undefined) {
    if (type !== "crc32" && type !== "sha256") throw refuse(FilesGroup, 13);
    const octets = this.#read(name);
    if (octets.length === 0) throw refuse(FilesGroup, 16);
    if (off > 0 && off >= octets.length) throw refuse(FilesGroup, 12);
    const part = octets.subarray(off, len === undefined ? octets.length : off + len);
    return { type, off: off === 0 ? undefined : off, len: part.length, output: type === "crc32" ? crc32(part) : sha256(part) };
  }

  #upload(
    { name, off, data, len }: { name: string; off: number; data: Uint8Array; len?: number },
    { link }: RequestContext,
  ): { off: number } {
    const { clock } = this.#options;
    const nowMs = clock.now();
    const transport = link.info.kind;
    if (this.#open !== undefined && nowMs - this.#open.usedAtMs > IDLE_MS) this.#open = undefined;
    if (this.#open !== undefined && this.#open.transport !== transport) throw refuseProtocol(McumgrReturnCode.Busy);
    this.#checkPath(name);
    if (off === 0) {
      if (len === undefined) throw refuseProtocol(McumgrReturnCode.Invalid);
      if (this.files.size >= FILE_LIMIT && !this.files.has(name)) throw refuse(FilesGroup, 5);
      this.files.set(name, new Uint8Array());
      this.#open = { name, transport, off: 0, usedAtMs: nowMs };
    }
    if (this.#open?.name !== name) this.#open = { name, transport, off: this.files.get(name)?.length ?? 0, usedAtMs: nowMs };
    const open = this.#open;
    if (off !== open.off) {
      // The next request opens the file anew and takes its length as the offset.
      this.#open = undefined;
      throw refuse(FilesGroup, 11, { more: { len: open.off } });
    }
    const before = this.files.get(name) ?? new Uint8Array();
    let used = data.length;
    for (const octets of this.files.values()) used += octets.length;
    if (used > this.#options.capacity) {
      this.#open = undefined;
      throw refuse(FilesGroup, 10);
    }
    this.files.set(name, concat(before, data));
    open.off += data.length;
    open.usedAtMs = nowMs;
    return { off: open.off };
  }
}
