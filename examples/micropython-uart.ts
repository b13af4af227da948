// A serial line over the Nordic UART Service, both ends, with the class BLE of jelling/micropython: handlers of events and numbers, as a
// MicroPython program has them. uart.ts is the same with objects and loops.
//
//   node micropython-uart.mjs          in a simulated air
//   node micropython-uart.mjs hci:0    on a real adapter: the peripheral, which sends back what it is sent, until it is interrupted
import { openTransport } from "jelling";
import { BLE, type BleOptions, Flag, UUID } from "jelling/micropython";
import { SimulatedAir } from "jelling/testing";

const [transport] = process.argv.slice(2);

const SERVICE = UUID.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e");
const RX = UUID.parse("6e400002-b5a3-f393-e0a9-e50e24dcca9e"); // the central writes it
const TX = UUID.parse("6e400003-b5a3-f393-e0a9-e50e24dcca9e"); // the peripheral notifies it
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (octets: Uint8Array): string => new TextDecoder().decode(octets);

/** Serves the line to any number of centrals. */
class UartPeripheral {
  onLine: (line: string) => void = () => {};
  readonly #ble: BLE;
  readonly #connections = new Set<number>();
  #tx = 0;
  #rx = 0;

  constructor(ble: BLE) {
    this.#ble = ble;
    ble.irq(async (event) => {
      if (event.type === "centralConnect") this.#connections.add(event.connHandle);
      if (event.type === "centralDisconnect") {
        this.#connections.delete(event.connHandle);
        await this.#advertise();
      }
      // The value holds exactly what this write brought: nothing else of the peer is looked at before the handler has returned.
      if (event.type === "gattsWrite" && event.attrHandle === this.#rx) this.onLine(decode(ble.gattsRead(this.#rx)));
    });
  }

  async start(): Promise<void> {
    await this.#ble.active(true);
    const [handles] = await this.#ble.gattsRegisterServices([
      [
        SERVICE,
        [
          [TX, Flag.Read | Flag.Notify],
          [RX, Flag.Write | Flag.WriteNoResponse],
        ],
      ],
    ]);
    [this.#tx, this.#rx] = handles as [number, number];
    this.#ble.gattsSetBuffer(this.#rx, 100); // 20 octets otherwise
    await this.#advertise();
  }

  async write(line: string): Promise<void> {
    for (const connHandle of this.#connections) await this.#ble.gattsNotify(connHandle, this.#tx, line);
  }

  async #advertise(): Promise<void> {
    const name = encode("uart");
    await this.#ble.gapAdvertise(100_000, Uint8Array.of(2, 1, 6, 1 + name.length, 9, ...name), {
      respData: Uint8Array.of(17, 7, ...SERVICE.toLittleEndian()),
    });
  }
}

/** Looks for such a line, and connects: each step begins when the event of the one before has come. */
class UartCentral {
  onLine: (line: string) => void = () => {};
  readonly #ble: BLE;
  #connHandle = 0;
  #tx = 0;
  #rx = 0;
  #onReady: () => void = () => {};
  #onWritten: () => void = () => {};
  #onGone: () => void = () => {};
  #found: { addrType: number; addr: Uint8Array } | undefined;

  constructor(ble: BLE) {
    this.#ble = ble;
    ble.irq(async (event) => {
      switch (event.type) {
        case "scanResult": {
          const isUart = decode(event.advData).includes("uart");
          if (!isUart || this.#found) break;
          this.#found = event;
          await ble.gapScan(null);
          break;
        }
        case "scanDone":
          if (this.#found) await ble.gapConnect(this.#found.addrType, this.#found.addr);
          break;
        case "peripheralConnect":
          this.#connHandle = event.connHandle;
          await ble.gattcDiscoverServices(event.connHandle, SERVICE);
          break;
        case "gattcServiceResult":
          await ble.gattcDiscoverCharacteristics(event.connHandle, event.startHandle, event.endHandle);
          break;
        case "gattcCharacteristicResult":
          if (event.uuid.equals(TX)) this.#tx = event.valueHandle;
          if (event.uuid.equals(RX)) this.#rx = event.valueHandle;
          break;
        case "gattcCharacteristicDone":
          await ble.gattcExchangeMtu(event.connHandle); // a longer line in one packet
          break;
        case "mtuExchanged":
          this.#onReady();
          break;
        case "gattcNotify":
          if (event.valueHandle === this.#tx) this.onLine(decode(event.data));
          break;
        case "gattcWriteDone":
          this.#onWritten();
          break;
        case "peripheralDisconnect":
          this.#onGone();
          break;
        default:
      }
    });
  }

  async connect(): Promise<void> {
    await this.#ble.active(true);
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve;
    });
    await this.#ble.gapScan(2000, 30_000, 30_000);
    await ready;
  }

  /** With response, so that it is known to have arrived. */
  async write(line: string): Promise<void> {
    const written = new Promise<void>((resolve) => {
      this.#onWritten = resolve;
    });
    await this.#ble.gattcWrite(this.#connHandle, this.#rx, line, 1);
    await written;
  }

  async disconnect(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#onGone = resolve;
    });
    await this.#ble.gapDisconnect(this.#connHandle);
    await gone;
  }
}

await using air = new SimulatedAir({ seed: 1 });
const options = (name: string): BleOptions =>
  transport
    ? { controller: (given) => openTransport(transport, given) }
    : { controller: air.addController({ name }).transport, clock: air.clock };

await using server = new BLE(options("peripheral"));
const peripheral = new UartPeripheral(server);
peripheral.onLine = (line) => {
  console.log(`peripheral: ${line}`);
  peripheral.write(line.toUpperCase()).catch((error: unknown) => console.log(`peripheral: ${error}`));
};
await peripheral.start();

if (transport) {
  await new Promise((resolve) => process.once("SIGINT", resolve));
} else {
  await using client = new BLE(options("central"));
  const central = new UartCentral(client);
  await central.connect();
  for (const line of ["hello", "a line that is longer than the twenty octets of a small packet"]) {
    const answer = new Promise<string>((resolve) => {
      central.onLine = resolve;
    });
    await central.write(line);
    console.log(`central: ${await answer}`);
  }
  await central.disconnect();
}
