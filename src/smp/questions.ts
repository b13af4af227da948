import type { Clock } from "../async/clock.ts";
import type { Effect, Input } from "./state.ts";
import type { PairingAgent, PairingQuestion } from "./types.ts";

/** A user who has not answered by then has refused: before the peer's 30 s are over, so that the refusal still reaches it. */
export const QUESTION_TIMEOUT_MS = 28_000;

/**
 * Puts a question to the agent and hands its answer to `answer` exactly once, as an input of the machine. An exception, a rejection, an
 * answer of a wrong kind and none in time are refusals. Nothing is handed over once `question.signal` has aborted.
 */
export function askAgent(
  agent: PairingAgent,
  clock: Clock,
  effect: Extract<Effect, { do: "ask" }>,
  question: PairingQuestion,
  answer: (input: Input) => void,
): void {
  let isOpen = true;
  const close = (value: unknown): void => {
    if (!isOpen) return;
    isOpen = false;
    timer[Symbol.dispose]();
    question.signal.removeEventListener("abort", onAbort);
    if (!question.signal.aborted) answer(inputOf(effect, value));
  };
  const onAbort = (): void => close(undefined);
  const timer = clock.setTimer(QUESTION_TIMEOUT_MS, "pairing question", () => close(undefined));
  question.signal.addEventListener("abort", onAbort, { once: true });
  put(agent, effect, question).then(close, () => close(undefined));
}

/** Async so that an agent that throws is one that rejects. */
async function put(agent: PairingAgent, effect: Extract<Effect, { do: "ask" }>, question: PairingQuestion): Promise<unknown> {
  switch (effect.question) {
    case "consent":
      return agent.confirm(question);
    case "compare":
      return agent.compare({ ...question, value: effect.value });
    case "passkey":
      return agent.enterPasskey(question);
  }
}

function inputOf(effect: Extract<Effect, { do: "ask" }>, value: unknown): Input {
  switch (effect.question) {
    case "consent":
      return { kind: "consent", allowed: value === true };
    case "compare":
      return { kind: "compared", equal: value === true };
    case "passkey":
      return { kind: "passkey", passkey: typeof value === "number" ? value : undefined };
  }
}
