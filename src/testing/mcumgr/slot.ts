import { equalBytes } from "../../bytes/hex.ts";
import { IMAGE_MAGIC, type McubootImage, parseImage } from "../../mcumgr/image/mcuboot.ts";
import { TRAILER_MAGIC } from "../../mcumgr/image/trailer.ts";
import { checkImageDigest } from "../../mcumgr/image/verify.ts";
import { ImageFileError } from "../../mcumgr/protocol/error.ts";
import { FlashArea, type PowerSession, type SimulatedFlash } from "./flash.ts";

// The end of a slot, as the bootloader reads and writes it: a magic that says that the slot is to be looked at, and two flags of 8 octets.
const MAGIC_FROM_END = TRAILER_MAGIC.length;
const IMAGE_OK_FROM_END = MAGIC_FROM_END + 8;
const COPY_DONE_FROM_END = IMAGE_OK_FROM_END + 8;
/** Octets at the end of a slot that no image may take. */
export const TRAILER_LENGTH = COPY_DONE_FROM_END;

/** What the end of a slot says. */
export interface SlotTrailer {
  readonly isMarked: boolean;
  /** The image stays. */
  readonly imageOk: boolean;
  /** The bootloader has started it. */
  readonly copyDone: boolean;
}

/** What was read of an area, until it changes. */
interface Parsed {
  readonly generation: number;
  readonly image: McubootImage | undefined;
  isSound: boolean | undefined;
}

/** One slot of an image: the flash memory, and what stands in it. */
export class SimulatedSlot {
  readonly image: number;
  readonly slot: number;
  readonly area: FlashArea;
  readonly #flash: SimulatedFlash;
  readonly #mayBeShifted: boolean;
  #parsed: Parsed | undefined;

  /** @param at.mayBeShifted an image waits one sector further, where images are swapped by an offset */
  constructor(flash: SimulatedFlash, at: { image: number; slot: number; size: number; sectorSize: number; mayBeShifted: boolean }) {
    this.#flash = flash;
    this.image = at.image;
    this.slot = at.slot;
    this.area = new FlashArea(at.size, at.sectorSize);
    this.#mayBeShifted = at.mayBeShifted;
  }

  get size(): number {
    return this.area.octets.length;
  }

  /** Where uploads begin to write. */
  get uploadBase(): number {
    return this.#mayBeShifted ? this.area.sectorSize : 0;
  }

  /** Where the image begins that stands there now. */
  get base(): number {
    const { uploadBase } = this;
    const { octets } = this.area;
    if (uploadBase === 0 || octets.length < uploadBase + 4) return 0;
    return new DataView(octets.buffer, octets.byteOffset + uploadBase, 4).getUint32(0, true) === IMAGE_MAGIC ? uploadBase : 0;
  }

  /** The image in the slot; undefined where there is none that can be read. Whether it is whole is another question. */
  get content(): McubootImage | undefined {
    return this.#parse().image;
  }

  /** There is an image, and its digest is right. An encrypted one is taken at its word. */
  get isSound(): boolean {
    const parsed = this.#parse();
    parsed.isSound ??= parsed.image !== undefined && ["valid", "encrypted"].includes(checkImageDigest(parsed.image));
    return parsed.isSound;
  }

  #parse(): Parsed {
    const { generation, octets } = this.area;
    if (this.#parsed?.generation === generation) return this.#parsed;
    this.#parsed = { generation, image: parse(octets.subarray(this.base)), isSound: undefined };
    return this.#parsed;
  }

  get trailer(): SlotTrailer {
    const { octets } = this.area;
    return {
      isMarked: equalBytes(octets.subarray(octets.length - MAGIC_FROM_END), TRAILER_MAGIC),
      imageOk: octets[octets.length - IMAGE_OK_FROM_END] === 1,
      copyDone: octets[octets.length - COPY_DONE_FROM_END] === 1,
    };
  }

  get #trailerSector(): number {
    return this.area.sectorOf(this.size - TRAILER_LENGTH);
  }

  /** Sectors in front of those with the trailer. */
  get imageSectors(): number {
    return this.#trailerSector;
  }

  async eraseTrailer(power: PowerSession): Promise<void> {
    for (let sector = this.#trailerSector; sector < this.area.sectors; sector++) await this.#flash.erase(power, this.area, sector);
  }

  /** Writes a trailer where there is none, or completes one. Flags come before the magic: half a trailer means nothing. */
  async writeTrailer(power: PowerSession, { imageOk = false, copyDone = false }: { imageOk?: boolean; copyDone?: boolean }): Promise<void> {
    const { octets } = this.area;
    if (!this.trailer.isMarked && !this.area.isBlank(octets.length - TRAILER_LENGTH)) await this.eraseTrailer(power);
    const set = Uint8Array.of(1);
    if (copyDone && !this.trailer.copyDone) await this.#flash.write(power, this.area, octets.length - COPY_DONE_FROM_END, set);
    if (imageOk && !this.trailer.imageOk) await this.#flash.write(power, this.area, octets.length - IMAGE_OK_FROM_END, set);
    if (!this.trailer.isMarked) await this.#flash.write(power, this.area, octets.length - MAGIC_FROM_END, TRAILER_MAGIC);
  }

  /** Makes the image unreadable: trailer and first sector go. */
  async discard(power: PowerSession): Promise<void> {
    await this.eraseTrailer(power);
    const first = this.area.sectorOf(this.base);
    if (first < this.#trailerSector) await this.#flash.erase(power, this.area, first);
  }

  /** Erases all of the slot. */
  async erase(power: PowerSession): Promise<void> {
    // The end first: an image that is half gone is not to be tried.
    for (let sector = this.area.sectors - 1; sector >= 0; sector--) await this.#flash.erase(power, this.area, sector);
  }

  /** As a programmer does in the factory: at once, and without a server. */
  program(image: Uint8Array, base = 0): void {
    this.area.octets.fill(0xff);
    this.area.octets.set(image.subarray(0, this.size - base), base);
    this.area.generation++;
  }

  /** All octets of the slot, trailer and all, as they were read of one of this size. */
  restore(octets: Uint8Array): void {
    this.area.octets.set(octets);
    this.area.generation++;
  }

  /** As `program`, a trailer that says that the image stays. */
  programTrailer(): void {
    const { octets } = this.area;
    octets[octets.length - IMAGE_OK_FROM_END] = 1;
    octets[octets.length - COPY_DONE_FROM_END] = 1;
    octets.set(TRAILER_MAGIC, octets.length - MAGIC_FROM_END);
    this.area.generation++;
  }
}

function parse(octets: Uint8Array): McubootImage | undefined {
  try {
    return parseImage(octets);
  } catch (error) {
    if (error instanceof ImageFileError) return undefined;
    throw error;
  }
}
