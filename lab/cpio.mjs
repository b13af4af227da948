// @ts-check
/**
 * @typedef {object} Entry
 * @property {string} path inside the archive, without a leading slash
 * @property {number} mode file type and permission bits
 * @property {Uint8Array} [data] contents of a file
 * @property {[number, number]} [device] major and minor number of a device node
 */

/** File type bits of a mode. */
export const FileType = Object.freeze({ directory: 0o040000, character: 0o020000, file: 0o100000 });

/**
 * Builds an archive in the "newc" format, which is what the kernel unpacks as its first root. Written here since
 * the cpio program needs root to make an archive with device nodes.
 *
 * @param {Iterable<Entry>} entries parents before their children
 * @returns {Uint8Array}
 */
export function createArchive(entries) {
  /** @type {Buffer[]} */
  const parts = [];
  let inode = 0;
  /** @param {Entry} entry */
  const add = ({ path, mode, data = new Uint8Array(), device = [0, 0] }) => {
    inode += 1;
    const name = Buffer.from(`${path}\0`);
    // inode, mode, uid, gid, links, mtime, size, device (2), device of a node (2), length of the name, check
    const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, device[0], device[1], name.length, 0];
    const header = Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`);
    parts.push(header, name, padding(header.length + name.length), Buffer.from(data), padding(data.length));
  };
  for (const entry of entries) add(entry);
  add({ path: "TRAILER!!!", mode: 0 });
  return Buffer.concat(parts);
}

/** @param {number} length */
function padding(length) {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
