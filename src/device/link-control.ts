import type { Emitter, OperationOptions } from "../async/index.ts";
import { checkInteger, checkMilliseconds, checkOperation } from "../core/arguments.ts";
import { UnsupportedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import {
  type ConnectionParameterOptions,
  checkParameterNames,
  connectionParameters,
  type LinkParameters,
  linkParameters,
  type SyncReception,
  type Syncs,
} from "../gap/index.ts";
import {
  type DisconnectedError,
  type Hci,
  HciError,
  HciErrorCode,
  type LePathLossThreshold,
  type LeSubrateChange,
  type LeTransmitPowerReporting,
} from "../hci/index.ts";
import type { L2capLink } from "../l2cap/index.ts";
import type { ConnectionEvents, DataLength } from "./connection-events.ts";
import { LinkCommands } from "./link-commands.ts";
import { LinkProcedures } from "./link-procedures.ts";
import { LinkSyncs } from "./link-syncs.ts";
import { PathLossMonitor, type PathLossZones } from "./path-loss.ts";
import { type LinkPhy, type PhyName, type PhyPreference, PhyUpdates } from "./phy-updates.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type { RemoteVersion } from "./remote-version.ts";
import { type LinkSubrate, type SubrateOptions, Subrating } from "./subrating.ts";
import { type PowerLevel, type PowerOptions, type PowerReporting, type TransmitPower, TransmitPowers } from "./transmit-power.ts";

/** Data length of every link before anything else is agreed, Vol 6 Part B 4.5.10. */
const INITIAL_DATA_LENGTH: DataLength = Object.freeze({ txOctets: 27, rxOctets: 27 });

export interface LinkControlParts {
  readonly hci: Hci;
  readonly link: L2capLink;
  /** Of this link. */
  readonly logger: Logger;
  readonly events: Emitter<ConnectionEvents>;
  readonly policy: ConnectionPolicy;
  /** As the link began. */
  readonly parameters: LinkParameters;
  readonly syncs: Syncs;
  /** What it began on; `undefined` where only the controller knows, which is asked. */
  readonly phy: PhyName | undefined;
}

/** What the two controllers of a link can do with it, below everything that is sent over it. */
export abstract class LinkControl {
  readonly #link: L2capLink;
  readonly #events: Emitter<ConnectionEvents>;
  readonly #commands: LinkCommands;
  readonly #procedures: LinkProcedures;
  readonly #phys: PhyUpdates;
  readonly #subrating: Subrating;
  readonly #powers: TransmitPowers;
  readonly #pathLoss: PathLossMonitor;
  readonly #syncs: LinkSyncs;
  #parameters: LinkParameters;
  #dataLength = INITIAL_DATA_LENGTH;
  /** Nothing more is asked of the controller: the handle may be another link's by now. */
  #gone: DisconnectedError | undefined;

  /** @internal */
  protected constructor({ hci, link, logger, events, policy, parameters, phy, syncs }: LinkControlParts) {
    const { handle } = link;
    this.#link = link;
    this.#events = events;
    this.#parameters = parameters;
    this.#commands = new LinkCommands({ hci, handle, ended: () => this.#gone });
    this.#procedures = new LinkProcedures({ hci, link, logger, answer: policy.parameterRequests ?? "accept" });
    this.#phys = new PhyUpdates({ hci, handle, logger, phy, onChange: (phy) => events.emit("phy", phy) });
    this.#subrating = new Subrating({
      hci,
      link,
      parameters: () => this.#parameters,
      remoteFeatures: (options) => this.#procedures.remoteFeatures(options),
      onChange: (subrate) => events.emit("subrate", subrate),
    });
    const about = { hci, handle, commands: this.#commands };
    this.#powers = new TransmitPowers({ ...about, phy: () => this.phy, onChange: (change) => events.emit("transmitPower", change) });
    this.#pathLoss = new PathLossMonitor({
      ...about,
      everyMs: () => this.#parameters.intervalMs * this.subrating.factor,
      onChange: (pathLoss) => events.emit("pathLoss", pathLoss),
    });
    this.#syncs = new LinkSyncs({ ...about, syncs, events }, policy.syncTransfers);
  }

  get parameters(): LinkParameters {
    return this.#parameters;
  }
  get dataLength(): DataLength {
    return this.#dataLength;
  }
  /** Physical layers in use, as far as the controller has told. */
  get phy(): LinkPhy {
    return this.#phys.phy;
  }
  /** Which connection events are used; all of them at first. */
  get subrating(): LinkSubrate {
    return this.#subrating.current;
  }

  /**
   * Changes the connection parameters. The central decides; a peripheral asks it, over the link layer where both sides can, else over L2CAP.
   * Several calls take effect one after the other. A change that the peer asked for is not taken for this one.
   *
   * @returns the parameters that are now in force
   * @throws {UnsupportedError} the central refuses
   * @throws {CommandRejectedError} the central does not know a peripheral's request
   * @throws {HciError} the controllers cannot agree
   * @throws {DisconnectedError} the link is lost
   */
  async updateParameters(parameters: ConnectionParameterOptions, options: OperationOptions = {}): Promise<LinkParameters> {
    checkParameterNames(parameters);
    const wanted = connectionParameters(parameters ?? {});
    checkOperation("updateParameters", options);
    if (this.#gone) throw this.#gone;
    const inForce = await this.#procedures.updateParameters(wanted, options);
    if (!inForce) throw new UnsupportedError("the central refuses these connection parameters");
    return inForce;
  }

  /** Signal strength of the last packet; `undefined` where the controller does not know. @throws {DisconnectedError} the link is lost */
  async rssi(options: OperationOptions = {}): Promise<number | undefined> {
    checkOperation("rssi", options);
    return await this.#commands.rssi(options);
  }

  /** LE features of the peer's controller, bits as in LeFeature. @throws {DisconnectedError} the link is lost */
  async remoteFeatures(options: OperationOptions = {}): Promise<bigint> {
    checkOperation("remoteFeatures", options);
    return await this.#procedures.remoteFeatures(options);
  }

  /** Asks the link layer for packets of up to `txOctets` (27 to 251) octets; what both can is told by the event "dataLength". */
  async setDataLength(txOctets: number, options: OperationOptions = {}): Promise<void> {
    checkInteger("setDataLength: txOctets", txOctets, 27, 251);
    checkOperation("setDataLength", options);
    await this.#commands.setDataLength(txOctets, options);
  }

  /**
   * Asks for physical layers, Vol 4 Part E 7.8.49. Several calls take effect one after the other. The peer has a say: compare what is returned.
   *
   * @returns what is in force now
   * @throws {UnsupportedError} the controller or the peer's lacks what was asked for
   * @throws {HciError} the controllers cannot agree, or are busy with another procedure
   * @throws {TimeoutError} nothing came of it; `phy` is then read from the controller
   * @throws {DisconnectedError} the link is lost
   */
  async setPhy(preference: PhyPreference, options: OperationOptions = {}): Promise<LinkPhy> {
    checkOperation("setPhy", options);
    return await this.#phys.set(preference, options);
  }

  /** Asks the controller what is in use; `phy` says what it has told last. @throws {DisconnectedError} the link is lost */
  async readPhy(options: OperationOptions = {}): Promise<LinkPhy> {
    checkOperation("readPhy", options);
    return await this.#phys.read(options);
  }

  /**
   * Leaves most connection events out while there is nothing to say (connection subrating, Vol 4 Part E 7.8.124): a long interval that becomes a
   * short one at once when there is. The central decides, within what its host permits; a peripheral asks it. Several calls take effect one
   * after the other; a change by the peer is not taken for this one.
   *
   * @returns what is in force now
   * @throws {ArgumentError} out of range, or too much for the supervision timeout
   * @throws {UnsupportedError} one of the controllers, or the peer's host, has no connection subrating
   * @throws {HciError} the central refuses, or the controllers are busy with another procedure
   * @throws {TimeoutError} nothing came of it
   * @throws {DisconnectedError} the link is lost
   */
  async subrate(subrate: SubrateOptions, options: OperationOptions = {}): Promise<LinkSubrate> {
    checkOperation("subrate", options);
    return await this.#subrating.request(subrate, options);
  }

  /**
   * How strongly this side sends (Vol 4 Part E 7.8.117; for a controller before version 5.2: 7.3.35, without `phy`).
   *
   * @throws {UnsupportedError} the controller does not know the power of this PHY
   * @throws {DisconnectedError} the link is lost
   */
  async transmitPower(options: PowerOptions = {}): Promise<TransmitPower> {
    return await this.#powers.local(options);
  }

  /**
   * How strongly the peer sends, as its controller says (Vol 4 Part E 7.8.118).
   *
   * @throws {UnsupportedError} one of the controllers has no power control, or not this PHY
   * @throws {HciError} the controllers are busy with another procedure
   * @throws {DisconnectedError} the link is lost
   */
  async remoteTransmitPower(options: PowerOptions = {}): Promise<PowerLevel> {
    return await this.#powers.remote(options);
  }

  /**
   * Has changes of power told by the event "transmitPower", from here on: of this side, of the peer's, of both, or, with neither, of none.
   *
   * @throws {UnsupportedError} one of the controllers has no power control
   * @throws {DisconnectedError} the link is lost
   */
  async reportTransmitPower(reporting: PowerReporting, options: OperationOptions = {}): Promise<void> {
    checkOperation("reportTransmitPower", options);
    await this.#powers.report(reporting, options);
  }

  /**
   * Has the event "pathLoss" tell when the path loss enters another zone, and at first which one it is in, until this is called with "off". Other
   * zones take the place of those before.
   *
   * @throws {ArgumentError} zones that overlap, or out of range
   * @throws {UnsupportedError} one of the controllers cannot monitor it
   * @throws {DisconnectedError} the link is lost
   */
  async monitorPathLoss(zones: PathLossZones | "off", options: OperationOptions = {}): Promise<void> {
    checkOperation("monitorPathLoss", options);
    await this.#pathLoss.set(zones, options);
  }

  /** Version and maker of the peer's controller; asked for once. @throws {DisconnectedError} the link is lost */
  async remoteVersion(options: OperationOptions = {}): Promise<RemoteVersion> {
    checkOperation("remoteVersion", options);
    return await this.#procedures.remoteVersion(options);
  }

  /** Data channels that the link hops over, 0 to 36, in order. @throws {DisconnectedError} the link is lost */
  async channelMap(options: OperationOptions = {}): Promise<readonly number[]> {
    checkOperation("channelMap", options);
    return await this.#commands.channelMap(options);
  }

  /** See `setAuthenticatedPayloadTimeout`; 30 s at first. @throws {DisconnectedError} the link is lost */
  async authenticatedPayloadTimeout(options: OperationOptions = {}): Promise<number> {
    checkOperation("authenticatedPayloadTimeout", options);
    return await this.#commands.authenticatedPayloadTimeout(options);
  }

  /**
   * On an encrypted link, has the event "authenticatedPayloadTimeout" tell that for so long no packet came which only the peer can have sent: somebody
   * may hold the link up who cannot encrypt. The controllers see to it that there is one in time while both are there (LE Ping).
   *
   * @param timeoutMs 10 to 655,350 ms in steps of 10 ms; at least as long as the peer may be silent
   * @throws {UnsupportedError} the controller has no such timeout
   * @throws {HciError} it is too short for the connection parameters
   * @throws {DisconnectedError} the link is lost
   */
  async setAuthenticatedPayloadTimeout(timeoutMs: number, options: OperationOptions = {}): Promise<void> {
    checkMilliseconds("setAuthenticatedPayloadTimeout:", timeoutMs, 10, 655_350);
    checkOperation("setAuthenticatedPayloadTimeout", options);
    await this.#commands.setAuthenticatedPayloadTimeout(timeoutMs, options);
  }

  /**
   * Takes what the peer hands over of periodic advertising from here on, on these terms, or ignores it; until then the policy's `syncTransfers` is
   * in force. What is followed then is told by the event "sync", and outlives the link.
   *
   * @throws {ArgumentError} terms out of range
   * @throws {UnsupportedError} the controller cannot
   * @throws {HciError} the controller refuses
   * @throws {DisconnectedError} the link is lost
   */
  async acceptSyncs(terms: SyncReception | "ignore" = {}): Promise<void> {
    await this.#syncs.accept(terms);
  }

  // --- for the device -------------------------------------------------------------------------------------------------------------

  /** @internal */
  get syncs(): LinkSyncs {
    return this.#syncs;
  }

  /** @internal */
  get procedures(): LinkProcedures {
    return this.#procedures;
  }

  /** @internal */
  onConnectionUpdate(status: number, parameters: LinkParameters): void {
    if (status === HciErrorCode.Success) {
      const isOtherInterval = parameters.intervalMs !== this.#parameters.intervalMs;
      this.#parameters = parameters;
      this.#events.emit("parameters", parameters);
      if (isOtherInterval) this.#subrating.onInterval();
    } else this.#events.emit("parametersFailure", new HciError({ status, command: "LeConnectionUpdate" }));
    this.#procedures.onConnectionUpdate(status, parameters);
  }

  /** @internal */
  onDataLength(dataLength: DataLength): void {
    this.#dataLength = Object.freeze(dataLength);
    this.#link.setTxOctets(dataLength.txOctets);
    this.#events.emit("dataLength", this.#dataLength);
  }

  /** @internal */
  onPhyUpdate(status: number, txPhy: number, rxPhy: number): void {
    this.#phys.onComplete(status, txPhy, rxPhy);
  }

  /** @internal */
  onSubrateChange(event: LeSubrateChange): void {
    if (event.status === HciErrorCode.Success && event.subrateFactor === 0) return; // there is no such factor
    const before = this.#parameters;
    if (event.status === HciErrorCode.Success)
      this.#parameters = Object.freeze({ ...linkParameters({ ...event, connectionInterval: 0 }), intervalMs: before.intervalMs });
    this.#subrating.onEvent(event);
    const { latency, supervisionTimeoutMs } = this.#parameters;
    if (latency !== before.latency || supervisionTimeoutMs !== before.supervisionTimeoutMs)
      this.#events.emit("parameters", this.#parameters);
  }

  /** @internal */
  onTransmitPower(event: LeTransmitPowerReporting): void {
    this.#powers.onReporting(event);
  }

  /** @internal */
  onPathLoss(event: LePathLossThreshold): void {
    this.#pathLoss.onThreshold(event);
  }

  /** @internal */
  onAuthenticatedPayloadTimeout(): void {
    this.#events.emit("authenticatedPayloadTimeout", undefined);
  }

  /** The link is gone: what waits for its controllers ends with that. @internal */
  closeControl(error: DisconnectedError): void {
    this.#gone = error;
    this.#procedures.close(error);
    for (const part of [this.#phys, this.#subrating, this.#powers, this.#pathLoss]) part.close(error);
  }
}
