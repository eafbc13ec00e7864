/** The one rule of when a registry entry, a grant or a key is valid. */

/** Milliseconds since 1970; null is no bound. */
export interface Validity {
  readonly validFrom: number | null;
  readonly validTo: number | null;
}

/**
 * From `validFrom` on, up to `validTo`, which is the first moment it no longer holds: one ends where the next begins. @param atMs block
 * time
 */
export function isWithin({ validFrom, validTo }: Validity, atMs: number): boolean {
  return (validFrom === null || validFrom <= atMs) && (validTo === null || atMs < validTo);
}
