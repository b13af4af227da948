import { type LinkChange, LinkRole, Phy } from "../../air/index.ts";
import {
  HciErrorCode,
  LeConnectionUpdateComplete,
  LeFeature,
  LePhyUpdateComplete,
  LeRemoteConnectionParameterRequest,
} from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import { areConnectionParametersValid, type ConnectionParameters, drawnInterval, type ParameterRange } from "./connection-parameters.ts";
import type { ControlContext, LinkControl } from "./control.ts";
import {
  LlChannelMapInd,
  LlConnectionParamReq,
  LlConnectionParamRsp,
  LlConnectionUpdateInd,
  LlPhyReq,
  LlPhyRsp,
  LlPhyUpdateInd,
} from "./control-pdus.ts";
import type { ResponseTimer } from "./response-timer.ts";

/** Events from sending a PDU with an instant to the instant, Vol 6 Part B 5.1.1; a peripheral that rests hears of it later. */
const EVENTS_TO_INSTANT = 6;
const NO_OFFSETS = new Uint8Array(12).fill(0xff);

/** What updates read and change of a connection. */
export interface UpdatableLink {
  parameters: ConnectionParameters;
  channelMap: Uint8Array;
  txPhy: Phy;
  rxPhy: Phy;
  /** Masks of LE Set PHY: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded. */
  txPhys: number;
  rxPhys: number;
  /** Coding the host prefers for what it sends. */
  coding: Phy;
  /** One of how many connection events is used. */
  readonly subrateFactor: number;
  /** The interval is another one, and every connection event a used one again. */
  onIntervalChange(): void;
  /** Whether the peer is known to lack a feature. */
  peerLacks(bit: number): boolean;
  /** A PHY changed, and with it what fits into the time of a packet. */
  onPhyChange(): void;
}

type Stage = "connection update" | "phy update" | "channel map";

/** The procedures that take effect at an instant: connection parameters, channel map, PHY (Vol 6 Part B 5.1.1, 5.1.2, 5.1.7, 5.1.10). */
export class LinkUpdates {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #link: UpdatableLink;
  /** The peer asked for other parameters, and the host has not answered. */
  #isAsked = false;
  /** Peripheral: it has answered, and the central's parameters have not taken effect. */
  #isAnswered = false;
  /** What the own host wants, while the procedure that the peer began is not over: no two of a kind at a time (Vol 6 Part B 5.3). */
  #deferred: ParameterRange | undefined;
  /** What this side asked for last. */
  #asked: ParameterRange | undefined;
  #wantedChannels: Uint8Array;
  /** Peripheral: for the LL_PHY_UPDATE_IND behind its LL_PHY_RSP. */
  readonly #phyResponse: ResponseTimer;
  /** Peripheral: for the LL_CONNECTION_UPDATE_IND behind its LL_CONNECTION_PARAM_RSP. */
  readonly #parameterResponse: ResponseTimer;

