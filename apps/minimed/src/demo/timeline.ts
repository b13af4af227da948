/** Who does something. */
export type Actor = "user" | "phone" | "pump" | "result";

/** One line of a timeline: when in simulated (radio) time, who, what. */
export interface TimelineEvent {
  readonly timeMs: number;
  readonly actor: Actor;
  readonly text: string;
}

const SEQUENCES: Readonly<Record<Actor, string>> = { user: "\u001b[36m", phone: "\u001b[32m", pump: "\u001b[35m", result: "\u001b[1m" };
const RESET = "\u001b[0m";
const DIM = "\u001b[2m";

/** "    33.125 s  phone  SAKE: wake-up sent", aligned, without a line break. Colours are ANSI sequences, off by default. */
export function formatTimelineEvent({ timeMs, actor, text }: TimelineEvent, { colour = false }: { colour?: boolean } = {}): string {
  const time = `${(timeMs / 1000).toFixed(3).padStart(10)} s`;
  const who = (actor === "result" ? "" : actor).padEnd(6);
  return colour ? `${DIM}${time}${RESET}  ${SEQUENCES[actor]}${who}${text}${RESET}` : `${time}  ${who}${text}`;
}
