// @ts-check
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createArchive, FileType } from "./cpio.mjs";
import { LabError } from "./error.mjs";

const run = promisify(execFile);

/** The guest's busybox; it must be the static one, since the first root has no libraries. */
export const busyboxPath = "/bin/busybox";

/** What the guest loads before its first command; what these depend on is found in the modules themselves. */
const moduleNames = [
  "virtio_pci virtio_console 9pnet_virtio 9p overlay",
  // What bluetooth's P-256 self-test draws its random numbers with has to be there before: without it Secure Connections is off.
  "ctr hmac sha512_generic sha3_generic jitterentropy_rng drbg ecdh_generic",
  // The ciphers of the kernel's Security Manager, and bluetoothd's way to them.
  "cmac ecb ccm algif_hash algif_skcipher",
  "bluetooth hci_vhci uhid",
].flatMap((names) => names.split(" "));

/** The folder with the kernel and the first root: `JELLING_LAB_CACHE`, else `jelling/lab` in the XDG cache folder. */
export function cacheFolder() {
  return process.env.JELLING_LAB_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "jelling", "lab");
}

/**
 * The kernel and the first root, from the cache or made now. Downloading takes some seconds and about 70 MB, once. Several processes may
 * ask at once: each works in a folder of its own and moves the finished file into its place.
 *
 * @returns {Promise<{ kernel: string, initramfs: string }>}
 * @throws {LabError} there is no kernel in the cache and no way to get one
 */
