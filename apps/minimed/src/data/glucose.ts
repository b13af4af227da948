/** Range that the pump displays, mg/dL; outside it the pump sends 0. */
export const LOWEST_DISPLAYED_MGDL = 50;
export const HIGHEST_DISPLAYED_MGDL = 400;

/** mmol/L with one decimal as the pump's display shows it: divided by 18.0182, half rounded up. */
export function toMmolPerLitre(mgdl: number): number {
  return Math.floor((mgdl / 18.0182) * 10 + 0.5) / 10;
}

/** mmol/L with one decimal as most programs convert: divided by 18.0156. It differs from the pump's display at some values (100 mg/dL: 5.6). */
export function toMmolPerLitreConventional(mgdl: number): number {
  return Number((mgdl / 18.0156).toFixed(1));
}

/** Arrows that the pump shows for a trend: 1 at 1 mg/dL a minute, 2 at 2, 3 from 3 on, negative when falling, 0 below 1. */
export function trendArrows(mgdlPerMinute: number): number {
  const count = Math.min(3, Math.floor(Math.abs(mgdlPerMinute)));
  return mgdlPerMinute < 0 ? 0 - count : count;
}

/** "↑↑", "↓", or "→" when steady; "" when there is no trend. */
export function formatTrend(mgdlPerMinute: number | undefined): string {
  if (mgdlPerMinute === undefined) return "";
  const arrows = trendArrows(mgdlPerMinute);
  return arrows === 0 ? "→" : (arrows > 0 ? "↑" : "↓").repeat(Math.abs(arrows));
}
