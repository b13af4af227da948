/** A line that carries octets both ways: a serial port, a pseudo-terminal. Framing them is the work of those who use it. */
export interface OctetLine {
  /** Gets what arrives; reading begins when it is set. */
  onOctets: ((octets: Uint8Array) => void) | undefined;
  /** The line is gone, with the system's error where there is one. Called once, not after `close`. */
  onEnd: ((error: Error | undefined) => void) | undefined;
  /** What waited has left. */
  onDrain: (() => void) | undefined;
  write(octets: Uint8Array): void;
  /** Octets that have been written and have not left. */
  readonly waitingOctets: number;
  /** False once more waits than it should. */
  readonly writable: boolean;
  /** Leaves what arrives with the system, which tells the other side by its flow control. */
  pause(): void;
  resume(): void;
  /** Gives the line back, after what was written has left or half a second. */
  close(): Promise<void>;
}
