import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dualMode, FakeAdapter, type SettingName, settingsWord } from "../../../../test/support/fake-kernel.ts";
import { commands, decodeCommand, Settings, Status } from "../../../mgmt-protocol/index.ts";
import { DISCOVERABLE_SECONDS, differingSettings, encodeStep, planRestoration, type RestorableSetting } from "./adapter-settings.ts";

const usual: SettingName[] = ["BREDR", "LowEnergy", "SecureSimplePairing", "SecureConnections", "Bondable"];

function plan(found: SettingName[], wanted: SettingName[], supported = dualMode): string[] {
  return planRestoration({ supported, current: settingsWord(...found) }, settingsWord(...wanted)).map(
    ({ setting, on, seconds }) => `${setting} ${on ? "on" : "off"}${seconds === undefined ? "" : ` for ${seconds} s`}`,
  );
}

describe("what is found and what is wanted give the steps", () => {
  test.each<[string, SettingName[], SettingName[], string[]]>([
    ["nothing differs", usual, usual, []],
    ["power is all", usual, [...usual, "Powered"], ["Powered on"]],
    ["power came by itself", [...usual, "Powered"], usual, ["Powered off"]],
    [
      "Discoverable ran out with the power",
      [...usual, "Connectable"],
      [...usual, "Connectable", "Discoverable", "Powered"],
      ["Powered on", "Discoverable on for 180 s"],
    ],
    ["Discoverable while off has no limit", usual, [...usual, "Connectable", "Discoverable"], ["Connectable on", "Discoverable on"]],
    ["Discoverable without Connectable cannot be had, and is not tried", usual, [...usual, "Discoverable", "Powered"], ["Powered on"]],
    ["Connectable takes Discoverable along", [...usual, "Connectable", "Discoverable"], usual, ["Connectable off"]],
    [
      "BR/EDR goes off while there is no power",
      [...usual, "Powered"],
      ["LowEnergy", "Powered", "Bondable", "SecureConnections"],
      ["Powered off", "BREDR off", "Powered on"],
    ],
    [
      "BR/EDR brings what needs it",
      ["LowEnergy"],
      [...usual, "LinkSecurity", "FastConnectable"],
      ["BREDR on", "SecureSimplePairing on", "SecureConnections on", "LinkSecurity on", "FastConnectable on", "Bondable on"],
    ],
    ["LE goes only after BR/EDR has come", ["LowEnergy", "Advertising"], ["BREDR"], ["BREDR on", "LowEnergy off"]],
    [
      "LE comes before BR/EDR goes",
      ["BREDR", "SecureSimplePairing"],
      ["LowEnergy", "Advertising"],
      ["LowEnergy on", "BREDR off", "Advertising on"],
    ],
    [
      "Secure Connections go while SSP is there",
      ["BREDR", "SecureConnections"],
      ["BREDR"],
      ["SecureSimplePairing on", "SecureConnections off", "SecureSimplePairing off"],
    ],
    [
      "wideband speech changes without power",
      [...usual, "Powered"],
      [...usual, "Powered", "WidebandSpeech"],
      ["Powered off", "WidebandSpeech on", "Powered on"],
    ],
    [
      "what was on and is not wanted goes off in its place",
      [...usual, "DebugKeys"],
      ["BREDR", "LowEnergy", "SecureConnections"],
      ["SecureSimplePairing off", "DebugKeys off", "Bondable off"],
    ],
    ["LE alone has Secure Connections without SSP", ["LowEnergy"], ["LowEnergy", "SecureConnections"], ["SecureConnections on"]],
    ["nothing of LE is touched where LE is off and stays so", ["BREDR"], ["BREDR", "Advertising"], []],
    ["Discoverable goes off alone", [...usual, "Connectable", "Discoverable"], [...usual, "Connectable"], ["Discoverable off"]],
    ["privacy and static address have values that nobody tells", [...usual], [...usual, "Privacy", "StaticAddress"], []],
  ])("%s", (_name, found, wanted, steps) => {
    expect(plan(found, wanted)).toEqual(steps);
  });

  test("what is not supported is left out", () => {
    const supported = settingsWord("Powered", "LowEnergy", "Connectable", "Discoverable", "Bondable");
    expect(plan(["LowEnergy"], ["LowEnergy", "Powered", "DebugKeys", "WidebandSpeech", "Bondable"], supported)).toEqual([
      "Bondable on",
      "Powered on",
    ]);
  });
});

test("each step is the management command of its setting", () => {
  const names = [
    "Powered",
    "Connectable",
    "FastConnectable",
    "Bondable",
    "LinkSecurity",
    "SecureSimplePairing",
    "BREDR",
    "HighSpeed",
    "LowEnergy",
    "Advertising",
    "SecureConnections",
    "DebugKeys",
    "WidebandSpeech",
  ] as const;
  for (const setting of names) {
    const { declaration, index, parameters } = decodeCommand(encodeStep({ setting, on: true }, 5));
    expect([declaration!.name, index, Object.values(parameters)]).toEqual([`Set${setting}`, 5, [1]]);
    expect(encodeStep({ setting, on: false }, 5).at(-1)).toBe(0);
  }
  const discoverable = decodeCommand(encodeStep({ setting: "Discoverable", on: true, seconds: DISCOVERABLE_SECONDS }, 0));
  expect(discoverable).toMatchObject({ declaration: commands.setDiscoverable, parameters: { discoverable: 1, timeout: 180 } });
});

/** Any state that commands can lead to. */
const reachable = fc
  .array(fc.tuple(fc.constantFrom(...(Object.keys(Settings) as SettingName[])), fc.boolean(), fc.constantFrom(0, 60)), { maxLength: 40 })
  .map((moves) => {
    const adapter = new FakeAdapter("00:00:00:00:00:00", "BREDR");
    for (const [name, on, seconds] of moves) adapter.set(name, on ? 1 : 0, name === "Discoverable" && on ? seconds : 0);
    return adapter;
  });

test("from any state to any other the kernel refuses no step, and the second plan at the latest leads there", () => {
  fc.assert(
    fc.property(reachable, reachable, (adapter, { current: wanted }) => {
      for (let round = 0; round < 2; round += 1) {
        for (const { setting, on, seconds } of planRestoration(adapter, wanted))
          expect([setting, on, adapter.set(setting, on ? 1 : 0, seconds)]).toEqual([setting, on, Status.Success]);
      }
      expect(differingSettings(adapter.current, wanted)).toEqual([] satisfies RestorableSetting[]);
    }),
    { numRuns: 2000 },
  );
});
