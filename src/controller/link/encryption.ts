import { LinkRole } from "../../air/index.ts";
import { concat } from "../../bytes/index.ts";
import { randomBytes } from "../../core/index.ts";
import { EncryptionChange, EncryptionKeyRefreshComplete, HciErrorCode, LeFeature, LeLongTermKeyRequest } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import { LinkCipher } from "./cipher.ts";
import type { ControlContext, LinkControl, Procedure } from "./control.ts";
import {
  LlEncReq,
  LlEncRsp,
  LlPauseEncReq,
  LlPauseEncRsp,
  LlRejectExtInd,
  LlRejectInd,
  LlStartEncReq,
  LlStartEncRsp,
  LlTerminateInd,
  LlUnknownRsp,
} from "./control-pdus.ts";
import type { ResponseTimer } from "./response-timer.ts";

/** What the connection does about encryption: which PDUs pass through a cipher, and whether data may pass at all. */
export interface EncryptionState {
  tx: LinkCipher | undefined;
  rx: LinkCipher | undefined;
  holdsData: boolean;
}

/** What the peripheral knows while it waits for its host's key, and then for the central's first encrypted PDU. */
interface Start {
  readonly skd: Uint8Array;
  readonly iv: Uint8Array;
  readonly isRefresh: boolean;
  cipher: LinkCipher | undefined;
}

/** Starting encryption, and pausing it to change the key: Vol 6 Part B 5.1.3. */
export class LinkEncryption {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #state: EncryptionState;
  readonly #terminate: (reason: number) => void;
  #procedure: EncryptionProcedure | undefined;
  #start: Start | undefined;
  #isPaused = false;
  /** Peripheral: what the central may send now and nothing else; `undefined`: anything. */
  #permitted: readonly number[] | undefined;
  /** Peripheral: for what the central has to send next. */
  readonly #response: ResponseTimer;

  constructor(control: LinkControl, state: EncryptionState, terminate: (reason: number) => void) {
    this.#control = control;
    this.#context = control.context;
    this.#state = state;
    this.#terminate = terminate;
    this.#response = control.responseTimer();
    if (this.#context.role === LinkRole.Central) this.#serveCentral();
    else this.#servePeripheral();
  }

  /**
   * Whether a PDU of the peer may come now. What else comes between LL_ENC_REQ, or LL_PAUSE_ENC_REQ, and the end of the procedure is in the clear, and
   * may be anybody's.
   *
   * @param opcode of a control PDU; `undefined`: data
   */
  permits(opcode: number | undefined): boolean {
    const permitted = this.#permitted ?? this.#procedure?.permitted;
    return !permitted || opcode === LlTerminateInd.opcode || (opcode !== undefined && permitted.includes(opcode));
  }

  /** Central: the host wants the link encrypted with this key. All as in HCI, least significant octet first. */
  begin(longTermKey: Uint8Array, rand: Uint8Array, ediv: number): void {
    this.#procedure = new EncryptionProcedure(this.#control, this.#state, this.#terminate, { longTermKey, rand, ediv });
    this.#control.start(this.#procedure);
  }

  /** Peripheral: the host's answer to LE Long Term Key Request. False when nothing was asked. */
  reply(longTermKey: Uint8Array | undefined): boolean {
    const start = this.#start;
    if (!start || start.cipher) return false;
    if (!longTermKey) {
      this.#refuse(start.isRefresh);
      return true;
    }
    start.cipher = new LinkCipher({ longTermKey, skd: start.skd, iv: start.iv, isCentral: false });
    // What the central sends from LL_START_ENC_RSP on is encrypted; this PDU and those before it are not.
    this.#response.start(); // first, since a link without radio time brings the answer at once
    this.#control.sendFirst(LlStartEncReq, {}, { onTaken: () => this.#listenEncrypted() });
    return true;
  }

  #listenEncrypted(): void {
    this.#state.rx = this.#start?.cipher;
    this.#permitted = [LlStartEncRsp.opcode];
  }

