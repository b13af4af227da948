import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Auth, type Subject } from "./nightscout/auth.ts";
import { Answered, type Document, html, json, type ServerAnswer, type ServerRequest } from "./nightscout/http.ts";
import { ServerState } from "./nightscout/state.ts";
import { answerV1 } from "./nightscout/v1.ts";
import { answerV3 } from "./nightscout/v3.ts";

// A server that takes, keeps, drops and answers as Nightscout 15.0.7 does, from the list of facts about it; for tests of uploaders.

export type ServerFault =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string; readonly page?: boolean; readonly message?: string }
  /** Bodies over so many octets are refused with 413. */
  | { readonly kind: "too_large"; readonly octets: number }
  /** The first `stored` documents are stored, then 500. */
  | { readonly kind: "fail_after"; readonly stored: number }
  /** Stored, and no answer comes. */
  | { readonly kind: "silent_after_storing" }
  | { readonly kind: "silent" }
  /** Status 200 and HTML: a page that wants to see a person. */
  | { readonly kind: "page" }
  | { readonly kind: "empty_array" }
  | { readonly kind: "empty_array_after_storing" }
  /** The answer begins and never ends. */
  | { readonly kind: "slow_body" }
  | { readonly kind: "endless_body" }
  /** Nothing arrived. */
  | { readonly kind: "closed" }
  /** Stored, and the connection is gone. */
  | { readonly kind: "closed_after_storing" }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string };

export interface NightscoutServerOptions {
  readonly secret?: string;
  /** Of the site's own clock, UTC in ms. */
  readonly now?: () => number;
  readonly defaultRoles?: readonly string[];
  readonly nocturne?: boolean;
  readonly isStrict?: boolean;
  readonly careportal?: boolean;
  /** Text that may be in no document. */
  readonly forbidden?: readonly string[];
  /** Plain HTTP is sent to https, as by default; tests over loopback want it false. */
  readonly httpsOnly?: boolean;
  readonly apis?: readonly ("v1" | "v3")[];
  readonly basePath?: string;
}

export const SECRET = "my-secret-12345";
export const SITE = "https://site.example";

interface Reaction {
  readonly answer?: ServerAnswer;
  readonly ending: "whole" | "silent" | "slow_body" | "endless_body" | "closed";
}

/** As a `fetch` function, or over loopback. */
export class NightscoutServer {
  readonly state: ServerState;
  readonly auth: Auth;
  readonly requests: ServerRequest[] = [];
  /** Asked for every request; what it gives happens. Of a list the first is taken and used up. */
  faults: ServerFault[] | ((request: ServerRequest, index: number) => ServerFault | undefined) = [];
  readonly #options: NightscoutServerOptions;

  constructor(options: NightscoutServerOptions = {}) {
    this.#options = options;
    const { now = Date.now, secret = SECRET } = options;
    this.state = new ServerState({
      now,
      isStrict: options.isStrict ?? true,
      nocturne: options.nocturne ?? false,
      careportal: options.careportal ?? true,
      forbidden: options.forbidden ?? [],
    });
    this.auth = new Auth({ secret, now, defaultRoles: options.defaultRoles ?? ["readable"] });
  }

  addToken(name: string, rights: readonly string[]): string {
    return this.auth.addToken(name, rights);
  }
  get subjects(): readonly Subject[] {
    return this.auth.subjects;
  }
  get violations(): readonly string[] {
    return this.state.violations;
  }
  /** Documents of a collection, without what the site adds, the oldest first. */
  documents(collection: string): Document[] {
    return this.state.alive(collection);
  }

  /** What is older than a moment, UTC in ms, is gone. */
  forget(beforeMs: number): void {
    this.state.forget(beforeMs);
  }

  /** Takes a request as `fetch` does. */
  readonly fetch = async (input: URL | string, init: RequestInit = {}): Promise<Response> => {
    init.signal?.throwIfAborted();
    const url = new URL(input);
    const headers = Object.fromEntries([...new Headers(init.headers)].map(([name, value]) => [name.toLowerCase(), value]));
    const request: ServerRequest = {
      method: init.method ?? "GET",
      protocol: url.protocol === "https:" ? "https" : "http",
      host: url.host,
      path: url.pathname,
      query: url.searchParams,
      headers,
      body: typeof init.body === "string" ? init.body : "",
    };
    const { answer, ending } = this.react(request);
    if (ending === "closed")
      throw new TypeError("fetch failed", { cause: Object.assign(new Error(`gone: ${url}`), { code: "UND_ERR_SOCKET" }) });
    if (ending === "silent") return await never(init.signal);
    const { status, headers: answerHeaders, body } = answer!;
    const content = ending === "whole" ? body : stream(body, ending === "endless_body");
    return new Response(status === 304 || status === 204 ? null : content, { status, headers: answerHeaders });
  };

