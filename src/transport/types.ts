import type { Clock } from "../async/index.ts";
import type { Logger, RandomSource } from "../core/index.ts";
import type { HciTransport } from "../hci/transport.ts";

/** What a transport may need; none of it is required. */
export interface TransportOptions {
  /** Moves the simulated air behind `sim:`. Real I/O takes real time whatever is given here. */
  clock?: Clock | undefined;
  logger?: Logger | undefined;
  random?: RandomSource | undefined;
  /** Gives up opening. */
  signal?: AbortSignal | undefined;
  /** `tcp-server:` listens on this port now. */
  onListening?: ((port: number) => void) | undefined;
}

/** Opens one kind of transport; `rest` is what follows the kind and its colon. */
export type OpenTransportKind = (rest: string, options: TransportOptions) => Promise<HciTransport>;

/** A virtual controller, as far as serving one goes. */
export interface AttachableController {
  /** Serves the controller to the host at the other end until that closes. */
  attach(transport: HciTransport): unknown;
}

export interface ControllerServer extends AsyncDisposable {
  /** What a host opens to get this controller, with the port actually in use. */
  readonly spec: string;
}

export interface ServeOptions {
  logger?: Logger | undefined;
}

export type ServeController = (controller: AttachableController, spec: string, options: ServeOptions) => Promise<ControllerServer>;
