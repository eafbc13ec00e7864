/** Door of the keystore and of the devnet's certificates. */
export {
  createKeystore,
  type KeyEntry,
  type KeyKind,
  type Keystore,
  type KeystoreCost,
  keyKinds,
  listKeystore,
  openKeystore,
} from './keystore.ts';
export { writeFileAtomic } from './atomic-file.ts';
export { certificateFacts, createAuthority, issueServerCertificate, type CertificateFacts, type PemPair } from './certificates.ts';
export { createNodeKeys, NODE_KEY, type NodePublicKeys, nodePublicKeys, rotateSealingKey, sealingKeyIds } from './identity.ts';
