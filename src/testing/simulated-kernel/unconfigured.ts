import { type AnyMgmtCommand, bitsOf, ConfigurationOptions, commands, events } from "../../mgmt-protocol/index.ts";
import { type Call, type Handler, on } from "./call.ts";
import { atMost, isPoweredOff, need } from "./checks.ts";
import { ANY_ADDRESS } from "./controller.ts";

const EXTERNAL = bitsOf(ConfigurationOptions, ["ExternalConfiguration"]);
const PUBLIC_ADDRESS = bitsOf(ConfigurationOptions, ["PublicAddress"]);

/** The options that are missing now; the controller changes lists when nothing is, or something is again. */
function configure<C extends AnyMgmtCommand>(call: Call<C>, missingOptions: number, isReplugged: boolean): void {
  const { controller, core, index, socket } = call;
  const moves = isReplugged || (missingOptions === 0) !== controller.isConfigured;
  const changed = missingOptions !== controller.missingOptions;
  (call as unknown as Call<typeof commands.setPublicAddress>).complete({ missingOptions });
  if (changed) core.send(events.newConfigurationOptions, index, { missingOptions }, socket);
  if (moves) core.indexRemoved(controller);
  controller.missingOptions = missingOptions;
  if (moves) core.indexAdded(controller);
  if (moves) controller.letGo();
}

export const unconfiguredHandlers: readonly Handler[] = [
  on(commands.readControllerConfigurationInformation, [], (call) => {
    const { manufacturer, supportedOptions, missingOptions } = call.controller;
    call.complete({ manufacturer, supportedOptions, missingOptions });
  }),
  on(
    commands.setExternalConfiguration,
    [isPoweredOff, atMost("configuration", 1), need(({ supportedOptions }) => (supportedOptions & EXTERNAL) !== 0, "NotSupported")],
    (call) => {
      const { missingOptions } = call.controller;
      const isDone = call.parameters.configuration === 1;
      configure(call, isDone ? missingOptions & ~EXTERNAL : missingOptions | EXTERNAL, false);
    },
  ),
  on(
    commands.setPublicAddress,
    [
      isPoweredOff,
      ({ parameters }) => (parameters.address === ANY_ADDRESS ? "InvalidParameters" : undefined),
      need(({ supportedOptions }) => (supportedOptions & PUBLIC_ADDRESS) !== 0, "NotSupported"),
    ],
    (call) => {
      const { controller, parameters } = call;
      const isChanged = controller.publicAddress !== parameters.address;
      controller.publicAddress = parameters.address;
      configure(call, controller.missingOptions & ~PUBLIC_ADDRESS, isChanged);
    },
  ),
];
