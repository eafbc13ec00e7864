/** Chain state as the API reads it: the only source of who may do what. */
import { stateKey } from '../../contracts/index.ts';
import type { NodeService } from '../../node/service.ts';
import type { ReadState } from '../rest/index.ts';

export function stateReader(node: NodeService): ReadState {
  return (contract, key) => node.state.get(stateKey(contract, key));
}
