// A clock that can be set, and who sets it.
import { type CurrentTime, currentTimeOf } from "jelling/bytes";
import { currentTimeService, readClock, serveCurrentTime } from "jelling/profiles";
import { SimulatedAir } from "jelling/testing";

await using air = new SimulatedAir({ seed: 1 });
const { central, peripheral } = await air.connectedPair();

// It has lost its date.
let shown: CurrentTime = { ...currentTimeOf(new Date(0)), year: undefined, month: undefined, day: undefined, dayOfWeek: undefined };
serveCurrentTime(peripheral.gattServer, {
  now: () => shown,
  set: (time) => {
    shown = time;
  },
  local: { timeZoneMinutes: 60, dstOffsetMinutes: 0 },
});

console.log(`the year is ${(await readClock(central.connection)).time.year ?? "not known"}`);
const clock = await currentTimeService.of(central.connection);
await clock.currentTime.write(currentTimeOf(new Date(2024, 1, 29, 12, 30), { manualTimeUpdate: true }));
const { time, local } = await readClock(central.connection);
console.log(
  `${time.dayOfWeek}, ${time.year}-${time.month}-${time.day} ${time.hour}:${time.minute}, ${local?.timeZoneMinutes} minutes from UTC`,
);
