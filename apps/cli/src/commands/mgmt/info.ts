import {
  type AnyMgmtCommand,
  BluetoothVersion,
  commands,
  commandsByOpcode,
  ExperimentalFeature,
  eventsByCode,
  hasBit,
  type Mgmt,
  nameOf,
  present,
  Settings,
} from "jelling/mgmt";
import { quoted } from "../../text.ts";
import { hci, type Invocation, withMgmt } from "./session.ts";
import { advertisingDataText, manufacturerText, settingsText, showReturns, showRows, valueText } from "./show.ts";

type Row = readonly [label: string, value: string];

/** The kernel lists what was plugged in last first. */
function inOrder(indexes: readonly number[]): number[] {
  return indexes.toSorted((a, b) => a - b);
}

/** Objects as JSON, rows for people: of the controller that is named, else of every one. */
async function ofEach(
  { context, index }: Invocation,
  all: () => Promise<readonly number[]>,
  show: (index: number) => Promise<void>,
): Promise<void> {
  const indexes = index === undefined ? inOrder(await all()) : [index];
  for (const [i, one] of indexes.entries()) {
    if (i > 0 && !context.terminal.json) context.terminal.line();
    await show(one);
  }
  if (indexes.length === 0) context.terminal.note("no controllers");
}

interface Information {
  readonly address: string;
  readonly bluetoothVersion: number;
  readonly manufacturer: number;
  readonly supportedSettings: number;
  readonly currentSettings: number;
}

function commonRows({ address, bluetoothVersion, manufacturer }: Information): Row[] {
  return [
    ["address", address],
    ["version", `Bluetooth ${nameOf(BluetoothVersion, bluetoothVersion) ?? `(${bluetoothVersion})`}`],
    ["manufacturer", manufacturerText(manufacturer)],
  ];
}

function settingsRows({ currentSettings, supportedSettings }: Information): Row[] {
  return [
    ["current settings", settingsText(currentSettings)],
    ["supported settings", settingsText(supportedSettings)],
  ];
}

/** Controllers with address, state and name, one a line. */
export async function list(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  await withMgmt(invocation, async (mgmt) => {
    const signal = { signal: context.signal };
    const { controllerIndexes } = await mgmt.readControllerIndexList(signal);
    for (const index of inOrder(controllerIndexes)) {
      const { address, currentSettings, name } = await mgmt.readControllerInformation(index, signal);
      const powered = hasBit(Settings, currentSettings, "Powered");
      terminal.result(
        () => ({ index, address, powered, configured: true, name }),
        () =>
          `${terminal.paint("bold", hci(index).padEnd(5))}  ${address}  ${powered ? terminal.paint("green", "on ") : "off"}  ${quoted(name)}`,
      );
    }
    const { controllerIndexes: unconfigured } = await mgmt.readUnconfiguredControllerIndexList(signal);
    for (const index of inOrder(unconfigured))
      terminal.result(
        () => ({ index, configured: false }),
        () => `${terminal.paint("bold", hci(index).padEnd(5))}  not configured: jelling mgmt config -i ${index}`,
      );
    if (controllerIndexes.length + unconfigured.length === 0) terminal.note("no controllers");
  });
}

export async function info(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const signal = { signal: context.signal };
  await withMgmt(invocation, (mgmt) =>
    ofEach(
      invocation,
      async () => {
        const { controllerIndexes } = await mgmt.readControllerIndexList(signal);
        return controllerIndexes;
      },
      async (index) => {
        const information = await mgmt.readControllerInformation(index, signal);
        if (context.terminal.json) return showReturns(context, commands.readControllerInformation, index, information);
        const { classOfDevice, name, shortName } = information;
        showRows(context, hci(index), [
          ...commonRows(information),
          ["class", `0x${classOfDevice.toString(16).padStart(6, "0")}`],
          ...settingsRows(information),
          ["name", quoted(name)],
          ["short name", quoted(shortName)],
        ]);
      },
    ),
  );
}