  /** Serves on a free port of the loopback interface. */
  async listen(): Promise<{ url: string; close(): Promise<void> }> {
    const server = createServer((message, response) => void this.#serve(message, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}`,
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const part of message.setEncoding("utf8")) body += part;
    const url = new URL(message.url ?? "/", "http://127.0.0.1");
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
    const { answer, ending } = this.react({
      method: message.method ?? "GET",
      protocol: "http",
      host: headers.host ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers,
      body,
    });
    if (ending === "closed") return void message.socket.destroy();
    if (ending === "silent") return;
    response.writeHead(answer!.status, answer!.headers);
    if (ending === "whole") response.end(answer!.body);
    else response.write(answer!.body.slice(0, 1));
  }

  react(request: ServerRequest): Reaction {
    this.requests.push(request);
    const { faults } = this;
    const fault = typeof faults === "function" ? faults(request, this.requests.length - 1) : faults.shift();
    const whole = (answer: ServerAnswer): Reaction => ({ answer, ending: "whole" });
    switch (fault?.kind) {
      case "status":
        return whole({
          ...(fault.page
            ? html(fault.status, "Just a moment...")
            : json(fault.status, { status: fault.status, message: fault.message ?? "No" })),
          ...(fault.retryAfter !== undefined && {
            headers: { "content-type": "application/json", "retry-after": fault.retryAfter },
          }),
        });
      case "too_large":
        return whole(request.body.length > fault.octets ? html(413, "request entity too large") : this.#answer(request));
      case "fail_after":
        this.state.failAfter = fault.stored;
        return whole(this.#answer(request));
      case "silent":
        return { ending: "silent" };
      case "silent_after_storing":
        this.#answer(request);
        return { ending: "silent" };
      case "page":
        return whole(html(200, "Just a moment..."));
      case "empty_array":
        return whole(json(200, []));
      case "empty_array_after_storing":
        this.#answer(request);
        return whole(json(200, []));
      case "slow_body":
      case "endless_body":
        return { answer: this.#answer(request), ending: fault.kind };
      case "closed":
        return { ending: "closed" };
      case "closed_after_storing":
        this.#answer(request);
        return { ending: "closed" };
      case "redirect":
        return whole({ status: fault.status, headers: { location: fault.location }, body: "" });
      case undefined:
        return whole(this.#answer(request));
    }
  }

  #answer(request: ServerRequest): ServerAnswer {
    try {
      return this.#route(request);
    } catch (error) {
      if (error instanceof Answered) return error.answer;
      throw error;
    }
  }

  #route(request: ServerRequest): ServerAnswer {
    const { httpsOnly = true, apis = ["v1", "v3"], basePath = "" } = this.#options;
    if (httpsOnly && request.protocol === "http")
      return {
        status: 307,
        headers: { location: `https://${request.host}${request.path}${request.query.size > 0 ? `?${request.query}` : ""}` },
        body: "",
      };
    if (!request.path.startsWith(`${basePath}/`)) return html(404);
    const path = request.path.slice(basePath.length);
    if (path === "/api/versions") {
      const versions = { v1: "1.0.0", v3: "3.0.3-alpha" };
      return json(200, [...apis.map((api) => ({ version: versions[api], url: `/api/${api}` })), { version: "2.0.0", url: "/api/v2" }]);
    }
    const login = /^\/api\/v2\/authorization\/request\/(.+)$/.exec(path)?.[1];
    if (login !== undefined) {
      const found = this.auth.login(login);
      return found ? json(200, found) : json(401, { status: 401, message: "Unauthorized", description: "Invalid/Missing" });
    }
    const v3 = apis.includes("v3") ? /^\/api\/v3(\/.*)?$/.exec(path) : null;
    if (v3) return answerV3(this.state, request, v3[1] ?? "", () => this.auth.resolveV3(request));
    const v1 = apis.includes("v1") ? /^\/api\/v[12](\/.*)$/.exec(path) : null;
    if (!v1) return html(404);
    let body: unknown;
    try {
      body = request.body === "" ? undefined : JSON.parse(request.body);
    } catch {
      return html(400, "SyntaxError: Unexpected end of JSON input");
    }
    return answerV1(this.state, request, v1[1]!, this.auth.resolve(request, body), body);
  }
}

function never(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/** Begins, and then waits for ever, or goes on for ever. */
function stream(body: string, isEndless: boolean): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let begun = false;
  return new ReadableStream({
    pull(controller) {
      if (!begun) controller.enqueue(encoder.encode(body.slice(0, 1)));
      else if (isEndless) controller.enqueue(encoder.encode(" ".repeat(1024 * 1024)));
      else return new Promise(() => undefined);
      begun = true;
      return undefined;
    },
  });
}
