import { companyName, uuidName } from "jelling/assigned";
import { toHex } from "jelling/bytes";
import { Uuid } from "jelling/core";
import type { Advertisement } from "jelling/gap";
import type { Context } from "../context.ts";
import { openSession } from "../session.ts";
import { printable } from "../text.ts";

interface Options {
  service: string[];
  name?: string;
  passive?: boolean;
  all?: boolean;
  interval?: number;
  window?: number;
  phy?: ("1M" | "coded")[];
  discoverable?: "limited" | "general";
}

/** How long to look around, unless `--timeout` says otherwise. */
const SCAN_MS = 10_000;
/** A scan response comes right after its advertisement; a device that has sent none in this time is listed without. */
const SCAN_RESPONSE_MS = 500;
/** Devices remembered, so that each is listed once; beyond, the oldest may be listed again. */
const MOST_DEVICES = 10_000;

/** Lists devices for 10 s, or `--timeout`, or until Ctrl-C. */
export async function scan(context: Context, options: Options): Promise<void> {
  const { terminal } = context;
  const services = options.service.map((text) => Uuid.from(text));
  const wanted = options.name?.toLowerCase();
  await using session = await openSession(context);
  const lister = new Lister(context);
  using deadline = context.deadline(SCAN_MS, "scanning");
  let reports = 0;
  terminal.status("scanning, Ctrl-C ends …");
  try {
    for await (const advertisement of session.device.scan({
      active: !options.passive,
      duplicates: options.all ? "report" : "filter",
      signal: deadline.signal,
      ...(services.length > 0 ? { services } : {}),
      ...(options.phy?.length ? { phys: options.phy } : {}),
      ...(options.discoverable === undefined ? {} : { discoverable: options.discoverable }),
      ...(options.interval === undefined ? {} : { intervalMs: options.interval }),
      ...(options.window === undefined ? {} : { windowMs: options.window }),
    })) {
      reports++;
      if (wanted !== undefined && !advertisement.name?.toLowerCase().includes(wanted)) continue;
      if (options.all) lister.list(advertisement);
      else lister.once(advertisement, !options.passive);
      terminal.status(`scanning: ${lister.devices} device${lister.devices === 1 ? "" : "s"}, ${reports} reports, Ctrl-C ends …`);
      await terminal.flush();
    }
  } catch (error) {
    if (!deadline.timedOut()) throw error;
  } finally {
    lister.end();
    terminal.status("");
  }
  terminal.note(`${lister.devices} device${lister.devices === 1 ? "" : "s"}`);
}

/** Prints devices, each once and with its scan response where one comes; again where its name comes late, or another one. */
export class Lister {
  readonly #context: Context;
  /** Names as they were printed, by device; `undefined` for one without. */
  readonly #seen = new Map<string, string | undefined>();
  readonly #waiting = new Map<string, { advertisement: Advertisement; timer: Disposable }>();

  constructor(context: Context) {
    this.#context = context;
  }

  get devices(): number {
    return this.#seen.size;
  }

