import { command, group } from "../declare.ts";
import { octets, optional, uint } from "../fields.ts";

/** Intercreate 1. One chunk of an image for another chip behind the server; the first has `len`, the length of the whole. */
export const IntercreateUpload = command("upload", {
  id: 1,
  write: {
    request: { off: uint(), data: octets(), image: optional(uint()), len: optional(uint()), sha: optional(octets()) },
    response: { off: uint() },
  },
});

/** Number 64 belongs to every application; this is what servers of Intercreate have there. */
export const IntercreateGroup = group("intercreate", {
  id: 64,
  errors: { 1: ["InvalidImage", "the image is not valid"] },
  commands: { upload: IntercreateUpload },
});
