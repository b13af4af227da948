import { appearanceName, companyName, uuidName } from "jelling/assigned";
import { toHex } from "jelling/bytes";
import { Uuid } from "jelling/core";
import { AdFlag, AdvertisingData, adTypeName } from "jelling/gap";
import {
  AddressType,
  type AnyMgmtCommand,
  bitNames,
  btmgmtSettingNames,
  CapabilityFlags,
  CapabilityType,
  type FieldDescription,
  type Fields,
  NO_CONTROLLER,
  nameOf,
  present,
  Settings,
  SystemConfiguration,
} from "jelling/mgmt";
import type { Context } from "../../context.ts";
import { table, wrap } from "../../terminal.ts";
import { printable, quoted } from "../../text.ts";
import { hci } from "./session.ts";

type Values = Readonly<Record<string, unknown>>;

/** Names of settings as btmgmt prints them, in the order of their bits; bits without a name as numbers. */
export function settingsText(settings: number): string {
  return settingNamesText(bitNames(Settings, settings)) || "(none)";
}

/** The protocol's names of settings as btmgmt's; what has none there stays. */
export function settingNamesText(names: readonly string[]): string {
  return names.map((name) => (btmgmtSettingNames as readonly string[])[Settings[name as keyof typeof Settings]] ?? name).join(" ");
}

/** "C0:11:22:33:44:55/random". */
export function deviceText({ address, addressType }: { readonly address?: unknown; readonly addressType?: unknown }): string {
  const type = { [AddressType.BREDR]: "bredr", [AddressType.LEPublic]: "public", [AddressType.LERandom]: "random" }[addressType as number];
  return `${String(address)}/${type ?? String(addressType)}`;
}

export function manufacturerText(manufacturer: number): string {
  const name = manufacturer === 0xffff ? "not known" : companyName(manufacturer);
  return name === undefined ? String(manufacturer) : `${manufacturer} (${name})`;
}

/** "maxAdvDataLen" → "max adv data len". */
function label(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z0-9])|([0-9])([A-Z])/g, (_all, a: string, b: string, c: string, d: string) => `${a ?? c} ${b ?? d}`)
    .toLowerCase();
}

/** A value for people: names where there are any, units, nothing secret unless asked for. */
export function valueText(name: string, description: FieldDescription, value: unknown, secrets: boolean): string {
  const { secret, enumeration, bits, invalid, unit, type, of, fields } = description;
  if (secret && !secrets) return "(redacted; --secrets shows it)";
  if (typeof value === "number") {
    if (value === invalid) return "not known";
    if (bits === Settings) return settingsText(value);
    if (bits) return bitNames(bits, value).join(" ") || "(none)";
    if (enumeration) return nameOf(enumeration, value) ?? String(value);
    if (name === "manufacturer") return manufacturerText(value);
    if (type === "u24") return `0x${value.toString(16).padStart(6, "0")}`;
    return unit === undefined ? String(value) : `${value} ${/^\d/.test(unit) ? `× ${unit}` : unit}`;
  }
  if (typeof value === "bigint") return `0x${value.toString(16).padStart(16, "0")}`;
  if (typeof value === "string") return type === "cstring" ? quoted(value) : printable(value);
  if (value instanceof Uuid) return value.text;
  if (name === "capabilities" && value instanceof Uint8Array) return capabilitiesText(value);
  if (type === "eir" && value instanceof Uint8Array) return advertisingDataText(value) || "(empty)";
  if (value instanceof Uint8Array) return toHex(value) || "(empty)";
  if (type === "tlv16") return tlvText(value as { type: number; value: Uint8Array });
  if (Array.isArray(value)) return value.map((entry) => valueText(name, of!.description, entry, secrets)).join(", ") || "(none)";
  if (fields) return structureText(fields, value as Values, secrets);
  return JSON.stringify(value);
}

/** "address/type, name value, name value". */
export function structureText(fields: Fields, values: Values, secrets: boolean): string {
  return cells(fields, values, secrets)
    .map(([name, text]) => (name === "device" ? text : `${name} ${text}`))
    .join("  ");
}

/** Names and texts of fields; an address and its type are one. */
function cells(fields: Fields, values: Values, secrets: boolean): [name: string, text: string][] {
  const paired = values.address !== undefined && typeof values.addressType === "number";
  return Object.entries(fields).flatMap(([name, { description }]): [string, string][] => {
    if (values[name] === undefined || (paired && name === "addressType")) return [];
    if (paired && name === "address") return [["device", deviceText(values)]];
    return [[label(name), valueText(name, description, values[name], secrets)]];
  });
}

/** A default configuration's entry: its name where it has one, the number in it. */
export function tlvText({ type, value }: { readonly type: number; readonly value: Uint8Array }): string {
  const name =
    Object.entries(SystemConfiguration).find(([, entry]) => entry.type === type)?.[0] ?? `0x${type.toString(16).padStart(4, "0")}`;
  const number = value.length === 1 ? value[0]! : value.length === 2 ? value[0]! | (value[1]! << 8) : undefined;
  return `${name}=${number ?? toHex(value)}`;
}

