import jelling from "jelling/package.json" with { type: "json" };

export const { version } = jelling;
