import type { NightscoutReport, NightscoutUploaderOptions, NightscoutWarning } from "@jelling/minimed/export";
import { SystemClock } from "jelling/async";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { readSecret } from "../../pump/keys.ts";
import { type PeriodOptions, periodOf } from "../../pump/period.ts";
import { historyOf, openHistory, openStore, type StoreOptions } from "../../pump/store.ts";

interface NightscoutOptions extends StoreOptions, Pick<PeriodOptions, "from" | "last"> {
  readonly url: string;
  readonly tokenFile?: string;
  readonly secretFile?: string;
  readonly api: "auto" | "v1" | "v3";
  readonly dryRun?: boolean;
  readonly check?: boolean;
}

/** Sends the history to a Nightscout site, or shows what would be sent. */
export async function nightscout(context: Context, options: NightscoutOptions): Promise<void> {
  const { terminal, signal } = context;
  const site = { url: options.url, ...(await credentials(context, options)) };
  await using closing = new Closing();
  const { NightscoutUploader } = await import("@jelling/minimed/export");
  const fromMs = options.from === undefined && options.last === undefined ? undefined : periodOf(options, Date.now(), 0).fromMs;
  const parts = {
    site,
    api: options.api,
    clock: new SystemClock(),
    logger: await context.logger(),
  } satisfies Partial<NightscoutUploaderOptions>;
  if (options.dryRun) {
    const view = await openHistory(context, closing, options);
    const uploader = new NightscoutUploader({ ...parts, view, pump: view.pump });
    for await (const { method, path, body } of uploader.dryRun({ signal, fromMs })) {
      terminal.result(
        () => ({ method, path, body }),
        () => `${method} ${path}\n${JSON.stringify(body, undefined, 1)}`,
      );
      await terminal.flush();
    }
    return;
  }
  const store = await openStore(context, closing, { ...options, wallClock: Date.now, simulated: false });
  const view = historyOf(store, options.pump);
  const uploader = new NightscoutUploader({ ...parts, view, pump: view.pump, ledger: store.ledger });
  const { name, version, api, warnings } = await uploader.check({ signal });
  warn(context, warnings);
  if (options.check) {
    terminal.result(
      () => ({ name, version, api, warnings }),
      () => `${name ?? "the site"} ${version ?? ""}, written by ${api}`,
    );
    return;
  }
  terminal.status("sending …");
  const report = await uploader.upload({ signal, fromMs });
  terminal.status("");
  tell(context, report);
}

function warn({ terminal }: Context, warnings: readonly NightscoutWarning[]): void {
  if (!terminal.json) for (const { detail } of warnings) terminal.note(`note: ${detail}`);
}

function tell({ terminal }: Context, { sent, unchanged, held, refused }: NightscoutReport): void {
  terminal.result(
    () => ({ sent, unchanged, held, refused }),
    () =>
      `${sent.entries} glucose entries, ${sent.treatments} treatments and ${sent.devicestatus} states of the pump sent; ${unchanged} were there already` +
      `${held > 0 ? `, ${held} wait` : ""}${refused > 0 ? `, ${refused} are not taken by the site` : ""}`,
  );
}

/** From files or the environment: an argument would be seen by every user of the machine. */
async function credentials(context: Context, { tokenFile, secretFile }: NightscoutOptions): Promise<{ token?: string; secret?: string }> {
  const { env } = context.io;
  if (tokenFile !== undefined) return { token: await readSecret(context, tokenFile, "token") };
  if (secretFile !== undefined) return { secret: await readSecret(context, secretFile, "secret") };
  if (env.JELLING_NIGHTSCOUT_TOKEN) return { token: env.JELLING_NIGHTSCOUT_TOKEN };
  if (env.JELLING_NIGHTSCOUT_SECRET) return { secret: env.JELLING_NIGHTSCOUT_SECRET };
  throw new UsageError(
    "the site wants a secret or a token: --token-file FILE, --secret-file FILE, $JELLING_NIGHTSCOUT_TOKEN or $JELLING_NIGHTSCOUT_SECRET",
  );
}
