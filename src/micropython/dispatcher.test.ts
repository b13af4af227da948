import { expect, test } from "vitest";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { turn, VirtualClock } from "../async/index.ts";
import { Logger, LogLevel } from "../core/index.ts";
import type { Connection } from "../device/index.ts";
import { Dispatcher, type DispatcherOptions, type IrqHandler } from "./dispatcher.ts";
import type { IrqResult } from "./event-queue.ts";
import { type BleEvent, createEvent, toTuple } from "./events.ts";

/** As much of a connection as a dispatcher knows: what is under way on it can be stopped. */
class FakeConnection {
  pauses = 0;
  pause(): Disposable {
    this.pauses++;
    return { [Symbol.dispose]: () => void this.pauses-- };
  }
}

function create(options: Partial<DispatcherOptions> = {}) {
  const clock = new VirtualClock({ auto: false });
  const failures: { error: unknown; type: string }[] = [];
  const dispatcher = new Dispatcher({
    clock,
    logger: Logger.silent,
    isStrict: false,
    onHandlerError: (error, { type }) => void failures.push({ error, type }),
    rxbuf: () => 128,
    ...options,
  });
  const told: BleEvent[] = [];
  const answers: PromiseWithResolvers<IrqResult>[] = [];
  /** Notes each event; answers those whose promise is to be kept by the test. */
  const handle = (waits: (event: BleEvent) => boolean): void =>
    dispatcher.setHandler((event) => {
      told.push(event);
      if (!waits(event)) return undefined;
      const answer = withResolvers<IrqResult>();
      answers.push(answer);
      return answer.promise;
    });
  const link = (): { fake: FakeConnection; connection: Connection } => {
    const fake = new FakeConnection();
    return { fake, connection: fake as unknown as Connection };
  };
  return { clock, dispatcher, failures, told, answers, handle, link, seen: () => told.map((event) => toTuple(event)[1].join()) };
}

