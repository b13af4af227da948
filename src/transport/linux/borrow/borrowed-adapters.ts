/** Something that has to be given back before a signal ends the process. */
export interface Borrowed {
  giveBack(): Promise<void>;
}

const signalNames = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const borrowed = new Set<Borrowed>();

export function rememberBorrowed(thing: Borrowed): void {
  if (borrowed.size === 0) for (const name of signalNames) process.on(name, onSignal);
  borrowed.add(thing);
}

export function forgetBorrowed(thing: Borrowed): void {
  if (borrowed.delete(thing) && borrowed.size === 0) for (const name of signalNames) process.off(name, onSignal);
}

/** Gives everything back, then lets the signal do its work. A program that handles the signal itself is left alone. */
function onSignal(name: NodeJS.Signals): void {
  if (process.listenerCount(name) > 1) return;
  const things = [...borrowed];
  for (const thing of things) forgetBorrowed(thing); // a second signal ends the process at once
  void Promise.allSettled(things.map((thing) => thing.giveBack())).then(() => process.kill(process.pid, name));
}
