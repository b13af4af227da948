import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** A plot that lives in an element. */
export interface HostedPlot<Parts> {
  set(parts: Parts): void;
  resize(): void;
  recolour(): void;
  destroy(): void;
}

interface PlotHostProps<Parts, P extends HostedPlot<Parts>> {
  readonly make: (target: HTMLElement, parts: Parts) => P;
  readonly parts: Parts;
  /** Drawn anew in other colours when it changes. */
  readonly theme: string;
  readonly plot: { current: P | null };
}

/** Puts a plot into the page, and keeps its size and colours right. */
export function PlotHost<Parts, P extends HostedPlot<Parts>>({ make, parts, theme, plot }: PlotHostProps<Parts, P>) {
  const target = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const made = make(target.current!, parts);
    plot.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(target.current!);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = (): void => made.recolour();
    scheme.addEventListener("change", recolour);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", recolour);
      plot.current = null;
      made.destroy();
    };
  }, []);
  useEffect(() => plot.current?.set(parts), [parts]);
  useEffect(() => plot.current?.recolour(), [theme]);
  return <div class="plot" ref={target} />;
}
