// Channels of L2CAP ask for the same, so it stands below both.
export {
  bothRequirements,
  checkSecurityRequirement,
  type LinkSecurity,
  meets,
  NO_SECURITY,
  requirementText,
  type SecurityRequirement,
} from "../core/link-security.ts";
