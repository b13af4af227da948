import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a request says of where it comes from, whatever brought it: a page, a socket, a program. */
export interface RequestOrigin {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

const THIS_COMPUTER = ["127.0.0.1", "localhost", "[::1]"];
const COOKIE_AGE_S = 365 * 24 * 3600;

/**
 * Lets in who knows the token. The page lives below a path that follows from the token, and its cookie is for that path alone: cookies are not
 * kept apart by port, so that another server on this computer would be sent it otherwise.
 */
export class PageGuard {
  /** "/" and 16 hexadecimal digits. */
  readonly path: string;
  readonly #token: string;
  readonly #cookie: string;
  readonly #hosts: ReadonlySet<string>;

  constructor(token: string, host: string, allowedHosts: readonly string[]) {
    this.#token = token;
    this.path = `/${derived(token, "path").slice(0, 16)}`;
    this.#cookie = derived(token, "cookie");
    const own = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    this.#hosts = new Set([...THIS_COMPUTER, own, ...allowedHosts].map((name) => name.toLowerCase()));
  }

  /**
   * Why a request is refused whoever sends it; undefined: it may go on. A foreign name that leads here is DNS rebinding; a foreign origin is
   * another page that the user has open.
   */
  refusal({ host, origin, fetchSite }: RequestOrigin): string | undefined {
    const name = host?.toLowerCase().replace(/:\d+$/, "");
    if (name === undefined || !this.#hosts.has(name)) return "This page is not to be had under that name.";
    if (origin !== undefined && hostOf(origin) !== host!.toLowerCase()) return "Asked for by another page.";
    if (fetchSite !== undefined && fetchSite !== "same-origin" && fetchSite !== "none") return "Asked for by another page.";
    return undefined;
  }

  /** Whether an Authorization header has the token. */
  opens(authorization: string | undefined): boolean {
    const given = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
    return given !== undefined && isSame(given, this.#token);
  }

  /** Whether a Cookie header has ours. */
  knows(cookies: string | undefined): boolean {
    return (cookies ?? "").split(";").some((cookie) => {
      const [name, value] = cookie.trim().split("=");
      return name === this.#cookieName && value !== undefined && isSame(value, this.#cookie);
    });
  }

  get setCookie(): string {
    return `${this.#cookieName}=${this.#cookie}; Path=${this.path}/; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_AGE_S}`;
  }

  get #cookieName(): string {
    return `jelling-page-${this.path.slice(1, 7)}`;
  }
}

/** "http://127.0.0.1:8377" is of "127.0.0.1:8377"; what is no http address is of nobody. */
function hostOf(origin: string): string | undefined {
  return /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase())?.[1];
}

/** A secret of the page that the token gives and that does not give the token: the same in every run with the same one. */
function derived(token: string, use: string): string {
  return createHmac("sha256", token).update(`jelling page ${use}`).digest("hex");
}

/** In a time that does not depend on where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
