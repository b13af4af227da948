import { rethrowLater } from "../../async/call-out.ts";
import type { McubootImage } from "../../mcumgr/image/mcuboot.ts";
import { compareImageVersions } from "../../mcumgr/image/version.ts";
import { FlashArea, type PowerSession, type SimulatedFlash } from "./flash.ts";
import type { SimulatedSlot } from "./slot.ts";
import { type SimulatedBootloaderMode, type SwapArea, type SwapStep, spareSectors, swapSteps } from "./swap.ts";

/** What the bootloader will do at the next start. */
export type SwapType = "none" | "test" | "permanent" | "revert";

/** An exchange under way: noted in flash memory, so that a power cut only delays it. */
interface SwapJournal {
  readonly type: SwapType;
  readonly steps: readonly SwapStep[];
  done: number;
}

/** The slots of one image of the device. */
export class SimulatedImage {
  readonly number: number;
  readonly slots: readonly SimulatedSlot[];
  /** The slot that runs, once the device has started. */
  active = 0;
  journal: SwapJournal | undefined;

  constructor(number: number, slots: readonly SimulatedSlot[]) {
    this.number = number;
    this.slots = slots;
  }

  get primary(): SimulatedSlot {
    return this.slots[0]!;
  }
  get secondary(): SimulatedSlot | undefined {
    return this.slots[1];
  }
}

/** What the trailers of the two slots of an image mean to a bootloader that swaps or overwrites. */
export function swapTypeOf(image: SimulatedImage, mode: SimulatedBootloaderMode): SwapType {
  const secondary = image.secondary?.trailer;
  if (secondary?.isMarked) return secondary.imageOk ? "permanent" : "test";
  const primary = image.primary.trailer;
  return mode.startsWith("swap-") && primary.isMarked && primary.copyDone && !primary.imageOk ? "revert" : "none";
}

export interface BootloaderOptions {
  readonly mode: SimulatedBootloaderMode;
  readonly noDowngrade: boolean;
  /** The bootloader's own check beyond the digest, such as the signature. */
  readonly accepts: (image: McubootImage) => boolean;
}

/** What MCUboot does at every start. Whatever happened before, it ends with an image that is whole, if there is one. */
export class SimulatedBootloader {
  readonly options: BootloaderOptions;
  readonly #flash: SimulatedFlash;
  readonly #images: readonly SimulatedImage[];
  readonly #scratch: FlashArea;
  /** The images that are being exchanged at this start, and were not before it: noted in flash memory too, so that all come or none. */
  #round = new Map<SimulatedImage, SwapType>();

  constructor(flash: SimulatedFlash, images: readonly SimulatedImage[], options: BootloaderOptions) {
    this.#flash = flash;
    this.#images = images;
    this.options = options;
    const { sectorSize } = images[0]!.primary.area;
    this.#scratch = new FlashArea(sectorSize, sectorSize);
  }

  get isSwapping(): boolean {
    return this.options.mode.startsWith("swap-") || this.options.mode === "overwrite-only";
  }

  /** An image that may run. */
  accepts(slot: SimulatedSlot | undefined): slot is SimulatedSlot {
    if (!slot?.isSound) return false;
    const image = slot.content!;
    if (image.flagNames.includes("not bootable")) return false;
    try {
      return this.options.accepts(image);
    } catch (error) {
      rethrowLater(error); // the program hears of it, and the bootloader goes on as if it had been told no
      return false;
    }
  }

  /** True where there is an application to start; false where nothing runs, or the bootloader itself. @throws {PowerLost} */
  async boot(power: PowerSession): Promise<boolean> {
    if (this.isSwapping) return await this.#bootSwapping(power);
    for (const image of this.#images) {
      const chosen = await this.#choose(power, image);
      if (chosen === undefined) return false;
      image.active = chosen;
    }
    return true;
  }

