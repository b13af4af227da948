import { rethrowLater } from "../async/call-out.ts";
import { onAbort } from "../async/index.ts";

interface Listener {
  readonly type: string;
  readonly callback: EventListenerOrEventListenerObject;
  readonly capture: boolean;
  readonly once: boolean;
  isRemoved: boolean;
  abort: Disposable | undefined;
}

/** An event on its way. */
interface Journey {
  readonly path: readonly TreeTarget[];
  current: TreeTarget | null;
  phase: number;
  isStopped: boolean;
  isStoppedAtOnce: boolean;
}

const journeys = new WeakMap<Event, Journey>();

type Handler = (this: EventTarget, event: Event) => unknown;

/**
 * An EventTarget with a parent, to which events that bubble go on: the platforms' own has none outside of a document. `target`,
 * `currentTarget`, the phases and the ways to stop an event are those of the DOM standard.
 */
export class TreeTarget extends EventTarget {
  readonly #parent: TreeTarget | undefined;
  #listeners: Listener[] = [];
  readonly #handlers = new Map<string, { handler: Handler | null }>();

  constructor(parent?: TreeTarget) {
    super();
    this.#parent = parent;
  }

  override addEventListener(
    type: string,
    callback: EventListenerOrEventListenerObject | null,
    options: boolean | AddEventListenerOptions = false,
  ): void {
    const { capture = false, once = false, signal } = typeof options === "object" && options !== null ? options : { capture: options };
    if (callback === null || callback === undefined || signal?.aborted) return;
    if (this.#find(type, callback, Boolean(capture))) return;
    const listener: Listener = {
      type: String(type),
      callback,
      capture: Boolean(capture),
      once: Boolean(once),
      isRemoved: false,
      abort: undefined,
    };
    listener.abort = onAbort(signal, () => this.#remove(listener));
    this.#listeners = [...this.#listeners, listener];
  }

  override removeEventListener(
    type: string,
    callback: EventListenerOrEventListenerObject | null,
    options: boolean | EventListenerOptions = false,
  ): void {
    const capture = typeof options === "object" && options !== null ? options.capture : options;
    const listener = callback && this.#find(type, callback, Boolean(capture));
    if (listener) this.#remove(listener);
  }

  #find(type: string, callback: EventListenerOrEventListenerObject, capture: boolean): Listener | undefined {
    return this.#listeners.find((one) => one.type === String(type) && one.callback === callback && one.capture === capture);
  }

  #remove(listener: Listener): void {
    listener.isRemoved = true;
    listener.abort?.[Symbol.dispose]();
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  /** Whether anyone listens here. */
  get isHeard(): boolean {
    return this.#listeners.length > 0;
  }

  /** @throws {TypeError} not an event · {DOMException} InvalidStateError: it is on its way already */
  override dispatchEvent(event: Event): boolean {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent: expected an Event");
    if (journeys.get(event)?.current) throw new DOMException("the event is being dispatched already", "InvalidStateError");
    const path: TreeTarget[] = [this];
    for (let target = this.#parent; target; target = target.#parent) path.push(target);
    const journey: Journey = { path, current: this, phase: Event.NONE, isStopped: false, isStoppedAtOnce: false };
    if (!journeys.has(event)) lead(event);
    journeys.set(event, journey);
    for (const target of path.slice(1).reverse()) target.#call(event, journey, Event.CAPTURING_PHASE, true);
    this.#call(event, journey, Event.AT_TARGET, true);
    this.#call(event, journey, Event.AT_TARGET, false);
    if (event.bubbles) for (const target of path.slice(1)) target.#call(event, journey, Event.BUBBLING_PHASE, false);
    journey.current = null;
    journey.phase = Event.NONE;
    return !event.defaultPrevented;
  }

  #call(event: Event, journey: Journey, phase: number, capture: boolean): void {
    if (journey.isStopped) return;
    journey.current = this;
    journey.phase = phase;
    for (const listener of this.#listeners) {
      if (listener.isRemoved || listener.type !== event.type || listener.capture !== capture) continue;
      if (listener.once) this.#remove(listener);
      try {
        const { callback } = listener;
        if (typeof callback === "function") callback.call(this, event);
        else callback.handleEvent(event);
      } catch (error) {
        rethrowLater(error); // the others still hear of it
      }
      if (journey.isStoppedAtOnce) return;
    }
  }

  /** The function behind an `on…` attribute. */
  protected handler(type: string): Handler {
    // The specification's null; see types.ts.
    return (this.#handlers.get(type)?.handler ?? null) as Handler;
  }

  /** Keeps its place among the listeners while it is changed, as event handler attributes do. */
  protected setHandler(type: string, handler: unknown): void {
    const given = typeof handler === "function" ? (handler as Handler) : null;
    const known = this.#handlers.get(type);
    if (known) known.handler = given;
    if (known && given) return;
    if (known) {
      this.removeEventListener(type, known as unknown as EventListenerObject);
      this.#handlers.delete(type);
    } else if (given) {
      const entry = {
        handler: given as Handler | null,
        handleEvent: (event: Event) => entry.handler?.call(this, event),
      };
      this.#handlers.set(type, entry);
      this.addEventListener(type, entry);
    }
  }
}

/** Puts the journey's view of an event in front of the platform's, which knows of no path. */
function lead(event: Event): void {
  const journey = (): Journey => journeys.get(event)!;
  const get = (name: string, value: () => unknown): void =>
    void Object.defineProperty(event, name, { configurable: true, enumerable: true, get: value });
  get("target", () => journey().path[0]);
  get("srcElement", () => journey().path[0]);
  get("currentTarget", () => journey().current);
  get("eventPhase", () => journey().phase);
  const stop = (): void => {
    journey().isStopped = true;
  };
  const methods = {
    composedPath: () => (journey().current ? [...journey().path] : []),
    stopPropagation: stop,
    stopImmediatePropagation: () => {
      stop();
      journey().isStoppedAtOnce = true;
    },
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(event, name, { configurable: true, value });
}

/** Hears of its own values, or of those of what is below it. */
export class CharacteristicTarget extends TreeTarget {
  get oncharacteristicvaluechanged(): Handler {
    return this.handler("characteristicvaluechanged");
  }
  set oncharacteristicvaluechanged(handler: Handler | null) {
    this.setHandler("characteristicvaluechanged", handler);
  }
}

export class ServiceTarget extends CharacteristicTarget {
  get onserviceadded(): Handler {
    return this.handler("serviceadded");
  }
  set onserviceadded(handler: Handler | null) {
    this.setHandler("serviceadded", handler);
  }
  get onservicechanged(): Handler {
    return this.handler("servicechanged");
  }
  set onservicechanged(handler: Handler | null) {
    this.setHandler("servicechanged", handler);
  }
  get onserviceremoved(): Handler {
    return this.handler("serviceremoved");
  }
  set onserviceremoved(handler: Handler | null) {
    this.setHandler("serviceremoved", handler);
  }
}

export class DeviceTarget extends ServiceTarget {
  get onadvertisementreceived(): Handler {
    return this.handler("advertisementreceived");
  }
  set onadvertisementreceived(handler: unknown) {
    this.setHandler("advertisementreceived", handler);
  }
  get ongattserverdisconnected(): Handler {
    return this.handler("gattserverdisconnected");
  }
  set ongattserverdisconnected(handler: Handler | null) {
    this.setHandler("gattserverdisconnected", handler);
  }
}

export class RootTarget extends DeviceTarget {
  get onavailabilitychanged(): Handler {
    return this.handler("availabilitychanged");
  }
  set onavailabilitychanged(handler: Handler | null) {
    this.setHandler("availabilitychanged", handler);
  }
}
