import type { Headline } from "./parts/current.tsx";
import type { Shown } from "./store.ts";
import { spanText } from "./times.ts";

const COLOURS: Readonly<Record<string, string>> = {
  "very-low": "#a3122a",
  low: "#c62f3b",
  "in-range": "#12806a",
  high: "#955700",
  "very-high": "#b03a06",
};
let last = "";

/** Title and icon of the tab: what is old is seen there too, without opening it. */
export function showInTab(headline: Headline, { contact }: Shown): void {
  const isLost = contact.kind === "lost" || contact.kind === "refused";
  const title = isLost ? `⚠ no contact · Jelling` : `${titleOf(headline)} · Jelling`;
  if (title === last) return;
  last = title;
  document.title = title;
  const link = document.querySelector<HTMLLinkElement>("#icon");
  if (link) link.href = `data:image/svg+xml,${encodeURIComponent(iconOf(headline, isLost))}`;
}

function titleOf(headline: Headline): string {
  switch (headline.kind) {
    case "fresh":
    case "beyond":
      return headline.text;
    case "stale":
      return `⚠ no data for ${spanText(headline.ageMs)}`;
    case "none":
      return headline.text || "…";
  }
}

function iconOf(headline: Headline, isLost: boolean): string {
  const isFresh = !isLost && (headline.kind === "fresh" || headline.kind === "beyond");
  const colour = isFresh ? COLOURS[headline.zone]! : "#8a8f98";
  const text = headline.text.slice(0, 4);
  const size = text.length > 3 ? 13 : text.length > 2 ? 16 : 20;
  const mark = isFresh
    ? `<text x="16" y="17" font-family="system-ui,sans-serif" font-weight="700" font-size="${size}" fill="#fff" text-anchor="middle" dominant-baseline="middle">${text.replace("<", "&lt;").replace(">", "&gt;")}</text>`
    : `<path d="M7 25 25 7" stroke="#fff" stroke-width="5" stroke-linecap="round"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/>${mark}</svg>`;
}
