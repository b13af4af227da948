import { expect, test } from "vitest";
import { RootTarget, TreeTarget } from "./event-tree.ts";

function tree(): { root: RootTarget; branch: TreeTarget; leaf: TreeTarget; seen: string[] } {
  const root = new RootTarget();
  const branch = new TreeTarget(root);
  return { root, branch, leaf: new TreeTarget(branch), seen: [] };
}

test("an event that bubbles goes down to its target and up again, with target, currentTarget and phase of the DOM standard", () => {
  const { root, branch, leaf, seen } = tree();
  const names = new Map<unknown, string>(Object.entries({ root, branch, leaf }).map(([name, target]) => [target, name]));
  const note = (what: string) => (event: Event) =>
    void seen.push(
      `${what} ${names.get(event.target)} at ${names.get(event.currentTarget)} ${event.eventPhase} ${event.composedPath().length}`,
    );
  root.addEventListener("x", note("up"));
  root.addEventListener("x", note("down"), true);
  branch.addEventListener("x", note("up"));
  leaf.addEventListener("x", note("up"));
  leaf.addEventListener("x", note("down"), { capture: true });
  const event = new Event("x", { bubbles: true });
  expect(leaf.dispatchEvent(event)).toBe(true);
  expect(seen).toEqual([
    "down leaf at root 1 3",
    "down leaf at leaf 2 3",
    "up leaf at leaf 2 3",
    "up leaf at branch 3 3",
    "up leaf at root 3 3",
  ]);
  expect([event.target, event.currentTarget, event.eventPhase, event.composedPath()]).toEqual([leaf, null, 0, []]);
});

test("one that does not bubble is captured above and heard at its target alone", () => {
  const { root, leaf, seen } = tree();
  root.addEventListener("x", () => seen.push("bubbled"));
  root.addEventListener("x", () => seen.push("captured"), true);
  leaf.addEventListener("x", () => seen.push("target"));
  leaf.dispatchEvent(new Event("x"));
  expect(seen).toEqual(["captured", "target"]);
});

test("stopPropagation lets the neighbours hear, stopImmediatePropagation nobody; preventDefault is the result", () => {
  const { root, branch, leaf, seen } = tree();
  root.addEventListener("x", () => seen.push("root"));
  branch.addEventListener("x", (event) => {
    seen.push("first");
    event.stopPropagation();
  });
  branch.addEventListener("x", () => seen.push("second"));
  leaf.dispatchEvent(new Event("x", { bubbles: true }));
  expect(seen.splice(0)).toEqual(["first", "second"]);
  leaf.addEventListener("x", (event) => {
    seen.push("leaf");
    event.preventDefault();
    event.stopImmediatePropagation();
  });
  leaf.addEventListener("x", () => seen.push("never"));
  expect(leaf.dispatchEvent(new Event("x", { bubbles: true, cancelable: true }))).toBe(false);
  expect(seen).toEqual(["leaf"]);
});

test("listeners: once, twice the same, objects, removed by a signal or while the event is on its way", () => {
  const { leaf, seen } = tree();
  const twice = (): void => void seen.push("twice");
  leaf.addEventListener("x", twice);
  leaf.addEventListener("x", twice);
  leaf.addEventListener("x", () => seen.push("once"), { once: true });
  leaf.addEventListener("x", { handleEvent: (event) => seen.push(`object ${event.type}`) });
  const leaving = new AbortController();
  leaf.addEventListener("x", () => seen.push("signal"), { signal: leaving.signal });
  leaf.addEventListener("x", () => seen.push("never"), { signal: AbortSignal.abort() });
  leaf.addEventListener("x", null);
  leaf.dispatchEvent(new Event("x"));
  expect(seen.splice(0)).toEqual(["twice", "once", "object x", "signal"]);
  leaving.abort();
  const last = (): void => void seen.push("last");
  leaf.addEventListener("x", () => leaf.removeEventListener("x", last));
  leaf.addEventListener("x", last);
  leaf.dispatchEvent(new Event("x"));
  expect(seen.splice(0)).toEqual(["twice", "object x"]);
  leaf.removeEventListener("x", twice, true); // another listener's
  leaf.removeEventListener("x", twice);
  leaf.dispatchEvent(new Event("x"));
  expect(seen).toEqual(["object x"]);
});

test("an event on its way cannot be sent again; afterwards it can; anything else is no event", () => {
  const { leaf, branch, seen } = tree();
  const event = new Event("x");
  leaf.addEventListener("x", () => {
    try {
      branch.dispatchEvent(event);
    } catch (error) {
      seen.push((error as DOMException).name);
    }
  });
  leaf.dispatchEvent(event);
  branch.dispatchEvent(event);
  expect([seen, event.target]).toEqual([["InvalidStateError"], branch]);
  expect(() => leaf.dispatchEvent({} as Event)).toThrow(TypeError);
});

test("on… attributes keep their place, hold one function, and are null without one", () => {
  const { root, seen } = tree();
  expect(root.ongattserverdisconnected).toBeNull();
  const first = function (this: EventTarget): void {
    seen.push(this === root ? "first" : "elsewhere");
  };
  root.ongattserverdisconnected = first;
  root.addEventListener("gattserverdisconnected", () => seen.push("listener"));
  expect(root.ongattserverdisconnected).toBe(first);
  root.dispatchEvent(new Event("gattserverdisconnected"));
  root.ongattserverdisconnected = () => seen.push("second");
  root.dispatchEvent(new Event("gattserverdisconnected"));
  root.ongattserverdisconnected = null;
  root.dispatchEvent(new Event("gattserverdisconnected"));
  expect(seen).toEqual(["first", "listener", "second", "listener", "listener"]);
  for (const type of [
    "advertisementreceived",
    "availabilitychanged",
    "characteristicvaluechanged",
    "serviceadded",
    "servicechanged",
    "serviceremoved",
  ]) {
    const attribute = `on${type}` as "onserviceadded";
    root[attribute] = (event) => seen.push(event.type);
    root.dispatchEvent(new Event(type));
    expect(seen.at(-1)).toBe(type);
    expect(typeof root[attribute]).toBe("function");
  }
});
