import { randomBytes, systemRandom } from "jelling/core";
import { commands, PrivacyMode } from "jelling/mgmt";
import { parseText } from "./parse-value.ts";
import { type Invocation, indexOf, withMgmt } from "./session.ts";
import { showReturns } from "./show.ts";
import { contentOf } from "./simple.ts";

/** Sets privacy; without a key a random one is made, as nobody else needs to know it. */
export async function privacy(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const [mode, key] = invocation.args as [string, string | undefined];
  const { fields } = commands.setPrivacy.parameters;
  const privacyMode = parseText("privacy", fields.privacy.description, mode) as number;
  const { description } = fields.identityResolvingKey;
  const usual = privacyMode === PrivacyMode.Disabled ? new Uint8Array(16) : randomBytes(systemRandom, 16);
  const identityResolvingKey =
    key === undefined ? usual : (parseText("identityResolvingKey", description, await contentOf(description, key)) as Uint8Array);
  const index = indexOf(invocation);
  await withMgmt(invocation, async (mgmt) => {
    const returns = await mgmt.setPrivacy(index, { privacy: privacyMode, identityResolvingKey }, { signal: context.signal });
    showReturns(context, commands.setPrivacy, index, returns);
  });
}
