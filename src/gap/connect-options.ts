import type { OperationOptions } from "../async/pending.ts";
import { checkChoice, checkFunction, checkMilliseconds, checkOperation, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError, UnsupportedError } from "../core/error.ts";
import { type ConnectionParameterOptions, commandParameters, connectionParameters } from "./connection-parameters.ts";
import { OWN_ADDRESS_KINDS, type OwnAddressKind } from "./own-addresses.ts";
import type { PeriodicAdvertising } from "./periodic/periodic-advertising.ts";
import { LEGACY_ABILITIES, type RadioAbilities } from "./radio-abilities.ts";

/** Physical layers that a link may begin on. LE 2M is not listened on: a peer that advertises there begins on another one. */
export type InitiatingPhy = "1M" | "2M" | "coded";
const INITIATING_PHYS: readonly InitiatingPhy[] = ["1M", "2M", "coded"];

export interface ListeningOptions {
  /** How to listen for the peer; 60 and 30 ms by default. */
  readonly scanIntervalMs?: number | undefined;
  readonly scanWindowMs?: number | undefined;
}

/** For one PHY; what is left out is as for all. */
export interface InitiatingPhyOptions extends ConnectionParameterOptions, ListeningOptions {}

export interface ConnectOptions extends OperationOptions, ConnectionParameterOptions, ListeningOptions {
  /** Own address to connect with; by default the identity. */
  readonly ownAddress?: OwnAddressKind | undefined;
  /**
   * Where to listen for the peer, and what the link may begin on; "1M" by default. A PHY that the controller does not have is left out. As an
   * object each PHY may have its own parameters: `{ "1M": {}, coded: { intervalMs: 100 } }`.
   */
  readonly phys?: readonly InitiatingPhy[] | { readonly [K in InitiatingPhy]?: InitiatingPhyOptions | undefined } | undefined;
  /**
   * Asks a device that follows own periodic advertising with responses, in the subevent that it listens to, by the address that it has now; nothing is
   * listened for. Once in each try: one that does not hear it is asked again until the time is over.
   */
  readonly through?: { readonly periodic: PeriodicAdvertising; readonly subevent: number } | undefined;
  /** Called when the controller has taken the request and listens for the peer; again at every further try. */
  readonly onInitiating?: (() => void) | undefined;
}

export const CONNECT_OPTIONS = optionNames<ConnectOptions>({
  signal: true,
  timeoutMs: true,
  intervalMs: true,
  latency: true,
  supervisionTimeoutMs: true,
  ownAddress: true,
  scanIntervalMs: true,
  scanWindowMs: true,
  phys: true,
  through: true,
  onInitiating: true,
});
const THROUGH_OPTIONS = optionNames<NonNullable<ConnectOptions["through"]>>({ periodic: true, subevent: true });
const PHY_OPTIONS = optionNames<InitiatingPhyOptions>({
  intervalMs: true,
  latency: true,
  supervisionTimeoutMs: true,
  scanIntervalMs: true,
  scanWindowMs: true,
});

/** Longest interval of legacy initiating, and of extended one. */
const LONGEST_LEGACY_MS = 10_240;
const LONGEST_EXTENDED_MS = 0xffff * 0.625;

/** How to listen on a PHY, and the link that begins there, in the units of the commands. */
export interface InitiatingParameters {
  readonly phy: InitiatingPhy;
  readonly scanInterval: number; // units of 0.625 ms
  readonly scanWindow: number; // units of 0.625 ms
  readonly connectionIntervalMin: number; // units of 1.25 ms
  readonly connectionIntervalMax: number; // units of 1.25 ms
  readonly maxLatency: number;
  readonly supervisionTimeout: number; // units of 10 ms
}

/**
 * Kinds, names and ranges; the commands' own parameters in their units, for each PHY that is asked for and that the controller has.
 *
 * @throws {ArgumentError}
 * @throws {UnsupportedError} the controller has none of the PHYs
 */
