import { SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { Semaphore } from "../../async/semaphore.ts";
import { checkOperation, kindOf } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Logger } from "../../core/logger.ts";
import type { McumgrLink, OpenMcumgrLink } from "../links/link.ts";
import { readAnswer } from "../protocol/answer.ts";
import type { CborMap } from "../protocol/cbor.ts";
import type { AnyMcumgrGroup, McumgrMethods } from "../protocol/declare.ts";
import { codeProblem, errorOf, McumgrError, McumgrResponseError } from "../protocol/error.ts";
import { McumgrGroups } from "../protocol/groups/index.ts";
import { OsGroup } from "../protocol/groups/os.ts";
import { type McumgrHeader, McumgrVersion } from "../protocol/header.ts";
import { downloadFile, type FileDownloadOptions, type FileDownloadResult } from "../transfer/file-download.ts";
import { type FileTransferResult, type FileUploadOptions, uploadFile } from "../transfer/file-upload.ts";
import { type McumgrLimits, requestOf } from "../transfer/host.ts";
import { type ImageUploadOptions, type ImageUploadResult, uploadImage, uploadIntercreate } from "../transfer/image-upload.ts";
import type { McumgrClientEvents } from "./events.ts";
import { hasImage } from "./has-image.ts";
import { methodsOf } from "./methods.ts";
import {
  checkFileDownload,
  checkFileUpload,
  checkImageUpload,
  checkOpen,
  checkReset,
  type McumgrClientOptions,
  type ResetOptions,
} from "./options.ts";
import { McumgrSession } from "./session.ts";

/** A request of numbers, for what is not declared. */
export interface RawMcumgrRequest {
  /** See McumgrOp: 0 reads, 2 writes. */
  readonly op: number;
  readonly group: number;
  readonly command: number;
  /** The client's by default; a version that is given is not changed. */
  readonly version?: number | undefined;
  /** An empty map by default. Octets are sent as they are, and so is their answer given: applications need not speak CBOR. */
  readonly payload?: CborMap | Uint8Array | undefined;
}

export interface RawMcumgrAnswer {
  readonly header: McumgrHeader;
  /** Undefined where the request's payload was octets. */
  readonly payload: CborMap | undefined;
  /** The payload as it came. */
  readonly octets: Uint8Array;
}

type BuiltIn = { readonly [K in keyof typeof McumgrGroups]: McumgrMethods<(typeof McumgrGroups)[K]> };

/**
 * Manages a device over any link: the commands of every group as methods, transfers that keep the link full and go on after it was lost, and
 * requests of numbers. Several callers may use it at once; no more requests are outstanding than the server has buffers for.
 */
export class McumgrClient implements AsyncDisposable {
  readonly #session: McumgrSession;
  readonly #groups: BuiltIn;
  readonly #declared = new WeakMap<AnyMcumgrGroup, unknown>();
  /** A server keeps one upload of an image, and one open file. */
  readonly #imageTurn: Semaphore;
  readonly #fileTurn: Semaphore;

  /**
   * Opens a link and asks the server how much it takes. A server that answers nothing is no error here: the first request shows it, and until
   * then it is sent no more than any server takes. A link that is lost meanwhile is made again.
   *
   * @param openLink is asked again when the link was lost
   * @throws {ArgumentError} · what `openLink` throws at first · the link's reason, when it was lost three times · `signal.reason`
   */
  static async open(openLink: OpenMcumgrLink, options: McumgrClientOptions = {}): Promise<McumgrClient> {
    checkOpen(openLink, options);
    const { clock = new SystemClock(), logger = Logger.silent, version = McumgrVersion.Second, timeoutMs = 2500 } = options;
    const { window, messageLimit, signal } = options;
    const session = new McumgrSession(openLink, { clock, logger, version, timeoutMs, window, messageLimit });
    try {
      await session.connect({ signal });
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return new McumgrClient(session);
  }

  private constructor(session: McumgrSession) {
    this.#session = session;
    this.#groups = Object.fromEntries(
      Object.entries(McumgrGroups).map(([name, group]) => [name, methodsOf<AnyMcumgrGroup>(session, group)]),
    ) as unknown as BuiltIn;
    this.#imageTurn = new Semaphore(session.clock);
    this.#fileTurn = new Semaphore(session.clock);
  }

