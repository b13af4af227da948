/** Builds the page into a folder, which is emptied first. */
export function buildPage(outDir: string): Promise<void>;
/** The page of these sources, built where it is not there yet. */
export function builtPage(): Promise<string>;
