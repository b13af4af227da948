import type { AclLink } from "../../hci/index.ts";

/** Frames that wait on a link, from which on channels add none: so many stand in front of a PDU of a fixed channel. */
const MOST_WAITING = 4;

/** Who has K-frames to send. */
export interface FrameSource {
  /** For the scheduler: it is in the queue. */
  isScheduled: boolean;
  /** It has something to send, and a credit. */
  readonly isReady: boolean;
  /** Hands one K-frame to the link. */
  sendFrame(): void;
}

/** Whose K-frame goes next on a link: one of each channel that has some, in turn, as long as few wait there. */
export class Scheduler {
  readonly #acl: AclLink;
  readonly #ready: FrameSource[] = [];
  #pumping = false;

  constructor(acl: AclLink) {
    this.#acl = acl;
  }

  /** The source may have got ready. What the link takes is sent within the call. */
  add(source: FrameSource): void {
    if (source.isScheduled || !source.isReady) return;
    source.isScheduled = true;
    this.#ready.push(source);
    this.#pump();
  }

  readonly #pump = (): void => {
    if (this.#pumping) return; // room, or a credit, that came inside `sendFrame`: the loop below goes on
    this.#pumping = true;
    const acl = this.#acl;
    while (acl.waiting < MOST_WAITING) {
      const source = this.#ready.shift();
      if (source === undefined) break;
      source.isScheduled = false;
      if (!source.isReady) continue;
      source.sendFrame();
      if (source.isReady && !source.isScheduled) {
        source.isScheduled = true;
        this.#ready.push(source);
      }
    }
    this.#pumping = false;
    acl.onRoom = this.#ready.length > 0 ? this.#pump : undefined;
  };

  /** The link is gone. */
  clear(): void {
    this.#ready.length = 0;
    this.#acl.onRoom = undefined;
  }
}
