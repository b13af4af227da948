import { SystemClock } from "../../async/clock.ts";
import { Logger } from "../../core/logger.ts";
import { TransportClosed } from "../../hci/transport.ts";
import type { AttachableController, ControllerServer, ServeOptions } from "../types.ts";
import { H4LineTransport } from "./h4-transport.ts";
import { H5Transport } from "./h5-transport.ts";
import type { OctetLine } from "./octet-line.ts";
import { openPtyLine } from "./pty.ts";
import { openSerialLine } from "./serial.ts";
import { parsePtySpec, parseSerialSpec, type SerialSpec } from "./serial-spec.ts";

/** `pty:[/LINK/PATH][,h5]`: hosts open the pseudo-terminal that is made. */
export async function servePty(controller: AttachableController, spec: string, options: ServeOptions): Promise<ControllerServer> {
  const { path: link, framing } = parsePtySpec(spec, spec.slice("pty:".length));
  const { line, path } = await openPtyLine(link);
  return serveLine(controller, line, `serial:${path}${framing === "h5" ? ",h5" : ",flow=none"}`, { framing }, options);
}

/** `serial:PORT…`: the host is at the other end of the cable. */
export async function serveSerial(controller: AttachableController, spec: string, options: ServeOptions): Promise<ControllerServer> {
  const settings = parseSerialSpec(spec, spec.slice("serial:".length));
  return serveLine(controller, await openSerialLine(settings, undefined), spec, settings, options);
}

/** The controller at one end of a line, for one host after the other: where H5 tells that a host was reset, the next is a new one. */
function serveLine(
  controller: AttachableController,
  line: OctetLine,
  spec: string,
  { framing, baudRate, flow }: Pick<SerialSpec, "framing"> & Partial<SerialSpec>,
  { logger = Logger.silent }: ServeOptions,
): ControllerServer {
  let isOver = false;
  const clock = new SystemClock();
  const serve = (): void => {
    const lent = new LentLine(line, (isLineOver) => {
      isOver ||= isLineOver;
      if (!isOver) queueMicrotask(serve);
    });
    const common = { clock, logger: logger.child("transport"), role: "controller" as const };
    const transport =
      framing === "h4"
        ? new H4LineTransport(lent, { spec }, common)
        : new H5Transport(lent, { spec }, { ...common, baudRate, offer: { flowControl: flow === "software" } });
    try {
      controller.attach(transport);
    } catch (error) {
      // Removed, or taken by a host inside this process.
      logger.warn(`${spec}: the controller is served no more: ${error instanceof Error ? error.message : String(error)}`);
      isOver = true;
      void transport[Symbol.asyncDispose]();
    }
  };
  serve();
  return {
    spec,
    async [Symbol.asyncDispose]() {
      const wasOver = isOver;
      isOver = true;
      if (!wasOver) line.onEnd?.(new TransportClosed("the controller is served no more"));
      await line.close();
    },
  };
}

/** A line for one transport, which closes it; the line itself stays open. */
class LentLine implements OctetLine {
  readonly #line: OctetLine;
  readonly #onGivenBack: (isLineOver: boolean) => void;
  #isGivenBack = false;
  #isLineOver = false;

  constructor(line: OctetLine, onGivenBack: (isLineOver: boolean) => void) {
    this.#line = line;
    this.#onGivenBack = onGivenBack;
  }

  get onOctets(): OctetLine["onOctets"] {
    return this.#line.onOctets;
  }
  set onOctets(receiver: OctetLine["onOctets"]) {
    this.#line.onOctets = receiver;
  }
  get onEnd(): OctetLine["onEnd"] {
    return this.#line.onEnd;
  }
  set onEnd(receiver: OctetLine["onEnd"]) {
    this.#line.onEnd = (error) => {
      this.#isLineOver = true;
      receiver?.(error);
    };
  }
  get onDrain(): OctetLine["onDrain"] {
    return this.#line.onDrain;
  }
  set onDrain(receiver: OctetLine["onDrain"]) {
    this.#line.onDrain = receiver;
  }
  write(octets: Uint8Array): void {
    if (!this.#isGivenBack) this.#line.write(octets);
  }
  get waitingOctets(): number {
    return this.#line.waitingOctets;
  }
  get writable(): boolean {
    return this.#line.writable;
  }
  pause(): void {
    if (!this.#isGivenBack) this.#line.pause();
  }
  resume(): void {
    if (!this.#isGivenBack) this.#line.resume();
  }
  async close(): Promise<void> {
    if (this.#isGivenBack) return;
    this.#isGivenBack = true;
    this.#line.resume();
    this.#onGivenBack(this.#isLineOver);
  }
}
