import { createStateMap, type MapHash, type MapWrite, type StateMap } from '../../../../node/state/index.ts';

/** The map of these writes alone. */
export function mapOf(hash: MapHash, writes: readonly MapWrite[]): StateMap {
  const map = createStateMap(hash);
  map.commit(map.stage(writes));
  return map;
}
