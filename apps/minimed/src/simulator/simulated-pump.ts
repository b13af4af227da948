import { type Clock, callOut, Deadline, delay, type OperationOptions } from "jelling/async";
import { AttOpcode } from "jelling/att";
import { toHex } from "jelling/bytes";
import { type Address, BleError, ClosedError, checkInteger, StateError, type Uuid } from "jelling/core";
import { type Connection, type ConnectionPolicy, Device } from "jelling/device";
import type { Advertisement } from "jelling/gap";
import { HciErrorCode } from "jelling/hci";
import { createBond, IoCapability, KeyDistribution, type PairingReport } from "jelling/smp";
import { careLinkHash, MEDTRONIC_COMPANY_ID, PAIR_SERVICE_UUID, RECONNECT_SERVICE_UUID } from "../connector/advertising.ts";
import type { LocalDateTime } from "../data/date-time.ts";
import { decodeInformationString } from "../data/standard.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import { AttTap } from "./att-tap.ts";
import type { DeliverySource, HistoryMemory } from "./delivery-source.ts";
import { SimulatedPumpFaults } from "./faults.ts";
import { discoverPhone, type PhoneHandles } from "./phone-discovery.ts";
import { PumpBody } from "./pump-body.ts";
import { SakeLink } from "./sake-link.ts";
import type { SimulatedSensor } from "./sensor.ts";
import { checkedPumpOptions, inventPumpIdentity, type SimulatedPumpOptions, SMALLEST_MTU } from "./simulated-pump-options.ts";

/** Longest ATT PDU a pump can take before it has authenticated the phone. */
const LONGEST_PDU = 23;
/** A pump that was given something it cannot take drops the link after so long. */
const SULKS_FOR_MS = 8000;
/** It looks for its phone rarely, to spare the battery. */
const SEARCH = Object.freeze({ intervalMs: 10_240, windowMs: 20 });
const LOOK_FOR_NEW = Object.freeze({ intervalMs: 60, windowMs: 60 });
const CONNECT_TIMEOUT_MS = 5000;
const PAIR_TIMEOUT_MS = 300_000;
const PAUSE_AFTER_FAILURE_MS = 5000;
const ALL_KEYS = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey;

/** As the pump connects: legacy pairing with the MITM bit and without input or output, and no change of its parameters. */
const policy = (mtu: number): ConnectionPolicy => ({
  att: { mtu, exchangeMtu: "on-demand" },
  pairing: {
    ioCapability: IoCapability.NoInputNoOutput,
    bonding: true,
    mitm: true,
    secureConnections: false,
    localKeys: ALL_KEYS,
    peerKeys: ALL_KEYS,
    maxKeySize: 16,
  },
  parameterRequests: "refuse",
  dataLength: "never",
});
/** How it listens. */
interface Search {
  readonly intervalMs: number;
  readonly windowMs: number;
  readonly active?: boolean;
}
/** What its user has it look for. */
interface Wanted {
  readonly how: Search;
  readonly isWanted: (advertisement: Advertisement) => boolean;
  readonly information: Uuid;
}
const LINK = Object.freeze({ intervalMs: 125, latency: 0, supervisionTimeoutMs: 3000 });

/**
 * A MiniMed 700-series pump as far as its link goes: a central that pairs one phone, discovers it, authenticates it with SAKE, serves it
 * glucose, and looks for it again when the link is lost. Its keys are invented.
 */
