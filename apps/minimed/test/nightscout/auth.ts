import { createHash, createHmac } from "node:crypto";
import { Answered, type Document, json, type ServerRequest } from "./http.ts";

const ROLES: Readonly<Record<string, readonly string[]>> = {
  admin: ["*"],
  denied: [],
  "status-only": ["api:status:read"],
  readable: ["*:*:read"],
  careportal: ["api:treatments:create"],
  "devicestatus-upload": ["api:devicestatus:create"],
  activity: ["api:activity:create"],
};

const sha = (algorithm: string, text: string): string => createHash(algorithm).update(text, "utf8").digest("hex");
const TOKEN_LIFE_S = 8 * 3600;

export interface Subject {
  readonly name: string;
  readonly token: string;
  readonly permissions: readonly string[];
}

/** Who asks, and what they may. */
export interface Caller {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly isKnown: boolean;
  readonly isSecret: boolean;
}

export interface AuthOptions {
  readonly secret: string;
  readonly defaultRoles: readonly string[];
  readonly now: () => number;
}

/** Credentials and rights, of v1 and v3. */
export class Auth {
  readonly #options: AuthOptions;
  readonly subjects: Subject[] = [];
  /** Refused logins; each makes the next request of the same address wait five seconds longer. */
  failures = 0;
  delayMs = 0;
  #key = 1;

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** A subject with rights such as "api:entries:create" or a role's name. */
  addToken(name: string, rights: readonly string[]): string {
    const token = `${name.toLowerCase().replace(/\W/g, "").slice(0, 10)}-${sha("sha1", `${name}/${this.#options.secret}`).slice(0, 16)}`;
    this.subjects.push({ name, token, permissions: rights.flatMap((right) => ROLES[right] ?? [right]) });
    return token;
  }

  /** As a redeploy does: JWTs made before are void. */
  changeKey(): void {
    this.#key++;
  }

  #defaults(): string[] {
    return this.#options.defaultRoles.flatMap((role) => [...(ROLES[role] ?? [role])]);
  }

  #caller(subject: Subject): Caller {
    return { name: subject.name, permissions: [...subject.permissions, ...this.#defaults()], isKnown: true, isSecret: false };
  }

  #isSecret(candidate: string): boolean {
    const { secret } = this.#options;
    return candidate.toLowerCase() === sha("sha1", secret) || candidate === sha("sha512", secret);
  }

  /** Of an access token only the part behind the name is compared. */
  #bySubject(candidate: string): Subject | undefined {
    const digits = /-([0-9a-f]{16,})$/.exec(candidate)?.[1];
    return this.subjects.find(
      ({ token }) => (digits !== undefined && token.endsWith(`-${digits}`)) || sha("sha1", token) === candidate.toLowerCase(),
    );
  }

  #signature(payload: string): string {
    return createHmac("sha256", `${this.#options.secret}/${this.#key}`).update(payload).digest("base64url");
  }

  #byJwt(jwt: string): Subject | undefined {
    const [header, payload, signature] = jwt.split(".");
    if (!payload || signature !== this.#signature(`${header}.${payload}`)) return undefined;
    const { accessToken, exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { accessToken: string; exp: number };
    return exp * 1000 > this.#options.now() ? this.subjects.find(({ token }) => token === accessToken) : undefined;
  }

  /** @throws {Answered} 401 for a wrong secret or Bearer; a wrong `?token=` counts as none */
  resolve(request: ServerRequest, body: unknown): Caller {
    const first = (Array.isArray(body) ? body[0] : body) as Document | null | undefined;
    const ofBody = (name: string): string | undefined => (typeof first?.[name] === "string" ? (first[name] as string) : undefined);
    const secret = request.query.get("secret") ?? request.headers["api-secret"] ?? ofBody("secret");
    if (first && typeof first === "object") {
      delete first.secret;
    }
    const anonymous: Caller = { name: "", permissions: this.#defaults(), isKnown: false, isSecret: false };
    if (secret !== undefined) {
      if (this.#isSecret(secret)) return this.#success({ name: "admin", permissions: ["*"], isKnown: true, isSecret: true });
      const subject = this.#bySubject(secret);
      if (subject) return this.#success(this.#caller(subject));
      return this.#failed();
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (bearer !== undefined) {
      const subject = this.#byJwt(bearer);
      return subject ? this.#success(this.#caller(subject)) : this.#failed();
    }
    const token = request.query.get("token") ?? ofBody("token");
    const subject = token === undefined ? undefined : (this.#bySubject(token) ?? this.#byJwt(token));
    return subject ? this.#caller(subject) : anonymous;
  }

  #success(caller: Caller): Caller {
    this.delayMs = 0;
    return caller;
  }

  #failed(): never {
    this.failures++;
    this.delayMs += 5000;
    throw unauthorized();
  }

  /** v3 takes a JWT and nothing else. @throws {Answered} */
  resolveV3(request: ServerRequest): Caller {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
    if (bearer === undefined) throw new Answered(json(401, { status: 401, message: "Missing or bad access token or JWT" }));
    const subject = this.#byJwt(bearer);
    if (subject) return this.#success(this.#caller(subject));
    this.failures++;
    this.delayMs += 5000;
    throw new Answered(json(401, { status: 401, message: "Bad access token or JWT" }));
  }

  /** `GET /api/v2/authorization/request/<token>`. */
  login(path: string): Document | undefined {
    const subject = this.#bySubject(decodeURIComponent(path).replace(/^token=/, ""));
    if (!subject) return undefined;
    const iat = Math.floor(this.#options.now() / 1000);
    const exp = iat + TOKEN_LIFE_S;
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const payload = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ accessToken: subject.token, iat, exp })}`;
    const token = `${payload}.${this.#signature(payload)}`;
    return { token, sub: subject.name, permissionGroups: [subject.permissions, this.#defaults()], iat, exp };
  }
}

export function unauthorized(): Answered {
  return new Answered(json(401, { status: 401, message: "Unauthorized", description: "Invalid/Missing" }));
}

export function may({ permissions }: Caller, wanted: string): boolean {
  const parts = wanted.split(":");
  return permissions.some((permission) => {
    const given = permission.split(":");
    return parts.every((part, i) => given[i] === undefined || given[i] === "*" || given[i]!.split(",").includes(part));
  });
}
