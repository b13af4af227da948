import type { Air, Position, Radio } from "../air/index.ts";
import { DecodeError, decode } from "../bytes/index.ts";
import { checkChoice } from "../core/arguments.ts";
import { Address, ArgumentError, SeededRandom, StateError } from "../core/index.ts";
import {
  type CommandDeclaration,
  EventCode,
  encodeCommandComplete,
  encodeCommandStatus,
  HciErrorCode,
  type HciTransport,
  PacketType,
  TransportClosed,
} from "../hci/index.ts";
import { CommandCredits, HardwareCode } from "./command-credits.ts";
import { extendedCommands } from "./commands/advertising-sets.ts";
import { basebandCommands } from "./commands/baseband.ts";
import { commandKinds } from "./commands/command-kinds.ts";
import type { CommandContext, CommandHandler } from "./commands/command-table.ts";
import { connectionCommands } from "./commands/connection.ts";
import { leCommands } from "./commands/le.ts";
import { linkPowerCommands } from "./commands/link-power.ts";
import { p256Commands } from "./commands/p256.ts";
import { periodicCommands } from "./commands/periodic.ts";
import { periodicTransferCommands } from "./commands/periodic-transfer.ts";
import { privacyCommands } from "./commands/privacy.ts";
import { subeventCommands } from "./commands/subevents.ts";
import { subratingCommands } from "./commands/subrating.ts";
import { ControllerTransport } from "./controller-transport.ts";
import { type HciHook, HostInterface } from "./host-interface.ts";
import { LinkLayer } from "./link-layer.ts";
import { type ControllerOptions, hasFeature, leastPowerDbm, leFeatures, MAX_ADVERTISING_DATA } from "./options.ts";

const HANDLERS: ReadonlyMap<number, CommandHandler> = new Map(
  [
    ...basebandCommands,
    ...leCommands,
    ...connectionCommands,
    ...linkPowerCommands,
    ...subratingCommands,
    ...p256Commands,
    ...extendedCommands,
    ...periodicCommands,
    ...periodicTransferCommands,
    ...subeventCommands,
    ...privacyCommands,
  ].map((handler) => [handler.declaration.opcode, handler]),
);

/** The way to the host at the other end of HCI. */
interface HostWay {
  readonly deliver: (packet: Uint8Array) => void;
  /** Ends it from the controller's side. */
  readonly close: (reason: TransportClosed) => void;
  readonly taken: () => void;
}

/** A host, from its first packet to its last. */
interface Session extends HostWay {
  /** Take a packet out of the mailbox: one that the host was allowed to send, and one that it was not. */
  readonly onGranted: (packet: Uint8Array) => void;
  readonly onRefused: (packet: Uint8Array) => void;
}

/**
 * A virtual LE controller in a simulated air: HCI on one side, a Link Layer and a radio on the other. A host opens `transport`, or sits at
 * the far end of what is given to `attach`. It has no BR/EDR; what it has, its supported commands and features say truly.
 */
export class Controller implements Disposable {
  /** In traces; unique in its air. */
  readonly name: string;
  readonly air: Air;
  /** Public device address. */
  readonly address: Address;
  readonly #linkLayer: LinkLayer;
  readonly #host: HostInterface;
  readonly #context: CommandContext;
  readonly #credits: CommandCredits;
  readonly #removeWithHost: boolean;
  readonly #airWatch: Disposable;
  #transport: ControllerTransport | undefined;
  #session: Session | undefined;
  #isRemoved = false;
  #afterwards: (() => void)[] = [];

