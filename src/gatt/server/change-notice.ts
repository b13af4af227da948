import { callOut } from "../../async/call-out.ts";
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
  /** Hash of the database that this client knows; one that connects is taken to know the database as it is. */
  #knownHash: string;

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
    this.#knownHash = at.database.hashText;
  }

  onSecurity(): void {
    const { encrypted, bonded } = this.#bearer.security;
    if (encrypted && bonded) {
      this.#knownHash = this.#peer.storedDatabaseHash ?? this.#knownHash;
      if (this.#configuration.onBonded()) this.onChanged(0x0001, 0xffff);
      else if (this.#awareness.aware) this.onAware();
      // A bond that is new knows nothing yet: it gets what the client knows, so that the change is not lost with the link.
      if (!this.#awareness.aware && this.#peer.storedDatabaseHash === undefined) this.#storeHash(this.#knownHash);
    }
    this.#configuration.refresh();
    void this.#tell(); // what could not be told before
  }

  /** Attributes between these handles came or went. */
  onChanged(start: number, end: number): void {
    this.#awareness.onDatabaseChanged();
    this.#configuration.prune();
    this.#configuration.refresh();
    this.#add(start, end);
    void this.#tell();
  }

  #add(start: number, end: number): void {
    this.#range = this.#range ? { start: Math.min(this.#range.start, start), end: Math.max(this.#range.end, end) } : { start, end };
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
        const range = this.#range;
        const { start, end } = range;
        this.#range = undefined;
        const { changes } = this.#awareness;
        try {
          await characteristic.indicate(Uint8Array.of(start & 0xff, start >> 8, end & 0xff, end >> 8), { to: this.#peer });
        } catch (error) {
          if (!this.#awareness.aware) this.#add(range.start, range.end);
          throw error;
        }
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
    this.#configuration.onAware();
    const { encrypted, bonded } = this.#bearer.security;
    const { hashText } = this.#database;
    this.#knownHash = hashText;
    if (encrypted && bonded && this.#peer.storedDatabaseHash !== hashText) this.#storeHash(hashText);
  }

  #storeHash(hash: string): void {
    callOut(() => this.#peer.onDatabaseHash?.(hash));
  }
}
