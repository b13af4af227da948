import { type Clock, delay } from "../../async/clock.ts";
import { Emitter } from "../../async/emitter.ts";
import { StateError } from "../../core/error.ts";
import type { McubootImage } from "../../mcumgr/image/mcuboot.ts";
import { compareImageVersions } from "../../mcumgr/image/version.ts";
import type { McumgrLink } from "../../mcumgr/links/link.ts";
import type { AnyMcumgrGroup } from "../../mcumgr/protocol/declare.ts";
import { SimulatedBootloader, SimulatedImage } from "./bootloader.ts";
import { type McumgrFault, type McumgrFaultRule, McumgrFaults, type SeenRequest } from "./faults.ts";
import { FileService } from "./file-service.ts";
import { PowerLost, PowerSession, SimulatedFlash } from "./flash.ts";
import { ImageService } from "./image-service.ts";
import { type SlotState, slotStates } from "./image-states.ts";
import { ImageUploads } from "./image-upload.ts";
import { type CheckedDeviceOptions, checkDeviceOptions, type SimulatedMcumgrDeviceOptions } from "./options.ts";
import { osService } from "./os-service.ts";
import type { McumgrCounters, McumgrRecord, SimulatedRunning } from "./record.ts";
import { RecoveryService } from "./recovery-service.ts";
import { type McumgrRecordEntry, ServerRun } from "./server.ts";
import { type GroupHandlers, type ServedGroup, serveGroup } from "./service.ts";
import { SettingsService } from "./settings-service.ts";
import { SimulatedSlot } from "./slot.ts";
import { enumerationService, shellService, statisticsService, zephyrService } from "./small-services.ts";
import type { SimulatedMcumgrState } from "./state.ts";

/** Events of a simulated device. */
export interface SimulatedMcumgrDeviceEvents extends Record<string, unknown> {
  /** A request was taken up. */
  request: SeenRequest;
  /** Anything that is recorded. */
  record: McumgrRecord;
  /** Text for the console, which some links share. */
  console: string;
  /** Something else runs now. */
  running: SimulatedRunning;
}

/** What stands in a slot. */
export interface SimulatedSlotContent {
  /** All octets of the slot, a copy. */
  readonly octets: Uint8Array;
  readonly image: McubootImage | undefined;
  /** There is an image and its digest is right. */
  readonly isSound: boolean;
}

export interface SimulatedAttachOptions {
  /** A reset leaves the link as it is, as it does a UART or a socket: what comes while nothing runs is lost. */
  readonly survivesReset?: boolean;
  /** Octets; longer messages vanish, as on a line whose server keeps few lines. */
  readonly longestMessage?: number;
  /** Octets of a frame around a message that the server's buffer has to hold too. */
  readonly frameOctets?: number;
}

/** What the record keeps; older entries go. */
const RECORD_CAPACITY = 20_000;
/** Lines that MCUboot's recovery keeps while it is busy. */
const RECOVERY_BUFFERS = 5;

/**
 * A device that is managed over mcumgr, with bootloader, slots and flash memory: a Zephyr application as servers of the kind were seen to behave,
 * and MCUboot's serial recovery. It serves any number of links (`attach`). Time is the clock's; nothing else moves it.
 */
export class SimulatedMcumgrDevice implements AsyncDisposable {
  readonly clock: Clock;
  readonly counters: McumgrCounters = { requests: 0, answers: 0, lost: 0, noBuffer: 0, peakBuffers: 0 };
  /** The files by path; a test may look and change. */
  readonly files: Map<string, Uint8Array>;
  /** The settings in the store, by name. */
  readonly settings: Map<string, Uint8Array>;
  readonly #options: CheckedDeviceOptions;
  readonly #flash: SimulatedFlash;
  readonly #images: readonly SimulatedImage[];
  readonly #bootloader: SimulatedBootloader;
  readonly #uploads: ImageUploads;
  readonly #imageService: ImageService;
  readonly #settingsService: SettingsService;
  readonly #fileService: FileService;
  readonly #groups: ServedGroup[];
  readonly #own: ServedGroup[] = [];
  readonly #links = new Map<McumgrLink, boolean>();
  readonly #faults = new McumgrFaults();
  readonly #events = new Emitter<SimulatedMcumgrDeviceEvents>();
  readonly #record: McumgrRecord[] = [];
  #power = new PowerSession();
  #run: ServerRun | undefined;
  #recovery: RecoveryService | undefined;
  #running: SimulatedRunning = "starting";
  #restartMs: number | undefined;
  #resetTimer: Disposable | undefined;
  /** The boot mode of the reset that was answered and is yet to come. */
  #promisedReset: number | undefined;
  #disposed = false;