  constructor(control: LinkControl, link: UpdatableLink) {
    this.#control = control;
    this.#context = control.context;
    this.#link = link;
    this.#wantedChannels = link.channelMap;
    this.#phyResponse = control.responseTimer();
    this.#parameterResponse = control.responseTimer();
    if (this.#context.role === LinkRole.Central) this.#serveCentral();
    else this.#servePeripheral();
    if (hasFeature(this.#context.features, LeFeature.ConnectionParametersRequestProcedure)) this.#serveRequests();
  }

  get #supportsPhys(): boolean {
    return hasFeature(this.#context.features, LeFeature.Le2mPhy) || hasFeature(this.#context.features, LeFeature.LeCodedPhy);
  }

  /**
   * The host wants other parameters. Who can asks the peer for them, a central too (Vol 6 Part B 5.1.7); a central imposes them where one of
   * the two does not know how to ask (5.1.1).
   */
  requestParameters(range: ParameterRange): void {
    if (this.#isAsked || this.#isAnswered) {
      this.#deferred = range;
      return;
    }
    const bit = LeFeature.ConnectionParametersRequestProcedure;
    const mayAsk = hasFeature(this.#context.features, bit) && !this.#link.peerLacks(bit);
    if (this.#context.role === LinkRole.Central && !mayAsk) this.#impose(range);
    else this.#ask(range);
  }

  /** Whether an update that the own host wants is under way. */
  get isUpdating(): boolean {
    return this.#deferred !== undefined || this.#control.has("connection update");
  }

  /** The host's answer to LE Remote Connection Parameter Request. False when nothing was asked. */
  answerRequest(answer: ParameterRange | { reason: number }): boolean {
    if (!this.#isAsked) return false;
    this.#isAsked = false;
    if (!("reason" in answer) && this.#context.role === LinkRole.Peripheral) {
      this.#isAnswered = true; // this and the timer first, since a link without radio time brings the answer at once
      this.#parameterResponse.start();
      this.#control.send(LlConnectionParamRsp, requestPdu(answer));
      return true;
    }
    if ("reason" in answer) this.#control.reject(LlConnectionParamReq.opcode, answer.reason, true);
    else this.#impose(answer);
    this.#requestDeferred();
    return true;
  }

  #requestDeferred(): void {
    const range = this.#deferred;
    this.#deferred = undefined;
    if (range) this.requestParameters(range);
  }

  /** Central: use these channels from an instant on. */
  updateChannels(channelMap: Uint8Array): void {
    const control = this.#control;
    this.#wantedChannels = channelMap;
    if (control.isWaiting("channel map")) return;
    control.start({
      name: "channel map",
      requestOpcode: LlChannelMapInd.opcode,
      hasInstant: true,
      begin: () => {
        const wanted = this.#wantedChannels;
        control.send(LlChannelMapInd, (counter) => ({
          channelMap: wanted,
          instant: this.#schedule(counter, { kind: "channels", channelMap: wanted }),
        }));
      },
      onRejected: () => {},
    });
  }

  requestPhy(): void {
    const control = this.#control;
    control.start({
      name: "phy update",
      requestOpcode: LlPhyReq.opcode,
      hasInstant: true,
      begin: () => {
        control.send(LlPhyReq, { txPhys: this.#link.txPhys, rxPhys: this.#link.rxPhys });
        control.awaitResponse();
      },
      onRejected: (errorCode) => this.#phyEvent(errorCode),
    });
  }

  /** Something took effect on the link. */
  onInstant(change: LinkChange): void {
    if (change.kind === "parameters") this.#onParameters(change.intervalUs, change.latency, change.supervisionTimeoutUs);
    else if (change.kind === "phy") this.#onPhys(change.centralToPeripheral, change.peripheralToCentral);
    else {
      this.#link.channelMap = change.channelMap;
      this.#finish("channel map");
    }
  }

  #finish(name: Stage): boolean {
    const procedure = this.#control.active;
    if (procedure?.name !== name) return false;
    this.#control.finish(procedure);
    return true;
  }

  /** Sets the change for this end and gives its instant as a PDU carries it. */
  #schedule(eventCounter: number, change: LinkChange): number {
    const instant = eventCounter + (EVENTS_TO_INSTANT + this.#link.parameters.latency + 1) * this.#link.subrateFactor;
    this.#context.link.atInstant(this.#context.role, instant, change);
    return instant & 0xffff;
  }

  /** Peripheral: the same for an instant that was received. */
  #follow(instant: number, change: LinkChange): void {
    const { link, role } = this.#context;
    const ahead = (instant - link.eventCounter) & 0xffff;
    if (ahead >= 0x7fff)
      this.#context.lose(HciErrorCode.InstantPassed); // Vol 6 Part B 5.1.1
    else link.atInstant(role, link.eventCounter + ahead, change);
  }

  #impose(range: ParameterRange): void {
    this.#control.start({
      name: "connection update",
      requestOpcode: LlConnectionUpdateInd.opcode,
      hasInstant: true,
      begin: () => this.#sendUpdate(range),
      onRejected: () => {},
    });
  }

  #sendUpdate(range: ParameterRange): void {
    const { latency, timeout } = range;
    const interval = drawnInterval(this.#context.random, range);
    const change: LinkChange = { kind: "parameters", intervalUs: interval * 1250, latency, supervisionTimeoutUs: timeout * 10_000 };
    this.#control.send(LlConnectionUpdateInd, (counter) => {
      const instant = this.#schedule(counter, change);
      return { winSize: 1, winOffset: 0, interval, latency, timeout, instant };
    });
  }

