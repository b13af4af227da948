import { VirtualClock } from "../../src/async/index.ts";
import { type Mgmt, MgmtError, type MgmtEvent, openMgmt } from "../../src/mgmt/index.ts";
import { type KernelSocketOptions, SimulatedKernel, type SimulatedKernelOptions } from "../../src/testing/index.ts";

/** A program at a simulated kernel: a client, and everything it was told. */
export interface Program {
  readonly mgmt: Mgmt;
  /** Events so far; taken away when they are looked at. */
  told(): MgmtEvent[];
  /** Their names, with what matters most. */
  names(): string[];
}

/** A kernel in time that only the test moves. */
export function testKernel(options: Omit<SimulatedKernelOptions, "clock"> = {}): { kernel: SimulatedKernel; clock: VirtualClock } {
  const clock = new VirtualClock({ auto: false });
  return { clock, kernel: new SimulatedKernel({ ...options, clock }) };
}

export async function program(kernel: SimulatedKernel, options: KernelSocketOptions = {}): Promise<Program> {
  const mgmt = await openMgmt({ socket: kernel.openSocket(options), clock: kernel.clock, timeoutMs: 200_000 });
  const events: MgmtEvent[] = [];
  mgmt.on("event", (event) => events.push(event));
  const told = (): MgmtEvent[] => events.splice(0);
  return { mgmt, told, names: () => told().map(({ event, index }) => `${event} ${index}`) };
}

/** "Success", or the name of the status a command ended with; moves time meanwhile. */
export async function statusOf(clock: VirtualClock, call: Promise<unknown>): Promise<string> {
  return clock.run(
    call.then(
      () => "Success",
      (error: unknown) => {
        if (error instanceof MgmtError) return error.statusName;
        throw error;
      },
    ),
  );
}
