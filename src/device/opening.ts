import { type Clock, SystemClock } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import type { BleError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { type RandomSource, systemRandom } from "../core/random.ts";
import {
  BondBook,
  isRefusal,
  MemoryBondStore,
  OwnAddresses,
  privatePeers,
  type RadioAbilities,
  ResolvingList,
  readRadioAbilities,
} from "../gap/index.ts";
import { Hci, type HciRecovered, type HciRecovery, type HciTransport } from "../hci/index.ts";
import { checkTransport } from "../hci/transport.ts";
import { Calls } from "./calls.ts";
import { CapturedTransport } from "./capture.ts";
import type { DeviceOptions, OpenController } from "./options.ts";
import { type ConnectionPolicy, mergePolicies } from "./policy.ts";

/** How long a controller that was opened in vain may take to close, in milliseconds. */
const RELEASE_MS = 5000;

/** Everything below the facade. */
export interface Stack {
  readonly hci: Hci;
  readonly bonds: BondBook;
  readonly own: OwnAddresses;
  readonly abilities: RadioAbilities;
  /** Where the controller has one, and it is to be used; it holds the bonds that are there. */
  readonly resolvingList: ResolvingList | undefined;
  readonly logger: Logger;
  readonly policy: ConnectionPolicy;
  readonly random: RandomSource;
  readonly options: DeviceOptions;
  /** Set by the device, which tells its program. */
  readonly recoveries: Recoveries;
  /** Where there is a capture. */
  readonly calls: Calls | undefined;
}

export interface Recoveries {
  onRecovering: ((reason: BleError) => void) | undefined;
  onRecovered: ((how: HciRecovered) => void) | undefined;
}

/** See Device.open. A transport that was given, or is opened too late, is closed when this fails; not by an option that is refused. */
export async function openStack(controller: HciTransport | OpenController, options: DeviceOptions): Promise<Stack> {
  const { clock = new SystemClock(), random = systemRandom, logger = Logger.silent, signal, commandTimeoutMs } = options;
  const policy = mergePolicies({ ...options.policy, att: options.att, pairing: options.pairing, agent: options.agent });
  signal?.throwIfAborted();
  let transport = typeof controller === "function" ? undefined : controller;
  let bonds: BondBook;
  try {
    // Neither a store nor somebody's function need know of the signal.
    const reading = BondBook.open(options.bonds ?? new MemoryBondStore(), { maxBonds: options.maxBonds });
    bonds = await ownTerms(clock, "reading the bonds", reading, { signal });
    if (typeof controller === "function") {
      const opening = (async () => await controller({ clock, logger, random, signal }))();
      transport = await ownTerms(clock, "opening the controller", opening, { signal }).catch((error: unknown) => {
        void opening.then((late) => letGo(late, clock, logger)).catch(() => undefined); // it was not opened after all
        throw error;
      });
    }
    checkTransport("Device.open", transport);
  } catch (error) {
    if (transport) await letGo(transport, clock, logger);
    throw error;
  }
  const calls = options.capture && new Calls();
  using _ = calls?.begin("Device.open");
  const captured = (opened: HciTransport): HciTransport =>
    options.capture ? new CapturedTransport(opened, options.capture, clock, calls) : opened;
  const recoveries: Recoveries = { onRecovering: undefined, onRecovered: undefined };
  const open = typeof controller === "function" ? async () => await controller({ clock, logger, random, signal: undefined }) : undefined;
  const recovery = recoveryOf(options.recovery, open, captured, recoveries);
  const hci = await Hci.open(captured(transport!), {
    clock,
    logger,
    signal,
    recovery,
    ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }),
  });
  try {
    const own = new OwnAddresses({
      clock,
      random,
      publicAddress: hci.controller.address,
      identity: options.address,
      staticAddress: options.staticAddress,
      irk: options.irk,
      privateAddressIntervalMs: options.privateAddressIntervalMs,
      nonResolvableAddress: options.nonResolvableAddress,
    });
    const abilities = await readRadioAbilities(hci);
    const resolvingList = await openResolvingList({ hci, own, bonds, abilities, addressResolution: options.addressResolution });
    signal?.throwIfAborted();
    return { hci, bonds, own, abilities, resolvingList, logger, policy, random, options, recoveries, calls };
  } catch (error) {
    await letGo(hci, clock, logger);
    throw error;
  }
}

/** The controller's resolving list, with the bonds that are there. Nothing is on yet that it would have to wait for. */
async function openResolvingList({
  hci,
  own,
  bonds,
  abilities,
  addressResolution = "controller",
}: Pick<Stack, "hci" | "own" | "bonds" | "abilities"> & Pick<DeviceOptions, "addressResolution">): Promise<ResolvingList | undefined> {
  if (addressResolution === "host" || abilities.resolvingListSize === 0) return undefined;
  const { irk, privateAddressIntervalMs } = own;
  const list = new ResolvingList({ port: hci, abilities, irk, privateAddressIntervalMs });
  list.want(privatePeers(bonds.list()));
  if (!list.isStale) return list;
  try {
    await list.apply();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    list.giveUp();
  }
  return list;
}

/** What opens a controller opens it again, unless the program has another way. */
function recoveryOf(
  wanted: DeviceOptions["recovery"],
  open: (() => Promise<HciTransport>) | undefined,
  captured: (opened: HciTransport) => HciTransport,
  recoveries: Recoveries,
): HciRecovery | undefined {
  if (wanted === undefined || wanted === false) return undefined;
  const { reopen = open, ...terms } = wanted === true ? {} : wanted;
  return {
    ...terms,
    reopen: reopen && (async () => captured(await reopen())),
    onRecovering: (reason) => recoveries.onRecovering?.(reason),
    onRecovered: (how) => recoveries.onRecovered?.(how),
  };
}

/** Closes what was opened in vain. That it hangs, or cannot be closed, does not hide why. */
async function letGo(opened: AsyncDisposable, clock: Clock, logger: Logger): Promise<void> {
  const closing = (async () => await opened[Symbol.asyncDispose]())();
  await ownTerms(clock, "closing", closing, { timeoutMs: RELEASE_MS }).catch((error: unknown) =>
    logger.warn(() => `the controller could not be closed: ${String(error)}`),
  );
}
