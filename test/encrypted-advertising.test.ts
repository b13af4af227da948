import { expect, test } from "vitest";
import { AttErrorCode } from "../src/att/index.ts";
import {
  type Advertisement,
  createKeyMaterial,
  decodeKeyMaterial,
  decryptAdvertisingData,
  encodeKeyMaterial,
  encryptAdvertisingData,
  type KeyMaterial,
} from "../src/gap/index.ts";
import { keyMaterialCharacteristic } from "../src/gatt/index.ts";
import { IoCapability } from "../src/smp/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

// Encrypted advertising data (Supplement Part A 1.23) and its key (Vol 3 Part C 12.6), from the pairing to the advertisement that is read.

const FLAGS = { type: 0x01, data: Uint8Array.of(6) };
const [SERVICE, KEY_MATERIAL] = ["1847", "2B88"];

/** A ward's beacon, and a phone beside it whose user says yes. */
async function ward(air: SimulatedAir, { isLetIn = true } = {}) {
  const yes = { ioCapability: IoCapability.DisplayYesNo, mitm: true };
  const agent = { compare: () => Promise.resolve(true), displayPasskey: () => {} };
  const pair = await air.connectedPair({
    central: { pairing: yes, agent },
    peripheral: { pairing: yes, agent, policy: { authorize: () => isLetIn }, privateAddressIntervalMs: 5000 },
    advertise: { ownAddress: "resolvable" },
  });
  let material = createKeyMaterial(air.random("key material"));
  const { gattServer, device } = pair.peripheral;
  const service = gattServer.addService({
    uuid: SERVICE!,
    characteristics: [keyMaterialCharacteristic(() => encodeKeyMaterial(material))],
  });
  return {
    ...pair,
    characteristic: service.characteristics[0]!,
    phone: pair.central,
    /** The beacon, off the link. */
    tell: (name: string) =>
      device.advertise({
        ownAddress: "resolvable",
        connectable: false,
        intervalMs: 30,
        data: [FLAGS, encryptAdvertisingData(material, { name }, { random: air.random(`randomizer of ${name}`) })],
      }),
    get material() {
      return material;
    },
    set material(next: KeyMaterial) {
      material = next;
    },
  };
}

async function hear(air: SimulatedAir, { device }: { device: Awaited<ReturnType<SimulatedAir["device"]>> }): Promise<Advertisement> {
  let heard: Advertisement | undefined;
  await using _scan = await device.startScan({ duplicates: "report", active: false }, (report) => {
    if (report.advertisingData.structures.some(({ type }) => type === 0x31)) heard = report.keep();
  });
  await air.advance(1000);
  return heard!;
}

test("a bonded central reads the key, and with it what is advertised under addresses that change", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const at = await ward(air);
  const { connection } = at.phone;
  expect(await connection.pair()).toMatchObject({ method: "numeric-comparison", authenticated: true, bonded: true });
  const characteristic = await connection.gatt.characteristic(SERVICE!, KEY_MATERIAL!);
  const material = decodeKeyMaterial(await characteristic.read());
  expect(material).toEqual(at.material);
  await air.advance(300);
  await connection.disconnect();
  const stranger = { device: await air.device({ name: "stranger" }) };
  for (const name of ["Ward 7", "Ward 8"]) {
    await using _beacon = await at.tell(name);
    const report = await hear(air, at.phone);
    expect(String(report.identity)).toBe(String(at.peripheral.device.identity)); // whose key it is read with
    expect(decryptAdvertisingData(material, report.advertisingData)?.name).toBe(name);
    expect(report.name).toBeUndefined();
    const unread = await hear(air, stranger);
    expect(unread.identity).toBeUndefined();
    expect(decryptAdvertisingData(createKeyMaterial(air.random("another")), unread.advertisingData)).toBeUndefined();
    await air.advance(10_000); // the address is another one now
  }
});

test("a new key is indicated to who subscribed, and the old one reads nothing any more", async () => {
  await using air = new SimulatedAir({ seed: 2 });
  const at = await ward(air);
  const { connection } = at.phone;
  await connection.pair();
  const characteristic = await connection.gatt.characteristic(SERVICE!, KEY_MATERIAL!);
  const old = decodeKeyMaterial(await characteristic.read());
  const indications = characteristic.indications();
  const next = indications.next();
  await air.advance(300);
  at.material = createKeyMaterial(air.random("next"));
  await at.characteristic.indicate(encodeKeyMaterial(at.material));
  expect((await next).value).toHaveLength(20); // ATT_MTU - 3 of its 24 octets (Vol 3 Part F 3.4.7.2): the whole is read
  const material = decodeKeyMaterial(await characteristic.read());
  expect(material).toEqual(at.material);
  await indications.return?.();
  await connection.disconnect();
  await using _beacon = await at.tell("Ward 9");
  const { advertisingData } = await hear(air, at.phone);
  expect(decryptAdvertisingData(material, advertisingData)?.name).toBe("Ward 9");
  expect(decryptAdvertisingData(old, advertisingData)).toBeUndefined();
});

test("the key is read by nobody who is not paired, nor by who is and was not let in", async () => {
  await using air = new SimulatedAir({ seed: 3 });
  const at = await ward(air, { isLetIn: false });
  const { connection } = at.phone;
  const characteristic = await connection.gatt.characteristic(SERVICE!, KEY_MATERIAL!);
  await expect(characteristic.read()).rejects.toMatchObject({ errorCode: AttErrorCode.InsufficientAuthentication });
  await connection.pair();
  await expect(characteristic.read()).rejects.toMatchObject({ errorCode: AttErrorCode.InsufficientAuthorization });
});