  /** @throws {ArgumentError} the address is not public, a number out of its range */
  constructor(options: ControllerOptions) {
    const { air } = options;
    const { leAclDataPacketLength = 251, totalNumLeAclDataPackets = 12, numHciCommandPackets = 1 } = options;
    check("leAclDataPacketLength", leAclDataPacketLength, 27, 0xffff);
    check("totalNumLeAclDataPackets", totalNumLeAclDataPackets, 1, 255);
    check("numHciCommandPackets", numHciCommandPackets, 1, 255);
    const {
      filterAcceptListSize = 16,
      maxConnections = 32,
      driftPpm = 0,
      sleepClockAccuracyPpm = 50,
      txPowerDbm = 0,
      pathSkewMs = 0,
      connectionHandles = "next",
    } = options;
    const { resolvingListSize = 8, maxAdvertisingSets = 8, maxAdvertisingDataLength = MAX_ADVERTISING_DATA } = options;
    const { maxPeriodicSyncs = 8, periodicAdvertiserListSize = 8 } = options;
    check("maxPeriodicSyncs", maxPeriodicSyncs, 1, 255);
    check("periodicAdvertiserListSize", periodicAdvertiserListSize, 1, 255);
    check("resolvingListSize", resolvingListSize, 1, 255);
    check("maxAdvertisingSets", maxAdvertisingSets, 1, 0xf0);
    check("maxAdvertisingDataLength", maxAdvertisingDataLength, 31, MAX_ADVERTISING_DATA);
    check("filterAcceptListSize", filterAcceptListSize, 1, 255);
    check("maxConnections", maxConnections, 1, 255);
    check("sleepClockAccuracyPpm", sleepClockAccuracyPpm, 0, 500);
    const { exchangesPerEvent, keyGenerationMs = air.mode === "instant" ? 0 : 20 } = options;
    if (exchangesPerEvent !== undefined) check("exchangesPerEvent", exchangesPerEvent, 1, 255);
    check("keyGenerationMs", keyGenerationMs, 0, 10_000);
    check("txPowerDbm", txPowerDbm, -30, 20);
    check("pathSkewMs", pathSkewMs, 0, 1000);
    checkChoice("Controller: connectionHandles", connectionHandles, ["next", "lowest"]);
    const { goldenRange } = options;
    if (goldenRange && !(goldenRange.lowDbm >= -127 && goldenRange.lowDbm <= goldenRange.highDbm && goldenRange.highDbm <= 20))
      throw new ArgumentError("Controller: goldenRange: expected lowDbm, highDbm from -127 to 20, in this order");
    this.air = air;
    const radio = air.addRadio({
      name: options.name ?? "controller",
      position: options.position,
      txPowerDbm,
      sleepClockAccuracyPpm,
      driftPpm,
      ...(exchangesPerEvent === undefined ? {} : { exchangesPerEvent }),
    });
    this.name = radio.name;
    this.address = options.address === undefined ? drawnAddress(air.seed, radio.name) : Address.from(options.address);
    if (this.address.isRandom) throw new ArgumentError(`controller address ${this.address}: expected a public address`);
    const features = leFeatures(options.features);
    this.#credits = new CommandCredits(numHciCommandPackets);
    this.#removeWithHost = options.removeWithHost ?? false;
    this.#host = new HostInterface(air, this.name, {
      skewUs: pathSkewMs * 1000,
      completedTogether: Math.max(1, totalNumLeAclDataPackets >> 2),
      onPacket: (packet) => this.#onArrived(packet),
      onCommandTaken: (packet) => this.#credits.release(opcodeOf(packet)),
    });
    this.#linkLayer = new LinkLayer({
      air,
      radio,
      host: this.#host,
      random: new SeededRandom(air.seed, `controller ${this.name}`),
      publicAddress: this.address,
      features,
      filterAcceptListSize,
      resolvingListSize,
      maxAdvertisingSets,
      maxAdvertisingDataLength,
      maxPeriodicSyncs,
      periodicAdvertiserListSize,
      maxConnections,
      goldenRange,
      connectionHandles,
      totalNumLeAclDataPackets,
      leAclDataPacketLength,
      keyGenerationUs: keyGenerationMs * 1000,
    });
    this.#context = {
      linkLayer: this.#linkLayer,
      supportedCommands: supportedCommands(features),
      afterwards: (act) => void this.#afterwards.push(act),
    };
    this.#airWatch = air.onDispose(() => this.remove());
  }

  get radio(): Radio {
    return this.#linkLayer.radio;
  }

  /**
   * The way in for a host in this process. Once the host has closed it, the controller is as after a reset and the next read gives a new one.
   *
   * @throws {StateError} removed, or a host is attached already
   */
  get transport(): HciTransport {
    if (this.#transport && !this.#transport.isClosed) return this.#transport;
    this.#mustBeFree();
    const transport: ControllerTransport = new ControllerTransport(
      { spec: `sim:${this.name}`, address: this.address.toHex() },
      { onHostPacket: (packet) => this.#post(session, packet), onReleased: () => this.#onHostGone(session) },
    );
    const session = this.#begin(
      { deliver: (packet) => transport.receive(packet), close: (reason) => transport.close(reason), taken: () => transport.taken() },
      () => true,
    );
    this.#transport = transport;
    return transport;
  }

  /**
   * Serves the controller to the host at the other end of `transport`: a foreign stack over TCP, the Linux kernel over `/dev/vhci`. Ends
   * when that closes; dispose the result to end it from here, which closes `transport` too.
   *
   * @throws {StateError} removed, or a host is there already
   */
  attach(transport: HciTransport): Disposable {
    this.#mustBeFree();
    const session = this.#begin(
      { deliver: (packet) => transport.send(packet), close: () => void transport[Symbol.asyncDispose](), taken: () => {} },
      () => transport.writable,
    );
    transport.onPacket = (packet) => this.#post(session, packet);
    transport.onWritable = () => this.#wakeLinks();
    transport.onClose = () => this.#onHostGone(session);
    return {
      [Symbol.dispose]: () => {
        if (this.#session !== session) return;
        this.#onHostGone(session);
        session.close(new TransportClosed(`controller ${this.name} was detached`));
      },
    };
  }

  /** Calls `hook` for every HCI packet either way; its answer drops or replaces the packet. */
  onHciPacket(hook: HciHook): Disposable {
    return this.#host.addHook(hook);
  }

  /** Puts the controller somewhere else. */
  move(position: Position | undefined): void {
    this.air.move(this, position);
  }

  /**
   * Its links send at this power from now on, whole dBm, on the PHY that each of them is on: as a controller does of itself to save energy or
   * the ears of others. Peers and hosts that asked for it are told.
   *
   * @throws {ArgumentError} less than it can, or more
   */
  setLinkPower(dbm: number): void {
    check("setLinkPower", dbm, leastPowerDbm(this.radio), this.radio.txPowerDbm);
    for (const { power } of this.#linkLayer.connections.values()) power.change(dbm);
    this.air.medium.scheduler.wake();
  }

  /** Pulls the controller out: its transport closes, its peers hear nothing more of it. */
  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#airWatch[Symbol.dispose]();
    const session = this.#session;
    this.#session = undefined;
    this.#host.disconnect();
    this.#linkLayer.reset();
    this.air.removeRadio(this.radio);
    this.air.medium.scheduler.wake();
    session?.close(new TransportClosed(`controller ${this.name} was removed`));
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #mustBeFree(): void {
    if (this.#isRemoved) throw new StateError(`controller ${this.name} was removed from its air`);
    if (this.#session) throw new StateError(`controller ${this.name} has a host already`);
  }

  #begin(way: HostWay, isWritable: () => boolean): Session {
    const session: Session = {
      ...way,
      onGranted: (packet) => this.#onPacket(session, packet, true),
      onRefused: (packet) => this.#onPacket(session, packet, false),
    };
    this.#session = session;
    this.#credits.reset();
    this.#linkLayer.reset();
    this.#host.isWritable = isWritable;
    this.#host.sink = session.deliver;
    return session;
  }

  #onHostGone(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#host.disconnect();
    this.#linkLayer.reset();
    if (this.#removeWithHost) this.remove();
  }

  #wakeLinks(): void {
    for (const connection of this.#linkLayer.connections.values()) connection.onHostReady();
  }

  #post(session: Session, packet: Uint8Array): void {
    // Judged when it is sent: what the host had heard by then is what it may send on.
    const isGranted = packet[0] !== PacketType.Command || this.#credits.take(opcodeOf(packet));
    this.air.medium.mailbox.post(isGranted ? session.onGranted : session.onRefused, packet);
  }

  #onPacket(session: Session, sent: Uint8Array, isGranted: boolean): void {
    session.taken();
    if (this.#session !== session) return; // sent just before the end
    if (isGranted) this.#host.receive(sent);
    else this.#host.violation(sent, HardwareCode.CommandWithoutCredit);
  }

  #onArrived(packet: Uint8Array): void {
    if (packet[0] === PacketType.Command) this.#onCommand(packet);
    else if (packet[0] === PacketType.AclData) this.#onAcl(packet);
    // Synchronous and isochronous data have no link to go to; anything else is no HCI packet.
  }

  #onCommand(packet: Uint8Array): void {
    if (packet.length < 4) {
      this.#host.violation(undefined, HardwareCode.MalformedCommand);
      return;
    }
    const opcode = opcodeOf(packet);
    const handler = HANDLERS.get(opcode);
    if (!handler || !isKnown(handler, this.#linkLayer.features)) {
      this.#host.send(encodeCommandStatus(opcode, HciErrorCode.UnknownHciCommand, this.#credits.grant()));
      return;
    }
    const { declaration, answer, begin } = handler;
    const kind = commandKinds.get(opcode);
    let parameters: unknown;
    try {
      if (packet[3] !== packet.length - 4)
        throw new DecodeError({ path: declaration.name, problem: "length", offset: 3, length: packet.length, packet });
      parameters = decode(declaration.parameters, packet, { name: declaration.name, offset: 4 });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuse(declaration, HciErrorCode.InvalidHciCommandParameters);
      return;
    }
    if (kind && !this.#linkLayer.mayUse(kind)) {
      this.#refuse(declaration, HciErrorCode.CommandDisallowed);
      return;
    }
    if (answer) {
      const returns = answer(this.#context, parameters, packet);
      this.#complete(declaration, returns);
      for (const act of this.#afterwards.splice(0)) act();
      return;
    }
    const outcome = begin!(this.#context, parameters);
    if (declaration.unanswered) {
      // Such a command is answered only where its parameters are wrong (Vol 4 Part E 7.3.40).
      if (outcome !== HciErrorCode.Success) this.#host.send(commandComplete(opcode, outcome as number, this.#credits.grant()));
      return;
    }
    this.#host.send(encodeCommandStatus(opcode, typeof outcome === "number" ? outcome : HciErrorCode.Success, this.#credits.grant()));
    if (typeof outcome === "function") outcome();
  }

  #refuse(declaration: CommandDeclaration, status: number): void {
    if (declaration.returns) this.#complete(declaration, { status });
    else this.#host.send(encodeCommandStatus(declaration.opcode, status, this.#credits.grant()));
  }

  #complete(declaration: CommandDeclaration, returns: { status: number }): void {
    this.#host.send(encodeCommandComplete(declaration as CommandDeclaration<never>, returns, this.#credits.grant()));
  }

  #onAcl(packet: Uint8Array): void {
    const handle = (packet[1]! | (packet[2]! << 8)) & 0x0fff;
    const length = packet[3]! | (packet[4]! << 8);
    // An LE host begins with PB flag 0b00 and continues with 0b01, point to point (Vol 4 Part E 5.4.2).
    if (packet.length < 5 || packet[2]! >> 4 > 1 || length !== packet.length - 5) {
      this.#host.violation(undefined, HardwareCode.MalformedAclPacket);
      return;
    }
    const connection = this.#linkLayer.connections.get(handle);
    // Data for a connection that has just ended, which the host cannot know yet, is flushed.
    if (!connection) return;
    const { totalNumLeAclDataPackets, leAclDataPacketLength, heldAclPackets } = this.#linkLayer;
    if (heldAclPackets >= totalNumLeAclDataPackets || length > leAclDataPacketLength) {
      this.#host.overflow();
      return;
    }
    if (connection.sendAcl(packet)) return;
    this.#host.completed(handle);
    this.#host.tellCompleted(false);
  }
}

/** Command Complete with no more than a status. */
function commandComplete(opcode: number, status: number, numHciCommandPackets: number): Uint8Array {
  return Uint8Array.of(PacketType.Event, EventCode.CommandComplete, 4, numHciCommandPackets, opcode, opcode >> 8, status);
}

function opcodeOf(packet: Uint8Array): number {
  return packet[1]! | (packet[2]! << 8);
}

function check(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ArgumentError(`${name} ${value}: expected a whole number from ${min} to ${max}`);
}

function isKnown({ features: needed }: CommandHandler, features: bigint): boolean {
  return needed.length === 0 || needed.some((feature) => hasFeature(features, feature));
}

/** Supported_Commands, made of what is really handled. */
function supportedCommands(features: bigint): Uint8Array {
  const mask = new Uint8Array(64);
  for (const handler of HANDLERS.values()) {
    const { supported } = handler.declaration;
    if (supported && isKnown(handler, features)) mask[supported[0]]! |= 1 << supported[1];
  }
  return mask;
}

function drawnAddress(seed: number, name: string): Address {
  const bytes = new Uint8Array(6);
  new SeededRandom(seed, `address ${name}`).fill(bytes);
  return new Address(bytes, 0);
}
