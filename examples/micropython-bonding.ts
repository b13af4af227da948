// A value that only bonded devices read, and keys that a program keeps by itself, with the class BLE of jelling/micropython.
// bonding.ts is the same with a store of bonds; pairing.ts shows numbers that are compared.
//
//   node micropython-bonding.mjs
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex, toHex } from "jelling/bytes";
import { BLE, type BleEventOf, Flag, type IrqResult, UUID } from "jelling/micropython";
import { SimulatedAir } from "jelling/testing";

const folder = mkdtempSync(join(tmpdir(), "jelling-secrets-"));

interface Secret {
  readonly secType: number;
  readonly key: string;
  readonly value: string;
}

/** Keys and values as they are, in a JSON file that only its owner can read. Keys and values are not looked into. */
class Secrets {
  readonly #file: string;
  #values: Secret[] = [];

  constructor(file: string) {
    this.#file = file;
    try {
      this.#values = JSON.parse(readFileSync(file, "utf8")) as Secret[];
    } catch {
      // There is none yet.
    }
  }

  get({ secType, index, key }: BleEventOf<"getSecret">): IrqResult {
    const ofType = this.#values.filter((each) => each.secType === secType);
    const found = key === null ? ofType[index] : ofType.find((each) => each.key === toHex(key));
    return found ? fromHex(found.value) : null;
  }

  /** False where there was nothing to delete: it is asked until nothing is left. */
  set({ secType, key, value }: BleEventOf<"setSecret">): boolean {
    const others = this.#values.filter((each) => each.secType !== secType || each.key !== toHex(key));
    if (value === null && others.length === this.#values.length) return false;
    this.#values = value === null ? others : [...others, { secType, key: toHex(key), value: toHex(value) }];
    writeFileSync(this.#file, JSON.stringify(this.#values), { mode: 0o600 });
    return true;
  }
}

const LOCK = new UUID(0x1815);
const STATE = new UUID(0x2a56);

await using air = new SimulatedAir({ seed: 1 });
const controllers = { lock: air.addController({ name: "lock" }), phone: air.addController({ name: "phone" }) };
const controller = (name: keyof typeof controllers) => controllers[name].transport;

/** One meeting: connects, secures the link with what both have kept, reads. */
async function meet(lock: BLE, phone: BLE): Promise<void> {
  const ofLock = new Secrets(join(folder, "lock.json"));
  const ofPhone = new Secrets(join(folder, "phone.json"));
  let valueHandle = 0;
  lock.irq((event) => {
    if (event.type === "getSecret") return ofLock.get(event);
    if (event.type === "setSecret") return ofLock.set(event);
  });
  const isOver = new Promise<void>((resolve) => {
    phone.irq(async (event) => {
      switch (event.type) {
        case "getSecret":
          return ofPhone.get(event);
        case "setSecret":
          return ofPhone.set(event);
        case "peripheralConnect":
          await phone.gapPair(event.connHandle); // encrypts where there are keys, pairs where there are none
          break;
        case "encryptionUpdate":
          console.log(`phone: encrypted ${event.encrypted}, bonded ${event.bonded}, keys of ${event.keySize} octets`);
          await phone.gattcDiscoverCharacteristics(event.connHandle, 1, 0xffff, STATE);
          break;
        case "gattcCharacteristicResult":
          ({ valueHandle } = event);
          break;
        case "gattcCharacteristicDone":
          await phone.gattcRead(event.connHandle, valueHandle);
          break;
        case "gattcReadDone":
          console.log(`phone: read with status ${event.status}`);
          await phone.gapDisconnect(event.connHandle);
          break;
        case "peripheralDisconnect":
          resolve();
          break;
        default:
      }
    });
  });
  for (const ble of [lock, phone]) {
    await ble.config({ bond: true, leSecure: true });
    await ble.active(true);
  }
  const [[handle]] = (await lock.gattsRegisterServices([[LOCK, [[STATE, Flag.Read | Flag.ReadEncrypted]]]])) as [[number]];
  lock.gattsWrite(handle, Uint8Array.of(1));
  await lock.gapAdvertise(50_000);
  const { addrType, addr } = lock.config("mac");
  await phone.gapConnect(addrType, addr);
  await isOver;
}

try {
  for (const meeting of ["first", "second"]) {
    console.log(`the ${meeting} meeting`);
    // Nothing but the files is left of the first one.
    const lock = new BLE({ controller: controller("lock"), clock: air.clock });
    const phone = new BLE({ controller: controller("phone"), clock: air.clock });
    await meet(lock, phone);
    await lock.active(false);
    await phone.active(false);
  }
} finally {
  rmSync(folder, { recursive: true });
}
