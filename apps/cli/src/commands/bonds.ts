import { join } from "node:path";
import { Address } from "jelling/core";
import { FileBondStore, stateFolder } from "jelling/node";
import { type Bond, bondToJson, describeBond } from "jelling/smp";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { BONDS, PUMP_BONDS } from "../session.ts";
import { table } from "../terminal.ts";
import { printable } from "../text.ts";
import { isSimulated, transportSpec } from "../transport.ts";

/** Those of the simulated air are kept apart: `--transport sim:` shows them. */
function stores(context: Context): FileBondStore[] {
  const folder = join(stateFolder(context.io.env), isSimulated(transportSpec(context)) ? "sim" : "");
  return [BONDS, PUMP_BONDS].map((file) => new FileBondStore(join(folder, file)));
}

function protection({ authenticated, secureConnections, keySize }: ReturnType<typeof describeBond>): string {
  return `${secureConnections ? "Secure Connections" : "legacy"}, ${authenticated ? "authenticated" : "not authenticated"}, ${keySize} octets`;
}

export async function list(context: Context): Promise<void> {
  const { terminal } = context;
  const places = stores(context);
  const rows: string[][] = [];
  for (const place of places) {
    for await (const bond of place.all()) {
      const described = describeBond(bond);
      terminal.object({ ...described });
      rows.push([described.identity, printable(described.name ?? ""), protection(described)]);
    }
  }
  for (const line of table(rows)) terminal.line(line);
  if (rows.length === 0) terminal.note(`no bonds in ${places[0]!.path}`);
}

async function find(context: Context, text: string): Promise<{ bond: Bond; place: FileBondStore }> {
  const address = Address.from(text);
  for (const place of stores(context)) {
    for await (const bond of place.all()) {
      if (text.includes("/") ? bond.identity.equals(address) : bond.identity.toHex() === address.toHex()) return { bond, place };
    }
  }
  const list = `jelling bonds list${isSimulated(transportSpec(context)) ? " --transport sim:" : ""}`;
  throw new CommandError(`there is no bond with ${text}; ${list} shows which there are`);
}

export async function show(context: Context, text: string): Promise<void> {
  const { terminal, options } = context;
  const { bond } = await find(context, text);
  const described = describeBond(bond);
  terminal.result(
    () => (options.secrets ? { ...bondToJson(bond) } : { ...described }),
    () => {
      const rows = [
        ["identity", described.identity],
        ...(described.name === undefined ? [] : [["name", printable(described.name)]]),
        ...(described.method === undefined ? [] : [["method", described.method]]),
        ["protection", protection(described)],
        ["keys", `from it ${described.peerKeys.join(", ") || "none"}; from us ${described.localKeys.join(", ") || "none"}`],
        ...(described.localIdentity === undefined ? [] : [["known to it", `as ${described.localIdentity}`]]),
        ...(options.secrets ? secretRows(bond) : []),
      ];
      return table(rows).join("\n");
    },
  );
}

function secretRows(bond: Bond): string[][] {
  const { peerLtk, localLtk, peerIrk, peerCsrk, localCsrk } = bondToJson(bond);
  const rows = [
    ["peer LTK", peerLtk?.key],
    ["local LTK", localLtk?.key],
    ["peer IRK", peerIrk],
    ["peer CSRK", peerCsrk],
    ["local CSRK", localCsrk],
  ];
  return rows.filter((row): row is string[] => row[1] !== undefined);
}

export async function remove(context: Context, text: string): Promise<void> {
  const {
    bond: { identity },
    place,
  } = await find(context, text);
  await place.delete(identity);
  context.terminal.result(
    () => ({ event: "removed", identity: identity.toString() }),
    () => `removed  ${identity}; remove this computer on the device as well`,
  );
}
