import { kindOf } from "../../../core/arguments.ts";
import { ArgumentError } from "../../../core/error.ts";
import { command, group } from "../declare.ts";
import { bool, type Field, octets, optional, text, uint } from "../fields.ts";

/** A value is octets. Mynewt has text in its place, which is written where text is given. */
const val: Field<Uint8Array, Uint8Array | string, "required"> = {
  ...octets(),
  encode(value, path) {
    if (typeof value !== "string" && !(value instanceof Uint8Array))
      throw new ArgumentError(`${path}: expected octets or text, got ${kindOf(value)}`);
    return value;
  },
};

/** Settings 0, read. `maxSize`: the most octets wanted; in the answer the server's own limit, where that is smaller. */
export const Read = command("read", {
  id: 0,
  read: {
    request: { name: text(), maxSize: optional(uint("max_size")) },
    response: { val, maxSize: optional(uint("max_size")) },
  },
});
/** Settings 0, write. `save` is Mynewt's, which then keeps all settings. */
export const Write = command("write", { id: 0, write: { request: { name: text(), val, save: optional(bool()) } } });

/** Settings 1. */
export const Delete = command("delete", { id: 1, write: { request: { name: text() } } });

/** Settings 2. Makes what was written effective. */
export const Commit = command("commit", { id: 2, write: {} });

/** Settings 3, read. Reads all settings from the store again. */
export const Load = command("load", { id: 3, read: {} });
/** Settings 3, write. Keeps all settings in the store, or those below `name` where the server can. */
export const Save = command("save", { id: 3, write: { request: { name: optional(text()) } } });

export const SettingsGroup = group("settings", {
  id: 3,
  errors: {
    2: ["KeyTooLong", "the name is too long"],
    3: ["KeyNotFound", "there is no such setting"],
    4: ["ReadNotSupported", "this setting cannot be read"],
    5: ["RootKeyNotFound", "nothing on the server handles settings below the first part of this name"],
    6: ["WriteNotSupported", "this setting cannot be written"],
    7: ["DeleteNotSupported", "this setting cannot be deleted"],
    8: ["SaveNotSupported", "these settings cannot be saved"],
  },
  commands: { read: Read, write: Write, delete: Delete, commit: Commit, load: Load, save: Save },
});