/** A promise of the program's own kind. */
function thenable(then: (kept: (result: number) => void) => void): Promise<number> {
  // oxlint-disable-next-line unicorn/no-thenable -- a program may give it, by mistake or not
  return { then } as unknown as Promise<number>;
}
function fault(): never {
  throw new Error("a fault of the program");
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const write = (connHandle: number, attrHandle: number): BleEvent => createEvent("gattsWrite", { connHandle, attrHandle });
const read = (connHandle: number, attrHandle: number): BleEvent => createEvent("gattsReadRequest", { connHandle, attrHandle });
const report = (octets: number, rssi = 0): BleEvent =>
  createEvent("scanResult", { addrType: 0, addr: new Uint8Array(6), advType: 0, rssi, advData: new Uint8Array(octets) });
const DONE = createEvent("scanDone", {});

test("a handler that answers at once is told at once, and stops nothing", () => {
  const { dispatcher, seen, handle, link } = create();
  const { fake, connection } = link();
  handle(() => false);
  dispatcher.raise(write(1, 1), connection);
  dispatcher.raise(DONE);
  expect(seen()).toEqual(["1,1", ""]);
  expect(fake.pauses).toBe(0);
});

test("while a handler's promise is pending its connection waits, in order; other connections go on", async () => {
  const { dispatcher, seen, handle, link, answers } = create();
  const [one, two] = [link(), link()];
  handle(({ type }) => type === "gattsWrite");
  dispatcher.raise(write(1, 1), one.connection);
  dispatcher.raise(read(1, 2), one.connection);
  dispatcher.raise(write(1, 3), one.connection);
  dispatcher.raise(read(2, 1), two.connection);
  dispatcher.raise(DONE);
  expect(seen()).toEqual(["1,1", "2,1", ""]);
  expect([one.fake.pauses, two.fake.pauses]).toEqual([1, 0]);
  answers[0]!.resolve(undefined);
  await turn();
  expect(seen()).toEqual(["1,1", "2,1", "", "1,2", "1,3"]);
  expect(one.fake.pauses).toBe(1);
  dispatcher.raise(read(1, 4), one.connection);
  answers[1]!.resolve(undefined);
  await turn();
  expect(seen().slice(5)).toEqual(["1,4"]);
  expect(one.fake.pauses).toBe(0);
});

test("what a handler raises is told when it has returned, however deep", () => {
  const { dispatcher, link } = create();
  const { connection } = link();
  const order: string[] = [];
  dispatcher.setHandler((event) => {
    if (event.type !== "gattsWrite") return;
    order.push(`begin ${event.attrHandle}`);
    if (event.attrHandle < 1000) dispatcher.raise(write(1, event.attrHandle + 1), connection);
    order.push(`end ${event.attrHandle}`);
  });
  dispatcher.raise(write(1, 1), connection);
  expect(order).toHaveLength(2000);
  expect(order.slice(0, 4)).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
});

test("questions are answered at once where the handler does, and in their turn where it is busy", async () => {
  const { dispatcher, handle, link, answers } = create();
  const { connection } = link();
  dispatcher.setHandler(() => 5);
  expect(dispatcher.ask(read(1, 1), connection)).toBe(5);
  expect(dispatcher.ask(createEvent("getSecret", { secType: 1, index: 0, key: null }))).toBe(5);
  handle(() => true);
  const first = dispatcher.ask(read(1, 1), connection);
  const second = dispatcher.ask(read(1, 2), connection);
  expect(answers).toHaveLength(1);
  answers[0]!.resolve(2);
  expect(await first).toBe(2);
  await turn();
  answers[1]!.resolve(3);
  expect(await second).toBe(3);
  dispatcher.setHandler(undefined);
  await turn();
  expect(dispatcher.ask(read(1, 3), connection)).toBe(undefined);
});

test("who asked has the answer before the next event is told", async () => {
  const { dispatcher, link } = create();
  const { connection } = link();
  const order: string[] = [];
  dispatcher.setHandler(async (event) => {
    order.push(`told ${toTuple(event)[1][1]}`);
    await Promise.resolve();
    return 1;
  });
  void Promise.resolve(dispatcher.ask(read(1, 1), connection)).then((result) => order.push(`answer ${String(result)}`));
  dispatcher.raise(write(1, 2), connection);
  await turn();
  expect(order).toEqual(["told 1", "answer 1", "told 2"]);
});

test("a question without a connection waits for nothing, or a handler that asks through us would wait for itself", async () => {
  const { dispatcher, told, link } = create();
  const { connection } = link();
  const secret = createEvent("getSecret", { secType: 1, index: 0, key: null });
  let answer: unknown;
  dispatcher.setHandler(async (event) => {
    told.push(event);
    if (event.type === "getSecret") return Uint8Array.of(1);
    answer = await dispatcher.ask(secret);
    return undefined;
  });
  dispatcher.raise(write(1, 1), connection);
  dispatcher.raise(report(0));
  await turn();
  expect(told.map(({ type }) => type)).toEqual(["gattsWrite", "getSecret", "scanResult", "getSecret"]);
  expect(answer).toEqual(Uint8Array.of(1));
});

test.each<[string, IrqHandler]>([
  ["throws", fault],
  ["rejects", () => Promise.reject(new Error("a fault of the program"))],
  ["gives what throws when it is asked", () => thenable(fault)],
])("a handler that %s has no answer, and the program hears of it; it is called again", async (_what, handler) => {
  const { dispatcher, failures, link } = create();
  const { fake, connection } = link();
  let calls = 0;
  dispatcher.setHandler((event) => {
    calls++;
    return handler(event);
  });
  expect(await dispatcher.ask(read(1, 1), connection)).toBe(undefined);
  await turn();
  dispatcher.raise(write(1, 2), connection);
  await turn();
  expect(failures.map(({ error, type }) => [String(error), type])).toEqual([
    ["Error: a fault of the program", "gattsReadRequest"],
    ["Error: a fault of the program", "gattsWrite"],
  ]);
  expect([calls, fake.pauses]).toEqual([2, 0]);
});

test("with strict compatibility a handler that fails is removed, unless another one took its place", async () => {
  const { dispatcher, failures } = create({ isStrict: true });
  let calls = 0;
  dispatcher.setHandler(() => {
    calls++;
    throw new Error("once");
  });
  dispatcher.raise(DONE);
  dispatcher.raise(DONE);
  expect([calls, failures.length]).toEqual([1, 1]);
  const first = withResolvers<IrqResult>();
  dispatcher.setHandler(() => first.promise);
  dispatcher.raise(DONE);
  dispatcher.setHandler(() => void calls++);
  first.reject(new Error("late"));
  await turn();
  dispatcher.raise(DONE);
  expect([calls, failures.length]).toEqual([2, 2]);
});

test("a handler that never answers has 30 s, then it is told of, and what comes after goes on", async () => {
  const { clock, dispatcher, failures, seen, handle, link, answers } = create();
  const { fake, connection } = link();
  handle(({ type }) => type === "gattsReadRequest");
  const asked = dispatcher.ask(read(1, 1), connection);
  dispatcher.raise(write(1, 2), connection);
  await clock.advance(29_999);
  expect([seen(), failures, fake.pauses]).toEqual([["1,1"], [], 1]);
  await clock.advance(1);
  expect(await asked).toBe(undefined);
  await turn();
  expect([seen(), fake.pauses]).toEqual([["1,1", "1,2"], 0]);
  expect(failures).toEqual([{ type: "gattsReadRequest", error: expect.objectContaining({ code: "ERR_TIMEOUT", timeoutMs: 30_000 }) }]);
  answers[0]!.resolve(7); // too late
  await turn();
  expect([failures.length, clock.pending]).toEqual([1, []]);
});

test("a promise of the program's own kind is kept like any other", async () => {
  const { dispatcher, link } = create();
  dispatcher.setHandler(() => thenable((kept) => kept(5)));
  expect(await dispatcher.ask(read(1, 1), link().connection)).toBe(5);
});

test("an answer in time leaves no timer", async () => {
  const { clock, dispatcher, handle, answers } = create();
  handle(() => true);
  dispatcher.raise(DONE);
  expect(clock.pending).toEqual(["an answer of the irq handler"]);
  answers[0]!.resolve(undefined);
  await turn();
  expect(clock.pending).toEqual([]);
});

test("without a hook the log says which event the handler failed at; a hook that throws harms nobody", async () => {
  const lines: string[] = [];
  const logger = new Logger("ble", LogLevel.Error, (_level, _scope, line) => void lines.push(line));
  const { dispatcher } = create({ logger, onHandlerError: undefined });
  dispatcher.setHandler(() => {
    throw new Error("why");
  });
  dispatcher.raise(DONE);
  expect(lines).toEqual(["unhandled exception in the irq handler (scanDone): Error: why"]);
  const faulty = create({
    onHandlerError: () => {
      throw new Error("the hook");
    },
  });
  faulty.dispatcher.setHandler(() => {
    throw new Error("why");
  });
  expect(await uncaughtDuring(() => faulty.dispatcher.raise(DONE))).toEqual([new Error("the hook")]);
});

test("what happens on a new connection is kept back until it is opened, and stands behind its first event", () => {
  const { dispatcher, seen, handle, link } = create();
  const { fake, connection } = link();
  handle(() => false);
  dispatcher.hold(connection);
  dispatcher.raise(write(1, 2), connection);
  expect([seen(), fake.pauses]).toEqual([[], 1]);
  dispatcher.open(connection, write(1, 1));
  dispatcher.raise(write(1, 3), connection);
  expect([seen(), fake.pauses]).toEqual([["1,1", "1,2", "1,3"], 0]);
});

test("after the last event of a connection none follows; what waited before it is told", async () => {
  const { dispatcher, seen, handle, link, answers } = create();
  const { fake, connection } = link();
  handle(({ type }) => type === "gattsReadRequest");
  dispatcher.raise(read(1, 1), connection);
  dispatcher.raise(write(1, 2), connection);
  dispatcher.seal(connection);
  dispatcher.raise(write(1, 3), connection);
  expect(dispatcher.ask(read(1, 4), connection)).toBe(undefined);
  answers[0]!.resolve(undefined);
  await turn();
  expect([seen(), fake.pauses]).toEqual([["1,1", "1,2"], 0]);
});

test("of a connection that is dropped nothing more is told, and who asked has no answer", async () => {
  const { dispatcher, seen, handle, link, answers } = create();
  const { fake, connection } = link();
  handle(({ type }) => type === "gattsReadRequest");
  dispatcher.raise(read(1, 1), connection);
  const asked = dispatcher.ask(read(1, 2), connection);
  dispatcher.drop(connection);
  expect([await asked, fake.pauses]).toEqual([undefined, 0]);
  dispatcher.raise(write(1, 3), connection);
  answers[0]!.resolve(undefined);
  await turn();
  dispatcher.raise(write(1, 4), connection);
  expect([seen(), dispatcher.ask(read(1, 5), connection)]).toEqual([["1,1"], undefined]);
});

test("closing waits for nobody", async () => {
  const { clock, dispatcher, seen, handle, link } = create();
  const { fake, connection } = link();
  handle(() => true);
  dispatcher.raise(read(1, 1), connection);
  dispatcher.raise(DONE);
  dispatcher.raise(DONE);
  dispatcher.close();
  await turn();
  dispatcher.raise(DONE);
  expect([seen(), fake.pauses, clock.pending]).toEqual([["1,1", ""], 0, []]);
});

test("scan results that wait are bounded by rxbuf, the newest are lost; everything else pushes them out", async () => {
  const { dispatcher, told, handle, answers } = create({ rxbuf: () => 100 });
  handle(() => true);
  dispatcher.raise(report(31, -1)); // being handled
  for (let i = 0; i < 5; i++) dispatcher.raise(report(31, i)); // 43 octets each: two wait
  dispatcher.raise(DONE); // 12 octets
  dispatcher.raise(DONE); // 12 octets: one scan result has to go
  const rest: string[] = [];
  for (let i = 0; i < 5; i++) {
    answers[i]?.resolve(undefined);
    await turn();
    const event = told[i + 1];
    if (event) rest.push(event.type === "scanResult" ? `scanResult ${event.rssi}` : event.type);
  }
  expect(rest).toEqual(["scanResult 1", "scanDone", "scanDone"]);
});

test("what fills rxbuf exactly is kept", async () => {
  const { dispatcher, told, handle, answers } = create({ rxbuf: () => 55 });
  handle(() => true);
  dispatcher.raise(DONE);
  dispatcher.raise(report(31)); // 43 octets
  dispatcher.raise(DONE); // 12 octets
  for (let i = 0; i < 3; i++) {
    answers[i]?.resolve(undefined);
    await turn();
  }
  expect(told.map(({ type }) => type)).toEqual(["scanDone", "scanResult", "scanDone"]);
});

test("a scan result that is longer than rxbuf may wait alone, and other events beyond it", async () => {
  const { dispatcher, told, handle, answers } = create({ rxbuf: () => 16 });
  handle(() => true);
  dispatcher.raise(DONE);
  dispatcher.raise(report(31));
  dispatcher.raise(report(31));
  for (let i = 0; i < 4; i++) dispatcher.raise(DONE);
  for (let i = 0; i < 6; i++) {
    answers[i]?.resolve(undefined);
    await turn();
  }
  expect(told.map(({ type }) => type)).toEqual(Array.from({ length: 5 }, () => "scanDone"));
});

test("a handler of tuples gets numbers and tuples, and Jelling's own events where it asks", () => {
  const { dispatcher } = create();
  const told: unknown[] = [];
  const own = createEvent("phyUpdate", { connHandle: 1, txPhy: 1, rxPhy: 2 });
  dispatcher.setTupleHandler((code, data) => {
    told.push([code, data]);
    return 9;
  }, false);
  expect([dispatcher.ask(read(1, 2)), dispatcher.ask(own)]).toEqual([9, undefined]);
  dispatcher.setTupleHandler((...event) => void told.push(event), true);
  dispatcher.raise(own);
  expect(told).toEqual([
    [4, [1, 2]],
    [101, [1, 1, 2]],
  ]);
});

test("what is thrown may refuse to be text: it is logged by its kind, and the next event comes", async () => {
  const lines: string[] = [];
  const logger = new Logger("", LogLevel.Error, (_level, _scope, message) => void lines.push(message));
  const { dispatcher, link } = create({ logger, onHandlerError: undefined });
  const { fake, connection } = link();
  const bad: unknown[] = [Object.create(null), { toString: fault }, Symbol("s")];
  for (const error of bad) {
    dispatcher.setHandler(() => {
      throw error;
    });
    expect(dispatcher.ask(read(1, 2), connection)).toBe(undefined);
    dispatcher.setHandler(() => Promise.reject(error));
    expect(await dispatcher.ask(read(1, 2), connection)).toBe(undefined);
    await turn();
  }
  expect(lines).toHaveLength(2 * bad.length);
  expect(fake.pauses).toBe(0);
  dispatcher.setHandler(() => 7);
  expect(dispatcher.ask(read(1, 2), connection)).toBe(7);
});
