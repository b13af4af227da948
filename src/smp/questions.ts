import type { Clock } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import { checkChoice } from "../core/arguments.ts";
import { describeBond } from "./bond.ts";
import { KEYPRESS_LIMIT } from "./keypress.ts";
import type { Effect, Input } from "./state.ts";
import type { Keypress, PairingAgent, PairingQuestion, PasskeyQuestion } from "./types.ts";
import { isPasskey } from "./values.ts";

/** A user who has not answered by then has refused: before the peer's 30 s are over, so that the refusal still reaches it. */
export const QUESTION_TIMEOUT_MS = 28_000;

const OF_USER = ["digit", "erased", "cleared"] as const satisfies Keypress[];

type Question = Extract<Effect, { do: "ask" }>;

/**
 * Puts a question to the agent and hands its answer to `answer` exactly once, as an input of the machine. An exception, a rejection, an
 * answer of a wrong kind, none in time and a callback that is not there are refusals. Nothing is handed over once `question.signal` has
 * aborted. Where the peer is told of the keys (`to.keypress`), each one gives the user as much time again.
 */
export function askAgent(
  agent: PairingAgent,
  clock: Clock,
  effect: Question,
  question: PairingQuestion,
  to: { readonly answer: (input: Input) => void; readonly keypress: ((keypress: Keypress) => void) | undefined },
): void {
  let isOpen = true;
  let keys = 0;
  const close = (value: unknown, cause?: unknown): void => {
    if (!isOpen) return;
    isOpen = false;
    timer[Symbol.dispose]();
    listener[Symbol.dispose]();
    if (question.signal.aborted) return;
    if (effect.question === "passkey" && typeof value === "number" && isPasskey(value)) to.keypress?.("completed");
    to.answer(inputOf(effect, value, cause));
  };
  const patience = (): Disposable => clock.setTimer(QUESTION_TIMEOUT_MS, "pairing question", () => close(undefined));
  let timer = patience();
  const onKey = (keypress: Keypress): void => {
    checkChoice("keypress", keypress, OF_USER);
    if (!isOpen || keys >= KEYPRESS_LIMIT) return;
    keys++;
    timer[Symbol.dispose]();
    timer = patience();
    to.keypress?.(keypress);
  };
  const listener = onAbort(question.signal, () => close(undefined));
  to.keypress?.("started");
  put(agent, effect, to.keypress ? { ...question, keypress: onKey } : question).then(close, (error: unknown) => close(undefined, error));
}

/** Async so that an agent that throws is one that rejects. */
async function put(agent: PairingAgent, effect: Question, question: PasskeyQuestion): Promise<unknown> {
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