export async function prepareKernel() {
  const cache = cacheFolder();
  await mkdir(cache, { recursive: true });
  const init = fileURLToPath(new URL("guest/init", import.meta.url));
  const busybox = await stat(busyboxPath);
  const inputs = createHash("sha256");
  inputs.update(JSON.stringify([moduleNames, busybox.size, busybox.mtimeMs])).update(await readFile(init));
  inputs.update(await readFile(new URL(import.meta.url))).update(await readFile(new URL("cpio.mjs", import.meta.url)));
  const key = inputs.digest("hex").slice(0, 16);

  const found = await bestPackage(cache);
  if (found) {
    const files = { kernel: join(cache, `${found}.kernel`), initramfs: join(cache, `${found}.${key}.initramfs`) };
    if ((await exists(files.kernel)) && (await exists(files.initramfs))) return files;
  }

  const scratch = await mkdtemp(join(cache, "making-"));
  try {
    const name = found ?? (await downloadPackage(cache, scratch).catch(async (error) => cachedInstead(cache, error)));
    const tree = join(scratch, "tree");
    await run("dpkg", ["-x", join(cache, `${name}.deb`), tree]);
    const release = (await readdir(join(tree, "lib/modules")))[0] ?? "";
    await writeFile(join(scratch, "initramfs"), await createInitramfs(join(tree, "lib/modules", release), init));
    for (const file of await readdir(cache))
      if (file.startsWith(`${name}.`) && file.endsWith(".initramfs")) await rm(join(cache, file), { force: true });
    const files = { kernel: join(cache, `${name}.kernel`), initramfs: join(cache, `${name}.${key}.initramfs`) };
    await unpackKernel(join(tree, "boot", `vmlinuz-${release}`), join(scratch, "kernel"));
    await rename(join(scratch, "kernel"), files.kernel);
    await rename(join(scratch, "initramfs"), files.initramfs);
    return files;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Whether a kernel is in the cache already. */
export async function hasKernel() {
  return (await bestPackage(cacheFolder(), { anyKernel: true })) !== undefined;
}

/**
 * Kernels that the scenarios have been tried on, the best first. The one that linux-image-amd64 stands for may be 6.1.192-3, in which closing an
 * L2CAP socket after its link was lost is a kernel BUG, and what touches Bluetooth afterwards hangs.
 */
const soundImages = [/^linux-image-6\.1\.0-47-amd64(_|$)/, /^linux-image-6\.12\.\d+\+deb12-amd64(_|$)/];

/** The best in the cache; one that is not known to be sound only where nothing else can be had. @param {string} cache */
async function bestPackage(cache, { anyKernel = false } = {}) {
  const files = await readdir(cache).catch(() => []);
  const names = files.filter((file) => file.startsWith("linux-image-") && file.endsWith(".deb")).map((file) => basename(file, ".deb"));
  return best(names) ?? (anyKernel ? newest(names) : undefined);
}

/** @param {string[]} names */
const newest = (names) => names.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);

/** @param {string[]} names */
function best(names) {
  for (const pattern of soundImages) {
    const found = newest(names.filter((name) => pattern.test(name)));
    if (found) return found;
  }
  return undefined;
}

/**
 * @param {string} cache
 * @param {unknown} error why no kernel could be fetched
 */
async function cachedInstead(cache, error) {
  const name = await bestPackage(cache, { anyKernel: true });
  if (name === undefined) throw error;
  warnOf(name);
  return name;
}

/** @param {string} name */
function warnOf(name) {
  process.stderr.write(`kernel lab: ${name} is used; it is not known to survive an L2CAP socket that is closed after its link was lost.\n`);
}

/**
 * Fetches the best kernel package that the lists offer, else the one that linux-image-amd64 stands for. apt checks its signature; nothing is
 * installed.
 *
 * @param {string} cache
 * @param {string} scratch
 */
async function downloadPackage(cache, scratch) {
  try {
    const { stdout: known } = await run("apt-cache", ["pkgnames", "linux-image-6."]);
    const { stdout } = await run("apt-cache", ["depends", "--important", "linux-image-amd64"]);
    const image = best(known.split("\n")) ?? /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
    if (!image) throw new Error("linux-image-amd64 is not in the package lists");
    if (best([image]) === undefined) warnOf(image);
    await run("apt-get", ["download", "-q", image], { cwd: scratch });
    const file = (await readdir(scratch)).find((entry) => entry.endsWith(".deb"));
    if (!file) throw new Error(`apt-get brought no ${image}`);
    await rename(join(scratch, file), join(cache, file));
    return basename(file, ".deb");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.trim() : String(cause);
    throw new LabError("ERR_LAB_UNAVAILABLE", `No Debian kernel could be fetched: ${why}. Run "apt-get update" and try again.`, { cause });
  }
}

/**
 * QEMU starts an unpacked kernel directly (PVH); one that unpacks itself spends four seconds on that in an emulated machine.
 *
 * @param {string} image as the package has it
 * @param {string} into
 */
async function unpackKernel(image, into) {
  const data = await readFile(image);
  const start = data.indexOf(Buffer.from("fd377a585a00", "hex"));
  if (start < 0) return writeFile(into, data); // not packed with xz: it starts all the same, only later
  const xz = spawn("xz", ["-dc", "--single-stream"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(xz, "close");
  xz.stdin.on("error", () => undefined); // it stops reading where the packed kernel ends
  xz.stdin.end(data.subarray(start));
  await Promise.all([ended, writeFile(into, xz.stdout)]);
  if (xz.exitCode !== 0) throw new LabError("ERR_LAB_UNAVAILABLE", "The kernel could not be unpacked with xz (apt-get install xz-utils).");
}

/**
 * @param {string} modules the folder of one kernel's modules
 * @param {string} init the first program
 */
async function createInitramfs(modules, init) {
  const order = await moduleOrder(modules);
  const folders = ["bin", "dev", "proc", "sys", "host", "layer", "new", "modules"];
  return createArchive([
    ...folders.map((path) => ({ path, mode: FileType.directory | 0o755 })),
    { path: "dev/console", mode: FileType.character | 0o600, device: [5, 1] },
    { path: "init", mode: FileType.file | 0o755, data: await readFile(init) },
    { path: "bin/busybox", mode: FileType.file | 0o755, data: await readFile(busyboxPath) },
    { path: "modules/order", mode: FileType.file | 0o644, data: Buffer.from(order.map(({ name }) => `${name}\n`).join("")) },
    ...order.map(({ name, data }) => ({ path: `modules/${name}`, mode: FileType.file | 0o644, data })),
  ]);
}

/** Output that is octets, not text. */
const packed = /** @type {const} */ ({ encoding: "buffer", maxBuffer: 64 << 20 });

/**
 * The wanted modules and what they need, in the order in which they can be loaded. A module names what it depends on in its own
 * `.modinfo` section.
 *
 * @param {string} folder
 */
async function moduleOrder(folder) {
  const canonical = (/** @type {string} */ name) => name.replaceAll("-", "_");
  /** @type {Map<string, string>} */
  const paths = new Map();
  for (const entry of await readdir(folder, { recursive: true })) {
    const name = /([^/]+)\.ko(\.xz)?$/.exec(entry)?.[1]; // packed from 6.12 on
    if (name !== undefined) paths.set(canonical(name), join(folder, entry));
  }
  const builtIn = new Set(
    (await readFile(join(folder, "modules.builtin"), "utf8")).split("\n").map((line) => canonical(basename(line, ".ko"))),
  );
  /** @type {Map<string, Uint8Array>} */
  const order = new Map();
  /** @param {string} name @returns {Promise<void>} */
  const add = async (name) => {
    if (order.has(name) || builtIn.has(name)) return;
    const path = paths.get(name);
    if (!path) throw new LabError("ERR_LAB_UNAVAILABLE", `The kernel package has no module ${name}.`);
    const data = path.endsWith(".xz") ? (await run("xz", ["-dc", path], packed)).stdout : await readFile(path);
    const start = data.indexOf("\0depends=") + "\0depends=".length;
    for (const needed of data.toString("latin1", start, data.indexOf(0, start)).split(",")) if (needed) await add(canonical(needed));
    order.set(name, data);
  };
  for (const name of moduleNames) await add(canonical(name));
  return [...order].map(([name, data]) => ({ name, data }));
}

/** @param {string} path */
async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
