import { type Clock, delay, SystemClock } from "../src/async/index.ts";
import { H5Link } from "../src/transport/h5/link.ts";
import type { Row } from "./harness.ts";
import { HANDLE, notifications } from "./hci.ts";

/** Both ends of an H5 link, joined without a line between: what is written arrives in the same turn. */
function joined(onPacket: () => void): H5Link {
  const clock: Clock = new SystemClock();
  const onSilent = (what: string): never => {
    throw new Error(what);
  };
  const host: H5Link = new H5Link({ clock, role: "host", write: (octets) => controller.receive(octets), onPacket, onSilent });
  const controller: H5Link = new H5Link({
    clock,
    role: "controller",
    write: (octets) => host.receive(octets),
    onPacket: () => undefined,
    onSilent,
  });
  controller.start();
  host.start();
  return controller;
}

export const transportRows: readonly Row[] = [
  {
    name: "transport: ACL data of 20 octets by H5",
    unit: "packets",
    prepare: async () => {
      let received = 0;
      const controller = joined(() => received++);
      while (!controller.isActive) await delay(new SystemClock(), 10);
      const packets = notifications(HANDLE);
      return (count) => {
        const until = received + count;
        for (let i = 0; i < count; i++) controller.send(packets[i & 255]!);
        if (received !== until) throw new Error("a packet was lost");
      };
    },
  },
];
