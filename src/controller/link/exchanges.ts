import { LinkRole } from "../../air/index.ts";
import {
  HciErrorCode,
  LeDataLengthChange,
  LeFeature,
  LeReadRemoteFeaturesComplete,
  LeRequestPeerScaComplete,
  ReadRemoteVersionInformationComplete,
} from "../../hci/index.ts";
import { hasFeature, VERSION } from "../options.ts";
import { encodeSleepClockAccuracy } from "../roles/advertising-pdus.ts";
import type { ControlContext, LinkControl } from "./control.ts";
import {
  type ControlPdu,
  LlClockAccuracyReq,
  LlClockAccuracyRsp,
  LlFeatureReq,
  LlFeatureRsp,
  LlLengthReq,
  LlLengthRsp,
  LlPeripheralFeatureReq,
  LlUnknownRsp,
  LlVersionInd,
} from "./control-pdus.ts";

/** Sizes of data PDUs, Vol 6 Part B 4.5.10: octets of payload, microseconds. */
export interface DataLength {
  maxTxOctets: number;
  maxTxTime: number;
  maxRxOctets: number;
  maxRxTime: number;
}

const DEFAULT_LENGTH: Readonly<DataLength> = { maxTxOctets: 27, maxTxTime: 328, maxRxOctets: 27, maxRxTime: 328 };

interface VersionInformation {
  readonly versNr: number;
  readonly compId: number;
  readonly subVersNr: number;
}

/** The exchanges without an instant: features, version, data length, sleep clock (Vol 6 Part B 5.1.4, 5.1.5, 5.1.9, 5.1.14). */
export class LinkExchanges {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  #remoteFeatures: bigint | undefined;
  /** Who waits for them, beside the host. */
  readonly #onFeatures: (() => void)[] = [];
  #remoteVersion: VersionInformation | undefined;
  #isVersionSent = false;
  /** What this controller would send and take. */
  readonly #local: DataLength;
  /** What the peer said of itself. */
  #remote: DataLength = { ...DEFAULT_LENGTH };
  /** What is in force: the lesser of both. */
  #effective: Readonly<DataLength> = DEFAULT_LENGTH;
  readonly #onLengthChange: () => void;

  constructor(control: LinkControl, local: DataLength, onLengthChange: () => void) {
    this.#control = control;
    this.#context = control.context;
    this.#local = local;
    this.#onLengthChange = onLengthChange;
    this.#serve();
  }

  get effective(): Readonly<DataLength> {
    return this.#effective;
  }

  /** Whether this controller would send more than a new link allows. */
  get wantsMore(): boolean {
    return this.#local.maxTxOctets > this.#effective.maxTxOctets;
  }

  /** Whether the peer is known to lack a feature. */
  peerLacks(bit: number): boolean {
    return this.#remoteFeatures !== undefined && !hasFeature(this.#remoteFeatures, bit);
  }

