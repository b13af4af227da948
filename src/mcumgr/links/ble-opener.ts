import { Deadline } from "../../async/deadline.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { Address } from "../../core/address.ts";
import { checkChoice, checkOperation, checkText, optionNames } from "../../core/arguments.ts";
import { ArgumentError, ClosedError, TimeoutError } from "../../core/error.ts";
import type { Connection, Device, DeviceConnectOptions } from "../../device/index.ts";
import type { Advertisement } from "../../gap/index.ts";
import { HciError } from "../../hci/index.ts";
import { MCUMGR_SERVICE } from "./ble.ts";
import { type ConnectionLinkOptions, DEFAULT_OPEN_TIMEOUT_MS, openOn } from "./device.ts";
import type { McumgrLink, OpenMcumgrLink } from "./link.ts";

/** How long an address that was given without its kind is taken for a public one before it is looked for as either. */
const PUBLIC_FIRST_MS = 3000;
/** Two whole packets of the radio: their 251 octets twice, less the header of L2CAP. */
const WANTED_MTU = 498;
/** Quick both ways, and with next to no time left over behind the last pair of long packets on LE 2M, of which eight fit. */
const WANTED_INTERVAL_MS = 11.25;
export interface BleLinkOpenOptions extends OperationOptions {
  readonly phy?: ConnectionLinkOptions["phy"];
  readonly pair?: ConnectionLinkOptions["pair"];
  /** How to connect: by default an interval of 11.25 ms, and the MTU that fills the radio's packets. */
  readonly connect?: Omit<DeviceConnectOptions, "signal" | "timeoutMs"> | undefined;
}

/** By name, by address, or whatever advertises the service. */
export type BleTarget = string | Address | { readonly name: string } | { readonly address: Address | string } | undefined;

const OPEN = optionNames<BleLinkOpenOptions>({ signal: true, timeoutMs: true, phy: true, pair: true, connect: true });
const ADDRESS_TEXT = /^([0-9a-f]{2}:){5}[0-9a-f]{2}(\/(p|public|r|random))?$/i;

/**
 * Finds the device, connects and opens its mcumgr server. Where the address is known nothing is scanned for; a name may be anywhere in what a
 * device advertises, and the service need not be. A link that is there already is used, and left.
 *
 * @param target a name; an address like "C0:11:22:33:44:55/random", public without a suffix, and looked for as either kind where no public one
 * answers; nothing: whoever advertises the service
 * @throws as `Device.connect` and `openConnectionLink`; {TimeoutError} not found or not ready in `timeoutMs`, 30 s by default
 */
export async function openBleLink(device: Device, target?: BleTarget, options: BleLinkOpenOptions = {}): Promise<McumgrLink> {
  return await createBleOpener(device, target, options)();
}

/**
 * The same each time it is called, for a client that connects again: the device that was found once is connected by its identity from then
 * on; where that does not answer, the next call looks for it anew. `signal` and `timeoutMs` of a call take the place of those here.
 *
 * @throws {ArgumentError}
 */
export function createBleOpener(device: Device, target?: BleTarget, options: BleLinkOpenOptions = {}): OpenMcumgrLink {
  checkOperation("openBleLink", options, OPEN);
  checkChoice("openBleLink: phy", options.phy ?? "2M", ["2M", "keep"]);
  checkChoice("openBleLink: pair", options.pair ?? "when-demanded", ["when-demanded", "never"]);
  const opener = new BleOpener(device, wantedOf(target), options);
  return (given) => opener.open(given ?? {});
}

interface Wanted {
  readonly name?: string;
  readonly address?: Address;
  /** Without it an address may be of the other kind. */
  readonly isSure?: boolean;
}

function wantedOf(target: BleTarget): Wanted {
  if (target === undefined) return {};
  if (typeof target === "object" && target !== null && "name" in target) return { name: named(target.name) };
  const text = typeof target === "object" && target !== null && "address" in target ? target.address : target; // an Address among them
  if (text instanceof Address) return { address: text, isSure: true };
  if (typeof text !== "string")
    throw new ArgumentError("openBleLink: target: expected a name, an address, { name }, { address } or nothing");
  if (typeof target === "object" || ADDRESS_TEXT.test(text)) return { address: Address.from(text), isSure: text.includes("/") };
  return { name: named(text) };
}

function named(name: unknown): string {
  if (checkText("openBleLink: name", name) === "") throw new ArgumentError("openBleLink: name: expected some text");
  return name as string;
}