/** Security capabilities: laid out as advertising data, with types of their own. */
function capabilitiesText(octets: Uint8Array): string {
  const texts = new AdvertisingData(octets).structures.map(({ type, data }) => {
    const number = data.reduceRight((sum, octet) => sum * 256 + octet, 0); // Linux 6.1 gives key sizes two octets
    switch (type) {
      case CapabilityType.Flags:
        return `flags ${bitNames(CapabilityFlags, number).join(" ") || "(none)"}`;
      case CapabilityType.MaxEncryptionKeySizeBREDR:
        return `BR/EDR keys of up to ${number} octets`;
      case CapabilityType.MaxEncryptionKeySizeLE:
        return `LE keys of up to ${number} octets`;
      case CapabilityType.LeTxPowerRange:
        return data.length === 2 ? `LE TX power ${(data[0]! << 24) >> 24} to ${(data[1]! << 24) >> 24} dBm` : `LE TX power ${toHex(data)}`;
      default:
        return `type ${type}: ${toHex(data)}`;
    }
  });
  return texts.join(", ") || "(none)";
}

/** What an advertisement or the extended information says, in one line. */
export function advertisingDataText(octets: Uint8Array): string {
  const { name, flags, appearance, txPowerDbm, serviceUuids, manufacturerData, serviceData, structures } = new AdvertisingData(octets);
  const company = (id: number): string => companyName(id) ?? `company 0x${id.toString(16).padStart(4, "0")}`;
  const flagNames = Object.entries(AdFlag).flatMap(([flag, mask]) => (flags & mask ? [flag] : []));
  const classOfDevice = structures.find(({ type, data }) => type === 0x0d && data.length === 3)?.data;
  const shown = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0d, 0x16, 0x19, 0x20, 0x21, 0xff];
  return [
    ...(name ? [quoted(name)] : []),
    ...(classOfDevice ? [`class 0x${toHex(classOfDevice.toReversed())}`] : []),
    ...(appearance === undefined ? [] : [`appearance ${appearanceName(appearance) ?? appearance}`]),
    ...(txPowerDbm === undefined ? [] : [`power ${txPowerDbm} dBm`]),
    ...serviceUuids.map((uuid) => uuidName(uuid) ?? uuid.text),
    ...manufacturerData.map(({ companyIdentifier, data }) => `${company(companyIdentifier)}: ${toHex(data)}`),
    ...serviceData.map(({ uuid, data }) => `${uuidName(uuid) ?? uuid.text}: ${toHex(data)}`),
    ...structures.filter(({ type }) => !shown.includes(type)).map(({ type, data }) => `${adTypeName(type)}: ${toHex(data)}`),
    ...(flagNames.length > 0 ? [`flags ${flagNames.join(" ")}`] : []),
  ].join(", ");
}

/** Rows of label and value under a heading, values broken at the terminal's edge. */
export function showRows(
  { terminal }: Context,
  heading: string | undefined,
  rows: readonly (readonly [label: string, value: string])[],
): void {
  if (heading !== undefined) terminal.line(terminal.paint("bold", heading));
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const indent = heading === undefined ? "" : "  ";
  for (const [name, value] of rows) {
    const start = `${indent}${name.padEnd(width)}  `;
    const [first = "", ...more] = wrap(value, Math.max(20, terminal.columns - start.length)).split("\n");
    terminal.line(`${indent}${terminal.paint("dim", name.padEnd(width))}  ${first}`.trimEnd());
    for (const line of more) terminal.line(" ".repeat(start.length) + line);
  }
}

/** What a command returned: one object, or what fits on a line on a line and the rest in rows. */
export function showReturns(context: Context, command: AnyMgmtCommand, index: number, returns: Values): void {
  const { terminal, options } = context;
  const { fields } = command.returns;
  const secrets = options.secrets ?? false;
  if (terminal.json) {
    const where = index === NO_CONTROLLER ? {} : { index };
    terminal.object({ command: command.name, ...where, ...present(fields, returns, { secrets }) });
    return;
  }
  const head = index === NO_CONTROLLER ? "" : `${terminal.paint("bold", hci(index))}  `;
  const rows = cells(fields, returns, secrets);
  const list = Object.keys(fields).find((name) => Array.isArray(returns[name]));
  const [first] = rows;
  if (!first) terminal.line(`${head}${command.title}: done`);
  else if (rows.length > 1)
    showRows(
      context,
      index === NO_CONTROLLER ? undefined : hci(index),
      rows.map(([name, text]) => [name, text]),
    );
  else if (list) showEntries(context, fields, returns, list);
  else if (first[0] === "device") {
    const all = returns.address === "00:00:00:00:00:00"; // stands for every device
    terminal.line(`${head}${all ? "" : `${first[1]}  `}${command.title}: done`);
  } else if (first[0] === "current settings") terminal.line(head + first[1]);
  else terminal.line(`${head}${terminal.paint("dim", first[0])}  ${first[1]}`);
}

/** A list that is all there is: an entry a line. */
function showEntries({ terminal, options }: Context, fields: Fields, returns: Values, name: string): void {
  const entries = returns[name] as readonly unknown[];
  const { description } = fields[name]!.description.of!;
  const secrets = options.secrets ?? false;
  const rows = entries.map((entry) =>
    description.fields
      ? cells(description.fields, entry as Values, secrets).map(([key, text]) => (key === "device" ? text : `${key} ${text}`))
      : [valueText(name, description, entry, secrets)],
  );
  for (const line of table(rows)) terminal.line(line);
  if (rows.length === 0) terminal.note(`no ${label(name)}`);
}
