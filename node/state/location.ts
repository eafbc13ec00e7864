/** Where a value lies, as the caller counts: a safe integer in eight bytes, high half first. */
const U32 = 0x1_0000_0000;

/** @throws RangeError for anything but a safe integer from 0. */
export function writeLocation(target: Uint8Array, at: number, location: number): void {
  if (!Number.isSafeInteger(location) || location < 0) throw new RangeError(`Cannot keep ${location} as a location`);
  const high = Math.floor(location / U32);
  const low = location >>> 0;
  for (let i = 0; i < 4; i++) {
    target[at + i] = high >>> (24 - 8 * i);
    target[at + 4 + i] = low >>> (24 - 8 * i);
  }
}

export function readLocation(bytes: Uint8Array, at: number): number {
  const word = (from: number) => ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
  return word(at) * U32 + word(at + 4);
}