  get os(): BuiltIn["os"] {
    return this.#groups.os;
  }
  get image(): BuiltIn["image"] {
    return this.#groups.image;
  }
  get statistics(): BuiltIn["statistics"] {
    return this.#groups.statistics;
  }
  get settings(): BuiltIn["settings"] {
    return this.#groups.settings;
  }
  get log(): BuiltIn["log"] {
    return this.#groups.log;
  }
  get crash(): BuiltIn["crash"] {
    return this.#groups.crash;
  }
  get split(): BuiltIn["split"] {
    return this.#groups.split;
  }
  get run(): BuiltIn["run"] {
    return this.#groups.run;
  }
  get files(): BuiltIn["files"] {
    return this.#groups.files;
  }
  get shell(): BuiltIn["shell"] {
    return this.#groups.shell;
  }
  get enumeration(): BuiltIn["enumeration"] {
    return this.#groups.enumeration;
  }
  get transports(): BuiltIn["transports"] {
    return this.#groups.transports;
  }
  get zephyr(): BuiltIn["zephyr"] {
    return this.#groups.zephyr;
  }
  get intercreate(): BuiltIn["intercreate"] {
    return this.#groups.intercreate;
  }

  /** The commands of a declared group as methods. @throws {ArgumentError} */
  group<G extends AnyMcumgrGroup>(group: G): McumgrMethods<G> {
    if (typeof group?.commands !== "object" || group.commands === null)
      throw new ArgumentError(`group: expected a declared group, got ${kindOf(group)}`);
    let methods = this.#declared.get(group) as McumgrMethods<G> | undefined;
    if (methods === undefined) {
      methods = methodsOf(this.#session, group);
      this.#declared.set(group, methods);
    }
    return methods;
  }

  /** Where the client is connected to; undefined while the link is lost. */
  get info(): McumgrLink["info"] | undefined {
    return this.#session.info;
  }
  get isConnected(): boolean {
    return this.#session.isConnected;
  }
  /** Version of the protocol that is spoken now, see McumgrVersion. */
  get version(): number {
    return this.#session.version;
  }
  /** How much the server takes, as far as it is known. */
  get limits(): McumgrLimits {
    return this.#session.known;
  }

  /** Calls `listener` at every `name`; dispose the result to stop. */
  on<K extends keyof McumgrClientEvents>(name: K, listener: (value: McumgrClientEvents[K]) => void): Disposable {
    return this.#session.events.on(name, listener);
  }

  /**
   * Sends a request of numbers.
   *
   * @throws {McumgrError} the answer is an error, where the request was a map · {McumgrResponseError} · {TimeoutError} · {MessageTooLongError} ·
   * the link's reason · `signal.reason`
   */
  async request(request: RawMcumgrRequest, options: OperationOptions = {}): Promise<RawMcumgrAnswer> {
    checkOperation("request", options);
    if (typeof request !== "object" || request === null)
      throw new ArgumentError(`request: expected an object with op, group and command, got ${kindOf(request)}`);
    const { op, group, command, version = this.version, payload = {} } = request;
    const title = `group ${group} command ${command}`;
    const asked = { signal: options.signal, timeoutMs: options.timeoutMs ?? this.#session.timeoutMs };
    const answer = await this.#session.exchange({ op, group, command, version }, payload, title, asked);
    const octets = answer.octets.subarray(8);
    if (payload instanceof Uint8Array) return { header: answer.header, payload: undefined, octets };
    const decoded = this.#session.read(answer, title);
    const failure = errorOf(decoded);
    if (failure) throw new McumgrError({ command: title, failure, payload: decoded, names: this.#session.names, askedGroup: group });
    const wrong = codeProblem(decoded);
    if (wrong) throw new McumgrResponseError({ command: title, ...wrong, payload: decoded });
    return { header: answer.header, payload: decoded, octets };
  }

  /**
   * Uploads an image. It goes on where an earlier upload of the same image ended, and makes the link again where it is lost on the way. Uploads
   * of one client take turns.
   *
   * @throws {McumgrError} the server refuses · {ImageMismatchError} · {UploadStalledError} nothing gets further · {McumgrResponseError} the
   * server contradicts itself · {MessageTooLongError} · {TimeoutError} · `signal.reason`: the upload can be resumed
   */
  async uploadImage(image: Uint8Array, options: ImageUploadOptions = {}): Promise<ImageUploadResult> {
    checkImageUpload("uploadImage", image, options);
    return this.#inTurn("image.upload", this.#imageTurn, options, (signal) =>
      uploadImage(this.#session, image, { ...options, signal }, hasImage(this.#session, image)),
    );
  }

  /** Uploads an image for another chip behind the server, as servers of Intercreate take it (group 64). @throws as `uploadImage` */
  async uploadIntercreate(image: Uint8Array, options: Omit<ImageUploadOptions, "upgrade"> = {}): Promise<ImageUploadResult> {
    checkImageUpload("uploadIntercreate", image, options);
    return this.#inTurn("intercreate.upload", this.#imageTurn, options, (signal) =>
      uploadIntercreate(this.#session, image, { ...options, signal }),
    );
  }

  /**
   * Writes a file. It goes on where an earlier upload of the same content ended, and makes the link again where it is lost.
   *
   * @throws as `uploadImage`
   */
  async uploadFile(name: string, data: Uint8Array, options: FileUploadOptions = {}): Promise<FileTransferResult> {
    checkFileUpload(name, data, options);
    return this.#inTurn("files.upload", this.#fileTurn, options, (signal) => uploadFile(this.#session, name, data, { ...options, signal }));
  }

  /** Reads a file. @throws as `uploadImage` */
  async downloadFile(name: string, options: FileDownloadOptions = {}): Promise<FileDownloadResult> {
    checkFileDownload(name, options);
    return this.#inTurn("files.download", this.#fileTurn, options, (signal) => downloadFile(this.#session, name, { ...options, signal }));
  }

  async #inTurn<T>(
    operation: string,
    turn: Semaphore,
    options: OperationOptions & { readonly window?: number | undefined },
    act: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    options.signal?.throwIfAborted();
    const { signal, timeoutMs, window } = options;
    using deadline = new Deadline({ clock: this.#session.clock, operation, signal, timeoutMs });
    using _ = await turn.acquire({ signal: deadline.signal });
    using __ = this.#session.widen(window);
    return await act(deadline.signal);
  }

  /**
   * Resets the server, and waits until it answers again. A link that ends in place of the answer counts as the reset; over one that was gone
   * before nothing was sent.
   *
   * @throws {McumgrError} the application refuses (Busy); `force` may overrule it · the reason of a link that was gone · {TimeoutError} · `signal.reason`
   */
  async reset(options: ResetOptions = {}): Promise<void> {
    checkReset(options);
    const { force, bootMode, reconnect = true, signal, timeoutMs } = options;
    const session = this.#session;
    using deadline = new Deadline({ clock: session.clock, operation: "os.reset", signal, timeoutMs: timeoutMs ?? 60_000 });
    let isSent = false;
    let isOver = false;
    try {
      const command = OsGroup.commands.reset;
      const request = requestOf(OsGroup, command, command.encodeRequest({ force, bootMode }));
      const onSent = () => {
        isSent = true;
      };
      const answer = await session.ask(request, { signal: deadline.signal, timeoutMs: session.timeoutMs, onSent });
      readAnswer(OsGroup, command, answer, session.names);
    } catch (error) {
      // A request that waited for its turn is lost with the link, and the server has not heard of it.
      if (!isSent || deadline.signal.aborted || session.isClosed || !session.isLost(error)) throw error;
      isOver = session.isConnected; // another caller has made a new link already
    }
    if (!isOver) session.expectReset();
    if (reconnect) await session.reconnect({ signal: deadline.signal, timeoutMs: Number.POSITIVE_INFINITY });
  }

  /**
   * Makes the link again where it is gone, and waits until the server answers; after a reset, until that has happened.
   *
   * @param options.timeoutMs 60 s by default
   * @throws {TimeoutError} whose `cause` is what the last attempt came to · `signal.reason`
   */
  async reconnect(options: OperationOptions = {}): Promise<void> {
    checkOperation("reconnect", options);
    await this.#session.reconnect(options);
  }

  /** Closes the link; what waits rejects with a ClosedError. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
