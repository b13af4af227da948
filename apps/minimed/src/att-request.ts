import type { OperationOptions } from "jelling/async";
import { type AttBearer, type AttPduDeclaration, encodeAttPdu } from "jelling/att";
import { Reader } from "jelling/bytes";
import { PDU_OFFSET } from "jelling/l2cap";

/**
 * Sends one request and reads its response. `use` runs while the packet that brought the response is handled, before anything that came
 * behind it: the place to open a frame, whose order counts.
 *
 * @throws {AttError} the peer refuses · {AttTimeoutError} no answer · what `use` throws
 */
export function attRequest<Request, Response, Result>(
  att: AttBearer,
  [requestPdu, parameters]: readonly [AttPduDeclaration<Request>, Request],
  responsePdu: AttPduDeclaration<Response>,
  use: (response: Response) => Result,
  options: OperationOptions = {},
): Promise<Result> {
  const pdu = encodeAttPdu(requestPdu, parameters);
  const frame = att.allocate(pdu.length);
  frame.set(pdu, PDU_OFFSET);
  return att.request(
    frame,
    (bytes, offset, end) => {
      const reader = new Reader(bytes, { offset, end, name: responsePdu.name });
      const response = responsePdu.parameters.decode(reader);
      reader.done();
      return use(response);
    },
    options,
  );
}
