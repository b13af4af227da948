import { AttError, AttErrorCode } from "jelling/att";
import type { GattPeer, GattServer, LocalCharacteristic, LocalService } from "jelling/gatt";
import { gapService, gattService } from "jelling/gatt";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import { informationServiceUuid, informationValues, type PhoneInformation } from "./phone-database.ts";

/**
 * Handles of the services. A pump keeps those of its phone with the bond and does not ask again, so they must be the same in every run,
 * whatever was in the server before.
 */
const HANDLES = Object.freeze({ genericAccess: 0x0001, genericAttribute: 0x0010, information: 0x0020, sake: 0x0040 });

/** What the pump does on our server, as far as the connector cares. */
export interface PhoneServerHandlers {
  /** Whether this peer is the pump that is connected; everyone else is refused. */
  readonly isPump: (peer: GattPeer) => boolean;
  /** The first value the pump reads of a service. */
  readonly onRead: (what: string) => void;
  readonly onSubscription: (subscribed: boolean, restored: boolean) => void;
  readonly onWrite: (value: Uint8Array) => void;
}

export interface PhoneServerOptions {
  readonly name: string;
  readonly careLink: boolean;
  readonly information: PhoneInformation;
}

/** The services a pump looks for in a phone, put into a device's server; disposing takes them out again. */
export class PhoneServer implements Disposable {
  readonly #server: GattServer;
  readonly #services: LocalService[] = [];
  readonly #sake: LocalCharacteristic;

  /** Whatever the server holds already stays: GAP and GATT services are added only where they are missing. */
  constructor(server: GattServer, { name, careLink, information }: PhoneServerOptions, handlers: PhoneServerHandlers) {
    this.#server = server;
    const missing = (uuid: (typeof ServiceUuid)[keyof typeof ServiceUuid]): boolean => server.service(uuid) === undefined;
    if (missing(ServiceUuid.GenericAccess))
      this.#services.push(server.addService({ ...gapService({ name, centralAddressResolution: true }), handle: HANDLES.genericAccess }));
    if (missing(ServiceUuid.GenericAttribute))
      this.#services.push(server.addService({ ...gattService(), handle: HANDLES.genericAttribute }));
    this.#services.push(
      server.addService({
        uuid: informationServiceUuid(careLink),
        handle: HANDLES.information,
        characteristics: informationValues(information).map(({ uuid, value }) => ({
          uuid,
          properties: ["read"],
          read: () => {
            handlers.onRead("information");
            return value;
          },
        })),
      }),
    );
    const sake = server.addService({
      uuid: ServiceUuid.Sake,
      handle: HANDLES.sake,
      characteristics: [
        {
          uuid: CharacteristicUuid.SakePort,
          properties: ["write", "notify"],
          permissions: { write: "encrypted", subscribe: "encrypted" },
          write: (value, { peer }) => {
            if (!handlers.isPump(peer)) throw new AttError(AttErrorCode.WriteNotPermitted);
            handlers.onWrite(value);
          },
          onSubscription: (peer, { notify, restored }) => {
            if (handlers.isPump(peer)) handlers.onSubscription(notify, restored);
          },
        },
      ],
    });
    this.#services.push(sake);
    this.#sake = sake.characteristic(CharacteristicUuid.SakePort)!;
  }

  /** Queues a SAKE message for the pump, behind whatever response is on its way. @throws the link is gone · the pump has not subscribed */
  notify(value: Uint8Array): Promise<void> {
    return this.#sake.notify(value);
  }

  [Symbol.dispose](): void {
    for (const service of this.#services.splice(0).reverse()) this.#server.removeService(service);
  }
}
