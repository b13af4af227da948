import { Uuid, type UuidLike } from "../../core/uuid.ts";
import type { LocalCharacteristic } from "./local-characteristic.ts";

/** A service of our own database. Its handles stay as they are for as long as it is there. */
export class LocalService {
  readonly uuid: Uuid;
  readonly primary: boolean;
  readonly handle: number;
  readonly endHandle: number;
  readonly characteristics: readonly LocalCharacteristic[];

  /** Made by the library, for what was found or added. @internal */
  constructor(at: { uuid: Uuid; primary: boolean; handle: number; endHandle: number; characteristics: readonly LocalCharacteristic[] }) {
    this.uuid = at.uuid;
    this.primary = at.primary;
    this.handle = at.handle;
    this.endHandle = at.endHandle;
    this.characteristics = at.characteristics;
  }

  /** The first characteristic of this type, `undefined` without one. */
  characteristic(uuid: UuidLike): LocalCharacteristic | undefined {
    const { text } = Uuid.from(uuid);
    return this.characteristics.find((characteristic) => characteristic.uuid.text === text);
  }
}