  async #bootSwapping(power: PowerSession): Promise<boolean> {
    if (this.#round.size === 0) {
      const types = await this.#judgeAll(power);
      if (types.size > 0)
        await this.#flash.note(power, () => {
          this.#round = types;
        });
    }
    // What a power cut left over is finished and then started: judged anew, an image that is to be tested would be taken back before it ran.
    for (const [image, type] of [...this.#round]) {
      if (image.journal === undefined) await this.#begin(power, image, type);
      await this.#finish(power, image);
    }
    for (const image of this.#images) image.active = 0;
    return this.#images.every(({ primary }) => this.accepts(primary));
  }

  /** What is to be exchanged at this start. */
  async #judgeAll(power: PowerSession): Promise<Map<SimulatedImage, SwapType>> {
    const types = new Map<SimulatedImage, SwapType>();
    for (const image of this.#images) types.set(image, await this.#judge(power, image));
    // One that is left out may be what another needs: until nothing changes any more.
    for (let changed = true; changed; ) {
      changed = false;
      for (const [image, type] of types) {
        if (type === "none" || type === "revert" || this.#dependenciesMet(image, types)) continue;
        types.set(image, "none");
        changed = true;
      }
    }
    return new Map([...types].filter(([, type]) => type !== "none"));
  }

  /** An image that must not run is discarded, so that it is not judged again at every start. */
  async #judge(power: PowerSession, image: SimulatedImage): Promise<SwapType> {
    const type = swapTypeOf(image, this.options.mode);
    if (type === "none") return type;
    const { primary, secondary } = image;
    if (!this.accepts(secondary) || !this.#fits(image)) {
      if (type !== "revert") await secondary?.discard(power);
      return "none";
    }
    const isOlder =
      primary.content !== undefined && compareImageVersions(secondary.content!.header.version, primary.content.header.version) < 0;
    if (type !== "revert" && this.options.noDowngrade && isOlder) {
      await secondary.discard(power);
      return "none";
    }
    return type;
  }

  /** Sectors that both images and the way of swapping take. */
  #sectorsOf(image: SimulatedImage): number {
    const { sectorSize } = image.primary.area;
    const ends = [image.primary, image.secondary].map((slot) => slot?.content?.end ?? 0);
    return Math.ceil(Math.max(...ends) / sectorSize);
  }

  #fits(image: SimulatedImage): boolean {
    const room = Math.min(image.primary.imageSectors, image.secondary!.imageSectors);
    return this.#sectorsOf(image) + spareSectors(this.options.mode) <= room;
  }

  #dependenciesMet(image: SimulatedImage, types: ReadonlyMap<SimulatedImage, SwapType>): boolean {
    return image.secondary!.content!.dependencies.every(({ image: number, version }) => {
      const other = this.#images[number];
      if (other === undefined) return false;
      const will = types.get(other) === "none" ? other.primary : other.secondary;
      return will?.content !== undefined && compareImageVersions(will.content.header.version, version) >= 0;
    });
  }

  async #begin(power: PowerSession, image: SimulatedImage, type: SwapType): Promise<void> {
    const steps = swapSteps(this.options.mode, this.#sectorsOf(image), image.secondary!.base !== 0);
    await this.#flash.note(power, () => {
      image.journal = { type, steps, done: 0 };
    });
  }

  async #finish(power: PowerSession, image: SimulatedImage): Promise<void> {
    const journal = image.journal!;
    const area = (name: SwapArea): FlashArea => (name === "scratch" ? this.#scratch : image[name]!.area);
    while (journal.done < journal.steps.length) {
      const { from, to } = journal.steps[journal.done]!;
      const target = area(to[0]);
      await this.#flash.erase(power, target, to[1]);
      await this.#flash.write(power, target, to[1] * target.sectorSize, area(from[0]).sector(from[1]).slice());
      await this.#flash.note(power, () => {
        journal.done++;
      });
    }
    const { primary, secondary } = image;
    await primary.eraseTrailer(power);
    if (this.options.mode !== "overwrite-only") await primary.writeTrailer(power, { copyDone: true, imageOk: journal.type !== "test" });
    if (this.options.mode === "overwrite-only") await secondary!.discard(power);
    else await secondary!.eraseTrailer(power);
    await this.#flash.note(power, () => {
      image.journal = undefined;
      this.#round.delete(image);
    });
  }

  /** Images that run where they are: the newest that may. */
  async #choose(power: PowerSession, image: SimulatedImage): Promise<number | undefined> {
    const newestFirst = image.slots
      .filter((slot) => this.accepts(slot))
      .toSorted((a, b) => compareImageVersions(b.content!.header.version, a.content!.header.version) || a.slot - b.slot);
    for (const slot of newestFirst) {
      if (this.options.mode !== "direct-xip-revert") return slot.slot;
      const { isMarked, imageOk, copyDone } = slot.trailer;
      if (!isMarked) continue;
      if (imageOk) return slot.slot;
      if (!copyDone) {
        await slot.writeTrailer(power, { copyDone: true });
        return slot.slot;
      }
      await slot.discard(power); // it ran once and was not confirmed
    }
    return undefined;
  }
}