export async function extinfo(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  const signal = { signal: context.signal };
  await withMgmt(invocation, async (mgmt) => {
    const kinds = new Map<number, { type: string; bus: string }>();
    if (invocation.index === undefined) {
      const { controllers } = await mgmt.readExtendedControllerIndexList(signal);
      const { fields } = commands.readExtendedControllerIndexList.returns.fields.controllers.description.of!.description;
      for (const entry of controllers) {
        const { controllerType, controllerBus } = present(fields!, entry);
        kinds.set(entry.controllerIndex, { type: String(controllerType), bus: String(controllerBus) });
      }
    }
    await ofEach(
      invocation,
      async () => [...kinds.keys()],
      async (index) => {
        const kind = kinds.get(index);
        if (kind?.type === "Unconfigured") return showConfiguration(invocation, mgmt, index);
        const information = await mgmt.readExtendedControllerInformation(index, signal);
        if (terminal.json) return showReturns(context, commands.readExtendedControllerInformation, index, information);
        showRows(context, hci(index), [
          ...(kind ? [["kind", `${kind.type}, bus ${kind.bus}`] as Row] : []),
          ...commonRows(information),
          ...settingsRows(information),
          ["data", advertisingDataText(information.eirData) || "(empty)"],
        ]);
      },
    );
  });
}

export async function config(invocation: Invocation): Promise<void> {
  const signal = { signal: invocation.context.signal };
  await withMgmt(invocation, (mgmt) =>
    ofEach(
      invocation,
      async () => {
        const [configured, unconfigured] = await Promise.all([
          mgmt.readControllerIndexList(signal),
          mgmt.readUnconfiguredControllerIndexList(signal),
        ]);
        return [...configured.controllerIndexes, ...unconfigured.controllerIndexes];
      },
      (index) => showConfiguration(invocation, mgmt, index),
    ),
  );
}

async function showConfiguration({ context }: Invocation, mgmt: Mgmt, index: number): Promise<void> {
  const command = commands.readControllerConfigurationInformation;
  showReturns(context, command, index, await mgmt.readControllerConfigurationInformation(index, { signal: context.signal }));
}

/** Commands and events of this kernel, for this process. */
export async function supported(invocation: Invocation): Promise<void> {
  const { terminal, signal } = invocation.context;
  await withMgmt(invocation, async (mgmt) => {
    const { commands: opcodes, events } = await mgmt.readManagementSupportedCommands({ signal });
    const show = (kind: string, code: number, name: string | undefined): void =>
      terminal.result(
        () => ({ kind, code, ...(name === undefined ? {} : { name }) }),
        () => `${terminal.paint("dim", kind.padEnd(7))}  0x${code.toString(16).padStart(4, "0")}  ${name ?? "(newer than this program)"}`,
      );
    for (const opcode of opcodes) show("command", opcode, commandsByOpcode.get(opcode)?.title);
    for (const code of events) show("event", code, eventsByCode.get(code)?.title);
  });
}

/** Experimental features of the kernel, and of the controllers. */
export async function expinfo(invocation: Invocation): Promise<void> {
  const { context, index: named } = invocation;
  const { terminal, signal } = context;
  const command: AnyMgmtCommand = commands.readExperimentalFeaturesInformation;
  await withMgmt(invocation, async (mgmt) => {
    const { controllerIndexes } = named === undefined ? await mgmt.readControllerIndexList({ signal }) : { controllerIndexes: [named] };
    for (const index of [undefined, ...inOrder(controllerIndexes)]) {
      const { features } = await mgmt.readExperimentalFeaturesInformation(index, { signal });
      for (const feature of features) {
        const name = Object.entries(ExperimentalFeature).find(([, { uuid }]) => feature.uuid.equals(uuid))?.[0];
        const { fields } = command.returns.fields.features!.description.of!.description;
        terminal.result(
          () => ({
            command: command.name,
            ...(index === undefined ? {} : { index }),
            ...(name ? { name } : {}),
            ...present(fields!, feature),
          }),
          () =>
            `${terminal.paint("bold", (index === undefined ? "kernel" : hci(index)).padEnd(6))}  ${feature.uuid.text}  ${(name ?? "").padEnd(19)}  ${valueText("flags", fields!.flags!.description, feature.flags, false)}`,
        );
      }
    }
  });
}

/** PHYs: shown without names, selected with them. */
export async function phy(invocation: Invocation): Promise<void> {
  const { context, args } = invocation;
  const { parseText } = await import("./parse-value.ts");
  const index = invocation.index ?? 0;
  const names = (args[0] ?? []) as readonly string[];
  const command = names.length === 0 ? commands.getPhyConfiguration : commands.setPhyConfiguration;
  const { description } = commands.setPhyConfiguration.parameters.fields.selectedPhys;
  const selectedPhys = names.length === 0 ? 0 : (parseText("phy", description, names.join(",")) as number);
  await withMgmt(invocation, async (mgmt) => {
    if (names.length > 0) await mgmt.setPhyConfiguration(index, selectedPhys, { signal: context.signal });
    const returns = names.length > 0 ? {} : await mgmt.getPhyConfiguration(index, { signal: context.signal });
    showReturns(context, command, index, returns);
  });
}
