import { expect, test } from "vitest";
import { VersionChoice } from "./version.ts";

const TOO_OLD = { rc: 12 };
const TOO_NEW = { rc: 13 };

test("the version that was asked for is spoken until the server refuses it", () => {
  const choice = new VersionChoice(1);
  expect(choice.current).toBe(1);
  expect([choice.refusedBy(TOO_NEW, 1), choice.current]).toEqual([0, 0]);
  const other = new VersionChoice(0);
  expect([other.refusedBy(TOO_OLD, 0), other.current]).toEqual([1, 1]);
});

test("a server that takes neither is not asked again and again; another one may be there after a new link", () => {
  const choice = new VersionChoice(1);
  expect(choice.refusedBy(TOO_NEW, 1)).toBe(0);
  expect([choice.refusedBy(TOO_OLD, 0), choice.current]).toEqual([undefined, 0]);
  expect([choice.refusedBy(TOO_NEW, 1), choice.current]).toEqual([undefined, 0]);
  choice.forget();
  expect([choice.refusedBy(TOO_OLD, 0), choice.current]).toEqual([1, 1]);
});

test("requests that were on their way in the old version are all asked again", () => {
  const choice = new VersionChoice(1);
  expect([choice.refusedBy(TOO_NEW, 1), choice.refusedBy(TOO_NEW, 1)]).toEqual([0, 0]);
});

test("the server's words for it do not matter, other content does: a shell command may return such a number", () => {
  expect(new VersionChoice(1).refusedBy({ ...TOO_NEW, rsn: "too new" }, 1)).toBe(0);
  expect(new VersionChoice(1).refusedBy({ ...TOO_NEW, o: "text" }, 1)).toBeUndefined();
  expect(new VersionChoice(1).refusedBy({ err: { group: 1, rc: 13 } }, 1)).toBeUndefined();
});

test("an answer that refuses the version it was not asked in, other errors and success change nothing", () => {
  const choice = new VersionChoice(1);
  for (const payload of [TOO_OLD, { rc: 8 }, { rc: 0 }, {}]) expect(choice.refusedBy(payload, 1)).toBeUndefined();
  expect(choice.refusedBy(TOO_NEW, 0)).toBeUndefined();
  expect(choice.current).toBe(1);
  expect(choice.refusedBy(TOO_NEW, 1)).toBe(0); // none of them counted as refused
});
