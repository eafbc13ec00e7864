/**
 * Takes over credentials that an operator prepared outside (`credentials.json`: password hashes and one-time-password secrets). An account that has a
 * credential here already keeps it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { ChainError } from '../../node/errors/index.ts';
import type { Credentials } from './credentials.ts';

export const CREDENTIALS_IMPORT_MAX = 10_000; // accounts in one file

const CredentialsFile = Type.Object(
  {
    version: Type.Literal(1),
    credentials: Type.Array(
      Type.Object(
        {
          account: Type.String({ minLength: 3, maxLength: 128 }),
          passwordHash: Type.String({ maxLength: 512 }),
          totpSecret: Type.String({ maxLength: 128 }),
        },
        { additionalProperties: false },
      ),
      { maxItems: CREDENTIALS_IMPORT_MAX },
    ),
  },
  { additionalProperties: false },
);

/** @throws ChainError CONFIG_INVALID when the text is not such a file. */
export async function importCredentials(credentials: Credentials, text: string): Promise<void> {
  let file: Static<typeof CredentialsFile>;
  try {
    file = Value.Parse(CredentialsFile, JSON.parse(text));
  } catch (error) {
    throw new ChainError('CONFIG_INVALID', { file: 'credentials', reason: (error as Error).message.slice(0, 200) });
  }
  for (const { account, passwordHash, totpSecret } of file.credentials) await credentials.adopt(account, passwordHash, totpSecret);
}
