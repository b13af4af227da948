import { delay } from "jelling/async";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
// Loaded before simulated time begins, which does not wait for files to be read.
import "../src/export/index.ts";
import "../src/mqtt/index.ts";
import "../src/web/index.ts";
import type { Fetch } from "../src/export/index.ts";
import { PumpService, type PumpServiceOptions, readServiceConfig, type ServiceConfig, type ServicePage } from "../src/service/index.ts";
import { HomeAssistant } from "./home-assistant.ts";
import { NightscoutServer, SECRET, SITE } from "./nightscout-server.ts";
import { Scenario, type ScenarioOptions } from "./scenario.ts";
import { StubBroker } from "./stub-broker.ts";
import { TemporaryFolder } from "./temporary-store.ts";

const EPOCH_MS = Date.UTC(2031, 2, 2, 8);
const DAY_MS = 24 * 3600_000;
const BROKER_PASSWORD = "correct horse";

export interface ServiceWorldOptions extends ScenarioOptions {
  /** On top of the usual configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A pump that was paired, and everything that a service speaks with: a Nightscout site, a broker with Home Assistant, a page. Time is simulated. */
export class ServiceWorld implements AsyncDisposable {
  readonly scenario: Scenario;
  readonly folder = new TemporaryFolder();
  readonly site: NightscoutServer;
  readonly broker: StubBroker;
  readonly homeAssistant: HomeAssistant;
  readonly lines: string[] = [];
  readonly config: ServiceConfig;
  /** Pages that are served at present. */
  readonly pages = new Set<ServicePage>();
  siteFault: "none" | "away" | "hangs" = "none";
  readonly #services = new Set<PumpService>();
  #runs = 0;

  private constructor(scenario: Scenario, config: Readonly<Record<string, unknown>>) {
    this.scenario = scenario;
    const { clock } = scenario;
    this.site = new NightscoutServer({ now: this.wallClock, forbidden: [scenario.pump.identity.digits] });
    this.broker = new StubBroker(() => clock.now());
    this.homeAssistant = new HomeAssistant(() => clock.now());
    this.broker.watch((topic, payload) => this.homeAssistant.receive(topic, payload));
    this.config = readServiceConfig(
      JSON.stringify({
        keyFile: "/nowhere/keys.bin",
        storeFile: this.folder.join("store", "pump.sqlite"),
        health: false,
        page: {},
        nightscout: { url: SITE },
        homeAssistant: { url: "mqtt://broker.example", username: "pump-user" },
        log: "debug",
        ...config,
      }),
    );
  }

  static async open({ config = {}, ...options }: ServiceWorldOptions = {}): Promise<ServiceWorld> {
    const scenario = await Scenario.open({ traceCapacity: 0, ...options });
    const connector = await scenario.connector();
    await scenario.pair(connector);
    await connector.close();
    return new ServiceWorld(scenario, config);
  }

  readonly wallClock = (): number => EPOCH_MS + this.scenario.clock.now();

  readonly fetch: Fetch = (url, init) => {
    if (this.siteFault === "away") return Promise.reject(new TypeError("fetch failed"));
    if (this.siteFault === "hangs")
      return new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(new TypeError("aborted"))));
    return this.site.fetch(url, init);
  };

  /** Another run of the service, after the one before it has ended. */
  async start(more: Partial<PumpServiceOptions> = {}): Promise<PumpService> {
    const { scenario } = this;
    const { bonds, irk, address, keyDatabase } = scenario.options();
    const service = await PumpService.open({
      config: this.config,
      secrets: { keyDatabase, pageToken: undefined, nightscout: { secret: SECRET }, mqttPassword: BROKER_PASSWORD, tls: undefined },
      bonds: bonds!,
      irk: irk!,
      address: address as never,
      stateFolder: this.folder.join("state"),
      controller: () => scenario.phoneController.transport,
      clock: scenario.clock,
      wallClock: this.wallClock,
      random: new SeededRandom(++this.#runs),
      logger: new Logger("", LogLevel.Debug, (_level, scope, line) => this.lines.push(`${scope}: ${line}`)),
      fetch: this.fetch,
      connectMqtt: this.broker.connect,
      servePage: (options) => {
        const page: ServicePage = {
          url: `http://127.0.0.1:8377/#${options.token}`,
          close: () => {
            this.pages.delete(page);
            return Promise.resolve();
          },
        };
        this.pages.add(page);
        return Promise.resolve(page);
      },
      ...more,
    });
    this.#services.add(service);
    void service.closed.then(() => this.#services.delete(service));
    return service;
  }

  /** Lets go of what was said and sent so far; of what the site holds a day stays. */
  forget(keptMs: number = DAY_MS): void {
    const { scenario, site, broker, homeAssistant, lines } = this;
    for (const told of [lines, scenario.said, scenario.events, site.requests, broker.log, broker.attempts, homeAssistant.log])
      told.length = 0;
    site.forget(this.wallClock() - keptMs);
  }

  advance(ms: number): Promise<void> {
    return delay(this.scenario.clock, ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of [...this.#services]) await service.close();
    await this.scenario[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}
