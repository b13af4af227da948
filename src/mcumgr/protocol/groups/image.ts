import { command, group } from "../declare.ts";
import { bool, int, list, octets, optional, otherwise, struct, text, uint } from "../fields.ts";

const no = otherwise(bool(), false);

/** What the server knows of its images, one entry for each slot that holds one. */
const IMAGES = list(
  struct({
    image: otherwise(uint(), 0), // servers built for one image leave it out
    slot: uint(), // 0 or 1 within the image
    version: text(), // "1.2.3", "1.2.3.4" with a build number, "<???>" where the server cannot read it
    hash: optional(octets()), // digest of the image (not of the file): 32, 48 or 64 octets
    bootable: no,
    pending: no, // will be swapped in at the next start
    confirmed: no, // will stay
    active: no, // runs now
    permanent: no, // with `pending`: needs no confirmation
  }),
);

const STATE = { images: IMAGES, splitStatus: optional(uint()) };

/** Image 0, read. The images in the slots. */
export const State = command("state", { id: 0, read: { response: STATE } });
/**
 * Image 0, write. `confirm` false tests the image with this `hash` at the next start; true makes it, or without `hash` the running one, permanent.
 * Some servers answer without the new state, which reads as no images: ask for it then.
 */
export const SetState = command("setState", {
  id: 0,
  write: {
    request: { hash: optional(octets()), confirm: bool() },
    response: { images: otherwise(IMAGES, []), splitStatus: optional(uint()) },
  },
});

/** Image 1. One chunk of an image. The answer has the offset that the server expects next; `match` tells whether the whole has the digest `sha`. */
export const ImageUpload = command("upload", {
  id: 1,
  write: {
    request: {
      image: optional(uint()), // which of several images; see `uploadImageId` of slotInfo
      len: optional(uint()), // octets of the whole, with the first chunk
      off: uint(),
      sha: optional(octets()), // SHA-256 of the whole file, with the first chunk
      data: octets(),
      upgrade: optional(bool()), // only a version above the running one
    },
    response: { off: optional(uint()), match: optional(bool()) },
  },
});

/** Image 3. An answer without error says that there is a core dump. Mynewt only. */
export const CoreList = command("coreList", { id: 3, read: {} });
/** Image 4, read. A piece of the core dump. Mynewt only. */
export const CoreLoad = command("coreLoad", {
  id: 4,
  read: { request: { off: uint() }, response: { off: otherwise(uint(), 0), len: optional(uint()), data: octets() } },
});
/** Image 4, write. Erases the core dump. Mynewt only. */
export const CoreErase = command("coreErase", { id: 4, write: {} });

/** Image 5. Erases a slot, counted over all images (image 1 has 2 and 3); without it, the one that does not run. The answer comes seconds later. */
export const Erase = command("erase", { id: 5, write: { request: { slot: optional(uint()) } } });

/** Image 6. Sizes of slots in octets, and the number that reaches each by an upload. */
export const SlotInfo = command("slotInfo", {
  id: 6,
  read: {
    response: {
      images: list(
        struct({
          image: otherwise(uint(), 0),
          slots: list(
            struct({
              slot: uint(),
              size: optional(uint()),
              uploadImageId: optional(uint("upload_image_id")),
              rc: optional(int()), // why the slot's figures are missing
            }),
          ),
          maxImageSize: optional(uint("max_image_size")),
        }),
      ),
    },
  },
});

export const ImageGroup = group("image", {
  id: 1,
  errors: {
    2: ["FlashConfigurationFailed", "the flash layout could not be read"],
    3: ["NoImage", "there is no image"],
    4: ["NoTlvs", "the image has no TLVs"],
    5: ["InvalidTlv", "the image has a TLV that is not valid"],
    6: ["MultipleHashes", "the image has several digests"],
    7: ["InvalidTlvSize", "the image has a TLV of a wrong size"],
    8: ["HashNotFound", "no slot holds an image with this digest"],
    9: ["NoFreeSlot", "no slot is free: it is in use, or kept for a revert until the running image is confirmed"],
    10: ["FlashOpenFailed", "the flash area could not be opened, or there is no such slot"],
    11: ["FlashReadFailed", "the flash could not be read"],
    12: ["FlashWriteFailed", "the flash could not be written"],
    13: ["FlashEraseFailed", "the flash could not be erased"],
    14: ["InvalidSlot", "there is no such slot"],
    15: ["NoMemory", "the server is out of memory"],
    16: ["FlashContextAlreadySet", "a write to the flash is under way already"],
    17: ["FlashContextNotSet", "no write to the flash is under way"],
    18: ["FlashDeviceMissing", "the flash device is missing"],
    19: ["InvalidPageOffset", "the flash has no page at this offset"],
    20: ["InvalidOffset", "the offset is missing or not valid"],
    21: ["InvalidLength", "the length is missing or not valid"],
    22: ["InvalidImageHeader", "the first chunk is shorter than an image's header"],
    23: ["InvalidImageMagic", "the file is not an MCUboot image"],
    24: ["InvalidHash", "the digest is missing or of a wrong length"],
    25: ["InvalidFlashAddress", "the image's address does not fit the flash"],
    26: ["VersionUnreadable", "the version of the running image could not be read"],
    27: ["CurrentVersionIsNewer", "the running version is newer or equal"],
    28: ["ImageAlreadyPending", "another image waits for its start, or the running one is not confirmed"],
    29: ["InvalidVectorTable", "the image's vector table is not valid"],
    30: ["ImageTooLarge", "the image does not fit the slot"],
    31: ["ImageOverrun", "there is more data than was announced"],
    32: ["ConfirmationDenied", "the server does not confirm images that do not run"],
    33: ["TestOfActiveDenied", "this image is the one that runs"],
    34: ["ActiveSlotUnknown", "the server does not know which slot runs"],
  },
  commands: {
    state: State,
    setState: SetState,
    upload: ImageUpload,
    coreList: CoreList,
    coreLoad: CoreLoad,
    coreErase: CoreErase,
    erase: Erase,
    slotInfo: SlotInfo,
  },
});
