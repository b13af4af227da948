import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

const MOSQUITTO = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].find((path) => existsSync(path));
const MOSQUITTO_PASSWD = ["/usr/bin/mosquitto_passwd", "/usr/local/bin/mosquitto_passwd"].find((path) => existsSync(path));
export const isMosquittoHere = MOSQUITTO !== undefined && MOSQUITTO_PASSWD !== undefined;

export const USER = "pump-user";
export const PASSWORD = "correct horse";

export interface Mosquitto extends AsyncDisposable {
  readonly port: number;
  readonly websocketPort: number;
  /** With TLS, where `certificate` was given. */
  readonly tlsPort: number | undefined;
}

/** A broker of its own on free ports, which knows one user. */
export async function startMosquitto(certificate?: { readonly cert: string; readonly key: string }): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "jelling-mosquitto-"));
  const [port, websocketPort, tlsPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const passwords = file("passwords", "");
  execFileSync(MOSQUITTO_PASSWD!, ["-b", passwords, USER, PASSWORD], { stdio: "ignore" });
  const tls = certificate
    ? [`listener ${tlsPort} 127.0.0.1`, `certfile ${file("cert.pem", certificate.cert)}`, `keyfile ${file("key.pem", certificate.key)}`]
    : [];
  const config = file(
    "mosquitto.conf",
    [
      `user ${userInfo().username}`,
      "allow_anonymous false",
      `password_file ${passwords}`,
      "persistence false",
      "log_type error",
      `listener ${port} 127.0.0.1`,
      `listener ${websocketPort} 127.0.0.1`,
      "protocol websockets",
      ...tls,
      "",
    ].join("\n"),
  );
  const child = spawn(MOSQUITTO!, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const dispose = async (): Promise<void> => {
    await stopped(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listens(port, child);
    await listens(certificate ? tlsPort : websocketPort, child);
  } catch (error) {
    await dispose();
    throw new Error(`mosquitto did not start: ${said}`, { cause: error });
  }
  return { port, websocketPort, tlsPort: certificate ? tlsPort : undefined, [Symbol.asyncDispose]: dispose };
}

/** A way to a port that can be cut, as a network is. */
export async function cuttableWay(port: number): Promise<{ readonly port: number; cut(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await listening(server, 0);
  return {
    port: (server.address() as { port: number }).port,
    cut,
    close: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

async function listening(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await listening(server, 0);
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Tried again until somebody listens or the process has ended. */
async function listens(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connectTcp(port, "127.0.0.1");
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`ended with ${child.exitCode ?? child.signalCode}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