  /** Runs its first image, or the recovery, from the beginning. @throws {ArgumentError} */
  constructor(options: SimulatedMcumgrDeviceOptions = {}) {
    const checked = checkDeviceOptions(options);
    this.#options = checked;
    this.clock = checked.clock;
    this.files = new Map(Object.entries(checked.files));
    this.settings = new Map(Object.entries(checked.settings));
    const times = { eraseMsPerSector: checked.eraseMsPerSector, writeMsPerOctet: checked.writeMsPerKibibyte / 1024 };
    this.#flash = new SimulatedFlash(this.clock, times, () => this.powerCut({ offMs: this.#restartMs }));
    this.#images = checked.images.map((image, number) => this.#createImage(image, number));
    this.#bootloader = new SimulatedBootloader(this.#flash, this.#images, checked);
    this.#uploads = new ImageUploads({
      flash: this.#flash,
      progressiveErase: checked.progressiveErase,
      imageCheck: checked.imageCheck,
      destination: (image) => this.#imageService.destination(image),
      running: (slot) => this.#images[slot.image]!.slots[this.#images[slot.image]!.active],
    });
    this.#imageService = new ImageService({ ...checked, images: this.#images, bootloader: this.#bootloader, uploads: this.#uploads });
    this.#fileService = new FileService(this.files, { ...checked, capacity: checked.fileCapacity, chunk: checked.fileChunk });
    this.#settingsService = new SettingsService(this.settings, {
      valueLimit: checked.settingsLimit,
      canSave: checked.canSaveSettings,
      without: checked.without,
    });
    this.#groups = this.#createGroups();
    if (checked.state) this.#restore(checked.state);
    else this.#startAtOnce();
  }

  #createImage({ slotSize, primary, secondary }: CheckedDeviceOptions["images"][number], number: number): SimulatedImage {
    const { mode, sectorSize } = this.#options;
    const slots = (mode === "single-application" ? [primary] : [primary, secondary]).map((content, slot) => {
      const mayBeShifted = mode === "swap-offset" && slot === 1;
      const made = new SimulatedSlot(this.#flash, { image: number, slot, size: slotSize, sectorSize, mayBeShifted });
      if (content === undefined || content === "none") return made;
      made.program(content, made.uploadBase);
      if (mode === "direct-xip-revert" && slot === 0) made.programTrailer();
      return made;
    });
    return new SimulatedImage(number, slots);
  }

  #createGroups(): ServedGroup[] {
    const { without, statistics, shell, bufSize } = this.#options;
    const groups: ServedGroup[] = [
      enumerationService(() => this.#allGroups(), without),
      this.#fileService.group,
      this.#imageService.group,
      osService({ ...this.#options, reset: (bootMode) => this.#resetSoon(bootMode) }),
      this.#settingsService.group,
      shellService(shell, bufSize, without),
      statisticsService({ ...statistics, smp_svr_stats: this.#liveStatistics() }, without),
      zephyrService(async () => {
        await this.#flash.note(this.#power, () => this.#settingsService.eraseStorage());
      }, without),
    ];
    const names: Record<number, string> = {
      10: "enumeration",
      8: "files",
      1: "image",
      0: "os",
      3: "settings",
      9: "shell",
      2: "statistics",
      63: "zephyr",
    };
    return groups.filter(({ id }) => !without.has(names[id]!));
  }

  #liveStatistics() {
    const startMs = this.clock.now();
    return { ticks: () => Math.floor((this.clock.now() - startMs) / 1000), requests: () => this.counters.requests };
  }

  #allGroups(): ServedGroup[] {
    return [...this.#groups, ...this.#own];
  }

  /** The first start takes no time: a device that was never without power. */
  #startAtOnce(): void {
    const { startInRecovery, recovery, mode } = this.#options;
    let isBootable = true;
    for (const image of this.#images) {
      const sound = image.slots.filter((slot) => this.#bootloader.accepts(slot));
      if (!this.#bootloader.isSwapping) {
        const candidates = mode === "direct-xip-revert" ? sound.filter(({ trailer }) => trailer.isMarked) : sound;
        const newest = candidates.toSorted((a, b) => compareImageVersions(b.content!.header.version, a.content!.header.version))[0];
        image.active = newest?.slot ?? 0;
      }
      if (!sound.includes(image.slots[image.active]!)) isBootable = false;
    }
    this.#enter(recovery && (startInRecovery || !isBootable) ? "recovery" : isBootable ? "application" : "nothing");
  }

  #restore({ running, images, upload, files, settings, settingsInUse }: SimulatedMcumgrState): void {
    for (const [i, { slots, active }] of images.entries()) {
      this.#images[i]!.active = active;
      for (const [slot, octets] of slots.entries()) this.#images[i]!.slots[slot]!.restore(octets);
    }
    replace(this.files, files);
    replace(this.settings, settings);
    if (upload) this.#uploads.restore(upload, this.#images[upload.image]!.slots[upload.slot]!);
    this.#enter(running);
    this.#settingsService.restore(settingsInUse);
  }

  /**
   * Ends the device, and gives everything that it is, for the option `state` of one that goes on from there, as if time had stood still in
   * between. A reset that it has promised, and a start under way, are finished first, in little time; other requests under way are not. Without power it would be what it is at its next start.
   */
  async save(): Promise<SimulatedMcumgrState> {
    if (this.#disposed) throw new StateError("the simulated device is disposed");
    this.#flash.times = { eraseMsPerSector: 0, writeMsPerOctet: 0 };
    if (this.#promisedReset !== undefined) await this.reset(this.#promisedReset);
    while (this.#running === "off" || this.#running === "starting") {
      if (this.#running === "off") await this.powerOn();
      else await this.#nextRunning();
    }
    const copy = (map: ReadonlyMap<string, Uint8Array>) => Object.fromEntries([...map].map(([name, octets]) => [name, octets.slice()]));
    const upload = this.#uploads.save();
    const state: SimulatedMcumgrState = {
      running: this.#running,
      images: this.#images.map(({ slots, active }) => ({ active, slots: slots.map(({ area }) => area.octets.slice()) })),
      ...(upload && { upload }),
      files: copy(this.files),
      settings: copy(this.settings),
      settingsInUse: copy(this.#settingsService.values),
    };
    await this[Symbol.asyncDispose]();
    return state;
  }

  async #nextRunning(): Promise<void> {
    await new Promise<void>((resolve) => {
      const listener = this.on("running", () => {
        listener[Symbol.dispose]();
        resolve();
      });
    });
  }

  /** Octets of one packet buffer of the application. */
  get bufSize(): number {
    return this.#options.bufSize;
  }

  /** What runs. */
  get running(): SimulatedRunning {
    return this.#running;
  }

  /** What it saw and did, the oldest first; the latest 20,000 entries. */
  get record(): readonly McumgrRecord[] {
    return this.#record;
  }

  /** Operations of the flash memory so far. */
  get flashSteps(): number {
    return this.#flash.steps;
  }

  /** The images as the device's own server would list them, whatever runs. */
  get states(): readonly SlotState[] {
    return slotStates(this.#bootloader, this.#images);
  }

  /** The upload under way, of the application or of the recovery. */
  get upload(): { readonly image: number; readonly slot: number; readonly off: number; readonly len: number } | undefined {
    const progress = this.#running === "recovery" ? this.#recovery?.progress : this.#uploads.progress;
    return progress && { image: progress.slot.image, slot: progress.slot.slot, off: progress.off, len: progress.len };
  }

  /** What stands in a slot. @throws {StateError} the device has no such slot */
  slot(image: number, slot: number): SimulatedSlotContent {
    const found = this.#images[image]?.slots[slot];
    if (found === undefined) throw new StateError(`the device has no slot ${slot} of image ${image}`);
    return { octets: found.area.octets.slice(), image: found.content, isSound: found.isSound };
  }

  /** The image that runs. */
  runningImage(image = 0): McubootImage | undefined {
    const { slots, active } = this.#images[image]!;
    return this.#running === "application" ? slots[active]?.content : undefined;
  }

  on<K extends keyof SimulatedMcumgrDeviceEvents>(name: K, listener: (value: SimulatedMcumgrDeviceEvents[K]) => void): Disposable {
    return this.#events.on(name, listener);
  }

  /** Adds a group of one's own, or takes the place of one of the device's. Handlers may throw `Refusal`. */
  serve<G extends AnyMcumgrGroup>(group: G, handlers: GroupHandlers<G>): void {
    const served = serveGroup(group, handlers, { title: group.name });
    const at = this.#groups.findIndex(({ id }) => id === group.id);
    if (at >= 0) this.#groups[at] = served;
    else this.#own.push(served);
  }

  /**
   * Serves a link until it ends. A reset closes it.
   *
   * @returns disposing it stops serving and leaves the link open
   */
  attach(
    link: McumgrLink,
    { survivesReset = false, longestMessage = Number.POSITIVE_INFINITY, frameOctets = 0 }: SimulatedAttachOptions = {},
  ): Disposable {
    if (this.#disposed) throw new StateError("the simulated device is disposed");
    this.#links.set(link, survivesReset);
    link.onClose = () => this.#links.delete(link);
    link.onMessage = (packet) => {
      if (packet.length <= longestMessage) this.#receive(link, packet, frameOctets);
      else this.#lose("too-long", packet);
    };
    return {
      [Symbol.dispose]: () => {
        if (this.#links.delete(link)) link.onMessage = undefined;
      },
    };
  }

  #receive(link: McumgrLink, packet: Uint8Array, frameOctets: number): void {
    if (this.#run !== undefined) {
      this.#run.receive(link, packet, frameOctets);
      return;
    }
    this.#lose("not-running", packet);
  }

  #lose(why: "too-long" | "not-running", packet: Uint8Array): void {
    this.counters.lost++;
    this.#note({ kind: "lost", why, length: packet.length });
  }

  /** Something goes wrong with the next requests, or with those that a rule names. Disposing it takes it back. */
  inject(fault: McumgrFault, rule: McumgrFaultRule = {}): Disposable {
    return this.#faults.add(fault, rule);
  }

  /** Sends octets on every link that nobody asked for. */
  async sendUnasked(octets: Uint8Array): Promise<void> {
    await Promise.allSettled([...this.#links.keys()].map(async (link) => await link.send(octets)));
  }

  /** Text on the console, which a serial link shows between its lines. */
  print(text: string): void {
    this.#note({ kind: "console", text });
    this.#events.emit("console", text);
  }

  /** The application has tested itself: its image stays. */
  async confirm(image = 0): Promise<void> {
    await this.#imageService.confirmRunning(this.#power, this.#images[image]!);
  }

  /** Starts anew at once, without being asked. Resolves when something runs again. @param bootMode 1 stays in the recovery */
  async reset(bootMode = 0): Promise<SimulatedRunning> {
    this.#stop("reset");
    return await this.#start(bootMode);
  }

  #resetSoon(bootMode: number): void {
    const power = this.#power;
    this.#resetTimer?.[Symbol.dispose]();
    this.#promisedReset = bootMode;
    this.#resetTimer = this.clock.setTimer(this.#options.resetDelayMs, "mcumgr reset", () => {
      if (power.isOn) void this.reset(bootMode);
    });
  }

  /** The supply is gone: links end, what was being written stays as far as it came. @param options.offMs it comes back after so long */
  powerCut({ offMs }: { offMs?: number | undefined } = {}): void {
    this.#stop("power");
    if (offMs !== undefined) this.#resetTimer = this.clock.setTimer(offMs, "power comes back", () => void this.powerOn());
  }

  /** The supply is back. Resolves when something runs. */
  async powerOn(): Promise<SimulatedRunning> {
    if (this.#running !== "off") return this.#running;
    return await this.#start(0);
  }

  /**
   * Cuts the power in the midst of an operation of the flash memory: the one that follows so many whole ones, in the application and in the
   * bootloader alike.
   */
  powerCutAfter(flashSteps: number, { offMs }: { offMs?: number } = {}): void {
    this.#restartMs = offMs;
    this.#flash.cutAfter(flashSteps);
  }

  #stop(why: "reset" | "power"): void {
    this.#resetTimer?.[Symbol.dispose]();
    this.#promisedReset = undefined;
    this.#power.end();
    this.#flash.failAfter(Number.POSITIVE_INFINITY);
    this.#run = undefined;
    this.#recovery = undefined;
    this.#uploads.forget();
    this.#fileService.close();
    this.#note({ kind: "off", why });
    this.#tell("off");
    for (const [link, survivesReset] of [...this.#links]) if (!survivesReset) this.#drop(link);
  }

  #drop(link: McumgrLink): void {
    this.#links.delete(link);
    void link[Symbol.asyncDispose]().then(undefined, () => undefined);
  }

  async #start(bootMode: number): Promise<SimulatedRunning> {
    if (this.#disposed) return this.#running;
    const power = new PowerSession();
    this.#power = power;
    this.#tell("starting");
    try {
      const { bootMs, recovery } = this.#options;
      if (bootMs > 0) await delay(this.clock, bootMs, { signal: power.signal, name: "mcumgr start" });
      if (recovery && bootMode === 1) return this.#enter("recovery");
      const isBootable = await this.#bootloader.boot(power);
      power.check();
      return this.#enter(isBootable ? "application" : recovery ? "recovery" : "nothing");
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
      return this.#running; // whoever cut the power says what comes next
    }
  }

  #enter(running: "application" | "recovery" | "nothing"): SimulatedRunning {
    this.#settingsService.load();
    this.#run =
      running === "application" ? this.#createRun(() => this.#allGroups()) : running === "recovery" ? this.#createRecovery() : undefined;
    this.#note({ kind: "started", running });
    this.#tell(running);
    return running;
  }

  #createRecovery(): ServerRun {
    const { recovery, progressiveErase } = this.#options as {
      recovery: Exclude<CheckedDeviceOptions["recovery"], false>;
      progressiveErase: boolean;
    };
    this.#recovery = new RecoveryService({
      ...recovery,
      images: this.#images,
      flash: this.#flash,
      progressiveErase,
      reset: () => this.#resetSoon(0),
    });
    const { groups } = this.#recovery;
    return this.#createRun(() => groups, { ...recovery, bufCount: RECOVERY_BUFFERS, errors: "first-only", alwaysRc: false });
  }

  #createRun(groups: () => readonly ServedGroup[], other: Partial<CheckedDeviceOptions> = {}): ServerRun {
    return new ServerRun({
      ...this.#options,
      ...other,
      power: this.#power,
      groups,
      faults: this.#faults,
      counters: this.counters,
      record: (entry) => this.#note(entry),
      onRequest: (request) => this.#events.emit("request", request),
      strike: (fault) => this.#strike(fault),
      relieve: () => this.#flash.failAfter(Number.POSITIVE_INFINITY),
    });
  }

  #strike(fault: McumgrFault): void {
    if (fault.kind === "reset") void this.reset();
    if (fault.kind === "power-cut") this.powerCut({ offMs: fault.offMs });
    if (fault.kind === "full") this.#flash.failAfter(0);
    if (fault.kind === "noise") this.print(fault.text);
  }

  #tell(running: SimulatedRunning): void {
    this.#running = running;
    this.#events.emit("running", running);
  }

  #note(entry: McumgrRecordEntry): void {
    const record: McumgrRecord = { atMs: this.clock.now(), ...entry };
    this.#record.push(record);
    if (this.#record.length > RECORD_CAPACITY) this.#record.splice(0, RECORD_CAPACITY / 4);
    this.#events.emit("record", record);
  }

  /** Ends for good, and closes all links. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#stop("power");
    await Promise.allSettled([...this.#links.keys()].map(async (link) => await link[Symbol.asyncDispose]()));
    this.#links.clear();
  }
}

function replace<T>(map: Map<string, T>, entries: Readonly<Record<string, T>>): void {
  map.clear();
  for (const [name, value] of Object.entries(entries)) map.set(name, value);
}