  /** Calls `then` once the peer's features are known, or that they are not to be had. The host is not told. */
  learnFeatures(then: () => void): void {
    const control = this.#control;
    const request = this.#featureRequest;
    const canAsk =
      this.#context.role === LinkRole.Central || hasFeature(this.#context.features, LeFeature.PeripheralInitiatedFeaturesExchange);
    if (this.#remoteFeatures !== undefined || !canAsk) {
      then();
      return;
    }
    this.#onFeatures.push(then);
    if (control.has("feature learning")) return;
    control.start({
      name: "feature learning",
      requestOpcode: request.opcode,
      hasInstant: false,
      begin: () => {
        if (this.#remoteFeatures !== undefined) this.#finish("feature learning", () => this.#featuresKnown());
        else {
          control.send(request, { featureSet: this.#context.features });
          control.awaitResponse();
        }
      },
      onRejected: () => this.#featuresKnown(),
    });
  }

  #featuresKnown(): void {
    for (const then of this.#onFeatures.splice(0)) then();
  }

  get #featureRequest(): ControlPdu<{ featureSet: bigint }> {
    return this.#context.role === LinkRole.Central ? LlFeatureReq : LlPeripheralFeatureReq;
  }

  /** Whether the peer has said that it has a feature. */
  peerHas(bit: number): boolean {
    return this.#remoteFeatures !== undefined && hasFeature(this.#remoteFeatures, bit);
  }

  requestFeatures(): void {
    const control = this.#control;
    const request = this.#featureRequest;
    control.start({
      name: "feature exchange",
      requestOpcode: request.opcode,
      hasInstant: false,
      begin: () => {
        if (this.#remoteFeatures !== undefined) this.#finish("feature exchange", () => this.#featuresEvent(HciErrorCode.Success));
        else {
          control.send(request, { featureSet: this.#context.features });
          control.awaitResponse();
        }
      },
      onRejected: (errorCode) => this.#featuresEvent(errorCode),
    });
  }

  requestVersion(): void {
    const control = this.#control;
    control.start({
      name: "version exchange",
      requestOpcode: LlVersionInd.opcode,
      hasInstant: false,
      begin: () => {
        if (this.#remoteVersion) this.#finish("version exchange", () => this.#versionEvent(HciErrorCode.Success));
        else {
          this.#sendVersion();
          control.awaitResponse();
        }
      },
      onRejected: (errorCode) => this.#versionEvent(errorCode),
    });
  }

  requestSleepClock(): void {
    const control = this.#control;
    control.start({
      name: "sleep clock",
      requestOpcode: LlClockAccuracyReq.opcode,
      hasInstant: false,
      begin: () => {
        control.send(LlClockAccuracyReq, { sca: this.#sleepClock });
        control.awaitResponse();
      },
      onRejected: (errorCode) => {
        const isUnknown = errorCode === HciErrorCode.UnsupportedRemoteFeature;
        this.#sleepClockEvent(isUnknown ? HciErrorCode.UnsupportedFeatureOrParameterValue : errorCode, 0); // Vol 4 Part E 7.8.108
      },
    });
  }

  get #sleepClock(): number {
    return encodeSleepClockAccuracy(this.#context.radio.sleepClockAccuracyPpm);
  }

  #sleepClockEvent(status: number, peerClockAccuracy: number): void {
    const { host, handle: connectionHandle } = this.#context;
    host.event(LeRequestPeerScaComplete, { status, connectionHandle, peerClockAccuracy });
  }

  /** What the host wants to send at most; the peer is told where that is news. */
  setTxLength(maxTxOctets: number, maxTxTime: number): void {
    const local = this.#local;
    if (local.maxTxOctets === maxTxOctets && local.maxTxTime === maxTxTime) return;
    local.maxTxOctets = maxTxOctets;
    local.maxTxTime = maxTxTime;
    this.requestLength();
  }

  requestLength(): void {
    const control = this.#control;
    if (this.peerLacks(LeFeature.LeDataPacketLengthExtension) || control.has("data length")) return;
    control.start({
      name: "data length",
      requestOpcode: LlLengthReq.opcode,
      hasInstant: false,
      begin: () => {
        control.send(LlLengthReq, () => this.#local);
        control.awaitResponse();
      },
      onRejected: () => {},
    });
  }

  #finish(name: string, tell: () => void): void {
    const procedure = this.#control.active;
    if (procedure?.name !== name) return;
    this.#control.responded();
    tell();
    this.#control.finish(procedure);
  }

  #sendVersion(): void {
    if (this.#isVersionSent) return; // once in the life of a link
    this.#isVersionSent = true;
    const { lmpVersion: versNr, companyIdentifier: compId, lmpSubversion: subVersNr } = VERSION;
    this.#control.send(LlVersionInd, { versNr, compId, subVersNr });
  }

  #serve(): void {
    const control = this.#control;
    const { features, role } = this.#context;
    const answerFeatures = (request: { opcode: number }, isKnown: boolean, featureSet: bigint): void => {
      if (!isKnown) {
        control.send(LlUnknownRsp, { unknownType: request.opcode });
        return;
      }
      this.#remoteFeatures = featureSet;
      // The first octet has what both support, the others what this end does (Vol 6 Part B 2.4.2.10).
      control.send(LlFeatureRsp, { featureSet: features & (featureSet | ~0xffn) });
    };
    if (role === LinkRole.Peripheral) control.on(LlFeatureReq, ({ featureSet }) => answerFeatures(LlFeatureReq, true, featureSet));
    else {
      const isKnown = hasFeature(features, LeFeature.PeripheralInitiatedFeaturesExchange);
      control.on(LlPeripheralFeatureReq, ({ featureSet }) => answerFeatures(LlPeripheralFeatureReq, isKnown, featureSet));
    }
    control.on(LlFeatureRsp, ({ featureSet }) => {
      this.#remoteFeatures = featureSet;
      this.#finish("feature exchange", () => this.#featuresEvent(HciErrorCode.Success));
      this.#finish("feature learning", () => this.#featuresKnown());
    });
    control.on(LlVersionInd, (version) => {
      this.#remoteVersion = version;
      this.#sendVersion();
      this.#finish("version exchange", () => this.#versionEvent(HciErrorCode.Success));
    });
    if (hasFeature(features, LeFeature.SleepClockAccuracyUpdates)) {
      control.on(LlClockAccuracyReq, () => control.send(LlClockAccuracyRsp, { sca: this.#sleepClock }));
      control.on(LlClockAccuracyRsp, ({ sca }) => this.#finish("sleep clock", () => this.#sleepClockEvent(HciErrorCode.Success, sca & 7)));
    }
    if (!hasFeature(features, LeFeature.LeDataPacketLengthExtension)) return;
    control.on(LlLengthReq, (remote) => {
      this.#applyLength(remote);
      control.send(LlLengthRsp, () => this.#local);
    });
    control.on(LlLengthRsp, (remote) => this.#finish("data length", () => this.#applyLength(remote)));
  }

  #applyLength(remote: DataLength): void {
    const local = this.#local;
    // Values below the minimum count as the minimum (4.5.10).
    this.#remote = {
      maxTxOctets: Math.max(27, remote.maxTxOctets),
      maxTxTime: Math.max(328, remote.maxTxTime),
      maxRxOctets: Math.max(27, remote.maxRxOctets),
      maxRxTime: Math.max(328, remote.maxRxTime),
    };
    const before = this.#effective;
    const after: DataLength = {
      maxTxOctets: Math.min(local.maxTxOctets, this.#remote.maxRxOctets),
      maxTxTime: Math.min(local.maxTxTime, this.#remote.maxRxTime),
      maxRxOctets: Math.min(local.maxRxOctets, this.#remote.maxTxOctets),
      maxRxTime: Math.min(local.maxRxTime, this.#remote.maxTxTime),
    };
    if (
      before.maxTxOctets === after.maxTxOctets &&
      before.maxTxTime === after.maxTxTime &&
      before.maxRxOctets === after.maxRxOctets &&
      before.maxRxTime === after.maxRxTime
    )
      return;
    this.#effective = after;
    this.#onLengthChange();
    this.#context.host.event(LeDataLengthChange, { connectionHandle: this.#context.handle, ...after });
  }

  #featuresEvent(status: number): void {
    const { host, handle: connectionHandle } = this.#context;
    host.event(LeReadRemoteFeaturesComplete, { status, connectionHandle, leFeatures: this.#remoteFeatures ?? 0n });
  }

  #versionEvent(status: number): void {
    const { host, handle: connectionHandle } = this.#context;
    const {
      versNr: version,
      compId: companyIdentifier,
      subVersNr: subversion,
    } = this.#remoteVersion ?? { versNr: 0, compId: 0, subVersNr: 0 };
    host.event(ReadRemoteVersionInformationComplete, { status, connectionHandle, version, companyIdentifier, subversion });
  }
}