export function checkConnectOptions(
  options: ConnectOptions,
  abilities: RadioAbilities = LEGACY_ABILITIES,
): readonly InitiatingParameters[] {
  checkOperation("connect", options, CONNECT_OPTIONS);
  checkFunction("connect: onInitiating", options.onInitiating);
  if (options.ownAddress !== undefined) checkChoice("connect: ownAddress", options.ownAddress, OWN_ADDRESS_KINDS);
  if (options.through !== undefined) checkThrough(options.through, abilities);
  const parameters: InitiatingParameters[] = [];
  const all: InitiatingParameters[] = [];
  for (const [phy, own] of physOf(options.phys)) {
    const each = initiatingParameters(phy, { ...given(options), ...given(own) }, abilities);
    all.push(each);
    if (phy === "1M" || (abilities.isExtended && (phy === "2M" ? abilities.has2m : abilities.hasCoded))) parameters.push(each);
  }
  if (!all.some(({ phy }) => phy !== "2M"))
    throw new ArgumentError("connect: phys: nobody is heard on 2M alone: expected 1M or coded beside it");
  if (!parameters.some(({ phy }) => phy !== "2M")) throw new UnsupportedError("connect: the controller cannot listen on LE Coded");
  return parameters;
}

function checkThrough(through: NonNullable<ConnectOptions["through"]>, abilities: RadioAbilities): void {
  checkOptions("connect: through", through ?? null, THROUGH_OPTIONS);
  if (typeof (through.periodic as Partial<PeriodicAdvertising> | undefined)?.requestPlace !== "function")
    throw new ArgumentError(`connect: through: periodic: expected periodic advertising of this device, got ${kindOf(through.periodic)}`);
  if (!abilities.isExtended) throw new UnsupportedError("connect: through: the controller has no periodic advertising");
  through.periodic.requestPlace(through.subevent);
}

/** The parameters that were given. */
function given(options: InitiatingPhyOptions): InitiatingPhyOptions {
  const names = [...PHY_OPTIONS] as (keyof InitiatingPhyOptions)[];
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

/** Which PHYs, and what is said of each; in the order of HCI. @throws {ArgumentError} */
function physOf(phys: ConnectOptions["phys"] | null): [InitiatingPhy, InitiatingPhyOptions][] {
  if (phys === undefined) return [["1M", {}]];
  if (typeof phys !== "object" || phys === null)
    throw new ArgumentError(`connect: phys: expected an array or an object, got ${kindOf(phys)}`);
  const named: Record<string, InitiatingPhyOptions | undefined> = Array.isArray(phys)
    ? Object.fromEntries((phys as InitiatingPhy[]).map((phy) => [String(phy), {}]))
    : (phys as Record<string, InitiatingPhyOptions | undefined>);
  for (const [name, options] of Object.entries(named)) {
    checkChoice("connect: phys", name, INITIATING_PHYS);
    if (options !== undefined) checkOptions(`connect: phys: ${name}`, options, PHY_OPTIONS);
  }
  const list = INITIATING_PHYS.flatMap((phy): [InitiatingPhy, InitiatingPhyOptions][] => (named[phy] ? [[phy, named[phy]]] : []));
  if (list.length === 0) throw new ArgumentError("connect: phys: expected at least one of 1M, coded");
  return list;
}

function initiatingParameters(phy: InitiatingPhy, options: InitiatingPhyOptions, abilities: RadioAbilities): InitiatingParameters {
  const longestMs = abilities.isExtended ? LONGEST_EXTENDED_MS : LONGEST_LEGACY_MS;
  const { scanIntervalMs = 60 } = options;
  checkMilliseconds("connect: scan interval", scanIntervalMs, 2.5, longestMs);
  const { scanWindowMs = Math.min(30, scanIntervalMs) } = options;
  checkMilliseconds("connect: scan window", scanWindowMs, 2.5, longestMs);
  if (scanWindowMs > scanIntervalMs)
    throw new ArgumentError(`connect: scan window ${scanWindowMs} ms: expected at most the interval of ${scanIntervalMs} ms`);
  return {
    phy,
    scanInterval: Math.round(scanIntervalMs / 0.625),
    scanWindow: Math.round(scanWindowMs / 0.625),
    ...commandParameters(connectionParameters(options)),
  };
}
