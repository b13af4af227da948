import type { Actions } from "../shortcuts.ts";
import { type Shown, unitOf } from "../store.ts";
import { spanText } from "../times.ts";
import { Icon } from "./icons.tsx";

const THEMES = {
  auto: { icon: "auto", text: "as this device" },
  light: { icon: "sun", text: "light" },
  dark: { icon: "moon", text: "dark" },
} as const;

export function Header({ shown, actions, nowMs }: { shown: Shown; actions: Actions; nowMs: number }) {
  const unit = unitOf(shown);
  const theme = THEMES[shown.theme];
  return (
    <header class="top">
      <h1>
        Jelling<span class="wide"> pump</span>
      </h1>
      <Link shown={shown} nowMs={nowMs} />
      <span class="spring" />
      <button
        type="button"
        class="plain unit"
        onClick={() => actions.switchUnit()}
        title="Change the unit (U)"
        aria-label={`Unit: ${unit}. Change it.`}
      >
        <b class={unit === "mg/dL" ? "on" : ""}>mg/dL</b>
        <b class={unit === "mmol/L" ? "on" : ""}>mmol/L</b>
      </button>
      <button
        type="button"
        class="plain"
        onClick={() => actions.switchTheme()}
        title={`Colours: ${theme.text} (D)`}
        aria-label={`Colours: ${theme.text}. Change them.`}
      >
        <Icon name={theme.icon} />
      </button>
      <button type="button" class="plain" onClick={() => actions.showHelp(true)} title="Help (?)" aria-label="Help and keys">
        <Icon name="help" />
      </button>
    </header>
  );
}

/** How the pump is connected: a dot and words, never the dot alone. */
function Link({ shown, nowMs }: { shown: Shown; nowMs: number }) {
  const { contact, state } = shown;
  const [kind, text] =
    contact.kind === "lost"
      ? ["bad", `no contact with the program, ${spanText(nowMs - contact.sinceMs)}`]
      : !state
        ? ["wait", "opening"]
        : linkText(state.link, nowMs);
  return (
    <p class={`link ${kind}`} role="status">
      <i aria-hidden="true" />
      <span>{text}</span>
    </p>
  );
}

function linkText(link: NonNullable<Shown["state"]>["link"], nowMs: number): [string, string] {
  const since = spanText(Math.max(0, nowMs - link.sinceMs));
  switch (link.kind) {
    case "ready":
      return ["good", "connected"];
    case "connecting":
      return ["wait", "connecting"];
    case "advertising":
      return link.mode === "pair" ? ["wait", `waiting for a pump to pair, ${since}`] : ["wait", `waiting for the pump, ${since}`];
    case "ended":
      return ["bad", `not connected, ${since}`];
    case "stored":
      return ["still", "history only"];
  }
}