  once(advertisement: Advertisement, active: boolean): void {
    const key = (advertisement.identity ?? advertisement.address).toString();
    const waiting = this.#waiting.get(key);
    if (this.#seen.has(key) && !waiting) {
      // What comes without a name says nothing of the one that was printed.
      if (advertisement.name === undefined || advertisement.name === this.#seen.get(key)) return;
      this.list(advertisement);
      return;
    }
    this.#remember(key, this.#seen.get(key));
    if (active && advertisement.scannable && advertisement.scanResponseData === undefined) {
      if (waiting) waiting.advertisement = advertisement;
      else
        this.#waiting.set(key, { advertisement, timer: this.#context.timer(SCAN_RESPONSE_MS, "scan response", () => this.#release(key)) });
      return;
    }
    if (waiting) waiting.timer[Symbol.dispose]();
    this.#waiting.delete(key);
    this.list(advertisement);
  }

  list(advertisement: Advertisement): void {
    this.#remember((advertisement.identity ?? advertisement.address).toString(), advertisement.name);
    this.#context.terminal.result(
      () => advertisementJson(advertisement),
      () => advertisementText(this.#context, advertisement),
    );
  }

  /** Prints what still waited for a scan response. */
  end(): void {
    for (const key of this.#waiting.keys()) this.#release(key);
  }

  #remember(key: string, name: string | undefined): void {
    this.#seen.set(key, name);
    if (this.#seen.size > MOST_DEVICES) this.#seen.delete(this.#seen.keys().next().value!);
  }

  #release(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    waiting.timer[Symbol.dispose]();
    this.#waiting.delete(key);
    this.list(waiting.advertisement);
  }
}

/** Octets of text as JSON has them. */
function advertisementJson(advertisement: Advertisement): Record<string, unknown> {
  const { address, identity, rssiDbm, name, txPowerDbm, appearance } = advertisement;
  return {
    address: address.toString(),
    ...(identity && !identity.equals(address) ? { identity: identity.toString() } : {}),
    ...(rssiDbm === undefined ? {} : { rssiDbm }),
    connectable: advertisement.connectable,
    ...(advertisement.isExtended ? extendedJson(advertisement) : {}),
    ...(name === undefined ? {} : { name }),
    services: advertisement.serviceUuids.map((uuid) => uuid.text),
    ...(txPowerDbm === undefined ? {} : { txPowerDbm }),
    ...(appearance === undefined ? {} : { appearance }),
    manufacturerData: advertisement.manufacturerData.map(({ companyIdentifier, data }) => ({ companyIdentifier, data: toHex(data) })),
    serviceData: advertisement.serviceData.map(({ uuid, data }) => ({ uuid: uuid.text, data: toHex(data) })),
    data: toHex(advertisement.advertisingData.bytes),
    ...(advertisement.scanResponseData ? { scanResponse: toHex(advertisement.scanResponseData.bytes) } : {}),
  };
}

/** What only extended advertising has. */
function extendedJson({ primaryPhy, secondaryPhy, sid, isAnonymous, isTruncated, directAddress, periodicIntervalMs }: Advertisement) {
  return {
    primaryPhy,
    ...(secondaryPhy === undefined ? {} : { secondaryPhy }),
    ...(sid === undefined ? {} : { sid }),
    ...(isAnonymous ? { anonymous: true } : {}),
    ...(isTruncated ? { truncated: true } : {}),
    ...(directAddress === undefined ? {} : { directAddress: directAddress.toString() }),
    ...(periodicIntervalMs === undefined ? {} : { periodicIntervalMs }),
  };
}

function extendedText({ primaryPhy, secondaryPhy, sid, isTruncated, periodicIntervalMs }: Advertisement): string {
  const phys = secondaryPhy === undefined || secondaryPhy === primaryPhy ? primaryPhy : `${primaryPhy}/${secondaryPhy}`;
  const set = sid === undefined ? "" : ` set ${sid}`;
  const periodic = periodicIntervalMs === undefined ? "" : ` periodic ${periodicIntervalMs} ms`;
  return `extended ${phys}${set}${periodic}${isTruncated ? " truncated" : ""}`;
}

/** Signal, address, name, then services and what else there is; cut where the terminal ends. */
function advertisementText({ terminal: { paint, columns } }: Context, advertisement: Advertisement): string {
  const { address, identity, rssiDbm, name } = advertisement;
  const rssi = rssiDbm === undefined ? "   ?" : String(rssiDbm).padStart(4);
  const who = (advertisement.isAnonymous ? "anonymous" : address.toString()).padEnd(24);
  const shown = printable(name ?? "").slice(0, 29);
  const head = `${rssi} dBm  ${who}  ${shown.padEnd(16)}`;
  const details = [
    ...(identity && !identity.equals(address) ? [`is ${identity}`] : []),
    ...advertisement.serviceUuids.map((uuid) => uuidName(uuid) ?? uuid.text),
    ...advertisement.manufacturerData.map(
      ({ companyIdentifier, data }) =>
        `${companyName(companyIdentifier) ?? `company 0x${companyIdentifier.toString(16).padStart(4, "0")}`}: ${toHex(data)}`,
    ),
    ...advertisement.serviceData.map(({ uuid, data }) => `${uuidName(uuid) ?? uuid.text}: ${toHex(data)}`),
    ...(advertisement.isExtended ? [extendedText(advertisement)] : []),
    ...(advertisement.connectable ? [] : ["not connectable"]),
  ].join(", ");
  const room = columns - head.length - 2;
  const cut = details.length > room ? `${details.slice(0, Math.max(0, room - 1))}…` : details;
  const painted = `${paint("dim", `${rssi} dBm`)}  ${who}  ${paint("bold", shown)}${" ".repeat(Math.max(0, 16 - shown.length))}`;
  return `${painted}${cut ? `  ${cut}` : ""}`.trimEnd();
}
