import type { Invocation } from "./session.ts";

/** What happens, one after the other; `dropped` counts what was lost because it came faster than it was read. */
interface Flow<T> extends AsyncIterable<T> {
  readonly dropped: number;
}

interface Following<T> {
  /** For the status line and a time limit: "watching". */
  readonly doing: string;
  /** What the items are called: "changes". */
  readonly items: string;
  readonly open: (signal: AbortSignal) => Flow<T> | Promise<Flow<T>>;
  readonly isWanted?: (item: T) => boolean;
  readonly show: (item: T) => void;
}

/** Shows what comes until `--count`, `--timeout` or Ctrl-C, and says what was lost. */
export async function follow<T>({ context, options }: Invocation, { doing, items, open, isWanted, show }: Following<T>): Promise<void> {
  const { terminal } = context;
  const { count } = options as { count?: number };
  using deadline = context.deadline(undefined, doing);
  let shown = 0;
  let dropped = 0;
  try {
    const flow = await open(deadline.signal);
    terminal.status(`${doing}, Ctrl-C ends …`);
    for await (const item of flow) {
      if (flow.dropped > dropped)
        terminal.note(`${flow.dropped - dropped} ${items} were dropped: they came faster than they could be printed`);
      dropped = flow.dropped;
      if (isWanted && !isWanted(item)) continue;
      show(item);
      await terminal.flush();
      if (++shown === count) break;
    }
    if (shown !== count && !deadline.timedOut()) deadline.signal.throwIfAborted();
  } catch (error) {
    if (!deadline.timedOut()) throw error;
  } finally {
    terminal.status("");
  }
}
