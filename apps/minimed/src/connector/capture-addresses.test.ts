import { fromHex, toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { redactPumpCapture } from "./capture.ts";

const PUMP = "030201f72300";
const OTHER = "0d0c0b0a6ec2"; // of another maker, or random
const hidden = (address: string): string => `000000${address.slice(6)}`;

function capture() {
  let shown = "";
  const see = redactPumpCapture((_direction, packet) => (shown = toHex(packet)));
  return (packet: string): string => {
    see("received", fromHex(packet), 0);
    return shown;
  };
}
const complete = (subevent: string, address: string) => `043e1f${subevent}00400001${"00"}${address}${"00".repeat(12)}640000002c0105`;
const legacy = (address: string) => `043e1301004000${"00"}${"00"}${address}640000002c0105`;

test.each([
  ["the end of connecting", legacy(PUMP)],
  ["a report of advertising", `043e0c02010000${PUMP}00c8`],
  ["the resolving list", `01272027${"00"}${PUMP}${"00".repeat(32)}`],
  ["something of a vendor", `04ff0a1122${PUMP}33`],
])("a pump's address is hidden by its maker in %s, also before anything is known of it", (_name, packet) => {
  expect(capture()(packet)).toBe(packet.replace(PUMP, hidden(PUMP)));
});

test.each([
  ["the end of connecting", legacy(OTHER)],
  ["the enhanced one", `043e1f0a00400000${"00"}${OTHER}${"00".repeat(12)}640000002c0105`],
  ["a random address", `01052006${OTHER}`],
  ["a set's random address", `0135200700${OTHER}`],
  ["the filter accept list", `0111200701${OTHER}`],
  ["the resolving list", `0127202700${OTHER}${"00".repeat(32)}`],
  ["the privacy mode", `014e200800${OTHER}00`],
  ["this computer's address", `040e0a01091000${OTHER}`],
  ["the peer's word on who it is", `0240200c0008000600${"0900"}${OTHER}`],
])("an address that is told in %s is hidden there and in every packet behind it", (_name, packet) => {
  const see = capture();
  const report = `043e0c02010001${OTHER}00c8`;
  expect(see(report)).toBe(report); // nobody knows it
  expect(see(packet)).toBe(packet.replace(OTHER, hidden(OTHER)));
  expect(see(report)).toBe(report.replace(OTHER, hidden(OTHER)));
});

test("sealed data that look like an address stay; so does an address of zeros, and what is cut short", () => {
  const see = capture();
  for (const packet of [
    `0240200d00090004001b0c00${PUMP}`,
    legacy("000000000000"),
    `043e1301004000${"00"}${"00"}0d0c0b`,
    "01052006",
    "0240200c00080006000900",
  ])
    expect(see(packet)).toBe(packet);
  expect(see(complete("0a", "000000000000"))).toBe(complete("0a", "000000000000"));
});

test("of many addresses the newest are known", () => {
  const see = capture();
  const address = (i: number): string => `${i.toString(16).padStart(2, "0")}0c0b0a6ec2`;
  for (let i = 1; i <= 200; i++) see(`01052006${address(i)}`);
  const report = (i: number): string => `043e0c02010001${address(i)}00c8`;
  expect(see(report(200))).toBe(`043e0c02010001${hidden(address(200))}00c8`);
  expect(see(report(137))).toBe(`043e0c02010001${hidden(address(137))}00c8`);
  expect(see(report(136))).toBe(report(136));
});
