import { type Context, Hono } from "hono";
import type { Logger } from "jelling/core";
import type { WallClock } from "../live/state.ts";
import type { TherapyView } from "../store/view.ts";
import type { PageGuard, RequestOrigin } from "./guard.ts";
import type { PageState } from "./page-data.ts";
import type { PageFile } from "./page-files.ts";
import { pageSummary } from "./page-summary.ts";
import { pageView } from "./page-view.ts";

const DAY_MS = 24 * 3600_000;
/** The longest span that is asked for at once. */
export const LONGEST_SPAN_MS = 35 * DAY_MS;
export const MOST_DAYS = 90;
/** A summary reads weeks; it is the same for a while. */
const SUMMARY_KEPT_MS = 60_000;
const LATEST_MS = Date.UTC(2200, 0, 1);

export interface PageAppParts {
  readonly guard: PageGuard;
  readonly files: ReadonlyMap<string, PageFile>;
  readonly view: () => TherapyView | undefined;
  readonly state: () => PageState;
  readonly wallClock: WallClock;
  readonly logger: Logger;
}

// Nothing from elsewhere, nothing inline, nothing framed. `connect-src 'self'` covers the socket.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADERS = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Frame-Options": "DENY",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};
const LOST = "Open the whole address that the program printed: it ends with a token.";

/** The page's requests: its files to whoever asks for them by their path, data to who has shown the token. */
export function createPageApp({ guard, files, view, state, wallClock, logger }: PageAppParts): Hono {
  const app = new Hono();
  const summaries = new Map<number, { atMs: number; newestMs: number | undefined; json: string }>();

  app.use(async (context, next) => {
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    const refusal = guard.refusal(originOf(context));
    if (refusal !== undefined) return context.text(refusal, 403);
    await next();
  });
  app.onError((error, context) => {
    logger.error(() => `a request of the page failed: ${error.name}`);
    return context.json({ error: "The program could not answer; its log says more." }, 500, HEADERS);
  });
  app.notFound((context) => context.text(LOST, 404));

  const page = new Hono();
  page.use("/api/*", async (context, next) => {
    context.header("Cache-Control", "no-store");
    if (context.req.path.endsWith("/api/session")) return next();
    if (!guard.knows(context.req.header("Cookie"))) return context.json({ error: LOST }, 401);
    return next();
  });
  page.post("/api/session", (context) => {
    if (!guard.opens(context.req.header("Authorization"))) return context.json({ error: LOST }, 401);
    context.header("Set-Cookie", guard.setCookie);
    return context.body(null, 204);
  });
  page.get("/api/state", (context) => context.json(state()));
  page.get("/api/view", (context) => {
    const [fromMs, toMs] = [instant(context.req.query("from")), instant(context.req.query("to"))];
    if (fromMs === undefined || toMs === undefined || toMs <= fromMs)
      return context.json({ error: "from and to: expected milliseconds since 1970, from before to" }, 400);
    if (toMs - fromMs > LONGEST_SPAN_MS) return context.json({ error: `from and to: at most ${LONGEST_SPAN_MS / DAY_MS} days apart` }, 400);
    const known = view();
    return known ? context.json(pageView(known, { fromMs, toMs })) : context.json({ error: "There is no history yet." }, 404);
  });
  page.get("/api/summary", (context) => {
    const text = context.req.query("days") ?? "14";
    const days = Number(text);
    if (!/^\d{1,2}$/.test(text) || days < 1 || days > MOST_DAYS)
      return context.json({ error: `days: expected a whole number from 1 to ${MOST_DAYS}` }, 400);
    const known = view();
    if (!known) return context.json({ error: "There is no history yet." }, 404);
    const kept = summaries.get(days);
    const nowMs = wallClock();
    const isFresh = kept && kept.newestMs === known.newestMs && Math.abs(nowMs - kept.atMs) < SUMMARY_KEPT_MS;
    const json = isFresh ? kept.json : JSON.stringify(pageSummary(known, nowMs, days));
    if (!isFresh) summaries.set(days, { atMs: nowMs, newestMs: known.newestMs, json });
    return context.body(json, 200, { "Content-Type": "application/json" });
  });
  page.all("/api/*", (context) => context.json({ error: "There is no such thing to ask for." }, 404));
  page.get("/*", (context) => {
    const file = files.get(context.req.path.slice(guard.path.length + 1) || "index.html");
    return file ? fileResponse(context, file) : context.text(LOST, 404);
  });

  app.get(guard.path, (context) => context.redirect(`${guard.path}/`));
  app.route(guard.path, page);
  return app;
}

function fileResponse(context: Context, { type, content, zipped, isHashed }: PageFile): Response {
  context.header("Content-Type", type);
  context.header("Cache-Control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
  context.header("Vary", "Accept-Encoding");
  if (!/\bgzip\b/.test(context.req.header("Accept-Encoding") ?? "")) return context.body(content);
  context.header("Content-Encoding", "gzip");
  return context.body(zipped);
}

function originOf(context: Context): RequestOrigin {
  const isNavigation = context.req.method === "GET" && context.req.header("Sec-Fetch-Mode") === "navigate";
  return {
    host: context.req.header("Host"),
    origin: context.req.header("Origin"),
    // A link somewhere may lead to the page itself: its files tell nothing, and its data asks for itself.
    fetchSite: isNavigation ? undefined : context.req.header("Sec-Fetch-Site"),
  };
}

/** Milliseconds since 1970, of this century and the next. */
function instant(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,14}$/.test(text)) return undefined;
  const ms = Number(text);
  return ms <= LATEST_MS ? ms : undefined;
}
