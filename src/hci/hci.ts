import { callOut, rethrowLater } from "../async/call-out.ts";
import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { kindOf, requireFunction } from "../core/arguments.ts";
import { ArgumentError, BleError, ClosedError, Logger, StateError, UnsupportedError } from "../core/index.ts";
import { AclManager } from "./acl.ts";
import { reportEnd } from "./advertising-reports.ts";
import { CommandFlow } from "./command-flow.ts";
import { Reset } from "./commands/controller-baseband.ts";
import { Disconnect } from "./commands/link-control.ts";
import { type ControllerInfo, initializeController, isSupported } from "./controller-info.ts";
import { type CommandDeclaration, EventCode, type EventDeclaration, encodeCommand, eventKey, isCommandFailure } from "./declare.ts";
import { ControllerError, DisconnectedError, HciErrorCode } from "./error.ts";
import { EventHandlers, ReasonHandlers } from "./event-handlers.ts";
import { EventMasks } from "./event-masks.ts";
import { LeExtendedAdvertisingReport } from "./events/le-extended-advertising.ts";
import { LeAdvertisingReport } from "./events/le-meta.ts";
import { checkHciOptions, type HciOptions } from "./hci-options.ts";
import { climb, type HciRecovery } from "./recovery.ts";
import { checkTransport, type HciTransport, noPacket, PacketType, plainOctets, TransportClosed } from "./transport.ts";

/** How long a controller may take for the Reset with which it is left, in milliseconds. */
const FAREWELL_MS = 1000;
/** How long a transport may take to close where something else is to be told, in milliseconds. */
const RELEASE_MS = 5000;
const LE_ADVERTISING_REPORT = LeAdvertisingReport.subeventCode;
const LE_EXTENDED_ADVERTISING_REPORT = LeExtendedAdvertisingReport.subeventCode;

/** The host's side of HCI: commands and their answers, events, ACL data. */
export class Hci implements AsyncDisposable {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acl: AclManager;
  /**
   * Called synchronously for each report of a legacy LE Advertising Report event, in place: `packet[offset, end)` is one report,
   * Event_Type first, RSSI last (Vol 4 Part E 7.7.65.2), its lengths checked. The octets are valid during the call.
   */
  onAdvertisingReport: ((packet: Uint8Array, offset: number, end: number) => void) | undefined;
  /**
   * The same for each report of an LE Extended Advertising Report event, Event_Type first, Data last (Vol 4 Part E 7.7.65.13). The event
   * has to be switched on by `enableEvents`.
   */
  onExtendedAdvertisingReport: ((packet: Uint8Array, offset: number, end: number) => void) | undefined;
  #transport: HciTransport;
  readonly #recovery: HciRecovery | undefined;
  #isTransportGone = false;
  readonly #commands: CommandFlow;
  readonly #handlers: EventHandlers;
  readonly #masks = new EventMasks();
  readonly #closeHandlers = new ReasonHandlers();
  readonly #resetHandlers = new ReasonHandlers();
  #controller: ControllerInfo | undefined;
  #ended: BleError | undefined;
  #resetting: Promise<void> | undefined;
  #farewell: Pending<void> | undefined;
  #disposal: Promise<void> | undefined;
  #released: Promise<void> | undefined;

