import { toHex } from "jelling/bytes";
import {
  events as declarations,
  eventNamed,
  eventNames,
  type Mgmt,
  type MgmtEvent,
  type MgmtEventName,
  NO_CONTROLLER,
  present,
} from "jelling/mgmt";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { quoted } from "../../text.ts";
import { follow } from "./follow.ts";
import { nearest } from "./send.ts";
import { hci, type Invocation, withMgmt } from "./session.ts";
import { structureText } from "./show.ts";

/** Prints events as they come, until `--count`, `--timeout` or Ctrl-C. */
export async function events(invocation: Invocation): Promise<void> {
  const { context, index } = invocation;
  const { extended } = invocation.options as { extended?: boolean };
  const names = ((invocation.args[0] ?? []) as readonly string[]).map(eventNameOf);
  await withMgmt(invocation, async (mgmt) => {
    try {
      await follow(invocation, {
        doing: "listening",
        items: "events",
        open: async (signal) => {
          const options = { signal, ...(index === undefined ? {} : { index }) };
          const queue = names.length > 0 ? mgmt.events(names, options) : mgmt.events(options);
          if (extended) await switchToExtended(mgmt, context.signal);
          return queue;
        },
        show: (event) => showEvent(context, event),
      });
    } finally {
      const lost = mgmt.droppedByKernel;
      if (lost > 0) context.terminal.note(`${lost} were lost in the kernel: they came faster than this process could take them`);
    }
  });
}

/** Using each of these once makes the kernel send this socket the events that go with it. */
async function switchToExtended(mgmt: Mgmt, signal: AbortSignal): Promise<void> {
  await mgmt.readExtendedControllerIndexList({ signal });
  await mgmt.readExperimentalFeaturesInformation(undefined, { signal });
  const { controllerIndexes } = await mgmt.readControllerIndexList({ signal });
  for (const one of controllerIndexes) await mgmt.readExtendedControllerInformation(one, { signal });
}

/** @throws {UsageError} no event has that name */
function eventNameOf(text: string): MgmtEventName {
  const declaration = eventNamed(text);
  const name = declaration && eventNames.get(declaration.code);
  if (name) return name;
  const near = nearest(text, [...eventNames.values()]);
  throw new UsageError(`there is no event ${quoted(text)}${near ? `; did you mean ${near}?` : ""}`);
}

/** One event, on one line. */
export function showEvent({ terminal, options }: Context, event: MgmtEvent): void {
  const { event: name, index, ...parameters } = event;
  const where = index === NO_CONTROLLER ? {} : { index };
  const head = (title: string): string => `${terminal.paint("bold", hci(index).padEnd(5))} ${terminal.paint("cyan", title)}`;
  if (event.event === "unknown") {
    const { code, error } = event;
    const octets = options.secrets ? toHex(event.parameters) : `${event.parameters.length} octets`;
    terminal.result(
      () => ({ event: "unknown", ...where, code, ...(error ? { error: error.message } : {}), parameters: octets }),
      () => `${head(`event 0x${code.toString(16).padStart(4, "0")}`)}  ${error ? `${error.message}: ` : ""}${octets}`,
    );
    return;
  }
  const declaration = declarations[name as MgmtEventName];
  const { fields } = declaration.parameters;
  const secrets = options.secrets ?? false;
  terminal.result(
    () => ({ event: declaration.name, ...where, ...present(fields, parameters, { secrets }) }),
    () => `${head(declaration.title)}  ${structureText(fields, parameters, secrets)}`.trimEnd(),
  );
}
