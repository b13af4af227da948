import type { AttBearer } from "../../att/bearer.ts";
import { GattUuid } from "../uuids.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { ClientConfiguration } from "./client-configuration.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";

const INDICATE = 2;

/** Tells one client that the database changed, and remembers for a bonded one which database it knows (Vol 3 Part G 2.5.2 and 7.1). */
export class ChangeNotice {
  readonly #bearer: AttBearer;
  readonly #peer: GattPeer;
  readonly #database: AttributeDatabase;
  readonly #awareness: ChangeAwareness;
  readonly #configuration: ClientConfiguration;
  #range: { start: number; end: number } | undefined;
  #telling = false;

  constructor(at: {
    bearer: AttBearer;
    peer: GattPeer;
    database: AttributeDatabase;
    awareness: ChangeAwareness;
    configuration: ClientConfiguration;
  }) {
    this.#bearer = at.bearer;
    this.#peer = at.peer;
    this.#database = at.database;
    this.#awareness = at.awareness;
    this.#configuration = at.configuration;
  }

  onSecurity(): void {
    const { encrypted, bonded } = this.#bearer.security;
    if (encrypted && bonded) {
      const changed = this.#configuration.onBonded();
      // A client that can be told by nothing is not waited for.
      if (changed && (this.#subscribedCharacteristic() || this.#awareness.isRobust)) this.onChanged(0x0001, 0xffff);
      else if (this.#awareness.aware) this.onAware();
    }
    this.#configuration.refresh();
  }

  /** Attributes between these handles came or went. */
  onChanged(start: number, end: number): void {
    this.#awareness.onDatabaseChanged();
    this.#configuration.prune();
    this.#configuration.refresh();
    this.#range = this.#range ? { start: Math.min(this.#range.start, start), end: Math.max(this.#range.end, end) } : { start, end };
    void this.#tell();
  }

  #subscribedCharacteristic(): LocalCharacteristic | undefined {
    const characteristic = this.#database.find(GattUuid.GattService, GattUuid.ServiceChanged);
    return this.#configuration.get(characteristic) & INDICATE ? characteristic : undefined;
  }

  /** Indicates Service Changed, one at a time; changes that come meanwhile are told together. */
  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (;;) {
        const characteristic = this.#subscribedCharacteristic();
        if (!this.#range || !characteristic) return;
        const { start, end } = this.#range;
        this.#range = undefined;
        const { changes } = this.#awareness;
        await characteristic.indicate(Uint8Array.of(start & 0xff, start >> 8, end & 0xff, end >> 8), { to: this.#peer });
        if (this.#awareness.onConfirmed(changes)) this.onAware();
      }
    } catch (error) {
      this.#bearer.logger.info(() => `Service Changed was not confirmed: ${String(error)}`);
    } finally {
      this.#telling = false;
    }
  }

  /** The client knows the database as it is now. */
  onAware(): void {
    this.#range = undefined;
    this.#configuration.refresh();
    const { encrypted, bonded } = this.#bearer.security;
    const { hashText } = this.#database;
    if (encrypted && bonded && this.#peer.storedDatabaseHash !== hashText) this.#peer.onDatabaseHash?.(hashText);
  }
}
