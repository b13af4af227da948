import { BleError } from "jelling/core";

export type MqttProblem =
  /** The package `mqtt` is not installed. */
  | "missing-package"
  /** There is no way to the broker: wrong host or port, nothing listens, no network. */
  | "unreachable"
  /** The broker's certificate is not trusted, or TLS failed otherwise. */
  | "tls"
  /** The broker does not take this user name and password, or does not let this user do it. */
  | "unauthorized"
  /** The broker refuses for another reason. */
  | "refused"
  /** The broker did not answer in time. */
  | "timeout"
  /** The connection is gone. */
  | "closed";

/** What stands between us and an MQTT broker. The message names neither user nor password, and of the address only host and port. */
export class MqttError extends BleError {
  readonly code = "ERR_MQTT";
  readonly problem: MqttProblem;
  constructor(problem: MqttProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
