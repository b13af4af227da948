import type { Emitter, OperationOptions } from "../async/index.ts";
import { checkInteger, checkOperation } from "../core/arguments.ts";
import { UnsupportedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { type ConnectionParameterOptions, checkParameterNames, connectionParameters, type LinkParameters } from "../gap/index.ts";
import { type DisconnectedError, type Hci, HciError, HciErrorCode } from "../hci/index.ts";
import type { L2capLink } from "../l2cap/index.ts";
import type { ConnectionEvents, DataLength } from "./connection-events.ts";
import { LinkCommands } from "./link-commands.ts";
import { LinkProcedures } from "./link-procedures.ts";
import { type LinkPhy, type PhyPreference, PhyUpdates } from "./phy-updates.ts";
import type { ConnectionPolicy } from "./policy.ts";

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
}

/** What the two controllers of a link can do with it, below everything that is sent over it. */
export abstract class LinkControl {
  readonly #link: L2capLink;
  readonly #events: Emitter<ConnectionEvents>;
  readonly #commands: LinkCommands;
  readonly #procedures: LinkProcedures;
  readonly #phys: PhyUpdates;
  #parameters: LinkParameters;
  #dataLength = INITIAL_DATA_LENGTH;
  /** Nothing more is asked of the controller: the handle may be another link's by now. */
  #gone: DisconnectedError | undefined;

  /** @internal */
  protected constructor({ hci, link, logger, events, policy, parameters }: LinkControlParts) {
    const { handle } = link;
    this.#link = link;
    this.#events = events;
    this.#parameters = parameters;
    this.#commands = new LinkCommands({ hci, handle, ended: () => this.#gone });
    this.#procedures = new LinkProcedures({ hci, link, logger, answer: policy.parameterRequests ?? "accept" });
    this.#phys = new PhyUpdates({ hci, handle, logger, onChange: (phy) => events.emit("phy", phy) });
  }

  get parameters(): LinkParameters {
    return this.#parameters;
  }
  get dataLength(): DataLength {
    return this.#dataLength;
  }
  /** Physical layers in use, as far as the controller has told; 1M both ways at first. */
  get phy(): LinkPhy {
    return this.#phys.phy;
  }

  /**
   * Changes the connection parameters. The central decides; a peripheral asks it, over the link layer where both sides can, else over L2CAP.
   * Several calls take effect one after the other. A change that the peer asked for is not taken for this one.
   *
   * @returns the parameters that are now in force
   * @throws {UnsupportedError} the central refuses
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

  // --- for the device -------------------------------------------------------------------------------------------------------------

  /** @internal */
  get procedures(): LinkProcedures {
    return this.#procedures;
  }

  /** @internal */
  onConnectionUpdate(status: number, parameters: LinkParameters): void {
    if (status === HciErrorCode.Success) {
      this.#parameters = parameters;
      this.#events.emit("parameters", parameters);
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

  /** The link is gone: what waits for its controllers ends with that. @internal */
  closeControl(error: DisconnectedError): void {
    this.#gone = error;
    this.#procedures.close(error);
    this.#phys.close(error);
  }
}