  #serveCentral(): void {
    const control = this.#control;
    // Nothing of this counts before the procedure has had its turn.
    const underWay = (): EncryptionProcedure | undefined => (control.active === this.#procedure ? this.#procedure : undefined);
    control.on(LlPauseEncRsp, () => underWay()?.onPaused());
    control.on(LlEncRsp, ({ skdPeripheral, ivPeripheral }) => underWay()?.onEncRsp(skdPeripheral, ivPeripheral));
    control.on(LlStartEncReq, () => underWay()?.onStartReq());
    control.on(LlStartEncRsp, () => underWay()?.onStarted());
  }

  #servePeripheral(): void {
    const control = this.#control;
    const { random, features, host, handle } = this.#context;
    control.on(LlPauseEncReq, () => {
      if (!this.#state.tx) return;
      this.#isPaused = true;
      this.#permitted = [LlPauseEncRsp.opcode, LlEncReq.opcode];
      this.#hold();
      this.#state.rx = undefined; // the central answers in the clear
      control.sendFirst(
        LlPauseEncRsp,
        {},
        {
          onTaken: () => {
            this.#state.tx = undefined;
          },
        },
      );
      this.#response.start();
    });
    control.on(LlPauseEncRsp, () => {});
    control.on(LlEncReq, ({ rand, ediv, skdCentral, ivCentral }) => {
      if (!hasFeature(features, LeFeature.LeEncryption)) {
        control.reject(LlEncReq.opcode, HciErrorCode.UnsupportedRemoteFeature, hasFeature(features, LeFeature.ExtendedRejectIndication));
        return;
      }
      this.#response.stop();
      const skdPeripheral = randomBytes(random, 8);
      const ivPeripheral = randomBytes(random, 4);
      this.#start = {
        skd: concat(skdCentral, skdPeripheral),
        iv: concat(ivCentral, ivPeripheral),
        isRefresh: this.#isPaused,
        cipher: undefined,
      };
      this.#permitted = [];
      this.#hold();
      control.sendFirst(LlEncRsp, { skdPeripheral, ivPeripheral });
      // Nobody there to ask for the key is as good as no key (Vol 4 Part E 7.7.65.5).
      if (!host.wants(LeLongTermKeyRequest)) this.#refuse(this.#isPaused);
      else host.event(LeLongTermKeyRequest, { connectionHandle: handle, randomNumber: rand, encryptedDiversifier: ediv });
    });
    control.on(LlStartEncRsp, () => {
      const start = this.#start;
      // Not before it came encrypted: in the clear it says nothing of the central's key.
      if (!start?.cipher || this.#state.rx !== start.cipher) return;
      this.#response.stop();
      this.#state.tx = start.cipher;
      control.sendFirst(LlStartEncRsp, {});
      this.#start = undefined;
      this.#isPaused = false;
      this.#permitted = undefined;
      this.#release();
      if (start.isRefresh) host.event(EncryptionKeyRefreshComplete, { status: 0, connectionHandle: handle });
      else host.event(EncryptionChange, { status: 0, connectionHandle: handle, encryptionEnabled: 1 });
    });
  }

  #refuse(isRefresh: boolean): void {
    this.#start = undefined;
    // A link that was encrypted must not go on in the clear.
    if (isRefresh) {
      this.#terminate(HciErrorCode.PinOrKeyMissing);
      return;
    }
    const isExtended = hasFeature(this.#context.features, LeFeature.ExtendedRejectIndication);
    const errorCode = HciErrorCode.PinOrKeyMissing;
    this.#permitted = undefined;
    if (isExtended) this.#control.sendFirst(LlRejectExtInd, { rejectOpcode: LlEncReq.opcode, errorCode });
    else this.#control.sendFirst(LlRejectInd, { errorCode });
    this.#release();
  }

  #hold(): void {
    this.#state.holdsData = true;
    this.#control.hold();
  }
  #release(): void {
    this.#state.holdsData = false;
    this.#control.release();
  }
}

/** How far the central's part is. */
type Stage =
  /** Its turn has not come, or it is over. */
  | "idle"
  /** LL_PAUSE_ENC_REQ is sent; the peer may send encrypted data until it answers. */
  | "pausing"
  /** LL_ENC_REQ is sent. */
  | "requesting"
  /** LL_ENC_RSP came. */
  | "keyed"
  /** LL_START_ENC_REQ came: from here on everything is encrypted with the new key. */
  | "starting";

