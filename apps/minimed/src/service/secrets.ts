import type { MqttTls } from "../mqtt/index.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import { parseKeyDatabaseFile } from "../sake/key-database-file.ts";
import type { ServiceConfig } from "./config.ts";
import { PumpServiceError } from "./error.ts";
import { type Environment, readServiceFile } from "./service-file.ts";

/** What the files hold that a configuration names. */
export interface ServiceSecrets {
  readonly keyDatabase: SakeKeyDatabase;
  readonly pageToken: string | undefined;
  readonly nightscout: { readonly token?: string | undefined; readonly secret?: string | undefined } | undefined;
  readonly mqttPassword: string | undefined;
  readonly tls: MqttTls | undefined;
}

/** Names of files in the environment, in place of those in the configuration. */
export const SERVICE_ENVIRONMENT = Object.freeze({
  keyFile: "JELLING_PUMP_KEY_FILE",
  pageTokenFile: "JELLING_PUMP_PAGE_TOKEN_FILE",
  nightscoutTokenFile: "JELLING_NIGHTSCOUT_TOKEN_FILE",
  nightscoutSecretFile: "JELLING_NIGHTSCOUT_SECRET_FILE",
  mqttPasswordFile: "JELLING_MQTT_PASSWORD_FILE",
});

const LARGEST_KEYS = 1024 * 1024;
const LARGEST_SECRET = 4096;
const LARGEST_PEM = 256 * 1024;

/**
 * Reads the key database and the secrets. A file with a secret must be its owner's alone (mode 0600 or less).
 *
 * @param environment names files by `SERVICE_ENVIRONMENT`; `CREDENTIALS_DIRECTORY` is where systemd puts what it hands over
 * @throws {PumpServiceError} "ERR_PUMP_SERVICE_FILE", with everything that is wrong · {KeyDatabaseError}
 */
export async function readServiceSecrets(config: ServiceConfig, environment: Environment = {}): Promise<ServiceSecrets> {
  const problems: string[] = [];
  const attempt = async <T>(reading: Promise<T>): Promise<T | undefined> => {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof PumpServiceError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const named = (variable: keyof typeof SERVICE_ENVIRONMENT, path: string | undefined): string | undefined =>
    environment[SERVICE_ENVIRONMENT[variable]] || path;
  const secret = (path: string | undefined, what: string): Promise<string | undefined> =>
    path === undefined ? Promise.resolve(undefined) : attempt(readSecret(path, what, environment));
  const pem = async (path: string | undefined, what: string, isPrivate: boolean): Promise<string | undefined> =>
    path === undefined
      ? undefined
      : attempt(
          readServiceFile(path, what, { isPrivate, largest: LARGEST_PEM, environment }).then((octets) => new TextDecoder().decode(octets)),
        );

  const keyFile = named("keyFile", config.keyFile);
  if (keyFile === undefined) problems.push(`The key database is missing: name its file as keyFile, or in ${SERVICE_ENVIRONMENT.keyFile}.`);
  const keys =
    keyFile === undefined
      ? undefined
      : await attempt(readServiceFile(keyFile, "key database", { isPrivate: true, largest: LARGEST_KEYS, environment }));
  const pageToken = config.page && (await secret(named("pageTokenFile", config.page.tokenFile), "page's token"));
  const { nightscout, homeAssistant } = config;
  const token = nightscout && (await secret(named("nightscoutTokenFile", nightscout.tokenFile), "Nightscout token"));
  const apiSecret =
    nightscout && token === undefined ? await secret(named("nightscoutSecretFile", nightscout.secretFile), "Nightscout secret") : undefined;
  const mqttPassword = homeAssistant && (await secret(named("mqttPasswordFile", homeAssistant.passwordFile), "broker's password"));
  const tls = homeAssistant && {
    ca: await pem(homeAssistant.caFile, "broker's authority", false),
    cert: await pem(homeAssistant.certFile, "certificate for the broker", false),
    key: await pem(homeAssistant.keyFile, "key of the certificate", true),
  };
  if (nightscout && token === undefined && apiSecret === undefined && problems.length === 0)
    problems.push(
      `Nightscout takes nothing from nobody: name a file with a token as nightscout.tokenFile, or in ${SERVICE_ENVIRONMENT.nightscoutTokenFile}.`,
    );
  if (problems.length > 0) throw new PumpServiceError("ERR_PUMP_SERVICE_FILE", problems);
  return {
    keyDatabase: parseKeyDatabaseFile(keys!),
    pageToken,
    nightscout: nightscout && (token === undefined ? { secret: apiSecret } : { token }),
    mqttPassword,
    tls: tls && (tls.ca ?? tls.cert) !== undefined ? tls : undefined,
  };
}

/** Text of a file of its own; blanks and line ends around it are none of it. */
async function readSecret(path: string, what: string, environment: Environment): Promise<string> {
  const octets = await readServiceFile(path, what, { isPrivate: true, largest: LARGEST_SECRET, environment });
  const text = new TextDecoder().decode(octets).trim();
  if (text === "") throw new PumpServiceError("ERR_PUMP_SERVICE_FILE", [`${path}: the ${what} is empty.`]);
  return text;
}
