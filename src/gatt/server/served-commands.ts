import type { AttBearer } from "../../att/bearer.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { copyOctets } from "../../bytes/copy-octets.ts";
import type { BleError } from "../../core/error.ts";
import { SIGNATURE_LENGTH } from "../../crypto/signature.ts";
import type { AttributeAccess } from "./attribute-access.ts";
import { CommandQueue } from "./command-queue.ts";
import type { LongRead } from "./long-read.ts";
import { HANDLER_TIMEOUT_MS, type ServedClient } from "./served-request.ts";

/** What one client writes on one bearer without asking for an answer. */
export class ServedCommands {
  readonly #bearer: AttBearer;
  readonly #client: ServedClient;
  readonly #access: AttributeAccess;
  readonly #longRead: LongRead;
  readonly #queue: CommandQueue;

  constructor(client: ServedClient, at: { bearer: AttBearer; access: AttributeAccess; longRead: LongRead }) {
    this.#bearer = at.bearer;
    this.#client = client;
    this.#access = at.access;
    this.#longRead = at.longRead;
    this.#queue = new CommandQueue(at.bearer, HANDLER_TIMEOUT_MS);
  }

  onCommand(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (opcode === AttOpcode.SignedWriteCmd && !this.#client.awareness.isBlocked) {
      this.#onSignedWrite(bytes.slice(offset, end));
      return;
    }
    if (opcode !== AttOpcode.WriteCmd || end - offset < 3 || this.#client.awareness.isBlocked) {
      this.#bearer.logger.debug(() => `ignored a command, opcode 0x${opcode.toString(16)}`);
      return;
    }
    const attribute = this.#client.database.get(bytes[offset + 1]! | (bytes[offset + 2]! << 8));
    // Judged here so that what may not be is not queued, and again when its turn comes.
    if (!attribute || end - offset - 3 > attribute.maxLength || this.#access.writeError(attribute, "command")) return;
    const value = copyOctets(bytes, offset + 3, end);
    this.#longRead.forget(attribute);
    this.#queue.run((operation) => this.#access.write(operation, attribute, value, "command"));
  }

  /** What is wrong with it is dropped without a word, as with every command (Vol 3 Part F 3.4.5.4). */
  #onSignedWrite(pdu: Uint8Array): void {
    const { peer } = this.#client;
    const valueEnd = pdu.length - SIGNATURE_LENGTH;
    // There is no signed write on an enhanced bearer (Vol 3 Part F 3.2.11): such a link is encrypted.
    if (valueEnd < 3 || this.#bearer.isEnhanced || !peer.verifySignature) return;
    const attribute = this.#client.database.get(pdu[1]! | (pdu[2]! << 8));
    if (!attribute || valueEnd - 3 > attribute.maxLength || this.#access.writeError(attribute, "signed")) return;
    // One after the other, so that each is judged by the counter that the one before has left.
    this.#queue.run(async (operation) => {
      const signer = await peer.verifySignature?.(pdu);
      operation.throwIfGivenUp();
      if (!signer || (attribute.writeRequirement.authenticated && !signer.authenticated)) {
        this.#bearer.logger.info(
          () => `a signed write of handle ${attribute.handle} was dropped: its signature is not good, or not enough`,
        );
        return;
      }
      this.#longRead.forget(attribute);
      await this.#access.write(operation, attribute, pdu.slice(3, valueEnd), "signed");
    });
  }

  close(reason: BleError): void {
    this.#queue.close(reason);
  }
}
