import type { OperationOptions } from "../async/index.ts";
import { ControllerError, type DisconnectedError, type Hci, LeSetDataLength, ReadRssi } from "../hci/index.ts";

export interface LinkCommandsParts {
  readonly hci: Hci;
  readonly handle: number;
  /** Why no command about this link is sent any more: the controller may have given its handle to another one. */
  readonly ended: () => DisconnectedError | undefined;
}

/** Commands about one link that the controller answers by itself. */
export class LinkCommands {
  readonly #parts: LinkCommandsParts;

  constructor(parts: LinkCommandsParts) {
    this.#parts = parts;
  }

  /** Read RSSI, Vol 4 Part E 7.5.4: dBm, `undefined` where the controller does not know. @throws {DisconnectedError} the link is lost */
  async rssi(options: OperationOptions): Promise<number | undefined> {
    const { hci, handle } = this.#parts;
    const answer = await this.#ask(() => hci.send(ReadRssi, { handle }, options));
    this.#check("ReadRssi", answer.handle);
    return answer.rssi === 127 ? undefined : answer.rssi;
  }

  /** LE Set Data Length, Vol 4 Part E 7.8.33. @param txOctets 27 to 251 @throws {DisconnectedError} the link is lost */
  async setDataLength(txOctets: number, options: OperationOptions): Promise<void> {
    const { hci, handle } = this.#parts;
    // Time of such a packet on LE 1M with a MIC; the controller takes what it can.
    const txTime = (txOctets + 14) * 8;
    const { connectionHandle } = await this.#ask(() => hci.send(LeSetDataLength, { connectionHandle: handle, txOctets, txTime }, options));
    this.#check("LeSetDataLength", connectionHandle);
  }

  /** A command that fails because the link is gone fails with that. */
  async #ask<T>(send: () => Promise<T>): Promise<T> {
    const { ended } = this.#parts;
    const reason = ended();
    if (reason) throw reason;
    try {
      return await send();
    } catch (error) {
      throw ended() ?? error;
    }
  }

  /** An answer about another link answers nothing that was asked here. */
  #check(command: string, answered: number): void {
    const { handle } = this.#parts;
    if (answered !== handle)
      throw new ControllerError(`the controller answered ${command} about handle ${answered}, and was asked about ${handle}`);
  }
}
