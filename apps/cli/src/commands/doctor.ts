import { examine, type Level } from "../checks.ts";
import type { Context } from "../context.ts";
import { type Machine, thisMachine } from "../machine.ts";
import type { Style } from "../terminal.ts";
import { wrap } from "../terminal.ts";
import { giveBack } from "./mgmt/session.ts";

const MARKS: Readonly<Record<Level, readonly [mark: string, style: Style]>> = {
  ok: ["ok", "green"],
  warning: ["missing", "yellow"],
  error: ["missing", "red"],
  info: ["note", "blue"],
};

/** Says what this machine can do, after restoring what crashed programs left of its adapters. Succeeds whatever it finds: the simulated air works everywhere. */
export async function doctor(context: Context, _options: unknown, machine: Machine = thisMachine()): Promise<void> {
  const { terminal } = context;
  if (machine.platform === "linux") await giveBack(context);
  const findings = await examine(machine);
  const usable = findings.some(({ check, level, message }) => check === "adapters" && level === "ok" && message.startsWith("hci"));
  const broken = findings.some(({ check, level }) => level === "error" && ["koffi", "bluetooth-sockets", "rfkill"].includes(check));
  const lacking = findings.some(({ check, level }) => level === "warning" && check === "capabilities");
  const realAdapter = usable && !broken && !lacking;
  for (const { check, level, message, fix } of findings) {
    terminal.result(
      () => ({ check, level, message, ...(fix === undefined ? {} : { fix }) }),
      () => {
        const [mark, style] = MARKS[level];
        const head = `${terminal.paint(style, mark.padEnd(8))}${wrap(message, Math.min(terminal.columns, 100) - 9, " ".repeat(8))}`;
        return fix === undefined ? head : `${head}\n${" ".repeat(8)}${terminal.paint("bold", `$ ${fix}`)}`;
      },
    );
  }
  const summary = realAdapter ? "A real adapter can be used." : "No real adapter can be used as things are; the simulated air works.";
  const next = realAdapter ? "jelling scan" : "jelling scan --transport sim:";
  terminal.result(
    () => ({ check: "summary", realAdapter, simulatedAir: true, message: summary, next }),
    () => `\n${summary}\n${" ".repeat(8)}${terminal.paint("bold", `$ ${next}`)}`,
  );
}