class BleOpener {
  readonly #device: Device;
  readonly #wanted: Wanted;
  readonly #options: BleLinkOpenOptions;
  /** Who it was. */
  #known: Address | undefined;
  /** A link of ours that is being taken down: the peer cannot be connected to before. */
  #leaving: Connection | undefined;

  constructor(device: Device, wanted: Wanted, options: BleLinkOpenOptions) {
    this.#device = device;
    this.#wanted = wanted;
    this.#options = options;
    this.#known = wanted.isSure ? wanted.address : undefined;
  }

  async open(given: OperationOptions): Promise<McumgrLink> {
    checkOperation("openBleLink", given);
    const { timeoutMs = DEFAULT_OPEN_TIMEOUT_MS, signal } = { ...this.#options, ...given };
    signal?.throwIfAborted();
    const { name, address } = this.#wanted;
    const what = name === undefined ? (address?.toString() ?? "a device with an mcumgr server") : `"${name}"`;
    using deadline = new Deadline({ clock: this.#device.clock, operation: `opening the mcumgr link to ${what}`, signal, timeoutMs });
    if (this.#leaving && !this.#leaving.ended) await this.#untilGone(this.#leaving, deadline.signal);
    const { connection, isOurs } = await this.#connect(deadline.signal);
    this.#leaving = isOurs ? connection : undefined;
    const { phy = "2M", pair = "when-demanded" } = this.#options;
    const target = name === undefined ? `${connection.peerIdentity}` : `${name} (${connection.peerIdentity})`;
    try {
      return await openOn(connection, target, { phy, pair, ownsConnection: isOurs, signal: deadline.signal });
    } catch (error) {
      if (isOurs) connection.disconnect().catch(() => undefined); // behind the caller's back
      throw error;
    }
  }

  async #untilGone(connection: Connection, signal: AbortSignal): Promise<void> {
    connection.disconnect().catch(() => undefined); // unless that is under way
    const gone = new Pending<void>({ clock: this.#device.clock, operation: "disconnecting", signal });
    void connection.closed.then(() => gone.resolve());
    await gone.promise;
  }

  async #connect(signal: AbortSignal): Promise<{ connection: Connection; isOurs: boolean }> {
    const known = this.#known;
    if (!known) return await this.#find(signal);
    try {
      return await this.#connectTo(known, { signal });
    } catch (error) {
      // It may have another address now, and answers to the same name.
      if (!this.#wanted.isSure) this.#known = undefined;
      throw error;
    }
  }

  async #find(signal: AbortSignal): Promise<{ connection: Connection; isOurs: boolean }> {
    const { address } = this.#wanted;
    if (address) {
      try {
        return await this.#connectTo(address, { signal, timeoutMs: PUBLIC_FIRST_MS });
      } catch (error) {
        if (signal.aborted || !(error instanceof TimeoutError || error instanceof HciError)) throw error;
      }
    }
    const found = await this.#scan(signal);
    return await this.#connectTo(found.identity ?? found.address, { signal });
  }

  async #scan(signal: AbortSignal): Promise<Advertisement> {
    const { name, address } = this.#wanted;
    const isIt = (advertisement: Advertisement): boolean =>
      (advertisement.connectable || advertisement.isScanResponse) &&
      (!address || advertisement.address.toHex() === address.toHex() || advertisement.identity?.toHex() === address.toHex());
    const services = name === undefined && !address ? [MCUMGR_SERVICE] : undefined;
    for await (const advertisement of this.#device.scan({ signal, windowMs: 60, name, services, filter: isIt })) return advertisement;
    throw this.#device.ended ?? new ClosedError("scanning has ended");
  }

  async #connectTo(
    peer: Address,
    options: { signal: AbortSignal; timeoutMs?: number },
  ): Promise<{ connection: Connection; isOurs: boolean }> {
    const there = this.#device.links.find((link) => link.peerAddress.equals(peer) || link.peerIdentity.equals(peer));
    if (there) return { connection: there, isOurs: false };
    const { policy, ...connect } = this.#options.connect ?? {};
    const connection = await this.#device.connect(peer, {
      intervalMs: WANTED_INTERVAL_MS,
      ...connect,
      policy: { ...policy, att: { mtu: WANTED_MTU, ...policy?.att } },
      timeoutMs: Number.POSITIVE_INFINITY,
      ...options,
    });
    // A private address that nobody resolves is another one after a reset.
    this.#known = connection.peerIdentity.isIdentity ? connection.peerIdentity : undefined;
    if (this.#wanted.isSure) this.#known = this.#wanted.address;
    return { connection, isOurs: true };
  }
}
