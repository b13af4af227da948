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
});

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
};