/** The central's part. */
class EncryptionProcedure implements Procedure {
  readonly name = "encryption";
  readonly requestOpcode = LlEncReq.opcode;
  readonly hasInstant = false;
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #state: EncryptionState;
  readonly #terminate: (reason: number) => void;
  readonly #key: { longTermKey: Uint8Array; rand: Uint8Array; ediv: number };
  #stage: Stage = "idle";
  #isRefresh = false;
  #skdCentral: Uint8Array = new Uint8Array(0);
  #ivCentral: Uint8Array = new Uint8Array(0);
  #cipher: LinkCipher | undefined;

  constructor(
    control: LinkControl,
    state: EncryptionState,
    terminate: (reason: number) => void,
    key: { longTermKey: Uint8Array; rand: Uint8Array; ediv: number },
  ) {
    this.#control = control;
    this.#context = control.context;
    this.#state = state;
    this.#terminate = terminate;
    this.#key = key;
  }

  /** What the peer may send now and nothing else; `undefined`: anything. */
  get permitted(): readonly number[] | undefined {
    const refusals = [LlRejectInd.opcode, LlRejectExtInd.opcode, LlUnknownRsp.opcode];
    if (this.#stage === "starting") return [LlStartEncRsp.opcode];
    if (this.#stage === "keyed") return [LlStartEncReq.opcode, ...refusals];
    return this.#stage === "requesting" && this.#isRefresh ? [LlEncRsp.opcode, ...refusals] : undefined;
  }

  begin(): void {
    this.#state.holdsData = true;
    this.#control.hold();
    this.#isRefresh = this.#state.tx !== undefined;
    if (this.#isRefresh) {
      this.#stage = "pausing";
      this.#control.sendFirst(LlPauseEncReq, {});
      this.#control.awaitResponse();
    } else this.#request();
  }

  onPaused(): void {
    if (this.#stage !== "pausing") return;
    this.#state.tx = undefined;
    this.#state.rx = undefined;
    this.#control.sendFirst(LlPauseEncRsp, {});
    this.#request();
  }

  #request(): void {
    this.#stage = "requesting";
    this.#skdCentral = randomBytes(this.#context.random, 8);
    this.#ivCentral = randomBytes(this.#context.random, 4);
    const { rand, ediv } = this.#key;
    this.#control.sendFirst(LlEncReq, { rand, ediv, skdCentral: this.#skdCentral, ivCentral: this.#ivCentral });
    this.#control.awaitResponse();
  }

  onEncRsp(skdPeripheral: Uint8Array, ivPeripheral: Uint8Array): void {
    if (this.#stage !== "requesting") return;
    this.#stage = "keyed";
    const { longTermKey } = this.#key;
    const skd = concat(this.#skdCentral, skdPeripheral);
    this.#cipher = new LinkCipher({ longTermKey, skd, iv: concat(this.#ivCentral, ivPeripheral), isCentral: true });
    this.#control.awaitResponse();
  }

  onStartReq(): void {
    if (this.#stage !== "keyed") return;
    this.#stage = "starting";
    this.#state.tx = this.#cipher;
    this.#state.rx = this.#cipher;
    this.#control.sendFirst(LlStartEncRsp, {});
    this.#control.awaitResponse();
  }

  onStarted(): void {
    if (this.#stage !== "starting") return; // with the former key, or none: it says nothing of this one
    this.#end();
    const { host, handle } = this.#context;
    if (this.#isRefresh) host.event(EncryptionKeyRefreshComplete, { status: 0, connectionHandle: handle });
    else host.event(EncryptionChange, { status: 0, connectionHandle: handle, encryptionEnabled: 1 });
    this.#control.finish(this);
  }

  onRejected(errorCode: number): void {
    const isPaused = this.#isRefresh && this.#stage !== "pausing";
    this.#end();
    const { host, handle } = this.#context;
    // A link that was encrypted must not go on in the clear.
    if (isPaused) this.#terminate(HciErrorCode.PinOrKeyMissing);
    else if (this.#isRefresh) host.event(EncryptionKeyRefreshComplete, { status: errorCode, connectionHandle: handle });
    else host.event(EncryptionChange, { status: errorCode, connectionHandle: handle, encryptionEnabled: 0 });
  }

  #end(): void {
    this.#stage = "idle";
    this.#state.holdsData = false;
    this.#control.release();
  }
}
