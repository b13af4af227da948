/** The style sheet's colours, as a canvas takes them: the sheet alone knows what is light and what is dark. */
const NAMES = [
  "ink",
  "soft",
  "faint",
  "grid",
  "card",
  "very-low",
  "low",
  "in-range",
  "high",
  "very-high",
  "band",
  "insulin",
  "insulin-soft",
  "iob",
  "carbs",
  "carbs-soft",
  "alarm",
  "most",
  "half",
  "gap",
  "gap-line",
] as const;
export type ColourName = (typeof NAMES)[number];
export type Colours = Readonly<Record<ColourName, string>>;

export function readColours(within: HTMLElement): Colours {
  const probe = document.createElement("i");
  within.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(entries) as Record<ColourName, string>;
}
