import { toHex } from "jelling/bytes";
import { bitNames, commandsByOpcode, NO_CONTROLLER, present, Settings, type SettingsChange, watchSettings } from "jelling/mgmt";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { follow } from "./follow.ts";
import { hci, type Invocation, managementSpec } from "./session.ts";
import { settingsText, structureText } from "./show.ts";

/** Prints who changes what, until `--count`, `--timeout` or Ctrl-C. */
export async function who(invocation: Invocation): Promise<void> {
  const { context, index } = invocation;
  const { all } = invocation.options as { all?: boolean };
  if (managementSpec(context).simulated) throw new UsageError("sim: has no other programs to watch: it lives in this process");
  const logger = await context.logger();
  await follow(invocation, {
    doing: "watching",
    items: "changes",
    open: (signal) => watchSettings({ index, all, secrets: context.options.secrets, signal, logger }),
    show: (change) => showChange(context, change),
  });
}

function showChange({ terminal, options }: Context, change: SettingsChange): void {
  const { timeMs, index, program, cookie, command, opcode, parameters, status, statusName, settings } = change;
  const declaration = commandsByOpcode.get(opcode);
  const secrets = options.secrets ?? false;
  const fields = declaration?.parameters.fields;
  const time = new Date(timeMs).toISOString();
  terminal.result(
    () => ({
      time,
      ...(program === undefined ? {} : { program }),
      cookie,
      command,
      ...(index === NO_CONTROLLER ? {} : { index }),
      parameters:
        parameters instanceof Uint8Array || !fields
          ? toHex(secrets ? (parameters as Uint8Array) : new Uint8Array(0))
          : present(fields, parameters, { secrets }),
      status: statusName ?? status,
      ...(settings === undefined ? {} : { currentSettings: bitNames(Settings, settings) }),
    }),
    () => {
      const given =
        parameters instanceof Uint8Array || !fields
          ? `${(parameters as Uint8Array).length} octets`
          : structureText(fields, parameters, secrets);
      const outcome = status === 0 ? terminal.paint("green", "Success") : terminal.paint("red", statusName ?? `0x${status.toString(16)}`);
      const result = settings === undefined ? "" : `  ${settingsText(settings)}`;
      return `${terminal.paint("dim", time.slice(11, 23))}  ${terminal.paint("bold", program ?? `socket ${cookie}`)}  ${hci(index)}  ${declaration?.title ?? command}  ${given}  ${outcome}${result}`;
    },
  );
}
