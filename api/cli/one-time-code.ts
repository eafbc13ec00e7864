/** One-time codes of RFC 6238, and how long one lasts. */

const TOTP_PERIOD_MS = 30_000; // RFC 6238 §5.2

/** The one-time code of now, 6 digits (RFC 6238). @param secret base32 */
export async function totpCode(secret: string, nowMs: number): Promise<string> {
  const { Secret, TOTP } = await import('otpauth'); // most commands find a token and need no code
  return new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6, period: TOTP_PERIOD_MS / 1_000 }).generate({
    timestamp: nowMs,
  });
}

/** ms until the code of now is replaced. */
export function totpLeftMs(nowMs: number): number {
  return TOTP_PERIOD_MS - (nowMs % TOTP_PERIOD_MS);
}
