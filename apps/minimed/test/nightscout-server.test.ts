import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Document } from "./nightscout/http.ts";
import { dateOfV3 } from "./nightscout/v3.ts";
import { NightscoutServer, type NightscoutServerOptions, SECRET, SITE } from "./nightscout-server.ts";

// What is known of the real server, asked of ours.

const T = 1_774_751_400_000; // 2026-03-29T02:30:00.000Z
const SHA1 = "4d1fb968eec85ec87bf7b83b7494ad3cdea5795b";
const E = { type: "sgv", sgv: 112, date: T };
const unauthorized = { status: 401, message: "Unauthorized", description: "Invalid/Missing" };

const open = (options: NightscoutServerOptions = {}): NightscoutServer =>
  new NightscoutServer({ isStrict: false, now: () => T + 60_000, ...options });

async function ask(
  server: NightscoutServer,
  method: string,
  path: string,
  { body, headers = { "api-secret": SHA1 } }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; type: string; body: unknown; headers: Headers }> {
  const response = await server.fetch(`${SITE}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const type = response.headers.get("content-type") ?? "";
  const text = await response.text();
  return { status: response.status, type, body: /json/.test(type) ? JSON.parse(text) : text, headers: response.headers };
}

/** Sends one document, and gives what is stored. */
async function stored(collection: string, document: object, server = open()): Promise<Document[]> {
  const { status } = await ask(server, "POST", `/api/v1/${collection}`, { body: [document] });
  expect(status).toBe(200);
  return server.documents(collection);
}

describe("v1 entries", () => {
  test.each([
    [
      { date: T, dateString: "2026-03-29T04:30:00+02:00" },
      "2026-03-29T02:30:00.000Z",
      { dateString: "2026-03-29T02:30:00.000Z", utcOffset: 120 },
    ],
    [{ date: T }, "2026-03-29T02:30:00.000Z", { utcOffset: 0 }],
    [{ date: T, dateString: "2026-03-29T04:30:00" }, "2026-03-29T04:30:00.000Z", { date: T }],
    [{ date: T, dateString: "29/03/2026" }, null, { dateString: null, utcOffset: null }],
    [{ date: 1_774_751_400 }, "1970-01-21T12:59:11.400Z", {}],
    [{ date: "1774751400000" }, null, {}],
  ])("%j has the key %s", async (times, sysTime, fields) => {
    const [entry] = await stored("entries", { type: "sgv", sgv: 100, ...times });
    expect(entry).toMatchObject({ sysTime, ...fields });
  });

  test("the key is the time and the type: fields are merged, nothing else counts; without a key each change is another document", async () => {
    const server = open();
    await stored("entries", { ...E, device: "a", identifier: "1", noise: 1 }, server);
    expect(await stored("entries", { ...E, sgv: 113, device: "b", identifier: "2" }, server)).toMatchObject([
      { sgv: 113, device: "b", noise: 1, identifier: "2" },
    ]);
    expect(await stored("entries", { type: "mbg", mbg: 100, date: T }, server)).toHaveLength(2);
    expect(await stored("entries", { ...E, date: T + 1000 }, server)).toHaveLength(3);
    const { type: _type, ...untyped } = E;
    await stored("entries", untyped, server);
    await stored("entries", untyped, server);
    expect(await stored("entries", { ...untyped, sgv: 1 }, server)).toHaveLength(5);
  });

  test("what a POST answers", async () => {
    const server = open();
    const post = async (body: unknown, path = "/api/v1/entries"): Promise<unknown> => {
      const { status, body: answer } = await ask(server, "POST", path, { body });
      return [status, answer];
    };
    expect(await post({ type: "sgv", sgv: 1 })).toEqual([200, []]);
    expect(await post([])).toEqual([200, []]);
    expect(await post(E)).toEqual([
      200,
      [{ ...E, utcOffset: 0, sysTime: "2026-03-29T02:30:00.000Z", _id: expect.stringMatching(/^[0-9a-f]{24}$/) }],
    ]);
    // Of one that was replaced there is no _id.
    expect(await post([E])).toEqual([200, [{ ...E, utcOffset: 0, sysTime: "2026-03-29T02:30:00.000Z" }]]);
    expect(await ask(server, "POST", "/api/v1/entries", { body: "[{" })).toMatchObject({
      status: 400,
      type: expect.stringContaining("html"),
    });
    expect(await post([{ ...E, date: T + 1 }], "/api/v1/entries/preview")).toEqual([200, [{ ...E, date: T + 1 }]]);
    expect(server.documents("entries")).toHaveLength(1);
    expect(await ask(server, "DELETE", "/api/v1/entries/*?count=1")).toMatchObject({
      status: 200,
      body: { acknowledged: true, deletedCount: 1 },
    });
  });

  test("GET: newest first, ten, the last four days without a date, text unless JSON is asked for", async () => {
    const server = open();
    for (let i = 0; i < 20; i++) await stored("entries", { ...E, date: T - i * 300_000 }, server);
    await stored("entries", { ...E, date: T - 5 * 86_400_000 }, server);
    const dates = async (query: string): Promise<number[]> =>
      ((await ask(server, "GET", `/api/v1/entries${query}`)).body as Document[]).map(({ date }) => date as number);
    expect(await dates(".json")).toEqual(Array.from({ length: 10 }, (_, i) => T - i * 300_000));
    expect(await dates(".json?count=100")).toHaveLength(20);
    expect(await dates("/current.json")).toEqual([T]);
    expect(await dates(`.json?find[date][$gte]=${T - 300_000}`)).toEqual([T, T - 300_000]);
    expect(await dates(`.json?find[date][$lt]=${T - 86_400_000}`)).toEqual([T - 5 * 86_400_000]);
    expect(await dates("/mbg.json")).toEqual([]);
    expect((await ask(server, "GET", "/api/v1/entries", { headers: { accept: "*/*" } })).type).toContain("text/plain");
    expect((await ask(server, "GET", "/api/v1/entries", { headers: { accept: "application/json" } })).type).toContain("json");
    const id = ((await ask(server, "GET", "/api/v1/entries/current.json")).body as Document[])[0]!._id as string;
    expect(await dates(`/${id}.json`)).toEqual([T]);
  });

  test("markup goes", async () => {
    expect(await stored("entries", { ...E, device: "<b>x</b>" })).toMatchObject([{ device: "x" }]);
  });
});

describe("v1 treatments", () => {
  const meal = { eventType: "Meal Bolus", created_at: "2026-03-29T02:30:00+02:00" };
  const at0030 = "2026-03-29T00:30:00.000Z";

  test("numbers are read, what is none or 0 goes without a word", async () => {
    const [first] = await stored("treatments", { ...meal, insulin: "3.5", carbs: 40, notes: "", glucose: 0, units: "mg/dl", duration: 0 });
    expect(first).toEqual({
      eventType: "Meal Bolus",
      created_at: at0030,
      utcOffset: 120,
      insulin: 3.5,
      carbs: 40,
      duration: 0,
      _id: expect.anything(),
    });
    expect((await stored("treatments", { ...meal, insulin: "1,5" }))[0]).not.toHaveProperty("insulin");
    const temp = { eventType: "Temp Basal", created_at: at0030 };
    expect(await stored("treatments", { ...temp, absolute: 0, duration: 30 })).toMatchObject([{ absolute: 0, duration: 30 }]);
    const [nulled] = await stored("treatments", { ...temp, absolute: null, percent: 0 });
    expect(nulled).toMatchObject({ absolute: 0 });
    expect(nulled).not.toHaveProperty("percent");
    expect(await stored("treatments", { eventType: "Announcement", created_at: at0030, notes: "x" })).toMatchObject([
      { isAnnouncement: true },
    ]);
  });

  test("the key: identifier, else _id, else time and type; the match is replaced whole", async () => {
    const server = open();
    await stored("treatments", { ...meal, identifier: "abc", carbs: 1, notes: "n" }, server);
    const [replaced] = await stored("treatments", { ...meal, identifier: "abc", created_at: "2026-03-29T05:00:00Z", carbs: 2 }, server);
    expect(replaced).toMatchObject({ carbs: 2, created_at: "2026-03-29T05:00:00.000Z" });
    expect(replaced).not.toHaveProperty("notes");
    expect(await stored("treatments", { ...meal, _id: "pump-1-77" }, server)).toMatchObject([{}, { identifier: "pump-1-77" }]);
    await stored("treatments", { ...meal, carbs: 3 }, server);
    expect(await stored("treatments", { ...meal, carbs: 4 }, server)).toHaveLength(2); // the one of 00:30
    expect(await stored("treatments", { created_at: meal.created_at }, server)).toHaveLength(3);
    const answer = (await ask(server, "POST", "/api/v1/treatments", { body: [{ ...meal, identifier: "abc" }] })).body as Document[];
    expect(answer[0]!._id).toBe(server.documents("treatments")[0]!._id);
  });

  test("times: eventTime wins and dies of junk, what cannot be read is now", async () => {
    const created_at = at0030;
    expect(await stored("treatments", { eventType: "Note", created_at, eventTime: "2026-03-28T10:00:00+01:00" })).toMatchObject([
      { created_at: "2026-03-28T09:00:00.000Z", utcOffset: 0 },
    ]);
    for (const bad of ["1774751400000", "29/03/2026 02:30", undefined])
      expect(await stored("treatments", { eventType: "Note", created_at: bad })).toMatchObject([
        { created_at: "2026-03-29T02:31:00.000Z" },
      ]);
    const junk = await ask(open(), "POST", "/api/v1/treatments", { body: [{ eventType: "Note", created_at, eventTime: "junk" }] });
    expect(junk).toMatchObject({ status: 500, type: expect.stringContaining("html") });
  });

  test("preBolus makes two of one", async () => {
    const [first, second] = await stored("treatments", {
      eventType: "Meal Bolus",
      created_at: "2026-03-29T02:30:00Z",
      insulin: 2,
      carbs: 30,
      preBolus: 15,
    });
    expect(first).toMatchObject({ insulin: 2, created_at: "2026-03-29T02:30:00.000Z" });
    expect(first).not.toHaveProperty("carbs");
    expect(second).toMatchObject({ carbs: 30, created_at: "2026-03-29T02:45:00.000Z" });
  });

  test("GET shows carbs and insulin as null, and finds by time and text", async () => {
    const server = open();
    await stored("treatments", { eventType: "Note", created_at: "2026-03-29T01:00:00Z", notes: "one" }, server);
    await stored("treatments", { eventType: "Temp Basal", created_at: "2026-03-29T02:00:00Z" }, server);
    const find = async (query: string): Promise<unknown> => (await ask(server, "GET", `/api/v1/treatments.json?${query}`)).body;
    expect(await find("find[eventType]=/Temp Basal/")).toMatchObject([{ eventType: "Temp Basal", carbs: null, insulin: null }]);
    expect(await find("find[created_at][$lte]=2026-03-29T03:00:00+02:00")).toMatchObject([{ notes: "one" }]);
    expect((await ask(server, "GET", "/api/v1/treatments.json?find[created_at][$lte]=junk")).status).toBe(500);
  });

  test("without careportal there is no way to write them", async () => {
    const server = open({ careportal: false });
    expect((await ask(server, "POST", "/api/v1/treatments", { body: [meal] })).status).toBe(404);
    expect((await ask(server, "GET", "/api/v1/treatments.json")).status).toBe(200);
  });
});

test("v1 device status and profile: each POST is one more; an _id that is none is refused", async () => {
  const server = open();
  const status = { device: "x", created_at: "2026-03-29T04:30:00+02:00", pump: {} };
  await stored("devicestatus", status, server);
  expect(await stored("devicestatus", status, server)).toMatchObject([{}, { created_at: "2026-03-29T02:30:00.000Z", utcOffset: 120 }]);
  const refused = await ask(server, "POST", "/api/v1/devicestatus", { body: [{ ...status, _id: "zz" }] });
  expect(refused).toMatchObject({ status: 400, body: { message: "Invalid _id format" } });
  await stored("profile", { defaultProfile: "a", startDate: "2026-03-29T00:00:00Z" }, server);
  expect((await ask(server, "GET", "/api/v1/profile/current")).body).toMatchObject([{ defaultProfile: "a" }]);
});

describe("credentials", () => {
  const post = async (server: NightscoutServer, query = "", headers: Record<string, string> = {}, body: unknown = [E]): Promise<number> =>
    (await ask(server, "POST", `/api/v1/entries${query}`, { body, headers })).status;

  test("what is taken by v1, and what is not", async () => {
    const server = open();
    const token = server.addToken("Jelling!", ["api:*:read", "api:entries:create"]);
    expect(token).toMatch(/^jelling-[0-9a-f]{16}$/);
    const sha = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest("hex");
    const jwt = ((await ask(server, "GET", `/api/v2/authorization/request/${token}`)).body as { token: string }).token;
    for (const [query, headers, body] of [
      ["", { "api-secret": SHA1 }],
      ["", { "api-secret": SHA1.toUpperCase() }],
      ["", { "api-secret": sha("sha512", SECRET) }],
      [`?secret=${SHA1}`, {}],
      ["", {}, [{ ...E, secret: SHA1 }]],
      [`?token=${token}`, {}],
      ["", {}, [{ ...E, token }]],
      ["", { "api-secret": token }],
      ["", { "api-secret": sha("sha1", token) }],
      ["", { authorization: `Bearer ${jwt}` }],
      [`?token=${jwt}`, {}],
    ] as [string, Record<string, string>, unknown?][])
      expect(await post(server, query, headers, body ?? [E])).toBe(200);
    expect(server.documents("entries").some((entry) => "secret" in entry)).toBe(false);
    expect(server.auth.failures).toBe(0);
    for (const [query, headers] of [
      ["", { "api-secret": SECRET }],
      ["", { authorization: "Bearer abc" }],
      ["?secret=abc", { "api-secret": SHA1 }], // the query wins
    ] as [string, Record<string, string>][])
      expect(await post(server, query, headers)).toBe(401);
    expect([server.auth.failures, server.auth.delayMs]).toEqual([3, 15_000]);
    // No credential at all, and a token that is wrong, are one and cost nothing.
    expect([await post(server), await post(server, "?token=jelling-0000000000000000")]).toEqual([401, 401]);
    expect(server.auth.failures).toBe(3);
    expect((await ask(server, "GET", "/api/v1/entries.json?token=x-0000000000000000", { headers: {} })).status).toBe(200);
    expect(await post(server, "", { "api-secret": SHA1 })).toBe(200);
    expect(server.auth.delayMs).toBe(0);
    expect(await ask(server, "POST", "/api/v1/treatments", { body: [{}], headers: { "api-secret": token } })).toMatchObject({
      status: 401,
      body: unauthorized,
    });
  });

  test("v1 wants read before write", async () => {
    const server = open({ defaultRoles: ["denied"] });
    const token = server.addToken("writer", ["api:entries:create"]);
    expect(await post(server, "", { "api-secret": token })).toBe(401);
    const both = server.addToken("both", ["api:entries:create,read"]);
    expect(await post(server, "", { "api-secret": both })).toBe(200);
  });

  test("verifyauth: a narrow token is told that it cannot write", async () => {
    const server = open();
    const token = server.addToken("narrow", ["api:entries:create"]);
    const verify = async (headers: Record<string, string>): Promise<unknown> =>
      ((await ask(server, "GET", "/api/v1/verifyauth", { headers })).body as { message: unknown }).message;
    expect(await verify({ "api-secret": SHA1 })).toEqual({
      canRead: true,
      canWrite: true,
      isAdmin: true,
      message: "OK",
      rolefound: "NOTFOUND",
      permissions: "ROLE",
    });
    expect(await verify({})).toEqual({
      canRead: true,
      canWrite: false,
      isAdmin: false,
      message: "UNAUTHORIZED",
      rolefound: "NOTFOUND",
      permissions: "DEFAULT",
    });
    expect(await verify({ "api-secret": token })).toMatchObject({ canWrite: false });
  });

  test("a login gives a JWT of eight hours, by which the key can be changed", async () => {
    let nowMs = T;
    const server = open({ now: () => nowMs });
    const token = server.addToken("jelling", ["readable"]);
    for (const prefix of ["", "token="]) {
      const { status, body } = await ask(server, "GET", `/api/v2/authorization/request/${prefix}${token}`, { headers: {} });
      expect(status).toBe(200);
      expect(body).toMatchObject({ sub: "jelling", iat: T / 1000, exp: T / 1000 + 28_800 });
    }
    expect(await ask(server, "GET", "/api/v2/authorization/request/x-0000000000000000", { headers: {} })).toMatchObject({
      status: 401,
      body: unauthorized,
    });
    const login = async (): Promise<Record<string, string>> => ({
      authorization: `bearer ${((await ask(server, "GET", `/api/v2/authorization/request/${token}`)).body as { token: string }).token}`,
    });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await ask(server, "GET", "/api/v3/status", { headers })).status;
    let headers = await login();
    expect(await status(headers)).toBe(200);
    server.auth.changeKey();
    expect(await status(headers)).toBe(401);
    headers = await login();
    nowMs += 8 * 3_600_000;
    expect(await status(headers)).toBe(401);
  });
});

test("status, versions, and plain HTTP", async () => {
  const server = open();
  expect((await ask(server, "GET", "/api/v1/status.json")).body).toMatchObject({
    status: "ok",
    serverTimeEpoch: T + 60_000,
    careportalEnabled: true,
  });
  expect((await ask(server, "GET", "/api/v1/status", { headers: { accept: "text/plain" } })).body).toBe("STATUS OK");
  expect((await ask(server, "GET", "/api/v1/status", { headers: { accept: "text/html" } })).type).toContain("html");
  expect(((await ask(server, "GET", "/api/versions")).body as Document[]).map(({ version }) => String(version)).toSorted()).toEqual([
    "1.0.0",
    "2.0.0",
    "3.0.3-alpha",
  ]);
  const response = await server.fetch("http://site.example/api/v1/status.json?a=b");
  expect([response.status, response.headers.get("location")]).toEqual([307, "https://site.example/api/v1/status.json?a=b"]);
});

describe("v3", () => {
  const B = { date: T, app: "jelling", device: "jelling://780G", utcOffset: 0 };
  const MEAL = { ...B, eventType: "Meal Bolus" };
  const ID = "e30240a3-ee21-5761-92fe-c2f2b9253f78";

  async function session(rights: readonly string[] = ["*:*:create,read,update,delete"], options: NightscoutServerOptions = {}) {
    const server = open({ defaultRoles: ["denied"], ...options });
    const token = server.addToken(`t${rights.length}`, rights);
    const jwt = ((await ask(server, "GET", `/api/v2/authorization/request/${token}`)).body as { token: string }).token;
    const headers = { authorization: `Bearer ${jwt}` };
    return {
      server,
      call: (method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
        ask(server, method, `/api/v3${path}`, { ...(body !== undefined && { body }), headers: { ...headers, ...more } }),
    };
  }

  test("without a JWT nothing but the version", async () => {
    const server = open();
    for (const headers of [{}, { "api-secret": SHA1 }])
      expect(await ask(server, "POST", "/api/v3/treatments", { body: MEAL, headers: headers as Record<string, string> })).toMatchObject({
        status: 401,
        body: { status: 401, message: "Missing or bad access token or JWT" },
      });
    expect((await ask(server, "GET", "/api/v3/version", { headers: {} })).status).toBe(200);
  });

  test("create, the same again, and what may not be changed", async () => {
    const { call } = await session();
    const first = await call("POST", "/treatments", MEAL);
    expect(first).toMatchObject({ status: 201, body: { status: 201, identifier: ID } });
    expect(first.headers.get("location")).toContain(ID);
    const again = await call("POST", "/treatments", { ...MEAL, insulin: 1 });
    expect(again).toMatchObject({ status: 200, body: { identifier: ID, isDeduplication: true } });
    expect(again.body).not.toHaveProperty("deduplicatedIdentifier");
    expect(await call("POST", "/treatments", { ...MEAL, utcOffset: 60 })).toMatchObject({
      status: 400,
      body: { message: "Field utcOffset cannot be modified by the client" },
    });
    expect((await call("PATCH", `/treatments/${ID}`, { insulin: 2 })).body).toEqual({ status: 200 });
    expect((await call("PATCH", `/treatments/${ID}`, { eventType: "Note" })).status).toBe(400);
    expect((await call("PUT", `/treatments/${ID}`, MEAL)).status).toBe(200);
    expect((await call("PUT", `/treatments/${ID}`, MEAL, { "if-unmodified-since": "Mon, 01 Jan 2018 00:00:00 GMT" })).status).toBe(412);
    expect((await call("PUT", "/treatments/new-one", MEAL)).status).toBe(201);
    expect(await call("GET", `/treatments/${ID}`)).toMatchObject({
      status: 200,
      body: { result: { identifier: ID, created_at: "2026-03-29T02:30:00.000Z" } },
    });
    expect((await call("GET", "/treatments/none")).body).toEqual({ status: 404 });
  });

  test("the deleted are gone, and come back", async () => {
    const { call } = await session();
    await call("POST", "/treatments", MEAL);
    expect((await call("DELETE", `/treatments/${ID}`)).status).toBe(200);
    for (const [method, body] of [["GET"], ["PUT", MEAL], ["PATCH", { insulin: 1 }]] as [string, object?][])
      expect((await call(method, `/treatments/${ID}`, body)).status).toBe(410);
    expect((await call("GET", "/treatments")).body).toMatchObject({ result: [] });
    expect((await call("GET", "/treatments/history/1")).body).toMatchObject({ result: [{ isValid: false }] });
    expect((await call("DELETE", `/treatments/${ID}`)).status).toBe(200);
    expect((await call("POST", "/treatments", { ...MEAL, utcOffset: 60 })).status).toBe(200);
    expect((await call("GET", `/treatments/${ID}`)).status).toBe(200);
    expect((await call("DELETE", "/treatments/none")).status).toBe(404);
  });

  test("rights are asked for by name", async () => {
    const { call } = await session(["api:treatments:create,read"]);
    expect((await call("POST", "/treatments", MEAL)).status).toBe(201);
    expect(await call("POST", "/treatments", MEAL)).toMatchObject({
      status: 403,
      body: { message: "Missing permission api:treatments:update" },
    });
    expect((await call("POST", "/entries", B)).status).toBe(403);
    expect((await call("GET", "/status")).body).toMatchObject({ result: { apiPermissions: { treatments: "cr", entries: "" } } });
  });

  test("dates in every form", () => {
    expect([1_774_751_400, "1774751400000", T].map((value) => dateOfV3(value)?.ms)).toEqual([T, T, T]);
    expect(dateOfV3("2026-03-29T02:30:00+02:00")).toEqual({ ms: 1_774_744_200_000, utcOffset: 120 });
    expect(dateOfV3("2026-03-29T02:30:00")).toEqual({ ms: T, utcOffset: 0 });
    expect(dateOfV3("Sun, 29 Mar 2026 02:30:00 GMT")?.ms).toBe(T);
    expect(["ABC", -1, 1, null, undefined].map((value) => dateOfV3(value))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("validation", async () => {
    const { call, server } = await session();
    for (const [body, message] of [
      [{}, "Bad or missing request body"],
      [[B], "Bad or missing date field"],
      [{ ...B, date: "ABC" }, "Bad or missing date field"],
      [{ ...B, date: 946_684_800_000 }, "Bad or missing date field"],
      [{ ...B, utcOffset: null }, "Bad or missing utcOffset field"],
      [{ ...B, utcOffset: 1441 }, "Bad or missing utcOffset field"],
      [{ ...B, app: " " }, "Bad or missing app field"],
      [{ ...B, identifier: " " }, "Bad or missing identifier field"],
    ] as const)
      expect(await call("POST", "/entries", body)).toMatchObject({ status: 400, body: { message } });
    expect(await call("POST", "/entries", "{")).toMatchObject({ status: 500, body: { message: "Internal Server Error" } });
    const seconds = await call("POST", "/entries", { ...B, date: 1_774_751_400 });
    expect(seconds).toMatchObject({ status: 201, body: { identifier: "c721b928-c7dc-59ac-a8dc-50267b89a6b7" } });
    await call("POST", "/treatments", { ...B, date: 1_000_000_000_000, duration: 30, identifier: "d" });
    expect(server.documents("treatments")[0]).toMatchObject({ endmills: 1_000_001_800_000, durationInMilliseconds: 1_800_000 });
    await call("POST", "/treatments", { ...B, durationInMilliseconds: 90_000, identifier: "e" });
    expect(server.documents("treatments")[1]).toMatchObject({ duration: 2 });
    await call("POST", "/treatments", { ...B, isReadOnly: true, identifier: "f" });
    expect(await call("POST", "/treatments", { ...B, identifier: "f" })).toMatchObject({
      status: 422,
      body: { message: "Trying to modify read-only document" },
    });
  });

  test("over documents of v1: found by time and type, and refused", async () => {
    const { call, server } = await session();
    const created_at = "2026-03-29T02:30:00.000Z";
    await stored("treatments", { eventType: "Meal Bolus", created_at }, server);
    expect(await call("POST", "/treatments", MEAL)).toMatchObject({
      status: 400,
      body: { message: "Field date cannot be modified by the client" },
    });
    await stored("entries", { ...E, device: B.device }, server);
    expect(await call("POST", "/entries", { ...B, type: "sgv", sgv: 112 })).toMatchObject({
      status: 400,
      body: { message: "Field app cannot be modified by the client" },
    });
  });

  test("two kinds of entry of one time and device have one identifier: the first is lost", async () => {
    const { call, server } = await session();
    await call("POST", "/entries", { ...B, type: "sgv", sgv: 100 });
    await call("POST", "/entries", { ...B, type: "mbg", mbg: 100 });
    expect(server.documents("entries")).toMatchObject([{ type: "mbg" }]);
  });

  test("searching", async () => {
    const { call } = await session();
    for (const [i, sgv] of [100, 110, 120].entries()) await call("POST", "/entries", { ...B, date: T + i * 300_000, type: "sgv", sgv });
    const found = async (query: string): Promise<unknown> =>
      ((await call("GET", `/entries?${query}`)).body as { result: Document[] }).result.map(({ sgv }) => sgv);
    expect(await found("sgv=110")).toEqual([110]);
    expect(await found(`date$gte=${T + 300_000}&sort$desc=date`)).toEqual([120, 110]);
    expect(await found("sgv$lte=110&sort=date&limit=1&skip=1")).toEqual([110]);
    expect(await found("sgv$in=100|120&sort=date")).toEqual([100, 120]);
    expect(await found("sgv$nin=100|120")).toEqual([110]);
    expect(await found("type$re=^s&sgv$ne=100&sgv$gt=1&sgv$lt=120")).toEqual([110]);
    for (const query of ["limit=0", "limit=2000", "skip=-1", "date$foo=1", "sort=date&sort$desc=date"])
      expect((await call("GET", `/entries?${query}`)).status).toBe(400);
    for (const path of ["/entries/history/abc", "/entries/history"]) expect((await call("GET", path)).status).toBe(400);
    expect((await call("GET", "/entries/history", undefined, { "last-modified": "Mon, 01 Jan 2018 00:00:00 GMT" })).body).toMatchObject({
      result: [{}, {}, {}],
    });
    expect(await call("GET", "/nothing")).toMatchObject({ status: 404, body: { message: "Bad operation or collection" } });
    expect((await call("GET", "/lastModified")).body).toMatchObject({ result: { collections: { entries: T + 60_000 } } });
  });
});

test("strict: what the real one swallows is kept as a fault of the uploader", async () => {
  const good = {
    type: "sgv",
    sgv: 100,
    date: T,
    dateString: "2026-03-29T02:30:00.000Z",
    device: "jelling://780G",
    identifier: "c721b928-c7dc-59ac-a8dc-50267b89a6b7",
    syncIdentifier: "c721b928-c7dc-59ac-a8dc-50267b89a6b7",
  };
  const faults = async (collection: string, document: object): Promise<readonly string[]> => {
    const server = open({ isStrict: true, forbidden: ["NG1234567H"] });
    await ask(server, "POST", `/api/v1/${collection}`, { body: [document] });
    return server.violations;
  };
  expect(await faults("entries", good)).toEqual([]);
  for (const bad of [
    { dateString: "2026-03-29T04:30:00" },
    { date: T / 1000 },
    { sgv: null },
    { sgv: "100" },
    { sgv: 38 },
    { date: T + 600_000, dateString: "2026-03-29T02:40:00.000Z" },
    { type: undefined },
    { units: "mmol/L" },
    { device: "jelling://NG1234567H" },
    { direction: "Up" },
  ])
    expect(await faults("entries", { ...good, ...bad }), JSON.stringify(bad)).not.toEqual([]);
  const note = { ...good, eventType: "Note", notes: "x", created_at: "2026-03-29T02:30:00.000Z", enteredBy: "jelling" };
  for (const bad of [
    { eventType: undefined },
    { eventType: "Bolus" },
    { notes: "<b>" },
    { created_at: "2026-03-29T02:30:00" },
    { enteredBy: "loop://x" },
  ])
    expect(await faults("treatments", { ...note, ...bad }), JSON.stringify(bad)).not.toEqual([]);
  const status = { device: good.device, created_at: "2026-03-29T02:30:00.000Z", pump: { clock: "2026-03-29T02:30:00.000Z" } };
  expect(await faults("devicestatus", status)).toEqual([]);
  for (const pump of [{ reservoir: "12" }, { iob: 1.5 }, { iob: { iob: 1 } }, { clock: "2026-03-29T04:30:00" }])
    expect(await faults("devicestatus", { ...status, pump: { ...status.pump, ...pump } })).not.toEqual([]);
  const server = open({ isStrict: true });
  for (let i = 0; i < 2; i++) await ask(server, "POST", "/api/v1/devicestatus", { body: [status] });
  expect(server.violations).toEqual(["devicestatus: an equal one within 60 s"]);
});

test("Nocturne: 201, equal values within five minutes left out, treatments by id only", async () => {
  const server = open({ nocturne: true });
  const post = (body: unknown, collection = "entries") => ask(server, "POST", `/api/v1/${collection}`, { body });
  expect(await post([E])).toMatchObject({ status: 201 });
  expect(
    (
      (
        await post([
          { ...E, date: T + 300_000 },
          { ...E, date: T + 300_001, sgv: 113 },
        ])
      ).body as Document[]
    ).map(({ sgv }) => sgv),
  ).toEqual([113]);
  expect(server.documents("entries")).toHaveLength(2);
  expect(((await post([{ ...E, date: T + 300_001 }])).body as Document[]).length).toBe(1);
  expect((await post([])).status).toBe(400);
  const note = { eventType: "Note", created_at: "2026-03-29T02:30:00.000Z", identifier: "a" };
  await post([note], "treatments");
  await post([note], "treatments");
  expect(server.documents("treatments")).toHaveLength(2);
});

test("faults", async () => {
  const server = open();
  const post = () => ask(server, "POST", "/api/v1/entries", { body: [E, { ...E, date: T + 1 }, { ...E, date: T + 2 }] });
  server.faults = [
    { kind: "status", status: 429, retryAfter: "7" },
    { kind: "too_large", octets: 50 },
    { kind: "fail_after", stored: 2 },
    { kind: "page" },
    { kind: "empty_array" },
  ];
  const limited = await post();
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
  expect((await post()).status).toBe(413);
  expect((await post()).status).toBe(500);
  expect(server.documents("entries")).toHaveLength(2);
  expect((await post()).type).toContain("html");
  expect((await post()).body).toEqual([]);
  server.faults = [{ kind: "closed_after_storing" }];
  await expect(post()).rejects.toThrow("fetch failed");
  expect(server.documents("entries")).toHaveLength(3);
  const controller = new AbortController();
  server.faults = [{ kind: "silent" }];
  const waiting = server.fetch(`${SITE}/api/versions`, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
});

test("over loopback it is the same", async () => {
  const server = open({ httpsOnly: false });
  const { url, close } = await server.listen();
  try {
    const response = await fetch(`${url}/api/v1/entries`, {
      method: "POST",
      headers: { "api-secret": SHA1, "content-type": "application/json" },
      body: JSON.stringify([E]),
    });
    expect([response.status, await response.json()]).toMatchObject([200, [E]]);
  } finally {
    await close();
  }
});
