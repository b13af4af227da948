// A central for a page that has to be small: it scans, connects and uses attributes, of the library's own parts, in less than 60 kB compressed.
// It has no pairing, no server and no channels of its own: for those take a Device.
//
//   node small-central.mjs                                     in a simulated air, with a device to look at
import { type Clock, SystemClock } from "jelling/async";
import { AttBearer } from "jelling/att";
import { type Address, Logger, systemRandom } from "jelling/core";
import {
  BondBook,
  type ConnectOptions,
  Connector,
  MemoryBondStore,
  OwnAddresses,
  Radio,
  Scanner,
  type ScanOptions,
  type ScanReports,
} from "jelling/gap";
import { GattClient } from "jelling/gatt";
import {
  Disconnect,
  DisconnectedError,
  DisconnectionComplete,
  Hci,
  HciErrorCode,
  type HciTransport,
  LeConnectionComplete,
} from "jelling/hci";
import { FixedChannel, FixedChannelId } from "jelling/l2cap";
import { SimulatedAir } from "jelling/testing";

interface SmallLink {
  readonly handle: number;
  readonly gatt: GattClient;
  readonly closed: Promise<unknown>;
}

class SmallCentral implements AsyncDisposable {
  readonly #hci: Hci;
  readonly #radio: Radio;
  readonly #scanner: Scanner;
  readonly #connector: Connector<SmallLink>;
  readonly #ends = new Map<number, (reason: DisconnectedError) => void>();

  static async open(transport: HciTransport, clock: Clock = new SystemClock()): Promise<SmallCentral> {
    const hci = await Hci.open(transport, { clock, logger: Logger.silent });
    return new SmallCentral(hci, await BondBook.open(new MemoryBondStore()));
  }

  private constructor(hci: Hci, bonds: BondBook) {
    const { clock } = hci;
    const own = new OwnAddresses({ clock, random: systemRandom, publicAddress: hci.controller.address });
    const radio = new Radio({ port: hci, clock, logger: Logger.silent, own });
    const resolve = (address: Address): Address | undefined => bonds.resolve(address);
    this.#hci = hci;
    this.#radio = radio;
    this.#scanner = new Scanner({ port: hci, radio, resolve });
    this.#connector = new Connector<SmallLink>({ port: hci, radio, clock, scanner: this.#scanner, resolve });
    radio.add(this.#connector);
    radio.add(this.#scanner);
    hci.onAdvertisingReport = this.#scanner.onReport;
    hci.on(LeConnectionComplete, ({ status, connectionHandle, peerAddress }) => {
      if (status !== HciErrorCode.Success) this.#connector.ended(status, peerAddress);
      else this.#connector.connected(peerAddress, () => this.#disconnect(connectionHandle))?.outcome.resolve(this.#link(connectionHandle));
    });
    hci.on(DisconnectionComplete, ({ status, connectionHandle, reason }) => {
      if (status === HciErrorCode.Success) this.#ends.get(connectionHandle)?.(new DisconnectedError(reason));
    });
  }

  #link(handle: number): SmallLink {
    const acl = this.#hci.acl.open(handle);
    const channel = new FixedChannel(acl, FixedChannelId.Attribute);
    acl.onPdu = (bytes, offset, end) => {
      // Length and channel identifier stand in front of what the channel carries (Vol 3 Part A 3.1).
      if ((bytes[offset + 2]! | (bytes[offset + 3]! << 8)) === FixedChannelId.Attribute) channel.onPdu?.(bytes, offset + 4, end);
    };
    acl.onClose = (reason) => channel.close(reason);
    const att = new AttBearer(channel, { clock: this.#hci.clock });
    const closed = new Promise<unknown>((resolve) => {
      this.#ends.set(handle, (reason) => {
        this.#ends.delete(handle);
        acl.close(reason);
        resolve(reason);
      });
    });
    return { handle, gatt: new GattClient(att), closed };
  }

  scan(options: ScanOptions = {}): ScanReports {
    return this.#scanner.reports(options);
  }

  connect(address: Address, options: ConnectOptions = {}): Promise<SmallLink> {
    return this.#connector.connect(address, options, undefined);
  }

  async disconnect({ handle, closed }: SmallLink): Promise<void> {
    await this.#disconnect(handle);
    await closed;
  }

  async #disconnect(handle: number): Promise<void> {
    await this.#hci.send(Disconnect, { connectionHandle: handle, reason: HciErrorCode.RemoteUserTerminatedConnection });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scanner.close();
    this.#radio.close(undefined);
    await this.#hci[Symbol.asyncDispose]();
  }
}

// --- in an air

await using air = new SimulatedAir({ seed: 1 });
const lamp = await air.device({ name: "Lamp" });
lamp.gattServer.addService({ uuid: 0x180f, characteristics: [{ uuid: 0x2a19, properties: ["read"], value: Uint8Array.of(80) }] });
await lamp.advertise({ data: { flags: 6, name: "Lamp" } });

await using central = await SmallCentral.open(air.addController().transport, air.clock);
for await (const { name, address } of central.scan({ name: "Lamp" })) {
  console.log(`found ${name}`);
  const link = await central.connect(address);
  const level = await link.gatt.characteristic(0x180f, 0x2a19);
  console.log(`battery ${(await level.read())[0]} %`);
  await central.disconnect(link);
  break;
}
