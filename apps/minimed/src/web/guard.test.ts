import { expect, test } from "vitest";
import { PageGuard } from "./guard.ts";

const TOKEN = "a-token-of-no-secret-value";
const guard = new PageGuard(TOKEN, "127.0.0.1", ["Pump.lan"]);
const from = (host: string | undefined, origin?: string, fetchSite?: string) => guard.refusal({ host, origin, fetchSite });
const cookie = guard.setCookie.split(";")[0]!;

test.each(["127.0.0.1", "127.0.0.1:1", "localhost:65535", "LOCALHOST", "[::1]:8377", "[::1]", "pump.lan", "PUMP.LAN:80"])(
  "%s is this computer",
  (host) => {
    expect(from(host)).toBeUndefined();
  },
);

test.each([
  undefined,
  "",
  ":80",
  "evil.example",
  "127.0.0.1:80.evil.example",
  "127.0.0.1:80:80",
  "127.0.0.1.",
  "::1",
  "[::2]",
  "localhost:",
  "xlocalhost",
])("%s is none of its names", (host) => {
  expect(from(host)).toMatch(/under that name/);
});

test.each(["fd00::5", "[fd00::5]"])("it is asked for by the address that it listens on: %s", (host) => {
  const other = new PageGuard(TOKEN, host, []);
  expect(other.refusal({ host: "[fd00::5]:8377", origin: undefined, fetchSite: undefined })).toBeUndefined();
  expect(other.refusal({ host: "fd00::5", origin: undefined, fetchSite: undefined })).toBeDefined();
  expect(guard.refusal({ host: "[fd00::5]:8377", origin: undefined, fetchSite: undefined })).toBeDefined();
});

test.each([
  ["127.0.0.1:8377", "http://127.0.0.1:8377"],
  ["127.0.0.1:8377", "https://127.0.0.1:8377"], // a proxy's
  ["PUMP.lan", "http://pump.LAN"],
])("a page of %s asks from %s", (host, origin) => {
  expect(from(host, origin)).toBeUndefined();
  expect(from(host, origin, "same-origin")).toBeUndefined();
  expect(from(host, origin, "none")).toBeUndefined();
});

test.each([
  "",
  "null",
  "127.0.0.1:8377",
  "file://127.0.0.1:8377",
  "xhttp://127.0.0.1:8377",
  "http://127.0.0.1:8377/",
  "http://127.0.0.1:8377/path",
  "http://127.0.0.1",
  "http://127.0.0.1:83770",
  "http://localhost:8377",
])("another page's origin is refused: %j", (origin) => {
  expect(from("127.0.0.1:8377", origin)).toMatch(/another page/);
});

test.each(["cross-site", "same-site", "", "many"])("a browser that says %j says that another page asks", (fetchSite) => {
  expect(from("127.0.0.1", undefined, fetchSite)).toMatch(/another page/);
});

test("the token opens, whole and alone", () => {
  expect(guard.opens(`Bearer ${TOKEN}`)).toBe(true);
  for (const header of [
    undefined,
    "",
    TOKEN,
    `bearer ${TOKEN}`,
    `x Bearer ${TOKEN}`,
    `Bearer ${TOKEN} x`,
    `Bearer ${TOKEN}x`,
    "Bearer",
    `Bearer  ${TOKEN}`,
  ])
    expect(guard.opens(header), String(header)).toBe(false);
});

test("the cookie is known among others, wherever it stands; by its name and its whole value", () => {
  const [name, value] = cookie.split("=") as [string, string];
  for (const header of [cookie, `a=b; ${cookie}`, `${cookie}; a=b`, `a=b;${cookie};c=d`, `;${cookie}`, `a; ${cookie}`])
    expect(guard.knows(header), header).toBe(true);
  for (const header of [
    undefined,
    "",
    "a=b",
    name,
    `${name}=`,
    `${name}=${value}x`,
    `${name}=${value.slice(1)}`,
    `x${name}=${value}`,
    value,
    `${name}=${TOKEN}`,
  ])
    expect(guard.knows(header), String(header)).toBe(false);
});

test("the same token gives the same path and cookie; another one gives others, and none of them gives it away", () => {
  const [again, other] = [new PageGuard(TOKEN, "localhost", []), new PageGuard(`${TOKEN}-`, "localhost", [])];
  expect([again.path, again.setCookie]).toEqual([guard.path, guard.setCookie]);
  expect(other.path).not.toBe(guard.path);
  expect(other.knows(cookie)).toBe(false);
  expect(cookie).not.toContain(guard.path.slice(1)); // who knows where the page is knows nothing of its cookie
});
