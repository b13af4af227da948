import { LinkRole, type LinkSubrate } from "../../air/index.ts";
import { HciErrorCode, LeFeature, LeSubrateChange } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import type { ConnectionParameters } from "./connection-parameters.ts";
import type { ControlContext, LinkControl } from "./control.ts";
import { LlSubrateInd, LlSubrateReq } from "./control-pdus.ts";
import type { LinkExchanges } from "./exchanges.ts";

/** As a host asks for it, or takes it: LE Subrate Request, LE Set Default Subrate. Units: connection events, `timeout` 10 ms. */
export interface SubrateRange {
  readonly factorMin: number;
  readonly factorMax: number;
  /** Of the peripheral, in subrated events. */
  readonly latency: number;
  readonly continuationNumber: number;
  readonly timeout: number;
}

/** What subrating reads and changes of a connection. */
export interface SubratedLink {
  parameters: ConnectionParameters;
  /** Whether the peer is known to lack a feature. */
  peerLacks(bit: number): boolean;
}

/** What a central takes whose host has said nothing: no subrating at all. */
export const EVERY_EVENT: SubrateRange = Object.freeze({ factorMin: 1, factorMax: 1, latency: 0, continuationNumber: 0, timeout: 0x0c80 });

const MOST_EVENTS = 500;
const NAME = "subrate";

/** Ranges of Vol 4 Part E 7.8.123 and 7.8.124. */
export function isSubrateValid({ factorMin, factorMax, latency, continuationNumber, timeout }: SubrateRange): boolean {
  return (
    factorMin >= 1 &&
    factorMin <= factorMax &&
    factorMax * (latency + 1) <= MOST_EVENTS &&
    continuationNumber < factorMax &&
    timeout >= 0x000a &&
    timeout <= 0x0c80
  );
}

/** The supervision timeout has to be more than twice the longest time between two events that the peripheral attends. */
export function isTimeoutEnough(interval: number, factor: number, latency: number, timeout: number): boolean {
  return timeout * 10 > 2 * interval * 1.25 * factor * (latency + 1);
}

/** Which connection events are used: the Connection Subrate Update and Subrate Request procedures (Vol 6 Part B 5.1.19, 5.1.20). */
export class LinkSubrating {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #link: SubratedLink;
  readonly #exchanges: LinkExchanges;
  /** Central: what it takes of the peripheral. */
  #acceptable: SubrateRange;
  #factor = 1;
  #continuationNumber = 0;
  /** Central: its host waits for the features of the peer to be known. */
  #isPreparing = false;

  constructor(control: LinkControl, link: SubratedLink, exchanges: LinkExchanges, acceptable: SubrateRange) {
    this.#control = control;
    this.#context = control.context;
    this.#link = link;
    this.#exchanges = exchanges;
    this.#acceptable = acceptable;
    if (!hasFeature(this.#context.features, LeFeature.ConnectionSubrating)) return;
    if (this.#context.role === LinkRole.Central) this.#serveCentral();
    else this.#servePeripheral();
  }

  /** One of how many connection events is used. */
  get factor(): number {
    return this.#factor;
  }

  /** Whether the host's last request is under way. */
  get isBusy(): boolean {
    return this.#isPreparing || this.#control.has(NAME);
  }

  /** Whether the own host has said that it knows subrating. */
  get isHostReady(): boolean {
    return hasFeature(this.#context.features, LeFeature.ConnectionSubratingHostSupport);
  }

  /** Whether the peer, or its host, is known not to know it. */
  get isPeerUnable(): boolean {
    return this.#link.peerLacks(LeFeature.ConnectionSubrating) || this.#link.peerLacks(LeFeature.ConnectionSubratingHostSupport);
  }

  /** The host wants another subrate: a central sets it, a peripheral asks for it. */
  request(range: SubrateRange): void {
    if (this.#context.role === LinkRole.Peripheral) {
      this.#ask(range);
      return;
    }
    this.#acceptable = range;
    this.#isPreparing = true;
    this.#exchanges.learnFeatures(() => {
      this.#isPreparing = false;
      if (this.isPeerUnable) this.#event(HciErrorCode.UnsupportedRemoteFeature);
      else this.#update({ ...range, factor: range.factorMax });
    });
  }

  /** The interval is another one: every connection event is used again. */
  reset(): void {
    this.#factor = 1;
    this.#continuationNumber = 0;
  }

  #ask(range: SubrateRange): void {
    const control = this.#control;
    control.start({
      name: NAME,
      requestOpcode: LlSubrateReq.opcode,
      hasInstant: true,
      begin: () => {
        control.send(LlSubrateReq, range);
        control.awaitResponse();
      },
      onRejected: (errorCode) => this.#event(errorCode),
    });
  }

  /** Central: the peripheral is told, and until it has acknowledged that the former events are used as well. */
  #update(
    { factor, latency, continuationNumber, timeout }: Omit<SubrateRange, "factorMin" | "factorMax"> & { factor: number },
    isOwn = true,
  ): void {
    const control = this.#control;
    const { link, role } = this.#context;
    const values = { factor, latency, continuationNumber: Math.min(continuationNumber, factor - 1), timeout };
    const procedure = {
      name: NAME,
      requestOpcode: LlSubrateInd.opcode,
      hasInstant: true,
      begin: () => {
        let subrate: LinkSubrate;
        const send = (baseEvent: number) => {
          subrate = onAir(values, baseEvent);
          return { ...values, baseEvent: baseEvent & 0xffff };
        };
        control.send(LlSubrateInd, send, {
          onTaken: () => link.setSubrate(role, subrate, { keepsFormer: true }),
          onAcknowledged: () => {
            link.setSubrate(role, subrate);
            this.#apply(values, isOwn);
            control.finish(procedure);
          },
        });
      },
      onRejected: () => {},
    };
    control.start(procedure);
  }