export class SimulatedPump implements AsyncDisposable {
  readonly identity: ReturnType<typeof inventPumpIdentity>;
  readonly #options: ReturnType<typeof checkedPumpOptions>;
  readonly #clock: Clock;
  readonly #device: Device;
  readonly #tap: AttTap;
  readonly #body: PumpBody;
  /** What goes wrong, on command. */
  readonly faults = new SimulatedPumpFaults(() => ({
    life: this.#body.life,
    fallSilent: (forMs) => this.#fallSilent(forMs),
    speakAgain: () => this.#speakAgain(),
    loseLink: () => this.#drop(HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff),
    loseBond: (side) => (side === "pump" ? this.forgetPhone() : this.#changeKey()),
    updateFirmware: () => this.#update(),
  }));
  readonly #closing = new AbortController();
  #phone: { readonly identity: Address; readonly handles: PhoneHandles } | undefined;
  #connection: Connection | undefined;
  #sake: SakeLink | undefined;
  #searching: Promise<void> | undefined;
  #searchControl = new AbortController();
  #userBusy = false;
  #silence: Disposable | undefined;
  /** Handshakes that went through. */
  handshakes = 0;

  private constructor(device: Device, tap: AttTap, options: ReturnType<typeof checkedPumpOptions>) {
    this.#device = device;
    this.#tap = tap;
    this.#options = options;
    this.#clock = options.clock;
    this.identity = inventPumpIdentity(options.seed);
    this.#body = new PumpBody({
      options,
      identity: this.identity,
      server: device.gattServer,
      faults: this.faults,
      session: () => this.#sake?.session,
      att: () => this.#connection?.att,
    });
  }

  /** Powers the pump up. It knows no phone. @throws {ArgumentError} · what opening its controller throws */
  static async open(given: SimulatedPumpOptions): Promise<SimulatedPump> {
    const options = checkedPumpOptions(given);
    let pump: SimulatedPump | undefined;
    const tap = new AttTap(options.transport, (direction, pdu) => {
      if (pump) pump.#observe(direction, pdu);
    });
    const { clock, random, logger, capture } = options;
    const device = await Device.open(tap, { clock, random, logger, capture, gattServer: "empty", address: "public" });
    // It asks to pair while its user lets it, and never because somebody asks for it.
    device.pairable = false;
    pump = new SimulatedPump(device, tap, options);
    return pump;
  }

  /** What the pump's clock shows. */
  get now(): LocalDateTime {
    return this.#body.now;
  }
  get connected(): boolean {
    return this.#connection !== undefined;
  }
  get authenticated(): boolean {
    return this.#sake?.session !== undefined && !this.#sake.session.isClosed;
  }
  /** Whether a phone is paired; there is room for one. */
  get hasPhone(): boolean {
    return this.#phone !== undefined;
  }
  /** undefined while no sensor session runs. */
  get sensor(): SimulatedSensor | undefined {
    return this.#body.sensor;
  }
  get firmware(): string {
    return this.#body.firmware;
  }
  /** It goes down by quarters in four weeks, unless it is set. */
  get batteryPercent(): number {
    return this.#body.batteryPercent;
  }
  set batteryPercent(percent: number) {
    this.#body.batteryPercent = percent;
  }
  /** What it tells of its therapy, at this moment. */
  get delivery(): DeliverySource {
    return this.#body.delivery;
  }
  /** The records in its memory. */
  get history(): HistoryMemory {
    return this.#body.delivery.history;
  }
  /** Writes that would have changed something, had they been allowed. */
  get forbiddenWrites(): number {
    return this.#body.served.forbiddenWrites;
  }
  /** The link to the phone, for faults in tests. */
  get connection(): Connection | undefined {
    return this.#connection;
  }
  get device(): Device {
    return this.#device;
  }

  /** Puts the CGM service at another handle, without a word to the phone. */
  moveGlucoseService(handle: number): void {
    this.#body.moveGlucose(handle);
  }

  /** A new sensor is put on. @param start when its session began, by the pump's clock; now by default */
  startSensor(start: LocalDateTime = this.now): void {
    this.#body.life.startSensor(start);
  }
  stopSensor(): void {
    this.#body.life.stopSensor();
  }

  /**
   * The user chooses "pair new device" and takes the first phone that shows up. Resolves when it is authenticated; afterwards the pump keeps
   * the link and comes back by itself whenever it is lost.
   *
   * @throws {StateError} a phone is paired already · {TimeoutError} none shows up in five minutes · what went wrong with it
   */
  async pairNewPhone(options: OperationOptions = {}): Promise<void> {
    const isPhone = (advertisement: Advertisement): boolean => advertisement.hasService(PAIR_SERVICE_UUID);
    this.#expectFree();
    this.#say("the user chooses to pair a new device; scanning for FE82");
    await this.#pairFirst({ how: LOOK_FOR_NEW, isWanted: isPhone, information: ServiceUuid.PhoneInformation }, options);
  }

  /**
   * The user chooses to connect an uploader, and the pump shows six digits. It takes the one that knows them: whose advertisement holds their hash
   * with its public address. As `pairNewPhone` otherwise; its key database must have keys for an uploader.
   *
   * @throws {ArgumentError} not six digits · as `pairNewPhone`
   */
  async pairUploader({ confirmationCode, ...options }: OperationOptions & { readonly confirmationCode: number }): Promise<void> {
    checkInteger("confirmationCode", confirmationCode, 0, 999_999);
    this.#expectFree();
    this.#say(`shows the code ${confirmationCode.toString().padStart(6, "0")}; scanning for FE82 with its hash`);
    const isUploader = ({ address, manufacturerData }: Advertisement): boolean =>
      manufacturerData.some(
        ({ companyIdentifier, data }) =>
          companyIdentifier === MEDTRONIC_COMPANY_ID &&
          toHex(data) === toHex(Uint8Array.of(0x01, ...careLinkHash(address, confirmationCode))),
      );
    await this.#pairFirst(
      { how: { ...LOOK_FOR_NEW, active: true }, isWanted: isUploader, information: ServiceUuid.DeviceInformation },
      options,
    );
  }

  /** @throws {StateError} */
  #expectFree(): void {
    if (this.#phone) throw new StateError("the pump has a phone already: it takes one at a time");
    if (this.#userBusy) throw new StateError("the pump is pairing already");
  }

  async #pairFirst({ how, isWanted, information }: Wanted, { signal, timeoutMs = PAIR_TIMEOUT_MS }: OperationOptions): Promise<void> {
    this.#userBusy = true;
    const until = this.#until(signal);
    // One window over all attempts: what has not been paired when it closes is not paired any more.
    using window = new Deadline({ clock: this.#clock, operation: "looking for a phone", signal: until, timeoutMs });
    try {
      for (;;) {
        const found = await this.#find(how, isWanted, { signal: window.signal });
        this.#say(`shows "${nameOf(found)}"; the user confirms`);
        const connection = await this.#connect(found, window.signal);
        try {
          await this.#during(connection, until, (link) => this.#meet(connection, information, link, window.signal));
          return;
        } catch (error) {
          // The phone did not hear that it was meant; nothing has happened yet.
          if (connection.ended?.reason !== HciErrorCode.ConnectionFailedToBeEstablished) throw error;
        }
      }
    } catch (error) {
      this.#say("shows that pairing failed");
      throw error;
    } finally {
      this.#userBusy = false;
      if (!this.#connection) this.#searchAgain();
    }
  }

  /** The user removes the paired phone. */
  async forgetPhone(): Promise<void> {
    const phone = this.#phone;
    this.#phone = undefined;
    this.#searchControl.abort(new StateError("the phone was removed"));
    if (phone) await this.#device.bonds.delete(phone.identity);
    await this.disconnect();
  }

  async disconnect(): Promise<void> {
    await this.#connection?.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ClosedError("the simulated pump was switched off"));
    this.#silence?.[Symbol.dispose]();
    this.#body[Symbol.dispose]();
    await this.#device.close();
    await this.#searching;
  }

  // --- meeting a phone ----------------------------------------------------------------------------------------------------------

  /** The first connection: pair, discover, authenticate. */
  async #meet(connection: Connection, information: Uuid, options: OperationOptions, window: AbortSignal): Promise<void> {
    this.#say("asks to pair: no input or output, MITM bit set, legacy");
    const report = await connection.pair({ signal: window });
    const bonded = connection.peerIdentity;
    try {
      await this.#examine(connection, report, { ...options, information });
    } catch (error) {
      await this.#device.bonds.delete(bonded);
      throw error;
    }
  }

  async #examine(
    connection: Connection,
    report: PairingReport,
    { information, ...options }: OperationOptions & { readonly information: Uuid },
  ): Promise<void> {
    this.#say(`paired by ${report.method.replaceAll("-", " ")}; discovery begins`);
    const phone = await discoverPhone(connection.att, {
      ...options,
      mtu: this.#options.mtu,
      clock: this.#clock,
      information,
      onStage: (text) => this.#say(text),
    });
    const model = phone.values.get(CharacteristicUuid.ModelNumber.text);
    this.#say(`the phone says it is a ${model ? decodeInformationString(model) : "device without a model"}`);
    await this.#authenticate(connection, phone, { ...options, writesSubscription: true });
    this.#phone = { identity: connection.peerIdentity, handles: { sakeValue: phone.sakeValue, sakeCccd: phone.sakeCccd } };
  }

  /** Every later connection: encrypt with the bond, authenticate afresh. */
  async #meetAgain(connection: Connection, handles: PhoneHandles, options: OperationOptions): Promise<void> {
    await connection.encrypt(options);
    this.#say("link encrypted with the key of the bond");
    if (this.#options.mtu > SMALLEST_MTU) await connection.att.exchangeMtu(options);
    const writesSubscription = this.#options.writesSubscriptionAgain ?? true;
    await this.#authenticate(connection, handles, { ...options, writesSubscription });
  }

  async #authenticate(
    connection: Connection,
    handles: PhoneHandles,
    options: OperationOptions & { writesSubscription: boolean },
  ): Promise<void> {
    this.#say(options.writesSubscription ? "subscribes to the SAKE characteristic" : "waits for the SAKE wake-up");
    const { clock, random, keyDatabase } = this.#options;
    this.#sake = new SakeLink({ att: connection.att, handles, clock, random, keyDatabase });
    await this.#sake.authenticate(options);
    this.handshakes++;
    this.#say("the phone is authenticated");
  }

  // --- links --------------------------------------------------------------------------------------------------------------------

  async #find(how: Search, isPhone: (advertisement: Advertisement) => boolean, { signal }: OperationOptions): Promise<Advertisement> {
    const scan = this.#device.scan({
      active: false,
      ...how,
      duplicates: "report",
      signal,
    });
    for await (const advertisement of scan) if (advertisement.connectable && isPhone(advertisement)) return advertisement.keep();
    throw new ClosedError("the pump's controller is gone");
  }

  async #connect(phone: Advertisement, signal: AbortSignal): Promise<Connection> {
    const connection = await this.#device.connect(phone.address, {
      ...LINK,
      signal,
      timeoutMs: CONNECT_TIMEOUT_MS,
      scanIntervalMs: LOOK_FOR_NEW.intervalMs,
      scanWindowMs: LOOK_FOR_NEW.windowMs,
      policy: policy(this.#options.mtu),
    });
    this.#connection = connection;
    this.#speakAgain();
    this.#body.reset();
    this.#say(`connected: interval ${LINK.intervalMs} ms, timeout ${LINK.supervisionTimeoutMs} ms`);
    void connection.closed.then((reason) => {
      this.#connection = undefined;
      this.#sake?.[Symbol.dispose]();
      this.#sake = undefined;
      this.#body.reset();
      this.#say(reason.message);
      this.#searchAgain();
    });
    return connection;
  }

  /** Runs what leads to an authenticated phone; when it fails the link is dropped. */
  async #during(connection: Connection, signal: AbortSignal, meet: (options: OperationOptions) => Promise<void>): Promise<void> {
    try {
      await meet({ signal });
    } catch (error) {
      // One that has fallen silent stays so for a while.
      if (!this.#tap.deaf) await connection.disconnect().catch(() => undefined);
      throw error;
    }
  }

  #searchAgain(): void {
    if (!this.#phone || this.#userBusy || this.#searching || this.#closing.signal.aborted) return;
    this.#searching = this.#search().finally(() => {
      this.#searching = undefined;
      if (!this.#connection) this.#searchAgain(); // lost in the meantime
    });
  }

  /** Looks for the phone until it is there. It must resolve to the bonded identity. */
  async #search(): Promise<void> {
    this.#searchControl = new AbortController();
    const signal = this.#until(this.#searchControl.signal);
    this.#say(`looks for its phone: FE81, listens ${SEARCH.windowMs} ms in ${SEARCH.intervalMs} ms`);
    for (let phone = this.#phone; phone && !this.#connection && !signal.aborted; phone = this.#phone) {
      const { identity, handles } = phone;
      try {
        const found = await this.#find(
          SEARCH,
          (advertisement) => advertisement.hasService(RECONNECT_SERVICE_UUID) && (advertisement.identity?.equals(identity) ?? false),
          { signal },
        );
        this.#say("found its phone");
        const connection = await this.#connect(found, signal);
        await this.#during(connection, signal, (options) => this.#meetAgain(connection, handles, options));
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof BleError)) throw error;
        this.#say(`could not reach its phone: ${error.message}`);
        await delay(this.#clock, PAUSE_AFTER_FAILURE_MS, { signal }).catch(() => undefined);
      }
    }
  }

  // --- what a pump minds --------------------------------------------------------------------------------------------------------

  #subscribing = false;

  #observe(direction: "sent" | "received", pdu: { opcode: number; length: number; parameters: Uint8Array }): void {
    const { opcode, length, parameters } = pdu;
    const handle = (parameters[0] ?? 0) | ((parameters[1] ?? 0) << 8);
    if (direction === "sent") {
      if (opcode === AttOpcode.WriteReq) this.#subscribing = parameters.length === 4;
      return;
    }
    if (this.#tap.deaf) return;
    if (length > LONGEST_PDU && !this.authenticated) {
      this.#sulk(`received an ATT PDU of ${length} octets`);
      return;
    }
    if (opcode === AttOpcode.WriteRsp || opcode === AttOpcode.ErrorRsp) this.#subscribing = false;
    if (opcode !== AttOpcode.HandleValueNtf) return;
    if (this.#subscribing) {
      this.#say("a notification came before the response to the subscription");
      void this.#connection?.disconnect(HciErrorCode.RemoteUserTerminatedConnection).catch(() => undefined);
      return;
    }
    this.#sake?.onNotification(handle, parameters.slice(2, length - 1));
  }

  /** It answers nothing and asks nothing any more, and after a while drops the link. */
  #sulk(why: string): void {
    this.#say(`falls silent: ${why}`);
    this.#tap.deaf = true;
    const connection = this.#connection;
    this.#clock.setTimer(SULKS_FOR_MS, "a silent pump", () => void connection?.disconnect().catch(() => undefined));
  }

  // --- faults -------------------------------------------------------------------------------------------------------------------

  #fallSilent(forMs: number | undefined): void {
    this.#say("falls silent");
    this.#tap.deaf = true;
    this.#body.outbox.pause();
    this.#silence?.[Symbol.dispose]();
    if (forMs !== undefined) this.#silence = this.#clock.setTimer(forMs, "a silent pump", () => this.#speakAgain());
  }

  #speakAgain(): void {
    this.#silence?.[Symbol.dispose]();
    this.#tap.deaf = false;
    this.#body.outbox.resume();
  }

  async #drop(reason: number): Promise<void> {
    await this.#connection?.disconnect(reason);
  }

  /** What it knows the phone's key by is not what the phone gave out. @throws {StateError} */
  async #changeKey(): Promise<void> {
    const bond = this.#phone && (await this.#device.bonds.load(this.#phone.identity));
    if (!bond?.peerLtk) throw new StateError("the pump has no bond to lose");
    await this.#device.bonds.save(createBond({ ...bond, peerLtk: { ...bond.peerLtk, ediv: bond.peerLtk.ediv ^ 1 } }));
    await this.#drop(HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff);
  }

  async #update(): Promise<void> {
    await this.#drop(HciErrorCode.RemoteDeviceTerminatedConnectionDueToPowerOff);
    this.#body.update();
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  #say(text: string): void {
    this.#options.logger?.info(text);
    callOut(this.#options.onEvent, { timeMs: this.#clock.now(), text });
  }
}

/** The name to show: of the advertising data, or of the manufacturer data as the official application sends it. */
function nameOf(advertisement: Advertisement): string {
  const [manufacturer] = advertisement.manufacturerData;
  return advertisement.name ?? (manufacturer ? decodeInformationString(manufacturer.data.subarray(1)) : "a phone without a name");
}
