/** Something that has to be given back before a signal ends the process. */
export interface Borrowed {
  giveBack(): Promise<void>;
}

const signalNames = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const borrowed = new Set<Borrowed>();
/** Marks the listeners of this library, of which a process may have several copies: they do not handle a signal for each other. */
const OURS = Symbol.for("jelling.borrowed-adapters");

export function rememberBorrowed(thing: Borrowed): void {
  // First in the row: a listener that is called once is gone by the time that those behind it are asked.
  if (borrowed.size === 0) for (const name of signalNames) process.prependListener(name, onSignal);
  borrowed.add(thing);
}

export function forgetBorrowed(thing: Borrowed): void {
  if (borrowed.delete(thing) && borrowed.size === 0) for (const name of signalNames) process.off(name, onSignal);
}

/**
 * Gives everything back, then lets the signal do its work. Where the program handles the signal itself, that is all that happens: it may go
 * on, adapters and all, or dispose of its transports before it ends.
 */
function onSignal(name: NodeJS.Signals): void {
  if (process.listeners(name).some((listener) => !(OURS in listener))) return;
  const things = [...borrowed];
  for (const thing of things) forgetBorrowed(thing); // a second signal ends the process at once
  void Promise.allSettled(things.map((thing) => thing.giveBack())).then(() => process.kill(process.pid, name));
}
Object.defineProperty(onSignal, OURS, { value: true });
