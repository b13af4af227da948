/** Result codes of the control points of the insulin delivery service. */
export const IDD_RESULTS = {
  15: "success",
  112: "opcode_not_supported",
  113: "invalid_operand",
  114: "procedure_not_completed",
  115: "parameter_out_of_range",
  116: "procedure_not_applicable",
  117: "plausibility_check_failed",
  118: "maximum_bolus_number_reached",
} as const;
export type IddResult = (typeof IDD_RESULTS)[keyof typeof IDD_RESULTS];
