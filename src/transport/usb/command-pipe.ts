import type { WebUsbDevice, WebUsbOutResult, WebUsbSetup } from "./web-usb.ts";

export interface CommandPipeOptions {
  /** Of the interface with the HCI. */
  readonly interfaceNumber: number;
  /** The interface is one of several functions of the device. */
  readonly isComposite: boolean;
  /** Nothing is under way and nothing waits. */
  readonly onIdle: () => void;
  /** It is over. @param what completes a sentence about the device */
  readonly onEnd: (what: string, cause?: unknown) => void;
}

/**
 * HCI commands by control transfers (Vol 4 Part B 2.2), one after the other: class request 0x00 to the device, of a composite device to its
 * interface. There are composite devices that want it the other way; a first command that is refused is sent so.
 */
export class CommandPipe {
  readonly #device: WebUsbDevice;
  readonly #options: CommandPipeOptions;
  #recipient: "device" | "interface";
  #isProven = false;
  #queue: Uint8Array[] = [];
  #isBusy = false;
  #isStopped = false;

  constructor(device: WebUsbDevice, options: CommandPipeOptions) {
    this.#device = device;
    this.#options = options;
    this.#recipient = options.isComposite ? "interface" : "device";
  }

  get isIdle(): boolean {
    return this.#isStopped || !this.#isBusy;
  }

  /** Commands that have not left yet; a host that keeps to the controller's command credits has none or one. */
  get waitingPackets(): number {
    return this.#queue.length;
  }

  send(command: Uint8Array): void {
    this.#queue.push(command);
    if (!this.#isBusy) void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    for (let command = this.#queue.shift(); command && !this.#isStopped; command = this.#queue.shift()) {
      try {
        let result = await this.#transfer(command);
        if (result.status === "stall" && !this.#isProven) {
          this.#recipient = this.#recipient === "device" ? "interface" : "device";
          result = await this.#transfer(command);
        }
        if (this.#isStopped) break;
        if ((result.status ?? "ok") !== "ok" || result.bytesWritten !== command.length) {
          this.#end("ended: it refuses a command");
          break;
        }
        this.#isProven = true;
      } catch (error) {
        this.#end("is gone: it was unplugged, or its transfers fail", error);
      }
    }
    this.#isBusy = false;
    this.#options.onIdle();
  }

  #transfer(command: Uint8Array): Promise<WebUsbOutResult> {
    const index = this.#recipient === "interface" ? this.#options.interfaceNumber : 0;
    const setup: WebUsbSetup = { requestType: "class", recipient: this.#recipient, request: 0, value: 0, index };
    return this.#device.controlTransferOut(setup, command as Uint8Array<ArrayBuffer>);
  }

  #end(what: string, cause?: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.onEnd(what, cause);
  }
}