  #serveCentral(): void {
    const control = this.#control;
    control.on(LlSubrateReq, (asked) => {
      const reject = (errorCode: number): void => control.reject(LlSubrateReq.opcode, errorCode, true);
      if (control.collides(NAME, reject)) return;
      if (control.isWaiting(NAME)) reject(HciErrorCode.LlProcedureCollision);
      else if (!this.isHostReady) reject(HciErrorCode.UnsupportedRemoteFeature);
      else if (!isSubrateValid(asked)) reject(HciErrorCode.InvalidLlParameters);
      else {
        const chosen = this.#choose(asked);
        if (chosen) this.#update(chosen, false);
        else reject(HciErrorCode.UnsupportedLlParameterValue);
      }
    });
  }

  /** What suits both: the highest factor and the least of latency and timeout; of continuation numbers the higher one. */
  #choose(asked: SubrateRange): (Omit<SubrateRange, "factorMin" | "factorMax"> & { factor: number }) | undefined {
    const own = this.#acceptable;
    const latency = Math.min(asked.latency, own.latency);
    const timeout = Math.min(asked.timeout, own.timeout);
    const continuationNumber = Math.max(asked.continuationNumber, own.continuationNumber);
    const { interval } = this.#link.parameters;
    const lowest = Math.max(asked.factorMin, own.factorMin);
    for (let factor = Math.min(asked.factorMax, own.factorMax); factor >= lowest; factor--)
      if (isTimeoutEnough(interval, factor, latency, timeout)) return { factor, latency, continuationNumber, timeout };
    return undefined;
  }

  #servePeripheral(): void {
    const control = this.#control;
    control.on(LlSubrateInd, ({ factor, baseEvent, latency, continuationNumber, timeout }) => {
      const values = { factor, latency, continuationNumber, timeout };
      if (!isSubrateValid({ ...values, factorMin: factor, factorMax: factor })) return;
      const { link, role } = this.#context;
      const { eventCounter } = link;
      link.setSubrate(role, onAir(values, eventCounter - ((eventCounter - baseEvent) & 0xffff)));
      const { active } = control;
      const isOwn = active?.name === NAME;
      this.#apply(values, isOwn);
      if (isOwn) control.finish(active);
    });
  }

  /** The host hears of what it asked for, and of what has changed. */
  #apply({ factor, latency, continuationNumber, timeout }: SubrateValues, isOwn: boolean): void {
    const { parameters } = this.#link;
    const isChanged =
      factor !== this.#factor ||
      continuationNumber !== this.#continuationNumber ||
      latency !== parameters.latency ||
      timeout !== parameters.timeout;
    this.#factor = factor;
    this.#continuationNumber = continuationNumber;
    this.#link.parameters = { ...parameters, latency, timeout };
    if (isOwn || isChanged) this.#event(HciErrorCode.Success);
  }

  #event(status: number): void {
    const { host, handle: connectionHandle } = this.#context;
    const { latency: peripheralLatency, timeout: supervisionTimeout } = this.#link.parameters;
    host.event(LeSubrateChange, {
      status,
      connectionHandle,
      subrateFactor: this.#factor,
      peripheralLatency,
      continuationNumber: this.#continuationNumber,
      supervisionTimeout,
    });
  }
}

interface SubrateValues {
  readonly factor: number;
  readonly latency: number;
  readonly continuationNumber: number;
  readonly timeout: number;
}

function onAir({ factor, latency, continuationNumber, timeout }: SubrateValues, baseEvent: number): LinkSubrate {
  return { factor, baseEvent, latency, continuationNumber, supervisionTimeoutUs: timeout * 10_000 };
}
