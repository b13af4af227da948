/** A request as the server sees it. */
export interface ServerRequest {
  readonly method: string;
  readonly protocol: "http" | "https";
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ServerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Document = Record<string, unknown>;

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ServerAnswer => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(value),
});

export const html = (status: number, text = "Error"): ServerAnswer => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: `<!DOCTYPE html><html><body><pre>${text}</pre></body></html>`,
});

export const plain = (status: number, text: string): ServerAnswer => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: text,
});

/** Thrown anywhere in a handler: it is the answer. */
export class Answered extends Error {
  readonly answer: ServerAnswer;
  constructor(answer: ServerAnswer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}
