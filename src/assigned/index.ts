/// <reference lib="esnext.disposable" preserve="true" />
export { appearanceName } from "./appearance.ts";
export { characteristicName, companyName, descriptorName, serviceName, uuidName } from "./names.ts";
