import type { Colours } from "./colours.ts";

/** What is drawn with: canvas pixels, so that a line of one is sharp on any screen. */
export class Brush {
  readonly context: CanvasRenderingContext2D;
  readonly colours: Colours;
  /** Canvas pixels of a CSS pixel. */
  readonly ratio: number;

  constructor(context: CanvasRenderingContext2D, colours: Colours, ratio: number) {
    this.context = context;
    this.colours = colours;
    this.ratio = ratio;
  }

  font(sizePx: number, weight = 500): void {
    this.context.font = `${weight} ${sizePx * this.ratio}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
  }

  widthOf(text: string): number {
    return this.context.measureText(text).width;
  }

  text(
    text: string,
    x: number,
    y: number,
    colour: string,
    align: CanvasTextAlign = "center",
    baseline: CanvasTextBaseline = "middle",
  ): void {
    const { context } = this;
    context.fillStyle = colour;
    context.textAlign = align;
    context.textBaseline = baseline;
    context.fillText(text, x, y);
  }

  rect(x: number, y: number, width: number, height: number, colour: string, radiusPx = 0): void {
    const { context } = this;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(x, y, width, height, radiusPx * this.ratio);
    context.fill();
  }

  line(points: readonly (readonly [x: number, y: number])[], colour: string, widthPx: number, dashPx: number[] = []): void {
    const { context, ratio } = this;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y); // the first one of a path moves there
    context.strokeStyle = colour;
    context.lineWidth = widthPx * ratio;
    context.lineJoin = "round";
    context.setLineDash(dashPx.map((px) => px * ratio));
    context.stroke();
    context.setLineDash([]);
  }

  /** Slanted lines: here something is missing or stopped, and it is no colour alone that says so. */
  hatch(x: number, y: number, width: number, height: number, colour: string, apartPx = 7): void {
    const { context, ratio } = this;
    if (width <= 0) return;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.beginPath();
    const apart = apartPx * ratio;
    const first = Math.floor((x - height) / apart) * apart; // the same slant wherever the stretch begins
    for (let at = first; at < x + width; at += apart) {
      context.moveTo(at, y + height);
      context.lineTo(at + height, y);
    }
    context.strokeStyle = colour;
    context.lineWidth = ratio;
    context.stroke();
    context.restore();
  }
}
