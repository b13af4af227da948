import { createHash } from "node:crypto";
import { ArgumentError, kindOf } from "jelling/core";
import { sha1Hex } from "./identifier.ts";

/** A site, and who may write to it. */
export interface NightscoutSiteOptions {
  /** Its address; a path and slashes at the end may be there, as may `?token=`. */
  readonly url: string;
  /** The site's API secret as its owner knows it. What is sent is its SHA-1. It may do everything: a token is better. */
  readonly secret?: string | undefined;
  /** An access token of the site's administration, "jelling-0123456789abcdef". */
  readonly token?: string | undefined;
}

const SHORTEST_SECRET = 12;

/** Address and credentials. Inspected or logged it shows the host alone. */
export class NightscoutSite {
  readonly #base: URL;
  readonly #secret: string | undefined;
  readonly #token: string | undefined;
  readonly #isPlainHttp: boolean;

  /** @throws {ArgumentError} which never repeats what was given */
  constructor({ url, secret, token }: NightscoutSiteOptions) {
    const base = parsed(url);
    const ofUrl = base.searchParams.get("token") ?? undefined;
    const others = [...base.searchParams.keys()].filter((name) => name !== "token");
    if (others.length > 0) throw new ArgumentError("site: url: expected an address without a query, but for a token");
    const given = [secret, token, ofUrl].filter((one) => one !== undefined);
    if (given.length !== 1) throw new ArgumentError("site: expected either a secret or a token");
    for (const one of given)
      if (typeof one !== "string" || !/^[\x21-\x7e\u00a0-\uffff]+( +[\x21-\x7e\u00a0-\uffff]+)*$/.test(one))
        throw new ArgumentError(`site: secret or token: expected text without blanks around it, got ${kindOf(one)}`);
    if (secret !== undefined && secret.length < SHORTEST_SECRET)
      throw new ArgumentError(`site: secret: a site takes none shorter than ${SHORTEST_SECRET} characters`);
    base.search = "";
    base.hash = "";
    base.pathname = base.pathname.replace(/\/+$/, "");
    this.#base = base;
    this.#isPlainHttp = base.protocol === "http:" && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(base.hostname);
    this.#secret = secret;
    this.#token = token ?? ofUrl;
  }

  get host(): string {
    return this.#base.host;
  }
  /** Its address begins with http, and it is not this computer's own. It is so also where the site sent to https: the first request was readable. */
  get isPlainHttp(): boolean {
    return this.#isPlainHttp;
  }
  get token(): string | undefined {
    return this.#token;
  }

  /** For the header `api-secret`, which takes a token too: so it stands in no address. */
  get apiSecret(): string {
    return this.#secret === undefined ? this.#token! : sha1Hex(this.#secret);
  }

  /** @param path from "/api" on */
  url(path: string): URL {
    const [pathname, query = ""] = path.split("?");
    const url = new URL(this.#base);
    url.pathname = this.#base.pathname.replace(/\/+$/, "") + pathname!;
    url.search = query;
    return url;
  }

  /** The site sent to https: from now on it is asked there. */
  moveTo(url: URL): void {
    this.#base.protocol = url.protocol;
    this.#base.port = url.port;
  }

  /** By which a ledger knows it, together with a pump. Where it is does not show, nor whether it was asked by https. */
  ledgerName(pump: string): string {
    const { hostname, pathname } = this.#base;
    return createHash("sha256")
      .update(`${hostname}${pathname.replace(/\/+$/, "")}\n${pump}`)
      .digest("hex")
      .slice(0, 16);
  }

  /** Text of a site without what is secret, cut to a line. */
  redact(text: string): string {
    const secrets = [this.#secret, this.#token, this.apiSecret, this.#token && sha1Hex(this.#token)].filter((one) => one !== undefined);
    let shown = text;
    for (const secret of secrets) shown = shown.replaceAll(secret, "···");
    return shown
      .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "···") // a JWT
      .replace(/\b(token|secret)=[^&\s]+/gi, "$1=···")
      .replace(/[\p{Cc}\s]+/gu, " ")
      .slice(0, 160);
  }

  toJSON(): { host: string } {
    return { host: this.host };
  }
}

function parsed(url: unknown): URL {
  if (typeof url !== "string") throw new ArgumentError(`site: url: expected an address, got ${kindOf(url)}`);
  let base: URL;
  try {
    base = new URL(url.trim());
  } catch {
    throw new ArgumentError("site: url: expected an address such as https://example.org"); // without the cause, which repeats it
  }
  if (base.protocol !== "https:" && base.protocol !== "http:")
    throw new ArgumentError("site: url: expected an address that begins with https:// or http://");
  if (base.username !== "" || base.password !== "") throw new ArgumentError("site: url: expected an address without a user and a password");
  return base;
}
