import { onAbort } from "jelling/async";
import { fromHex } from "jelling/bytes";
import { Uuid } from "jelling/core";
import { advertise as startAdvertising } from "jelling/mgmt";
import { CommandError, UsageError } from "../../errors.ts";
import { quoted } from "../../text.ts";
import { hci, type Invocation, indexOf, withMgmt } from "./session.ts";

interface Options {
  name?: string | true;
  uuid?: readonly string[];
  manufacturer?: readonly string[];
  serviceData?: readonly string[];
  appearance?: number | true;
  data?: string;
  scanRsp?: string;
  connectable: boolean;
  discoverable?: "yes" | "no" | "limited";
  tellTxPower?: boolean;
  interval?: number;
  txPower?: number;
  phy?: "1M" | "2M" | "coded";
  lifetime?: number;
  instance?: number;
  extended?: boolean;
  keep?: boolean;
}

/** Advertises until `--timeout` or Ctrl-C, or, with `--keep`, until somebody removes it. */
export async function advertise(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  const index = indexOf(invocation);
  const wanted = wantedOf(invocation.options as unknown as Options);
  const { keep } = invocation.options as { keep?: boolean };
  await withMgmt(invocation, async (mgmt) => {
    using deadline = context.deadline(undefined, "advertising");
    const advertising = await startAdvertising(mgmt, index, wanted);
    const { instance, txPowerDbm } = advertising;
    terminal.result(
      () => ({ event: "advertising", index, instance, ...(txPowerDbm === undefined ? {} : { txPowerDbm }), kept: keep ?? false }),
      () =>
        `${terminal.paint("bold", hci(index))}  advertising as instance ${instance}${txPowerDbm === undefined ? "" : `, ${txPowerDbm} dBm`}${keep ? `, until jelling mgmt rm-adv ${instance}` : ""}`,
    );
    if (keep) return;
    terminal.status("advertising, Ctrl-C ends …");
    try {
      const stopped = new Promise<undefined>((resolve) => {
        if (deadline.signal.aborted) resolve(undefined);
        else onAbort(deadline.signal, () => resolve(undefined));
      });
      const lost = await Promise.race([advertising.lost, stopped]);
      if (lost !== undefined && lost !== "duration") throw new CommandError(`the advertising on hci${index} ended: ${lost}`);
      if (lost === undefined && !deadline.timedOut()) deadline.signal.throwIfAborted();
    } finally {
      terminal.status("");
      await advertising[Symbol.asyncDispose]();
    }
  });
}

/** What the options say, in the words of the library. @throws {UsageError} a value that is none */
function wantedOf(options: Options): NonNullable<Parameters<typeof startAdvertising>[2]> {
  const { name, uuid, manufacturer, serviceData, appearance, data, scanRsp, connectable, discoverable } = options;
  const { tellTxPower, interval, txPower, phy, lifetime, instance, extended } = options;
  return {
    name,
    appearance,
    connectable,
    instance,
    ...(uuid ? { services: uuid.map((text) => Uuid.from(text)) } : {}),
    ...(manufacturer ? { manufacturerData: manufacturer.map(manufacturerOf) } : {}),
    ...(serviceData ? { serviceData: serviceData.map(serviceDataOf) } : {}),
    ...(data === undefined ? {} : { data: fromHex(data) }),
    ...(scanRsp === undefined ? {} : { scanResponse: fromHex(scanRsp) }),
    ...(discoverable === undefined ? {} : { discoverable: discoverable === "limited" ? discoverable : discoverable === "yes" }),
    includeTxPower: tellTxPower,
    intervalMs: interval,
    txPowerDbm: txPower,
    secondaryPhy: phy,
    durationMs: lifetime,
    ...(extended ? { method: "extended" } : {}),
  };
}

function partsOf(what: string, text: string): [string, Uint8Array] {
  const match = /^([^:=]+)[:=](.*)$/s.exec(text);
  if (!match) throw new UsageError(`${what} ${quoted(text)}: expected ${what === "service data" ? "UUID" : "COMPANY"}:HEX`);
  return [match[1]!, fromHex(match[2]!)];
}

function manufacturerOf(text: string): { companyIdentifier: number; data: Uint8Array } {
  const [company, data] = partsOf("manufacturer data", text);
  const companyIdentifier = /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(company) ? Number(company) : Number.NaN;
  if (!(companyIdentifier <= 0xffff)) throw new UsageError(`company ${quoted(company)}: expected its number, like 0x004c or 76`);
  return { companyIdentifier, data };
}

function serviceDataOf(text: string): { uuid: Uuid; data: Uint8Array } {
  const [uuid, data] = partsOf("service data", text);
  return { uuid: Uuid.from(uuid), data };
}
