import type { AttBearer } from "./bearer.ts";

interface UnderWay {
  readonly bearer: AttBearer;
  count: number;
}

/** Nothing is unanswered or waits, and nothing that was sent waits for credits. */
function isQuiet({ pending, isEnhanced, channel }: AttBearer): boolean {
  return pending === 0 && !(isEnhanced && channel.waiting > 0);
}

/**
 * Several bearers of one link, and what is under way on them by key. No order holds between two bearers (Vol 3 Part F 3.3.2), so what belongs
 * to one key stays on the bearer where something of it is under way.
 */
export class BearerPool<Key> {
  /** The unenhanced one first. */
  #bearers: readonly AttBearer[];
  readonly #underWay = new Map<Key, UnderWay>();

  constructor(unenhanced: AttBearer) {
    this.#bearers = [unenhanced];
  }

  get bearers(): readonly AttBearer[] {
    return this.#bearers;
  }

  add(bearer: AttBearer): void {
    this.#bearers = [...this.#bearers, bearer];
  }

  remove(bearer: AttBearer): void {
    this.#bearers = this.#bearers.filter((other) => other !== bearer);
    for (const [key, underWay] of this.#underWay) if (underWay.bearer === bearer) this.#underWay.delete(key);
  }

  /** The bearer that something of this key is under way on. */
  bearerOf(key: Key): AttBearer | undefined {
    const underWay = this.#underWay.get(key);
    // Who asked may have left; what was sent is on its way until the bearer has nothing pending.
    if (!underWay || underWay.count > 0 || !isQuiet(underWay.bearer)) return underWay?.bearer;
    this.#underWay.delete(key);
    return undefined;
  }

  /** Something of this key begins on a bearer; ends by `end`. */
  begin(key: Key, bearer: AttBearer): void {
    const underWay = this.#underWay.get(key);
    if (underWay?.bearer === bearer) underWay.count++;
    else this.#underWay.set(key, { bearer, count: 1 });
  }

  end(key: Key, bearer: AttBearer): void {
    const underWay = this.#underWay.get(key);
    if (underWay?.bearer !== bearer) return;
    underWay.count--;
    if (underWay.count === 0 && isQuiet(bearer)) this.#underWay.delete(key);
  }

  /** The least busy bearer of those that `suits`, the first of several; the unenhanced one where none does. */
  leastBusy(busy: (bearer: AttBearer) => number, suits: (bearer: AttBearer) => boolean): AttBearer {
    let [best] = this.#bearers as readonly [AttBearer];
    let least = suits(best) ? busy(best) : Number.POSITIVE_INFINITY;
    for (const bearer of this.#bearers) {
      if (bearer === best || !suits(bearer) || busy(bearer) >= least) continue;
      best = bearer;
      least = busy(bearer);
    }
    return best;
  }
}
