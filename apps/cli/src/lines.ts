/** Of a line; what is longer is cut there. */
const LONGEST_LINE = 4096;

/** Lines of a text that comes in parts, without their ends; the last one may have none. A line that is too long is cut, not kept. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let line = "";
  const take = (text: string): void => {
    line += text.slice(0, Math.max(0, LONGEST_LINE - line.length));
  };
  for await (const chunk of chunks) {
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    take(parts.shift()!);
    for (const part of parts) {
      yield withoutReturn(line);
      line = "";
      take(part);
    }
  }
  take(decoder.decode());
  if (line !== "") yield withoutReturn(line);
}

const withoutReturn = (line: string): string => (line.endsWith("\r") ? line.slice(0, -1) : line);
