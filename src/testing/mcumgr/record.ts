/** What a simulated device saw and did, with the clock's time in milliseconds. */
export type McumgrRecord = { readonly atMs: number } & (
  | { readonly kind: "request"; readonly title: string; readonly sequence: number; readonly off?: number; readonly length: number }
  | {
      readonly kind: "answer";
      readonly title: string;
      readonly sequence: number;
      readonly rc?: number;
      readonly off?: number;
      readonly length: number;
    }
  /** A packet that nobody answers: no buffer was free, it is longer than one, it is no message, or the device does not run. */
  | { readonly kind: "lost"; readonly why: "no-buffer" | "too-long" | "too-short" | "not-running" | "fault"; readonly length: number }
  | { readonly kind: "console"; readonly text: string }
  | { readonly kind: "off"; readonly why: "reset" | "power" }
  | { readonly kind: "started"; readonly running: SimulatedRunning }
);

/** What runs: the application, the bootloader's serial recovery, nothing that could run, not yet anything, or no power. */
export type SimulatedRunning = "application" | "recovery" | "nothing" | "starting" | "off";

export interface McumgrCounters {
  requests: number;
  answers: number;
  /** Packets that vanished. */
  lost: number;
  /** Requests answered with rc 2, since no buffer was left for the answer. */
  noBuffer: number;
  /** Most buffers in use at once. */
  peakBuffers: number;
}
