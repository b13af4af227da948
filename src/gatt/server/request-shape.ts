import { AttOpcode } from "../../att/opcode.ts";

/** Whether `length` is right for a request of this opcode, opcode included (Vol 3 Part F 3.4). */
export function isWellFormedRequest(opcode: number, length: number): boolean {
  switch (opcode) {
    case AttOpcode.FindInformationReq:
    case AttOpcode.ReadBlobReq:
      return length === 5;
    case AttOpcode.FindByTypeValueReq:
      return length >= 7;
    case AttOpcode.ReadByTypeReq:
    case AttOpcode.ReadByGroupTypeReq:
      return length === 7 || length === 21;
    case AttOpcode.ReadReq:
      return length === 3;
    case AttOpcode.ReadMultipleReq:
    case AttOpcode.ReadMultipleVariableReq:
      return length >= 5 && length % 2 === 1;
    case AttOpcode.WriteReq:
      return length >= 3;
    case AttOpcode.PrepareWriteReq:
      return length >= 5;
    case AttOpcode.ExecuteWriteReq:
      return length === 2;
    default:
      return false;
  }
}
