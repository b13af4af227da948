/** Channel Selection Algorithm #2, Vol 6 Part B 4.5.8.3: which channel an event uses, told from its counter alone. */

/** Upper half of an access address against its lower half. */
export function channelIdentifier(accessAddress: number): number {
  return ((accessAddress >>> 16) ^ accessAddress) & 0xffff;
}

/** Each of the two octets with its bits in reverse. */
function permuted(value: number): number {
  let bits = ((value & 0xaaaa) >> 1) | ((value & 0x5555) << 1);
  bits = ((bits & 0xcccc) >> 2) | ((bits & 0x3333) << 2);
  return ((bits & 0xf0f0) >> 4) | ((bits & 0x0f0f) << 4);
}

/** Pseudo-random number of 16 bits for an event, prn_e. */
export function eventRandom(identifier: number, counter: number): number {
  let value = (counter ^ identifier) & 0xffff;
  for (let round = 0; round < 3; round++) value = (permuted(value) * 17 + identifier) & 0xffff;
  return value ^ identifier;
}

/** Channel 0 to 36. @param channelMap bit n for channel n, 5 octets */
export function selectChannel(identifier: number, counter: number, channelMap: Uint8Array): number {
  const random = eventRandom(identifier, counter);
  const unmapped = random % 37;
  if ((channelMap[unmapped >> 3]! >> (unmapped & 7)) & 1) return unmapped;
  let used = 0;
  for (let channel = 0; channel < 37; channel++) used += (channelMap[channel >> 3]! >> (channel & 7)) & 1;
  let index = (used * random) >>> 16;
  for (let channel = 0; channel < 37; channel++) if ((channelMap[channel >> 3]! >> (channel & 7)) & 1 && index-- === 0) return channel;
  return unmapped;
}