  private constructor(transport: HciTransport, { clock, logger = Logger.silent, commandTimeoutMs = 5000, recovery }: HciOptions) {
    this.clock = clock;
    this.logger = logger.child("hci");
    this.#transport = transport;
    this.#recovery = recovery;
    this.#handlers = new EventHandlers(this.logger);
    this.#commands = new CommandFlow({
      clock,
      logger: this.logger,
      timeoutMs: commandTimeoutMs,
      transmit: this.#transmit,
      onDead: (error) => this.#onTrouble(error),
    });
    this.acl = new AclManager({ clock, logger: this.logger, transmit: this.#transmit, onOverflow: (handle) => this.#giveUpLink(handle) });
    this.#attach(transport);
  }

  #attach(transport: HciTransport): void {
    this.#transport = transport;
    this.#isTransportGone = false;
    this.#released = undefined;
    transport.onClose = (reason) => this.#onTransportGone(this.#asEnd(reason));
    transport.onPacket = this.#receive;
  }

  async #detach(): Promise<void> {
    this.#isTransportGone = true;
    this.#transport.onClose = undefined;
    this.#transport.onPacket = undefined;
    await this.#releaseAnyhow();
  }

  #onTransportGone(reason: BleError): void {
    this.#isTransportGone = true;
    if (!this.#controller || !this.#recovery?.reopen) this.#fail(reason);
    else this.#onTrouble(reason);
  }

  /** The controller does not do what a controller does: brought back where that is wanted, or the end. */
  #onTrouble(reason: BleError): void {
    if (!this.#controller || !this.#recovery) {
      this.#fail(reason);
      return;
    }
    if (this.#ended) return;
    if (this.#resetting) {
      this.#commands.restart(reason); // what is under way will have no answer; the rung that waits for it fails
      return;
    }
    this.#resetting = this.#recover(this.#recovery, reason).finally(() => {
      this.#resetting = undefined;
    });
  }

  async #recover(recovery: HciRecovery, reason: BleError): Promise<void> {
    this.logger.warn(() => `the controller is brought back: ${reason.message}`);
    const held = this.#commands.hold(reason);
    this.#commands.restart(reason);
    const { address } = this.controller;
    const setUp = async (): Promise<void> => {
      this.#commands.restart(reason);
      await this.#commands.send(Reset, {}, { isUrgent: true });
      await this.#initialize({});
      const now = this.controller.address;
      if (!now.equals(address)) throw new ControllerError(`another controller is there now: ${now}, it was ${address}`);
    };
    const target = {
      clock: this.clock,
      logger: this.logger,
      ended: () => this.#ended,
      isTransportGone: () => this.#isTransportGone,
      setUp,
      detach: () => this.#detach(),
      attach: (transport: HciTransport) => this.#attach(transport),
    };
    try {
      // In this turn: whatever brings the controller back, its links are lost.
      this.#tellReset(reason);
      if (recovery.onRecovering) callOut(recovery.onRecovering, reason);
      const by = await climb(target, recovery, reason);
      if (by && recovery.onRecovered) callOut(recovery.onRecovered, { by, reason });
    } catch (error) {
      this.#fail(new ControllerError("the controller could not be brought back", { cause: error }));
      await this.#releaseAnyhow();
    } finally {
      held[Symbol.dispose]();
    }
  }

  #tellReset(reason: BleError): void {
    this.acl.close(new DisconnectedError(HciErrorCode.HardwareFailure, { cause: reason }));
    this.#resetHandlers.call(reason);
  }

  /**
   * Resets the controller, reads its properties and switches its events on. The transport belongs to the Hci from here on; it is closed
   * when this fails.
   *
   * @throws {ArgumentError} no transport, or an unknown option
   * @throws {UnsupportedError} no LE controller
   * @throws {TimeoutError} the controller does not answer
   * @throws {TransportClosed} the transport ended, or its `send` threw
   * @throws {HciError} the controller refuses a command that it must have
   */
  static async open(transport: HciTransport, options: HciOptions): Promise<Hci> {
    checkTransport("Hci.open", transport);
    checkHciOptions(options);
    const hci = new Hci(transport, options);
    const { signal } = options;
    try {
      await hci.#commands.send(Reset, {}, { signal });
      await hci.#initialize({ signal });
      return hci;
    } catch (error) {
      hci.#fail(new ClosedError("the controller could not be opened", { cause: error }));
      await hci.#releaseAnyhow();
      throw error;
    }
  }

  async #initialize(options: OperationOptions): Promise<void> {
    this.#controller = await initializeController(
      (declaration, parameters, sending) => this.#commands.send(declaration, parameters, { ...sending, isUrgent: true }),
      this.#masks,
      options,
    );
    this.acl.configure(this.#controller.leAclDataPacketLength, this.#controller.totalNumLeAclDataPackets);
  }

  /**
   * Brings a controller back of which nobody knows any more what it does: Reset, and its events switched on again. The last resort, since
   * every link is lost: their data ends with a DisconnectedError, then `onReset` tells. Commands that wait are refused, those that are sent
   * meanwhile leave afterwards. Callers at the same time share one reset.
   *
   * @param reason why; the cause of what is told to the links
   * @throws {ControllerError} the controller does not come back; the Hci has ended with it
   * @throws why the Hci had ended before
   */
  reset(reason: BleError = new StateError("the controller was reset")): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    const reset = async (): Promise<void> => {
      if (!this.#recovery) return await this.#reset(reason);
      await this.#recover(this.#recovery, reason);
      if (this.#ended) throw this.#ended;
    };
    this.#resetting ??= reset().finally(() => {
      this.#resetting = undefined;
    });
    return this.#resetting;
  }

  async #reset(reason: BleError): Promise<void> {
    this.logger.warn(() => `the controller is reset: ${reason.message}`);
    const held = this.#commands.hold(reason);
    try {
      await this.#commands.send(Reset, {}, { isUrgent: true });
      this.#tellReset(reason);
      await this.#initialize({});
    } catch (error) {
      this.#fail(new ControllerError("the controller could not be brought back by a reset", { cause: error }));
      throw this.#ended;
    } finally {
      held[Symbol.dispose]();
    }
  }

  get controller(): ControllerInfo {
    return this.#controller!; // set before `open` gives the object away
  }

  /** Why nothing works any more: the transport closed, the controller failed, or this was disposed. */
  get ended(): BleError | undefined {
    return this.#ended;
  }

  /** What the transport says of itself. */
  get transportInfo(): HciTransport["info"] {
    return this.#transport.info;
  }

  supports(declaration: CommandDeclaration): boolean {
    return isSupported(this.controller.supportedCommands, declaration);
  }

  /** @param bit a value of LeFeature */
  hasLeFeature(bit: number): boolean {
    return ((this.controller.leFeatures >> BigInt(bit)) & 1n) === 1n;
  }

  /**
   * Sends a command and gives its return parameters; for one that is answered by Command Status, resolves when the controller has
   * accepted it. Commands leave in the order of the calls.
   *
   * @throws {HciError} the controller refused
   * @throws {TimeoutError} no answer within `timeoutMs`, or within the controller's time for an answer
   * @throws {UnsupportedError} the controller does not have this command
   * @throws {StateError} too many commands wait already
   * @throws `signal.reason` once `signal` aborts; a command already sent has its effect all the same
   */
  send<P, R>(declaration: CommandDeclaration<P, R>, parameters: NoInfer<P>, options?: OperationOptions): Promise<R> {
    if (typeof declaration?.opcode !== "number")
      return Promise.reject(new ArgumentError(`Hci.send: expected the declaration of a command, got ${kindOf(declaration)}`));
    if (!this.#ended && !this.supports(declaration))
      return Promise.reject(new UnsupportedError(`the controller does not support ${declaration.name}`));
    return this.#commands.send(declaration, parameters, options);
  }

  /**
   * Has the controller tell these events from here on, after a `reset` too. For events of what is optional, before it is used: the events of
   * links, of legacy advertising reports and of encryption are on already. Events that are on cost nothing; two versions of one event
   * (LeEnhancedConnectionComplete and its second) come as the newest that is on.
   *
   * @throws {HciError} the controller refuses: it does not know one of them, and that mask stays as it was
   * @throws {UnsupportedError} the controller has no Set Event Mask Page 2, where events from 0x40 on are
   * @throws `signal.reason` once `signal` aborts
   * @see Vol 4 Part E 7.3.1, 7.3.69 and 7.8.1
   */
  enableEvents(events: readonly EventDeclaration[], options?: OperationOptions): Promise<void> {
    for (const declaration of events)
      if (typeof declaration?.eventCode !== "number")
        return Promise.reject(new ArgumentError(`Hci.enableEvents: expected declarations of events, got ${kindOf(declaration)}`));
    return this.#masks.enable(events, (declaration, parameters) => this.send(declaration, parameters, options));
  }

  /** Calls `handle` for every such event, decoded, synchronously and in order. At a disconnection the link has been closed before. */
  on<P>(declaration: EventDeclaration<P>, handle: (parameters: P) => void): Disposable {
    if (typeof declaration?.eventCode !== "number")
      throw new ArgumentError(`Hci.on: expected the declaration of an event, got ${kindOf(declaration)}`);
    requireFunction(`Hci.on(${declaration.name})`, handle);
    return this.#handlers.add(declaration, handle);
  }

  /** Calls `handle` once when the Hci ends, however it does: everything pending has been rejected before. At once if it has ended already. */
  onClose(handle: (reason: BleError) => void): Disposable {
    requireFunction("Hci.onClose", handle);
    if (!this.#ended) return this.#closeHandlers.add(handle);
    callOut(handle, this.#ended);
    return { [Symbol.dispose]: () => {} };
  }

  /**
   * Calls `handle` at each `reset`, with its reason, when the controller has done it: it advertises, scans and initiates no more, its
   * random address, lists and data are gone, and so are the links. What is sent from here on leaves when it is ready again.
   */
  onReset(handle: (reason: BleError) => void): Disposable {
    requireFunction("Hci.onReset", handle);
    return this.#ended ? { [Symbol.dispose]: () => {} } : this.#resetHandlers.add(handle);
  }

  /** Handlers set by `on`, `onClose` and `onReset`. */
  get listenerCount(): number {
    return this.#closeHandlers.count + this.#resetHandlers.count + this.#handlers.count;
  }

  /** Ends everything pending, leaves the controller reset - silent and without links -, and closes the transport. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    if (!this.#ended) {
      this.#fail(new ClosedError("the controller was closed by its user"));
      this.#farewell = new Pending({ clock: this.clock, operation: "Reset", timeoutMs: FAREWELL_MS });
      this.#transport.onClose = (reason) => this.#farewell?.reject(reason);
      this.#transmit(encodeCommand(Reset, {}));
      await this.#farewell.promise.catch((error: unknown) => this.logger.warn(`the controller was left without a reset: ${String(error)}`));
    }
    await this.#release();
  }

  /** Gives the transport back, once. */
  #release(): Promise<void> {
    this.#released ??= (async () => await this.#transport[Symbol.asyncDispose]())();
    return this.#released;
  }

  /** As `#release`, for who tells of another failure: a transport that hangs, or that cannot be closed, does not hide it. */
  async #releaseAnyhow(): Promise<void> {
    const released = new Pending<void>({ clock: this.clock, operation: "closing the transport", timeoutMs: RELEASE_MS });
    this.#release().then(
      () => released.resolve(),
      (error: unknown) => released.reject(error),
    );
    await released.promise.catch((error: unknown) => this.logger.warn(() => `the transport could not be closed: ${String(error)}`));
  }

  /** The transport's own back-pressure is not asked: commands and ACL data under way are bounded by what the controller granted. */
  readonly #transmit = (packet: Uint8Array): void => {
    try {
      // Nothing, as the interface has it; from an `async send` of JavaScript a promise, whose failure would be nobody's.
      const sent: unknown = this.#transport.send(packet);
      if (sent !== undefined) Promise.resolve(sent).catch((error: unknown) => this.#onSendFailure(error));
    } catch (error) {
      this.#onSendFailure(error);
    }
  };

  /** A transport that cannot send is gone, whatever it thinks of itself: what it was to send is lost, and no answer will come. */
  #onSendFailure(cause: unknown): void {
    const reason = new TransportClosed(`transport "${this.#transport.info?.spec}" ended: it failed to send`, { cause });
    this.#farewell?.reject(reason);
    if (this.#ended) return;
    this.#onTransportGone(reason);
    if (!this.#ended) return;
    this.#release().catch((error: unknown) => this.logger.warn(() => `the transport could not be closed: ${String(error)}`));
  }

  #fail(reason: BleError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.onAdvertisingReport = undefined;
    this.onExtendedAdvertisingReport = undefined;
    this.#commands.close(reason);
    const isOwn = reason instanceof ClosedError;
    this.acl.close(
      new DisconnectedError(isOwn ? HciErrorCode.ConnectionTerminatedByLocalHost : HciErrorCode.HardwareFailure, { cause: reason }),
    );
    this.#handlers.clear();
    this.#resetHandlers.clear();
    this.#closeHandlers.callLast(reason);
  }

  #giveUpLink(handle: number): void {
    const reason = HciErrorCode.RemoteDeviceTerminatedConnectionDueToLowResources;
    this.send(Disconnect, { connectionHandle: handle, reason }).catch((error: unknown) =>
      this.logger.warn(() => `handle ${handle} could not be disconnected: ${String(error)}`),
    );
  }

  /** Why a transport ended, of whatever kind its reason is. */
  #asEnd(reason: unknown): BleError {
    if (reason instanceof BleError) return reason;
    return new TransportClosed(`transport "${this.#transport.info?.spec}" ended`, reason === undefined ? {} : { cause: reason });
  }

  readonly #receive = (received: Uint8Array): void => {
    try {
      // Read before the prototype is asked for: the engine then knows what `received` is, and the question costs nothing.
      const type = received[0];
      // Fragments are copied anyway, without a view of each.
      const isAcl = type === PacketType.AclData && received instanceof Uint8Array;
      const packet = isAcl ? received : plainOctets(received);
      if (this.#ended !== undefined) {
        this.#receiveFarewell(packet);
        return;
      }
      switch (type) {
        case PacketType.AclData:
          this.acl.receive(packet);
          break;
        case PacketType.Event:
          this.#receiveEvent(packet);
          break;
        default: // synchronous and isochronous data, which this host never asks for
          this.logger.debug("a packet of a type that is not used was dropped");
      }
    } catch (error) {
      rethrowLater(received ? error : noPacket(received));
    }
  };

  #receiveFarewell(packet: Uint8Array): void {
    const isReset =
      packet[0] === PacketType.Event &&
      packet[1] === EventCode.CommandComplete &&
      packet[4] === (Reset.opcode & 0xff) &&
      packet[5] === Reset.opcode >> 8;
    if (isReset) this.#farewell?.resolve();
  }

  #receiveEvent(packet: Uint8Array): void {
    if (packet.length < 3 || (packet[2] !== packet.length - 3 && !isCommandFailure(packet))) {
      this.logger.warn("an event of wrong length was dropped");
      return;
    }
    switch (packet[1]) {
      case EventCode.LeMeta:
        if (packet[3] === LE_ADVERTISING_REPORT && this.onAdvertisingReport !== undefined) this.#receiveReports(packet, false);
        else if (packet[3] === LE_EXTENDED_ADVERTISING_REPORT && this.onExtendedAdvertisingReport !== undefined)
          this.#receiveReports(packet, true);
        if (packet.length > 3) this.#dispatch(eventKey(EventCode.LeMeta, packet[3]), packet, 4);
        return;
      case EventCode.NumberOfCompletedPackets:
        this.acl.onCompleted(packet);
        break;
      case EventCode.CommandComplete:
        this.#commands.onCommandComplete(packet);
        break;
      case EventCode.CommandStatus:
        this.#commands.onCommandStatus(packet);
        break;
      case EventCode.DisconnectionComplete:
        // A status other than success says that the link is still there.
        if (packet.length === 7 && packet[3] === HciErrorCode.Success)
          this.acl.onDisconnected(packet[4]! | ((packet[5]! & 0x0f) << 8), new DisconnectedError(packet[6]!));
        break;
      case EventCode.HardwareError: {
        const hardwareCode = packet[3] ?? 0;
        const hex = hardwareCode.toString(16).padStart(2, "0");
        this.#dispatch(EventCode.HardwareError, packet, 3);
        this.#onTrouble(new ControllerError(`the controller reported hardware error 0x${hex}`, { hardwareCode }));
        return;
      }
      case EventCode.DataBufferOverflow:
        this.logger.error("the controller reports that its data buffers overflowed; data of a link is lost");
        break;
      default:
    }
    this.#dispatch(packet[1]!, packet, 3);
  }

  #receiveReports(packet: Uint8Array, isExtended: boolean): void {
    const count = packet[4] ?? 0;
    let at = 5;
    for (let i = 0; i < count; i++) {
      const end = reportEnd(packet, at, isExtended);
      if (end > packet.length) {
        this.logger.warn("an advertising report longer than its event was dropped");
        return;
      }
      try {
        if (isExtended) this.onExtendedAdvertisingReport?.(packet, at, end);
        else this.onAdvertisingReport?.(packet, at, end);
      } catch (error) {
        rethrowLater(error);
      }
      at = end;
    }
  }

  #dispatch(key: number, packet: Uint8Array, offset: number): void {
    if (!this.#handlers.dispatch(key, packet, offset)) return;
    this.acl.deliverEarly(); // to links that the event has brought
  }
}
