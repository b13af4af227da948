import { join } from "node:path";
import { checkOptions, checkSignal, Logger, optionNames } from "jelling/core";
import { stateFolder as defaultStateFolder, FileBondStore, openIdentity } from "jelling/node";
import { LARGEST_CONFIG, readServiceConfig, type ServiceConfig } from "./config.ts";
import { jsonLogSink } from "./json-log.ts";
import type { PumpServiceOptions } from "./options.ts";
import { readServiceSecrets } from "./secrets.ts";
import { PumpService } from "./service.ts";
import { type Environment, readServiceFile } from "./service-file.ts";

export interface RunPumpServiceOptions
  extends Pick<
    PumpServiceOptions,
    "controller" | "clock" | "wallClock" | "random" | "capture" | "fetch" | "connectMqtt" | "servePage" | "address"
  > {
  /** A configuration, or the path of its file. */
  readonly config: ServiceConfig | string;
  /** Names files with secrets, and folders; `process.env` by default. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where lines go; by default standard error gets them as JSON, as many as the configuration's `log` says. */
  readonly logger?: Logger | undefined;
  /** Called when the service has begun. */
  readonly onStarted?: ((service: PumpService) => void) | undefined;
  /** Ends the service: SIGTERM and SIGINT, for example. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<RunPumpServiceOptions>({
  config: true,
  environment: true,
  logger: true,
  onStarted: true,
  controller: true,
  clock: true,
  wallClock: true,
  random: true,
  capture: true,
  fetch: true,
  connectMqtt: true,
  servePage: true,
  address: true,
  signal: true,
});

/**
 * A service from its configuration to its end: resolves when `signal` has aborted and everything is taken down.
 *
 * @throws {PumpServiceError} the configuration, or a file that it names · {KeyDatabaseError} · {FileError} identity or bonds
 */
export async function runPumpService(options: RunPumpServiceOptions): Promise<void> {
  checkOptions("runPumpService", options ?? null, OPTIONS);
  checkSignal("runPumpService: signal", options.signal);
  const { environment = process.env, onStarted, signal, config: given, logger, ...parts } = options;
  signal?.throwIfAborted();
  const config = typeof given === "string" ? await readConfigFile(given, environment) : given;
  const secrets = await readServiceSecrets(config, environment);
  const stateFolder = config.stateFolder ?? defaultStateFolder(environment);
  const { irk, address: staticAddress } = await openIdentity(join(stateFolder, "identity.json"));
  const service = await PumpService.open({
    ...parts,
    config,
    secrets,
    stateFolder,
    irk,
    staticAddress,
    bonds: new FileBondStore(join(stateFolder, "pump-bonds.json")),
    logger:
      logger ??
      new Logger(
        "",
        config.log,
        jsonLogSink((line) => void process.stderr.write(line), { wallClock: parts.wallClock }),
      ),
    signal,
  });
  onStarted?.(service);
  await service.closed;
}

async function readConfigFile(path: string, environment: Environment): Promise<ServiceConfig> {
  const octets = await readServiceFile(path, "configuration", { isPrivate: false, largest: LARGEST_CONFIG, environment });
  return readServiceConfig(new TextDecoder().decode(octets));
}
