// Assigned Numbers 2.6.2, categories (the upper ten bits of an appearance) from 0 on, then those far apart.
const CATEGORIES =
  "Unknown|Phone|Computer|Watch|Clock|Display|Remote Control|Eye-glasses|Tag|Keyring|Media Player|Barcode Scanner|Thermometer|" +
  "Heart Rate Sensor|Blood Pressure|Human Interface Device|Glucose Meter|Running Walking Sensor|Cycling|Control Device|Network Device|Sensor|" +
  "Light Fixtures|Fan|HVAC|Air Conditioning|Humidifier|Heating|Access Control|Motorized Device|Power Device|Light Source|Window Covering|" +
  "Audio Sink|Audio Source|Motorized Vehicle|Domestic Appliance|Wearable Audio Device|Aircraft|AV Equipment|Display Equipment|Hearing aid|" +
  "Gaming|Signage";
const FAR: Readonly<Record<number, string>> = {
  49: "Pulse Oximeter",
  50: "Weight Scale",
  51: "Personal Mobility Device",
  52: "Continuous Glucose Monitor",
  53: "Insulin Pump",
  54: "Medication Delivery",
  55: "Spirometer",
  81: "Outdoor Sports Activity",
};

/** "Heart Rate Sensor" for 0x0340 to 0x037F: the category, not the finer kind. */
export function appearanceName(appearance: number): string | undefined {
  const category = appearance >> 6;
  return CATEGORIES.split("|")[category] ?? FAR[category];
}
