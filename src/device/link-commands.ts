import { Deadline, type OperationOptions } from "../async/index.ts";
import { UnsupportedError } from "../core/error.ts";
import {
  AuthenticatedPayloadTimeoutExpired,
  type CommandDeclaration,
  type DisconnectedError,
  type EventDeclaration,
  type Hci,
  LeReadChannelMap,
  LeSetDataLength,
  ReadAuthenticatedPayloadTimeout,
  ReadRssi,
  WriteAuthenticatedPayloadTimeout,
} from "../hci/index.ts";
import { channelsOf } from "./channels.ts";

export interface LinkCommandsParts {
  readonly hci: Hci;
  readonly handle: number;
  /** Why no command about this link is sent any more: the controller may have given its handle to another one. */
  readonly ended: () => DisconnectedError | undefined;
}

/** Unit of the authenticated payload timeout. */
const TIMEOUT_UNIT_MS = 10;

/** Commands about one link that the controller answers by itself. Each rejects with a DisconnectedError where the link is lost. */
export class LinkCommands {
  readonly #parts: LinkCommandsParts;

  constructor(parts: LinkCommandsParts) {
    this.#parts = parts;
  }

  /** Read RSSI, Vol 4 Part E 7.5.4: dBm, `undefined` where the controller does not know. */
  async rssi(options: OperationOptions): Promise<number | undefined> {
    const { rssi } = await this.ask(ReadRssi, { handle: this.#parts.handle }, options);
    return rssi === 127 ? undefined : rssi;
  }

  /** LE Set Data Length, Vol 4 Part E 7.8.33. @param txOctets 27 to 251 */
  async setDataLength(txOctets: number, options: OperationOptions): Promise<void> {
    // Time of such a packet on LE 1M with a MIC; the controller takes what it can.
    const txTime = (txOctets + 14) * 8;
    await this.ask(LeSetDataLength, { connectionHandle: this.#parts.handle, txOctets, txTime }, options);
  }

  /** LE Read Channel Map, Vol 4 Part E 7.8.20: the channels in use, 0 to 36. */
  async channelMap(options: OperationOptions): Promise<readonly number[]> {
    const { channelMap } = await this.ask(LeReadChannelMap, { connectionHandle: this.#parts.handle }, options);
    return channelsOf(channelMap);
  }

  /** Read Authenticated Payload Timeout, Vol 4 Part E 7.3.93, in milliseconds. */
  async authenticatedPayloadTimeout(options: OperationOptions): Promise<number> {
    const answer = await this.ask(ReadAuthenticatedPayloadTimeout, { connectionHandle: this.#parts.handle }, options);
    return answer.authenticatedPayloadTimeout * TIMEOUT_UNIT_MS;
  }

  /** Write Authenticated Payload Timeout, Vol 4 Part E 7.3.94. @param timeoutMs 10 to 655,350 */
  async setAuthenticatedPayloadTimeout(timeoutMs: number, options: OperationOptions): Promise<void> {
    const { hci, handle: connectionHandle } = this.#parts;
    using deadline = new Deadline({ clock: hci.clock, operation: "setting of the authenticated payload timeout", ...options });
    const within = { signal: deadline.signal };
    await this.enable(AuthenticatedPayloadTimeoutExpired, WriteAuthenticatedPayloadTimeout, within);
    const authenticatedPayloadTimeout = Math.round(timeoutMs / TIMEOUT_UNIT_MS);
    await this.ask(WriteAuthenticatedPayloadTimeout, { connectionHandle, authenticatedPayloadTimeout }, within);
  }

  /**
   * Has the controller tell of an event that nobody needs before a command was used.
   *
   * @throws {UnsupportedError} the controller does not have the command
   */
  async enable(event: EventDeclaration, command: CommandDeclaration, options: OperationOptions): Promise<void> {
    const { hci } = this.#parts;
    await this.#orEnd(async () => {
      if (!hci.supports(command)) throw new UnsupportedError(`the controller does not support ${command.name}`);
      await hci.enableEvents([event], options);
    });
  }

  /** Sends any command about this link. The Hci drops answers about another one. */
  async ask<P, R>(declaration: CommandDeclaration<P, R>, parameters: NoInfer<P>, options: OperationOptions): Promise<R> {
    return await this.#orEnd(() => this.#parts.hci.send(declaration, parameters, options));
  }

  /** What fails because the link is gone fails with that. */
  async #orEnd<T>(act: () => Promise<T>): Promise<T> {
    const { ended } = this.#parts;
    const reason = ended();
    if (reason) throw reason;
    try {
      return await act();
    } catch (error) {
      throw ended() ?? error;
    }
  }
}
