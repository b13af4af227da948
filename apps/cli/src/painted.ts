/** What paints, or one character. */
const PARTS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m|.`, "gu");

/** Columns that painted text takes; what paints it takes none. */
export function widthOf(line: string): number {
  let width = 0;
  for (const [part] of line.matchAll(PARTS)) if (part.length <= 2) width++;
  return width;
}

/** Shortens painted text to so many columns; its paint ends where it should. */
export function cut(line: string, columns: number): string {
  let width = 0;
  let out = "";
  for (const [part] of line.matchAll(PARTS)) {
    if (part.length > 2) out += part;
    else if (width < columns) {
      out += part;
      width++;
    }
  }
  return out;
}
