import { HostNumberOfCompletedPackets } from "../hci/index.ts";

/** Hardware_Code of the Hardware Error events with which this controller answers a host that breaks the rules of HCI. */
export const HardwareCode = Object.freeze({
  /** A command more than Num_HCI_Command_Packets allowed; it was not executed. */
  CommandWithoutCredit: 0x01,
  /** A command packet too short to be one. */
  MalformedCommand: 0x02,
  /** An ACL packet with boundary or broadcast flags that no LE host may send, or a length that is not its own; it was not sent. */
  MalformedAclPacket: 0x03,
});

/** Command flow control as the controller counts it, Vol 4 Part E 4.4. */
export class CommandCredits {
  readonly #most: number;
  /** One command may be sent before the first event. */
  #granted = 1;
  #underWay = 0;

  /** @param most commands that the host may have under way */
  constructor(most: number) {
    this.#most = most;
  }

  /** A new host. */
  reset(): void {
    this.#granted = 1;
    this.#underWay = 0;
  }

  /** Whether this command may be sent now. */
  take(opcode: number): boolean {
    if (opcode === HostNumberOfCompletedPackets.opcode) return true; // needs no credit, 7.3.40
    if (this.#underWay >= this.#granted) return false;
    this.#underWay++;
    return true;
  }

  /** A command that had been granted arrived, or was lost. */
  release(opcode: number): void {
    if (opcode !== HostNumberOfCompletedPackets.opcode && this.#underWay > 0) this.#underWay--;
  }

  /** Num_HCI_Command_Packets of an event that leaves now. */
  grant(): number {
    this.#granted = this.#most;
    return this.#most - this.#underWay;
  }
}
