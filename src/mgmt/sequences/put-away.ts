const settled = (): void => undefined;

/**
 * Waits for something that puts away what a sequence left in the kernel, whatever becomes of it: it may be gone already, with its
 * controller or with the socket, and the outcome of the sequence is what its caller has to learn.
 */
export async function putAway(action: Promise<unknown>): Promise<void> {
  await action.then(settled, settled);
}
