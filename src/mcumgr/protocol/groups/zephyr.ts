import { command, group } from "../declare.ts";

/** Zephyr basic 0. Erases the partition of the settings, which are then lost; the answer can take seconds. */
export const EraseStorage = command("eraseStorage", { id: 0, write: {} });

export const ZephyrGroup = group("zephyr", {
  id: 63,
  errors: {
    2: ["FlashOpenFailed", "the flash area could not be opened"],
    3: ["FlashConfigurationFailed", "the flash layout could not be read"],
    4: ["FlashEraseFailed", "the flash could not be erased"],
  },
  commands: { eraseStorage: EraseStorage },
});
