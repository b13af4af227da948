import { trendArrows } from "../../../src/data/glucose.ts";
import { trendWords } from "../words.ts";

/** Arrows as the pump shows them: one for each mg/dL a minute, up to three; one to the side when steady. */
export function Trend({ trend }: { trend: number }) {
  const arrows = trendArrows(trend);
  if (arrows === 0)
    return (
      <span class="trend" role="img" aria-label={trendWords(trend)}>
        <svg viewBox="0 0 40 40" width="40" height="40" aria-hidden="true">
          <path d="M5 20h30M26 11l9 9-9 9" />
        </svg>
      </span>
    );
  return (
    <span class="trend" role="img" aria-label={trendWords(trend)}>
      {Array.from({ length: Math.abs(arrows) }, (_, i) => (
        <svg key={i} viewBox="0 0 24 40" width="19" height="40" aria-hidden="true">
          <path d={arrows > 0 ? "M12 36V6M3 15l9-9 9 9" : "M12 4v30M3 25l9 9 9-9"} />
        </svg>
      ))}
    </span>
  );
}

const SHAPES = {
  drop: "M12 3c4 5 6.5 8 6.5 11.5a6.5 6.5 0 0 1-13 0C5.500 11 8 8 12 3z",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.500 2h-15zM10 21.500h4",
  warning: "M12 3.500 22 20.500H2zM12 10v5M12 17.700v.3",
  link: "M5 12.500a10 10 0 0 1 14 0M8 15.500a6 6 0 0 1 8 0M12 19v.1",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M5 5l1.700 1.700M17.300 17.300 19 19M5 19l1.700-1.700M17.300 6.700 19 5",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  help: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 17.500v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
} as const;

export function Icon({ name }: { name: keyof typeof SHAPES }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}
