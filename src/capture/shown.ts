import { ArgumentError } from "../core/error.ts";
import { CaptureAnonymizer } from "./anonymous/capture-anonymizer.ts";
import { CaptureRedactor } from "./capture-redactor.ts";
import type { AnyCaptureRecord } from "./record.ts";

/** What of a record may be seen. @throws {ArgumentError} `anonymous` and `secrets` */
export function shownBy({
  secrets = false,
  anonymous = false,
}: {
  readonly secrets?: boolean | undefined;
  readonly anonymous?: boolean | undefined;
}): (record: AnyCaptureRecord) => AnyCaptureRecord {
  if (anonymous && secrets) throw new ArgumentError("secrets and anonymous: expected one of them at most");
  if (secrets) return (record) => record;
  if (anonymous) {
    const anonymizer = new CaptureAnonymizer();
    return (record) => anonymizer.anonymize(record);
  }
  const redactor = new CaptureRedactor();
  return (record) => redactor.redact(record);
}