  #ask(range: ParameterRange): void {
    const control = this.#control;
    this.#asked = range;
    control.start({
      name: "connection update",
      requestOpcode: LlConnectionParamReq.opcode,
      hasInstant: true,
      begin: () => {
        control.send(LlConnectionParamReq, requestPdu(range));
        control.awaitResponse();
      },
      onRejected: (errorCode) => {
        const isCentral = this.#context.role === LinkRole.Central;
        // The peer, or its host, does not know the procedure: the central's other way is left.
        if (isCentral && errorCode === HciErrorCode.UnsupportedRemoteFeature) this.#impose(range);
        else this.#parametersEvent(errorCode);
      },
    });
  }

  #serveRequests(): void {
    const control = this.#control;
    const { host, handle } = this.#context;
    control.on(LlConnectionParamReq, ({ intervalMin, intervalMax, latency, timeout }) => {
      const range = { intervalMin, intervalMax, latency, timeout };
      const reject = (errorCode: number): void => control.reject(LlConnectionParamReq.opcode, errorCode, true);
      if (!areConnectionParametersValid(range)) reject(HciErrorCode.InvalidLlParameters);
      else if (this.#isAsked || control.isWaiting("connection update")) reject(HciErrorCode.LlProcedureCollision);
      else if (control.collides("connection update", reject)) return;
      else if (!host.wants(LeRemoteConnectionParameterRequest)) reject(HciErrorCode.UnsupportedRemoteFeature);
      else {
        this.#isAsked = true;
        host.event(LeRemoteConnectionParameterRequest, {
          connectionHandle: handle,
          intervalMin,
          intervalMax,
          maxLatency: latency,
          timeout,
        });
      }
    });
  }

  #serveCentral(): void {
    const control = this.#control;
    control.on(LlConnectionParamRsp, ({ intervalMin, intervalMax, latency, timeout }) => {
      const { active } = control;
      if (active?.requestOpcode !== LlConnectionParamReq.opcode || !control.isAwaiting) return;
      control.responded();
      const range = { intervalMin, intervalMax, latency, timeout };
      this.#sendUpdate(areConnectionParametersValid(range) ? range : this.#asked!);
    });
    if (!this.#supportsPhys) return;
    control.on(LlPhyReq, ({ txPhys, rxPhys }) => {
      const reject = (errorCode: number): void => control.reject(LlPhyReq.opcode, errorCode, true);
      if (control.collides("phy update", reject)) return;
      this.#decidePhys(this.#link.txPhys & rxPhys, this.#link.rxPhys & txPhys);
    });
    control.on(LlPhyRsp, ({ txPhys, rxPhys }) => {
      if (control.active?.name !== "phy update" || !control.isAwaiting) return;
      control.responded();
      this.#decidePhys(this.#link.txPhys & rxPhys, this.#link.rxPhys & txPhys);
    });
  }

  #servePeripheral(): void {
    const control = this.#control;
    control.on(LlConnectionUpdateInd, ({ interval, latency, timeout, instant }) => {
      const range = { intervalMin: interval, intervalMax: interval, latency, timeout };
      if (!areConnectionParametersValid(range)) return;
      this.#parameterResponse.stop();
      if (control.active?.name === "connection update") control.responded();
      this.#follow(instant, { kind: "parameters", intervalUs: interval * 1250, latency, supervisionTimeoutUs: timeout * 10_000 });
    });
    control.on(LlChannelMapInd, ({ channelMap, instant }) => this.#follow(instant, { kind: "channels", channelMap }));
    if (!this.#supportsPhys) return;
    control.on(LlPhyReq, () => {
      control.send(LlPhyRsp, { txPhys: this.#link.txPhys, rxPhys: this.#link.rxPhys });
      this.#phyResponse.start();
    });
    control.on(LlPhyUpdateInd, ({ phyCentralToPeripheral, phyPeripheralToCentral, instant }) => {
      this.#phyResponse.stop();
      if (control.active?.name === "phy update") control.responded();
      const { txPhy, rxPhy, coding } = this.#link;
      if (phyCentralToPeripheral === 0 && phyPeripheralToCentral === 0) this.#onPhys(rxPhy, txPhy);
      else
        this.#follow(instant, {
          kind: "phy",
          centralToPeripheral: phyOfBit(phyCentralToPeripheral, rxPhy, Phy.LeCodedS8),
          peripheralToCentral: phyOfBit(phyPeripheralToCentral, txPhy, coding),
        });
    });
  }

  /** Central: the fastest PHY that both want, each way; none in common leaves it as it is. */
  #decidePhys(toPeripheral: number, toCentral: number): void {
    const { txPhy, rxPhy, coding } = this.#link;
    const centralToPeripheral = phyOfBit(fastest(toPeripheral), txPhy, coding);
    const peripheralToCentral = phyOfBit(fastest(toCentral), rxPhy, Phy.LeCodedS8);
    const changed = { tx: hciPhy(centralToPeripheral) !== hciPhy(txPhy), rx: hciPhy(peripheralToCentral) !== hciPhy(rxPhy) };
    if (!changed.tx && !changed.rx) {
      this.#control.send(LlPhyUpdateInd, { phyCentralToPeripheral: 0, phyPeripheralToCentral: 0, instant: 0 });
      this.#onPhys(txPhy, rxPhy);
      return;
    }
    this.#control.send(LlPhyUpdateInd, (counter) => ({
      phyCentralToPeripheral: changed.tx ? bitOfPhy(centralToPeripheral) : 0,
      phyPeripheralToCentral: changed.rx ? bitOfPhy(peripheralToCentral) : 0,
      instant: this.#schedule(counter, { kind: "phy", centralToPeripheral, peripheralToCentral }),
    }));
  }

  #onPhys(centralToPeripheral: Phy, peripheralToCentral: Phy): void {
    const link = this.#link;
    const isCentral = this.#context.role === LinkRole.Central;
    const [tx, rx] = isCentral ? [centralToPeripheral, peripheralToCentral] : [peripheralToCentral, centralToPeripheral];
    const isChanged = hciPhy(tx) !== hciPhy(link.txPhy) || hciPhy(rx) !== hciPhy(link.rxPhy);
    link.txPhy = tx;
    link.rxPhy = rx;
    link.onPhyChange();
    if (this.#finish("phy update") || isChanged) this.#phyEvent(HciErrorCode.Success);
  }

  #onParameters(intervalUs: number, latency: number, supervisionTimeoutUs: number): void {
    const parameters = { interval: Math.round(intervalUs / 1250), latency, timeout: Math.round(supervisionTimeoutUs / 10_000) };
    const before = this.#link.parameters;
    this.#link.parameters = parameters;
    if (before.interval !== parameters.interval) this.#link.onIntervalChange();
    const isChanged = before.interval !== parameters.interval || before.latency !== latency || before.timeout !== parameters.timeout;
    if (this.#finish("connection update") || isChanged) this.#parametersEvent(HciErrorCode.Success);
    this.#isAnswered = false;
    if (!this.#isAsked) this.#requestDeferred();
  }

  #parametersEvent(status: number): void {
    const { interval, latency, timeout } = this.#link.parameters;
    const { host, handle: connectionHandle } = this.#context;
    host.event(LeConnectionUpdateComplete, {
      status,
      connectionHandle,
      connectionInterval: interval,
      peripheralLatency: latency,
      supervisionTimeout: timeout,
    });
  }

  #phyEvent(status: number): void {
    const { host, handle: connectionHandle } = this.#context;
    host.event(LePhyUpdateComplete, { status, connectionHandle, txPhy: hciPhy(this.#link.txPhy), rxPhy: hciPhy(this.#link.rxPhy) });
  }
}

function requestPdu({ intervalMin, intervalMax, latency, timeout }: ParameterRange) {
  return { intervalMin, intervalMax, latency, timeout, preferredPeriodicity: 0, referenceConnEventCount: 0, offsets: NO_OFFSETS };
}

/** HCI has one value for LE Coded, whatever its coding. */
export function hciPhy(phy: Phy): number {
  return phy === Phy.LeCodedS2 ? Phy.LeCodedS8 : phy;
}
function bitOfPhy(phy: Phy): number {
  return 1 << (hciPhy(phy) - 1);
}
function fastest(mask: number): number {
  return mask & 2 || mask & 1 || mask & 4;
}
function phyOfBit(bit: number, unchanged: Phy, coding: Phy): Phy {
  if (bit === 1) return Phy.Le1M;
  if (bit === 2) return Phy.Le2M;
  return bit === 4 ? coding : unchanged;
}
