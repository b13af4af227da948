import type { CreditBasedChannel } from "../../l2cap/index.ts";
import { deviceInformation, type ExampleDevice, text } from "./kind.ts";

/** Service and characteristics of the echo device. */
export const ECHO = Object.freeze({
  service: "7d1a0001-6563-4f68-8c05-6a656c6c7921",
  /** What is written is notified, indicated and can be read again. */
  echo: "7d1a0002-6563-4f68-8c05-6a656c6c7921",
  /** 300 octets to be read and written in parts. */
  long: "7d1a0003-6563-4f68-8c05-6a656c6c7921",
  /** Only on an encrypted link. */
  secret: "7d1a0004-6563-4f68-8c05-6a656c6c7921",
  /** Credit based channels whose SDUs come back. */
  spsm: 0x80,
});

/** Sends back what comes, cut where the peer takes less than it sends; a slow reader at the other end is waited for. */
async function sendBack(channel: CreditBasedChannel): Promise<void> {
  for await (const sdu of channel)
    for (let at = 0; at === 0 || at < sdu.length; at += channel.peerMtu) await channel.send(sdu.subarray(at, at + channel.peerMtu));
}

/** For trying things: says back what it is told, has a long value and one that needs pairing. */
export const echo: ExampleDevice = {
  name: "Echo",
  advertised: { flags: 0x06, serviceUuids: [ECHO.service] },
  serve(server) {
    const service = server.addService({
      uuid: ECHO.service,
      characteristics: [
        {
          uuid: ECHO.echo,
          properties: ["read", "write", "write-without-response", "notify", "indicate"],
          description: "Echo",
          value: text("hello"),
          write: (value) => {
            characteristic.value = value;
            characteristic.tryNotify(value);
            // It leaves after the response to this write, and is not to be waited for here.
            characteristic.indicate(value).catch(() => undefined);
          },
        },
        {
          uuid: ECHO.long,
          properties: ["read", "write"],
          value: Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
          description: "Long",
        },
        {
          uuid: ECHO.secret,
          properties: ["read", "write"],
          permissions: { read: "encrypted", write: "encrypted" },
          value: text("you are paired"),
          description: "Secret",
        },
      ],
    });
    const characteristic = service.characteristic(ECHO.echo)!;
    deviceInformation(server, "Echo");
    return { [Symbol.dispose]: () => {} };
  },
  listen(listeners) {
    const listener = listeners.listen(ECHO.spsm);
    listener.onChannel = (channel) => {
      sendBack(channel).catch(() => undefined); // the channel has ended
    };
    return listener;
  },
};
