/** Names of the files of a node, where no flag says otherwise. */
export const NODE_FILE = 'node.json';
export const KEYSTORE_FILE = 'keystore.json';
