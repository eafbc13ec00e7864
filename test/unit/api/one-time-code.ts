/** The current code of a base32 secret (RFC 6238), by the library itself. */
import { Secret, TOTP } from 'otpauth';

export function currentOtp(secret: string, nowMs: number): string {
  return new TOTP({ algorithm: 'SHA1', digits: 6, period: 30, secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs });
}
