/** The kinds of keys a keystore holds. A leaf: the command line names them without loading a keystore. */

export const keyKinds = ['transport', 'validator', 'token', 'custodial', 'account', 'sealing', 'storage'] as const;
export type KeyKind = (typeof keyKinds)[number];

/** Sealing keys commit to personal data; the storage key encrypts what a node keeps of it and of logins. Neither has a public half. */
export function isSymmetric(kind: KeyKind): boolean {
  return kind === 'sealing' || kind === 'storage';
}
