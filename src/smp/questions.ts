import type { Clock } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import { describeBond } from "./bond.ts";
import type { Effect, Input } from "./state.ts";
import type { PairingAgent, PairingQuestion } from "./types.ts";

/** A user who has not answered by then has refused: before the peer's 30 s are over, so that the refusal still reaches it. */
export const QUESTION_TIMEOUT_MS = 28_000;

type Question = Extract<Effect, { do: "ask" }>;

/**
 * Puts a question to the agent and hands its answer to `answer` exactly once, as an input of the machine. An exception, a rejection, an
 * answer of a wrong kind, none in time and a callback that is not there are refusals. Nothing is handed over once `question.signal` has
 * aborted.
 */
export function askAgent(
  agent: PairingAgent,
  clock: Clock,
  effect: Question,
  question: PairingQuestion,
  answer: (input: Input) => void,
): void {
  let isOpen = true;
  const close = (value: unknown, cause?: unknown): void => {
    if (!isOpen) return;
    isOpen = false;
    timer[Symbol.dispose]();
    listener[Symbol.dispose]();
    if (!question.signal.aborted) answer(inputOf(effect, value, cause));
  };
  const timer = clock.setTimer(QUESTION_TIMEOUT_MS, "pairing question", () => close(undefined));
  const listener = onAbort(question.signal, () => close(undefined));
  put(agent, effect, question).then(close, (error: unknown) => close(undefined, error));
}

/** Async so that an agent that throws is one that rejects. */
async function put(agent: PairingAgent, effect: Question, question: PairingQuestion): Promise<unknown> {
  switch (effect.question) {
    case "consent":
      return agent.confirm?.(question);
    case "replace":
      return agent.replaceBond?.({ ...question, bond: describeBond(effect.bond), replacement: effect.replacement });
    case "compare":
      return agent.compare?.({ ...question, value: effect.value });
    case "passkey":
      return agent.enterPasskey?.(question);
    case "choose-passkey":
      return agent.choosePasskey?.(question);
  }
}

/** @param cause what the agent threw */
function inputOf(effect: Question, value: unknown, cause: unknown): Input {
  switch (effect.question) {
    case "consent":
    case "replace":
      return { kind: effect.question, allowed: value === true, cause };
    case "compare":
      return { kind: "compared", equal: value === true, cause };
    case "passkey":
    case "choose-passkey":
      return { kind: "passkey", passkey: typeof value === "number" ? value : undefined, cause };
  }
}
